"""Whole numbers as English says them: "nine", "twenty-four", "a hundred and twenty", "1,200"."""

from __future__ import annotations

import re

_SMALL = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen "
    "fifteen sixteen seventeen eighteen nineteen"
).split()
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety".split()
_VALUES = {
    **{word: i for i, word in enumerate(_SMALL)},
    **{word: 10 * i for i, word in enumerate(_TENS, 2)},
    "dozen": 12,
}

_UNIT = "|".join(_SMALL[1:10])
_BELOW_100 = rf"(?:(?:{'|'.join(_TENS)})(?:[- ](?:{_UNIT}))?|{'|'.join(reversed(_SMALL))})"
_HUNDREDS = rf"(?:(?:an?|{_UNIT}) hundred(?:(?: and)? {_BELOW_100})?)"
_THOUSANDS = (
    rf"(?:(?:{_HUNDREDS}|an?|{_BELOW_100}) thousand"
    rf"(?:(?: and)? {_BELOW_100}|,? (?:{_HUNDREDS}))?)"
)
_DOZEN = r"(?:(?:a|one|two|three|four|five) dozen|half a dozen)"

NUMBER = (
    rf"(?:\d{{1,3}}(?:,\d{{3}})+|\d{{1,7}}|{_DOZEN}|{_THOUSANDS}|{_HUNDREDS}|{_BELOW_100})"
    r"(?![\w]|[.,:/]\d|-[a-z])"
)
"""A pattern, without groups, of a whole number in digits or in small-letter words."""

_NUMBER = re.compile(NUMBER)

ORDINALS = (
    "first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth"
).split()
"""The words of the first places of anything; headings have six levels."""


def in_words(n: int) -> str:
    """A number from 0 to 999 999 in British words.

    >>> in_words(120), in_words(24)
    ('a hundred and twenty', 'twenty-four')
    """
    if n < 20:
        return _SMALL[n]
    if n < 100:
        tens, units = divmod(n, 10)
        return _TENS[tens - 2] + (f"-{_SMALL[units]}" if units else "")
    size, name = (1000, "thousand") if n >= 1000 else (100, "hundred")
    many, rest = divmod(n, size)
    start = f"{'a' if many == 1 else in_words(many)} {name}"
    if not rest:
        return start
    return f"{start} and {in_words(rest)}" if rest < 100 else f"{start} {in_words(rest)}"


def value_of(words: str) -> int | None:
    """The value of one number in digits or small-letter words; None if it is none.

    >>> value_of("a hundred and twenty"), value_of("1,200"), value_of("several")
    (120, 1200, None)
    """
    if not _NUMBER.fullmatch(words):
        return None
    digits = words.replace(",", "")
    if digits.isdecimal():
        return int(digits)
    if words == "half a dozen":
        return 6
    total = part = 0
    for word in re.findall(r"[a-z]+", words):
        if word in ("a", "an"):
            part = 1
        elif word in ("hundred", "dozen"):
            part = (part or 1) * (100 if word == "hundred" else 12)
        elif word == "thousand":
            total, part = total + (part or 1) * 1000, 0
        elif word != "and":
            part += _VALUES[word]
    return total + part
