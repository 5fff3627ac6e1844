"""Agreement: of people who rank responses, and of people with the gold ranking.

The tables are those of :mod:`wfine_utils.annotation.files`. No annotations are shipped. What can be
shown without people is how far the construction of a chain, the checkers and model judges agree:
see :mod:`wfine_utils.judges.agreement`, which counts with the coefficients of this module.

Intervals are bootstrap percentiles over chains, because what is said of two responses to one
query is not independent. The order of the rows and the names of annotators do not matter.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import krippendorff
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from statsmodels.stats.inter_rater import fleiss_kappa as statsmodels_kappa

from wfine_utils.errors import WfineError
from wfine_utils.weval.resampling import FloatArray

AGREEMENT_METRICS = ("krippendorff_alpha", "fleiss_kappa", "kendall_tau_b")
Statistic = Callable[[FloatArray], Sequence[float]]


def bootstrap_chains(
    parts: Sequence[FloatArray],
    statistic: Statistic,
    n_statistics: int,
    n_boot: int,
    seed: int,
    confidence: float,
) -> list[tuple[float, float, float]]:
    """(value, low, high) of each statistic of the rows of all chains, drawn chain by chain."""
    if n_boot < 0 or not 0 < confidence < 1:
        raise WfineError(
            f"agreement: found n_boot={n_boot}, confidence={confidence}; expected n_boot of at "
            "least 0 and a confidence between 0 and 1, such as 0.95."
        )
    nan = float("nan")
    if not parts:
        return [(nan, nan, nan)] * n_statistics
    values = statistic(np.concatenate(parts))
    rng = np.random.default_rng(seed)
    draws = [
        statistic(np.concatenate([parts[k] for k in rng.integers(len(parts), size=len(parts))]))
        for _ in range(n_boot if len(parts) > 1 else 0)
    ]
    tail, found = (1 - confidence) / 2, []
    for k, value in enumerate(values):
        drawn = np.array([draw[k] for draw in draws])
        drawn = drawn[~np.isnan(drawn)]  # draws without a second value have no alpha
        low, high = np.quantile(drawn, (tail, 1 - tail)) if len(drawn) else (nan, nan)
        found.append((float(value), float(low), float(high)))
    return found


def krippendorff_alpha(counts: NDArray, level: str) -> float:
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


def value_counts(ratings: FloatArray, domain: FloatArray) -> NDArray[np.int64]:
    """How often each value of ``domain`` occurs in each row: [units, raters] -> [units, values]."""
    return (ratings[:, :, None] == domain).sum(axis=1)


def most_frequent(numbers: Sequence[int]) -> int:
    """The number that occurs most often, the larger one where two occur equally often."""
    found, frequency = np.unique(numbers, return_counts=True)
    return int(found[frequency == frequency.max()].max()) if len(found) else 0


def one_row_per_unit(table: pd.DataFrame, columns: Sequence[str], caller: str) -> pd.DataFrame:
    """One row per unit, sorted, one column per rater (first of ``columns``); values as float."""
    check_columns(table, columns, caller)
    rater, *unit, value = columns
    twice = table[table.duplicated([rater, *unit])]
    if len(twice):
        raise WfineError(
            f"{caller}: found two rows for {twice.iloc[0][[rater, *unit]].to_dict()}, expected one."
        )
    try:
        numbers = table[value].astype("Float64").to_numpy(float, na_value=np.nan)
    except (TypeError, ValueError) as error:
        raise WfineError(f"{caller}: {value}: found text, expected numbers ({error}).") from error
    wide = table.assign(**{value: numbers}).pivot(index=unit, columns=rater, values=value)
    return wide.rename(columns=str)


def check_columns(table: pd.DataFrame, columns: Sequence[str], caller: str) -> None:
    """Refuse a table that lacks one of ``columns``, in the name of ``caller``."""
    if absent := [c for c in columns if c not in table]:
        raise WfineError(
            f"{caller}: found the columns {', '.join(map(str, table))}, expected also "
            f"{', '.join(absent)}."
        )
