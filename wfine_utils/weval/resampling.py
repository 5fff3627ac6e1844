"""Intervals and tests by resampling units: bootstrap, sign flips, Holm's correction.

Equal values are interchangeable under resampling. So a bootstrap draw of n units is one
multinomial draw over the distinct values, and a random flip of the signs one binomial draw per
distinct size: exact, and cheap when values repeat, as rank metrics of short chains do.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from wfine_utils.chains.units import FloatArray, by_unit, enough_units
from wfine_utils.errors import WfineError
from wfine_utils.seeds import rng_for

MAX_CELLS = 4_000_000  # largest temporary array, in elements: bounds the memory for any input


class Means(NamedTuple):
    """Column means with their intervals: four arrays of shape [columns]."""

    mean: FloatArray
    ci_low: FloatArray
    ci_high: FloatArray
    n: NDArray[np.int64]  # units that have a value; too few of them leave the ends NaN


@dataclass(frozen=True)
class Bootstrap:
    """Percentile intervals from drawing units, chains mostly, with replacement.

    What a unit is and how many it takes: :mod:`wfine_utils.chains.units`.

    Args:
        n_boot: number of draws; 0 leaves the intervals NaN.
        seed: of the draws, 0 or more.
        confidence: coverage of the intervals, between 0 and 1.

    Raises:
        WfineError: an argument outside its range.
    """

    n_boot: int = 1000
    seed: int = 0
    confidence: float = 0.95

    def __post_init__(self) -> None:
        if self.n_boot < 0 or not 0 < self.confidence < 1:
            raise WfineError(
                f"bootstrap: found n_boot={self.n_boot}, confidence={self.confidence}; expected "
                "n_boot >= 0 and a confidence between 0 and 1, such as 0.95."
            )

    def means(self, values: ArrayLike, *names: str, units: ArrayLike | None = None) -> Means:
        """Means of values, with intervals over units; NaN where there is no value.

        Args:
            values: float [values] or [values, columns], in any order; NaN is left out.
            names: of this result; results of other names are drawn independently.
            units: [values], to which unit a value belongs, such as the id of its chain: what
                belongs together is drawn together. None: every value is a unit by itself.

        Returns:
            The means over all values, and the ends of their intervals, NaN where fewer than
            :data:`~wfine_utils.chains.units.MIN_UNITS` units have a value.

        >>> Bootstrap().means([0.0, 1.0, 1.0, 0.0]).mean
        array([0.5])
        """
        array = np.asarray(values, dtype=float)
        array = array[:, None] if array.ndim == 1 else array
        if units is None:
            rows, counts = distinct_rows(array)
            filled, known = np.nan_to_num(rows), (~np.isnan(rows)).astype(float)
        else:
            rows, counts = distinct_rows(np.hstack(by_unit(array, units)))
            filled, known = np.hsplit(rows, 2)
        n, one_each = counts @ (known > 0), bool((known == 1).all())

        def mean_rows(times: FloatArray) -> FloatArray:
            n_values = n if one_each else times @ known
            with np.errstate(invalid="ignore"):
                return (times @ filled) / n_values

        mean, low, high = self.interval(mean_rows, counts, *names)
        few = ~enough_units(n)
        return Means(mean, np.where(few, np.nan, low), np.where(few, np.nan, high), n)

    def interval(
        self, statistic: Callable[[FloatArray], FloatArray], counts: NDArray[np.int64], *names: str
    ) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Values of any statistics of the units, with intervals.

        Args:
            statistic: takes how often each distinct unit is drawn, float [draws, distinct
                units], and returns the statistics of every draw, [draws, statistics].
            counts: int [distinct units], how many units are the same as this one.
            names: as in :meth:`means`.

        Returns:
            Value, lower and upper end, [statistics] each. Draws in which a statistic is NaN are
            left out of its interval; NaN where none is left, or where the units are too few.
        """
        (value,) = statistic(counts[None, :].astype(float))
        low = high = np.full(len(value), np.nan)
        if self.n_boot and enough_units(counts.sum()):
            batches = times_drawn(counts, self.n_boot, rng_for(self.seed, "bootstrap", *names))
            draws = np.concatenate([statistic(times) for times in batches])
            tail = (1 - self.confidence) / 2
            quantile = np.nanquantile if np.isnan(draws).any() else np.quantile
            with warnings.catch_warnings(action="ignore", category=RuntimeWarning):  # all NaN
                low, high = quantile(draws, (tail, 1 - tail), axis=0)
        return value, low, high


def times_drawn(
    counts: NDArray[np.int64], n_boot: int, rng: np.random.Generator
) -> Iterator[FloatArray]:
    """How often each distinct unit occurs in ``n_boot`` draws of all units with replacement.

    Args:
        counts: int [distinct units], at least one unit in all.

    Yields:
        Draws from Multinomial(units, counts / units): float arrays [draws, distinct units].
    """
    n_units, n_rows = int(counts.sum()), len(counts)
    one_by_one = n_units < 12 * n_rows  # a binomial number costs as much as 12 uniform ones
    unit_of = np.repeat(np.arange(n_rows), counts)  # [units], number of the distinct unit
    step = max(1, 500_000 // (n_units if one_by_one else n_rows))  # fits the processor's cache
    for first in range(0, n_boot, step):
        size = min(step, n_boot - first)
        if one_by_one:
            drawn = unit_of[rng.integers(n_units, size=(size, n_units))]
            cell = drawn + np.arange(size)[:, None] * n_rows
            times = np.bincount(cell.ravel(), minlength=size * n_rows).reshape(size, n_rows)
        else:
            times = rng.multinomial(n_units, counts / n_units, size=size)
        yield times.astype(float)


def distinct_rows(values: FloatArray) -> tuple[FloatArray, NDArray[np.int64]]:
    """Distinct rows in sorted order, [distinct, columns], and how often each occurs, [distinct].

    NaN equals NaN. Sorted, so that nothing computed from them depends on the order of the units.
    """
    counts = pd.DataFrame(values).groupby([*range(values.shape[1])], dropna=False).size()
    return np.asarray(counts.index.to_frame(), dtype=float), np.asarray(counts, dtype=np.int64)


class PairedDifference(NamedTuple):
    """Two means of the same values, and how far they differ."""

    value_a: float
    value_b: float
    difference: float  # of the means, a - b
    ci_low: float  # NaN with too few units
    ci_high: float
    p_value: float  # two-sided, of units that are symmetric about 0; NaN without units
    cohens_d: float  # mean difference / its SD (n - 1); 0 if all are 0, NaN if all equal, not 0
    n: int  # units with both values


def mean_of_runs(values: ArrayLike) -> dict[str, float]:
    """The mean of one number per run, such as per training seed, with Student's t.

    Args:
        values: float [runs], two runs or more.

    Returns:
        ``value, ci_low, ci_high, p_value`` (that the mean is 0), ``cohens_d, n``; an interval
        from :data:`~wfine_utils.chains.units.MIN_UNITS` runs on, as for all units.
    """
    runs = np.asarray(values, dtype=float)
    mean, spread = float(runs.mean()), float(runs.std(ddof=1))
    if spread < 1e-12:  # a t-test would divide by nothing
        low, high, p, d = mean, mean, float(mean == 0), 0.0 if mean == 0 else np.nan
    else:
        test = stats.ttest_1samp(runs, 0)
        (low, high), p, d = test.confidence_interval(0.95), test.pvalue, mean / spread
    if not enough_units(len(runs)):
        low = high = np.nan
    numbers = {"value": mean, "ci_low": float(low), "ci_high": float(high), "p_value": float(p)}
    return numbers | {"cohens_d": d, "n": len(runs)}


def paired_difference(
    a: ArrayLike,
    b: ArrayLike,
    *,
    units: ArrayLike | None = None,
    n_boot: int = 1000,
    n_permutations: int = 10_000,
    seed: int = 0,
    confidence: float = 0.95,
) -> PairedDifference:
    """Mean of a - b, with interval and p-value over units, and effect size.

    Args:
        a: float [values]; NaN where there is no value.
        b: float [values]; only places with both values are used.
        units: [values], to which unit a value belongs, as in :meth:`Bootstrap.means`.
        n_boot, seed, confidence: as in :class:`Bootstrap`. The order of values does not matter.
        n_permutations: random sign flips for the p-value.

    >>> paired_difference([1.0, 0.5, 0.5], [0.0, 0.5, 0.0]).difference
    0.5
    """
    x, y = np.asarray(a, dtype=float), np.asarray(b, dtype=float)
    both = ~np.isnan(x) & ~np.isnan(y)
    x, y, nan = x[both], y[both], float("nan")
    if len(x) == 0:
        return PairedDifference(nan, nan, nan, nan, nan, nan, nan, 0)
    difference = np.round(x - y, 12)  # so that equal differences have equal bits
    order = np.argsort(difference, kind="stable")
    difference, flipped = difference[order], difference[order]
    if units is not None:
        units = np.asarray(units)[both][order]
        flipped = np.round(by_unit(difference, units)[0][:, 0], 12)
    boot = Bootstrap(n_boot, seed, confidence)
    mean, low, high, n = (v.item() for v in boot.means(difference, units=units))
    p_value = sign_flip_p(flipped, n_permutations, rng_for(seed, "sign flips"))
    spread = difference.std(ddof=1) if len(difference) > 1 else 0.0
    effect = float(mean / spread) if spread > 1e-12 else nan
    value_a, value_b = float(np.sort(x).mean()), float(np.sort(y).mean())
    return PairedDifference(
        value_a, value_b, value_a - value_b, low, high, p_value,
        effect if difference.any() else 0.0, int(n),
    )  # fmt: skip


def sign_flip_p(difference: ArrayLike, n_permutations: int, rng: np.random.Generator) -> float:
    """Two-sided p-value of a zero mean when signs are flipped at random.

    Args:
        difference: float [units], at least one, no NaN.

    Returns:
        (1 + number of flips with a mean at least as far from 0) / (1 + n_permutations).
    """
    values = np.asarray(difference, dtype=float)
    size, counts = np.unique(np.abs(values), return_counts=True)
    tolerance = 1e-12 * max(1.0, float(np.abs(values).sum()))  # for the rounding of the sums
    observed, extreme = abs(float(values.sum())) - tolerance, 0
    step = max(1, MAX_CELLS // len(size))
    for first in range(0, n_permutations, step):
        shape = (min(step, n_permutations - first), len(size))
        total = (2.0 * rng.binomial(counts, 0.5, size=shape) - counts) @ size
        extreme += int(np.count_nonzero(np.abs(total) >= observed))
    return (extreme + 1) / (n_permutations + 1)


def holm(p_values: ArrayLike) -> FloatArray:
    """P-values [comparisons] adjusted by Holm's method, at most 1; NaN stays and is not counted.

    >>> holm([0.01, 0.04, 0.03]).round(2).tolist()
    [0.03, 0.06, 0.06]
    """
    from statsmodels.stats.multitest import multipletests  # slow to import, used by few

    p = np.asarray(p_values, dtype=float)
    adjusted, known = p.copy(), ~np.isnan(p)
    if known.any():
        adjusted[known] = multipletests(p[known], method="holm")[1]
    return adjusted
