"""The metrics of single chains against SciPy, a plain loop, and values computed by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from weval.cases import chain_of, random_case

from wfine_utils.weval.evaluation import evaluate, per_chain


def scipy_or_zero(function, gold, score) -> float:
    if len(set(gold)) < 2:
        return np.nan
    return 0.0 if len(set(score)) < 2 else function(gold, score).statistic


def test_agrees_with_scipy_on_chains_of_mixed_size_with_ties():
    chains, scores = random_case(0, 300)
    table = per_chain(chains, scores)
    tau = [scipy_or_zero(stats.kendalltau, c.gold, s) for c, s in zip(chains, scores)]
    rho = [scipy_or_zero(stats.spearmanr, c.gold, s) for c, s in zip(chains, scores)]
    assert np.isnan(tau).any() and (np.array(tau) == 0).any()  # the case has what it claims
    np.testing.assert_allclose(table["kendall_tau_b"], tau, rtol=0, atol=1e-12)
    np.testing.assert_allclose(table["spearman_rho"], rho, rtol=0, atol=1e-12)
    frame = evaluate(chains, scores, n_boot=0)
    means = frame.set_index(["metric", "subset"])["value"]
    assert means["kendall_tau_b", "all"] == pytest.approx(np.nanmean(tau), abs=1e-12)
    assert means["spearman_rho", "all"] == pytest.approx(np.nanmean(rho), abs=1e-12)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 9)), min_size=2, max_size=12))
def test_any_chain_agrees_with_a_plain_loop_over_pairs(responses):
    gold, score = zip(*responses)
    row = per_chain([chain_of(gold)], [np.array(score, float)]).iloc[0]
    pairs = [
        (gold[i] - gold[j], score[i] - score[j])
        for i in range(len(gold)) for j in range(i) if gold[i] != gold[j]
    ]  # fmt: skip
    if not pairs:
        assert row.drop("nan_rate").isna().all()
        return
    points = [0.5 if s == 0 else float((g > 0) == (s > 0)) for g, s in pairs]
    ranks = stats.rankdata(gold) - stats.rankdata(score)
    with_gold = [s + g * 1e-3 for g, s in responses]  # the gold rank decides among equal scores
    assert row["pairwise_accuracy"] == pytest.approx(np.mean(points))
    assert row["exact_match"] == float(min(points) == 1)
    assert row["tie_rate"] == pytest.approx(np.mean([s == 0 for _, s in pairs]))
    assert row["position_consistency"] == pytest.approx(
        1 - np.abs(ranks).mean() / (len(gold) - 1), abs=1e-12
    )
    assert row["kendall_tau_b"] == pytest.approx(
        scipy_or_zero(stats.kendalltau, gold, score), abs=1e-12
    )
    assert row["released_rule_tau"] == pytest.approx(
        scipy_or_zero(stats.kendalltau, gold, with_gold), abs=1e-12
    )


def test_values_computed_by_hand():
    row = per_chain([chain_of([0, 1, 2, 3])], [[1.0, 1.0, 3.0, 2.0]]).iloc[0]
    # Pairs: one tie, four right, one wrong. Ranks of the scores: 1.5, 1.5, 4, 3.
    assert row.to_dict() == pytest.approx(
        {
            "kendall_tau_b": 3 / np.sqrt(6 * 5),
            "spearman_rho": 3.5 / np.sqrt(4.5 * 5),
            "pairwise_accuracy": 4.5 / 6,
            "position_consistency": 1 - (0.5 + 0.5 + 1 + 1) / 4 / 3,
            "exact_match": 0,
            "tie_rate": 1 / 6,
            "released_rule_tau": 4 / 6,
            "nan_rate": 0,
        }
    )


def test_a_chain_of_thousands_does_not_overflow():
    gold = np.random.default_rng(0).integers(0, 3, 2500).tolist()
    row = per_chain([chain_of(gold)], [np.arange(2500.0)]).iloc[0]
    assert row["spearman_rho"] == pytest.approx(stats.spearmanr(gold, range(2500)).statistic)
    assert row["kendall_tau_b"] == pytest.approx(stats.kendalltau(gold, range(2500)).statistic)


def test_exact_match_ignores_the_order_of_equal_gold():
    chains = [chain_of([1, 1, 2])] * 3
    scores = [[0.0, 1.0, 2.0], [1.0, 1.0, 2.0], [0.0, 2.0, 2.0]]
    assert per_chain(chains, scores)["exact_match"].tolist() == [1, 1, 0]
