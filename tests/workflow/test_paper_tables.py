"""Tables from results files: hand-made files, hand-computed tables."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import matplotlib
import nbformat
import numpy as np
import pandas as pd
import pytest
from conftest import ROOT

from wfine_utils.errors import WfineError
from wfine_utils.notebook.render import pretty, to_latex, to_markdown
from wfine_utils.weval.metrics import METRICS
from wfine_workflow import paper_tables
from wfine_workflow.headline import headline_numbers, headline_text
from wfine_workflow.results import MissingRun, read_results

WEVAL_ROWS = [  # scorer, Kendall tau-b over all chains
    ("constant", 0.0),
    ("length", 0.25),
    ("reward model", 0.9),
    ("oracle (checkers)", 1.0),
]


def write_csv(folder: Path, notebook: str, name: str, rows: list[dict]) -> Path:
    path = folder / notebook / name
    path.parent.mkdir(parents=True, exist_ok=True)
    pd.DataFrame(rows).to_csv(path, index=False)
    return path


def rate(value: float, n: int, **keys: str) -> dict:
    return {**keys, "n": n, "value": value, "ci_low": max(value - 0.1, -1),
            "ci_high": min(value + 0.1, 1)}  # fmt: skip


def write_dropping(folder: Path) -> None:
    write_csv(folder, paper_tables.DROPPING, "chains_summary.csv", [
        {"split": s, "plan": "balanced", "n_chains": n, "n_responses": 5 * n, "n_topics": 3,
         "n_pairs": 4 * n, "n_identical": 0} for s, n in (("train", 20), ("test", 10))
    ])  # fmt: skip
    for name, keys in (
        ("drop_is_real.csv", [{"split": s, "plan": "balanced"} for s in ("test", "train")]),
        ("drop_is_real_sloppy.csv", [{"writer": "sloppy"}]),
    ):
        write_csv(folder, paper_tables.DROPPING, name, [
            rate(v, n, **key, type=t, quantity=q)
            for key in keys
            for t in ("all", "length")
            for q, v, n in (("drop is real", 0.8, 30), ("kept requirement holds", 0.9, 70))
        ])  # fmt: skip


def write_weval(folder: Path) -> None:
    rows = []
    for scorer, tau in WEVAL_ROWS:
        pairs = 4000 if scorer == "reward model" else None
        common = {"scorer": scorer, "n_chains": 10, "training_pairs": pairs, "tie_rate": 0.5,
                  "nan_rate": 0.5, "saturated_rate": 0.1, "cut_rate": 0.2}  # fmt: skip
        rows += [
            common | rate(tau if m == "kendall_tau_b" else 0.5, 10, metric=m, subset_kind="all",
                          subset="all")
            for m in METRICS
        ]  # fmt: skip
        rows += [
            common | rate(v, 10, metric="pairwise_accuracy", subset_kind="type", subset=t)
            for t, v in (("length", tau), ("style", 0.6))
        ]
    write_csv(folder, paper_tables.WEVAL, "weval.csv", [{k: v for k, v in r.items() if k != "n"}
                                                  for r in rows])  # fmt: skip
    write_csv(folder, paper_tables.WEVAL, "comparisons.csv", [
        {"reference": "reward model", "scorer": "length", "metric": "kendall_tau_b",
         "value_a": 0.9, "value_b": 0.25, "difference": 0.65, "ci_low": 0.6, "ci_high": 0.7,
         "p_value": 1e-4, "p_holm": 2e-4, "n_chains": 10}
    ])  # fmt: skip


def write_policies(folder: Path) -> None:
    values = {"base": (0.55, 0.1), "wrl_requirement": (0.81, 0.4)}
    write_csv(folder, paper_tables.POLICY, "adherence.csv", [
        rate(v, 200, prompt_set=prompts, policy=p, measure=measure, n_unreadable=3, share_cut=0.25)
        for prompts in ("tiny", "weval_hand") for p, pair in values.items()
        for measure, v in (("length", 0.7), *zip(("mean", "all met"), pair, strict=True))
    ])  # fmt: skip
    write_csv(folder, paper_tables.POLICY, "comparisons.csv", [
        {"prompt_set": "tiny", "policy_a": "wrl_requirement", "policy_b": "base",
         "measure": "mean", "difference": 0.26, "ci_low": 0.2, "ci_high": 0.3, "p_value": 0.002,
         "n": 200}
    ])  # fmt: skip


def write_costs(folder: Path) -> None:
    (folder / "benchmarks").mkdir()
    for name, s, mib in (("02_requirement_dropping", 30, 512), ("03_reward_model", 600, 2048),
                         ("07_paper_tables", 1e6, 1e6)):  # fmt: skip
        (folder / "benchmarks" / f"{name}.tsv").write_text(
            "s\th:m:s\tmax_rss\tmax_vms\tmax_uss\tmax_pss\tio_in\tio_out\tmean_load\tcpu_time\n"
            f"{s}\t0:00:30\t{mib}\t1\t1\t1\t-\t-\t99.0\t30\n"
        )
    stage = folder / "03_reward_model" / "wrl_requirement"
    stage.mkdir(parents=True)
    (stage / "stage.json").write_text(json.dumps({"key": {}, "seconds": 240.0}))
    killed = folder / "03_reward_model" / ".partial-coarse"
    killed.mkdir()
    (killed / "stage.json").write_text("{")


def write_answers(folder: Path) -> None:
    write_csv(folder, paper_tables.STUDY, "answers.csv", [
        {"question": q, "quantity": f"effect {q}", "value": 0.1 * q, "ci_low": 0.0, "ci_high": 1.0,
         "p_value": None if q == 1 else 0.01, "p_holm": None if q == 1 else 0.02,
         "cohens_d": 0.5, "n": 6, "unit": "training seeds"} for q in range(1, 8)
    ])  # fmt: skip


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "smoke"
    folder.mkdir()
    for write in (write_dropping, write_weval, write_policies, write_costs, write_answers):
        write(folder)
    return folder


def test_t1_puts_counts_and_rates_of_a_set_in_one_row(folder):
    table = paper_tables.table_t1(folder)
    assert list(table["split"]) == ["train", "test"]  # the order of the summary
    assert list(table["n_chains"]) == [20, 10]
    row = table.iloc[1]
    assert (row["drop_is_real"], row["kept_holds"], row["n_verdicts"]) == (0.8, 0.9, 100)
    assert row["drop_is_real_ci_low"] == pytest.approx(0.7)
    types = paper_tables.table_t1_types(folder)
    assert list(types["chains"].unique()) == ["test, balanced", "train, balanced", "sloppy writer"]
    assert list(types["type"]) == ["all", "length"] * 3


def test_t2_has_every_metric_and_is_ordered_by_tau(folder):
    table = paper_tables.table_t2(folder)
    assert list(table["scorer"]) == ["oracle (checkers)", "reward model", "length", "constant"]
    assert list(table["kendall_tau_b"]) == [1.0, 0.9, 0.25, 0.0]
    assert list(table["kendall_tau_b_ci_high"]) == pytest.approx([1.0, 1.0, 0.35, 0.1])
    assert set(METRICS) <= set(table)
    assert (table["n_chains"] == 10).all()
    assert table.set_index("scorer")["training_pairs"].dropna().to_dict() == {"reward model": 4000}
    types = paper_tables.table_t2_types(folder)
    assert list(types["scorer"]) == list(table["scorer"])
    for either in (table, types):  # what bends the values stands beside them
        assert (either[["saturated_rate", "cut_rate"]] == [0.1, 0.2]).all(axis=None)
    assert list(types["length"]) == [1.0, 0.9, 0.25, 0.0]
    with pytest.raises(MissingRun, match="not labelled with a category"):
        paper_tables.table_t2_categories(folder)


def test_comparisons_keep_the_columns_they_do_not_know(folder):
    table = paper_tables.table_t2_comparisons(folder)
    assert list(table)[:8] == ["reference", "scorer", "metric", "difference", "difference_ci_low",
                               "difference_ci_high", "p_value", "n_chains"]  # fmt: skip
    assert table["p_holm"].item() == 2e-4
    assert paper_tables.table_t3_comparisons(folder)["difference_ci_low"].item() == 0.2


def test_t3_has_one_column_per_policy(folder):
    table = paper_tables.table_t3(folder)
    assert list(table["prompt_set"]) == ["tiny"] * 3 + ["weval_hand"] * 3
    table = table[table["prompt_set"] == "tiny"].set_index("measure")
    assert list(table.index) == ["length", "mean", "all met"]
    assert table.loc["all met", "base"] == 0.1
    assert table.loc["mean", "wrl_requirement"] == 0.81
    assert table.loc["mean", "wrl_requirement_ci_high"] == pytest.approx(0.91)
    assert table.loc["mean", ["base_n_unreadable", "base_share_cut"]].tolist() == [3, 0.25]


def test_t6_adds_up_the_minutes_and_takes_the_largest_memory(folder):
    table = paper_tables.table_t6(folder)
    rows = list(table[["notebook", "stage"]].itertuples(index=False, name=None))
    assert rows == [("02_requirement_dropping", "all"), ("03_reward_model", "all"),
                    ("03_reward_model", "wrl_requirement"), ("all", "all")]  # fmt: skip
    assert list(table["minutes"]) == [0.5, 10.0, 4.0, 10.5]
    assert list(table["peak_memory_gib"].dropna()) == [0.5, 2.0, 2.0]


def test_t6_charges_a_repeated_notebook_for_its_finished_stages(folder):
    path = folder / "03_reward_model" / "wrl_requirement" / "stage.json"
    path.write_text(json.dumps({"key": {}, "seconds": 660.0}))  # longer than the notebook ran
    minutes = paper_tables.table_t6(folder).set_index(["notebook", "stage"])["minutes"]
    assert minutes["03_reward_model", "all"] == 10.0 + 11.0
    assert minutes["all", "all"] == 21.5


def test_t6_counts_stages_that_ran_side_by_side_once(folder):
    for name in ("coarse", "wrl_requirement"):
        path = folder / "03_reward_model" / name / "stage.json"
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps({"key": {}, "seconds": 540.0}))  # of the ten minutes, each
    minutes = paper_tables.table_t6(folder).set_index(["notebook", "stage"])["minutes"]
    assert minutes["03_reward_model", "all"] == 10.0


def test_t6_charges_the_cells_of_the_study_by_the_cores_they_shared(folder):
    write_csv(folder, paper_tables.STUDY, "cells.csv", [
        {"slug": slug, "seconds": 60.0, "threads": 1, "cpu_cores": 2} for slug in "abcd"
    ])  # fmt: skip
    minutes = paper_tables.table_t6(folder).set_index(["notebook", "stage"])["minutes"]
    assert minutes[paper_tables.STUDY, "cells"] == 2.0


def test_t4_and_t5_share_out_the_seven_questions(folder):
    t4, t5 = paper_tables.table_t4(folder), paper_tables.table_t5(folder)
    assert t4["question"].str[0].tolist() == ["3", "4", "5"]
    assert t5["question"].str[0].tolist() == ["1", "2", "6", "7"]
    assert t4.loc[0, "question"] == "3 Does the filter help?"
    assert t4.loc[0, "value"] == pytest.approx(0.3) and t4.loc[0, "value_ci_high"] == 1.0
    assert np.isnan(t5.loc[0, "p_holm"])  # a rate is not tested against anything
    assert pretty(t4)["value"][0] == "0.300 [0.000, 1.000]"


def test_the_headline_has_what_noise_costs_and_the_first_answer_of_two_questions(folder):
    quantities = headline_numbers(folder)["quantity"].tolist()
    assert [q for q in quantities if q.startswith("effect")] == ["effect 2", "effect 3", "effect 6"]


def test_t4_of_a_study_that_asked_other_questions(folder):
    path = folder / paper_tables.STUDY / "answers.csv"
    table = pd.read_csv(path)
    table[table["question"] < 3].to_csv(path, index=False)
    with pytest.raises(MissingRun, match="no answer to questions 3, 4, 5"):
        paper_tables.table_t4(folder)


def test_t6_without_a_batch_run_has_the_stages(folder):
    for path in (folder / "benchmarks").iterdir():
        path.unlink()
    table = paper_tables.table_t6(folder)
    assert table["minutes"].tolist() == [4.0]
    assert np.isnan(table["peak_memory_gib"].item())


def test_headline(folder):
    table = headline_numbers(folder).set_index("quantity")
    assert table.loc["tau-b of reward model", "value"] == 0.9
    assert table["training_pairs"].dropna().to_dict() == {"tau-b of reward model": 4000}
    assert "4,000" in set(pretty(table)["training pairs"])
    assert table.loc["tau-b of length (best null baseline)", "n"] == 10
    assert not any("constant" in quantity for quantity in table.index)
    assert table.loc["adherence (all met), wrl_requirement", "value"] == 0.4
    assert table.loc["minutes, all notebooks", "value"] == 10.5
    assert table.loc["peak memory, GiB", "value"] == 2.0
    assert len(table) == 3 + 4 + 3 + 2


def test_headline_of_nothing_is_empty(tmp_path):
    assert headline_numbers(tmp_path).empty
    assert "07 has not been run" in headline_text(tmp_path)


@pytest.mark.parametrize("table", paper_tables.TABLES, ids=lambda table: table.name)
def test_a_table_says_which_run_is_missing(tmp_path, table):
    with pytest.raises(MissingRun) as error:
        table.compute(tmp_path / "mini")
    assert "\n" not in str(error.value)
    assert "make reproduce PRESET=mini" in str(error.value)


def test_what_is_there_but_malformed_is_no_missing_run(folder):
    path = folder / paper_tables.WEVAL / "weval.csv"
    good = pd.read_csv(path)

    def message(df: pd.DataFrame) -> str:
        df.to_csv(path, index=False)
        with pytest.raises(WfineError) as error:
            paper_tables.table_t2(folder)
        assert not isinstance(error.value, MissingRun)
        return str(error.value)

    assert "expected also ci_low" in message(good.drop(columns="ci_low"))
    assert "found no rows" in message(good.head(0))
    assert "line 4: value: found 'many', expected a number" in message(
        good.assign(value=good["value"].astype(object).where(good.index != 2, "many"))
    )
    assert "two rows for constant, kendall_tau_b" in message(pd.concat([good, good.head(1)]))
    assert "no rows for tie_rate" in message(good[good["metric"] != "tie_rate"])
    path.write_text('a,b\n"1')
    with pytest.raises(WfineError, match=r"it is no CSV|found the columns"):
        paper_tables.table_t2(folder)
    (folder / "benchmarks" / "03_reward_model.tsv").write_text("s\tmax_rss\n")
    with pytest.raises(WfineError, match=r"03_reward_model\.tsv: unreadable"):
        paper_tables.table_t6(folder)


def test_names_that_look_like_missing_values_are_kept(tmp_path):
    write_csv(tmp_path, "n", "a.csv", [{"scorer": "null", "x": 1.0}, {"scorer": "None", "x": None}])
    df = read_results(tmp_path, "n", "a.csv", ["scorer"], ["x"])
    assert list(df["scorer"]) == ["null", "None"]
    assert np.isnan(df["x"][1])


# --- how they look ------------------------------------------------------------------------------

ODD = pd.DataFrame({
    "scorer": ["a_b & 50 %", "τ"],
    "value": [0.12345, -1.0],
    "value_ci_low": [0.1, np.nan],
    "value_ci_high": [0.2, np.nan],
    "p_value": [1e-5, 0.04],
    "n_chains": [20000, 5],
})  # fmt: skip


def test_pretty():
    texts = pretty(ODD, digits=2)
    assert list(texts) == ["scorer", "value", "p value", "n chains"]
    assert list(texts["value"]) == ["0.12 [0.10, 0.20]", "-1.00"]
    assert list(texts["p value"]) == ["<0.01", "0.04"]
    assert list(texts["n chains"]) == ["20,000", "5"]
    assert list(pretty(pd.DataFrame({"x": [np.nan, 1.0]}))["x"]) == ["–", "1.000"]


def test_markdown():
    lines = to_markdown(ODD, "A caption.", digits=2).splitlines()
    assert lines[0] == "A caption."
    cells = [cell.strip() for cell in lines[4].strip("|").split("|")]
    assert cells == ["a_b & 50 %", "0.12 [0.10, 0.20]", "<0.01", "20,000"]
    assert lines[3].startswith("|:--")
    assert lines[3].endswith("-:|")


def test_latex_is_escaped():
    text = to_latex(ODD, "100 % of a_b.", label="odd", digits=2)
    assert r"a\_b \& 50 \% & 0.12 [0.10, 0.20] & $<$0.01 & 20,000 \\" in text
    assert r"$\tau$ & -1.00" in text
    assert r"\caption{100 \% of a\_b.}" in text
    assert r"\label{tab:odd}" in text
    assert r"\begin{tabular}{lrrr}" in text


def test_tables_need_no_torch():
    code = (
        "import sys, wfine_workflow.headline, wfine_utils.notebook.figures; "
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


# --- the notebook, cell by cell in this process ---------------------------------------------------


def run_notebook(tmp_path: Path, monkeypatch) -> Path:
    """Run the code cells of notebook 07 on ``tmp_path/smoke``; give its folder."""
    monkeypatch.delitem(sys.modules, "torch", raising=False)  # of other tests; 07 needs none
    matplotlib.use("agg")
    path = ROOT / "notebooks" / "07_paper_tables.ipynb"
    namespace: dict[str, object] = {}
    for cell in nbformat.read(path, as_version=4).cells:
        if cell.cell_type == "code":
            exec(compile(cell.source, cell.id, "exec"), namespace)  # noqa: S102
        if cell.id == "parameters":
            namespace |= {"preset": "smoke", "output_root": str(tmp_path)}
    matplotlib.pyplot.close("all")
    return tmp_path / "smoke" / "07_paper_tables"


def test_notebook_writes_every_table_and_figure(folder, tmp_path, monkeypatch):
    out = run_notebook(tmp_path, monkeypatch)
    names = {table.name for table in paper_tables.TABLES} - {"T2_categories"}
    for name in names | {"headline"}:
        for suffix in ("csv", "md", "tex"):
            assert (out / "tables" / f"{name}.{suffix}").stat().st_size > 0
    assert not (out / "tables" / "T2_categories.csv").exists()
    figures = ("T2_weval", "T2_released_rule", "T2_types", "T3_policies", "T4_ablations",
               "T6_cost")  # fmt: skip
    assert {p.name for p in (out / "figures").iterdir()} == {
        f"{name}.{suffix}" for name in figures for suffix in ("png", "pdf")
    }
    committed = pd.read_csv(out / "tables" / "T2_weval.csv")
    pd.testing.assert_frame_equal(committed, paper_tables.table_t2(folder), check_exact=True)
    results = json.loads((out / "results.json").read_text())
    assert results["not_computed"] == ["T2_categories"]
    assert results["headline"]["tau-b of reward model"] == 0.9
    assert not any("minutes" in key for key in results["headline"])  # the same from run to run
    first = (out / "results.json").read_bytes()
    run_notebook(tmp_path, monkeypatch)
    assert (out / "results.json").read_bytes() == first


def test_notebook_names_what_is_missing_and_removes_what_is_stale(tmp_path, monkeypatch):
    stale = tmp_path / "smoke" / "07_paper_tables" / "tables" / "T2_weval.csv"
    stale.parent.mkdir(parents=True)
    stale.write_text("scorer\nold\n")
    out = run_notebook(tmp_path, monkeypatch)
    assert {p.name for p in (out / "tables").iterdir()} == {
        f"{t.name}.md" for t in paper_tables.TABLES
    }
    assert "run notebook 05_weval_correlation" in (out / "tables" / "T2_weval.md").read_text()


def test_notebook_stops_at_a_malformed_file(folder, tmp_path, monkeypatch):
    (folder / paper_tables.POLICY / "adherence.csv").write_text("policy,type\nbase,length\n")
    with pytest.raises(WfineError, match=r"adherence\.csv: found the columns policy, type, exp"):
        run_notebook(tmp_path, monkeypatch)
    assert not (folder / "07_paper_tables" / "results.json").exists()
