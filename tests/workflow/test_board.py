"""The board of several runs: what stands where, what is refused, and what its script does."""

from __future__ import annotations

import json
import math
import re
import shutil
import subprocess
from pathlib import Path

import pandas as pd
import pytest
from board_page import BoardPage, Row
from conftest import ROOT

from wfine_utils.chains.dropping import build_chains
from wfine_utils.chains.files import save_chains
from wfine_utils.errors import WfineError
from wfine_utils.files import sha256_file
from wfine_utils.tiny_world import vocabulary, writer
from wfine_utils.weval.baselines import OracleScorer, null_baselines
from wfine_utils.weval.evaluation import evaluate_all
from wfine_utils.weval.scorers import score_all
from wfine_workflow.board import build_board, kind_of
from wfine_workflow.commands.board import main

REFERENCES = ROOT / "outputs" / "reference"
KEPT = REFERENCES / "board.html"
SHA = "0123456789abcdef" * 4
COLUMNS = ["scorer", "metric", "subset_kind", "subset", "value", "ci_low", "ci_high", "n_chains",
           "tie_rate", "nan_rate"]  # fmt: skip
NAN = math.nan

SCRIPT = "<script>alert(1)</script>"

MINE = [
    [SCRIPT, "kendall_tau_b", "all", "all", 0.5, 0.4, 0.6, 1200, 0.25, 0.125],
    [SCRIPT, "pairwise_accuracy", "all", "all", 0.75, 0.7, 0.8, 1200, 0.25, 0.125],
    [SCRIPT, "released_rule_tau", "all", "all", 0.875, 0.8, 0.9, 1200, 0.25, 0.125],
    ["constant", "kendall_tau_b", "all", "all", 0.0, 0.0, 0.0, 1200, 1.0, 0.0],
    ["constant", "pairwise_accuracy", "all", "all", 0.5, 0.5, 0.5, 1200, 1.0, 0.0],
    ["constant", "released_rule_tau", "all", "all", 1.0, 1.0, 1.0, 1200, 1.0, 0.0],
    ["another reader", "kendall_tau_b", "all", "all", 0.8, NAN, NAN, 4, 0.0, 0.0],
    ["mute", "kendall_tau_b", "all", "all", NAN, NAN, NAN, 0, NAN, 1.0],
    ["constant", "pairwise_accuracy", "type", "style", 0.5, 0.5, 0.5, 1000, 1.0, 0.0],
    ["mute", "pairwise_accuracy", "type", "style", 0.25, 0.1, 0.4, 1000, 0.0, 0.0],
]  # fmt: skip


def run_of(folder: Path, rows: list | pd.DataFrame, stamp: dict | None = None) -> Path:
    """A folder as ``wfine weval --out`` writes it."""
    folder.mkdir(parents=True)
    pd.DataFrame(rows, columns=COLUMNS).to_csv(folder / "weval.csv", index=False)
    if stamp is None:
        stamp = {"data": {"name": "mine.jsonl", "sha256": SHA}, "seed": 0}
    (folder / "stamp.json").write_text(json.dumps(stamp))
    return folder


def board(*folders: Path) -> BoardPage:
    out = folders[0].parent / "board.html"
    return BoardPage(build_board(folders, out).read_text("utf-8"))


def by_scorer(rows: list[Row]) -> dict[str, Row]:
    return {row.cells[0]: row for row in rows}


def test_every_cell(tmp_path):
    (table,) = board(run_of(tmp_path / "one", MINE)).tables
    names = [name for name, _ in table.heads]
    assert names == ["scorer", "run", "kind", "τ-b", "pairwise accuracy", "n", "ties", "NaN",
                     "released rule", "training pairs"]  # fmt: skip
    rows = [dict(zip(names, row.cells)) for row in table.parts["all:all"]]
    assert [row["scorer"] for row in rows] == [
        "another reader", "<script>alert(1)</script>", "constant", "mute"
    ], "by tau-b, what has none last"  # fmt: skip
    assert rows[1] == {
        "scorer": "<script>alert(1)</script>", "run": "one", "kind": "scorer",
        "τ-b": "0.500 [0.400, 0.600]", "pairwise accuracy": "0.750 [0.700, 0.800]", "n": "1,200",
        "ties": "0.250", "NaN": "0.125", "released rule": "0.875 [0.800, 0.900]",
        "training pairs": "–",
    }  # fmt: skip
    assert rows[0]["τ-b"] == "0.800 (no interval)" and rows[0]["released rule"] == "–"
    assert (rows[3]["τ-b"], rows[3]["n"], rows[3]["ties"], rows[3]["NaN"]) == (
        "–",
        "0",
        "–",
        "1.000",
    )
    assert (rows[2]["τ-b"], rows[2]["released rule"]) == (
        "0.000 [0.000, 0.000]", "1.000 [1.000, 1.000]"
    )  # fmt: skip


def test_a_type_has_accuracy_alone_and_stands_by_it(tmp_path):
    (table,) = board(run_of(tmp_path / "one", MINE)).tables
    first, second = table.parts["type:style"]
    assert (first.cells[0], second.cells[0]) == ("constant", "mute")
    assert second.cells[3:6] == ["–", "0.250 [0.100, 0.400]", "1,000"]
    (line,) = (x["d"] for tag, x in second.drawn if tag == "path" and not x.get("class"))
    assert line == "M20 6H80", "0.1 and 0.4 of a width of 200"


def test_intervals_are_drawn_where_they_are(tmp_path):
    (table,) = board(run_of(tmp_path / "one", MINE)).tables
    rows = by_scorer(table.parts["all:all"])
    drawn = rows["<script>alert(1)</script>"].drawn
    # -1 stands at 0, 0 at 100 and 1 at 200
    assert [x["d"] for tag, x in drawn if tag == "path"] == ["M100 0v12", "M140 6H160"]
    assert [x["cx"] for tag, x in drawn if tag == "circle"] == ["150"]
    alone = rows["another reader"].drawn
    assert [x["d"] for tag, x in alone if tag == "path"] == ["M100 0v12"]
    assert [x["cx"] for tag, x in alone if tag == "circle"] == ["180"]
    assert rows["mute"].drawn == []


def test_what_is_no_scorer_is_marked(tmp_path):
    (table,) = board(run_of(tmp_path / "one", MINE)).tables
    marks = {
        row.cells[0]: (row.attributes["class"], row.cells[2]) for row in table.parts["all:all"]
    }
    assert marks == {
        "another reader": ("ceiling", "ceiling"),
        "constant": ("null", "null"),
        "<script>alert(1)</script>": ("scorer", "scorer"),
        "mute": ("scorer", "scorer"),
    }


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        *((scorer.name, "null") for scorer in null_baselines(0)),
        ("coin flip", "null"),
        ("oracle (checkers)", "ceiling"),
        ("another reader", "ceiling"),
        ("WRL RM, requirements of another chain", "control"),
        ("the same, requirements of another chain", "control"),
        ("WRL RM, one requirement", "scorer"),
        ("constant gardener", "scorer"),
    ],
)
def test_kinds(name, kind):
    assert kind_of(name) == kind


def test_names_and_stamps_are_text_and_no_html(tmp_path):
    stamp = {"data": {"name": "<b>&.jsonl", "sha256": SHA}, "note": "</pre><script>x</script>"}
    page = board(run_of(tmp_path / "a <i>", MINE, stamp))
    assert [tag for tag, _ in page.tags].count("script") == 1, "its own"
    assert not {"b", "i"} & {tag for tag, _ in page.tags}
    assert page.tables[0].title == "<b>&.jsonl"
    assert json.loads(page.stamps["stamp-1"]) == stamp
    text = (tmp_path / "board.html").read_text("utf-8")
    assert "<script>alert" not in text and "&lt;script&gt;alert(1)" in text


def test_nothing_is_fetched(tmp_path):
    folder = run_of(tmp_path / "one", MINE)
    page = board(folder)
    for tag, values in page.tags:
        assert tag not in {"img", "iframe", "object", "embed", "audio", "video", "base"}
        for name in ("src", "href", "action", "srcset"):
            assert re.match(r"#stamp-\d|data:,$", values.get(name) or "data:,"), (tag, values)
    text = (tmp_path / "board.html").read_text("utf-8")
    assert "url(" not in text and "@import" not in text and "fetch(" not in text
    policy = next(x["content"] for tag, x in page.tags if "http-equiv" in x)
    assert policy.startswith("default-src 'none'") and "'unsafe-eval'" not in policy
    assert "script-src 'sha256-" in policy


def test_the_policy_lets_this_script_run_and_no_other(tmp_path):
    import base64
    import hashlib

    run_of(tmp_path / "one", MINE)
    text = build_board([tmp_path / "one"], tmp_path / "b.html").read_text("utf-8")
    (script,) = re.findall(r"<script>(.*?)</script>", text, re.S)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in text


def test_it_can_be_used_by_keyboard_and_read_without_a_script(tmp_path):
    page = board(run_of(tmp_path / "one", MINE))
    (table,) = page.tables
    assert table.buttons == len(table.heads)
    assert [x["aria-sort"] for _, x in table.heads].count("descending") == 1
    assert all(x["scope"] == "col" for _, x in table.heads)
    assert ("form", {"id": "filters", "hidden": None}) in page.tags, "no use without a script"
    assert not [x for tag, x in page.tags if tag in {"tr", "tbody", "table"} and "hidden" in x]
    scrolled = [x for _, x in page.tags if x.get("class") == "scroll"]
    assert all(x["tabindex"] == "0" and x["role"] == "region" for x in scrolled)


def test_data_sets_are_never_put_together_unless_they_are_the_same(tmp_path):
    other = {"data": {"name": "mine.jsonl", "sha256": "f" * 64}}
    same = {"data": {"name": "elsewhere/copy.jsonl", "sha256": SHA}}
    page = board(
        run_of(tmp_path / "one", MINE),
        run_of(tmp_path / "two", MINE, other),
        run_of(tmp_path / "three", MINE[:3], same),
        run_of(tmp_path / "four", MINE[:3], {"data": {"sha256": SHA}}),
    )
    runs = [[row.cells[1] for row in t.parts["all:all"]] for t in page.tables]
    assert [sorted(set(x)) for x in runs] == [["four", "one", "three"], ["two"]]
    assert [t.title for t in page.tables] == ["mine.jsonl, copy.jsonl, data of run four",
                                              "mine.jsonl"]  # fmt: skip
    assert SHA in page.tables[0].about and "f" * 64 in page.tables[1].about
    assert all("n = 1,200 chains" in t.about for t in page.tables)


def test_data_without_a_digest_go_by_their_name_and_that_is_said(tmp_path):
    page = board(
        run_of(tmp_path / "one", MINE, {"data": {"name": "mine.jsonl"}}),
        run_of(tmp_path / "two", MINE, {"data": {"name": "/x/y/mine.jsonl", "sha256": None}}),
        run_of(tmp_path / "three", MINE, {}),
        run_of(tmp_path / "four", MINE, {"data": {"name": "mine.jsonl", "sha256": SHA}}),
    )
    assert [t.title for t in page.tables] == ["mine.jsonl", "data of run three", "mine.jsonl"]
    assert ["No digest" in t.about for t in page.tables] == [True, True, False]
    assert {row.cells[1] for row in page.tables[0].parts["all:all"]} == {"one", "two"}


def test_data_of_the_hub_go_by_what_was_read(tmp_path):
    """`wfine weval` has no file of them: two names, and one set of chains."""
    hub = {"sha256": None, "chains_sha256": SHA}
    page = board(
        run_of(tmp_path / "one", MINE, {"data": {"name": "owner/pairs", **hub}}),
        run_of(tmp_path / "two", MINE, {"data": {"name": "copy", **hub}}),
        run_of(tmp_path / "three", MINE, {"data": {"name": "pairs", "sha256": SHA}}),
    )
    runs = [{row.cells[1] for row in t.parts["all:all"]} for t in page.tables]
    assert runs == [{"one", "two"}, {"three"}], "a digest of a file is none of chains"


def test_a_preset_and_a_run_on_its_chains_stand_together(tmp_path):
    """The digest of a preset is that of its file of test chains; WEval-Hand is a set of its own."""
    preset = tmp_path / "outputs" / "toy"
    stamp = {"parameters": {"chains_path": ""}}
    run_of(preset / "05_weval_correlation", MINE, stamp)
    hand = preset / "05_weval_correlation" / "weval_hand.csv"
    pd.DataFrame(MINE[3:6], columns=COLUMNS).to_csv(hand, index=False)
    scored = hand.with_name("model_scores_hand")
    scored.mkdir()
    (scored / "stage.json").write_text(json.dumps({"key": {"chains": "a" * 64}}))
    queries = writer.sample_queries(8, vocabulary.TOPICS["test"], seed=0)
    chains = build_chains(queries, "balanced", writer.write, 0)
    (preset / "02_requirement_dropping").mkdir()
    path = preset / "02_requirement_dropping" / "chains_test.jsonl"
    save_chains(chains, path)
    digest = sha256_file(path)
    given = run_of(tmp_path / "own", MINE[:3], {"data": {"name": "x.jsonl", "sha256": digest}})
    page = board(preset, given)
    assert [t.title for t in page.tables] == ["test chains of preset toy, x.jsonl",
                                              "WEval-Hand (test)"]  # fmt: skip
    assert digest in page.tables[0].about and "a" * 64 in page.tables[1].about
    assert {row.cells[1] for row in page.tables[0].parts["all:all"]} == {"toy", "own"}
    assert [row.cells[0] for row in page.tables[1].parts["all:all"]] == ["constant"]


def test_what_weval_makes_is_what_is_shown(tmp_path):
    """Real tables, with categories and types: every value of them, rounded, and no other."""
    queries = writer.sample_queries(12, vocabulary.TOPICS["test"], seed=0)
    chains = build_chains(queries, "balanced", writer.write, 0)
    scorers = [*null_baselines(0), OracleScorer()]
    weval = evaluate_all(chains, score_all(scorers, chains), n_boot=50)
    folder = run_of(tmp_path / "one", [])
    weval.to_csv(folder / "weval.csv", index=False)
    (table,) = board(folder).tables
    subsets = weval[["subset_kind", "subset"]].drop_duplicates().agg(":".join, axis=1)
    assert set(table.parts) == set(subsets)
    for row in weval[weval["metric"] == "kendall_tau_b"].to_dict("records"):
        cells = by_scorer(table.parts[f"{row['subset_kind']}:{row['subset']}"])[row["scorer"]].cells
        assert float(cells[3].split(" ")[0]) == pytest.approx(row["value"], abs=5.1e-4)
        assert cells[5] == str(row["n_chains"])
        assert (cells[3].endswith("(no interval)")) == math.isnan(row["ci_low"])


def test_runs_of_one_name_are_told_apart(tmp_path):
    page = board(run_of(tmp_path / "a" / "mini", MINE), run_of(tmp_path / "b" / "mini", MINE))
    assert {row.cells[1] for row in page.tables[0].parts["all:all"]} == {"a/mini", "b/mini"}
    assert [x["href"] for tag, x in page.tags if tag == "a"][:2] == ["#stamp-1", "#stamp-2"]


def test_a_stamp_names_no_folder_of_the_machine(tmp_path):
    stamp = {"parameters": {"output_root": "/home/ann/outputs", "n": 1, "x": ["~/y/z.jsonl"]},
             "data": {"name": "C:\\ann\\w.jsonl", "sha256": SHA}, "ratio": "1/2"}  # fmt: skip
    page = board(run_of(tmp_path / "one", MINE, stamp))
    assert json.loads(page.stamps["stamp-1"]) == {
        "parameters": {"output_root": "outputs", "n": 1, "x": ["z.jsonl"]},
        "data": {"name": "w.jsonl", "sha256": SHA}, "ratio": "1/2",
    }  # fmt: skip
    assert page.tables[0].title == "w.jsonl"


# --- what is refused ------------------------------------------------------------------------------


def changed(row: int, column: str, value: object) -> list:
    rows = [list(x) for x in MINE]
    rows[row][COLUMNS.index(column)] = value
    return rows


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (changed(1, "value", "high"), r"weval\.csv:3: value: found 'high', expected a number"),
        (changed(0, "value", 1.5), r":2: value: found '1\.5', expected a number between -1 and 1"),
        (changed(1, "ci_low", -0.5), r":3: ci_low: .* between 0 and 1"),
        (changed(0, "ci_low", 0.7), r":2: ci_low: .* expected no more than ci_high"),
        (changed(0, "value", "inf"), r":2: value: found 'inf'"),
        (changed(3, "tie_rate", 2), r":5: tie_rate: .* a share between 0 and 1"),
        (changed(3, "n_chains", 2.5), r":5: n_chains: found '2\.5'"),
        (changed(3, "n_chains", None), r":5: n_chains: found nothing, expected the number of ch"),
        (changed(3, "scorer", None), r":5: scorer: found nothing, expected a name"),
        (changed(3, "subset_kind", "odd"), r":5: subset_kind: found 'odd', expected one of all"),
        ([*MINE, MINE[0]], r":12: metric: .* expected one row for each scorer, metric and subset"),
        (MINE[1:], r"found no kendall_tau_b over all chains for \['<script>"),
        ([], r"found no rows"),
    ],
)  # fmt: skip
def test_a_wrong_table_is_refused_with_its_place(tmp_path, rows, message):
    folder, out = run_of(tmp_path / "one", rows), tmp_path / "board.html"
    out.write_text("the older one")
    with pytest.raises(WfineError, match=message):
        build_board([folder], out)
    assert out.read_text() == "the older one"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["board.html", "one"]


def test_all_problems_of_all_runs_are_told_at_once(tmp_path):
    good, bad = run_of(tmp_path / "good", MINE), run_of(tmp_path / "bad", changed(0, "value", "x"))
    (bad / "stamp.json").write_text("{")
    bare = run_of(tmp_path / "bare", MINE)
    pd.DataFrame(MINE, columns=COLUMNS).drop(columns="nan_rate").to_csv(bare / "weval.csv")
    (bare / "stamp.json").unlink()
    (tmp_path / "empty").mkdir()
    with pytest.raises(WfineError) as refused:
        build_board([good, bad, bare, tmp_path / "empty", good], tmp_path / "board.html")
    said = str(refused.value)
    assert said.startswith("board: 6 problems in the runs; nothing was written.")
    for part in ("found this folder twice", "found no JSON", "bad/weval.csv:2: value: found 'x'",
                 "bare/stamp.json: found no such file", "expected also nan_rate",
                 "found neither 05_weval_correlation/weval.csv nor weval.csv"):  # fmt: skip
        assert part in said
    assert not (tmp_path / "board.html").exists()


def test_a_file_of_problems_shows_twenty(tmp_path):
    rows = [["a", f"m{i}", "all", "all", "x", 0, 0, 1, 0, 0] for i in range(30)]
    with pytest.raises(WfineError, match="31 problems, the first 20 of which are") as refused:
        build_board([run_of(tmp_path / "one", rows)], tmp_path / "board.html")
    assert str(refused.value).count("\n") == 20


def test_the_command(tmp_path, capsys):
    folder, out = run_of(tmp_path / "one", MINE), tmp_path / "x" / "b.html"
    assert main([str(folder), "--out", str(out)]) == 0
    assert capsys.readouterr().out == f"{out}\n" and out.is_file()
    assert main([str(tmp_path), "--out", str(out)]) == 2
    assert "found neither" in capsys.readouterr().err


# --- the kept page --------------------------------------------------------------------------------


def test_the_kept_board_is_that_of_the_kept_runs(tmp_path):
    tables = sorted(REFERENCES.glob("*/05_weval_correlation/weval.csv"))
    page = build_board([path.parents[1] for path in tables], tmp_path / "board.html")
    assert page.read_bytes() == KEPT.read_bytes(), "run `make board`"
    assert len(KEPT.read_bytes()) < 300_000


# --- its script, where there is a Node to run it --------------------------------------------------

NODE = shutil.which("node")


def seen(page: BoardPage, *steps: dict, hash: str = "") -> dict:
    """What stands on a page after some steps: a choice of filters, a click on a head."""
    text = (ROOT / "wfine_workflow" / "templates" / "board.js").read_text("utf-8")
    tables = [
        {
            "heads": [[name, x["data-is"], x["aria-sort"]] for name, x in table.heads],
            "parts": {
                key: [{"cells": r.cells, "kind": r.attributes["data-kind"],
                       "run": r.attributes["data-run"]} for r in rows]
                for key, rows in table.parts.items()
            },
        }
        for table in page.tables
    ]  # fmt: skip
    given = {"script": text, "tables": tables, "steps": steps, "hash": hash}
    program = str(Path(__file__).parent / "board_script.js")
    done = subprocess.run(
        [str(NODE), program], input=json.dumps(given), capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.skipif(NODE is None, reason="no node on this machine to run the script")
class TestScript:
    @pytest.fixture
    def page(self, tmp_path) -> BoardPage:
        other = {"data": {"name": "two.jsonl", "sha256": "f" * 64}}
        return board(run_of(tmp_path / "one", MINE), run_of(tmp_path / "two", MINE[:3], other))

    def test_at_first_all_chains_are_shown(self, page):
        there = seen(page)
        assert there["form"] and there["status"] == "5 of 7 rows are shown."
        assert there["tables"][0]["rows"] == ["another reader", SCRIPT, "constant", "mute"]
        assert there["tables"][1]["rows"] == [SCRIPT]
        assert all(table["enabled"] and not table["none"] for table in there["tables"])

    @pytest.mark.parametrize(
        ("clicks", "order", "direction"),
        [
            (["τ-b"], ["constant", SCRIPT, "another reader", "mute"], "ascending"),
            (["τ-b", "τ-b"], ["another reader", SCRIPT, "constant", "mute"], "descending"),
            (["n"], [SCRIPT, "constant", "another reader", "mute"], "descending"),
            (["n", "n"], ["mute", "another reader", SCRIPT, "constant"], "ascending"),
            (["released rule"], ["constant", SCRIPT, "another reader", "mute"], "descending"),
            (["ties"], ["constant", SCRIPT, "another reader", "mute"], "descending"),
            (["scorer"], [SCRIPT, "another reader", "constant", "mute"], "ascending"),
            (["scorer", "scorer"], ["mute", "constant", "another reader", SCRIPT], "descending"),
        ],
    )
    def test_sorting(self, page, clicks, order, direction):
        """1,200 is more than 4; what has no number stands last in both directions."""
        table, other = seen(page, *({"click": name} for name in clicks))["tables"]
        assert table["rows"] == order
        assert table["sorted"].pop(clicks[-1]) == direction
        assert set(table["sorted"].values()) == {"none"}
        assert other["sorted"]["τ-b"] == "descending", "each table by itself"

    def test_filters(self, page):
        there = seen(page, {"choose": {"kind": "null"}})
        assert [table["rows"] for table in there["tables"]] == [["constant"], []]
        assert [table["shown"] for table in there["tables"]] == [True, False]
        assert [table["none"] for table in there["tables"]] == [False, True]
        there = seen(page, {"choose": {"run": "two"}})
        assert [table["rows"] for table in there["tables"]] == [[], [SCRIPT]]
        there = seen(page, {"choose": {"subset": ""}})
        assert there["status"] == "7 of 7 rows are shown."
        there = seen(page, {"choose": {"kind": "null"}}, {"choose": {"kind": ""}})
        assert there["status"] == "5 of 7 rows are shown."

    def test_a_type_stands_by_accuracy(self, page):
        there = seen(page, {"choose": {"subset": "type:style"}})
        assert there["tables"][0]["rows"] == ["constant", "mute"]
        assert there["tables"][0]["sorted"]["pairwise accuracy"] == "descending"
        there = seen(page, {"choose": {"subset": "type:style"}}, {"choose": {"subset": "all:all"}})
        assert there["tables"][0]["rows"] == ["another reader", SCRIPT, "constant", "mute"]
        assert there["tables"][0]["sorted"]["τ-b"] == "descending"

    def test_a_link_opens_its_stamp(self, page):
        assert seen(page, hash="#stamp-1")["stamp"] is True
        assert seen(page, hash="#data-9")["stamp"] is False
