"""A small grammar of wordings: one template says a check in many ways and reads all of them back.

A template is a sentence with these marks::

    [use|write]      one of these; [very |] may be left out, and they may stand within each other
    [use|~employ]    what comes after ~ is read, but never said
    word(s)          the plural, said where the number before it asks for one
    {times:n,rel}    a slot: how it is said and read is in :mod:`wfine_utils.checks.wording_slots`
    @reply           a part that many templates share, from ``PARTS``

What stands in quotation marks is set aside before a text is read, so that nothing quoted can be
taken for a demand. A text is read as a whole: a word that no template knows, and nothing is read.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from wfine_utils.checks.wording_quotes import Unquoted, unquoted
from wfine_utils.checks.wording_slots import SLOTS

Arguments = dict[str, Any]
_Rng = np.random.Generator

_KIND_OF_TEXT = (
    "[response|reply|answer|text|~output|~rewrite|~essay|~poem|~story|~song|~letter|~article|~post|"
    "~blog post|~email|~rap|~riddle|~haiku|~limerick|~proposal|~resume|~itinerary|~rant|~joke|"
    "~tweet|~thread|~template|~dialogue|~document|~review|~pitch|~page|~plan|~summary|~quiz|~ad|"
    "~cover letter|~sales pitch|~startup pitch|~product description]"
)
PARTS = {
    "@reply": f"[your|the|~this] [whole |entire |~full |~complete |]{_KIND_OF_TEXT}",
    "@the_reply": f"[your|the|~this] {_KIND_OF_TEXT}",
    "@may_not": "[must|should|~may|~cannot|~can|~shall] not",
    "@shall": "[must|should|~may|~shall]",  # where "has to" would not do
    "@must": "[must|should|has to|~needs to|~shall]",
    "@contain": "[contain|have|include]",
    "@write": "[write|~use|~include|~give|~have|~provide|~add|~contain|~put|~make]",
    "@with_example": "[, such as|, like|~, i.e.|~,  i.e|~, i.e|~ i.e.|~ such as|~ like|~ (i.e.|"
    "~: for example,|~. for example:|~. example:|~, for example:|~, for example|~, example:|"
    "~ (like this:]",
    "@a_blank_line": "[a blank line|~two new lines|~2 new lines|~two line breaks|~an empty line|"
    "~double line breaks]",
    "@stars": "[three asterisks ({stars3})|the divider {stars3}|{stars3}|"
    "~the markdown divider[:|] {stars3}|~[3|three] asterisk[s|] [symbols |markers |]{stars3}|"
    "~[3|three] asterisk[s|] [symbols |markers |]({stars3})|~[3|three] asterisk symbols: {stars3}]",
    "@six_stars": "[six asterisks ({stars6})|a line of {stars6}|{stars6}|"
    "~[6|six] asterisk[s|] [symbols|marks|]: {stars6}|"
    "~[6|six] asterisk[s|][ symbols| marks|] [{stars6}|({stars6})]]",
}
"""What many templates share: the answer that is asked for, verbs, ways to separate."""


class _Literal(NamedTuple):
    text: str


class _Plural(NamedTuple):
    """An ending that is said after every number but one."""


class _Slot(NamedTuple):
    kind: str
    names: tuple[str, ...]


class _Choice(NamedTuple):
    said: tuple[_Parts, ...]
    only_read: tuple[_Parts, ...]


_Parts = tuple[_Literal | _Plural | _Slot | _Choice, ...]

_MARKS = re.compile(r"(\\.|\(s\)|\{[^}]*\}|\[|\]|\||~)")


def _parsed(template: str) -> _Parts:
    while part := re.search(r"@\w+", template):
        template = template[: part.start()] + PARTS[part[0]] + template[part.end() :]
    pieces = [piece for piece in _MARKS.split(template) if piece]
    parts, rest = _sequence(pieces)
    if rest:
        raise ValueError(f"template {template!r}: a bracket too many before {rest}")
    return parts


def _sequence(pieces: list[str]) -> tuple[_Parts, list[str]]:
    """The parts up to ``|`` or ``]`` on this level, and the pieces from there on."""
    parts: list[_Literal | _Plural | _Slot | _Choice] = []
    while pieces and pieces[0] not in ("|", "]"):
        piece, *pieces = pieces
        if piece == "[":
            choice, pieces = _choice(pieces)
            parts.append(choice)
        elif piece == "(s)":
            parts.append(_Plural())
        elif piece[0] == "{":
            kind, _, names = piece[1:-1].partition(":")
            parts.append(_Slot(kind, tuple(filter(None, names.split(",")))))
        else:
            parts.append(_Literal(piece.removeprefix("\\")))
    return tuple(parts), pieces


def _choice(pieces: list[str]) -> tuple[_Choice, list[str]]:
    said: list[_Parts] = []
    only_read: list[_Parts] = []
    while True:
        is_read_only = pieces[0] == "~"
        option, rest = _sequence(pieces[1:] if is_read_only else pieces)
        (only_read if is_read_only else said).append(option)
        mark, *pieces = rest
        if mark == "]":
            return _Choice(tuple(said), tuple(only_read)), pieces


def pattern_of(template: str) -> str:
    """The pattern of a template without slots, for what stands around requirements."""
    return _pattern(_parsed(template), [])


class Template:
    """A template of a sentence without its end mark; parsed when it is first needed."""

    def __init__(self, template: str) -> None:
        self.template = template
        self.is_said = not template.startswith("~")  # else it is read only

    @functools.cached_property
    def _parts(self) -> _Parts:
        return _parsed(self.template.removeprefix("~"))

    @functools.cached_property
    def _reader(self) -> tuple[re.Pattern[str], list[_Slot]]:
        slots: list[_Slot] = []
        return re.compile(_pattern(self._parts, slots), re.IGNORECASE), slots

    def says(self, arguments: Mapping[str, Any], rng: _Rng) -> str | None:
        """The arguments in one of the wordings; None if a slot has no words for its arguments."""
        said = _said(self._parts, arguments, rng, [""])
        return None if said is None else re.sub(r" {2,}", " ", said)

    def reads(self, text: str) -> Arguments | None:
        """The arguments that a whole text says in one of the wordings, or None.

        Args:
            text: as written, without an end mark.
        """
        aside = unquoted(text)
        return None if aside is None else self.reads_unquoted(aside)

    def reads_unquoted(self, aside: Unquoted) -> Arguments | None:
        """As :meth:`reads`, of a text whose quotations have been set aside."""
        pattern, slots = self._reader
        match = pattern.fullmatch(aside.text)
        if match is None:
            return None
        arguments: Arguments = {}
        for slot, words in zip(slots, match.groups(), strict=True):
            if words is None:  # in an option that was not taken
                continue
            values = SLOTS[slot.kind].read(words, aside.quotes)
            if values is None:
                return None
            for name, value in zip(slot.names, values, strict=True):
                if arguments.setdefault(name, value) != value:
                    return None
        return arguments


def _said(
    parts: _Parts, arguments: Mapping[str, Any], rng: _Rng, last_slot: list[str]
) -> str | None:
    words = ""
    for part in parts:
        if isinstance(part, _Literal):
            said: str | None = part.text
        elif isinstance(part, _Plural):
            said = "" if re.search(r"\b(?:1|one)$", last_slot[0]) else "s"
        elif isinstance(part, _Slot):
            values = [arguments[name] for name in part.names]
            said = last_slot[0] = SLOTS[part.kind].say(values, rng) or ""
            said = said or None
        else:
            option = part.said[int(rng.integers(len(part.said)))]
            said = _said(option, arguments, rng, last_slot)
        if said is None:
            return None
        words += said
    return words


def _pattern(parts: _Parts, slots: list[_Slot]) -> str:
    """A pattern with one group for each slot, which are added to `slots` in order."""
    pattern = ""
    for part in parts:
        if isinstance(part, _Literal):
            pattern += re.sub(r"(\\ )+", r"\\s+", re.escape(part.text))
        elif isinstance(part, _Plural):
            pattern += "s?"
        elif isinstance(part, _Slot):
            slots.append(part)
            pattern += f"({SLOTS[part.kind].pattern})"
        else:
            options = [_pattern(option, slots) for option in (*part.said, *part.only_read)]
            pattern += f"(?:{'|'.join(options)})"
    return pattern
