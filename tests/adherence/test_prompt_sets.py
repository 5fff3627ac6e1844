"""Prompt sets: what is read from files, who judges, what is counted and what is refused."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from conftest import ROOT
from hypothesis import given, settings
from hypothesis import strategies as st

from wfine_utils.adherence.compare import WORDS, evaluate_policies, linearised
from wfine_utils.adherence.measure import adherence
from wfine_utils.adherence.prompt_files import layout, load_ifeval, load_writingbench
from wfine_utils.adherence.prompt_sets import (
    CHECKLIST,
    INSTRUCTION_LEVEL,
    JUDGED,
    PROMPT_LEVEL,
    ChecklistSet,
    InstructionSet,
    RequirementSet,
    load_prompt_sets,
)
from wfine_utils.chains.files import save_chains
from wfine_utils.chains.taxonomy import Query, Requirement
from wfine_utils.chains.weval_hand import load_weval_hand
from wfine_utils.errors import WfineError
from wfine_utils.judges.backends import Reply
from wfine_utils.tiny_world.vocabulary import TOPICS
from wfine_utils.tiny_world.writer import sample_queries, write
from wfine_utils.weval.scorers import LengthScorer
from wfine_workflow.presets import load_preset, own_files

SHARED = ROOT.parent / "shared" / "data"
QUERIES = sample_queries(12, TOPICS["test"], seed=3)
MARKS = ("1-2", "3-4", "5-6", "7-8", "9-10")


def ifeval_row(key: int, *instructions: tuple[str, dict], prompt: str = "Write.") -> dict:
    """A record of IFEval; arguments of other instructions are None, as in the published file."""
    names = {name: None for _, kwargs in instructions for name in kwargs}
    return {
        "key": key,
        "prompt": f"{prompt} {key}",
        "instruction_id_list": [instruction_id for instruction_id, _ in instructions],
        "kwargs": [names | kwargs for _, kwargs in instructions],
    }


NO_COMMA = ("punctuation:no_comma", {})
TWO_WORDS = ("length_constraints:number_words", {"num_words": 2.0, "relation": "at least"})
UNKNOWN = ("detectable_format:haiku", {"lines": 3})


ROWS = [
    ifeval_row(10, NO_COMMA),
    ifeval_row(11, NO_COMMA, TWO_WORDS),
    ifeval_row(12, TWO_WORDS, UNKNOWN),
    ifeval_row(13, UNKNOWN),
]


def writingbench_row(index: int, n_criteria: int = 2) -> dict:
    """A record of WritingBench."""
    return {
        "index": index,
        "domain1": "Law",
        "domain2": "Contracts",
        "query": f"Draft contract number {index}.",
        "checklist": [
            {"name": f"criterion {k}", "criteria_description": f"Looks at {index}.{k}."}
            | {marks: f"worth {marks}" for marks in MARKS}
            for k in range(n_criteria)
        ],
    }


def jsonl(path: Path, rows: list) -> Path:
    lines = [row if isinstance(row, str) else json.dumps(row) for row in rows]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def parquet(path: Path, rows: list[dict]) -> Path:
    pd.DataFrame(rows).to_parquet(path)
    return path


@dataclass
class Reader:
    """A backend that finds a text met, or worth a 9, if it has the word "good" in it.

    It is silent on texts with the word "mute".
    """

    fingerprint: str = "reader"
    asked: list[str] = field(default_factory=list)

    def response(self, prompt: str) -> str:
        self.asked.append(prompt)
        return re.search(r"<<response \w+>>\n(.*?)\n<<end of response", prompt, re.S)[1]

    def complete(self, prompts, *, max_tokens, temperature=0.0, seed=0):
        texts = [self.response(prompt) for prompt in prompts]
        return [
            Reply("Hm." if "mute" in text else json.dumps(
                {"reason": "Read it.", "score": 9 if "good" in text else 2}
            ))
            for text in texts
        ]  # fmt: skip

    def option_logprobs(self, prompts, options):
        texts = [self.response(prompt) for prompt in prompts]
        p = np.array([np.nan if "mute" in t else 0.9 if "good" in t else 0.2 for t in texts])
        return np.log(np.column_stack([p, 1 - p]))


def values(table: pd.DataFrame, policy: str) -> pd.DataFrame:
    return table[table["policy"] == policy].set_index("measure")


GOOD, BAD = (
    [
        write(q, (met,) * len(q.requirements), np.random.default_rng(i))
        for i, q in enumerate(QUERIES)
    ]
    for met in (True, False)
)


class TestTypedRequirements:
    def test_the_tiny_world_is_judged_as_in_section_3(self):
        (tiny,) = load_prompt_sets(["tiny"], tiny=QUERIES)
        judged = tiny.judge({"a": GOOD, "b": BAD})
        pd.testing.assert_frame_equal(judged["a"], adherence(QUERIES, GOOD))
        assert (judged["a"]["mean"] == 1).all()
        assert (judged["b"]["mean"] == 0).all()
        assert list(tiny.n_requirements()) == list(judged["a"])
        assert ((tiny.n_requirements() == 0) == judged["a"].isna()).all(axis=None)

    def test_hand_asks_the_judge_only_for_what_has_no_check(self):
        (hand,) = load_prompt_sets(["weval_hand"])
        rubrics = [
            r.rubric for c in load_weval_hand("test") for r in c.requirements if r.check is None
        ]
        assert hand.describe() == {
            "prompt_set": "weval_hand", "n_prompts": 40, "n_left_out": 0,
            "n_by_machine": 160 - len(rubrics), "n_by_judge": 0, "n_by_nobody": len(rubrics),
        }  # fmt: skip
        reader = Reader()
        judge = hand.with_judge(reader)
        assert judge.describe()["n_by_judge"] == len(rubrics)
        judged = judge.judge({"a": ["good"] * 40, "b": ["mute"] * 40})
        assert len(reader.asked) == 2 * len(rubrics)
        assert all(any(rubric in prompt for prompt in reader.asked) for rubric in rubrics)
        has_rubric = hand.n_requirements()[JUDGED] > 0
        assert (judged["a"][JUDGED].round(6) == 0.9).equals(has_rubric)
        assert judged["b"][JUDGED].isna().all()
        table = evaluate_policies(judge, {"a": ["good"] * 40, "b": ["mute"] * 40}).table
        assert values(table, "a").loc[JUDGED, ["n", "n_unreadable"]].tolist() == [
            has_rubric.sum(), 0,
        ]  # fmt: skip
        assert values(table, "b").loc[JUDGED, ["n", "n_unreadable"]].tolist() == [
            0, has_rubric.sum(),
        ]  # fmt: skip

    def test_any_scorer_judges_and_one_policy_is_enough(self):
        query = Query(None, "Write.", (Requirement(None, None, "Be kind.", rubric="Is it kind?"),))
        kind = RequirementSet("mine", (query, query), scorer=LengthScorer())
        assert kind.judge({"a": ["one", "one two"]})["a"][JUDGED].tolist() == [1, 2]

    def test_chains_of_ones_own(self, tmp_path):
        path = save_chains(load_weval_hand("dev"), tmp_path / "mine.jsonl")
        (mine,) = load_prompt_sets([str(path)])
        assert (mine.name, len(mine.queries)) == ("mine", 20)
        assert mine.queries[0].prompt() == load_weval_hand("dev")[0].prompt()


class TestIfeval:
    @pytest.fixture(params=["parquet", "jsonl"])
    def ifeval(self, request, tmp_path) -> InstructionSet:
        save = {"parquet": parquet, "jsonl": jsonl}[request.param]
        (found,) = load_prompt_sets([str(save(tmp_path / f"ours.{request.param}", ROWS))])
        return found

    def test_both_levels_by_hand(self, ifeval):
        assert (type(ifeval), ifeval.name) == (InstructionSet, "ours")
        texts = ["a, b", "a b", "a", "a b"]
        one = ifeval.judge({"a": texts})["a"]
        np.testing.assert_array_equal(one[PROMPT_LEVEL], [0, 1, np.nan, np.nan])
        np.testing.assert_array_equal(one[INSTRUCTION_LEVEL], [0, 1, 0, np.nan])
        table = values(evaluate_policies(ifeval, {"a": texts}).table, "a")
        assert table.loc[PROMPT_LEVEL, ["value", "n", "n_unreadable"]].tolist() == [0.5, 2, 2]
        # two of the four instructions that can be checked, not the mean of 0, 1 and 0
        assert table.loc[INSTRUCTION_LEVEL, ["value", "n", "n_unreadable"]].tolist() == [0.5, 3, 1]

    def test_what_has_no_checker_is_counted(self, ifeval):
        assert ifeval.describe() == {
            "prompt_set": "ours", "n_prompts": 4, "n_left_out": 0,
            "n_by_machine": 4, "n_by_judge": 0, "n_by_nobody": 2,
        }  # fmt: skip
        assert ifeval.with_judge(Reader()) is ifeval

    def test_the_policy_is_asked_the_prompt_alone(self, ifeval):
        assert [q.prompt() for q in ifeval.queries] == [f"Write. {k}" for k in range(10, 14)]

    def test_a_prompt_to_repeat_that_is_missing_is_the_prompt(self, tmp_path):
        row = ifeval_row(1, ("combination:repeat_prompt", {"prompt_to_repeat": None}))
        (ours,) = load_prompt_sets([str(jsonl(tmp_path / "one.jsonl", [row]))])
        assert ours.judge({"a": ["write. 1 Yes."]})["a"][PROMPT_LEVEL].tolist() == [1]

    @pytest.mark.parametrize("suffix", ["parquet", "jsonl"])
    def test_bad_rows_are_named_all_at_once(self, tmp_path, suffix):
        rows = [
            ifeval_row(1, NO_COMMA),
            ifeval_row(2, ("length_constraints:number_words", {"num_words": 2.5})),
            ifeval_row(3, NO_COMMA) | {"kwargs": []},
            ifeval_row(1, NO_COMMA),
            ifeval_row(4, NO_COMMA) | {"prompt": ""},
        ]
        path = {"parquet": parquet, "jsonl": jsonl}[suffix](tmp_path / f"bad.{suffix}", rows)
        with pytest.raises(WfineError) as caught:
            load_ifeval(path)
        said = str(caught.value)
        first = 0 if suffix == "parquet" else 1
        place = f"bad.{suffix}:{'row ' if suffix == 'parquet' else ''}"
        assert "4 problems" in said
        assert f"{place}{first + 1}: kwargs.0: check ifeval/length_constraints:number_words" in said
        assert f"{place}{first + 2}: kwargs: found 0 sets of arguments, expected 1" in said
        assert f"{place}{first + 3}: key: found 1 again, first at" in said
        assert f"{place}{first + 4}: prompt: found an empty text" in said

    def test_a_column_that_is_missing(self, tmp_path):
        rows = [{k: v for k, v in row.items() if k != "kwargs"} for row in ROWS]
        path = parquet(tmp_path / "half.parquet", rows)
        with pytest.raises(WfineError, match=r"kwargs: found no such column, expected it"):
            load_prompt_sets([str(path)])

    @settings(max_examples=50, deadline=None)
    @given(st.lists(st.tuples(st.integers(1, 4), st.integers(0, 4)), min_size=2, max_size=30))
    def testlinearised_mean_and_spread_are_those_of_a_ratio(self, pairs):
        n = np.array([a for a, _ in pairs], dtype=float)
        met = np.minimum(n, [b for _, b in pairs])
        found = linearised(pd.DataFrame({"x": met / n}), {"x": n})["x"]
        ratio = met.sum() / n.sum()
        assert found.mean() == pytest.approx(ratio)
        np.testing.assert_allclose(found - ratio, (met - ratio * n) / n.mean(), atol=1e-12)

    def test_the_interval_is_that_of_a_ratio(self, tmp_path):
        rng = np.random.default_rng(0)
        rows = [
            ifeval_row(k, *[NO_COMMA, TWO_WORDS, ("startend:quotation", {})][: 1 + k % 3])
            for k in range(150)
        ]
        (ours,) = load_prompt_sets([str(jsonl(tmp_path / "many.jsonl", rows))])
        texts = [["a, b", "a", '"a b"', "a b, c"][i] for i in rng.integers(4, size=150)]
        got = values(evaluate_policies(ours, {"a": texts}).table, "a").loc[INSTRUCTION_LEVEL]
        n = ours.weights()[INSTRUCTION_LEVEL]
        met = n * ours.judge({"a": texts})["a"][INSTRUCTION_LEVEL].to_numpy()
        draws = rng.integers(150, size=(4000, 150))
        low, high = np.quantile(met[draws].sum(1) / n[draws].sum(1), [0.025, 0.975])
        assert got["value"] == pytest.approx(met.sum() / n.sum())
        assert (got["ci_low"], got["ci_high"]) == pytest.approx((low, high), abs=0.012)
        two = values(evaluate_policies(ours.thinned(3), {"a": ["a, b", "a", '"a b"']}).table, "a")
        assert 0 <= two.loc[INSTRUCTION_LEVEL, "ci_low"] <= two.loc[INSTRUCTION_LEVEL, "value"]


class TestWritingBench:
    @pytest.fixture
    def bench(self, tmp_path) -> ChecklistSet:
        rows = [writingbench_row(i, n_criteria=1 + i) for i in range(3)]
        (found,) = load_prompt_sets([str(jsonl(tmp_path / "bench.jsonl", rows))])
        return found

    def test_a_critic_reads_every_criterion_of_the_prompts_own_list(self, bench):
        reader = Reader()
        judge = bench.with_judge(reader)
        texts = {"a": ["good", "bad", "mute"], "b": ["bad", "good", "good"]}
        found = evaluate_policies(judge, texts)
        assert len(reader.asked) == 2 * (1 + 2 + 3)
        last = reader.asked[-1]
        assert "Draft contract number 2." in last and "criterion 2: Looks at 2.2." in last
        assert all(f"{marks}: worth {marks}" in last for marks in MARKS)
        a, b = values(found.table, "a"), values(found.table, "b")
        assert a.loc[CHECKLIST, ["value", "n", "n_unreadable"]].tolist() == [5.5, 2, 1]
        assert b.loc[CHECKLIST, ["value", "n", "n_unreadable"]].tolist() == [20 / 3, 3, 0]
        (row,) = found.comparisons.query("measure == @CHECKLIST").to_dict("records")
        assert (row["policy_a"], row["policy_b"], row["difference"], row["n"]) == ("b", "a", 0, 2)

    def test_without_a_judge_nothing_is_made_up(self, bench):
        table = evaluate_policies(bench, {"a": ["x", "y", "z"]}).table
        one = values(table, "a").loc[CHECKLIST]
        assert np.isnan(one["value"]) and one[["n", "n_unreadable"]].tolist() == [0, 3]
        assert bench.describe()["n_by_nobody"] == 6
        assert values(table, "a").loc[WORDS, "value"] == 1

    def test_the_policy_is_asked_the_query_alone(self, bench):
        assert bench.queries[1].prompt() == "Draft contract number 1."
        assert bench.queries[1].topic == "Law / Contracts"
        with pytest.raises(ValueError, match="nothing can be dropped"):
            bench.queries[1].prompt((True, False))

    def test_bad_lines_are_named_with_line_and_field(self, tmp_path):
        no_mark = writingbench_row(2)
        del no_mark["checklist"][1]["9-10"]
        rows = [
            '{"index": 0, "query',
            writingbench_row(1),
            no_mark,
            writingbench_row(3) | {"checklist": []},
            writingbench_row(1),
            writingbench_row(5) | {"domain1": 5, "prompt": "x"},
        ]
        with pytest.raises(WfineError) as caught:
            load_prompt_sets([str(jsonl(tmp_path / "bad.jsonl", rows))])
        said = str(caught.value)
        assert "6 problems" in said and "nothing was loaded" in said
        for text in (
            "bad.jsonl:1: whole record: found",
            "bad.jsonl:3: checklist.1.9-10: found nothing, expected this field",
            "bad.jsonl:4: checklist: found 0, expected at least 1",
            "bad.jsonl:5: index: found 1 again, first at line 2",
            "bad.jsonl:6: domain1: found 5",
            "bad.jsonl:6: prompt: found 'x', expected no field of this name",
        ):
            assert text in said

    def test_twenty_problems_at_most(self, tmp_path):
        rows = [writingbench_row(i) | {"query": ""} for i in range(30)]
        with pytest.raises(WfineError, match="30 problems, the first 20 of which are") as caught:
            load_writingbench(jsonl(tmp_path / "bad.jsonl", rows))
        assert str(caught.value).count("bad.jsonl:") == 20


class TestLoading:
    def test_layouts_are_told_apart(self, tmp_path):
        assert layout(jsonl(tmp_path / "a.jsonl", [ifeval_row(1, NO_COMMA)])) == "ifeval"
        assert layout(parquet(tmp_path / "a.parquet", ROWS)) == "ifeval"
        assert layout(jsonl(tmp_path / "b.jsonl", ["[1]", writingbench_row(1)])) == "writingbench"
        released = {"prompt": "", "instruction_id_list": [], "constraint": [], "chosen": ""}
        assert layout(jsonl(tmp_path / "c.jsonl", [released])) == "chains"

    @pytest.mark.parametrize(
        ("content", "expected"),
        [
            (None, "does not exist"),
            ("", "is empty"),
            ("[1]\nnothing\n", "no line that is a JSON object"),
            ('{"text": "a"}\n', "looked for"),
        ],
        ids=["missing", "empty", "no objects", "other fields"],
    )
    def test_a_file_that_is_no_prompt_set(self, tmp_path, content, expected):
        path = tmp_path / "mine.jsonl"
        if content is not None:
            path.write_text(content)
        with pytest.raises(WfineError, match=expected):
            load_prompt_sets([str(path)])

    def test_names_are_kept_apart(self, tmp_path):
        (tmp_path / "b").mkdir()
        paths = [jsonl(tmp_path / x / "a.jsonl", [writingbench_row(1)]) for x in ("", "b")]
        with pytest.raises(WfineError, match="name 'a' is another set's"):
            load_prompt_sets([str(path) for path in paths])
        with pytest.raises(WfineError, match="name 'tiny' is another set's"):
            load_prompt_sets([str(jsonl(tmp_path / "tiny.jsonl", [writingbench_row(1)]))])
        with pytest.raises(WfineError, match="no queries for it"):
            load_prompt_sets(["tiny"])

    def test_thinning_spreads_over_the_set(self, tmp_path):
        path = jsonl(tmp_path / "a.jsonl", [writingbench_row(i) for i in range(9)])
        (whole,) = load_prompt_sets([str(path)])
        sets = [whole.thinned(n) for n in (0, 3, 20)]
        assert [len(one.queries) for one in sets] == [9, 3, 9]
        numbers = [re.search(r"\d", q.prompt())[0] for q in sets[1].queries]
        assert numbers == ["0", "4", "8"]
        assert sets[0].digest == sets[2].digest != sets[1].digest

    def test_a_preset_is_refused_before_anything_runs(self, project, monkeypatch):
        monkeypatch.chdir(project)
        path = project / "params" / "smoke" / "04_wrl_policy.yaml"
        text = path.read_text(encoding="utf-8")
        path.write_text(f"{text}prompt_sets: [tiny, mine.jsonl]\n")
        where = r"^params/smoke/04_wrl_policy.yaml: prompt_sets: mine.jsonl"
        with pytest.raises(WfineError, match=where + " does not exist"):
            load_preset("smoke")
        jsonl(project / "mine.jsonl", [writingbench_row(1) | {"index": None}])
        with pytest.raises(WfineError, match=where + ", read as format 'writingbench': "):
            load_preset("smoke")
        jsonl(project / "mine.jsonl", [writingbench_row(1)])
        parameters = load_preset("smoke")["04_wrl_policy"].model_dump()
        assert own_files(parameters) == {"prompt_sets": [project / "mine.jsonl"]}
        path.write_text(f"{text}prompt_sets: [tiny, tiny]\n")
        with pytest.raises(WfineError, match="expected each set once"):
            load_preset("smoke")


class TestTables:
    def test_pairs_directions_and_holm(self, tmp_path):
        path = jsonl(tmp_path / "a.jsonl", [ifeval_row(k, NO_COMMA) for k in range(20)])
        (ours,) = load_prompt_sets([str(path)])
        answers = {"base": ["a, b"] * 20, "new": ["a b"] * 20, "old": ["a, b"] * 20}
        found = evaluate_policies(ours, answers)
        one = found.comparisons.query("measure == @PROMPT_LEVEL").set_index(
            ["policy_a", "policy_b"]
        )
        assert one["difference"].to_dict() == {
            ("new", "base"): 1, ("old", "base"): 0, ("old", "new"): -1,
        }  # fmt: skip
        assert (found.comparisons["p_holm"] >= found.comparisons["p_value"]).all()
        assert one.loc[("new", "base"), "p_holm"] < 0.01
        two = evaluate_policies(ours, answers, pairs=[("base", "new")]).comparisons
        assert two[["policy_a", "policy_b"]].drop_duplicates().to_numpy().tolist() == [
            ["base", "new"]
        ]
        assert {"prompt_set"} | set(two) == set(found.comparisons)

    def test_every_text_is_kept_with_its_values(self, tmp_path):
        path = jsonl(tmp_path / "a.jsonl", [ifeval_row(k, NO_COMMA) for k in range(2)])
        (ours,) = load_prompt_sets([str(path)])
        found = evaluate_policies(ours, {"base": ["a, b", "a"], "new": ["b", "c, d"]})
        assert found.completions["text"].tolist() == ["a, b", "a", "b", "c, d"]
        assert found.completions[PROMPT_LEVEL].tolist() == [0, 1, 1, 0]
        assert found.completions["query"].tolist() == [0, 1, 0, 1]
        assert set(found.completions["prompt_set"]) == {"a"}

    def test_further_measures_stand_beside_the_sets_own(self):
        (tiny,) = load_prompt_sets(["tiny"], tiny=QUERIES)
        rewards = {"base": np.linspace(0, 1, 12), "new": np.linspace(1, 2, 12)}
        further = {p: pd.DataFrame({"reward": r}, index=range(5, 17)) for p, r in rewards.items()}
        further["base"].iloc[3] = np.nan
        evaluation = evaluate_policies(tiny, {"base": BAD, "new": GOOD}, further=further)
        own = evaluate_policies(tiny, {"base": BAD, "new": GOOD})
        pd.testing.assert_frame_equal(
            evaluation.table.query("measure != 'reward'").reset_index(drop=True), own.table
        )
        base = values(evaluation.table, "base").loc["reward"]
        assert base[["n", "n_unreadable"]].tolist() == [11, 1]
        assert base["value"] == pytest.approx(np.nanmean(further["base"]["reward"]))
        row = evaluation.comparisons.set_index("measure").loc["reward"]
        assert (row["difference"], row["n"]) == (pytest.approx(1), 11)
        assert evaluation.completions["reward"].isna().sum() == 1

    @pytest.mark.parametrize(
        "further",
        [
            {"a": pd.DataFrame({"kl": [0.0]}), "b": pd.DataFrame({"kl": [0.0, 1.0]})},
            {"a": pd.DataFrame({"kl": [0.0]})},
            {"a": pd.DataFrame({"kl": [0.0]}), "b": pd.DataFrame({"reward": [0.0]})},
        ],
        ids=["rows", "policies", "columns"],
    )
    def test_further_measures_that_do_not_fit(self, further):
        one = RequirementSet("one", tuple(QUERIES[:1]))
        with pytest.raises(WfineError, match=r"one: further: found .* expected 1 rows"):
            evaluate_policies(one, {"a": ["x"], "b": ["y"]}, further=further)

    def test_one_policy_has_no_comparisons(self, tmp_path):
        path = jsonl(tmp_path / "a.jsonl", [ifeval_row(1, NO_COMMA)])
        found = evaluate_policies(load_prompt_sets([str(path)])[0], {"base": ["a"]})
        assert found.comparisons.empty and "p_holm" in found.comparisons

    @pytest.mark.parametrize("answers", [{}, {"a": ["x"], "b": ["x", "y"]}])
    def test_answers_that_do_not_fit(self, tmp_path, answers):
        path = jsonl(tmp_path / "a.jsonl", [ifeval_row(1, NO_COMMA)])
        with pytest.raises(WfineError, match="expected 1 of each policy"):
            evaluate_policies(load_prompt_sets([str(path)])[0], answers)


def test_prompts_that_a_model_cannot_read_are_left_out_and_counted():
    ours = RequirementSet("ours", tuple(QUERIES[:4]))
    some = ours.without_long([250, 257, 256, 90], limit=256)
    assert some.queries == (QUERIES[0], QUERIES[2], QUERIES[3])
    assert (some.n_left_out, some.n_tokens, some.describe()["n_left_out"]) == (1, 256, 1)
    again = some.without_long([250, 256, 90], limit=100)
    assert (again.queries, again.n_left_out) == ((QUERIES[3],), 3)
    assert ours.without_long([1, 2, 3, 4], limit=float("inf")).queries == ours.queries
    assert [replace(some, n_tokens=n).batch_size for n in (256, 5000, 100_000)] == [64, 13, 1]
    with pytest.raises(WfineError, match=r"found none of 4 prompts that fits.* 256 tokens"):
        ours.without_long([300] * 4, limit=256)


@pytest.mark.skipif(not SHARED.exists(), reason="IFEval and WritingBench are not at hand")
def test_the_published_files(tmp_path):
    names = ("ifeval_541.parquet", "writingbench_length.jsonl")
    ifeval, bench = load_prompt_sets([str(SHARED / name) for name in names])
    assert (len(ifeval.queries), ifeval.describe()["n_by_machine"]) == (541, 834)
    assert ifeval.describe()["n_by_nobody"] == 0
    assert (len(bench.queries), bench.describe()["n_by_nobody"]) == (222, 1110)
    some = ifeval.thinned(20)
    table = values(evaluate_policies(some, {"a": [q.prompt() for q in some.queries]}).table, "a")
    assert table["n_unreadable"].sum() == 0
