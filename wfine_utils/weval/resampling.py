"""Intervals and tests by resampling: bootstrap, sign flips, Holm's correction.

Equal values are interchangeable under resampling. So a bootstrap draw of n values is one
multinomial draw over the distinct values, and a random flip of the signs is one binomial draw
per distinct size. This is exact, and cheap when values repeat, as rank metrics of short
chains do: five responses without ties have eleven possible values of tau.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

FloatArray = NDArray[np.float64]
_CELLS = 4_000_000  # largest temporary array, in elements: bounds the memory for any input


class PairedDifference(NamedTuple):
    """What :func:`paired_difference` returns; every entry but ``n`` is a float."""

    value_a: float
    value_b: float
    difference: float
    ci_low: float
    ci_high: float
    p_value: float
    cohens_d: float
    n: int


def paired_difference(
    a: ArrayLike,
    b: ArrayLike,
    *,
    n_boot: int = 1000,
    n_permutations: int = 10_000,
    seed: int | Sequence[int] = 0,
    confidence: float = 0.95,
) -> PairedDifference:
    """Mean of a - b over the same units, with interval, p-value and effect size.

    Args:
        a: shape [units]; NaN where there is no value.
        b: shape [units]; only units with both values are used.
        n_boot: bootstrap draws over units for the percentile interval; 0 leaves it NaN.
        n_permutations: random sign flips for the p-value.
        seed: seed of both. The order of the units does not matter.
        confidence: coverage of the interval, between 0 and 1.

    Returns:
        The two means, their difference and its interval (NaN with fewer than two units);
        ``p_value``, two-sided, of the hypothesis that differences are symmetric about 0, with
        1 added to both counts so that it is never 0 (NaN without units); ``cohens_d``, the mean
        difference over its standard deviation with n - 1, 0 if every difference is 0, NaN if
        they are all equal and not 0; and the number of units used.

    >>> paired_difference([1.0, 0.5, 0.5], [0.0, 0.5, 0.0]).difference
    0.5
    """
    x, y = np.asarray(a, dtype=float), np.asarray(b, dtype=float)
    both = ~np.isnan(x) & ~np.isnan(y)
    x, y = x[both], y[both]
    if len(x) == 0:
        return PairedDifference(*[float("nan")] * 7, 0)
    difference = np.sort(np.round(x - y, 12))  # so that equal differences have equal bits
    values, counts = np.unique(difference, return_counts=True)
    rng = np.random.default_rng(seed)
    mean, low, high, n = bootstrap_means(values[:, None], counts, n_boot, confidence, rng)
    p_value = sign_flip_p(difference, n_permutations, rng)
    if not difference.any():
        effect = 0.0
    else:
        spread = difference.std(ddof=1) if len(difference) > 1 else 0.0
        effect = float(mean[0] / spread) if spread > 1e-12 else float("nan")
    means = float(np.sort(x).mean()), float(np.sort(y).mean())
    return PairedDifference(
        *means, means[0] - means[1], float(low[0]), float(high[0]), p_value, effect, int(n[0])
    )


def holm(p_values: ArrayLike) -> FloatArray:
    """P-values adjusted for several comparisons by Holm's step-down method.

    Args:
        p_values: shape [comparisons]; NaN entries stay NaN and are not counted.

    Returns:
        Shape [comparisons]: adjusted p-values, at most 1.

    Source: statsmodels ``multipletests(method="holm")``.

    >>> holm([0.01, 0.04, 0.03]).round(2).tolist()
    [0.03, 0.06, 0.06]
    """
    from statsmodels.stats.multitest import multipletests  # slow to import, used by few

    p = np.asarray(p_values, dtype=float)
    adjusted, known = p.copy(), ~np.isnan(p)
    if known.any():
        adjusted[known] = multipletests(p[known], method="holm")[1]
    return adjusted


def distinct_rows(values: FloatArray) -> tuple[NDArray[np.int64], FloatArray]:
    """Distinct rows in sorted order; NaN equals NaN.

    Args:
        values: shape [units, columns].

    Returns:
        For every unit the number of its distinct row, shape [units]; and these rows, shape
        [distinct, columns]. Sorted, so that nothing computed from the rows and their
        frequencies depends on the order of the units.
    """
    code = np.zeros(len(values), dtype=np.int64)
    for column in values.T:
        number, seen = pd.factorize(column, sort=True, use_na_sentinel=False)
        code = pd.factorize(code * max(1, len(seen)) + number, sort=True)[0]
    first = np.full(code.max(initial=-1) + 1, len(values))
    np.minimum.at(first, code, np.arange(len(values)))
    return code, values[first]


def bootstrap_means(
    rows: FloatArray,
    counts: NDArray[np.int64],
    n_boot: int,
    confidence: float,
    rng: np.random.Generator,
) -> tuple[FloatArray, FloatArray, FloatArray, NDArray[np.int64]]:
    """Column means over units with percentile bootstrap intervals, NaN left out.

    Args:
        rows: shape [distinct rows, columns].
        counts: shape [distinct rows], number of units with that row.
        n_boot: number of draws; 0 leaves the intervals NaN.
        confidence: coverage of the interval, between 0 and 1.
        rng: source of the draws.

    Returns:
        Mean, lower and upper end of the interval (NaN where fewer than two units have a value)
        and number of units with a value: four arrays of shape [columns].
    """
    known = ~np.isnan(rows)
    filled = np.where(known, rows, 0.0)
    n = counts @ known
    draws = []
    with np.errstate(invalid="ignore"):
        mean = (counts @ filled) / n
        for drawn in _resample(counts, n_boot, rng):
            weight = n if known.all() else drawn @ known.astype(float)
            draws.append((drawn @ filled) / weight)
    low = high = np.full(rows.shape[1], np.nan)
    if draws:
        tail = (1 - confidence) / 2
        low, high = _quantiles(np.concatenate(draws), (tail, 1 - tail))
        low, high = np.where(n > 1, low, np.nan), np.where(n > 1, high, np.nan)
    return mean, low, high, n


def sign_flip_p(difference: ArrayLike, n_permutations: int, rng: np.random.Generator) -> float:
    """Two-sided p-value of a zero mean when signs are flipped at random.

    Args:
        difference: shape [units], at least one, no NaN.
        n_permutations: number of random flips of all signs.
        rng: source of the flips.

    Returns:
        (1 + number of flips with a mean at least as far from 0) / (1 + n_permutations).
    """
    values = np.asarray(difference, dtype=float)
    size, counts = np.unique(np.abs(values), return_counts=True)
    tolerance = 1e-12 * max(1.0, float(np.abs(values).sum()))  # for the rounding of the sums
    observed, extreme = abs(float(values.sum())) - tolerance, 0
    step = max(1, _CELLS // len(size))
    for first in range(0, n_permutations, step):
        shape = (min(step, n_permutations - first), len(size))
        total = (2.0 * rng.binomial(counts, 0.5, size=shape) - counts) @ size
        extreme += int(np.count_nonzero(np.abs(total) >= observed))
    return (extreme + 1) / (n_permutations + 1)


def _resample(
    counts: NDArray[np.int64], n_boot: int, rng: np.random.Generator
) -> Iterator[FloatArray]:
    """How often each distinct row is drawn, in batches of shape [draws, distinct rows].

    Together the batches are ``n_boot`` draws from Multinomial(units, counts / units). A
    binomial number costs as much as some thirty uniform ones, so rows with few units are
    drawn as one lump first, and then unit by unit within the lump.
    """
    n_units, n_rows = int(counts.sum()), len(counts)
    light = counts < 30
    owner = np.repeat(np.flatnonzero(light), counts[light])  # the lump: one row for every unit
    shares = np.append(counts[~light], len(owner)) / max(1, n_units)
    step = max(1, _CELLS // max(1, n_units, n_rows))
    for first in range(0, n_boot if n_units else 0, step):
        size = min(step, n_boot - first)
        lump = rng.multinomial(n_units, shares, size=size)
        in_lump = lump[:, -1]
        row = owner[rng.integers(max(1, len(owner)), size=in_lump.sum())]
        cell = np.repeat(np.arange(size) * n_rows, in_lump) + row
        drawn = np.bincount(cell, minlength=size * n_rows).reshape(size, n_rows).astype(float)
        drawn[:, ~light] = lump[:, :-1]
        yield drawn


def _quantiles(draws: FloatArray, q: tuple[float, float]) -> FloatArray:
    """Quantiles down the columns; a draw in which no unit had a value (NaN) is left out."""
    if not np.isnan(draws).any():
        return np.quantile(draws, q, axis=0)
    columns = [column[~np.isnan(column)] for column in draws.T]
    return np.array([np.quantile(c, q) if len(c) else (np.nan, np.nan) for c in columns]).T
