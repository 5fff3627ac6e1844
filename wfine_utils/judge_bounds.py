"""What missing verdicts can hide: tau-b in the worst and in the best case.

A reply that cannot be read is no verdict, and leaving it out is only harmless if it would have
been like the others. Nothing need be assumed of it to say between which values tau-b lies.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from math import prod

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from wfine_utils.taxonomy import Chain
from wfine_utils.weval import per_chain

NAN = float("nan")
MAX_RESOLUTIONS = 4096
"""Up to so many ways to resolve the missing verdicts of one chain, all of them are tried."""


def bounds(
    chains: Sequence[Chain], possible: Sequence[Sequence[NDArray[np.float64]]], *, grid: bool = True
) -> pd.DataFrame:
    """Tau-b if every missing verdict were resolved in the worst and in the best way.

    Every chain is bounded by itself, and the bounds are averaged over chains, as tau-b is. A chain
    with up to :data:`MAX_RESOLUTIONS` ways to resolve its missing verdicts is bounded exactly: all
    are tried. For others, and off a grid, every pair of responses is resolved by itself in
    its worst and best way, even where two pairs cannot have theirs together. That may be too wide
    and is never too narrow: the tau-b that full replies would have given lies between the bounds.

    Args:
        chains: as in ``weval.evaluate``.
        possible: shape [chains][responses]: the scores, in rising order, that the response may
            have; one where nothing is missing.
        grid: are these all the scores it may have, or only the lowest and the highest?

    Returns:
        Rows "worst" and "best": ``bound, metric, value, n_chains`` (with two different gold
        ranks), ``n_incomplete`` (chains with something missing), ``n_exact`` (of these). Unlike
        ``weval.evaluate``, which leaves out what was not scored, every response counts here. So
        its value may lie outside these bounds, where the unscored responses are the hard ones.
    """
    worst, best, exact, incomplete = [], [], 0, 0
    for chain, options in zip(chains, possible, strict=True):
        missing = any(len(values) > 1 for values in options)
        tried = not missing or (grid and prod(map(len, options)) <= MAX_RESOLUTIONS)
        if tried:
            ways = list(product(*options))
            tau = per_chain([chain] * len(ways), ways)["kendall_tau_b"].to_numpy()
            low, high = tau.min(), tau.max()
        else:
            low, high = _outer_bounds(chain.gold, options)
        worst.append(low)
        best.append(high)
        incomplete += missing
        exact += missing and tried
    rows = {"bound": ["worst", "best"], "metric": "kendall_tau_b"}
    known = ~np.isnan(worst)
    values = [np.mean(np.compress(known, v)) if known.any() else NAN for v in (worst, best)]
    counts = {"n_chains": int(known.sum()), "n_incomplete": incomplete, "n_exact": exact}
    return pd.DataFrame({**rows, "value": values, **counts})


def _outer_bounds(
    gold: Sequence[int], possible: Sequence[NDArray[np.float64]]
) -> tuple[float, float]:
    """Lowest and highest tau-b if every pair could be resolved by itself."""
    i, j = np.triu_indices(len(gold), 1)
    g = np.sign(np.subtract.outer(gold, gold))[i, j]
    low, high = np.array([(v[0], v[-1]) for v in possible]).T
    # Signs of the difference of scores that a pair can have at least and at most.
    least, most = np.sign(low[i] - high[j]), np.sign(high[i] - low[j])
    n_gold = np.count_nonzero(g)
    if n_gold == 0:
        return NAN, NAN
    agree_low = np.where(g > 0, least, -most)[g != 0].sum()
    agree_high = np.where(g > 0, most, -least)[g != 0].sum()
    # Pairs that are never tied, pairs that need not be tied: tau-b divides by the root of a
    # number between the two, which is no smaller than the number of pairs that agree.
    never, may = np.count_nonzero(least * most > 0), np.count_nonzero((least != 0) | (most != 0))

    def tau(agree: float, few: bool) -> float:
        n_scored = max(never, abs(agree)) if few else may
        return float(agree / np.sqrt(n_gold * max(n_scored, 1)))

    return tau(agree_low, agree_low < 0), tau(agree_high, agree_high > 0)
