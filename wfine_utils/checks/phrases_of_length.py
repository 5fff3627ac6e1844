"""Counts and lengths in words, for :mod:`wfine_utils.checks.phrases`."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from wfine_utils.checks.amounts import Noun, amount, numeral, pick
from wfine_utils.checks.phrase_tables import LONG, NONE, NOT_LONG, SOME, make_nouns
from wfine_utils.checks.twins import Check

_Rng = np.random.Generator


def bounds(check: Check) -> tuple[int | None, int | None]:
    """The inclusive bounds of a check; None where there is none."""
    return check.get("low"), check.get("high")


def counted(check: Check, nouns: Sequence[Noun], rng: _Rng) -> str:
    """A count of anything, by its nouns."""
    noun = pick(rng, nouns)
    if check.get("high") == 0:
        return pick(rng, NONE).format(one=noun.one, many=noun.many)
    return _framed(SOME, check, noun, rng)


def _framed(frames: Sequence[str], check: Check, noun: Noun, rng: _Rng) -> str:
    """An amount in a frame; at its end, what binds may follow the noun: "nine words or more"."""
    frame, (low, high) = pick(rng, frames), bounds(check)
    n = low if high in (None, low) else high
    if (
        frame.endswith("{a}.")
        and n
        and (high in (None, low) or low is None)
        and rng.random() < 0.25
    ):
        ends = {(True, True): (", no more and no fewer", ", no more, no less"),
                (True, False): (" or more",), (False, True): (" or fewer",)}  # fmt: skip
        end = pick(rng, ends[low is not None, high is not None])
        if end[0] == "," or (" " not in noun.many and (n > 1 or end == " or more")):
            return frame.format(a=f"{numeral(n, rng)} {noun.of(n)}{end}")
    said = frame.format(a=amount(low, high, noun, rng))
    return said.replace(" to from ", " to ")  # "has to run to from 50 to 60 words"


def length(check: Check, nouns: Sequence[Noun], rng: _Rng) -> str:
    """A length of the text in its unit: words, sentences, paragraphs, characters."""
    noun = nouns[0]
    low, high = bounds(check)
    if low is None and high and rng.random() < 0.4:
        return pick(rng, NOT_LONG).format(
            n=numeral(high, rng), many=noun.of(high), more=numeral(high + 1, rng), manys=noun.many
        )
    if high == 0:
        return counted(check, nouns, rng)
    return _framed(LONG, check, noun, rng)


def characters(check: Check, rng: _Rng) -> str:
    """A number of characters, with or without the blanks."""
    if check.get("spaces", True):
        ends: tuple[str, ...] = (
            "",
            "",
            " including spaces",
            ", counting spaces",
            ", blanks included",
        )
    else:
        ends = (
            " without spaces",
            ", not counting spaces",
            ", blanks excluded",
            " excluding spaces",
        )
    said = length(check, make_nouns("character/characters"), rng)
    return said[:-1] + pick(rng, ends) + "."


def sentence_words(check: Check, rng: _Rng) -> str:
    """The words of every sentence."""
    low, high = bounds(check)
    if low is None and high is not None and rng.random() < 0.6:
        n, more, words = (
            numeral(high, rng),
            numeral(high + 1, rng),
            "word" if high == 1 else "words",
        )
        return pick(rng, (
            f"No sentence may have more than {n} {words}.",
            f"No sentence may be longer than {n} {words}.",
            f"No sentence should exceed {n} {words}.", f"Keep every sentence under {more} words.",
            f"No sentence may run to more than {n} {words}.",
        ))  # fmt: skip
    said = amount(low, high, Noun("word", "words"), rng)
    return pick(rng, (
        f"Every sentence should have {said}.", f"Each sentence must contain {said}.",
        f"Use {said} per sentence.", f"Write {said} in every sentence.",
        f"Make sure that every sentence has {said}.", f"All sentences should be {said} long.",
        f"Each sentence should consist of {said}.", f"Let every sentence have {said}.",
    ))  # fmt: skip


def paragraphs(check: Check, rng: _Rng) -> str:
    """A number of paragraphs, the words of each, or both."""
    noun = Noun("paragraph", "paragraphs")
    words = check.get("words_low"), check.get("words_high")
    has_words, has_count = any(n is not None for n in words), "low" in check or "high" in check
    if not has_words:
        return length(check, (noun,), rng)
    each = amount(*words, Noun("word", "words"), rng) if words != (None, 0) else "no words"
    if not has_count:
        return pick(rng, (
            f"Every paragraph should have {each}.", f"Each paragraph must contain {each}.",
            f"Write {each} in every paragraph.", f"Use {each} per paragraph.",
            f"All paragraphs should be {each} long.",
            f"Make sure that each paragraph has {each}.",
        ))  # fmt: skip
    if check.get("high") == 0:
        return counted({"high": 0}, (noun,), rng)
    count = amount(*bounds(check), noun, rng)
    return pick(rng, (
        f"Write {count}, each of {each}.", f"Use {count}, each with {each}.",
        f"The text should have {count}, each {each} long.", f"Write {count} of {each} each.",
        f"It needs {count}, with {each} in each paragraph.",
        f"The reply should consist of {count}, and each paragraph must have {each}.",
    ))  # fmt: skip
