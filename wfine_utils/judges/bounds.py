"""What unreadable verdicts can hide: tau-b over all that they might have been."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from math import prod

import numpy as np
import pandas as pd

from wfine_utils.chains.taxonomy import Chain
from wfine_utils.judges.templates import NAN
from wfine_utils.weval.evaluation import per_chain
from wfine_utils.weval.metrics import gold_signs
from wfine_utils.weval.resampling import FloatArray

MAX_RESOLUTIONS = 4096
"""Up to so many ways to resolve the missing verdicts of one chain, all of them are tried."""


def tau_bounds(
    chains: Sequence[Chain], possible: Sequence[Sequence[FloatArray]], *, complete: bool = True
) -> pd.DataFrame:
    """Tau-b if every missing verdict were resolved in the worst and in the best way.

    Every chain is bounded by itself, and the bounds are averaged over chains, as tau-b is. All of
    up to :data:`MAX_RESOLUTIONS` ways to resolve a chain are tried. For other chains, and where not
    all scores are listed, every pair of responses is resolved in its own worst and best way, even
    where two pairs cannot have theirs together: too wide perhaps, never too narrow.

    Args:
        chains: as in :func:`~wfine_utils.weval.evaluation.evaluate`.
        possible: shape [chains][responses]: the scores, in rising order, that the response may
            have; one where nothing is missing.
        complete: whether these are all the scores it may have, or only the lowest and the highest.

    Returns:
        Rows "worst" and "best": ``bound, metric, value, n_chains`` (with two different gold
        ranks), ``n_incomplete`` (chains with something missing), ``n_exact`` (of these). Every
        response counts here; ``evaluate`` leaves out what was not scored, and may lie outside.
    """
    rows = []
    for chain, options in zip(chains, possible, strict=True):
        missing = any(len(values) > 1 for values in options)
        tried = not missing or (complete and prod(map(len, options)) <= MAX_RESOLUTIONS)
        if tried:
            ways = list(product(*options))
            tau = per_chain([chain] * len(ways), ways)["kendall_tau_b"].to_numpy()
        else:
            tau = np.array(outer_bounds(gold_signs(chain), options))
        rows.append((tau.min(), tau.max(), missing, missing and tried))
    table = pd.DataFrame(rows, columns=["worst", "best", "missing", "exact"], dtype=float)
    ends = table[["worst", "best"]]
    return pd.DataFrame({
        "bound": ends.columns, "metric": "kendall_tau_b", "value": ends.mean().to_numpy(),
        "n_chains": ends["worst"].count(), "n_incomplete": int(table["missing"].sum()),
        "n_exact": int(table["exact"].sum()),
    })  # fmt: skip


def outer_bounds(signs: FloatArray, possible: Sequence[FloatArray]) -> tuple[float, float]:
    """Lowest and highest tau-b of one chain if every pair could be resolved by itself.

    Args:
        signs: of gold's differences, [responses, responses]; NaN where gold does not know the pair.
        possible: shape [responses]: the scores, in rising order, that a response may have.
    """
    i, j = np.nonzero(np.triu(~np.isnan(signs), 1))
    g = signs[i, j]
    if (n_gold := np.count_nonzero(g)) == 0:
        return NAN, NAN
    low, high = np.array([(v[0], v[-1]) for v in possible]).T
    # Signs of the difference of scores that a pair can have at least and at most.
    least, most = np.sign(low[i] - high[j]), np.sign(high[i] - low[j])
    agree_low = float(np.where(g > 0, least, -most)[g != 0].sum())
    agree_high = float(np.where(g > 0, most, -least)[g != 0].sum())
    # Pairs that are never tied, pairs that need not be tied: tau-b divides by the root of a
    # number between the two, which is no smaller than the number of pairs that agree.
    never = float(np.count_nonzero(least * most > 0))
    may = float(np.count_nonzero((least != 0) | (most != 0)))

    def tau(agree: float, few: bool) -> float:
        n_scored = max(never, abs(agree)) if few else may
        return float(agree / np.sqrt(n_gold * max(n_scored, 1)))

    return tau(agree_low, agree_low < 0), tau(agree_high, agree_high > 0)


def means_with_unknowns(
    grid: FloatArray, low: float, high: float, step: float | None
) -> list[FloatArray]:
    """The mean verdicts that every response may have, in rising order.

    Args:
        grid: shape [responses, requirements], verdicts from ``low`` to ``high`` or NaN.
        step: between two verdicts; None for a continuum, of which the two ends are listed.

    Returns:
        Shape [responses]: one array each, of one number where nothing is missing.
    """
    means = []
    for row in grid:
        n = np.count_nonzero(np.isnan(row))
        count = 2 if step is None else round((high - low) / step) * n + 1
        rest = np.linspace(low * n, high * n, count if n else 1)
        means.append((np.nansum(row) + rest) / len(row))
    return means
