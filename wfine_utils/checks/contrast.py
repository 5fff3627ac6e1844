"""Pairs in which only the requirement differs, or only what it is asked of.

WRL's pairs are two responses, of which one was asked for more: whoever prefers the longer or the
richer one is often right without reading the requirement. Here a check measures what a real text
has, and the requirement is made to fit.

* A **contrast pair** is one text under a requirement that it meets and under one that it violates:
  "at least 118 words" and "at most 117 words" for a text of 124, "at most 130" and "at least 131".
* A **cross pair** is one requirement and two texts of similar length that answer different prompts,
  of which one meets it.

A scorer that does not look at the requirement gets half of the contrast pairs right. One that looks
at the requirement alone should get about half, too, so two bounds of one direction are never
contrasted: the laxer of them would always be the one that is met. What is left to it are base
rates: which numbers are usual. Contrast sets (Gardner et al. 2020) and Winoground (Thrush et al.
2022) examine models so; these pairs train them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import count

import numpy as np

from wfine_utils.chains.pairs import PreferencePair, draw_pairs, foreign_pairs
from wfine_utils.chains.taxonomy import Chain, RequirementType
from wfine_utils.checks.dispatch import check, measure
from wfine_utils.checks.phrases import phrase
from wfine_utils.checks.twins import Check
from wfine_utils.checks.words import words
from wfine_utils.errors import WfineError
from wfine_utils.seeds import rng_for

COUNTED: Mapping[str, RequirementType] = {
    "word_count": RequirementType.LENGTH,
    "sentences": RequirementType.LENGTH,
    "list_items": RequirementType.FORMAT,
    "headings": RequirementType.FORMAT,
    "bold_count": RequirementType.FORMAT,
    "question_count": RequirementType.STYLE,
    "exclamation_sentences": RequirementType.STYLE,
    "first_person": RequirementType.STYLE,
    "second_person": RequirementType.STYLE,
    "contractions": RequirementType.STYLE,
    "numbers": RequirementType.CONTENT,
    "quotations": RequirementType.CONTENT,
}
"""Kinds of check that count something in any text, and their type of requirement."""

WORDED: Mapping[str, RequirementType] = {
    "mentions": RequirementType.CONTENT,
    "mentions_some": RequirementType.CONTENT,
    "forbids": RequirementType.CONTENT,
}
"""Kinds of check that look for words."""

KINDS: Mapping[str, RequirementType] = {**COUNTED, **WORDED}
"""Every kind that pairs are made of, and its type of requirement."""

MIN_LETTERS = 5
"""Words that are asked for have at least so many letters: function words stand in every text."""

NEAR = 0.25
"""A bound lies at most this share of the count from it, or one."""

MAX_TRIES = 200
"""Draws in which no text gives a new pair of a kind, after which the kind is left out."""

SIMILAR = 0.10
"""The texts of a cross pair differ by at most this share of the longer one's words."""


@dataclass(frozen=True)
class _Text:
    """A response and what is needed of it more than once."""

    chain: Chain
    text: str

    @cached_property
    def words(self) -> frozenset[str]:
        """Its words of :data:`MIN_LETTERS` letters and more, in small letters, in no order."""
        spoken = (word.lower() for word in words(self.text))
        return frozenset(word for word in spoken if word.isalpha() and len(word) >= MIN_LETTERS)

    @cached_property
    def n_words(self) -> int:
        return len(words(self.text))


def contrast_pairs(
    chains: Sequence[Chain], n: int, *, seed: int, kinds: Iterable[str] = tuple(KINDS)
) -> list[PreferencePair]:
    """Each one text, under a requirement that it meets and under one that it violates.

    Args:
        chains: any with texts; their own requirements are not used. At least two topics.
        n: pairs, as evenly over the kinds as the texts allow.
        seed: of the draws. The first pairs of a longer list are those of a shorter one.
        kinds: of :data:`KINDS`.

    Returns:
        Pairs with the same text as ``chosen`` and ``rejected``; ``instruction`` is the requirement
        that is met, ``rejected_instruction`` the one that is not. The verdicts are those of the
        checks.

    Raises:
        WfineError: an unknown kind, or texts of which too few pairs can be made.
    """
    return _drawn(chains, n, seed, kinds, "contrast", _contrast)


def cross_pairs(
    chains: Sequence[Chain], n: int, *, seed: int, kinds: Iterable[str] = tuple(KINDS)
) -> list[PreferencePair]:
    """Each one requirement and two texts of other topics and similar length: one meets it.

    Args, Raises:
        as :func:`contrast_pairs`.
    """
    return _drawn(chains, n, seed, kinds, "cross", _cross)


_Make = Callable[[str, Sequence[_Text], np.random.Generator], PreferencePair | None]


def _drawn(
    chains: Sequence[Chain], n: int, seed: int, kinds: Iterable[str], plan: str, make: _Make
) -> list[PreferencePair]:
    """Pairs of all kinds in turn; a kind that no text offers any more is left out."""
    left = list(kinds) if n else []
    if unknown := sorted({*left} - {*KINDS}):
        raise WfineError(f"kinds: found {unknown}, expected some of {', '.join(KINDS)}.")
    texts = [_Text(chain, r.text) for chain in chains for r in chain.responses if r.text.strip()]
    if n and len({_topic(text) for text in texts}) < 2:
        raise WfineError(
            f"{plan} pairs: found texts on fewer than two topics in {len(chains)} chains, expected "
            "two or more; load more chains."
        )
    pairs: dict[PreferencePair, None] = {}
    for turn in count():
        if not left or len(pairs) == n:
            break
        kind = left.pop(0)
        tries = (make(kind, texts, rng_for(seed, plan, kind, turn, i)) for i in range(MAX_TRIES))
        if new := next((pair for pair in tries if pair is not None and pair not in pairs), None):
            pairs[new] = None
            left.append(kind)
    if len(pairs) < n:
        raise WfineError(
            f"{plan} pairs: found {len(pairs)} that {len(texts)} texts allow, expected {n}; load "
            "more chains or ask for fewer pairs."
        )
    return [*pairs]


def _topic(text: _Text) -> str:
    return text.chain.topic or text.chain.base_task


def _contrast(kind: str, texts: Sequence[_Text], rng: np.random.Generator) -> PreferencePair | None:
    text, other = _two(texts, rng)
    specs = _met_and_violated(kind, text, other, rng)
    if specs is None or not check(specs[0], text.text) or check(specs[1], text.text):
        return None
    said = [phrase(spec, rng) for spec in specs]
    chain = text.chain
    return PreferencePair(
        chain.chain_id, chain.topic, KINDS[kind], said[0], text.text, text.text, 1, said[1], kind
    )


def _cross(kind: str, texts: Sequence[_Text], rng: np.random.Generator) -> PreferencePair | None:
    for _ in range(20):
        text, other = _two(texts, rng)
        if abs(text.n_words - other.n_words) <= SIMILAR * max(text.n_words, other.n_words):
            break
    else:
        return None
    specs = _met_and_violated(kind, text, other, rng)
    if specs is None or not check(specs[0], text.text) or check(specs[0], other.text):
        return None
    return PreferencePair(
        text.chain.chain_id, text.chain.topic, KINDS[kind],
        phrase(specs[0], rng), text.text, other.text, 1, None, kind,
    )  # fmt: skip


def _two(texts: Sequence[_Text], rng: np.random.Generator) -> tuple[_Text, _Text]:
    """Two texts of different topics."""
    while True:
        one, other = (texts[int(i)] for i in rng.integers(len(texts), size=2))
        if _topic(one) != _topic(other):
            return one, other


def _met_and_violated(
    kind: str, text: _Text, other: _Text, rng: np.random.Generator
) -> tuple[Check, Check] | None:
    """Two checks of a kind: the text meets the first and violates the second."""
    if kind in COUNTED:
        return _bounds(kind, text, rng)
    own, absent = sorted(text.words - other.words), sorted(other.words - text.words)
    if len(own) < 3 or len(absent) < 3:
        return None
    if kind == "mentions_some":  # two of four; a near miss has one of them
        enough, short = (
            rng.permutation([*_some(own, n, rng), *_some(absent, 4 - n, rng)]).tolist()
            for n in (2, 1)
        )
        return {"kind": kind, "terms": enough, "low": 2}, {"kind": kind, "terms": short, "low": 2}
    n = int(rng.integers(1, 4))
    here, there = _some(own, n, rng), _some(absent, n, rng)
    met, violated = (there, here) if kind == "forbids" else (here, there)
    return {"kind": kind, "terms": met}, {"kind": kind, "terms": violated}


def _some(items: Sequence[str], n: int, rng: np.random.Generator) -> list[str]:
    return [str(item) for item in rng.choice(items, size=n, replace=False)]


def _bounds(kind: str, text: _Text, rng: np.random.Generator) -> tuple[Check, Check] | None:
    """A bound between what the text has and what it has not, from both sides; or two ranges.

    None where the text has nothing of the kind: most texts have no quotation, and "none" would be
    right without a look at them.
    """
    n = int(measure({"kind": kind}, text.text) or 0)
    if not n:
        return None
    reach = max(1, round(NEAR * n))
    below, above = (int(rng.integers(1, reach + 1)) for _ in range(2))  # below <= n
    low, high = n - below + 1, n + above - 1
    form = ("above", "below", "ranges")[int(rng.integers(3))]
    if form == "above" and low > 1:  # "at most 0" is left out, as texts with none are
        return {"kind": kind, "low": low}, {"kind": kind, "high": low - 1}
    if form != "ranges":
        return {"kind": kind, "high": high}, {"kind": kind, "low": high + 1}
    width = high - low + 1
    shift = -width if low > width and rng.random() < 0.5 else width
    return (
        {"kind": kind, "low": low, "high": high},
        {"kind": kind, "low": low + shift, "high": high + shift},
    )


def mixed_pairs(
    drops: Sequence[PreferencePair],
    chains: Sequence[Chain],
    n: int,
    *,
    contrast_share: float = 0.0,
    cross_share: float = 0.0,
    foreign_share: float = 0.0,
    seed: int,
) -> list[PreferencePair]:
    """At most ``n`` pairs from drops, from checks and of foreign requirements, in random order.

    Args:
        drops: pairs from dropped requirements, all that there are.
        chains: whose responses the other pairs are made of.
        n: of all kinds together; fewer only where ``drops`` are too few for their share.
        contrast_share, cross_share, foreign_share: of the n pairs; together at most 1. With all
            of them 0 these are :func:`~wfine_utils.chains.pairs.draw_pairs`.

    Raises:
        WfineError: shares that are none, or as :func:`contrast_pairs`.
    """
    shares = contrast_share, cross_share, foreign_share
    if min(shares) < 0 or sum(shares) > 1:
        raise WfineError(
            f"contrast_share, cross_share, foreign_share: found {shares}, expected shares from 0 "
            "to 1, together at most 1."
        )
    n_contrast, n_cross, n_foreign = (round(share * n) for share in shares)
    pairs = draw_pairs(drops, n - n_contrast - n_cross - n_foreign, seed=seed)
    if n_contrast + n_cross + n_foreign == 0:
        return pairs
    pairs += contrast_pairs(chains, n_contrast, seed=seed)
    pairs += cross_pairs(chains, n_cross, seed=seed)
    pairs += foreign_pairs(chains, n_foreign, seed=seed)
    return [pairs[int(i)] for i in rng_for(seed, "mixed pairs").permutation(len(pairs))]
