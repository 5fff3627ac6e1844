"""Tables of official metrics: sums over chains, their ratios, and intervals over what was drawn.

Every official metric here is a weighted sum of ratios of two sums over chains: an accuracy is
"right" over "pairs", F1 is 2 TP over 2 TP + FP + FN, a mean over subsets is such a ratio for each.
So one function gives the value and the interval of all of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from wfine_utils.benchmarks.layout import Label, Verdicts
from wfine_utils.chains.units import by_unit, enough_units
from wfine_utils.weval.resampling import Bootstrap, FloatArray, distinct_rows
from wfine_utils.weval.scorers import Scores

COLUMNS = ("metric", "subset", "value", "ci_low", "ci_high", "n")
MEAN_OF_SUBSETS = "mean of subsets"


class Part(NamedTuple):
    """One term of a metric: weight times the sum of ``total`` over the sum of ``n``."""

    total: FloatArray  # [chains], 0 where n is
    n: FloatArray  # [chains], 0 where a chain has no say
    weight: float = 1.0


class Row(NamedTuple):
    """One row of the table: the metric is the sum of its parts."""

    metric: str
    subset: str
    parts: list[Part]


def part(values: ArrayLike, member: ArrayLike = True, weight: float = 1.0) -> Part:
    """The mean of values [chains] over the chains that are members and have one, as a part."""
    x = np.asarray(values, dtype=float)
    has = ~np.isnan(x) & np.asarray(member)
    return Part(np.where(has, x, 0.0), has.astype(float), weight)


def by_subset(metric: str, values: ArrayLike, labels: Sequence[Label]) -> list[Row]:
    """A row for each subset, sorted, and one for their mean; none where nothing is told apart."""
    subset = np.array([label.subset for label in labels], dtype=object)
    names = sorted(set(subset) - {""})
    if not names:
        return []
    rows = [Row(metric, name, [part(values, subset == name)]) for name in names]
    equal = [p._replace(weight=1 / len(names)) for row in rows for p in row.parts]
    return [*rows, Row(metric, MEAN_OF_SUBSETS, equal)]


def nan_rate(scores: Scores) -> Row:
    """The share of the responses that have no score."""
    n_missing = np.array([np.count_nonzero(np.isnan(x)) for x in scores], dtype=float)
    return Row("nan_rate", "all", [Part(n_missing, np.array([len(x) for x in scores], float))])


def undecided_rate(verdicts: Verdicts) -> Row:
    """The share of the verdicts that are neither met nor not met."""
    flat = [np.concatenate([np.asarray(x, dtype=float) for x in chain]) for chain in verdicts]
    n_open = np.array([np.count_nonzero(np.isnan(x)) for x in flat], dtype=float)
    return Row("undecided_rate", "all", [Part(n_open, np.array([len(x) for x in flat], float))])


def table(rows: Sequence[Row], boot: Bootstrap, units: ArrayLike | None = None) -> pd.DataFrame:
    """Values and intervals of metrics.

    Args:
        units: [chains], to which unit a chain belongs: what belongs together is drawn together.
            None: every chain is a unit.

    Returns:
        One row each: :data:`COLUMNS`; ``n`` are the units that have a say. The interval is NaN
        where one of the parts has too few of them (:mod:`wfine_utils.chains.units`).
    """
    return pd.DataFrame([_line(row, boot, units) for row in rows], columns=[*COLUMNS])


def _line(row: Row, boot: Bootstrap, units: ArrayLike | None) -> tuple[object, ...]:
    sums = np.stack([x for p in row.parts for x in (p.total, p.n)], axis=1)
    sums = sums if units is None else by_unit(sums, units)[0]
    sums = sums[(sums[:, 1::2] != 0).any(axis=1)]  # a chain without a say is no unit of the metric
    if not len(sums):
        return row.metric, row.subset, np.nan, np.nan, np.nan, 0
    distinct, n_each = distinct_rows(sums)
    weights = np.array([p.weight for p in row.parts])

    def statistic(times: FloatArray) -> FloatArray:
        drawn = times @ distinct
        with np.errstate(invalid="ignore"):
            return (drawn[:, ::2] / drawn[:, 1::2]) @ weights[:, None]

    value, low, high = boot.interval(statistic, n_each, row.metric, row.subset)
    if not enough_units(n_each @ (distinct[:, 1::2] != 0)).all():
        low = high = np.array([np.nan])
    return row.metric, row.subset, value.item(), low.item(), high.item(), int(n_each.sum())
