"""Adherence: which requirements do texts meet, by exact checkers?

This is the measure of success that no reward model has a say in.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from wfine_utils.chains.taxonomy import Query, RequirementType
from wfine_utils.checks.dispatch import verdicts

MEAN, ALL_MET = "mean", "all met"

MEASURES = (*map(str, RequirementType), MEAN, ALL_MET)
"""Columns of :func:`adherence`."""


def adherence(queries: Sequence[Query], texts: Sequence[str]) -> pd.DataFrame:
    """The checkers' verdicts on one text per query.

    Returns:
        One row per query, one column per requirement type (share of the query's requirements
        of that type that are met), then ``mean`` over all its requirements and ``all met``
        (0 or 1). NaN where a query has no requirement that a machine can check.
    """
    rows = []
    for query, text in zip(queries, texts, strict=True):
        met = zip(query.requirements, verdicts(query.requirements, text), strict=True)
        checked = [(r.type, float(v)) for r, v in met if v is not None]
        values = [v for _, v in checked]
        row = {str(kind): _mean([v for t, v in checked if t == kind]) for kind in RequirementType}
        rows.append(row | {MEAN: _mean(values), ALL_MET: min(values, default=np.nan)})
    return pd.DataFrame(rows, columns=list(MEASURES))


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values)) if values else float("nan")
