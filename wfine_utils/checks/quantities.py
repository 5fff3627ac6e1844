"""How many, read from English: "no fewer than nine words" is a least of 9 and the noun "words"."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from wfine_utils.checks.numerals import NUMBER, value_of

_N = NUMBER
_LEAST = (
    "at least|at the very least|no fewer than|no less than|not fewer than|not less than"
    "|an? (?:absolute )?minimum of|minimum|min\\.?|as a minimum"
)
_MOST = (
    "at most|at the very most|no more than|not more than|an? (?:absolute )?maximum of|maximum"
    "|max\\.?|up to|no longer than|not exceeding|not longer than"
)
_ABOVE = "more than|over|above|upwards of|longer than|in excess of|greater than"
_BELOW = "fewer than|less than|under|below|shorter than"
_EXACT = "exactly|precisely"
_NO_MORE_NO_LESS = (
    r"(?:no more(?:,| and|,? or|,? nor|,? but)? no (?:fewer|less)|neither more nor (?:fewer|less)"
    r"|not more and not (?:fewer|less))"
)


class Quantity(NamedTuple):
    """Bounds, and what is counted.

    Args:
        low, high: inclusive; None does not bind.
        plain: a number without a word that says whether it is a least, a most or exact; then
            low and high are that number.
        noun: the rest.
    """

    low: int | None
    high: int | None
    plain: bool
    noun: str

    def as_limit(self) -> Quantity:
        """Where the sentence says that this is a limit: a plain number is a most."""
        return self._replace(low=None, plain=False) if self.plain else self


def named_bounds(low: int | None, high: int | None, prefix: str = "") -> dict[str, int]:
    """Bounds as the arguments of a check: those that bind, ``low`` and ``high`` after a prefix."""
    bounds = {f"{prefix}low": low, f"{prefix}high": high}
    return {name: n for name, n in bounds.items() if n is not None}


def _pattern(body: str) -> re.Pattern[str]:
    return re.compile(rf"(?:{body})", re.IGNORECASE)


_BOTH = [
    _pattern(rf"(?:{_EXACT} )?between (?P<a>{_N}) and (?P<b>{_N}) (?P<noun>.+)"),
    _pattern(rf"(?:{_EXACT} )?(?:from )?(?P<a>{_N})(?: to |-| - )(?P<b>{_N}) (?P<noun>.+)"),
    _pattern(
        rf"(?:{_LEAST}) (?P<a>{_N})(?P<x> [a-z]+)?,? (?:and|but|or) (?:{_MOST}) "
        rf"(?P<b>{_N})(?P<y> .+)"
    ),
    _pattern(rf"(?P<a>{_N}) or (?P<b>{_N}) (?P<noun>.+)"),
]
_ONE_BOUND: list[tuple[re.Pattern[str], str]] = [
    (_pattern(rf"(?:{_LEAST}) (?P<n>{_N}) (?P<noun>.+)"), "least"),
    (_pattern(rf"(?:{_MOST}) (?P<n>{_N}) (?P<noun>.+)"), "most"),
    (_pattern(rf"(?:{_ABOVE}) (?P<n>{_N}) (?P<noun>.+)"), "above"),
    (_pattern(rf"(?:{_BELOW}) (?P<n>{_N}) (?P<noun>.+)"), "below"),
    (_pattern(rf"(?:{_EXACT}) (?P<n>{_N}) (?P<noun>.+)"), "exact"),
    (_pattern(rf"(?P<n>{_N}) or more (?P<noun>.+)"), "least"),
    (_pattern(r"(?P<n>\d+)\+ (?P<noun>.+)"), "least"),
    (_pattern(rf"(?P<n>{_N}) or (?:fewer|less) (?P<noun>.+)"), "most"),
    (_pattern(rf"(?P<n>{_N}) (?P<noun>.+?),? or more"), "least"),
    (_pattern(rf"(?P<n>{_N}) (?P<noun>.+?),? or (?:fewer|less)"), "most"),
    (_pattern(rf"(?P<n>{_N}) (?P<noun>.+?),? at (?:the )?(?:very )?(?:least|minimum|a "
              rf"minimum)"), "least"),
    (_pattern(rf"(?P<n>{_N}) (?P<noun>.+?),? (?:at (?:the )?(?:very )?(?:most|maximum)|maximum"
              rf"|max)"), "most"),
    (_pattern(rf"(?:{_EXACT} )?(?P<n>{_N}) (?P<noun>.+?),? {_NO_MORE_NO_LESS}"), "exact"),
    (_pattern(rf"(?P<n>{_N}) (?P<noun>.+?),? (?:{_EXACT}),?"), "exact"),
    (_pattern(rf"(?:a total of )?(?P<n>{_N}) (?P<noun>(?!or |to |and ).+)"), "plain"),
]  # fmt: skip
_NONE = _pattern(
    "(?:no|zero|not a single|not one|not any|without any|never an?)(?: single)? (?P<noun>.+)"
)
_ANY = _pattern("(?:at least )?an? (?P<noun>.+)")

_ABOUT = _pattern(
    r".*(?:\b(?:about|around|roughly|approximately|approx|nearly|almost|circa|some)\b|~)"
)


def quantities(words: str) -> Iterator[Quantity]:
    """Every reading of "how many of what"; none where it is said roughly.

    >>> list(quantities("at least nine words"))
    [Quantity(low=9, high=None, plain=False, noun='words')]
    """
    if _ABOUT.match(words):
        return
    is_range = False
    for pattern in _BOTH:
        if (match := pattern.fullmatch(words)) and (both := _both(match)):
            is_range = True
            yield both
    if is_range:
        return
    for pattern, sense in _ONE_BOUND:
        if match := pattern.fullmatch(words):
            yield _one_bound(match, sense)
            return
    if match := _NONE.fullmatch(words):
        yield Quantity(None, 0, False, match["noun"])
    elif match := _ANY.fullmatch(words):
        yield Quantity(1, None, False, match["noun"])


def _both(match: re.Match[str]) -> Quantity | None:
    groups = match.groupdict()
    low, high = value_of(groups["a"].lower()), value_of(groups["b"].lower())
    noun = (groups.get("noun") or groups.get("y") or "").strip()
    repeated = (groups.get("x") or "").strip()
    if low is None or high is None or (repeated and repeated != noun):
        return None
    joined_by_or = match.re.pattern.startswith("(?:(?P<a>")
    if joined_by_or and " or " in match.group()[: match.end("b")] and high != low + 1:
        return None
    return Quantity(low, high, False, noun)


def _one_bound(match: re.Match[str], sense: str) -> Quantity:
    n, noun = value_of(match["n"].lower()) or 0, match["noun"]
    low = {"least": n, "above": n + 1, "exact": n, "plain": n}.get(sense)
    high = {"most": n, "below": n - 1, "exact": n, "plain": n}.get(sense)
    return Quantity(low, high, sense == "plain", noun)
