"""Preference pairs: two responses to one instruction, the first of which is better.

WRL pairs come from chains: two responses that differ by a dropped requirement. Coarse pairs
come from damaged writing, and stand for general preference.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import combinations, islice, permutations

import numpy as np

from wfine_utils.chains.taxonomy import Chain, RequirementType, Response
from wfine_utils.errors import WfineError
from wfine_utils.seeds import rng_for
from wfine_utils.settings import Granularity


@dataclass(frozen=True)
class PreferencePair:
    """Two responses, the first of which does better what it was asked to do.

    Args:
        topic: of the chain; training and test are kept apart by topic.
        requirement_type: type of what was dropped; None where the dropped requirements are
            unlabelled or of several types, and for pairs that drop nothing.
        instruction: what the reward model is given: the whole prompt, or one requirement.
        n_dropped: requirements that ``chosen`` was asked to meet and ``rejected`` was not.
        rejected_instruction: what the reward model is given with ``rejected``, where that is not
            ``instruction``: one text may be the better answer to one requirement and the worse one
            to another.
        check_kind: kind of the check that told which is better; None where labels did.
    """

    chain_id: str
    topic: str
    requirement_type: RequirementType | None
    instruction: str
    chosen: str
    rejected: str
    n_dropped: int
    rejected_instruction: str | None = None
    check_kind: str | None = None

    @property
    def instructions(self) -> tuple[str, str]:
        """What the reward model is given with ``chosen`` and with ``rejected``."""
        return self.instruction, self.rejected_instruction or self.instruction


def preference_pairs(
    chains: Iterable[Chain], *, granularity: Granularity, max_drop_distance: int = 1
) -> list[PreferencePair]:
    """Pairs of responses of one chain that differ by dropped requirements.

    The kept set of ``rejected`` is a strict subset of that of ``chosen``, smaller by at most
    ``max_drop_distance``. The instruction is the *full* prompt, or with ``"requirement"`` the text
    of a dropped requirement (one pair for each). Pairs with twice the same text are left out;
    :func:`n_identical` counts them.
    """
    return [
        PreferencePair(c.chain_id, c.topic, kind, text, chosen.text, rejected.text, len(dropped))
        for c in chains
        for chosen, rejected, dropped in _candidates(c, max_drop_distance)
        if chosen.text != rejected.text
        for kind, text in _inputs(c, dropped, granularity)
    ]


def n_identical(chains: Iterable[Chain]) -> int:
    """Number of response pairs one drop apart with the same text, which make no pair."""
    return sum(
        chosen.text == rejected.text
        for chain in chains
        for chosen, rejected, _ in _candidates(chain, max_drop_distance=1)
    )


def coarse_pairs(
    chains: Iterable[Chain], damage: Callable[[str, np.random.Generator], str], *, seed: int
) -> list[PreferencePair]:
    """Pairs of a good response and the same response written worse in general.

    Nothing is dropped: a reward model trained on these pairs, the *coarse* one, learns what bad
    writing looks like and nothing about requirements.

    Args:
        damage: ``damage(text, rng) -> text``, generally worse.
        seed: the damage depends on the seed and the chain id alone.

    Returns:
        One pair per chain, with the full prompt; none where no response keeps every requirement,
        or the damage changes nothing.
    """
    pairs: list[PreferencePair] = []
    for chain in chains:
        full = next((r.text for r in chain.responses if all(r.kept)), None)
        if full is None:
            continue
        worse = damage(full, rng_for(seed, "damage", chain.chain_id))
        if worse != full:
            pairs.append(
                PreferencePair(chain.chain_id, chain.topic, None, chain.prompt(), full, worse, 0)
            )
    return pairs


FOREIGN_CHAINS = 2
"""How many other chains the responses of one chain are asked about: few, so that a model that reads
a requirement once for all its pairs has little more to read."""


def foreign_pairs(chains: Sequence[Chain], n: int, *, seed: int) -> list[PreferencePair]:
    """Pairs that bring in a requirement of another chain, which nobody was asked to meet.

    Half of them are one response under a requirement of its own that it kept, and under a foreign
    one. The other half are two responses of one chain under a foreign requirement, each two in
    both orders, so that neither can win: whatever makes a response look good in general, such as
    its length, is of no use there. Now and then a foreign requirement is met by chance.

    Args:
        chains: on at least two topics (or with two base tasks, where they name no topic).
        n: pairs, as many as the chains give at most. A requirement in the words of one of the
            chain's own is not foreign to it.
        seed: of the draws.

    Raises:
        WfineError: fewer topics.
    """
    if not n:
        return []
    if len({c.topic or c.base_task for c in chains}) < 2:
        raise WfineError(
            f"foreign pairs: found {len(chains)} chains on fewer than two topics, expected two or "
            "more, as a foreign requirement comes from another topic; load more chains."
        )
    over: list[PreferencePair] = []
    tied: list[PreferencePair] = []
    for chain in chains:
        foreign = _foreign_requirements(chain, chains, rng_for(seed, "foreign", chain.chain_id))
        place = chain.chain_id, chain.topic, None
        over += [
            PreferencePair(*place, own.text, response.text, response.text, 0, text)
            for response in chain.responses
            for own, kept in zip(chain.requirements, response.kept, strict=True)
            for text in foreign
            if kept
        ]
        tied += [
            PreferencePair(*place, text, one.text, other.text, 0)
            for one, other in combinations(chain.responses, 2)
            for text in foreign
            if one.text != other.text
        ]
    both = draw_pairs(tied, n // 4, seed=seed)
    swapped = [replace(pair, chosen=pair.rejected, rejected=pair.chosen) for pair in both]
    return [*draw_pairs(over, n - 2 * len(both), seed=seed), *both, *swapped]


def _foreign_requirements(
    chain: Chain, chains: Sequence[Chain], rng: np.random.Generator
) -> list[str]:
    """Words of the requirements of some chains on other topics, without the chain's own."""
    topic, texts = chain.topic or chain.base_task, dict[str, None]()
    others = (chains[int(i)] for i in rng.permutation(len(chains)))
    elsewhere = (other for other in others if (other.topic or other.base_task) != topic)
    for other in islice(elsewhere, FOREIGN_CHAINS):
        texts |= dict.fromkeys(requirement.text for requirement in other.requirements)
    own = {requirement.text for requirement in chain.requirements}
    return [text for text in texts if text not in own]


def draw_pairs(pairs: Sequence[PreferencePair], n: int, *, seed: int) -> list[PreferencePair]:
    """At most ``n`` of the pairs, without replacement, in random order."""
    order = rng_for(seed, "draw pairs").permutation(len(pairs))[:n]
    return [pairs[i] for i in order]


def _candidates(
    chain: Chain, max_drop_distance: int
) -> Iterator[tuple[Response, Response, tuple[int, ...]]]:
    """(chosen, rejected, indices dropped between them) of one chain."""
    for chosen, rejected in permutations(chain.responses, 2):
        both = list(zip(chosen.kept, rejected.kept, strict=True))
        dropped = tuple(i for i, (c, r) in enumerate(both) if c and not r)
        is_subset = all(c or not r for c, r in both)
        if is_subset and 0 < len(dropped) <= max_drop_distance:
            yield chosen, rejected, dropped


def _inputs(
    chain: Chain, dropped: tuple[int, ...], granularity: Granularity
) -> list[tuple[RequirementType | None, str]]:
    """Type and instruction of each pair that dropping these requirements makes."""
    requirements = [chain.requirements[i] for i in dropped]
    if granularity == "requirement":
        return [(r.type, r.text) for r in requirements]
    if granularity == "prompt":
        types = {r.type for r in requirements}
        return [(types.pop() if len(types) == 1 else None, chain.prompt())]
    raise ValueError(f"unknown granularity {granularity!r}; known: 'prompt', 'requirement'")
