"""Controls: does a scorer measure adherence, or something that goes along with it?

A dropped requirement often leaves a shorter text, so a scorer that likes long texts looks good.
Two controls hold the length fixed: by arithmetic over whole chains (:func:`partial_tau`) and
by choice of pairs (:func:`length_matched`). A third says whether a score comes from pairs that
lie far apart (:func:`by_gap`).

The tables have the columns of ``weval.evaluate`` and can be put below one of its tables; options,
``chains``, ``scores`` and the errors for them are as there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from wfine_utils.chains.taxonomy import Chain
from wfine_utils.errors import WfineError
from wfine_utils.weval.evaluation import COLUMNS, mean_rows
from wfine_utils.weval.metrics import SINGLE_DROP_METRICS, scored_chains
from wfine_utils.weval.resampling import Bootstrap, FloatArray, distinct_rows
from wfine_utils.weval.scorers import LengthScorer, checked_scores

PAIR_COLUMNS = (*COLUMNS, "n_pairs")
"""Columns of the tables that are made of pairs of responses with different gold."""

PARTIAL_METRICS = (
    "kendall_tau_b",
    "tau_b_covariate_score",
    "tau_b_covariate_gold",
    "undefined_rate",
    "kendall_tau_b_where_defined",
    "partial_tau_b",
    "pooled_partial_tau_b",
)
"""Rows of :func:`partial_tau`, in order."""


def partial_tau(
    chains: Sequence[Chain],
    scores: Sequence[ArrayLike],
    covariate: Sequence[ArrayLike] | None = None,
    *,
    n_boot: int = 1000,
    seed: int = 0,
    confidence: float = 0.95,
) -> pd.DataFrame:
    """Kendall's tau-b of scores with gold when the length is held fixed.

    For each chain, with s, g and c for score, gold and covariate, the partial correlation is
    (tau_sg - tau_sc tau_gc) / sqrt((1 - tau_sc^2) (1 - tau_gc^2)). It has no value where the
    covariate orders the responses just as the score or the gold does, which is common in short
    chains, and always so for a scorer that *is* the covariate. ``undefined_rate`` counts those
    chains, ``kendall_tau_b_where_defined`` is the plain tau-b of the others: compare
    ``partial_tau_b`` with that. ``pooled_partial_tau_b`` loses no chain: the same formula over
    the pairs of all chains together, so that a chain weighs by its number of pairs.

    Read it as a control, not as a test of nothing: it does not reach 0 for a scorer that follows
    the length with noise. With normal variables, 0.85 for length with score and 0.75 for
    length with gold, 0.21 remains. :func:`length_matched` at tolerance 0 does not have this fault.

    A covariate that is equal throughout a chain explains nothing there, so that the partial
    tau-b is the plain one; a score that is equal throughout has tau-b 0, as in WEval.

    Args:
        covariate: what is held fixed, finite float [chains][responses], e.g. a log-likelihood;
            None: the number of words.

    Returns:
        One row per entry of :data:`PARTIAL_METRICS`, columns :data:`PAIR_COLUMNS`.

    Raises:
        WfineError: also for a covariate that is not a finite number for every response.

    Source: Kendall (1942), partial rank correlation, with tau-b in the place of tau.
    """
    boot = Bootstrap(n_boot, seed, confidence)
    pairs = response_pairs(chains, scores, covariate)
    s, g, c = pairs.score, np.sign(pairs.gold), np.sign(pairs.first - pairs.second)
    products = (s * s, g * g, c * c, s * g, s * c, g * c)
    sums = np.stack([pairs.per_chain(product) for product in products], axis=1)
    sums = sums[sums[:, 1] > 0]  # as WEval, without chains that have one gold rank only
    plain, with_score, with_gold, partial = _partial(sums)
    unknown = np.isnan(partial)
    where_defined = np.where(unknown, np.nan, plain)
    values = (plain, with_score, with_gold, unknown.astype(float), where_defined, partial)
    rows = mean_rows(boot, np.stack(values, axis=1), PARTIAL_METRICS[:-1], "all", "all")
    distinct, counts = distinct_rows(sums)
    pooled = boot.interval(lambda n: _partial(n @ distinct)[-1][:, None], counts, "pooled")
    rows.append((PARTIAL_METRICS[-1], "all", "all", *(x.item() for x in pooled), len(sums)))
    n_pairs, n_defined = int(sums[:, 1].sum()), int(sums[~unknown, 1].sum())
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    return table.assign(n_pairs=[n_pairs] * 4 + [n_defined] * 2 + [n_pairs])


def length_matched(
    chains: Sequence[Chain],
    scores: Sequence[ArrayLike],
    tolerance: float = 0.05,
    *,
    n_boot: int = 1000,
    seed: int = 0,
    confidence: float = 0.95,
) -> pd.DataFrame:
    """Pairwise accuracy on the pairs of responses that are about equally long.

    Matched pairs may also lie closer in gold and so be harder; ``mean_gap`` says by how much.

    Args:
        tolerance: by how much the numbers of words of two matched responses may differ, as a
            share of the larger one, 0 to 1.

    Returns:
        ``pairwise_accuracy`` (a tie counts 1/2) and ``tie_rate`` of the pairs with different
        gold, averaged over the chains that have such pairs, for the subsets ("length", "all"),
        ("length", "matched") and ("length", "unmatched"): columns :data:`PAIR_COLUMNS` and
        ``mean_gap``, the mean number of requirements between the two responses of a pair. NaN
        and ``n_pairs`` 0 where there is no pair.

    Raises:
        WfineError: also for a tolerance outside 0 to 1.
    """
    boot = Bootstrap(n_boot, seed, confidence)
    if not 0 <= tolerance <= 1:
        raise WfineError(
            f"length_matched: found tolerance={tolerance}; expected a share from 0 (equal length) "
            "to 1 (any length), such as 0.05."
        )
    pairs = response_pairs(chains, scores)
    allowed = tolerance * np.maximum(pairs.first, pairs.second)
    matched = np.abs(pairs.first - pairs.second) <= allowed + 1e-9  # slack for rounding alone
    subsets = {"all": np.ones_like(matched), "matched": matched, "unmatched": ~matched}
    parts = []
    for name, used in subsets.items():
        gap = pd.Series(np.abs(pairs.gold[used & (pairs.gold != 0)]))
        parts.append(_accuracy(pairs, used, "length", name, boot).assign(mean_gap=gap.mean()))
    return pd.concat(parts, ignore_index=True)


def by_gap(
    chains: Sequence[Chain],
    scores: Sequence[ArrayLike],
    *,
    n_boot: int = 1000,
    seed: int = 0,
    confidence: float = 0.95,
) -> pd.DataFrame:
    """Pairwise accuracy by how many requirements lie between two responses.

    Returns:
        ``pairwise_accuracy`` (a tie counts 1/2) and ``tie_rate``, averaged over chains, for
        every gap that occurs: subsets ("gap", "1"), …; columns :data:`PAIR_COLUMNS`.

    Raises:
        WfineError: also if no chain has two scored responses of different gold.
    """
    boot = Bootstrap(n_boot, seed, confidence)
    pairs = response_pairs(chains, scores)
    gap = np.abs(pairs.gold)
    if not gap.any():
        raise WfineError(
            f"by_gap: found no two scored responses with different gold in {len(chains)} chains; "
            "expected at least one such pair. Give chains whose responses differ and are scored."
        )
    parts = [_accuracy(pairs, gap == k, "gap", str(k), boot) for k in np.unique(gap[gap > 0])]
    return pd.concat(parts, ignore_index=True)


@dataclass(frozen=True)
class ResponsePairs:
    """All pairs of scored responses within their chains, one after the other: shape [pairs]."""

    n_chains: int
    chain: NDArray[np.int64]  # number of the chain
    score: NDArray[np.int64]  # sign of the first score minus the second
    gold: NDArray[np.int64]  # requirements kept by the first minus those kept by the second
    first: FloatArray  # covariate of the first response
    second: FloatArray  # covariate of the second response

    def per_chain(self, values: NDArray) -> FloatArray:
        """Sum of ``values`` [pairs] over the pairs of each chain: shape [chains]."""
        return np.bincount(self.chain, values.astype(float), self.n_chains).astype(float)


def response_pairs(
    chains: Sequence[Chain],
    scores: Sequence[ArrayLike],
    covariate: Sequence[ArrayLike] | None = None,
) -> ResponsePairs:
    """All pairs of scored responses of the same chain, with the covariate of :func:`partial_tau`.

    Raises:
        WfineError: scores or covariate do not fit the chains.
    """
    data = scored_chains(chains, scores)
    numbers = LengthScorer().score(chains) if covariate is None else covariate
    along = np.concatenate(checked_scores("covariate", numbers, chains))
    if np.isnan(along).any():
        raise WfineError(
            f"covariate: found {np.isnan(along).sum()} NaN among {len(along)} responses; expected "
            "a finite number for each. Leave out the chains that have none."
        )
    along = along[~np.isnan(np.concatenate([np.asarray(s, dtype=float) for s in scores]))]
    gold = data.kept.sum(axis=1)[data.pattern]
    places = [(batch, place, *np.triu_indices(place.shape[1], 1))
              for batch, place in data.batches(width=1)]  # fmt: skip
    none = np.zeros(0, dtype=np.int64)
    chain = np.concatenate([none, *(np.repeat(batch, len(i)) for batch, _, i, _ in places)])
    a = np.concatenate([none, *(place[:, i].ravel() for _, place, i, _ in places)])
    b = np.concatenate([none, *(place[:, j].ravel() for _, place, _, j in places)])
    sign = (data.score[a] > data.score[b]).astype(int) - (data.score[a] < data.score[b])
    return ResponsePairs(len(chains), chain, sign, gold[a] - gold[b], along[a], along[b])


def _accuracy(
    pairs: ResponsePairs, used: NDArray[np.bool_], kind: str, subset: str, boot: Bootstrap
) -> pd.DataFrame:
    """:data:`SINGLE_DROP_METRICS` of the used pairs with different gold, averaged over chains."""
    used = used & (pairs.gold != 0)
    n = pairs.per_chain(used)
    tied = pairs.score == 0
    points = np.where(tied, 0.5, pairs.score == np.sign(pairs.gold))
    sums = np.stack([pairs.per_chain(points * used), pairs.per_chain(tied & used)], axis=1)
    rows = mean_rows(boot, sums[n > 0] / n[n > 0, None], SINGLE_DROP_METRICS, kind, subset)
    return pd.DataFrame(rows, columns=list(COLUMNS)).assign(n_pairs=int(n.sum()))


def _partial(sums: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """tau_sg, tau_sc, tau_gc and the partial tau from sums [..., ss, gg, cc, sg, sc, gc]."""
    ss, gg, cc, sg, sc, gc = np.moveaxis(sums, -1, 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        tau_sg = sg / np.sqrt(np.maximum(ss, 1) * gg)
        tau_sc = sc / np.sqrt(np.maximum(ss, 1) * np.maximum(cc, 1))
        tau_gc = gc / np.sqrt(gg * np.maximum(cc, 1))
        rest = (1 - tau_sc**2) * (1 - tau_gc**2)
        partial = (tau_sg - tau_sc * tau_gc) / np.sqrt(np.where(rest > 1e-12, rest, np.nan))
    return tau_sg, tau_sc, tau_gc, partial
