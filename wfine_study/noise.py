"""Training pairs of the tiny world, a known share of which has one kind of noise.

A clean pair is what requirement dropping promises: ``rejected`` fails exactly what was dropped,
meets whatever else ``chosen`` meets, and differs in nothing else. Real pairs fall short of that:
here in one way at a time and an exact share, with the checkers as witnesses.

Pair k depends on the seed and on k alone. So two sets of one seed that differ in share or kind of
noise hold the same pairs wherever both are clean, and a pair that is noisy at one share is noisy at
every larger one: what differs between two reward models is the noise, not the luck of the draw.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.random import Generator

from wfine_utils.chains.dropping import KeptSet
from wfine_utils.chains.pairs import PreferencePair
from wfine_utils.chains.taxonomy import Query, Requirement
from wfine_utils.checks.dispatch import verdicts
from wfine_utils.checks.words import word_count
from wfine_utils.errors import WfineError
from wfine_utils.seeds import rng_for
from wfine_utils.settings import Granularity, PairPlan
from wfine_utils.tiny_world.writer import damage, pick, write

Noise = Literal["not_dropped", "others_broken", "length", "fluency", "sloppy"]
"""``sloppy`` is a mixture: each noisy pair is ``not_dropped`` or ``others_broken``."""

NOISE_KINDS: tuple[Noise, ...] = get_args(Noise)
PURE_NOISE: tuple[Noise, ...] = ("not_dropped", "others_broken", "length", "fluency")

SHORTER_BY = 5
"""Words by which ``rejected`` is shorter at least, in a pair with the length confound."""

_SAME_QUERY, _MAX_ATTEMPTS, _REWRITES = 8, 200, 12

KeptSets = tuple[KeptSet, KeptSet]
"""Of ``chosen`` and of ``rejected``."""


@dataclass(frozen=True)
class StudyPair:
    """A preference pair and what is known about it.

    Args:
        pair: what a reward model is trained on.
        query: the query that both texts answer.
        chosen_kept: what ``chosen`` is asked to meet, and nothing else.
        rejected_kept: what ``rejected`` was asked to meet; it does so where the pair is clean.
        is_noisy: whether it has the noise that was asked for.
        attempt: 0, or how often the pair was drawn anew because it could not be had.
    """

    pair: PreferencePair
    query: Query
    chosen_kept: KeptSet
    rejected_kept: KeptSet
    is_noisy: bool
    attempt: int = 0


def noisy_pairs(
    queries: Sequence[Query],
    *,
    n: int,
    seed: int,
    noise: Noise | None = None,
    share: float = 0,
    granularity: Granularity = "requirement",
    plan: PairPlan = "neighbours",
    droppable: Callable[[Requirement], bool] = lambda requirement: True,
) -> list[StudyPair]:
    """``n`` pairs, of which exactly ``round(share * n)`` are noisy; ``chosen`` is always clean.

    With all kinds of noise but the first two, the checkers' verdicts are those of a clean pair.

    =================  =====================================================================
    not_dropped        ``rejected`` meets what was dropped: the two differ in words only
    others_broken      ``rejected`` fails one more requirement that it was to meet
    length             ``rejected`` is shorter than ``chosen`` by :data:`SHORTER_BY` words or more
    fluency            ``rejected`` is damaged as well (``writer.damage``)
    sloppy             one of the first two, at random
    =================  =====================================================================

    Some noise cannot be had with some pairs: a text that exceeds "at most 28 words" is not the
    shorter one. Then texts and plan are drawn anew, and after eight attempts the query too. So
    with ``length`` the types of what is dropped are not spread quite as in clean pairs, nor are
    kept sets with ``others_broken``; ``StudyPair.attempt`` counts the draws.

    Args:
        queries: of the tiny world; pair k answers query k, or k modulo their number.
        noise: None with a share of 0.
        share: of noisy pairs, 0 to 1.
        granularity: the instruction is the whole prompt, or a dropped requirement (any of them).
        plan: what the two texts keep. ``single``: everything is kept, one is dropped. ``nested``:
            two levels of a chain that drops one after the other in random order. ``neighbours``:
            two levels next to each other. ``both``: single or nested, half each.
        droppable: requirements for which it is False are never dropped, so that they are never
            the instruction of a pair; with plan "nested" they are kept to the end.

    Raises:
        WfineError: bad arguments, or a pair that could not be had in 200 attempts.
    """
    is_known = share == 0 if noise is None else noise in NOISE_KINDS and 0 <= share <= 1
    if not queries or n < 1 or not is_known:
        raise WfineError(
            f"noisy_pairs: found noise {noise!r}, share {share}, n = {n}, {len(queries)} queries; "
            f"expected noise of {', '.join(NOISE_KINDS)} with a share of 0 to 1, or None with 0; "
            "at least one query and one pair."
        )
    is_noisy = np.zeros(n, dtype=bool)
    is_noisy[rng_for(seed, "noisy pairs", "which").permutation(n)[: round(share * n)]] = True
    return [
        _study_pair(queries, k, noise if is_noisy[k] else None, granularity, seed, plan, droppable)
        for k in range(n)
    ]


def only_true_labels(pairs: Iterable[StudyPair]) -> list[StudyPair]:
    """Only the pairs of which the checkers find that the drop is real and all else holds.

    Length and fluency are no requirements: this filter does not see that noise.
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
    noise: Noise | None,
    granularity: Granularity,
    seed: int,
    plan: PairPlan,
    droppable: Callable[[Requirement], bool],
) -> StudyPair:
    for attempt in range(_MAX_ATTEMPTS):
        rng = rng_for(seed, "noisy pairs", "plan", k, attempt)
        query = pick(rng, queries) if attempt >= _SAME_QUERY else queries[k % len(queries)]
        may_drop = [i for i, r in enumerate(query.requirements) if droppable(r)]
        if not may_drop:
            continue
        kept = chosen_kept, rejected_kept = _kept_sets(rng, len(query.requirements), may_drop, plan)
        chosen, rejected = (write(query, part, rng) for part in kept)
        dropped = [i for i in may_drop if chosen_kept[i] and not rejected_kept[i]]
        instruction = query.requirements[pick(rng, dropped)]
        if noise is not None:
            rng = rng_for(seed, "noisy pairs", noise, k, attempt)
            if (spoilt := _spoilt(noise, query, kept, chosen, rejected, rng)) is None:
                continue
            rejected = spoilt
        by_requirement = granularity == "requirement"
        pair = PreferencePair(
            chain_id=f"pair-{k:05d}",
            topic=query.topic,
            requirement_type=instruction.type if by_requirement or len(dropped) == 1 else None,
            instruction=instruction.text if by_requirement else query.prompt(),
            chosen=chosen,
            rejected=rejected,
            n_dropped=len(dropped),
        )
        return StudyPair(pair, query, *kept, is_noisy=noise is not None, attempt=attempt)
    raise WfineError(
        f"noisy_pairs: pair {k} with noise {noise!r} could not be had in {_MAX_ATTEMPTS} attempts "
        f"from {len(queries)} queries; give more queries, or let more requirements be dropped."
    )


def _kept_sets(
    rng: Generator, n_requirements: int, may_drop: Sequence[int], plan: PairPlan
) -> KeptSets:
    """What ``chosen`` and ``rejected`` keep: two levels of the chain of one random drop order."""
    if plan == "both":
        plan = pick(rng, ("single", "nested"))
    places = range(n_requirements)
    order = [int(i) for i in rng.permutation(may_drop)]
    n_dropped = int(rng.integers(len(order)))  # by chosen
    n_more = 1 + int(rng.integers(len(order) - n_dropped))  # by rejected
    if plan == "single":
        n_dropped = 0
    if plan != "nested":
        n_more = 1
    chosen, rejected = order[:n_dropped], order[: n_dropped + n_more]
    if plan == "neighbours" and len(may_drop) < n_requirements:
        # What may not be dropped is the same in both texts, yet not always kept.
        others = [i for i in places if i not in may_drop and rng.random() < 0.5]
        chosen, rejected = chosen + others, rejected + others
    return tuple(i not in chosen for i in places), tuple(i not in rejected for i in places)


def _spoilt(
    noise: Noise, query: Query, kept: KeptSets, chosen: str, rejected: str, rng: Generator
) -> str | None:
    """A rejected text with the noise; None where there was none to be had."""
    chosen_kept, rejected_kept = kept
    if noise == "sloppy":
        noise = pick(rng, ("not_dropped", "others_broken"))
    wanted = chosen_kept if noise == "not_dropped" else rejected_kept
    if noise == "others_broken":
        others = [i for i, keep in enumerate(rejected_kept) if keep]
        if not others:
            return None
        broken = pick(rng, others)
        wanted = tuple(keep and i != broken for i, keep in enumerate(rejected_kept))
    limit = word_count(chosen) - SHORTER_BY
    for _ in range(_REWRITES):
        if noise == "fluency":
            text = damage(rejected, rng)
            holds = text != rejected and verdicts(query.requirements, text) == rejected_kept
        else:
            text = write(query, wanted, rng)
            holds = noise != "length" or word_count(text) <= limit
        if holds and text != chosen:
            return text
    return None
