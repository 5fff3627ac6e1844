"""WEval: does a scorer order the responses of a chain as the number of kept requirements does?

The gold ranking of a chain is known by construction, so any function that gives a number to a
response can be examined: score the responses, compare the order with the gold order, average
over chains. ``evaluate`` gives every metric with a bootstrap interval, ``compare`` the paired
difference of two scorers.

Two choices differ from what is common, and both matter:

* **Ties count as ties.** The evaluation script released with the paper sorts responses by
  (score, number of kept requirements), so that a tie is resolved in the gold order and a
  scorer that says the same of everything gets a perfect ranking. Here a tie earns nothing,
  and that rule is reported only in its own column, ``released_rule_tau``.
* **A constant scorer has correlation 0.** SciPy returns NaN there, because a correlation with a
  constant is undefined; leaving such chains out of a mean would hide exactly the chains on which
  the scorer said nothing.

Why it is fast: all metrics follow from the signs of the pairwise differences, so chains with
equally many responses are computed together as one array; and chains with equal metrics are
interchangeable under resampling, so a bootstrap draw is one multinomial draw over the few
distinct rows of metrics instead of thousands of chain numbers. Both are exact.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain as chain_links
from operator import attrgetter
from zlib import crc32

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from wfine_utils.errors import WfineError
from wfine_utils.resampling import (
    FloatArray,
    bootstrap_means,
    distinct_rows,
    holm,
    paired_difference,
)
from wfine_utils.taxonomy import Chain, RequirementType, TaskCategory

METRICS: tuple[str, ...] = (
    "kendall_tau_b",
    "spearman_rho",
    "pairwise_accuracy",
    "position_consistency",
    "exact_match",
    "tie_rate",
    "released_rule_tau",
    "nan_rate",
)
"""Every metric, in the order of the columns and rows of all tables."""

SINGLE_DROP_METRICS: tuple[str, ...] = ("pairwise_accuracy", "tie_rate")
"""The metrics that make sense for one requirement type; see :func:`evaluate`."""

__all__ = ["METRICS", "SINGLE_DROP_METRICS", "compare", "evaluate", "holm", "per_chain"]

COLUMNS = ("metric", "subset_kind", "subset", "value", "ci_low", "ci_high", "n_chains")
_CELLS = 4_000_000  # largest temporary array, in elements: bounds the memory for any input


def evaluate(
    chains: Sequence[Chain],
    scores: Sequence[ArrayLike],
    *,
    n_boot: int = 1000,
    seed: int = 0,
    confidence: float = 0.95,
) -> pd.DataFrame:
    """Rank correlation of a scorer with the gold ranking, with bootstrap intervals.

    Every metric is computed for each chain and averaged over chains:

    ======================  ================================================================
    kendall_tau_b           Kendall's tau-b; 0 if all scores of the chain are equal
    spearman_rho            Pearson correlation of average ranks; 0 if all scores are equal
    pairwise_accuracy       share of the pairs with different gold in the right order; a tied
                            score counts 1/2
    position_consistency    1 - mean \\|rank difference\\| / (n - 1), ties get average ranks
    exact_match             1 if every pair with different gold is in the right order, else 0
    tie_rate                share of the pairs with different gold whose scores are equal
    released_rule_tau       tau-b after ties are resolved in gold order, as the released
                            script does; **not** a measure of quality
    nan_rate                share of the responses that could not be scored
    ======================  ================================================================

    A NaN score means "could not be scored". It raises ``nan_rate``, and the other metrics of
    that chain are computed over its scored responses; a chain in which these have no two
    different gold ranks is left out of the mean of those metrics, and ``n_chains`` says how many
    chains were used. So a scorer that refuses the hard chains can look better than it is:
    read every value together with ``nan_rate`` and ``n_chains``. No bounds are computed.

    Args:
        chains: shape [chains], any mixture of sizes; gold ranks may tie.
        scores: shape [chains][responses of the chain], float; higher means better adherence.
        n_boot: number of bootstrap draws over chains; 0 leaves the intervals NaN.
        seed: seed of the draws. Equal seeds give equal tables, whatever the order of chains.
        confidence: coverage of the percentile interval, between 0 and 1.

    Returns:
        One row per metric and subset: ``metric, subset_kind, subset, value, ci_low, ci_high,
        n_chains``. Subsets are ("all", "all"); ("category", name) for each labelled category; and
        ("type", requirement type), where only ``pairwise_accuracy`` and ``tie_rate`` are given,
        over the pairs of responses that differ by exactly one dropped requirement of that type.
        The interval is NaN where fewer than two chains were used.

    Raises:
        WfineError: no chains, not one array of scores per chain, an array of the wrong shape,
            an infinite score, or no score at all that is not NaN.

    Source: arXiv 2604.27453 for WEval; tau-b as in SciPy 1.17 ``kendalltau``.

    Differences from it: ties (see the module's text), intervals, NaN instead of 0 for
    responses without a score.
    """
    if n_boot < 0 or not 0 < confidence < 1:
        raise WfineError(
            f"weval.evaluate: found n_boot={n_boot}, confidence={confidence}; expected n_boot of "
            "at least 0 and a confidence between 0 and 1, such as 0.95."
        )
    data = _read(chains, scores)
    values = _metric_values(data)
    code, rows = distinct_rows(values)
    groups: list[tuple[str, str, tuple[str, ...], FloatArray, NDArray[np.int64]]] = [
        ("all", "all", METRICS, rows, np.bincount(code, minlength=len(rows)))
    ]
    categories = np.array([_CODE[id(chain.category)] for chain in chains])
    for k, category in enumerate(TaskCategory):
        counts = np.bincount(code[categories == k], minlength=len(rows))
        groups.append(("category", category.value, METRICS, rows, counts))
    for kind, single in _single_drop_values(data).items():
        type_code, type_rows = distinct_rows(single)
        counts = np.bincount(type_code, minlength=len(type_rows))
        groups.append(("type", kind.value, SINGLE_DROP_METRICS, type_rows, counts))

    table = []
    for kind, subset, metrics, rows, counts in groups:
        if not counts.any():
            continue
        rng = np.random.default_rng([seed, crc32(f"{kind}/{subset}".encode())])
        seen = counts > 0
        mean, low, high, n = bootstrap_means(rows[seen], counts[seen], n_boot, confidence, rng)
        table += [
            (m, kind, subset, *row) for m, *row in zip(metrics, mean, low, high, n, strict=True)
        ]
    return pd.DataFrame(table, columns=list(COLUMNS))


def per_chain(chains: Sequence[Chain], scores: Sequence[ArrayLike]) -> pd.DataFrame:
    """Every metric of every chain.

    Args:
        chains: as in :func:`evaluate`.
        scores: as in :func:`evaluate`.

    Returns:
        One row per chain, in the order given, indexed by ``chain_id``; one column per entry of
        :data:`METRICS`. NaN where the scored responses have no two different gold ranks.

    Raises:
        WfineError: as in :func:`evaluate`.
    """
    values = _metric_values(_read(chains, scores))
    index = pd.Index([chain.chain_id for chain in chains], name="chain_id")
    return pd.DataFrame(values, index=index, columns=list(METRICS))


def compare(
    chains: Sequence[Chain],
    scores_a: Sequence[ArrayLike],
    scores_b: Sequence[ArrayLike],
    *,
    metrics: Sequence[str] = ("kendall_tau_b", "spearman_rho", "pairwise_accuracy"),
    n_boot: int = 1000,
    n_permutations: int = 10_000,
    seed: int = 0,
    confidence: float = 0.95,
) -> pd.DataFrame:
    """Paired difference a - b of two scorers on the same chains.

    Args:
        chains: as in :func:`evaluate`.
        scores_a: scores of the first scorer, as in :func:`evaluate`.
        scores_b: scores of the second scorer.
        metrics: which of :data:`METRICS`.
        n_boot: number of bootstrap draws over chains for the interval.
        n_permutations: number of random sign flips for the p-value.
        seed: seed of both.
        confidence: coverage of the percentile interval, between 0 and 1.

    Returns:
        One row per metric: ``metric, value_a, value_b, difference, ci_low, ci_high, p_value,
        cohens_d, n_chains``, as explained in ``resampling.paired_difference``. Only chains
        on which both scorers have the metric are used. Correct the p-values of several
        comparisons with :func:`holm`.

    Raises:
        WfineError: as in :func:`evaluate`; or an unknown metric.
    """
    unknown = sorted(set(metrics) - set(METRICS))
    if unknown:
        raise WfineError(
            f"weval.compare: found unknown metrics {unknown}; expected some of {list(METRICS)}."
        )
    a, b = per_chain(chains, scores_a), per_chain(chains, scores_b)
    table = []
    for metric in metrics:
        found = paired_difference(
            a[metric],
            b[metric],
            n_boot=n_boot,
            n_permutations=n_permutations,
            seed=[seed, crc32(metric.encode())],
            confidence=confidence,
        )
        table.append({"metric": metric, **found._asdict()})
    return pd.DataFrame(table).rename(columns={"n": "n_chains"})


@dataclass(frozen=True)
class _Data:
    """The scored responses of all chains, one after the other, as flat arrays."""

    n_responses: NDArray[np.int64]  # [chains], with the unscored ones
    n_scored: NDArray[np.int64]  # [chains]
    start: NDArray[np.int64]  # [chains], where a chain's scored responses begin
    score: FloatArray  # [scored responses]
    pattern: NDArray[np.int64]  # [scored responses], row of `kept`
    kept: NDArray[np.bool_]  # [distinct kept tuples, most requirements], padded with False
    type_start: NDArray[np.int64]  # [chains], where a chain's requirements begin in `type_code`
    type_code: NDArray[np.int64]  # [requirements], number of the RequirementType, or -1

    def batches(self, width: int) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
        """Chains of one size at a time: chain numbers [c], places of their responses [c, n]."""
        for n in np.unique(self.n_scored[self.n_scored >= 2]):
            members = np.flatnonzero(self.n_scored == n)
            step = max(1, _CELLS // int(n * n * width))
            for first in range(0, len(members), step):
                batch = members[first : first + step]
                yield batch, self.start[batch][:, None] + np.arange(n)


# Enum members are singletons, and their own hash runs in Python: their identity is much cheaper.
_CODE: dict[int, int] = {id(None): -1}
_CODE |= {id(member): k for k, member in enumerate(TaskCategory)}
_CODE |= {id(member): k for k, member in enumerate(RequirementType)}


def _read(chains: Sequence[Chain], scores: Sequence[ArrayLike]) -> _Data:
    if len(chains) == 0 or len(chains) != len(scores):
        raise WfineError(
            f"weval: found {len(chains)} chains and {len(scores)} arrays of scores; expected at "
            "least one chain and exactly one array per chain. Pass what scorer.score(chains) "
            "returned for these same chains."
        )
    sizes = list(map(len, map(attrgetter("responses"), chains)))
    try:
        arrays = [np.asarray(given, dtype=np.float64) for given in scores]
    except (TypeError, ValueError):
        arrays = []
    if [array.shape for array in arrays] != [(size,) for size in sizes]:
        raise _misshapen(chains, scores)
    score = np.concatenate(arrays)
    n_responses = np.array(sizes)
    chain_of = np.repeat(np.arange(len(chains)), n_responses)
    if np.isinf(score).any():
        place = int(np.flatnonzero(np.isinf(score))[0])
        raise WfineError(
            f"weval: chain {chains[chain_of[place]].chain_id!r}: found an infinite score; expected "
            "finite numbers, or NaN for a response that cannot be scored. Mend the scorer."
        )
    scored = ~np.isnan(score)
    if not scored.any():
        raise WfineError(
            f"weval: every score is NaN, from chain {chains[0].chain_id!r} to chain "
            f"{chains[-1].chain_id!r}; expected at least one response that could be scored. Leave "
            "this scorer out for these chains."
        )
    # Chains share few kept patterns, so each is numbered once and its flags are looked up later.
    number: defaultdict[tuple[bool, ...], int] = defaultdict()
    number.default_factory = number.__len__
    responses = chain_links.from_iterable(map(attrgetter("responses"), chains))
    pattern = np.fromiter(map(number.__getitem__, map(attrgetter("kept"), responses)), np.int64)
    patterns = np.zeros((len(number), max(map(len, number))), dtype=bool)
    for kept, k in number.items():
        patterns[k, : len(kept)] = kept
    requirements = chain_links.from_iterable(map(attrgetter("requirements"), chains))
    types = map(id, map(attrgetter("type"), requirements))
    type_code = np.fromiter(map(_CODE.__getitem__, types), np.int64)
    n_requirements = np.array([len(chain.requirements) for chain in chains])
    n_scored = np.bincount(chain_of[scored], minlength=len(chains))
    return _Data(
        n_responses=n_responses,
        n_scored=n_scored,
        start=np.cumsum(n_scored) - n_scored,
        score=score[scored],
        pattern=pattern[scored],
        kept=patterns,
        type_start=np.cumsum(n_requirements) - n_requirements,
        type_code=type_code,
    )


def _misshapen(chains: Sequence[Chain], scores: Sequence[ArrayLike]) -> WfineError:
    """The error for the first chain whose scores are not one number per response."""
    for chain, given in zip(chains, scores, strict=False):
        try:
            found = f"an array of shape {np.asarray(given, dtype=np.float64).shape}"
        except (TypeError, ValueError):
            found = f"a {type(given).__name__} that does not hold numbers only"
        size = len(chain.responses)
        if found != f"an array of shape {(size,)}":
            break
    return WfineError(
        f"weval: scores of chain {chain.chain_id!r}: found {found}; expected {size} numbers, one "
        "per response. Use NaN for a response that cannot be scored."
    )


def _signs(x: NDArray) -> NDArray[np.int8]:
    """Sign of x_i - x_j for all pairs: [c, n] -> [c, n, n]; never overflows."""
    left, right = x[:, :, None], x[:, None, :]
    return (left > right).view(np.int8) - (left < right).view(np.int8)


def _metric_values(data: _Data) -> FloatArray:
    """All metrics of all chains: shape [chains, metrics].

    With s_ij and g_ij the signs of the differences of scores and of gold ranks, the sum of
    s_ij over j is twice the distance of response i from the middle rank (average ranks for
    ties). So the rank metrics follow from the same signs as the pair metrics.
    """
    values = np.full((len(data.n_responses), len(METRICS)), np.nan)
    values[:, -1] = 1 - data.n_scored / data.n_responses
    gold_of_pattern = data.kept.sum(axis=1)
    for batch, place in data.batches(width=1):
        n = place.shape[1]
        s = _signs(data.score[place])
        g = _signs(gold_of_pattern[data.pattern[place]])
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
            result = np.stack(
                [
                    agree / np.sqrt(g_pairs * np.maximum(s_pairs, 1)),
                    (s_rank * g_rank).sum(axis=1) / np.sqrt(g_square * np.maximum(s_square, 1)),
                    (agree + g_pairs) / (2 * g_pairs),
                    1 - shift / (n * (n - 1)),
                    agree == g_pairs,
                    tied / g_pairs,
                    (agree + tied) / np.sqrt(g_pairs * (s_pairs + tied)),
                ],
                axis=1,
            )
        result[g_pairs == 0] = np.nan
        values[batch, :-1] = result
    return values


def _single_drop_values(data: _Data) -> dict[RequirementType, FloatArray]:
    """For each requirement type, :data:`SINGLE_DROP_METRICS` of the chains that have such pairs."""
    if (data.type_code < 0).all():
        return {}
    n_types, n_chains = len(RequirementType), len(data.n_responses)
    pairs, right, tied = np.zeros((3, n_chains * n_types))
    for batch, place in data.batches(width=data.kept.shape[1]):
        i, j = np.triu_indices(place.shape[1], 1)
        kept = data.kept[data.pattern[place]]
        differ = kept[:, i] ^ kept[:, j]  # [c, pairs, requirements]
        c, p = np.nonzero(np.count_nonzero(differ, axis=2) == 1)
        dropped = differ[c, p].argmax(axis=1)
        kind = data.type_code[data.type_start[batch[c]] + dropped]
        c, p, dropped, kind = (x[kind >= 0] for x in (c, p, dropped, kind))
        first_kept = kept[c, i[p], dropped]
        score = data.score[place]
        first, second = score[c, i[p]], score[c, j[p]]
        cell = batch[c] * n_types + kind
        points = np.where(first == second, 0.5, (first > second) == first_kept)
        pairs += np.bincount(cell, minlength=len(pairs))
        right += np.bincount(cell, weights=points, minlength=len(pairs))
        tied += np.bincount(cell, weights=first == second, minlength=len(pairs))
    found = {}
    for k, kind in enumerate(RequirementType):
        n = pairs[k::n_types]
        has = n > 0
        found[kind] = np.stack([right[k::n_types][has] / n[has], tied[k::n_types][has] / n[has]], 1)
    return found
