"""What a benchmark of n chains can show at all."""

from __future__ import annotations

import math
from bisect import bisect_left

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import brentq
from statsmodels.stats.power import TTestPower

from wfine_utils.errors import WfineError


def paired_spread(values_a: ArrayLike, values_b: ArrayLike) -> tuple[float, int]:
    """Standard deviation (n - 1) of the differences a - b, and how many there are.

    Args:
        values_a: shape [chains], e.g. a column of ``weval.per_chain``; NaN where there is none.
        values_b: shape [chains], of the same chains in the same order.

    Raises:
        WfineError: the shapes differ, or fewer than two chains have both values.

    >>> paired_spread([1.0, 0.0, 1.0], [0.0, 1.0, float("nan")])
    (1.4142135623730951, 2)
    """
    a, b = np.asarray(values_a, dtype=float), np.asarray(values_b, dtype=float)
    if a.shape != b.shape or a.ndim != 1 or np.isfinite(a - b).sum() < 2:
        raise WfineError(
            f"paired_spread: found values of shapes {a.shape} and {b.shape}; expected one value "
            "per chain from each scorer, for the same chains, and two chains at least with both."
        )
    difference = (a - b)[np.isfinite(a - b)]
    return float(difference.std(ddof=1)), len(difference)


def detectable_difference(sd: float, n: int, *, power: float = 0.8, alpha: float = 0.05) -> float:
    """Smallest difference between the means of two scorers that n chains can show.

    Two scorers that truly differ by this much on average are found to differ, to the right side
    by a two-sided test at level ``alpha``, with probability ``power``. So "no difference found"
    says that the difference is hardly larger than this, not that there is none.

    Args:
        sd: standard deviation of the differences chain by chain; see :func:`paired_spread`.
        n: number of chains, at least 2.
        power: between ``alpha`` and 1; ``alpha``: between 0 and that.

    Returns:
        The difference in units of the metric, at least 0.

    Raises:
        WfineError: an argument outside its range.

    Source: the paired t-test, statsmodels 0.15 ``TTestPower``. ``weval.compare`` flips signs
    instead; the two differ little unless the chains are few.
    """
    if not (math.isfinite(sd) and sd >= 0 and n >= 2 and 0 < alpha < power < 1):
        raise WfineError(
            f"detectable_difference: found sd={sd}, n={n}, power={power}, alpha={alpha}; expected "
            "sd >= 0 and finite, n >= 2 and 0 < alpha < power < 1, such as 0.05 and 0.8."
        )
    largest = 1.0
    while _power(largest, n, alpha) < power:
        largest *= 2
    return sd * float(brentq(lambda effect: _power(effect, n, alpha) - power, 0, largest))


def chains_needed(sd: float, difference: float, *, power: float = 0.8, alpha: float = 0.05) -> int:
    """The smallest number of chains that can show a difference of this size.

    Args:
        sd, power, alpha: as in :func:`detectable_difference`.
        difference: between the means of two scorers, in units of the metric, above 0.

    Returns:
        Number of chains, 2 at least.

    Raises:
        WfineError: an argument outside its range, or more than a billion chains.
    """

    def shows(n: int) -> bool:
        return detectable_difference(sd, n, power=power, alpha=alpha) <= difference

    if not difference > 0 or not shows(2**30):
        raise WfineError(
            f"chains_needed: found a difference of {difference} and sd={sd}; expected a difference "
            "above 0 that a billion chains can show. Name a larger one."
        )
    return bisect_left(range(2**30), True, lo=2, key=shows)


def _power(effect: float, n: int, alpha: float) -> float:
    """Probability that n differences of this mean, in standard deviations, are found.

    One tail, solved by ourselves: for few chains or large effects the two tails of statsmodels
    0.15 with SciPy 1.17 give NaN, and ``solve_power`` then a wrong number without an error.
    """
    power = float(TTestPower().power(effect, n, alpha / 2, alternative="larger"))
    return 1.0 if math.isnan(power) else power  # NaN occurs only within 1e-9 of 1
