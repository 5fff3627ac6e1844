"""What a layout is, and how the fields of its records are read: in one place, with one wording."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, NoReturn

import pandas as pd
from pydantic import ValidationError

from wfine_utils.chains.gold import Gold
from wfine_utils.chains.records import explained_fields, short
from wfine_utils.chains.taxonomy import Chain, Turn
from wfine_utils.weval.resampling import Bootstrap
from wfine_utils.weval.scorers import Scores

Record = Mapping[str, Any]
Rows = Iterable[tuple[int, Record]]
"""Records with their places: lines from 1, rows from 0."""

Verdicts = Sequence[Sequence[Any]]
"""[chains][responses][items of a checklist]: 1 met, 0 not, NaN undecided."""


class Refusal(Exception):
    """A record that cannot be a chain: the field, and what was found there and expected."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(field, message)
        self.field, self.message = field, message


@dataclass(frozen=True)
class Label:
    """What a layout says of one chain besides the chain, for its official metric.

    Args:
        subset: the part of the benchmark that the chain belongs to; empty where there are none.
        unit: chains of one unit are drawn together; empty: the chain is one by itself.
        met: [responses][requirements], whether readers found a requirement met; empty if unknown.
        kinds: [requirements], what each is called in tables, any number of names.
        levels: [responses], how many constraints the instruction of a response had.
    """

    subset: str = ""
    unit: str = ""
    met: tuple[tuple[bool, ...], ...] = ()
    kinds: tuple[tuple[str, ...], ...] = ()
    levels: tuple[int, ...] = ()


NO_LABEL = Label()


class Examined(NamedTuple):
    """What an official metric is made of; scores and verdicts have been checked against the chains.

    ``scores`` are [chains][responses], None where there are none; so too ``verdicts``.
    """

    chains: Sequence[Chain]
    labels: Sequence[Label]
    scores: Scores | None
    verdicts: Verdicts | None
    boot: Bootstrap


Official = Callable[[Examined], pd.DataFrame]
"""The official metric, as a table of ``tables.table``."""


@dataclass(frozen=True)
class Layout:
    """One way in which benchmarks are written down.

    Args:
        name: one of ``loading.LAYOUTS``.
        looked_for: by which fields it is told, in words.
        fits: whether a record has these fields.
        chain: the chain of a record, and its label; takes the id that the chain gets.
        official: its metric.
        needs: "scores", "verdicts" or "either", or "" for a metric of the readers alone.
        gathered: makes one record of several rows, and takes the path of a file of responses;
            None: every row is a record.

    ``chain`` raises a :class:`Refusal` or a pydantic.ValidationError.
    """

    name: str
    looked_for: str
    fits: Callable[[Record], bool]
    chain: Callable[[Record, str], tuple[Chain, Label]]
    official: Official
    needs: str = "scores"
    gathered: Callable[[Rows, str], Rows] | None = None


def refuse(field: str, value: Any, expected: str) -> NoReturn:
    """Raise a :class:`Refusal` of a value."""
    there = "nothing" if value is None else short(value)
    raise Refusal(field, f"found {there}, expected {expected}")


def text(value: Any, field: str) -> str:
    """A text that is not blank."""
    if not isinstance(value, str) or not value.strip():
        refuse(field, value, "a text that is not empty")
    return any_text(value, field)


def any_text(value: Any, field: str) -> str:
    """A text, which may be empty: a model can say nothing."""
    if not isinstance(value, str):
        refuse(field, value, "a text")
    try:
        value.encode()
    except UnicodeEncodeError:
        refuse(field, value, "Unicode without half a surrogate pair")
    return value


def items(value: Any, field: str, at_least: int = 1) -> list[Any]:
    """A list with so many items or more."""
    if not isinstance(value, list) or len(value) < at_least:
        refuse(field, value, f"a list of {at_least} or more")
    return value


def turns(value: Any, field: str) -> tuple[Turn, ...]:
    """A conversation of messages with a role and a content."""
    made = []
    for i, message in enumerate(items(value, field)):
        if not isinstance(message, Mapping):
            refuse(f"{field}.{i}", message, "a message with role and content")
        role, content = message.get("role"), message.get("content")
        if role not in ("system", "user", "assistant"):
            refuse(f"{field}.{i}.role", role, "system, user or assistant")
        made.append(Turn(role, any_text(content, f"{field}.{i}.content")))
    return tuple(made)


def instruction_of(conversation: Sequence[Turn], field: str) -> tuple[str, tuple[Turn, ...]]:
    """The instruction of a conversation, which is its last turn, and the turns before it."""
    *before, last = conversation
    if last.role != "user":
        refuse(f"{field}.{len(before)}.role", last.role, "user, as the last turn is what is asked")
    return text(last.content, f"{field}.{len(before)}.content"), tuple(before)


def gold(field: str, **values: Any) -> Gold:
    """A :class:`Gold`; what is wrong with it is said of ``field``."""
    try:
        return Gold(**values)
    except ValidationError as error:
        _, message = next(iter(explained_fields(error)))
        raise Refusal(field, message.replace("has ", "found ", 1)) from None
