"""How English says how many: "at least nine words", "between 40 and 60 characters"."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, TypeVar

import numpy as np

from wfine_utils.checks.numerals import in_words

T = TypeVar("T")


class Noun(NamedTuple):
    """What is counted, in one and in many: ``Noun("word", "words")``."""

    one: str
    many: str

    def of(self, n: int) -> str:
        """The form that goes with a number."""
        return self.one if n == 1 else self.many


def pick(rng: np.random.Generator, options: Sequence[T]) -> T:
    """One of the options, each as likely as the others."""
    return options[int(rng.integers(len(options)))]


def numeral(n: int, rng: np.random.Generator) -> str:
    """A number in digits or, up to a thousand, in words; "a dozen" at times."""
    options = [str(n)]
    if n <= 1000:
        options.append(in_words(n))
    if n == 12:
        options.append("a dozen")
    if n >= 1000:
        options.append(f"{n:,}")
    if n <= 20:
        options.append(in_words(n))
    return pick(rng, options)


def amount(low: int | None, high: int | None, noun: Noun, rng: np.random.Generator) -> str:
    """Bounds in words, with the noun: "three or four bold phrases".

    Args:
        low, high: inclusive; one of them at least, and `high` above 0.
    """
    if low is not None and low == high:
        return _exactly(low, noun, rng)
    if low is not None and high is not None:
        return _between(low, high, noun, rng)
    return _at_least(low, noun, rng) if low is not None else _at_most(high or 0, noun, rng)


def _exactly(n: int, noun: Noun, rng: np.random.Generator) -> str:
    many, said = noun.of(n), numeral(n, rng)
    options = ("exactly {n} {many}", "precisely {n} {many}")
    return pick(rng, options).format(n=said, many=many)


def _at_least(n: int, noun: Noun, rng: np.random.Generator) -> str:
    said = numeral(n, rng)
    options = [
        f"at least {said} {noun.of(n)}",
        f"no fewer than {said} {noun.of(n)}",
        f"not fewer than {said} {noun.of(n)}",
        f"a minimum of {said} {noun.of(n)}",
        f"{said} or more {noun.many}",
    ]
    if n > 1:
        options.append(f"more than {numeral(n - 1, rng)} {noun.of(n - 1)}")
    return pick(rng, options)


def _at_most(n: int, noun: Noun, rng: np.random.Generator) -> str:
    said = numeral(n, rng)
    options = [
        f"at most {said} {noun.of(n)}",
        f"no more than {said} {noun.of(n)}",
        f"not more than {said} {noun.of(n)}",
        f"a maximum of {said} {noun.of(n)}",
        f"up to {said} {noun.of(n)}",
        f"fewer than {numeral(n + 1, rng)} {noun.many}",
    ]
    if n > 1:
        options.append(f"{said} or fewer {noun.many}")
    return pick(rng, options)


def _between(low: int, high: int, noun: Noun, rng: np.random.Generator) -> str:
    a, b = (numeral(n, rng) for n in (low, high))
    if a.isdecimal() != b.isdecimal():
        a, b = str(low), str(high)
    options = [
        f"between {a} and {b} {noun.many}",
        f"from {a} to {b} {noun.many}",
        f"{a} to {b} {noun.many}",
        f"at least {a} and at most {b} {noun.many}",
        f"no fewer than {a} and no more than {b} {noun.many}",
        f"{low}-{high} {noun.many}",
        f"{low}–{high} {noun.many}",
    ]
    if high == low + 1:
        options.append(f"{a} or {b} {noun.many}")
    return pick(rng, options)
