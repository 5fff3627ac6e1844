"""Words, counted in one way everywhere: by the checks, the length scorer, every table of lengths.

A word is a run of letters and digits with apostrophes or hyphens inside: "well-known" and "don't"
are one word each. List markers, heading marks and bold marks are layout and no words.

Chinese and Japanese put no blanks between words. There each character counts, as in a word
processor, and as a limit in these languages is meant; names and figures in other scripts between
them stay whole. In Thai, Lao, Khmer and Burmese only a dictionary tells words apart: we count
letters, several to a word, and a warning says so. Compare such lengths with each other only.
"""

from __future__ import annotations

import re
import unicodedata
import warnings
from functools import cache, lru_cache

WORD = re.compile(r"\w+(?:['’-]\w+)*")

_LIST_MARKER = re.compile(r"^[ \t]*(?:[-*+]|\d{1,3}[.)])[ \t]+", re.MULTILINE)
_HEADING_MARK = re.compile(r"^#{1,6}[ \t]+", re.MULTILINE)

# Han, kana and bopomofo; then the South-East Asian scripts in whose lines only a dictionary finds
# words (class SA of Unicode's line breaking).
_BY_CHARACTER = (
    "\u3005-\u3007\u3021-\u3029\u3031-\u312f\u31a0-\u31ff\u3400-\u9fff\uf900-\ufaff\uff66-\uff9d"
    "\U0001aff0-\U0001b16f\U00020000-\U0003ffff"
)
_BY_DICTIONARY = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u1950-\u19df\u1a20-\u1aaf\ua9e0-\ua9ff\uaa60-\uaadf"
)
_UNSPACED = rf"(?=\w)(?!\d)[{_BY_CHARACTER}{_BY_DICTIONARY}]"
_THAI_AND_KIN = re.compile(rf"(?=\w)(?!\d)[{_BY_DICTIONARY}]")

# Where WORD would not do: the scripts above, and marks that combine with a letter (\w knows none).
_BEYOND_EUROPE = re.compile(
    rf"[\u0300-\u036f\u0483-\u0489\u0591-\u0dff\u0f00-\u0fff\u1700-\u1dff\u200c\u200d"
    rf"\ua66f-\uabff{_BY_CHARACTER}{_BY_DICTIONARY}\U00010a00-\U00011fff]"
)

# What reads the same: apostrophes, hyphens, and characters that nobody sees.
_SAME = str.maketrans(
    {**dict.fromkeys("‘’‛ʼʹ′´", "'"), **dict.fromkeys("‐‑", "-")}
    | dict.fromkeys("\xad\u200b\u200c\u200d\u2060\ufeff™℠")
    | {"؟": "?", "‽": "?!"}
    | {raised: f"^{i}" for i, raised in enumerate("⁰¹²³⁴⁵⁶⁷⁸⁹")}  # a note's number, no letter
)
_QUOTES = str.maketrans(dict.fromkeys("“”„‟«»", '"'))

# What Korean writes at the end of a word, where English has a word of its own.
_PARTICLE = re.compile(
    r"(?:[은는이가을를의에와과도만로]|으로|에서|에게|까지|부터|보다|처럼|한테|들)+(?![가-힣])"
)


@cache
def _any_script() -> re.Pattern[str]:
    """A word in whatever script: WORD with combining marks, or one character without blanks."""
    combining = (c for c in map(chr, range(0x300, 0x12000)) if unicodedata.category(c)[0] == "M")
    marks = "".join(combining) + "\u200c\u200d\uff9e\uff9f"
    run = rf"(?:(?!{_UNSPACED})\w[{marks}]*+)++"
    return re.compile(rf"{_UNSPACED}[{marks}]*+|{run}(?:['’-]{run})*+")


def plain_text(text: str) -> str:
    """The text without list markers, heading marks and bold marks."""
    return _HEADING_MARK.sub("", _LIST_MARKER.sub("", text)).replace("**", "")


def words(text: str) -> list[str]:
    """The words of a text in order, without layout marks.

    >>> words("1. A **well-known** tune")
    ['A', 'well-known', 'tune']
    >>> words("用 iPad 写字")
    ['用', 'iPad', '写', '字']
    """
    plain = plain_text(text)
    if plain.isascii() or not _BEYOND_EUROPE.search(plain):
        return WORD.findall(plain)
    if _THAI_AND_KIN.search(plain):
        warnings.warn(
            "Thai, Lao, Khmer and Burmese show no borders of words: letters were counted, several"
            " to a word. Compare such lengths with each other only.",
            stacklevel=2,
        )
    return _any_script().findall(plain)


def word_count(text: str) -> int:
    """The number of words of a text, 0 or more."""
    return len(words(text))


def normalised(text: str) -> str:
    """One form of what reads the same: NFKC, straight apostrophes, single blanks; lines stay.

    >>> normalised("ｗｅ  can’t")
    "we can't"
    """
    if not text.isascii():
        text = unicodedata.normalize("NFKC", text.translate(_SAME)).translate(_SAME)
    return re.sub(r" ?\n ?", "\n", re.sub(r"[^\S\n]+", " ", text))


@lru_cache(maxsize=256)
def folded(text: str) -> str:
    """:func:`normalised`, in small letters, quotes straight: the form in which terms are sought."""
    return normalised(text).translate(_QUOTES).casefold()


@lru_cache(maxsize=4096)
def _pattern(term: str) -> re.Pattern[str]:
    """A term with its blanks, each of which may be the end of a line; a blank line is none."""
    return re.compile("[ \n]".join(map(re.escape, folded(term).split())))


def joined(text: str, place: int) -> bool:
    """Whether a word goes on across a place of the text, as between "n" and "e" of "net".

    Between two characters of a script without blanks any place may be a border: 京都 is found in
    東京都 too.
    """
    if not 0 < place < len(text):
        return False
    before, after = text[place - 1], text[place]
    if unicodedata.category(after)[0] == "M":
        return True
    if unicodedata.category(before)[0] != "M" and not (before.isalnum() or before == "_"):
        return False
    return (after.isalnum() or after == "_") and not re.search(_UNSPACED, before + after)


def ends_at(text: str, place: int) -> bool:
    """Whether a word may end at a place of the text; a Korean particle after it is no part."""
    return not joined(text, place) or (
        "가" <= text[place - 1] <= "힣" and _PARTICLE.match(text, place) is not None
    )


def find_term(text: str, term: str, start: int = 0) -> int:
    """Where the first whole word or phrase ``term`` at or after ``start`` ends; -1 without one.

    A term that begins or ends with a mark, such as "%" or "—", has no border of a word there.

    Args:
        text: in the form of :func:`folded`, which the places refer to; of the term any form.
    """
    while (match := _pattern(term).search(text, start)) and match.group():
        if not joined(text, match.start()) and ends_at(text, match.end()):
            return match.end()
        start = match.start() + 1
    return -1


def begins_with(text: str, term: str) -> bool:
    """Whether the text begins with a whole word or phrase, ignoring case."""
    match = _pattern(term).match(folded(text))
    return match is not None and ends_at(folded(text), match.end())


def mentioned(text: str, term: str) -> bool:
    """Whether a term stands in the text as a whole word or phrase, ignoring case.

    >>> mentioned("We can’t.", "can't"), mentioned("他们的预算很少", "预算")
    (True, True)
    """
    return find_term(folded(text), term) >= 0
