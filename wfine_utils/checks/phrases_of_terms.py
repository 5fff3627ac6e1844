"""Checks of given terms and of parts in words, for :mod:`wfine_utils.checks.phrases`."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from decimal import Decimal

import numpy as np

from wfine_utils.checks.amounts import Noun, amount, numeral, pick
from wfine_utils.checks.numerals import ORDINALS
from wfine_utils.checks.phrase_tables import make_nouns
from wfine_utils.checks.phrases_of_length import bounds, counted
from wfine_utils.checks.twins import Check
from wfine_utils.errors import WfineError

_Rng = np.random.Generator

_QUOTES = (('"', '"'), ("“", "”"), ("'", "'"), ("«", "»"), ("`", "`"))


def quoted(term: str) -> str:
    """A term in quotation marks that do not occur in it; a WfineError if all do."""
    if re.search(r"\w,$", term):
        raise WfineError(
            f"phrase: found the term {term!r}; in quotation marks its comma would be read as one "
            "of the sentence. Leave the comma out."
        )
    for start, end in _QUOTES:
        if start not in term and end not in term:
            return f"{start}{term}{end}"
    raise WfineError(
        f"phrase: found the term {term!r}, which holds every sort of quotation mark; expected one "
        "that can be put in quotation marks. Leave one sort out."
    )


def listed(terms: Sequence[str], rng: _Rng, link: str = "and") -> str:
    """Terms in quotation marks: ``"oak", "ash" and "elm"``."""
    shown = [quoted(term) for term in terms]
    if len(shown) == 1:
        return shown[0]
    comma = "," if len(shown) > 2 and rng.random() < 0.5 else ""
    return f"{', '.join(shown[:-1])}{comma} {link} {shown[-1]}"


def _percent(share: float, rng: _Rng) -> str:
    """A share in per cent, to its last digit."""
    exact = (Decimal(repr(share)) * 100).normalize()
    whole = int(exact) if exact == exact.to_integral_value() else None
    return f"{exact:f}" if whole is None or rng.random() < 0.8 else numeral(whole, rng)


def _share(check: Check, rng: _Rng) -> str:
    """Bounds of a share in words: "at least 40 per cent"."""
    sign = pick(rng, ("%", " per cent", " percent"))
    said = {name: _percent(check[name], rng) for name in ("low", "high") if name in check}
    if len(said) == 2 and check["low"] == check["high"]:
        return f"exactly {said['low']}{sign}"
    if len(said) == 2:
        frames: tuple[str, ...] = ("between {low} and {high}", "from {low} to {high}",
                                   "at least {low} and at most {high}")  # fmt: skip
        return pick(rng, frames).format(**said) + sign
    if "low" in said:
        frames = ("at least {low}", "no less than {low}", "a minimum of {low}")
    else:
        frames = ("at most {high}", "no more than {high}", "a maximum of {high}", "up to {high}")
    return pick(rng, frames).format(**said) + sign


def proportion(check: Check, rng: _Rng) -> str:
    """A part's share of the words."""
    part = check["part"]
    if isinstance(part, Mapping):
        name = quoted(str(part.get("section", "")))
        where = pick(
            rng, (f"the section {name}", f"the {name} section", f"the section headed {name}")
        )
    else:
        other = {
            "first paragraph": "the opening paragraph",
            "last paragraph": "the final paragraph",
        }
        if part not in other:
            raise WfineError(
                f"phrase: found the part {part!r}, expected first paragraph, last paragraph or "
                "a section."
            )
        where = pick(rng, (f"the {part}", other[part]))
    share = _share(check, rng)
    return pick(rng, (
        f"{where} should make up {share} of the words.",
        f"Reserve {share} of the words for {where}.",
        f"Let {where} take up {share} of the words.",
        f"Make sure that {where} has {share} of all words.",
        f"{share} of the words should go to {where}.",
        f"{where} must account for {share} of the total word count.",
        f"{where} should occupy {share} of the text.",
    ))  # fmt: skip


def table(check: Check, rng: _Rng) -> str:
    """A table, its columns and its rows."""
    columns = check.get("columns")
    n_rows = check.get("rows_low"), check.get("rows_high")
    table = pick(rng, ("a table", "a Markdown table"))
    if columns is not None:
        said, column = numeral(columns, rng), "column" if columns == 1 else "columns"
        table = pick(rng, (f"{table} with {said} {column}", f"{table} of {said} {column}",
                           f"{table} with exactly {said} {column}"))  # fmt: skip
    if any(n is not None for n in n_rows):
        noun = Noun("row below its header", "rows below its header")
        rows = amount(*n_rows, noun, rng) if n_rows != (None, 0) else "no rows below its header"
        table += (" and " if columns is not None else " with ") + rows
    return pick(rng, (
        f"Include {table}.", f"The text should contain {table}.", f"Add {table}.",
        f"There should be {table}.", f"Please provide {table}.", f"Use {table}.",
        f"Make sure that the text has {table}.", f"{table} must be included.",
    ))  # fmt: skip


def headings(check: Check, rng: _Rng) -> str:
    """A number of headings, or headings by name."""
    level, texts = check.get("level"), check.get("texts")
    kinds = make_nouns("heading/headings", "Markdown heading/Markdown headings")
    if level is not None:
        which = ORDINALS[level - 1]
        kinds = make_nouns(f"{which}-level heading/{which}-level headings",
                       f"level-{level} heading/level-{level} headings",
                       f"heading of level {level}/headings of level {level}")  # fmt: skip
    if not texts:
        return counted(check, kinds, rng)
    noun, names = pick(rng, kinds), listed(texts, rng)
    order = ", in that order" if len(texts) > 1 else ""
    plain = noun.of(len(texts))
    if "low" not in check:
        return pick(rng, (
            f"Include the {plain} {names}{order}.", f"Use the {plain} {names}{order}.",
            f"The text should have the {plain} {names}{order}.",
            f"There must be the {plain} {names}{order}.",
            f"Make sure that the text has the {plain} {names}{order}.",
            f"The {plain} {names} should appear{order}.",
        ))  # fmt: skip
    count = amount(*bounds(check), noun, rng)
    among = pick(rng, ("among them", "including"))
    return pick(rng, (
        f"Include {count}, {among} {names}{order}.", f"Use {count}, {among} {names}{order}.",
        f"The text should have {count}, {among} {names}{order}.",
        f"There must be {count}, {among} {names}{order}.",
        f"The reply needs {count}, {among} {names}{order}.",
        f"Write it with {count}, {among} {names}{order}.",
    ))  # fmt: skip


def line_starts(check: Check, rng: _Rng) -> str:
    """Lines with a given beginning."""
    return counted(check, _starting("line", check["prefix"], ""), rng)


def anaphora(check: Check, rng: _Rng) -> str:
    """Sentences with a given beginning."""
    return counted(check, _starting("sentence", check["start"], "the words "), rng)


def _starting(unit: str, start: str, words: str) -> tuple[Noun, ...]:
    """Lines or sentences with a given beginning, as nouns."""
    return tuple(
        Noun(
            f"{unit} {one} with {link}{quoted(start)}", f"{unit}s {many} with {link}{quoted(start)}"
        )
        for one, many, link in (
            ("beginning", "beginning", ""),
            ("that starts", "that start", ""),
            ("starting", "starting", words),
        )
    )


def record(check: Check, rng: _Rng) -> str:
    """Labelled lines, in order."""
    names = listed(check["fields"], rng)
    if len(check["fields"]) == 1:
        return pick(rng, (
            f"Include a line labelled {names}, with a colon after the label.",
            f"One line should begin with the label {names} and a colon.",
            f"There should be a line with the label {names}, followed by a colon.",
            f"Use the label {names} at the head of a line, followed by a colon.",
            f"The label {names} should open a line and be followed by a colon.",
            f"Start a line with the label {names} and a colon.",
        ))  # fmt: skip
    return pick(rng, (
        f"Use the labels {names}, each opening a line and followed by a colon, in that order.",
        f"Set it out with the labels {names}, in that order, each on its own line and followed by "
        "a colon.",
        f"The labels {names} should each open a line and be followed by a colon, in that order.",
        f"Write a line for each of the labels {names}, in that order, with a colon after it.",
        f"Include the fields {names}, in that order, each on a line of its own and followed by a "
        "colon.",
        f"Start lines with the labels {names}, in that order, each followed by a colon.",
    ))  # fmt: skip


def bold_terms(check: Check, rng: _Rng) -> str:
    """Terms in bold."""
    names = listed(check["terms"], rng)
    return pick(rng, (
        f"Put {names} in bold.", f"Set {names} in bold.", f"{names} should be in bold.",
        f"Make {names} bold.", f"Highlight {names} in bold.", f"Write {names} in bold type.",
        f"{names} must appear in bold.", f"Please print {names} in bold.",
    ))  # fmt: skip


def mentions(check: Check, rng: _Rng) -> str:
    """Terms that have to occur."""
    names = listed(check["terms"], rng)
    word = "word" if len(check["terms"]) == 1 else "words"
    return pick(rng, (
        f"Mention {names}.", f"Include the {word} {names}.", f"Use the {word} {names}.",
        f"The text should mention {names}.", f"The {word} {names} should appear in the text.",
        f"Make sure to mention {names}.", f"{names} must be mentioned.",
        f"The reply must contain the {word} {names}.", f"Work in the {word} {names}.",
    ))  # fmt: skip


def in_order(check: Check, rng: _Rng) -> str:
    """Terms that have to occur one after the other."""
    names, link = listed(check["terms"], rng), check["terms"]
    first, *middle = (quoted(term) for term in link)
    chain = ", ".join([f"first {first}", *(f"then {term}" for term in middle)])
    return pick(rng, (
        f"Mention {names}, in that order.", f"Use the words {names} in this order.",
        f"The words {names} should appear in that order.", f"Mention {chain}.",
        f"The text must contain {names}, in this order.", f"Bring in {names}, in that order.",
        f"{names} must be mentioned in that order.", f"Include {names} in the order given.",
    ))  # fmt: skip


def mentions_some(check: Check, rng: _Rng) -> str:
    """So many of the given terms."""
    low, high = bounds(check)
    options = listed(check["terms"], rng, pick(rng, ("and", "or")))
    noun = Noun("of these words", "of these words")
    said = amount(low, high, noun, rng)
    frames = [
        f"Use {said}: {options}.", f"Include {said}: {options}.", f"Mention {said}: {options}.",
        f"The text should contain {said}: {options}.", f"{said} should appear: {options}.",
        f"Make sure that the text has {said}: {options}.", f"Work in {said}: {options}.",
    ]  # fmt: skip
    if (low, high) == (1, None):
        either = listed(check["terms"], rng, "or")
        frames += [
            f"Mention {either}.",
            f"Use the word {either}.",
            f"Mention at least one of {either}.",
        ]
    return pick(rng, frames)


def forbids(check: Check, rng: _Rng) -> str:
    """Terms that must not occur."""
    either = listed(check["terms"], rng, "or")
    names = listed(check["terms"], rng)
    word = "word" if len(check["terms"]) == 1 else "words"
    return pick(rng, (
        f"Do not use the {word} {either}.", f"Do not mention {either}.",
        f"Avoid the {word} {names}.",
        f"The {word} {names} must not appear.", f"Never use the {word} {either}.",
        f"The text should not contain the {word} {either}.", f"Leave out the {word} {names}.",
        f"Don't use {either} anywhere.", f"Write without the {word} {either}.",
    ))  # fmt: skip


def years_in_order(check: Check, rng: _Rng) -> str:
    """Years in rising order."""
    if check["low"] == 0:
        return pick(rng, (
            "Name any years in rising order.", "Mention any years in chronological order.",
            "Any years should come in chronological order.",
            "If there are years, they must come in rising order.",
            "Any years that are named should be in rising order.",
            "Any years must appear in ascending order.",
        ))  # fmt: skip
    years = make_nouns("year/years", "different year/different years")
    said = amount(check["low"], None, years[int(rng.integers(2))], rng)
    return pick(rng, (
        f"Mention {said}, in rising order.", f"Name {said} in chronological order.",
        f"The text should contain {said}, in ascending order.",
        f"Include {said} in chronological order.", f"Give {said}, from the earliest to the latest.",
        f"{said} should be mentioned in chronological order.",
    ))  # fmt: skip
