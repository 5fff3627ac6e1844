"""Training pairs of the tiny world with a known share of one kind of dirt.

A clean pair is what requirement dropping promises: ``rejected`` fails exactly what was dropped,
meets whatever else ``chosen`` meets, and differs in nothing else. Real pairs fall short of that.
Here the shortfall is the experiment: one kind of it at a time, in a share that is exact, with the
checkers as witnesses.

Pair k depends on the seed and on k alone. So two sets of one seed that differ in share or kind
hold the same pairs wherever both are clean, and a pair that is dirty at one share is dirty at every
larger one: what differs between two reward models is the dirt, not the luck of the draw.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from wfine_utils.chains.dropping import KeptSet
from wfine_utils.chains.pairs import PreferencePair
from wfine_utils.chains.taxonomy import Query, Requirement
from wfine_utils.checks.dispatch import verdicts
from wfine_utils.checks.simple import words
from wfine_utils.errors import WfineError
from wfine_utils.seeds import rng_for
from wfine_utils.settings import Source
from wfine_utils.tiny_world.writer import damage, write

Dirt = Literal["not_dropped", "others_broken", "length", "fluency", "sloppy"]
"""``sloppy`` is a mixture: each dirty pair is ``not_dropped`` or ``others_broken``."""

KINDS: tuple[Dirt, ...] = get_args(Dirt)

SHORTER_BY = 5
"""Words by which ``rejected`` is shorter at least, in a pair with the length confound."""

_SAME_QUERY, _MAX_ATTEMPTS, _REWRITES = 8, 200, 12


@dataclass(frozen=True)
class StudyPair:
    """A preference pair and what is known about it.

    Args:
        pair: what a reward model is trained on.
        query: the query that both texts answer.
        chosen_kept: what ``chosen`` is asked to meet, and nothing else.
        rejected_kept: what ``rejected`` was asked to meet; it does so where the pair is clean.
        dirty: whether it has the dirt that was asked for.
        attempt: 0, or how often the pair was drawn anew because it could not be had.
    """

    pair: PreferencePair
    query: Query
    chosen_kept: KeptSet
    rejected_kept: KeptSet
    dirty: bool
    attempt: int = 0


def dirty_pairs(
    queries: Sequence[Query],
    kind: Dirt | None,
    share: float,
    *,
    n: int,
    granularity: Literal["prompt", "requirement"] = "requirement",
    seed: int,
    source: Source = "neighbours",
    droppable: Callable[[Requirement], bool] = lambda requirement: True,
) -> list[StudyPair]:
    """``n`` pairs, of which exactly ``round(share * n)`` are dirty; ``chosen`` is always clean.

    In all kinds but the first two the checkers' verdicts are those of a clean pair.

    =================  =====================================================================
    not_dropped        ``rejected`` meets what was dropped: the two differ in words only
    others_broken      ``rejected`` fails one more requirement that it was to meet
    length             ``rejected`` is shorter than ``chosen`` by :data:`SHORTER_BY` words or more
    fluency            ``rejected`` is damaged as well (``synthetic.damage``)
    sloppy             one of the first two, at random
    =================  =====================================================================

    Some dirt cannot be had with some pairs: when "at most 28 words" is dropped, the text that
    exceeds it is not the shorter one; a pair that keeps nothing else has nothing else to break.
    Then texts and plan (what is kept, what is dropped) are drawn anew, and after eight attempts the
    query too. So with ``length`` the types of what is dropped are not spread quite as in clean
    pairs, nor are kept sets with ``others_broken``; ``StudyPair.attempt`` counts the draws.

    Args:
        queries: of the tiny world; pair k answers query k, or k modulo their number.
        kind: the dirt; None with a share of 0.
        share: of dirty pairs, 0 to 1.
        n: number of pairs.
        granularity: the instruction is the whole prompt, or a dropped requirement (any of them).
        seed: of everything.
        source: which plans are drawn. ``single``: everything is kept, one is dropped.
            ``nested``: two levels of a chain that drops one after the other in random order.
            ``neighbours``: two levels next to each other. ``both``: single or nested, half each.
        droppable: requirements for which it is False are never dropped, so that they are never
            the instruction of a pair; ``source`` "nested" keeps them to the end.

    Returns:
        The pairs, in the order of k.

    Raises:
        WfineError: no queries, an unknown kind, a share beyond 0 to 1 or without a kind, or a pair
            that could not be had in 200 attempts.
    """
    if not queries or not 0 <= share <= 1 or (kind is None and share) or n < 1:
        raise WfineError(
            f"dirty_pairs: found {len(queries)} queries, kind {kind!r}, share {share} and n = {n}; "
            "expected at least one query and one pair, and a share of 0 to 1, which is 0 where "
            "there is no kind. Mend the arguments."
        )
    if kind is not None and kind not in KINDS:
        raise WfineError(f"dirty_pairs: found kind {kind!r}, expected one of {', '.join(KINDS)}.")
    which = rng_for(seed, "noisy pairs", "which").permutation(n)[: round(share * n)]
    kinds: list[Dirt | None] = [None] * n
    for k in which:
        kinds[k] = kind
    return [
        _study_pair(queries, k, kinds[k], granularity, seed, source, droppable) for k in range(n)
    ]


def filtered(pairs: Iterable[StudyPair]) -> list[StudyPair]:
    """Only the pairs of which the checkers find that the drop is real and all else holds.

    Length and fluency are no requirements: the filter does not see that dirt.
    """
    return [
        p
        for p in pairs
        if verdicts(p.query.requirements, p.pair.chosen) == p.chosen_kept
        and verdicts(p.query.requirements, p.pair.rejected) == p.rejected_kept
    ]


def _study_pair(
    queries: Sequence[Query],
    k: int,
    kind: Dirt | None,
    granularity: str,
    seed: int,
    source: Source,
    droppable: Callable[[Requirement], bool],
) -> StudyPair:
    for attempt in range(_MAX_ATTEMPTS):
        rng = rng_for(seed, "noisy pairs", "plan", k, attempt)
        anew = attempt >= _SAME_QUERY
        query = queries[int(rng.integers(len(queries))) if anew else k % len(queries)]
        may_drop = [i for i, r in enumerate(query.requirements) if droppable(r)]
        if not may_drop:
            continue
        chosen_kept, rejected_kept = _plan(rng, len(query.requirements), may_drop, source)
        chosen, rejected = (write(query, kept, rng) for kept in (chosen_kept, rejected_kept))
        dropped = [i for i in may_drop if chosen_kept[i] and not rejected_kept[i]]
        asked = query.requirements[dropped[int(rng.integers(len(dropped)))]]
        if kind is not None:
            spoilt = _spoilt(
                kind, query, chosen_kept, rejected_kept, chosen, rejected,
                rng_for(seed, "noisy pairs", kind, k, attempt),
            )  # fmt: skip
            if spoilt is None:
                continue
            rejected = spoilt
        by_requirement = granularity == "requirement"
        pair = PreferencePair(
            f"pair-{k:05d}",
            query.topic,
            asked.type if by_requirement or len(dropped) == 1 else None,
            asked.text if by_requirement else query.prompt(),
            chosen,
            rejected,
            len(dropped),
        )
        return StudyPair(pair, query, chosen_kept, rejected_kept, kind is not None, attempt)
    raise WfineError(
        f"dirty_pairs: pair {k} of kind {kind!r} could not be had in {_MAX_ATTEMPTS} attempts from "
        f"{len(queries)} queries; expected queries of the tiny world with something to drop. Give "
        "more queries, or allow more requirements to be dropped."
    )


def _plan(
    rng: np.random.Generator, n_requirements: int, may_drop: Sequence[int], source: Source
) -> tuple[KeptSet, KeptSet]:
    """What ``chosen`` and ``rejected`` keep: two levels of the chain of one random drop order."""
    if source == "both":
        source = ("single", "nested")[int(rng.integers(2))]
    order = [int(i) for i in rng.permutation(may_drop)]
    n_dropped = int(rng.integers(len(order)))  # by chosen
    more = 1 + int(rng.integers(len(order) - n_dropped))  # by rejected
    if source == "single":
        n_dropped = 0
    if source != "nested":
        more = 1
    chosen, rejected = order[:n_dropped], order[: n_dropped + more]
    if source == "neighbours" and len(may_drop) < n_requirements:
        # What may not be dropped is the same in both texts, yet not always kept.
        others = [i for i in range(n_requirements) if i not in may_drop and rng.random() < 0.5]
        chosen, rejected = chosen + others, rejected + others
    return tuple(
        tuple(i not in dropped for i in range(n_requirements)) for dropped in (chosen, rejected)
    )


def _spoilt(
    kind: Dirt,
    query: Query,
    chosen_kept: KeptSet,
    rejected_kept: KeptSet,
    chosen: str,
    rejected: str,
    rng: np.random.Generator,
) -> str | None:
    """A rejected text with the dirt; None where none was found."""
    if kind == "sloppy":
        kind = ("not_dropped", "others_broken")[int(rng.integers(2))]
    others = [i for i, keep in enumerate(rejected_kept) if keep]
    if kind == "others_broken" and not others:
        return None
    wanted = {"not_dropped": chosen_kept}.get(kind, rejected_kept)
    if kind == "others_broken":
        broken = others[int(rng.integers(len(others)))]
        wanted = tuple(keep and i != broken for i, keep in enumerate(rejected_kept))
    limit = len(words(chosen)) - SHORTER_BY
    for _ in range(_REWRITES):
        text = damage(rejected, rng) if kind == "fluency" else write(query, wanted, rng)
        if kind == "length" and len(words(text)) > limit:
            continue
        if kind == "fluency" and (
            text == rejected or verdicts(query.requirements, text) != rejected_kept
        ):
            continue
        if text != chosen:
            return text
    return None
