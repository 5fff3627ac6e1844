"""WEval's tables against values computed by hand, and against themselves when permuted."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from conftest import ROOT
from scipy import stats
from weval.cases import chain_of, random_case

from wfine_utils.chains.files import load_chains
from wfine_utils.chains.taxonomy import Chain, Requirement, RequirementType, Response, TaskCategory
from wfine_utils.errors import WfineError
from wfine_utils.weval import metrics
from wfine_utils.weval.baselines import ConstantScorer, LengthScorer, OverlapScorer
from wfine_utils.weval.evaluation import COLUMNS, SHARES, compare, evaluate, evaluate_all, per_chain
from wfine_utils.weval.metrics import METRICS
from wfine_utils.weval.scorers import ScoreList

RELEASED = ROOT.parent / "shared" / "data" / "released_chains_dev.parquet"
L, F, S, C = RequirementType


@pytest.mark.parametrize(
    ("scores", "expected"),
    [
        ([7, 7, 7, 7, 7], [0, 0, 0.5, 0.7, 0, 1, 1, 0]),  # constant: perfect by the released rule
        ([0, 1, 2, 3, 4], [1, 1, 1, 1, 1, 0, 1, 0]),
        ([4, 3, 2, 1, 0], [-1, -1, 0, 0.4, 0, 0, -1, 0]),
    ],
)
def test_constant_perfect_and_reversed_scorer(scores, expected):
    frame = evaluate([chain_of([0, 1, 2, 3, 4])], [np.array(scores, float)], n_boot=0)
    assert frame["value"].tolist() == pytest.approx(expected)
    assert frame["metric"].tolist() == list(METRICS)


def test_all_scorers_stand_in_one_table():
    chains, scores = random_case(11)
    both = {"own": scores, "constant": ConstantScorer().score(chains)}
    table = evaluate_all(chains, both, n_boot=20, seed=3)
    assert list(dict.fromkeys(table["scorer"])) == ["own", "constant"]  # in the order given
    for name, arrays in both.items():
        part = table[table["scorer"] == name].drop(columns="scorer").reset_index(drop=True)
        pd.testing.assert_frame_equal(part, evaluate(chains, arrays, n_boot=20, seed=3))


def test_constant_scorer_is_exactly_zero_not_nearly():
    chains, _ = random_case(1)
    frame = evaluate(chains, ConstantScorer(0.1).score(chains), n_boot=50)
    rows = frame[frame["metric"].isin(["kendall_tau_b", "spearman_rho"])]
    assert (rows[["value", "ci_low", "ci_high"]] == 0).all(axis=None)


def test_nan_scores_are_counted_and_the_rest_is_judged():
    whole = chain_of([0, 1, 2, 3, 4], "whole")
    rest = chain_of([0, 2, 3, 4], "rest")
    lone = chain_of([0, 1], "lone")
    nan = float("nan")
    table = per_chain(
        [whole, rest, lone, whole], [[2, nan, 1, 3, 4], [2, 1, 3, 4], [nan, 1], [nan] * 5]
    )
    measured = [m for m in METRICS if m != "nan_rate"]
    assert table[measured].iloc[0].tolist() == table[measured].iloc[1].tolist()
    assert table[measured].iloc[2:].isna().all(axis=None)
    assert table["nan_rate"].tolist() == pytest.approx([0.2, 0, 0.5, 1])
    frame = evaluate([whole, lone], [[2, nan, 1, 3, 4], [nan, 1]], n_boot=200).set_index("metric")
    assert frame.loc["nan_rate", ["value", "n_chains"]].tolist() == pytest.approx([0.35, 2])
    assert frame.loc["kendall_tau_b", "n_chains"] == 1
    assert frame.loc["kendall_tau_b", "value"] == pytest.approx(4 / 6)


@pytest.mark.parametrize(
    ("scores", "words"),
    [
        ([[1, 2]], "1 arrays of scores for 2 chains"),
        (None, "a NoneType for 2 chains"),
        ([[1, 2], [1, 2, 3]], "'second': found an array of shape (3,)"),
        ([[1, 2], [[1, 2]]], "'second': found an array of shape (1, 2)"),
        ([[1, 2], ["a", "b"]], "'second': found a list that does not hold numbers"),
        ([[1, 2], None], "'second': found an array of shape ()"),
        ([[1, 2], [1, float("inf")]], "'second': found an infinite score"),
        ([[float("nan")] * 2] * 2, "every score of chains 'first'"),
    ],
)
def test_bad_scores_name_the_chain(scores, words):
    chains = [chain_of([0, 1], "first"), chain_of([0, 1], "second")]
    for call in (evaluate, per_chain):
        with pytest.raises(WfineError) as caught:
            call(chains, scores)
        assert words in str(caught.value)


def test_bad_arguments_are_refused():
    chains, scores = [chain_of([0, 1])], [[0, 1]]
    with pytest.raises(WfineError, match="0 chains"):
        evaluate([], [])
    with pytest.raises(WfineError, match="confidence=95"):
        evaluate(chains, scores, confidence=95)
    with pytest.raises(WfineError, match=r"unknown metrics .'kendall'."):
        compare(chains, scores, scores, metrics=["kendall"])


def test_categories_are_evaluated_apart():
    chains, scores = random_case(2)
    frame = evaluate(chains, scores, n_boot=0)
    for category in TaskCategory:
        members = [i for i, chain in enumerate(chains) if chain.category is category]
        alone = evaluate([chains[i] for i in members], [scores[i] for i in members], n_boot=0)
        part = frame[frame["subset"] == category.value]
        whole = alone[alone["subset_kind"] == "all"]
        assert part["n_chains"].tolist() == whole["n_chains"].tolist()
        np.testing.assert_array_equal(part["value"], whole["value"])


def test_types_use_only_pairs_with_one_drop_of_that_type():
    full, no_length, no_style, neither = (1, 1, 1), (0, 1, 1), (1, 1, 0), (0, 1, 0)
    requirements = tuple(Requirement(t, None, "Do it.") for t in (L, None, S))
    kept_sets = (full, no_length, no_style, neither)
    chain = Chain("a", None, "Write.", requirements,
                  tuple(Response("", tuple(map(bool, k))) for k in kept_sets))  # fmt: skip
    other = chain_of([0, 2], "b", None, [S, S])  # differs by two drops: no pair
    frame = evaluate([chain, other], [[3.0, 3.0, 4.0, 1.0], [0.0, 1.0]], n_boot=0)
    types = frame[frame["subset_kind"] == "type"].set_index(["subset", "metric"])
    # Length pairs: full/no_length tied, no_style/neither right. Style: full/no_style wrong,
    # no_length/neither right. no_length/no_style and full/neither differ by two drops.
    assert types["value"].to_dict() == {
        ("length", "pairwise_accuracy"): 0.75,
        ("length", "tie_rate"): 0.5,
        ("style", "pairwise_accuracy"): 0.5,
        ("style", "tie_rate"): 0.0,
    }
    assert (types["n_chains"] == 1).all()


def test_unlabelled_chains_have_no_subsets():
    frame = evaluate([chain_of([0, 1, 2])], [[0, 1, 2]])
    assert set(frame["subset_kind"]) == {"all"}


def test_nothing_depends_on_the_order_of_chains_or_responses():
    chains, scores = random_case(3, nan=True)
    frame = evaluate(chains, scores, seed=5, n_boot=200)
    rng = np.random.default_rng(0)
    order = rng.permutation(len(chains))
    shuffled = evaluate([chains[i] for i in order], [scores[i] for i in order], seed=5, n_boot=200)
    pd.testing.assert_frame_equal(frame, shuffled, check_exact=True)
    turned = [
        Chain(c.chain_id, c.category, c.base_task, c.requirements, c.responses[::-1])
        for c in chains
    ]
    reverse = evaluate(turned, [s[::-1] for s in scores], seed=5, n_boot=200)
    pd.testing.assert_frame_equal(frame, reverse, check_exact=True)


def test_only_the_order_of_scores_matters():
    chains, scores = random_case(4)
    frame = evaluate(chains, scores, n_boot=20)
    stretched = evaluate(chains, [np.exp(s) * 1e300 for s in scores], n_boot=20)
    pd.testing.assert_frame_equal(frame, stretched, check_exact=True)
    ends = per_chain([chain_of([0, 1, 2])], [[-1.7e308, 0.0, 1.7e308]])  # differences overflow
    assert ends["kendall_tau_b"].item() == 1


def test_small_batches_give_the_same_table(monkeypatch):
    chains, scores = random_case(5, nan=True)
    frame = evaluate(chains, scores, n_boot=0)
    monkeypatch.setattr(metrics, "MAX_CELLS", 40)
    pd.testing.assert_frame_equal(frame, evaluate(chains, scores, n_boot=0), check_exact=True)


@pytest.mark.parametrize("nan", [False, True])
def test_interval_is_that_of_resampling_chains_one_by_one(nan):
    chains, scores = random_case(6, 120, nan=nan)
    frame = evaluate(chains, scores, n_boot=6000, confidence=0.9).set_index("metric").iloc[:8]
    table = per_chain(chains, scores).to_numpy()
    draws = np.random.default_rng(1).integers(len(chains), size=(6000, len(chains)))
    means = np.nanmean(table[draws], axis=1)
    low, high = np.quantile(means, [0.05, 0.95], axis=0)
    spread = means.std(axis=0) * 0.1 + 1e-12  # 6,000 draws fix a quantile to about 0.03 sd
    assert (np.abs(frame["ci_low"] - low) < spread).all()
    assert (np.abs(frame["ci_high"] - high) < spread).all()


def test_seed_fixes_the_interval_and_another_seed_moves_it():
    chains, scores = random_case(7)
    first = evaluate(chains, scores, seed=1)
    pd.testing.assert_frame_equal(first, evaluate(chains, scores, seed=1), check_exact=True)
    other = evaluate(chains, scores, seed=2)
    assert first["value"].equals(other["value"])
    assert not first["ci_low"].equals(other["ci_low"])


def test_no_interval_without_draws_or_with_one_chain():
    chains, scores = random_case(8)
    assert evaluate(chains, scores, n_boot=0)[["ci_low", "ci_high"]].isna().all(axis=None)
    single = evaluate(chains[:1], scores[:1])
    assert single[["ci_low", "ci_high"]].isna().all(axis=None)
    assert (single["n_chains"] == 1).all()


def test_comparison_of_a_scorer_with_itself():
    chains, scores = random_case(9)
    row = compare(chains, scores, scores).iloc[0]
    assert (row["difference"], row["p_value"], row["cohens_d"]) == (0, 1, 0)
    assert (row["ci_low"], row["ci_high"]) == (0, 0)


def test_comparison_agrees_with_exact_enumeration_and_is_antisymmetric():
    chains, scores = random_case(10, 12)
    gold = [np.array(c.gold, float) for c in chains]
    frame = compare(chains, gold, scores, n_permutations=40_000).set_index("metric")
    tau = [per_chain(chains, s)["kendall_tau_b"].to_numpy() for s in (gold, scores)]
    d = (tau[0] - tau[1])[~np.isnan(tau[0] + tau[1])]
    exact = stats.permutation_test(
        (d,), np.mean, permutation_type="samples", n_resamples=np.inf
    ).pvalue
    row = frame.loc["kendall_tau_b"]
    assert row["difference"] == pytest.approx(d.mean())
    assert row["difference"] == pytest.approx(row["value_a"] - row["value_b"])
    assert row["cohens_d"] == pytest.approx(d.mean() / d.std(ddof=1))
    assert row["p_value"] == pytest.approx(exact, abs=0.01)
    assert row["n_chains"] == len(d)
    back = compare(chains, scores, gold).set_index("metric").loc["kendall_tau_b"]
    assert back["difference"] == pytest.approx(-row["difference"])
    assert back["ci_low"] == pytest.approx(-row["ci_high"], abs=0.1)


def test_comparison_uses_only_chains_that_both_scored():
    chains = [chain_of([0, 1], str(i)) for i in range(4)]
    nan = float("nan")
    a = [[0, 1], [0, 1], [nan, nan], [0, 1]]
    b = [[1, 0], [0, 1], [0, 1], [nan, 1]]
    row = compare(chains, a, b, metrics=["exact_match"]).iloc[0]
    assert (row["value_a"], row["value_b"], row["difference"], row["n_chains"]) == (1, 0.5, 0.5, 2)
    alone = compare(chains[2:], a[2:], b[2:], metrics=["exact_match"]).iloc[0]
    assert alone["n_chains"] == 0 and np.isnan(alone["p_value"])


def test_effect_size_without_spread_is_undefined():
    chains = [chain_of([0, 1], str(i)) for i in range(3)]
    row = compare(chains, [[0, 1]] * 3, [[1, 1]] * 3, metrics=["kendall_tau_b"]).iloc[0]
    assert row["difference"] == 1 and np.isnan(row["cohens_d"])


def test_torch_is_not_imported():
    code = "import sys, wfine_utils.weval.evaluation; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.skipif(not RELEASED.exists(), reason="the released chains are not at hand")
def test_null_baselines_on_the_released_chains():
    chains = load_chains(RELEASED)
    frames = {
        scorer.name: evaluate(chains, scorer.score(chains), n_boot=200).set_index("metric")
        for scorer in (ConstantScorer(), LengthScorer(), OverlapScorer())
    }
    assert frames["constant"].loc["kendall_tau_b", "value"] == 0
    assert frames["constant"].loc["released_rule_tau", "value"] == 1
    # Chinese counts by character (124 of the 356 chains hold some); by spaces it was 0.158
    assert 0.25 < frames["length"].loc["kendall_tau_b", "ci_low"] < 0.35
    assert 0.2 < frames["word overlap"].loc["kendall_tau_b", "ci_low"] < 0.4
    assert frames["length"].loc["kendall_tau_b", "n_chains"] == len(chains)


def test_what_can_bend_a_number_stands_beside_it():
    chains = [chain_of([0, 1, 2], f"c{i}", [*TaskCategory][i % 2], [L, F]) for i in range(4)]
    nan = float("nan")
    scores = ScoreList([[1, 1, 2], [nan, 1, 2], [0, 1, 2], [nan, nan, 1]], 0.25, 0.125, 0.5)
    frame = evaluate(chains, scores, n_boot=0)
    assert tuple(frame.columns) == COLUMNS and set(SHARES) < set(COLUMNS)
    told = frame.groupby(["subset_kind", "subset"])[list(SHARES)].agg(["min", "max"])
    assert (told.xs("min", axis=1, level=1) == told.xs("max", axis=1, level=1)).all(axis=None)
    beside = frame.drop_duplicates(["subset_kind", "subset"]).set_index("subset")
    assert (beside[["cut_rate", "saturated_rate", "compiled_rate"]] == [0.25, 0.125, 0.5]).all(
        axis=None
    )
    nan_rate, tie_rate = beside["nan_rate"].to_dict(), beside["tie_rate"].to_dict()
    first, second, *_ = TaskCategory
    assert nan_rate == pytest.approx(
        {"all": 0.25, first: 0, second: 0.5, "length": 0.25, "format": 0.25}
    )
    assert tie_rate == pytest.approx({"all": 1 / 9, first: 1 / 6, second: 0, "length": 0.5,
                                      "format": 0})  # fmt: skip
    row = compare(chains, scores, [[0, 1, 2]] * 4, n_boot=0).iloc[0]
    assert row[[f"{name}_a" for name in SHARES]].tolist() == pytest.approx(
        [1 / 9, 0.125, 0.25, 0.25, 0.5]
    )
    assert row[["tie_rate_b", "nan_rate_b"]].tolist() == [0, 0]
    assert (
        row[["saturated_rate_b", "cut_rate_b", "compiled_rate_b"]].isna().all()
    )  # a plain list does not say
