"""Adherence: which requirements do a policy's texts meet, by exact checkers?

This is the measure of success that no reward model has a say in.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from wfine_utils.chains.taxonomy import Query, RequirementType
from wfine_utils.checks.dispatch import verdicts
from wfine_utils.weval.resampling import bootstrap_means, paired_difference

MEAN, ALL_MET = "mean", "all met"


def adherence(queries: Sequence[Query], texts: Sequence[str]) -> pd.DataFrame:
    """The checkers' verdicts on one text per query.

    Args:
        queries: n queries.
        texts: n texts.

    Returns:
        One row per query, one column per requirement type (share of the query's requirements
        of that type that are met), then ``mean`` over all its requirements and ``all met``
        (0 or 1). NaN where a query has no requirement that a machine can check.
    """
    rows = []
    for query, text in zip(queries, texts, strict=True):
        judged = [
            (requirement.type, float(verdict))
            for requirement, verdict in zip(
                query.requirements, verdicts(query.requirements, text), strict=True
            )
            if verdict is not None
        ]
        values = [verdict for _, verdict in judged]
        row = {
            str(type_): _mean([verdict for found, verdict in judged if found == type_])
            for type_ in RequirementType
        }
        rows.append(row | {MEAN: _mean(values), ALL_MET: min(values, default=np.nan)})
    return pd.DataFrame(rows, columns=[*map(str, RequirementType), MEAN, ALL_MET])


def adherence_table(per_query: pd.DataFrame, *, n_boot: int = 1000, seed: int = 0) -> pd.DataFrame:
    """Mean adherence with 95 % bootstrap intervals over queries.

    Args:
        per_query: from :func:`adherence`.
        n_boot: bootstrap draws.
        seed: of the draws.

    Returns:
        Tidy: ``type, value, ci_low, ci_high, n``.
    """
    rows = per_query.to_numpy(dtype=float)
    mean, low, high, n = bootstrap_means(
        rows, np.ones(len(rows), dtype=np.int64), n_boot, 0.95, np.random.default_rng(seed)
    )
    columns = {"type": per_query.columns, "value": mean, "ci_low": low, "ci_high": high, "n": n}
    return pd.DataFrame(columns)


def compare_adherence(
    a: pd.DataFrame, b: pd.DataFrame, *, n_boot: int = 1000, seed: int = 0
) -> pd.DataFrame:
    """Paired differences ``a`` − ``b`` on the same queries, column by column.

    Args:
        a: from :func:`adherence`, or any table of numbers with one row per query.
        b: the same for another policy, on the same queries in the same order.
        n_boot: bootstrap draws.
        seed: of the draws and of the sign flips.

    Returns:
        Tidy: ``metric, value_a, value_b, difference, ci_low, ci_high, p_value, cohens_d, n``.
    """
    rows = [
        {"metric": name, **paired_difference(a[name], b[name], n_boot=n_boot, seed=seed)._asdict()}
        for name in a.columns
    ]
    return pd.DataFrame(rows)


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values)) if values else float("nan")
