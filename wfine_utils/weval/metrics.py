"""Rank metrics of every chain at once: how the order of the scores agrees with the gold order.

All follow from the signs of the pairwise differences, so chains with equally many responses are
computed together. What they mean stands in :func:`wfine_utils.weval.evaluation.evaluate`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from wfine_utils.chains.taxonomy import Chain, RequirementType
from wfine_utils.errors import WfineError
from wfine_utils.weval.resampling import MAX_CELLS, FloatArray
from wfine_utils.weval.scorers import checked_scores

METRICS: tuple[str, ...] = (
    "kendall_tau_b", "spearman_rho", "pairwise_accuracy", "position_consistency", "exact_match",
    "tie_rate", "released_rule_tau", "nan_rate",
)  # fmt: skip
"""Every metric, in the order of the columns and rows of all tables."""

SINGLE_DROP_METRICS: tuple[str, ...] = ("pairwise_accuracy", "tie_rate")
"""The metrics that make sense for one requirement type; see :func:`evaluate`."""


@dataclass(frozen=True)
class ScoredChains:
    """The scored responses of all chains, one after the other, as flat arrays."""

    n_responses: NDArray[np.int64]  # [chains] whose gold is known, with the unscored ones
    n_scored: NDArray[np.int64]  # [chains]
    start: NDArray[np.int64]  # [chains], where a chain's scored responses begin
    score: FloatArray  # [scored responses]
    gold: FloatArray  # [scored responses]
    pattern: NDArray[np.int64]  # [scored responses], row of `kept`
    kept: NDArray[np.bool_]  # [distinct kept tuples, most requirements], padded with False
    relations: dict[int, NDArray[np.int8]]  # chain whose gold is pairs -> [responses, responses]
    is_used: NDArray[np.bool_]  # [responses of all chains], scored and of known gold

    def batches(self, width: int) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
        """Chains of one size at a time: chain numbers [c], places of their responses [c, n]."""
        for n in np.unique(self.n_scored[self.n_scored >= 2]):
            members = np.flatnonzero(self.n_scored == n)
            step = max(1, MAX_CELLS // int(n * n * max(width, 1)))
            for first in range(0, len(members), step):
                batch = members[first : first + step]
                yield batch, self.start[batch][:, None] + np.arange(n)


def scored_chains(chains: Sequence[Chain], scores: Sequence[ArrayLike]) -> ScoredChains:
    """The arrays that the metrics are computed from; arguments, errors: see ``weval.evaluate``."""
    score = np.concatenate(checked_scores("weval", scores, chains))
    sizes = np.array([len(chain.responses) for chain in chains])
    first = np.cumsum(sizes) - sizes
    # Chains share few kept patterns, so each is numbered once and its flags are looked up later.
    # Where readers say what is better, a dropped requirement does not: no flags, no such pairs.
    kept = [() if chain.judged else r.kept for chain in chains for r in chain.responses]
    number = {pattern: k for k, pattern in enumerate(dict.fromkeys(kept))}
    patterns = np.zeros((len(number), max(map(len, number))), dtype=bool)
    for pattern, k in number.items():
        patterns[k, : len(pattern)] = pattern
    pattern_of = np.array([number[pattern] for pattern in kept])
    gold = patterns.sum(axis=1)[pattern_of].astype(float)
    numbers, whole = _judged_gold(chains)
    if numbers:
        gold[np.repeat([bool(chain.judged) for chain in chains], sizes)] = np.concatenate(numbers)
    is_known = ~np.isnan(gold)
    scored = ~np.isnan(score) & is_known
    if np.isnan(score[is_known]).all():
        raise WfineError(
            f"weval: every score of chains {chains[0].chain_id!r} to {chains[-1].chain_id!r} is "
            "NaN; expected at least one number. Leave this scorer out for these chains."
        )
    n_scored = np.add.reduceat(scored, first, dtype=np.int64)
    n_known = np.add.reduceat(is_known, first, dtype=np.int64)
    start = np.cumsum(n_scored) - n_scored
    relations = whole.copy()
    for i in [i for i in np.flatnonzero(n_scored < sizes).tolist() if i in whole]:
        used = scored[first[i] : first[i] + sizes[i]]
        relations[i] = whole[i][np.ix_(used, used)]
    return ScoredChains(
        n_known, n_scored, start, score[scored], gold[scored], pattern_of[scored], patterns,
        relations, scored,
    )  # fmt: skip


def _judged_gold(chains: Sequence[Chain]) -> tuple[list[FloatArray], dict[int, NDArray[np.int8]]]:
    """Gold of every judged chain, [judged chains][responses], and where it is pairs the relations.

    The relations by the number of the chain. Many chains say the same, such as "the first of two
    is better": that is computed once.
    """
    numbers, relations = [], {}
    known: dict[tuple[object, int], tuple[FloatArray, NDArray[np.int8]]] = {}
    for i, chain in enumerate(chains):
        gold, n = chain.judged, len(chain.responses)
        if not gold:
            continue
        if not gold.better:
            numbers.append(gold.numbers(n))
            continue
        key = (gold.better, n)
        if key not in known:
            known[key] = gold.numbers(n), gold.relation(n)
        numbers.append(known[key][0])
        relations[i] = known[key][1]
    return numbers, relations


def gold_signs(chain: Chain) -> FloatArray:
    """Signs of gold's differences, [responses, responses]; NaN for pairs it does not know."""
    if chain.judged and chain.judged.better:
        relation = chain.judged.relation(len(chain.responses)).astype(float)
        return np.where(relation == 0, np.nan, relation)
    return np.sign(np.subtract.outer(chain.gold, chain.gold))


def _signs(x: NDArray) -> NDArray[np.int8]:
    """Sign of x_i - x_j for all pairs: [c, n] -> [c, n, n]; never overflows."""
    left, right = x[:, :, None], x[:, None, :]
    return (left > right).view(np.int8) - (left < right).view(np.int8)


def chain_metrics(data: ScoredChains) -> FloatArray:
    """All metrics of all chains: shape [chains, metrics].

    With s_ij the signs of the differences of scores, their sum over j is twice the distance of
    response i from the middle rank (average ranks for ties); so too for gold ranks.
    """
    values = np.full((len(data.n_responses), len(METRICS)), np.nan)
    with np.errstate(invalid="ignore"):
        values[:, -1] = 1 - data.n_scored / data.n_responses
    for batch, place in data.batches(width=1):
        n = place.shape[1]
        s = _signs(data.score[place])
        g = _signs(data.gold[place])
        partial = [k for k, i in enumerate(batch.tolist()) if i in data.relations]
        if partial:  # pairs of which gold says nothing count in no sum
            g[partial] = np.stack([data.relations[i] for i in batch[partial].tolist()])
            s[partial] *= g[partial] != 0
        # Sums over all ordered pairs; the factor 2 cancels in every ratio below.
        agree = (s * g).sum(axis=(1, 2), dtype=np.int64)  # right order minus wrong order
        s_pairs = np.count_nonzero(s, axis=(1, 2))
        g_pairs = np.count_nonzero(g, axis=(1, 2))
        tied = np.count_nonzero((s == 0) & (g != 0), axis=(1, 2))
        s_rank, g_rank = s.sum(axis=2, dtype=np.int64), g.sum(axis=2, dtype=np.int64)
        shift = np.abs(s_rank - g_rank).sum(axis=1) / 2  # sum of |rank difference|
        # As floats: the product of the two grows with the sixth power of n.
        s_square = (s_rank**2).sum(axis=1).astype(float)
        g_square = (g_rank**2).sum(axis=1).astype(float)
        with np.errstate(divide="ignore", invalid="ignore"):
            result = (
                agree / np.sqrt(g_pairs * np.maximum(s_pairs, 1)),
                (s_rank * g_rank).sum(axis=1) / np.sqrt(g_square * np.maximum(s_square, 1)),
                (agree + g_pairs) / (2 * g_pairs),
                1 - shift / (n * (n - 1)),
                agree == g_pairs,
                tied / g_pairs,
                (agree + tied) / np.sqrt(g_pairs * (s_pairs + tied)),
            )
        values[batch, :-1] = np.where(g_pairs == 0, np.nan, result).T
        values[batch[partial], METRICS.index("position_consistency")] = np.nan  # takes all ranks
    return values


def single_drop_metrics(
    chains: Sequence[Chain], data: ScoredChains
) -> dict[RequirementType, FloatArray]:
    """For each requirement type, :data:`SINGLE_DROP_METRICS` of the chains that have such pairs."""
    kinds: list[RequirementType | None] = [*RequirementType, None]  # the hash of an enum is slow
    type_code = np.array([kinds.index(r.type) for chain in chains for r in chain.requirements])
    type_start = np.cumsum([0, *(len(chain.requirements) for chain in chains)])
    n_types = len(RequirementType)
    if (type_code == n_types).all() or not data.kept.any():  # nothing is labelled, or kept
        return {}
    pairs, right, tied = np.zeros((3, len(chains) * n_types))
    for batch, place in data.batches(width=data.kept.shape[1]):
        i, j = np.triu_indices(place.shape[1], 1)
        kept = data.kept[data.pattern[place]]
        differ = kept[:, i] ^ kept[:, j]  # [c, pairs, requirements]
        c, p = np.nonzero(np.count_nonzero(differ, axis=2) == 1)
        dropped = differ[c, p].argmax(axis=1)
        kind = type_code[type_start[batch[c]] + dropped]
        c, p, dropped, kind = (x[kind < n_types] for x in (c, p, dropped, kind))
        first_kept = kept[c, i[p], dropped]
        first, second = data.score[place[c, i[p]]], data.score[place[c, j[p]]]
        cell = batch[c] * n_types + kind
        points = np.where(first == second, 0.5, (first > second) == first_kept)
        pairs += np.bincount(cell, minlength=len(pairs))
        right += np.bincount(cell, weights=points, minlength=len(pairs))
        tied += np.bincount(cell, weights=first == second, minlength=len(pairs))
    with np.errstate(invalid="ignore"):
        shares = np.stack([right, tied], axis=1) / pairs[:, None]
    by_type = zip(RequirementType, shares.reshape(-1, n_types, 2).swapaxes(0, 1), strict=True)
    return {kind: values[~np.isnan(values[:, 0])] for kind, values in by_type}
