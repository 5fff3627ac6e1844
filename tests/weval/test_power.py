"""What n chains can show: against the t distribution, statsmodels, and simulated comparisons."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.power import TTestPower

from wfine_utils.errors import WfineError
from wfine_utils.weval.power import chains_needed, detectable_difference, paired_spread
from wfine_utils.weval.resampling import sign_flip_p


@settings(max_examples=30, deadline=None)
@given(st.floats(0.01, 2), st.integers(2, 5000), st.floats(0.3, 0.95), st.floats(0.001, 0.2))
def test_detectable_difference_has_the_power_it_was_asked_for(sd, n, power, alpha):
    difference = detectable_difference(sd, n, power=power, alpha=alpha)
    # the noncentral t distribution by its definition, integrated over the sample's deviation
    df, shift = n - 1, difference / sd * np.sqrt(n)
    threshold = stats.t.isf(alpha / 2, df)
    grid = np.linspace(0, 1, 20_001)[1:] - 0.5 / 20_000
    deviation = np.sqrt(stats.chi2.ppf(grid, df) / df)
    exact = stats.norm.sf(threshold * deviation - shift).mean()
    assert exact == pytest.approx(power, abs=2e-4)


def test_detectable_difference_is_that_of_statsmodels_where_that_has_an_answer():
    for n in (5, 20, 60, 1000):
        expected = TTestPower().solve_power(nobs=n, power=0.8, alpha=0.05)
        assert detectable_difference(0.3, n) == pytest.approx(0.3 * expected, rel=1e-4)


@pytest.mark.parametrize(
    ("effect", "n"), [(100, 2), (12, 2), (11, 3), (6, 3), (4, 3), (3, 4), (2, 5)]
)
def test_large_effects_need_few_chains(effect, n):
    """Effects for which statsmodels 0.15 finds no number or a wrong one."""
    assert detectable_difference(1.0, n) <= effect
    assert n == 2 or detectable_difference(1.0, n - 1) > effect


def test_known_sample_sizes():
    # The textbook numbers of a two-sided paired test, d = 0.5 and 0.2: one less is too few.
    assert detectable_difference(1.0, 34) <= 0.5 < detectable_difference(1.0, 33)
    assert detectable_difference(1.0, 199) <= 0.2 < detectable_difference(1.0, 198)
    # For many chains: (z_0.975 + z_0.8) / sqrt(n).
    normal = (stats.norm.ppf(0.975) + stats.norm.ppf(0.8)) / 100
    assert detectable_difference(1.0, 10_000) == pytest.approx(normal, rel=1e-3)
    assert detectable_difference(0.0, 10) == 0


def test_the_detectable_difference_is_found_as_often_as_promised():
    """With the test that weval.compare makes, not only with the t-test that was asked."""
    rng = np.random.default_rng(0)
    difference = detectable_difference(0.3, 40)
    p = [sign_flip_p(rng.normal(difference, 0.3, 40), 400, rng) for _ in range(600)]
    assert np.mean(np.array(p) <= 0.05) == pytest.approx(0.8, abs=0.06)


def test_paired_spread_is_of_the_chains_that_both_have():
    a, b = [1.0, 0.5, np.nan, 0.0], [0.0, 0.5, 1.0, 0.5]
    sd, n = paired_spread(a, b)
    assert (sd, n) == (pytest.approx(np.std([1, 0, -0.5], ddof=1)), 3)
    assert detectable_difference(*paired_spread(a, b)) == detectable_difference(sd, 3)


@pytest.mark.parametrize(
    ("a", "b"), [([1.0], [0.0]), ([1.0, np.nan], [0.0, 0.0]), ([1.0, 2.0], [1.0]), ([], [])]
)
def test_too_few_pairs_are_refused(a, b):
    with pytest.raises(WfineError, match="two chains at least with both"):
        paired_spread(a, b)


@pytest.mark.parametrize(
    "arguments",
    [
        {"sd": -0.1}, {"sd": float("nan")}, {"sd": float("inf")}, {"n": 1}, {"power": 1.0},
        {"power": 0.05}, {"alpha": 0.0}, {"alpha": 0.8},
    ],
)  # fmt: skip
def test_power_arguments_out_of_range_are_refused(arguments):
    with pytest.raises(WfineError, match=r"found .*expected"):
        detectable_difference(**({"sd": 0.3, "n": 10} | arguments))


def test_chains_needed_is_the_smallest_number_that_shows_it():
    assert chains_needed(1.0, 0.5) == 34 and chains_needed(1.0, 0.2) == 199  # of the textbook
    assert chains_needed(0.0, 0.1) == 2
    for sd, difference in ((0.3, 0.05), (0.9, 0.04), (0.5, 3.0)):
        n = chains_needed(sd, difference, power=0.9)
        assert detectable_difference(sd, n, power=0.9) <= difference
        assert n == 2 or detectable_difference(sd, n - 1, power=0.9) > difference


@pytest.mark.parametrize("difference", [0.0, -0.1, float("nan"), 1e-9])
def test_what_no_number_of_chains_shows_is_refused(difference):
    with pytest.raises(WfineError, match="chains_needed: found a difference of"):
        chains_needed(1.0, difference)
