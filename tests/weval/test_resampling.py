"""Bootstrap, sign flips and Holm's correction against closed forms."""

from __future__ import annotations

import numpy as np
import pytest

from wfine_utils.weval import resampling
from wfine_utils.weval.resampling import Bootstrap, holm


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
    values = np.array([[1.0, np.nan, np.nan], [3.0, 2.0, np.nan], [np.nan, np.nan, np.nan]])
    mean, low, high, n = Bootstrap().means(values)
    assert n.tolist() == [2, 1, 0] and mean[:2].tolist() == [2, 2] and np.isnan(mean[2])
    assert (low[0], high[0]) == (1, 3) and np.isnan([low[1:], high[1:]]).all()


def test_results_of_other_names_are_drawn_apart():
    values = np.random.default_rng(0).normal(size=50)
    first, again, other = (Bootstrap().means(values, name) for name in ("a", "a", "b"))
    assert first.ci_low == again.ci_low != other.ci_low
    assert first.mean == other.mean


def test_any_statistic_of_the_draws_has_an_interval():
    counts = np.array([3, 1])  # 0, 0, 0, 1: the largest of a draw is 1 with probability 0.68
    boot = Bootstrap(n_boot=2000, confidence=0.5)
    value, low, high = boot.interval(lambda times: (times[:, 1:] > 0).astype(float), counts)
    assert (value, low, high) == (1, 0, 1)
