"""Values with intervals, paired differences and further measures of policies."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prompt_rows import (
    BAD,
    GOOD,
    NO_COMMA,
    QUERIES,
    TWO_WORDS,
    Reader,
    ifeval_row,
    jsonl,
    values,
    writingbench_row,
)

from wfine_utils.adherence.compare import (
    THOUGHTS,
    WORDS,
    compare_measures,
    evaluate_policies,
    linearised,
)
from wfine_utils.adherence.prompt_sets import (
    CHECKLIST,
    INSTRUCTION_LEVEL,
    PROMPT_LEVEL,
    RequirementSet,
    load_prompt_sets,
)
from wfine_utils.errors import WfineError


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 4), st.integers(0, 4)), min_size=2, max_size=30))
def test_pooled_mean_and_spread_are_those_of_a_ratio(pairs):
    n = np.array([a for a, _ in pairs], dtype=float)
    met = np.minimum(n, [b for _, b in pairs])
    linear = linearised(pd.DataFrame({"x": met / n}), {"x": n})["x"]
    ratio = met.sum() / n.sum()
    assert linear.mean() == pytest.approx(ratio)
    np.testing.assert_allclose(linear - ratio, (met - ratio * n) / n.mean(), atol=1e-12)


def test_the_interval_is_that_of_a_ratio(tmp_path):
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
    texts = ["a, b", "a", '"a b"']
    six, three = (values(evaluate_policies(ours.thinned(3 * k), {"a": texts * k}).table, "a")
                  for k in (2, 1))  # fmt: skip
    assert 0 <= six.loc[INSTRUCTION_LEVEL, "ci_low"] <= six.loc[INSTRUCTION_LEVEL, "value"]
    assert three[["ci_low", "ci_high"]].isna().all(axis=None)  # so few prompts say too little


def test_pairs_directions_and_holm(tmp_path):
    path = jsonl(tmp_path / "a.jsonl", [ifeval_row(k, NO_COMMA) for k in range(20)])
    (ours,) = load_prompt_sets([str(path)])
    answers = {"base": ["a, b"] * 20, "new": ["a b"] * 20, "old": ["a, b"] * 20}
    evaluation = evaluate_policies(ours, answers)
    one = evaluation.comparisons.query("measure == @PROMPT_LEVEL").set_index(
        ["policy_a", "policy_b"]
    )
    assert one["difference"].to_dict() == {
        ("new", "base"): 1, ("old", "base"): 0, ("old", "new"): -1,
    }  # fmt: skip
    assert (evaluation.comparisons["p_holm"] >= evaluation.comparisons["p_value"]).all()
    assert one.loc[("new", "base"), "p_holm"] < 0.01
    two = evaluate_policies(ours, answers, pairs=[("base", "new")]).comparisons
    assert two[["policy_a", "policy_b"]].drop_duplicates().to_numpy().tolist() == [["base", "new"]]
    assert {"prompt_set"} | set(two) == set(evaluation.comparisons)


def test_every_text_is_kept_with_its_values(tmp_path):
    path = jsonl(tmp_path / "a.jsonl", [ifeval_row(k, NO_COMMA) for k in range(2)])
    (ours,) = load_prompt_sets([str(path)])
    evaluation = evaluate_policies(ours, {"base": ["a, b", "a"], "new": ["b", "c, d"]})
    assert evaluation.completions["text"].tolist() == ["a, b", "a", "b", "c, d"]
    assert evaluation.completions[PROMPT_LEVEL].tolist() == [0, 1, 1, 0]
    assert evaluation.completions["query"].tolist() == [0, 1, 0, 1]
    assert set(evaluation.completions["prompt_set"]) == {"a"}


def test_further_measures_stand_beside_the_sets_own():
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


def test_the_share_cut_stands_beside_every_value():
    (tiny,) = load_prompt_sets(["tiny"], tiny=QUERIES)
    cut = {"base": [True] * 3 + [False] * 9, "new": [False] * 12}
    table = evaluate_policies(tiny, {"base": BAD, "new": GOOD}, is_cut=cut).table
    assert table.groupby("policy")["share_cut"].unique().map(list).to_dict() == {
        "base": [0.25], "new": [0.0],
    }  # fmt: skip
    assert evaluate_policies(tiny, {"base": BAD}).table["share_cut"].isna().all()


@pytest.mark.parametrize(
    "further",
    [
        {"a": pd.DataFrame({"kl": [0.0]}), "b": pd.DataFrame({"kl": [0.0, 1.0]})},
        {policy: pd.DataFrame({"kl": [0.0, 1.0]}) for policy in "ab"},
        {"a": pd.DataFrame({"kl": [0.0]})},
        {"a": pd.DataFrame({"kl": [0.0]}), "b": pd.DataFrame({"reward": [0.0]})},
    ],
    ids=["rows", "all rows", "policies", "columns"],
)
def test_further_measures_that_do_not_fit(further):
    one = RequirementSet("one", tuple(QUERIES[:1]))
    with pytest.raises(WfineError, match=r"one: further: found .* expected 1 rows"):
        evaluate_policies(one, {"a": ["x"], "b": ["y"]}, further=further)


def test_one_policy_has_no_comparisons(tmp_path):
    path = jsonl(tmp_path / "a.jsonl", [ifeval_row(1, NO_COMMA)])
    evaluation = evaluate_policies(load_prompt_sets([str(path)])[0], {"base": ["a"]})
    assert evaluation.comparisons.empty and "p_holm" in evaluation.comparisons


@pytest.mark.parametrize("answers", [{}, {"a": ["x"], "b": ["x", "y"]}])
def test_answers_that_do_not_fit(tmp_path, answers):
    path = jsonl(tmp_path / "a.jsonl", [ifeval_row(1, NO_COMMA)])
    with pytest.raises(WfineError, match="expected 1 of each policy"):
        evaluate_policies(load_prompt_sets([str(path)])[0], answers)


class TestThoughts:
    THINKS = "<think>Well, good, or bad?</think>\n\n"

    def test_they_are_judged_unless_stripped_and_the_share_is_counted(self, tmp_path):
        path = jsonl(tmp_path / "a.jsonl", [ifeval_row(k, NO_COMMA) for k in range(2)])
        (ours,) = load_prompt_sets([str(path)])
        answers = {"a": [f"{self.THINKS}Rain falls.", "It falls."]}
        whole = values(evaluate_policies(ours, answers).table, "a")["value"]
        assert whole[PROMPT_LEVEL] == 0.5 and whole[WORDS] > 2
        assert THOUGHTS not in whole
        evaluation = evaluate_policies(ours, answers, strip_thoughts=True)
        alone = values(evaluation.table, "a")["value"]
        assert (alone[PROMPT_LEVEL], alone[WORDS], alone[THOUGHTS]) == (1, 2, 0.5)
        assert evaluation.completions["text"].tolist() == ["Rain falls.", "It falls."]

    def test_a_critic_does_not_read_them(self, tmp_path):
        (bench,) = load_prompt_sets([str(jsonl(tmp_path / "b.jsonl", [writingbench_row(1)]))])
        judge = bench.with_judge(Reader())
        answers = {"a": [f"{self.THINKS}Rain falls."]}
        for strip, score in ((False, 9), (True, 2)):
            table = evaluate_policies(judge, answers, strip_thoughts=strip).table
            assert values(table, "a").loc[CHECKLIST, "value"] == score


@pytest.mark.parametrize("text", [None, float("nan"), 3])
def test_an_answer_that_is_no_text_is_named(text):
    one = RequirementSet("one", tuple(QUERIES[:2]))
    with pytest.raises(WfineError, match=r"one: answer of b to prompt 1: found .*expected a text"):
        evaluate_policies(one, {"a": ["x", "y"], "b": ["x", text]})


def test_a_prompt_that_is_answered_ten_times_is_one_of_those_sampled(tmp_path):
    once = [ifeval_row(k, NO_COMMA) for k in range(12)]
    again = [row | {"key": 100 + k} for k, row in enumerate(once * 9)]
    texts = ["a, b" if k % 3 else "a b" for k in range(12)]
    evaluations = {}
    for n, rows in ((1, once), (10, [*once, *again])):
        (ours,) = load_prompt_sets([str(jsonl(tmp_path / f"{n}.jsonl", rows))])
        answers = {"base": texts * n, "new": ["a b"] * 12 * n}
        evaluations[n] = evaluate_policies(ours, answers)
    for a, b in zip(*([e.table, e.comparisons] for e in evaluations.values()), strict=True):
        ends = ["ci_low", "ci_high"]
        np.testing.assert_allclose(a[ends].to_numpy(), b[ends].to_numpy(), equal_nan=True)
        assert (b["n"] == 10 * a["n"]).all()


def test_the_share_cut_stands_beside_differences_too(tmp_path):
    (ours,) = load_prompt_sets(
        [str(jsonl(tmp_path / "a.jsonl", [ifeval_row(k, NO_COMMA) for k in range(2)]))]
    )
    answers = {"base": ["a, b"] * 2, "new": ["a b"] * 2}
    is_cut = {"base": [True, False], "new": [False, False]}
    told = evaluate_policies(ours, answers, is_cut=is_cut).comparisons
    assert told[["share_cut_a", "share_cut_b"]].drop_duplicates().to_numpy().tolist() == [[0, 0.5]]


def test_measures_by_themselves_are_corrected_by_themselves():
    (tiny,) = load_prompt_sets(["tiny"], tiny=QUERIES)
    base = pd.DataFrame({"a": np.linspace(0, 1, 12), "b": [np.nan] * 6 + [1.0] * 6})
    table, comparisons = compare_measures(tiny, {"base": base, "new": base.assign(a=base["a"] + 1)})
    row = table.set_index(["policy", "measure"])
    assert row.loc[("new", "a"), "value"] == pytest.approx(1.5)
    assert row["n"].tolist() == [12, 6, 12, 6] and "n_unreadable" not in table
    differences = comparisons.set_index("measure")
    assert (comparisons["policy_a"] == "new").all() and (comparisons["policy_b"] == "base").all()
    assert differences["difference"].tolist() == pytest.approx([1, 0])
    assert differences.loc["a", "p_holm"] == pytest.approx(2 * differences.loc["a", "p_value"])
    own = evaluate_policies(tiny, {"base": BAD, "new": GOOD}).comparisons
    assert len(own) > 2 and not own["measure"].isin(["a", "b"]).any()
