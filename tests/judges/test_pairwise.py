"""Whole responses two by two: strengths by hand and by their sums, the bias for a place."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from judge_backends import CHAINS, Checkers, Fixed

from wfine_utils.judges.pairwise import PairwiseJudge, position_bias, strengths


def test_a_judge_that_always_prefers_the_first_ranks_nothing():
    judge = PairwiseJudge(Fixed("[[A better]]"))
    table = judge.verdicts(CHAINS)
    for scores in judge.aggregate(table, CHAINS):
        assert scores.tolist() == [0] * len(scores)
    bias = position_bias(table).set_index("metric")
    assert bias.loc["flip_rate", ["value", "ci_low", "ci_high"]].tolist() == [1, 1, 1]
    assert bias["value"].to_dict() == {
        "flip_rate": 1, "first_wins": 1, "second_wins": 0, "half_tie": 0, "mean_verdict": 1,
    }  # fmt: skip
    assert set(bias["n_pairs"]) == {120} and set(bias["n_chains"]) == {12}
    assert set(bias["nan_rate"]) == {0}


def test_a_judge_that_is_right_has_no_position_bias():
    bias = position_bias(PairwiseJudge(Checkers()).verdicts(CHAINS)).set_index("metric")
    assert (bias["value"] == 0).all()


def of_orders(**verdicts: float) -> pd.DataFrame:
    """Verdicts by chain and order: ``a01=2``."""
    rows = [(k[0], int(k[1]), int(k[2]), v) for k, v in verdicts.items()]
    return pd.DataFrame(rows, columns=["chain_id", "first", "second", "verdict"])


def test_position_bias_by_hand():
    table = of_orders(
        a01=2, a10=1,  # the first wins twice
        a02=-1, a20=-2,  # the second wins twice
        a12=1, a21=-2,  # the same response wins twice
        b01=0, b10=1,  # a tie in one order
        b02=0, b20=0,
        b12=1, b21=np.nan,  # answered once: not counted
    )  # fmt: skip
    value = position_bias(table, n_boot=0).set_index("metric")["value"]
    assert value["flip_rate"] == pytest.approx((2 / 3 + 0) / 2)
    assert value["first_wins"] == value["second_wins"] == pytest.approx(1 / 6)
    assert value["half_tie"] == pytest.approx((0 + 1 / 2) / 2)
    assert value["mean_verdict"] == pytest.approx((-1 / 6 + 1 / 4) / 2)


def test_without_a_pair_there_is_no_bias_to_tell():
    values = position_bias(of_orders(a01=1, a10=np.nan))
    assert values["value"].isna().all() and set(values["n_pairs"]) == {0}
    assert set(values["nan_rate"]) == {0.5}


@settings(deadline=None)
@given(st.lists(st.integers(-2, 2), min_size=20, max_size=20))
def test_full_verdicts_are_ranked_by_their_sums(verdicts):
    grid = np.full((5, 5), np.nan)
    grid[~np.eye(5, dtype=bool)] = verdicts
    sums, values = np.nansum(grid, axis=1) - np.nansum(grid, axis=0), strengths(grid)
    wanted = np.sign(np.subtract.outer(sums, sums))
    np.testing.assert_array_equal(np.sign(np.subtract.outer(values, values)), wanted)


def test_two_responses_by_the_closed_form():
    grid = np.array([[np.nan, 1], [-2, np.nan]])
    wins = 0.75 + 1 + 0.1, 0.25 + 0 + 0.1
    wanted = np.log(wins[0] / wins[1]) / 2
    assert strengths(grid) == pytest.approx([wanted, -wanted], abs=1e-6)


@pytest.mark.parametrize("answered", [(0, 2), (2, 0)])
def test_a_pair_answered_in_one_order_does_not_count(answered):
    grid = np.full((3, 3), np.nan)
    grid[0, 1], grid[1, 0] = 1, -1
    alone = strengths(grid)
    assert alone[0] > alone[1] and np.isnan(alone[2])
    grid[answered] = 2
    np.testing.assert_array_equal(strengths(grid), alone)
    grid[answered[::-1]] = -2
    assert np.isfinite(strengths(grid)).all()


def test_groups_that_never_met_are_not_ranked():
    grid = np.full((4, 4), np.nan)
    grid[0, 1] = grid[2, 3] = 1
    grid[1, 0] = grid[3, 2] = -1
    assert np.isnan(strengths(grid)).all()
    grid[1, 2] = grid[2, 1] = 0
    assert np.isfinite(strengths(grid)).all()


@pytest.mark.parametrize("n", [2, 10, 40])
def test_a_clean_sweep_is_finite_and_in_order(n):
    grid = np.where(np.tri(n, k=-1, dtype=bool), -2.0, 2.0)
    values = strengths(grid)
    assert np.isfinite(values).all() and (np.diff(values) < 0).all()
    assert values.sum() == pytest.approx(0, abs=1e-4)
