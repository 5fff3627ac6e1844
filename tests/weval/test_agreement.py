"""Kendall's W, against SciPy's test of Friedman and by hand."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from wfine_utils.weval.agreement import kendall_w


@pytest.mark.parametrize("n_values", [3, 100])
def test_it_is_the_chi_square_of_friedman(n_values):
    """With few values there are ties in nearly every row."""
    rng = np.random.default_rng(n_values)
    for _ in range(50):
        m, n = rng.integers(2, 7), rng.integers(3, 8)
        ranks = rng.integers(0, n_values, (m, n))
        chi_square = stats.friedmanchisquare(*ranks.T).statistic
        expected = chi_square / (m * (n - 1))
        assert kendall_w(ranks) == pytest.approx(expected, nan_ok=True)


@pytest.mark.parametrize(
    ("ranks", "expected"),
    [
        ([[1, 2, 3], [1, 2, 3]], 1),
        ([[1, 2, 3], [3, 2, 1]], 0),
        ([[1, 2], [1, 2], [2, 1]], 1 / 9),  # sums 4 and 5: 12 * 0.5 / (9 * 6)
        ([[1, 1, 2], [1, 1, 2]], 1),  # ties that agree are no disagreement
        ([[1, 1, 2], [1, 2, 2]], 12 * 4.5 / (4 * 24 - 2 * 12)),  # sums 2.5, 4, 5.5
    ],
)
def test_by_hand(ranks, expected):
    assert kendall_w(ranks) == pytest.approx(expected)


def test_any_numbers_that_order_the_items_will_do():
    rng = np.random.default_rng(0)
    numbers = rng.normal(size=(4, 5))
    assert kendall_w(numbers) == pytest.approx(kendall_w(np.exp(3 * numbers)))
    assert kendall_w(numbers) == pytest.approx(kendall_w(-numbers))


def test_unrelated_rankings_have_one_over_the_number_of_raters():
    rng = np.random.default_rng(0)
    found = [kendall_w(rng.normal(size=(3, 4))) for _ in range(4000)]
    assert np.mean(found) == pytest.approx(1 / 3, abs=0.02)


@pytest.mark.parametrize("ranks", [[[1, 1], [2, 2]], [[1, np.nan], [2, 1]], [[1, 2]], [[1], [2]]])
def test_what_has_no_concordance(ranks):
    assert np.isnan(kendall_w(ranks))
