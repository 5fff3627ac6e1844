"""Machine checks of requirements: did this text do what was asked?

A check is plain data, ``{"kind": "sentence_count", "n": 3}``, so that it travels with a
requirement through JSON. ``check`` looks the kind up in :data:`CHECKS` and calls it. A check
reads the response alone and never raises on any text.

The checks in this module are those of the tiny world, simple and fast; those for natural prose
and Markdown are in :mod:`wfine_utils.checks.prose`. Words are runs of letters, digits and inner
apostrophes or hyphens; here, sentences end with ``.``, ``!`` or ``?`` before white space or the
end. List markers, heading marks and bold marks belong to the layout, not to the words.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from wfine_utils.checks.prose import WORD, mentioned

_SENTENCE_END = re.compile(r"[.!?]+(?=[\s\"'”’)*]|$)")
_LIST_MARKER = re.compile(r"^[ \t]*(?:[-*+]|\d{1,3}[.)])[ \t]+", re.MULTILINE)
_HEADING_MARK = re.compile(r"^#{1,6}[ \t]+", re.MULTILINE)


def plain_text(text: str) -> str:
    """The text without list markers, heading marks and bold marks."""
    return _HEADING_MARK.sub("", _LIST_MARKER.sub("", text)).replace("**", "")


def words(text: str) -> list[str]:
    """The words of a text in order, without layout marks."""
    return WORD.findall(plain_text(text))


def sentence_ends(text: str) -> list[str]:
    """The closing punctuation of each sentence in order, e.g. ``[".", "?"]``."""
    return _SENTENCE_END.findall(plain_text(text))


def content_lines(text: str) -> list[str]:
    """The lines that are not blank, stripped."""
    return [line.strip() for line in text.splitlines() if line.strip()]


def sentence_count(text: str, n: int) -> bool:
    """Exactly ``n`` sentences."""
    return len(sentence_ends(text)) == n


def word_count(text: str, low: int = 0, high: int | None = None) -> bool:
    """At least ``low`` and at most ``high`` words; None means no upper limit."""
    count = len(words(text))
    return low <= count and (high is None or count <= high)


def bullet_list(text: str) -> bool:
    """Every line that is not blank is an item marked with ``-``, and there are two at least."""
    lines = content_lines(text)
    return len(lines) >= 2 and all(line.startswith("- ") for line in lines)


def numbered_list(text: str) -> bool:
    """Every line that is not blank is an item, numbered 1, 2, 3, …; two at least."""
    lines = content_lines(text)
    return len(lines) >= 2 and all(
        line.startswith(f"{i}. ") for i, line in enumerate(lines, start=1)
    )


def heading(text: str) -> bool:
    """The first line is a Markdown heading, and text follows it."""
    lines = content_lines(text)
    return len(lines) >= 2 and re.match(r"#{1,6} \S", lines[0]) is not None


def letter(text: str) -> bool:
    """The layout of a letter: a greeting on the first line, a closing on the last."""
    lines = content_lines(text)
    return (
        len(lines) >= 3
        and re.match(r"Dear \w[^.!?]*,$", lines[0]) is not None
        and re.match(r"(?:Yours|Sincerely|Regards)\b[^.!?]*,?", lines[-1]) is not None
    )


def bold_term(text: str, term: str) -> bool:
    """The term stands in bold at least once, ignoring case."""
    return f"**{term}**".lower() in text.lower()


def mentions(text: str, terms: Sequence[str]) -> bool:
    """Every term occurs as a whole word or phrase, ignoring case."""
    plain = plain_text(text)
    return all(mentioned(plain, term) for term in terms)


def in_order(text: str, terms: Sequence[str]) -> bool:
    """The terms occur as whole words, each one after the one before, ignoring case."""
    lowered, position = plain_text(text).lower(), 0
    for term in terms:
        match = re.compile(rf"(?<!\w){re.escape(term.lower())}(?!\w)").search(lowered, position)
        if match is None:
            return False
        position = match.end()
    return True


def figures(text: str, low: int = 1) -> bool:
    """At least ``low`` numbers written in digits, list numbering left aside."""
    return len(re.findall(r"(?<!\w)\d+(?:[.,]\d+)*", plain_text(text))) >= low


def exclamations(text: str) -> bool:
    """Every sentence ends with an exclamation mark, and there is one at least."""
    ends = sentence_ends(text)
    return bool(ends) and all("!" in end for end in ends)


def questions(text: str, low: int = 1) -> bool:
    """At least ``low`` sentences end with a question mark."""
    return sum("?" in end for end in sentence_ends(text)) >= low
