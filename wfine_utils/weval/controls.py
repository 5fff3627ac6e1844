"""Controls: does a scorer measure adherence, or something that goes along with it?

A dropped requirement often leaves a shorter text, so a scorer that likes long texts looks good.
Two controls hold the length fixed: by arithmetic over whole chains (:func:`partial_tau`) and
by choice of pairs (:func:`length_matched`). Two more say where a score comes from: from pairs
that lie far apart (:func:`by_gap`), or from chains whose first dropped requirement is of an easy
type (:func:`by_type_dropped_first`). Results by category and by the type of a single drop are
already in ``weval.evaluate``.

The tables have the columns of ``weval.evaluate`` and can be put below one of its tables; in all
functions ``chains``, ``scores``, ``n_boot``, ``seed`` and ``confidence`` are as there, and so are
the errors for them. Intervals are bootstrap percentiles over chains.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from zlib import crc32

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from wfine_utils.chains.taxonomy import Chain, RequirementType
from wfine_utils.errors import WfineError
from wfine_utils.weval.evaluation import COLUMNS, per_chain
from wfine_utils.weval.metrics import METRICS, SINGLE_DROP_METRICS, scored_chains
from wfine_utils.weval.resampling import (
    FloatArray,
    bootstrap_means,
    distinct_rows,
    paired_difference,
)
from wfine_utils.weval.scorers import LengthScorer

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

UNDETERMINED = "undetermined"
_DROPPED_FIRST = "type dropped first"


def partial_tau(
    chains: Sequence[Chain],
    scores: Sequence[ArrayLike],
    covariate: str | Sequence[ArrayLike] = "words",
    *,
    n_boot: int = 1000,
    seed: int = 0,
    confidence: float = 0.95,
) -> pd.DataFrame:
    """Kendall's tau-b of scores with gold when the length is held fixed.

    For each chain, with s, g and c for score, gold and covariate, the partial correlation is
    (tau_sg - tau_sc tau_gc) / sqrt((1 - tau_sc^2) (1 - tau_gc^2)). It has no value where the
    covariate orders the responses just as the score or the gold does, which is common in chains
    of a few responses, and always so for a scorer that *is* the covariate. Those chains are
    counted in ``undefined_rate``, and ``kendall_tau_b_where_defined`` is the plain tau-b of the
    others: compare ``partial_tau_b`` with that. ``pooled_partial_tau_b`` loses no chain: the
    same formula on the correlations over the pairs of all chains together, so that a chain
    weighs by its number of pairs.

    Read it as a control, not as a test of nothing: it does not reach 0 for a scorer that follows
    the length with noise. With normal variables, 0.85 for length with score and 0.75 for
    length with gold, 0.21 remains. :func:`length_matched` at tolerance 0 does not have this fault.

    A covariate that is equal throughout a chain explains nothing there, so that the partial
    tau-b is the plain one; a score that is equal throughout has tau-b 0, as in WEval.

    Args:
        covariate: "words" (separated by white space), or any finite numbers, shape
            [chains][responses].

    Returns:
        One row per entry of :data:`PARTIAL_METRICS`, columns :data:`PAIR_COLUMNS`.

    Raises:
        WfineError: also for an unknown covariate, or one that is not a finite number for every
            response.

    Source: Kendall (1942), partial rank correlation, with tau-b in the place of tau.
    """
    boot = _Bootstrap("partial_tau", n_boot, seed, confidence)
    pairs = _pairs(chains, scores, _covariate(covariate, chains))
    s, g, c = pairs.score, np.sign(pairs.gold), np.sign(pairs.first - pairs.second)
    products = (s * s, g * g, c * c, s * g, s * c, g * c)
    sums = np.stack([pairs.per_chain(product) for product in products], axis=1)
    sums = sums[sums[:, 1] > 0]  # as WEval, without chains that have one gold rank only
    plain, with_score, with_gold, partial = _partial(sums)
    unknown = np.isnan(partial)
    where_defined = np.where(unknown, np.nan, plain)
    values = (plain, with_score, with_gold, unknown.astype(float), where_defined, partial)
    rows = [*boot.means(np.stack(values, axis=1), "all", "all"), boot.pooled(sums)]
    n_pairs, n_defined = int(sums[:, 1].sum()), int(sums[~unknown, 1].sum())
    table = [
        (m, "all", "all", *row, n)
        for m, row, n in zip(
            PARTIAL_METRICS, rows, [n_pairs] * 4 + [n_defined] * 2 + [n_pairs], strict=True
        )
    ]
    return pd.DataFrame(table, columns=list(PAIR_COLUMNS))


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

    Two responses are matched if their numbers of words (separated by white space) differ by at
    most ``tolerance`` times the larger one. Such pairs may also lie closer in gold and so be
    harder; ``mean_gap`` says by how much.

    Args:
        tolerance: largest relative difference, 0 to 1.

    Returns:
        ``pairwise_accuracy`` (a tie counts 1/2) and ``tie_rate`` of the pairs with different
        gold, averaged over the chains that have such pairs, for the subsets ("length", "all"),
        ("length", "matched") and ("length", "unmatched"): columns :data:`PAIR_COLUMNS` and
        ``mean_gap``, the mean number of requirements between the two responses of a pair. NaN
        and ``n_pairs`` 0 where there is no pair.

    Raises:
        WfineError: also for a tolerance outside 0 to 1.
    """
    boot = _Bootstrap("length_matched", n_boot, seed, confidence)
    if not 0 <= tolerance <= 1:
        raise WfineError(
            f"length_matched: found tolerance={tolerance}; expected a share from 0 (equal length) "
            "to 1 (any length), such as 0.05."
        )
    pairs = _pairs(chains, scores, _covariate("words", chains))
    allowed = tolerance * np.maximum(pairs.first, pairs.second)
    matched = np.abs(pairs.first - pairs.second) <= allowed + 1e-9  # slack for rounding alone
    subsets = {"all": np.ones_like(matched), "matched": matched, "unmatched": ~matched}
    parts = []
    for name, used in subsets.items():
        gap = np.abs(pairs.gold[used & (pairs.gold != 0)])
        part = _accuracy(pairs, used, "length", name, boot)
        parts.append(part.assign(mean_gap=gap.mean() if len(gap) else np.nan))
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
        every difference of the numbers of requirements kept that occurs: subsets ("gap", "1"),
        ("gap", "2"), …; columns :data:`PAIR_COLUMNS`.

    Raises:
        WfineError: also if no chain has two scored responses of different gold.
    """
    boot = _Bootstrap("by_gap", n_boot, seed, confidence)
    pairs = _pairs(chains, scores, _covariate("words", chains))
    gap = np.abs(pairs.gold)
    if not gap.any():
        raise WfineError(
            f"by_gap: found no two scored responses with different gold in {len(chains)} chains; "
            "expected at least one such pair. Give chains whose responses differ and are scored."
        )
    parts = [_accuracy(pairs, gap == k, "gap", str(k), boot) for k in np.unique(gap[gap > 0])]
    return pd.concat(parts, ignore_index=True)


def by_type_dropped_first(
    chains: Sequence[Chain],
    scores: Sequence[ArrayLike],
    *,
    n_boot: int = 1000,
    seed: int = 0,
    confidence: float = 0.95,
) -> pd.DataFrame:
    """WEval by the type of the requirement that a chain drops first.

    Returns:
        Every metric of ``weval.evaluate`` for the subsets ("type dropped first", type): columns
        ``weval.COLUMNS``. A chain belongs to a type if its best responses keep one requirement
        of this type more than those of the second gold rank, and differ in nothing else; all
        other chains are in the subset "undetermined".
    """
    boot = _Bootstrap("by_type_dropped_first", n_boot, seed, confidence)
    values = per_chain(chains, scores).to_numpy()
    kinds = np.array([_type_dropped_first(chain) or UNDETERMINED for chain in chains])
    table = []
    for name in [*map(str, RequirementType), UNDETERMINED]:
        if (kinds == name).any():
            rows = boot.means(values[kinds == name], _DROPPED_FIRST, name)
            table += [(m, _DROPPED_FIRST, name, *r) for m, r in zip(METRICS, rows, strict=True)]
    return pd.DataFrame(table, columns=list(COLUMNS))


@dataclass(frozen=True)
class _Bootstrap:
    """How intervals are drawn, checked once for the function ``caller``."""

    caller: str
    n_boot: int
    seed: int
    confidence: float

    def __post_init__(self) -> None:
        if self.n_boot < 0 or not 0 < self.confidence < 1:
            raise WfineError(
                f"{self.caller}: found n_boot={self.n_boot}, confidence={self.confidence}; expected"
                " n_boot of at least 0 and a confidence between 0 and 1, such as 0.95."
            )

    def rng(self, kind: str, subset: str) -> np.random.Generator:
        return np.random.default_rng([self.seed, crc32(f"{kind}/{subset}".encode())])

    def means(self, values: FloatArray, kind: str, subset: str) -> list[tuple[float, ...]]:
        """(mean, low, high, n) of each column of ``values`` [chains, columns]."""
        code, rows = distinct_rows(values)
        counts = np.bincount(code, minlength=len(rows))
        rng = self.rng(kind, subset)
        found = bootstrap_means(rows, counts, self.n_boot, self.confidence, rng)
        return list(zip(*found, strict=True))

    def pooled(self, sums: FloatArray) -> tuple[float, float, float, int]:
        """(value, low, high, n) of the partial tau of ``sums`` [chains, 6] added over chains."""
        code, rows = distinct_rows(sums)
        counts, n = np.bincount(code, minlength=len(rows)), len(sums)
        value = float(_partial(counts @ rows)[-1])
        drawn = np.empty(0)
        if n > 1 and self.n_boot:
            times = self.rng("all", "pooled").multinomial(n, counts / n, size=self.n_boot)
            drawn = _partial(times @ rows)[-1]
            drawn = drawn[~np.isnan(drawn)]
        if len(drawn) == 0:
            return value, float("nan"), float("nan"), n
        tail = (1 - self.confidence) / 2
        low, high = np.quantile(drawn, (tail, 1 - tail))
        return value, float(low), float(high), n


@dataclass(frozen=True)
class _Pairs:
    """All pairs of scored responses within their chains, one after the other: shape [pairs]."""

    n_chains: int
    chain: NDArray[np.int64]  # number of the chain
    score: NDArray[np.int64]  # sign of the first score minus the second
    gold: NDArray[np.int64]  # requirements kept by the first minus those kept by the second
    first: FloatArray  # covariate of the first response
    second: FloatArray  # covariate of the second response

    def per_chain(self, values: NDArray) -> FloatArray:
        """Sum of ``values`` [pairs] over the pairs of each chain: shape [chains]."""
        return np.bincount(self.chain, weights=values.astype(float), minlength=self.n_chains)


def _pairs(
    chains: Sequence[Chain], scores: Sequence[ArrayLike], covariate: Sequence[FloatArray]
) -> _Pairs:
    data = scored_chains(chains, scores)
    scored = ~np.isnan(np.concatenate([np.asarray(s, dtype=float) for s in scores]))
    along = np.concatenate(covariate)[scored]
    gold = data.kept.sum(axis=1)[data.pattern]
    none = np.zeros(0, dtype=np.int64)
    chain, first, second = [none], [none], [none]
    for batch, place in data.batches(width=1):
        i, j = np.triu_indices(place.shape[1], 1)
        chain.append(np.repeat(batch, len(i)))
        first.append(place[:, i].ravel())
        second.append(place[:, j].ravel())
    a, b = np.concatenate(first), np.concatenate(second)
    sign = (data.score[a] > data.score[b]).astype(int) - (data.score[a] < data.score[b])
    number = np.concatenate(chain)
    return _Pairs(len(chains), number, sign, gold[a] - gold[b], along[a], along[b])


def _covariate(covariate: str | Sequence[ArrayLike], chains: Sequence[Chain]) -> list[FloatArray]:
    if isinstance(covariate, str):
        if covariate == "words":
            return LengthScorer().score(chains)
        raise WfineError(
            f"covariate: found {covariate!r}; expected 'words', or one array of numbers per chain."
        )
    arrays = [np.asarray(given, dtype=float) for given in covariate]
    sizes = [(len(chain.responses),) for chain in chains]
    if [a.shape for a in arrays] != sizes or not all(np.isfinite(a).all() for a in arrays):
        raise WfineError(
            f"covariate: found {len(arrays)} arrays for {len(chains)} chains; expected one per "
            "chain, each with one finite number per response."
        )
    return arrays


def _accuracy(
    pairs: _Pairs, used: NDArray[np.bool_], kind: str, subset: str, boot: _Bootstrap
) -> pd.DataFrame:
    """:data:`SINGLE_DROP_METRICS` of the used pairs with different gold, averaged over chains."""
    used = used & (pairs.gold != 0)
    n = pairs.per_chain(used)
    tied = pairs.score == 0
    points = np.where(tied, 0.5, pairs.score == np.sign(pairs.gold))
    sums = np.stack([pairs.per_chain(points * used), pairs.per_chain(tied & used)], axis=1)
    rows = boot.means(sums[n > 0] / n[n > 0, None], kind, subset)
    table = [
        (metric, kind, subset, *row, int(n.sum()))
        for metric, row in zip(SINGLE_DROP_METRICS, rows, strict=True)
    ]
    return pd.DataFrame(table, columns=list(PAIR_COLUMNS))


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


def _type_dropped_first(chain: Chain) -> RequirementType | None:
    """Type of the only requirement between the two highest gold ranks; None if there is none."""
    levels = sorted(set(chain.gold), reverse=True)[:2]
    best, second = ([r.kept for r in chain.responses if r.gold == k] for k in (*levels, -1)[:2])
    found = set()
    for upper in best:
        for lower in second:
            differ = [i for i, (a, b) in enumerate(zip(upper, lower, strict=True)) if a != b]
            found.add(chain.requirements[differ[0]].type if len(differ) == 1 else None)
    return found.pop() if len(found) == 1 else None


def drop_shifts(
    chains: Sequence[Chain], values: Sequence[ArrayLike], *, n_boot: int = 1000, seed: int = 0
) -> pd.DataFrame:
    """By how much a number changes from a response to one that drops one requirement more.

    Args:
        chains: any.
        values: shape [chains][responses], such as words or a log-likelihood; NaN where there is
            none.
        n_boot: bootstrap draws.
        seed: of the draws and of the sign flips.

    Returns:
        One row per type of the dropped requirement, "unlabelled" where it has none, and one for
        "all": ``type, value`` (mean of dropped minus kept), ``ci_low, ci_high, p_value, cohens_d,
        n`` steps. Steps of one chain are taken as independent of each other.
    """
    steps = [
        (str(chain.requirements[differ[0]].type or "unlabelled"), float(v[j]) - float(v[i]))
        for chain, given in zip(chains, values, strict=True)
        for v in [np.asarray(given, dtype=float)]
        for i, better in enumerate(chain.responses)
        for j, worse in enumerate(chain.responses)
        if better.gold == worse.gold + 1
        for differ in [[k for k, (a, b) in enumerate(zip(better.kept, worse.kept, strict=True))
                        if a != b]]
        if len(differ) == 1
    ]  # fmt: skip
    table = pd.DataFrame(steps, columns=["type", "shift"])
    rows = []
    for name in [*sorted(table["type"].unique()), "all"]:
        part = table if name == "all" else table[table["type"] == name]
        shift = part["shift"].to_numpy(dtype=float)
        found = paired_difference(shift, np.zeros(len(shift)), n_boot=n_boot, seed=seed)
        rows.append({
            "type": name, "value": found.difference, "ci_low": found.ci_low,
            "ci_high": found.ci_high, "p_value": found.p_value, "cohens_d": found.cohens_d,
            "n": found.n,
        })  # fmt: skip
    return pd.DataFrame(rows)
