"""Bounds of tau-b: they hold the truth, are reached, and are never too narrow."""

from __future__ import annotations

import re
from hashlib import sha256
from itertools import product

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from judge_backends import CHAINS, Checkers, Fixed, judges, tau

from wfine_utils.chains.taxonomy import Chain, Requirement, Response
from wfine_utils.judges.bounds import outer_bounds, tau_bounds
from wfine_utils.judges.judges import Critic, RequirementJudge
from wfine_utils.judges.pairwise import PairwiseJudge
from wfine_utils.weval.evaluation import per_chain
from wfine_utils.weval.metrics import gold_signs


def two_requirements(*kept: tuple[bool, bool]) -> Chain:
    requirements = (Requirement(None, None, "Be brief."), Requirement(None, None, "Be kind."))
    responses = tuple(Response(f"text {i}", k) for i, k in enumerate(kept))
    return Chain("two", None, "Write.", requirements, responses)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_they_hold_the_truth_and_are_reached(data):
    kept = data.draw(st.lists(st.tuples(*[st.booleans()] * 2), min_size=2, max_size=5))
    chain = two_requirements(*kept)
    flags = st.lists(st.booleans(), min_size=len(kept), max_size=len(kept))
    full = np.array([data.draw(flags), data.draw(flags)], dtype=float).T
    hole = np.array([data.draw(flags), data.draw(flags)]).T
    rows = [("two", i, j, np.nan if hole[i, j] else full[i, j]) for i, j in np.ndindex(full.shape)]
    columns = ["chain_id", "response", "requirement", "verdict"]
    table = pd.DataFrame(rows, columns=columns)
    worst, best = RequirementJudge(Fixed("")).bounds(table, [chain])["value"]
    # Every way to fill the holes, one verdict at a time.
    filled = []
    for ways in product((0.0, 1.0), repeat=int(hole.sum())):
        grid = full.copy()
        grid[hole] = ways
        filled.append(grid.mean(axis=1))
    tau_b = per_chain([chain] * len(filled), filled)["kendall_tau_b"]
    wanted = tau_b.min(skipna=False), tau_b.max(skipna=False)
    assert (worst, best) == pytest.approx(wanted, nan_ok=True)
    # As probabilities, the holes may be anything between 0 and 1: bounds no narrower.
    logits = RequirementJudge(Fixed(""), "logits")
    low, high = logits.bounds(table.rename(columns={"verdict": "probability"}), [chain])["value"]
    assert np.isnan(low) or (low <= worst + 1e-12 and best <= high + 1e-12)


@settings(deadline=None)
@given(
    st.lists(st.integers(0, 3), min_size=2, max_size=5),
    st.lists(st.sets(st.integers(0, 6), min_size=1, max_size=3), min_size=5, max_size=5),
)
def test_outer_bounds_are_never_too_narrow(gold, values):
    kept = [tuple(k < g for k in range(3)) for g in gold]
    requirements = tuple(Requirement(None, None, f"r{k}") for k in range(3))
    responses = tuple(Response("x", k) for k in kept)
    chain = Chain("x", None, "Write.", requirements, responses)
    possible = [np.array(sorted(v), dtype=float) for v in values[: len(gold)]]
    exact = tau_bounds([chain], [possible])["value"].to_numpy()
    low, high = outer_bounds(gold_signs(chain), possible)
    if np.isnan(exact).any():
        assert np.isnan([low, high, *exact]).all()
    else:
        assert -1 - 1e-12 <= low <= exact[0] + 1e-12
        assert exact[1] - 1e-12 <= high <= 1 + 1e-12
    if all(len(v) == 1 for v in possible):
        np.testing.assert_allclose([low, high], exact)


@pytest.mark.parametrize("make", [RequirementJudge, Critic, PairwiseJudge])
def test_they_hold_the_truth_when_replies_are_lost(make):
    lost = re.compile("[0-4]")  # by the hash of the prompt, about a third

    def mute(prompt):
        return bool(lost.match(sha256(prompt.encode()).hexdigest()))

    judge = make(Checkers(mute=mute))
    table = judge.verdicts(CHAINS)
    assert 0.2 < table["verdict"].isna().mean() < 0.45
    worst, best = judge.bounds(table, CHAINS).itertuples()
    assert worst.value < best.value and best.value == pytest.approx(1)
    assert worst.n_chains == 12 and worst.n_incomplete >= 10
    full = make(Checkers())
    low, high = full.bounds(full.verdicts(CHAINS), CHAINS).itertuples()
    assert low.value == high.value == pytest.approx(tau(full.score(CHAINS)))
    assert low.n_incomplete == low.n_exact == 0


def test_nothing_known_is_bounded_by_nothing():
    for judge in judges(Fixed("")):
        worst, best = judge.bounds(judge.verdicts(CHAINS), CHAINS)["value"]
        assert worst == pytest.approx(-1) and best == pytest.approx(1), judge.name


def test_many_ways_are_bounded_from_outside():
    kept = [tuple(k < g for k in range(2)) for g in (0, 1, 2)]
    chain = two_requirements(*kept)
    few, many = np.arange(16.0), np.arange(17.0)  # 16³ = 4096 is the limit
    assert tau_bounds([chain], [[few] * 3])["n_exact"].tolist() == [1, 1]
    table = tau_bounds([chain], [[few, few, many]])
    assert table["n_exact"].tolist() == [0, 0] and table["n_incomplete"].tolist() == [1, 1]
    assert table["value"].tolist() == pytest.approx([-1, 1])


def test_chains_without_a_gold_order_are_left_out():
    same = two_requirements((True, False), (False, True))
    other = two_requirements((True, True), (False, True))
    possible = [np.array([1.0]), np.array([0.0])]
    table = tau_bounds([same, other], [possible, possible])
    assert table["value"].tolist() == [1, 1] and table["n_chains"].tolist() == [1, 1]
    assert tau_bounds([same], [possible])["value"].isna().all()
