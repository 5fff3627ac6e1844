"""Prompt sets: what is read from files, who judges, what is counted and what is refused."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from conftest import ROOT
from prompt_rows import (
    BAD,
    GOOD,
    MARKS,
    NO_COMMA,
    QUERIES,
    ROWS,
    Reader,
    ifeval_row,
    jsonl,
    parquet,
    values,
    writingbench_row,
)

from wfine_utils.adherence.compare import WORDS, evaluate_policies
from wfine_utils.adherence.measure import adherence
from wfine_utils.adherence.prompt_sets import (
    CHECKLIST,
    INSTRUCTION_LEVEL,
    INSTRUCTION_LOOSE,
    JUDGED,
    PROMPT_LEVEL,
    PROMPT_LOOSE,
    ChecklistSet,
    InstructionSet,
    RequirementSet,
    load_prompt_sets,
)
from wfine_utils.chains.files import save_chains
from wfine_utils.chains.taxonomy import Query, Requirement
from wfine_utils.chains.weval_hand import load_weval_hand
from wfine_utils.errors import WfineError
from wfine_utils.weval.baselines import LengthScorer
from wfine_workflow.presets import load_preset, own_files

SHARED = ROOT.parent / "shared" / "data"


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
        assert len(reader.prompts) == 2 * len(rubrics)
        assert all(any(rubric in prompt for prompt in reader.prompts) for rubric in rubrics)
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
        (one,) = load_prompt_sets([str(save(tmp_path / f"ours.{request.param}", ROWS))])
        return one

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

    def test_loose_and_strict_by_hand(self, ifeval):
        texts = ["Well, sure:\na", "a, b\n**a**\nBye, now", "*", "a b"]
        one = ifeval.judge({"a": texts})["a"]
        np.testing.assert_array_equal(one[PROMPT_LEVEL], [0, 0, np.nan, np.nan])
        np.testing.assert_array_equal(one[INSTRUCTION_LEVEL], [0, 0.5, 0, np.nan])
        np.testing.assert_array_equal(one[PROMPT_LOOSE], [1, 1, np.nan, np.nan])
        np.testing.assert_array_equal(one[INSTRUCTION_LOOSE], [1, 1, 0, np.nan])
        table = values(evaluate_policies(ifeval, {"a": texts}).table, "a")
        assert table.loc[PROMPT_LOOSE, ["value", "n", "n_unreadable"]].tolist() == [1, 2, 2]
        assert table.loc[INSTRUCTION_LEVEL, ["value", "n"]].tolist() == [0.25, 3]
        assert table.loc[INSTRUCTION_LOOSE, ["value", "n"]].tolist() == [0.75, 3]

    def test_types_of_ifbench_are_judged_or_counted(self, tmp_path):
        numbers = ("count:numbers", {"N": 2.0, "small_n": None, "percentage": float("nan")})
        rows = [ifeval_row(1, numbers, NO_COMMA), ifeval_row(2, ("words:start_verb", {}))]
        (ours,) = load_prompt_sets([str(jsonl(tmp_path / "bench.jsonl", rows))])
        assert (ours.describe()["n_by_machine"], ours.describe()["n_by_nobody"]) == (2, 1)
        assert ours.judge({"a": ["1 and 2", "Go."]})["a"][PROMPT_LEVEL].tolist()[0] == 1
        assert ours.judge({"a": ["1", "Go."]})["a"][INSTRUCTION_LOOSE].tolist()[0] == 0.5

    def test_an_answer_that_is_no_text_is_named(self, ifeval):
        with pytest.raises(WfineError, match="text: found None, expected a text"):
            ifeval.judge({"a": [None, "a", "a", "a"]})

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


class TestWritingBench:
    @pytest.fixture
    def bench(self, tmp_path) -> ChecklistSet:
        rows = [writingbench_row(i, n_criteria=1 + i) for i in range(3)]
        (one,) = load_prompt_sets([str(jsonl(tmp_path / "bench.jsonl", rows))])
        return one

    def test_a_critic_reads_every_criterion_of_the_prompts_own_list(self, bench):
        reader = Reader()
        judge = bench.with_judge(reader)
        texts = {"a": ["good", "bad", "mute"], "b": ["bad", "good", "good"]}
        evaluation = evaluate_policies(judge, texts)
        assert len(reader.prompts) == 2 * (1 + 2 + 3)
        last = reader.prompts[-1]
        assert "Draft contract number 2." in last and "criterion 2: Looks at 2.2." in last
        assert all(f"{marks}: worth {marks}" in last for marks in MARKS)
        a, b = values(evaluation.table, "a"), values(evaluation.table, "b")
        assert a.loc[CHECKLIST, ["value", "n", "n_unreadable"]].tolist() == [5.5, 2, 1]
        assert b.loc[CHECKLIST, ["value", "n", "n_unreadable"]].tolist() == [20 / 3, 3, 0]
        (row,) = evaluation.comparisons.query("measure == @CHECKLIST").to_dict("records")
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


class TestLoading:
    def test_names_are_kept_apart(self, tmp_path):
        (tmp_path / "b").mkdir()
        paths = [jsonl(tmp_path / x / "a.jsonl", [writingbench_row(1)]) for x in ("", "b")]
        with pytest.raises(WfineError, match="name 'a' is another set's"):
            load_prompt_sets([str(path) for path in paths])
        with pytest.raises(WfineError, match="name 'tiny' is another set's"):
            load_prompt_sets([str(jsonl(tmp_path / "tiny.jsonl", [writingbench_row(1)]))])
        with pytest.raises(WfineError, match="no queries for it"):
            load_prompt_sets(["tiny"])

    def test_the_real_queries_are_a_set_with_a_check_for_each_requirement(self):
        (real,) = load_prompt_sets(["real"])
        described = real.describe()
        assert described["n_prompts"] == 180
        assert described["n_by_machine"] == 450 and described["n_by_nobody"] == 0
        (few,) = load_prompt_sets(["real"], real=QUERIES)
        assert few.queries == tuple(QUERIES)

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
