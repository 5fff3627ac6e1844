"""Quotations within a requirement: how a given text is quoted, and set aside before reading.

A given text stands in straight quotation marks or, if it holds some, in curly ones; a text with
both stands as a string of JSON, with ``\\"`` for a mark inside.
"""

from __future__ import annotations

import json
import re
from typing import NamedTuple

OPEN, CLOSE = "\ue000", "\ue001"  # characters for private use, around a quotation's number
QUOTE = rf"{OPEN}\d+{CLOSE}"
"""The pattern, without groups, of a quotation that was set aside."""

_QUOTATION = re.compile(
    r'"((?:[^"\\]|\\.)*)"'
    r"|“([^”]*)”"
    r"|«([^»]*)»"
    # single ones: not an apostrophe, which stands after a letter
    r"|(?<![\w'])['‘]((?:[^'‘’\n]|(?<=\w)['’](?=\w))+)['’](?!\w)"
    r"|(?<!`)`([^`\n]+)`(?!`)",
    re.DOTALL,
)


class Unquoted(NamedTuple):
    """A text with a number in place of each quotation, and the quotations in order."""

    text: str
    quotes: list[str]


def quoted(text: str) -> str:
    """A text in quotation marks, from which :func:`unquoted` reads it back.

    >>> quoted('so-called "art"'), quoted("art")
    ('“so-called "art"”', '"art"')
    """
    if not re.search(r'["\\\x00-\x1f]', text):
        return f'"{text}"'
    if not re.search(r"[“”]", text):
        return f"“{text}”"
    return json.dumps(text, ensure_ascii=False)


def unquoted(text: str) -> Unquoted | None:
    """Set the quotations of a text aside; None if one does not end, or holds what cannot be read.

    Blanks and apostrophes outside of quotations get their plain form.
    """
    quotes: list[str] = []

    def set_aside(match: re.Match[str]) -> str:
        straight, *others = match.groups()
        quotes.append(_plain(straight) if straight is not None else next(filter(None, others), ""))
        return f"{OPEN}{len(quotes) - 1}{CLOSE}"

    outside = "".join(_QUOTATION.split(text)[::6])
    if re.search(rf'["“”«»{OPEN}{CLOSE}]', outside):
        return None
    rest = _QUOTATION.sub(set_aside, text).translate({ord("’"): "'", ord("‘"): "'"})
    return Unquoted(" ".join(rest.split()), quotes)


def _plain(inside: str) -> str:
    """What stands between straight marks, where a backslash may be JSON's or the writer's own."""
    try:
        return str(json.loads(f'"{inside}"'))
    except ValueError:
        return inside
