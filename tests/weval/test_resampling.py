"""Bootstrap, sign flips and Holm's correction against closed forms."""

from __future__ import annotations

import numpy as np
import pytest

from wfine_utils.chains.units import standard_error
from wfine_utils.weval import resampling
from wfine_utils.weval.resampling import Bootstrap, holm, paired_difference


@pytest.mark.parametrize("counts", [[1, 2, 3, 14, 20], [1, 2, 3, 40, 54]])  # 8 and 20 per row
def test_resampled_frequencies_are_multinomial(counts):
    n, rng = sum(counts), np.random.default_rng(0)
    drawn = np.concatenate(list(resampling.times_drawn(np.array(counts), 20_000, rng)))
    assert drawn.shape == (20_000, 5) and (drawn.sum(axis=1) == n).all()
    p = np.array(counts) / n
    expected = n * (np.diag(p) - np.outer(p, p))
    np.testing.assert_allclose(drawn.mean(axis=0), counts, atol=0.1)
    np.testing.assert_allclose(np.cov(drawn.T), expected, atol=0.9)


def test_p_value_is_never_zero():
    rng = np.random.default_rng(0)
    assert resampling.sign_flip_p(np.ones(200), 999, rng) == 1 / 1000


def test_holm_by_hand():
    assert holm([0.01, 0.04, 0.03, float("nan")]).tolist()[:3] == pytest.approx([0.03, 0.06, 0.06])
    assert np.isnan(holm([0.01, float("nan")])[1])


@pytest.mark.parametrize("n_values", [2, 300])  # few distinct values, and no two alike
def test_intervals_of_means_have_the_width_of_the_standard_error(n_values):
    rng = np.random.default_rng(0)
    values = rng.normal(size=300)[np.arange(300) % n_values]
    mean, low, high, n = (v.item() for v in Bootstrap(n_boot=20_000).means(values))
    error = values.std() / np.sqrt(300)
    assert mean == pytest.approx(values.mean()) and n == 300
    assert (high - low) / 2 == pytest.approx(1.96 * error, rel=0.03)


def test_columns_leave_out_their_own_gaps():
    values = np.full((8, 3), np.nan)
    values[:6, 0], values[:2, 1] = [1, 1, 1, 3, 3, 3], 2
    mean, low, high, n = Bootstrap().means(values)
    assert n.tolist() == [6, 2, 0] and mean[:2].tolist() == [2, 2] and np.isnan(mean[2])
    assert 1 <= low[0] < 2 < high[0] <= 3 and np.isnan([low[1:], high[1:]]).all()


@pytest.mark.parametrize("n_units", range(1, 8))
@pytest.mark.parametrize("n_values", [1, 4])  # of each unit
def test_too_few_units_give_no_interval(n_units, n_values):
    """Two to five equal chains say nothing of a sixth, and more values of each do not help."""
    ones, units = np.ones(n_units * n_values), np.repeat(np.arange(n_units), n_values)
    means = Bootstrap().means(ones, units=units)
    test = paired_difference(ones, 0 * ones, units=units, n_permutations=50)
    pooled = Bootstrap().interval(lambda times: times * 0 + 1, np.array([n_units]))
    assert (means.mean, test.difference, pooled[0]) == (1, 1, 1)
    for ends in (means[1:3], test[3:5], pooled[1:]):
        assert np.isnan(ends).all() if n_units < 6 else ends == (1, 1)


def test_what_belongs_to_one_unit_is_drawn_together():
    """Copies of a value within its unit change neither interval nor p-value."""
    values = np.random.default_rng(0).choice([0.0, 0.5, 1.0], size=40)
    copies, units = np.repeat(values, 5), np.repeat(np.arange(40), 5)
    np.testing.assert_allclose(
        Bootstrap().means(copies, units=units), Bootstrap().means(values), atol=1e-12
    )
    alone, together = (
        paired_difference(values, 1 - values),
        paired_difference(copies, 1 - copies, units=units),
    )
    assert (together.p_value, together.n) == (alone.p_value, 40)
    assert together[:5] == pytest.approx(alone[:5])


def test_units_of_different_sizes_weigh_by_their_values():
    rng, sizes = np.random.default_rng(0), np.tile([1, 5], 100)
    values, units = np.repeat(rng.normal(size=200), sizes), np.repeat(np.arange(200), sizes)
    mean, low, high, n = (v.item() for v in Bootstrap(n_boot=10_000).means(values, units=units))
    assert (mean, n) == (pytest.approx(values.mean()), 200)
    assert (high - low) / 2 == pytest.approx(1.96 * standard_error(values, units), rel=0.05)


def test_results_of_other_names_are_drawn_apart():
    values = np.random.default_rng(0).normal(size=50)
    first, again, other = (Bootstrap().means(values, name) for name in ("a", "a", "b"))
    assert first.ci_low == again.ci_low != other.ci_low
    assert first.mean == other.mean


def test_any_statistic_of_the_draws_has_an_interval():
    counts = np.array([5, 1])  # one 1 of six: the largest of a draw is 1 with probability 0.67
    boot = Bootstrap(n_boot=2000, confidence=0.5)
    value, low, high = boot.interval(lambda times: (times[:, 1:] > 0).astype(float), counts)
    assert (value, low, high) == (1, 0, 1)
