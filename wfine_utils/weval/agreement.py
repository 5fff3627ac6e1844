"""Coefficients of agreement between raters, people or judges, and their bootstrap over chains."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

import krippendorff
import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy import stats
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
    """Kendall's coefficient of concordance W, corrected for ties.

    With R_i the sum of the ranks of item i and S the sum of the squares of R_i less their mean,
    W = 12 S / (m^2 (n^3 - n) - m T), T the sum of t^3 - t over all groups of t tied ranks of a
    rater. 1 is the same ranking by all; unrelated rankings have 1 / m on average, not 0.

    Args:
        ranks: float [raters, items], two raters and two items at least. Any numbers that order
            the items will do: every row is ranked, with average ranks for ties.

    Returns:
        Between 0 and 1; NaN if a rank is NaN, or if all raters tie all items.

    Source: Kendall and Babington Smith, "The problem of m rankings", 1939. It is
    chi^2 / (m (n - 1)) of SciPy's ``friedmanchisquare``, which wants three items.

    >>> kendall_w([[1, 2, 3], [1, 3, 2]])
    0.75
    """
    rows = stats.rankdata(np.asarray(ranks, dtype=float), axis=1)  # a NaN makes its row NaN
    m, n = rows.shape
    deviation = rows.sum(axis=0) - m * (n + 1) / 2
    _, sizes = np.unique(np.stack([np.repeat(np.arange(m), n), rows.ravel()]), axis=1,
                         return_counts=True)  # fmt: skip
    most = m**2 * (n**3 - n) - m * float((sizes**3 - sizes).sum())
    return float(12 * (deviation**2).sum() / most) if most else float("nan")


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
