"""The constant judge that wins: versions of a mean tau-b over chains, right and wrong.

After ``WEval/cal_corr.py`` of https://github.com/Rainier-rq1/From_Coarse_to_Fine at commit 438f40b:
line 27 sorts equal scores by the number of requirements kept, which is what is to be found out, and
lines 20 to 23 take five lines in a row for a chain and drop an incomplete group at the end. Written
anew for the course; nothing of that file is copied.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from scipy.stats import kendalltau

Rows = Sequence[Mapping[str, Any]]
"""One judged response each: ``chain``, ``kept`` (its gold, int) and ``score`` (float)."""


def _by_chain(rows: Rows) -> list[Rows]:
    names = dict.fromkeys(row["chain"] for row in rows)
    return [[row for row in rows if row["chain"] == name] for name in names]


def _tau(rows: Rows) -> float:
    """tau-b of one chain, NaN where a side is all ties."""
    return float(kendalltau([r["kept"] for r in rows], [r["score"] for r in rows]).statistic)


def by_chain(rows: Rows) -> float:
    """Right: chains by name, tau-b of each, 0 for a chain of ties."""
    return float(np.mean(np.nan_to_num([_tau(part) for part in _by_chain(rows)])))


def by_sign(rows: Rows) -> float:
    """Right, worked out pair by pair."""
    taus = []
    for part in _by_chain(rows):
        kept, score = (np.array([row[x] for row in part]) for x in ("kept", "score"))
        i, j = np.triu_indices(len(part), 1)
        g, s = np.sign(kept[i] - kept[j]), np.sign(score[i] - score[j])
        below = np.sqrt((g**2).sum() * (s**2).sum())
        taus.append((g * s).sum() / below if below else 0.0)
    return float(np.mean(taus))


def ties_in_gold_order(rows: Rows) -> float:
    """Wrong: a tie is resolved by what is to be found out."""
    return by_chain([{**row, "score": row["score"] + 1e-9 * row["kept"]} for row in rows])


def by_position(rows: Rows) -> float:
    """Wrong: five rows that follow each other are a chain, and a rest is dropped."""
    parts = [rows[i : i + 5] for i in range(0, len(rows), 5)]
    taus = [by_chain([{**row, "chain": 0} for row in p]) for p in parts if len(p) == 5]
    return float(np.mean(taus)) if taus else 0.0


def leaves_ties_out(rows: Rows) -> float:
    """Wrong: chains on which the judge said nothing are not in the mean."""
    taus = np.array([_tau(part) for part in _by_chain(rows)])
    return float(np.mean(taus[~np.isnan(taus)])) if (~np.isnan(taus)).any() else 0.0


def all_in_one(rows: Rows) -> float:
    """Wrong: one tau over all rows, so scores of different chains are compared."""
    return by_chain([{**row, "chain": 0} for row in rows])


RIGHT = (by_chain, by_sign)
WRONG = (
    (ties_in_gold_order, "What should a judge get that gives every text the same score?"),
    (by_position, "Does your test mix the rows, or have a chain that is not of five?"),
    (leaves_ties_out, "One judged chain and one chain of ties: what is their mean?"),
    (all_in_one, "Two chains, each ranked rightly, one on a scale of hundreds: what is the mean?"),
)
