"""Coefficients of agreement between raters, people or judges, and their bootstrap over chains."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

import krippendorff
import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.stats import rankdata
from statsmodels.stats.inter_rater import fleiss_kappa as statsmodels_kappa

from wfine_utils.errors import WfineError
from wfine_utils.weval.resampling import Bootstrap, FloatArray

Statistic = Callable[[NDArray], Sequence[float]]


def bootstrap_chains(
    rows: NDArray, chain_ids: ArrayLike, statistic: Statistic, boot: Bootstrap
) -> list[tuple[float, float, float]]:
    """Statistics of rows that are drawn chain by chain: rows of one chain are not independent.

    Args:
        rows: shape [units, ...].
        chain_ids: shape [units], to which chain a unit belongs.
        statistic: takes some of the rows, returns one number per statistic, NaN if undefined.

    Returns:
        Value, lower and upper end of every statistic; interval NaN where chains are too few.
    """
    chain, names = pd.factorize(np.asarray(chain_ids), sort=True)

    def of_draws(times: FloatArray) -> FloatArray:
        n_times = times.astype(int)[:, chain]  # [draws, units]
        return np.array([statistic(np.repeat(rows, n, axis=0)) for n in n_times], dtype=float)

    value, low, high = boot.interval(of_draws, np.ones(len(names), dtype=int))
    return list(zip(value.tolist(), low.tolist(), high.tolist(), strict=True))


def krippendorff_alpha(counts: NDArray, level: Literal["nominal", "ordinal"]) -> float:
    """Krippendorff's alpha of counts [units, values]; NaN where only one value occurs."""
    pairable = counts[counts.sum(axis=1) > 1]
    if np.count_nonzero(pairable.sum(axis=0)) < 2:
        return float("nan")
    return float(krippendorff.alpha(value_counts=pairable, level_of_measurement=level))


def fleiss_kappa(counts: NDArray) -> float:
    """Fleiss' kappa of counts [units, values]; NaN where only one value occurs."""
    if np.count_nonzero(counts.sum(axis=0)) < 2:
        return float("nan")
    return float(statsmodels_kappa(counts))


def kendall_w(ranks: ArrayLike) -> float:
    """Kendall's coefficient of concordance, corrected for ties.

    1 where all raters give the same order; raters who do not know of each other give 1 / raters on
    average, not 0.

    Args:
        ranks: float [raters, items], two or more of each. Of every rater only the order counts.

    Returns:
        Between 0 and 1; NaN where a number is missing, there are fewer than two raters or items, or
        every rater finds all items equal.

    Source: M. G. Kendall and B. Babington Smith, The problem of m rankings, Annals of Mathematical
    Statistics 10 (1939); with SciPy 1.17, ``friedmanchisquare`` / (raters (items - 1)).

    >>> kendall_w([[1, 2, 3], [1, 3, 2]])
    0.75
    """
    table = np.asarray(ranks, dtype=float)
    n_raters, n_items = table.shape
    if np.isnan(table).any() or min(n_raters, n_items) < 2:
        return float("nan")
    own = rankdata(table, axis=1)
    total = own.sum(axis=0)
    # Of one rater the squares sum to (items^3 - items - ties) / 12. All raters of one mind: the
    # largest sum there can be, so ties need no formula of their own.
    largest = n_raters * ((own - own.mean(axis=1, keepdims=True)) ** 2).sum()
    if largest == 0:
        return float("nan")
    return float(((total - total.mean()) ** 2).sum() / largest)


def value_counts(ratings: FloatArray, domain: FloatArray) -> NDArray[np.int64]:
    """How often each value of ``domain`` occurs in each row: [units, raters] -> [units, values]."""
    return (ratings[:, :, None] == domain).sum(axis=1)


def most_frequent(numbers: Sequence[int]) -> int:
    """The number that occurs most often, the larger one where two occur equally often."""
    values, frequency = np.unique(numbers, return_counts=True)
    return int(values[frequency == frequency.max()].max()) if len(values) else 0


def one_row_per_unit(table: pd.DataFrame, columns: Sequence[str], caller: str) -> pd.DataFrame:
    """One row per unit, sorted, one column per rater (first of ``columns``); values as float."""
    check_columns(table, columns, caller)
    rater, *unit, value = columns
    twice = table.loc[table.duplicated([rater, *unit]), [rater, *unit]]
    if len(twice):
        raise WfineError(f"{caller}: found two rows for {twice.iloc[0].to_dict()}, expected one.")
    try:
        numbers = table[value].astype("Float64").to_numpy(float, na_value=np.nan)
    except (TypeError, ValueError) as error:
        raise WfineError(f"{caller}: {value}: found text, expected numbers ({error}).") from error
    wide = table.assign(**{value: numbers}).pivot(index=unit, columns=rater, values=value)
    return wide.rename(columns=str)


def check_columns(table: pd.DataFrame, columns: Sequence[str], caller: str) -> None:
    """Refuse a table that lacks one of ``columns``, in the name of ``caller``."""
    if absent := ", ".join(c for c in columns if c not in table):
        raise WfineError(f"{caller}: found the columns {[*table]}, expected also {absent}.")
