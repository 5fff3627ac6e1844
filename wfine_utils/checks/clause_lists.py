"""The list of names in a clause: "Priya and Tom", quoted terms, "labels name, age and street"."""

from __future__ import annotations

import re

from wfine_utils.checks.frames import carries_demand
from wfine_utils.checks.wording import TERM, TERMS, Wording

_NAME = r"(?-i:[A-Z])[\w'’-]*(?: (?:(?:of|the|and) )?(?-i:[A-Z])[\w'’-]*)*"
_CLOSED_LIST = (
    rf"{_NAME}(?:(?:,|, then| then|, and then) {_NAME})*"
    rf",? (?:and(?: then| finally| lastly)?|then) {_NAME}"
)
_OPEN_LIST = rf"{_NAME}(?:(?:,| then|, then) {_NAME})+(?:,? (?:and|then) {_NAME})?"
_NAMES = re.compile(rf"(?<![\w'’-])(?:{TERMS}|{_CLOSED_LIST}|{_OPEN_LIST})")

_ITEM = r"(?:the )?[A-Za-z][\w'’-]*(?: [\w'’-]+){0,2}?"
_AFTER_COLON = re.compile(rf"(?<=: ){_ITEM}(?:, {_ITEM})+(?:,? and {_ITEM})?$")
_SMALL_LETTERS = re.compile(
    r"(?:(?<=: )|(?<=labels )|(?<=headings )|(?<=words )|(?<=terms )|(?<=names )|(?<=entries )"
    r"|(?<=fields )|(?<=namely )|(?<=nouns )|(?<=the word ))"
    rf"{_ITEM}(?:, {_ITEM})*,? and {_ITEM}"
    r"(?=$|,| (?:must|should|are|have|need|in bold|bold|into bold)\b)"
)
"""Names without capitals, where the word before them says that they are names."""

_FIRST_NAME = re.compile(rf"{TERM}|[A-Z][\w'’-]*(?:,| and) ")
"""How a list begins a sentence: a capital word before another may be a verb."""

_NAME_GOES_ON = re.compile(
    r" (?!(?:should|must|will|can|would|ought|need|needs|are|is|be|have|has"
    r"|in|at|on|as|to|by|with|under|for|and|each|all|their|somewhere"
    r"|go|come|get|stand|belong|deserve|printed|set)\b)[a-z]"
)
"""A word that may belong to the last name of a list: "Resolved and Next meeting"."""

_LIST_GOES_ON = re.compile(
    r",? (?:and(?! (?:each|every|all|no|none|put|let|place|follow|give|make|set|they|it|these)\b)"
    r"|or|nor|as well as) "
)
"""What joins to a list something that is no name."""

_ARTICLE = re.compile(r"^(?:the|an?) ")
_BETWEEN_NAMES = re.compile(r"(?:,|,? and|,)? (?:then|finally|lastly) |,? and |, ")

IN_ORDER = re.compile(
    r",? ?(?:all )?in (?:(?:that|this|the given|the same|exactly this|exactly that) "
    r"(?:order|sequence|succession)|the (?:order|sequence) (?:given|named|listed|stated))",
    re.IGNORECASE,
)
"""What says that the names of a list come one after the other: ", all in that order"."""


def listed_names(wording: Wording, clause: str) -> tuple[list[str], str] | None:
    """The one list of names or quoted terms in a clause, and the words around it.

    None where there is no list, more than one, or one of which it is not sure where it ends.

    >>> listed_names(Wording("", ()), "set the names Priya and Tom in bold")
    (['Priya', 'Tom'], 'set the names   in bold')
    """
    if not _FIRST_NAME.match(clause):  # "Mention Priya and Tom": the capital is the sentence's
        clause = clause[:1].lower() + clause[1:]
    if (match := _the_list(clause)) is None:
        return None
    said = match.group()
    if re.search(r"\b(?:or|but)\b", said) or _NAME_GOES_ON.match(clause, match.end()):
        return None
    if _LIST_GOES_ON.match(clause, match.end()):
        return None
    terms = wording.names(said) or [_ARTICLE.sub("", term) for term in _BETWEEN_NAMES.split(said)]
    if len(terms) < 2 or re.search(TERM, clause.replace(said, "")):
        return None
    around = f"{clause[: match.start()]} {clause[match.end() :]}"
    return terms, re.sub(r"[:;]", " ", around)


def _the_list(clause: str) -> re.Match[str] | None:
    """The one list of a clause; what follows a colon comes before names with capitals."""
    lists = [m for m in _AFTER_COLON.finditer(clause) if not carries_demand(m.group())]
    lists = lists or list(_NAMES.finditer(clause))
    if not lists:
        lists = [m for m in _SMALL_LETTERS.finditer(clause) if not carries_demand(m.group())]
    return lists[0] if len(lists) == 1 else None
