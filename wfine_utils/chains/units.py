"""Which units an interval is over, and how many of them it takes: the one rule of all intervals.

An interval is about other draws of what was sampled, which is chains mostly. Two pairs of one
chain, or two verdicts on one text, are not independent. So values are gathered by the unit that was
sampled, and too few units give no interval at all: its ends are NaN.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

FloatArray = NDArray[np.float64]

MIN_UNITS = 6
"""Fewer units give no interval.

The smallest and the largest of n values have the median of what they were drawn from between them
with probability 1 - 2^(1 - n). That is 0.94 for five and 0.97 for six: from fewer values, 95 % can
be claimed only of a distribution that one believes to know.
"""


def enough_units(n_units: ArrayLike) -> NDArray[np.bool_]:
    """Whether so many units give an interval, :data:`MIN_UNITS` or more.

    >>> enough_units([5, 6]).tolist()
    [False, True]
    """
    return np.asarray(n_units) >= MIN_UNITS


def by_unit(values: ArrayLike, units: ArrayLike) -> tuple[FloatArray, FloatArray]:
    """Values gathered by the unit to which they belong.

    Args:
        values: float [values] or [values, columns]; NaN is left out.
        units: [values], names of units, such as chain ids.

    Returns:
        The sums of the values and how many there are, both [units, columns].

    >>> by_unit([1.0, 2.0, 4.0], ["a", "b", "a"])[0].ravel().tolist()
    [5.0, 2.0]
    """
    number, _ = pd.factorize(np.asarray(units))
    of_unit = pd.DataFrame(np.asarray(values, dtype=float)).groupby(number)
    return of_unit.sum().to_numpy(), of_unit.count().to_numpy(dtype=float)


def standard_error(values: ArrayLike, units: ArrayLike) -> float:
    """Standard error of the mean of values that were sampled unit by unit.

    With one value to a unit it is the usual one. With several it is that of a ratio of two sums,
    the values of a unit and their number (the linearisation of survey statistics).

    Args:
        values: float [values]; NaN is left out.
        units: [values], names of units.

    Returns:
        NaN where fewer than :data:`MIN_UNITS` units have a value.
    """
    total, n = (column[:, 0] for column in by_unit(values, units))
    n_units = np.count_nonzero(n)
    if not enough_units(n_units):
        return float("nan")
    beyond_mean = total - total.sum() / n.sum() * n
    return float(np.sqrt(n_units / (n_units - 1) * (beyond_mean**2).sum()) / n.sum())


def mean_interval(values: ArrayLike, units: ArrayLike | None = None) -> tuple[float, float, float]:
    """The mean, and the ends of its 95 % interval (normal approximation) over units.

    Args:
        values: float [values]; NaN is left out.
        units: [values], names of units; None: every value is a unit by itself.

    Returns:
        Mean, lower and upper end; the ends are NaN where fewer than :data:`MIN_UNITS` units have
        a value.

    >>> [round(x, 2) for x in mean_interval([1, 2, 3, 4, 5, 6])]
    [3.5, 2.0, 5.0]
    """
    array = np.asarray(values, dtype=float)
    half = 1.96 * standard_error(array, np.arange(len(array)) if units is None else units)
    mean = float(pd.Series(array).mean())
    return mean, mean - half, mean + half
