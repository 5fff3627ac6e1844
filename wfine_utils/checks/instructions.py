"""What the instruction types of IFEval and of IFBench share: registry, arguments and loose mode.

The strict mode judges a response as it stands. The loose mode meets an instruction if the response
or one of its :func:`loose_variants` does: an upper bound, for what a wrapping line such as "Sure,
here it is:" or bold marks spoil. A blank text meets nothing in either.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Collection, Iterable, Sequence
from numbers import Integral
from typing import Annotated, Any, NamedTuple, get_type_hints

from wfine_utils.errors import WfineError

Registry = dict[str, Callable[..., bool]]
"""Instruction types by their public id: ``function(text, **arguments)``."""


class Kind(NamedTuple):
    """What an argument may be, as the annotation of a parameter."""

    read: Callable[[Any], Any]  # the value as a check takes it; None if it is not of this kind
    expected: str


def _whole(low: int, high: float = math.inf) -> Callable[[Any], int | None]:
    def read(value: Any) -> int | None:
        if isinstance(value, float) and value.is_integer():
            value = int(value)  # pandas turns a column with gaps into floats
        is_whole = isinstance(value, Integral) and not isinstance(value, bool)
        return int(value) if is_whole and low <= value <= high else None

    return read


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value.strip() else None


def _word(value: Any) -> str | None:
    return None if _text(value) is None else value.strip()


def _words(value: Any) -> list[str] | None:
    words = list(value) if isinstance(value, Iterable) and not isinstance(value, str) else []
    stripped = [word.strip() for word in words if _text(word)]
    return stripped if words and len(stripped) == len(words) else None


def one_of(choices: Collection[str]) -> Kind:
    """The kind of argument that is one of these texts."""
    return Kind(
        lambda value: value if isinstance(value, str) and value in choices else None,
        f"one of {', '.join(sorted(choices))}",
    )


Count = Annotated[int, Kind(_whole(0), "a whole number from 0")]
Place = Annotated[int, Kind(_whole(1), "a whole number from 1")]
Percentage = Annotated[int, Kind(_whole(0, 100), "a whole number from 0 to 100")]
Text = Annotated[str, Kind(_text, "a text that is not blank")]
Word = Annotated[str, Kind(_word, "a text that is not blank")]  # without white space at its ends
Words = Annotated[Sequence[str], Kind(_words, "a list of words")]


def enter(
    registry: Registry, instruction_id: str
) -> Callable[[Callable[..., bool]], Callable[..., bool]]:
    """A decorator that enters a check under its public id.

    What is entered reads its arguments by the :class:`Kind` of each, or refuses them. A check is
    called on a blank text too, so that it can refuse arguments that no text can meet.
    """

    def decorate(function: Callable[..., bool]) -> Callable[..., bool]:
        hints = get_type_hints(function, include_extras=True)

        @functools.wraps(function)
        def judge(text: str, **arguments: Any) -> bool:
            valid = {k: _read(k, hints[k].__metadata__[0], v) for k, v in arguments.items()}
            return function(text, **valid) and bool(text.strip())

        registry[instruction_id] = judge
        return judge

    return decorate


def _read(name: str, kind: Kind, value: Any) -> Any:
    if (valid := kind.read(value)) is None:
        raise WfineError(f"argument {name}: found {value!r}, expected {kind.expected}.")
    return valid


def loose_variants(text: str) -> list[str]:
    """What the loose mode judges besides a response, without repeats; at most eight texts.

    They are the response; it without its first line, its last line, and both; and these four
    without asterisks.

    >>> loose_variants("Sure:\\n*Rain*")
    ['Sure:\\n*Rain*', '*Rain*', 'Sure:', '', 'Sure:\\nRain', 'Rain']
    """
    lines = text.split("\n")
    cut = [text, *("\n".join(part).strip() for part in (lines[1:], lines[:-1], lines[1:-1]))]
    return list(dict.fromkeys([*cut, *(one.replace("*", "") for one in cut)]))
