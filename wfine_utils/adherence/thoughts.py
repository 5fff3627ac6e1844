"""A reasoning model's thoughts, which stand in its answer and are not meant to be judged."""

from __future__ import annotations

_MARKS = (
    ("<think>", "</think>"),
    ("<thinking>", "</thinking>"),
    ("<seed:think>", "</seed:think>"),
    ("[THINK]", "[/THINK]"),
)


def template_has_thoughts(chat_template: object) -> bool:
    """Whether a ``chat_template`` (a text, several by name, or None) speaks of thoughts."""
    return any(closing in str(chat_template) for _, closing in _MARKS)


def without_thoughts(text: str) -> str:
    """The answer alone, without white space at its ends; a text without thoughts as it is.

    Thoughts stand between ``<think>`` and ``</think>`` or their like. Where the template has opened
    them already, all up to the first closing mark is thought. Thoughts that were cut off before
    their end leave no answer.

    >>> without_thoughts("<think>Two lines?</think>\\n\\nRain.")
    'Rain.'
    """
    answer = text
    for opening, closing in _MARKS:
        answer = _without(answer, opening, closing)
    return text if answer == text else answer.strip()


def _without(text: str, opening: str, closing: str) -> str:
    *closed, last = text.split(closing)
    kept = []
    for i, part in enumerate(closed):
        before, mark, _ = part.partition(opening)
        if mark:
            kept.append(before)
        elif i > 0:  # the answer speaks of the mark
            kept.append(part + closing)
    return "".join(kept) + ("" if last.lstrip().startswith(opening) else last)
