"""What belongs to one sampled unit counts once, and too few units give no interval."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from wfine_utils.chains.units import MIN_UNITS, by_unit, enough_units, standard_error


def test_the_range_of_enough_units_holds_the_median_in_95_of_100_cases():
    outside = 2 * stats.binom.cdf(0, np.arange(1, 12), 0.5)  # all on one side of the median
    assert enough_units(np.arange(1, 12)).tolist() == (1 - outside >= 0.95).tolist()
    assert MIN_UNITS == 6


def test_values_are_gathered_by_unit_without_the_missing_ones():
    total, n = by_unit([[1, 2], [3, np.nan], [5, 6]], ["a", "b", "a"])
    assert total.tolist() == [[6, 8], [3, 0]] and n.tolist() == [[2, 2], [1, 0]]


@pytest.mark.parametrize("n_copies", [1, 4])  # of each value in its unit, which add nothing
def test_a_standard_error_is_over_units(n_copies):
    values = np.random.default_rng(0).normal(size=30)
    copies, units = np.repeat(values, n_copies), np.repeat(np.arange(30), n_copies)
    assert standard_error(copies, units) == pytest.approx(stats.sem(values))
    assert np.isnan(standard_error(copies, units % 5))


def test_units_of_different_sizes_give_the_error_of_a_ratio():
    rng, sizes = np.random.default_rng(0), np.tile([1, 5], 200)
    means, values = [], np.repeat(rng.normal(size=400), sizes)
    for _ in range(2000):
        drawn = rng.integers(400, size=400)
        starts = np.cumsum(sizes) - sizes
        means.append((values[starts[drawn]] * sizes[drawn]).sum() / sizes[drawn].sum())
    units = np.repeat(np.arange(400), sizes)
    assert standard_error(values, units) == pytest.approx(np.std(means), rel=0.05)
