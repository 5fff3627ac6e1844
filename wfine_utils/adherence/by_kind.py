"""Which requirements a policy meets, kind by kind of check, and as more is asked at once."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from wfine_utils.chains.taxonomy import Query
from wfine_utils.checks.dispatch import verdicts


def met_by_kind(queries: Sequence[Query], texts: Sequence[str]) -> pd.DataFrame:
    """The share of a query's requirements of each kind of check that a text meets.

    Args:
        queries: n queries.
        texts: one for each.

    Returns:
        n rows; one column per kind, in alphabetical order, NaN where a query asks for nothing of
        the kind.
    """
    long = _verdicts(queries, texts)
    return long.pivot_table("met", "query", "kind").reindex(range(len(queries)))


def met_by_difficulty(queries: Sequence[Query], texts: Sequence[str]) -> pd.DataFrame:
    """The share of a query's checked requirements that a text meets, by how many it has.

    Returns:
        n rows; the columns ``1 asked``, ``2 asked``, … as there are, NaN but for the query's own.
    """
    long = _verdicts(queries, texts)
    n_checked = long.groupby("query")["met"].transform("size")
    wide = long.assign(n=n_checked).pivot_table("met", "query", "n").reindex(range(len(queries)))
    return wide.rename(columns=lambda n: f"{n} asked")


def _verdicts(queries: Sequence[Query], texts: Sequence[str]) -> pd.DataFrame:
    """One row per requirement that has a check: ``query, kind, met``."""
    rows = [
        (i, requirement.check["kind"], float(verdict))
        for i, (query, text) in enumerate(zip(queries, texts, strict=True))
        for requirement, verdict in zip(
            query.requirements, verdicts(query.requirements, text), strict=True
        )
        if requirement.check is not None and verdict is not None
    ]
    return pd.DataFrame(rows, columns=["query", "kind", "met"]).astype({"met": np.float64})
