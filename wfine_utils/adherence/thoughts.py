"""A reasoning model's thoughts, which stand in its answer and are not meant to be judged."""

from __future__ import annotations

import re

_NAMES = ("think", "thinking", "thought", "reasoning", "seed:think", "longcat_think")
_MARKS = (  # regular expressions that open and close thoughts
    *((rf"(?i:<{name}\s*>)", rf"(?i:</{name}\s*>)") for name in _NAMES),
    (r"\[THINK\]", r"\[/THINK\]"),
    ("◁think▷", "◁/think▷"),
    (r"<\|begin_of_thought\|>", r"<\|end_of_thought\|>"),
    (r"<\|START_THINKING\|>", r"<\|END_THINKING\|>"),
    (r"<\|channel\|>analysis<\|message\|>", r"<\|channel\|>final<\|message\|>"),
    (r"\Aanalysis(?=[A-Z])", "assistantfinal"),  # the same without the special tokens
)
_WRAPPED = re.compile(r"\A\s*<(answer|response)>(.*)</\1>\s*\Z", re.DOTALL)


def template_has_thoughts(chat_template: object) -> bool:
    """Whether a ``chat_template`` (a text, several by name, or None) speaks of thoughts."""
    return any(re.search(closing, str(chat_template)) for _, closing in _MARKS)


def without_thoughts(text: str) -> str:
    """The answer alone, without white space at its ends; a text without thoughts as it is.

    Thoughts stand between ``<think>`` and ``</think>`` or their like. Where the template has opened
    them already, all up to the first closing mark is thought. Thoughts that were cut off before
    their end leave no answer. What frames the answer after them, ``<answer>`` or ``<response>``,
    goes too.

    >>> without_thoughts("<think>Two lines?</think>\\n\\nRain.")
    'Rain.'
    """
    answer = text
    for opening, closing in _MARKS:
        answer = _without(answer, opening, closing)
    return text if answer == text else _WRAPPED.sub(r"\2", answer).strip()


def _without(text: str, opening: str, closing: str) -> str:
    *closed, last = re.split(f"({closing})", text)
    kept = []
    for i, (part, mark) in enumerate(zip(closed[::2], closed[1::2], strict=True)):
        before, *thought = re.split(opening, part, maxsplit=1)
        if thought:
            kept.append(before)
        elif i > 0:  # the answer speaks of the mark
            kept.append(part + mark)
    return "".join(kept) + ("" if re.match(rf"\s*{opening}", last) else last)
