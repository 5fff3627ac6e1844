"""Words, counted in one way everywhere: by the checks, the length scorer, every table of lengths.

A word is a run of letters and digits with apostrophes or hyphens inside: "well-known" and "don't"
are one word each. List markers, heading marks and bold marks are layout and no words.
"""

from __future__ import annotations

import re

WORD = re.compile(r"\w+(?:['’-]\w+)*")

_LIST_MARKER = re.compile(r"^[ \t]*(?:[-*+]|\d{1,3}[.)])[ \t]+", re.MULTILINE)
_HEADING_MARK = re.compile(r"^#{1,6}[ \t]+", re.MULTILINE)


def plain_text(text: str) -> str:
    """The text without list markers, heading marks and bold marks."""
    return _HEADING_MARK.sub("", _LIST_MARKER.sub("", text)).replace("**", "")


def words(text: str) -> list[str]:
    """The words of a text in order, without layout marks.

    >>> words("1. A **well-known** tune")
    ['A', 'well-known', 'tune']
    """
    return WORD.findall(plain_text(text))


def word_count(text: str) -> int:
    """The number of words of a text, 0 or more."""
    return len(words(text))


def mentioned(text: str, term: str) -> bool:
    """Whether a term stands in the text as a whole word or phrase, ignoring case."""
    return re.search(rf"(?<!\w){re.escape(term.lower())}(?!\w)", text.lower()) is not None
