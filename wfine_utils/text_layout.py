"""The layout of a text, made visible to an encoder.

The tokenizers of BERT and its kin throw line breaks away, so that three paragraphs, a list and a
poem look alike, and spend a token on every dash of a ruled line, of which Markdown tables are full.
"""

from __future__ import annotations

import re

LINE_BREAK = "¶"

_RULE = re.compile(r"([^\w\s])\1{3,}")
_BREAKS = re.compile(r"\s*\n\s*")


def show_layout(text: str) -> str:
    """The text with a sign for each line break, two for a blank line, and rules cut short.

    >>> show_layout("Boats\\n\\n\\n| a |\\n|--------|")
    'Boats ¶ ¶ | a | ¶ |---|'
    """
    text = _RULE.sub(r"\1\1\1", text)
    return _BREAKS.sub(_as_signs, text.strip())


def _as_signs(found: re.Match[str]) -> str:
    blank_line = found.group().count("\n") > 1
    return f" {LINE_BREAK} {LINE_BREAK} " if blank_line else f" {LINE_BREAK} "
