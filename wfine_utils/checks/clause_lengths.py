"""Rules that find the length of a part first: words of each sentence or paragraph, a share.

They read what :mod:`.rules_length` does not know: "Not one sentence of more than 20 words".
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from wfine_utils.checks.clause_words import LIMITING, words_of
from wfine_utils.checks.clauses import Amount, amounts, changes_nothing, demanding_clauses
from wfine_utils.checks.numerals import NUMBER, value_of
from wfine_utils.checks.quantities import Quantity, named_bounds
from wfine_utils.checks.twins import Check
from wfine_utils.checks.wording import Wording

_NO_SENTENCE = re.compile(
    r"\b(?:no|not (?:a|one)(?: single)?|not any|none of (?:the|her|his|its|your|their))"
    r"(?: single)? sentences?\b"
    r"|\bsentences? (?:may|must|should|can) (?:not|never)\b",
    re.IGNORECASE,
)
_EACH_SENTENCE = re.compile(
    r"\b(?:each|every|any|all|a|one|per|your|the|individual|single) (?:\w+ )?sentences?\b"
    r"|^sentences\b|\bsentences (?:should|must|to|of)\b"
    r"|\b(?:use|write|keep|hold) sentences\b",
    re.IGNORECASE,
)
_GONE_PAST = re.compile(
    r"\b(?:past|beyond|exceed|exceeds|exceeding|above|over|reach beyond)$", re.IGNORECASE
)
_OF_SENTENCES = LIMITING | words_of(
    "sentence sentences apiece each every any individual one per single no not "
    "may can allowed exceed more past stretch than longer longest"
)


def sentence_words(wording: Wording) -> Iterator[Check]:
    """ "Hold each sentence down to 15 words or fewer", "not one sentence of more than 20 words"."""
    for clause in demanding_clauses(wording.text):
        if not re.search(r"\bsentences?\b", clause, re.IGNORECASE):
            continue
        forbids = bool(_NO_SENTENCE.search(clause))
        for amount in amounts(clause):
            quantity = amount.as_limit()
            if not re.fullmatch("words?", quantity.noun, re.IGNORECASE):
                continue
            high = _longest(quantity, amount.before, forbids=forbids)
            says_each = forbids or _EACH_SENTENCE.search(amount.rest.strip())
            if high and says_each and changes_nothing(amount.rest, _OF_SENTENCES):
                yield {"kind": "sentence_words", "high": high}


def _longest(quantity: Quantity, before: str, *, forbids: bool) -> int | None:
    """Most words of a sentence; "no sentence of more than 20" and "past 20" are the same."""
    if not forbids:
        return quantity.high if quantity.low is None else None
    if quantity.low is not None and quantity.high is None:
        return quantity.low - 1
    return quantity.high if quantity.plain and _GONE_PAST.search(before) else None


_APIECE = re.compile(
    r"\b(?:each|every|apiece|per paragraph|all|none|any)(?: one| of them| of which)?\b",
    re.IGNORECASE,
)
_EACH_ONE = re.compile(
    r"\b(?:each|every|all|a) (?:single )?paragraph\b|per paragraph", re.IGNORECASE
)
_EACH_OF = re.compile(rf"\beach of (?:the|its|your) (?P<n>{NUMBER}) paragraphs\b", re.IGNORECASE)
_OF_PARAGRAPHS = LIMITING | words_of(
    "paragraph paragraphs each every any one none apiece per which may not"
)


def paragraphs(wording: Wording) -> Iterator[Check]:
    """ "Four paragraphs, and let none exceed 50 words", "each paragraph must come to 25 to 45"."""
    for clause in demanding_clauses(wording.text):
        for amount in amounts(clause):
            words = amount.as_limit()
            if re.fullmatch("words?", words.noun, re.IGNORECASE) and not words.plain:
                yield from _each_paragraph(words, amount)
                yield from _so_many_paragraphs(words, amount)


def _each_paragraph(words: Quantity, amount: Amount) -> Iterator[Check]:
    """ "Each paragraph", "each of the three paragraphs"."""
    bounds = named_bounds(words.low, words.high, "words_")
    if each := _EACH_OF.search(amount.rest):
        n = value_of(each["n"].lower())
        if changes_nothing(amount.rest.replace(each.group(), " "), _OF_PARAGRAPHS):
            yield {"kind": "paragraphs", "low": n, "high": n, **bounds}
    elif _EACH_ONE.search(amount.rest) and changes_nothing(amount.rest, _OF_PARAGRAPHS):
        yield {"kind": "paragraphs", **bounds}


def _so_many_paragraphs(words: Quantity, amount: Amount) -> Iterator[Check]:
    """ "Four paragraphs, none longer than 45 words": their number stands before their length."""
    for count in amounts(amount.before):
        if not re.fullmatch("(?:short )?paragraphs?", count.quantity.noun, re.IGNORECASE):
            continue
        between = f"{count.after} {amount.after}"
        says_each = _APIECE.search(between) or re.match(r"of\b", count.after)
        # "none longer than 45" has become "none at most 45"; a least after "none" would be odd
        is_odd = re.search(r"\bnone\b", between, re.IGNORECASE) and words.high is None
        harmless = changes_nothing(f"{count.before} {between}", _OF_PARAGRAPHS)
        if says_each and harmless and not is_odd:
            number = count.as_limit()
            of_each = named_bounds(words.low, words.high, "words_")
            yield {"kind": "paragraphs", **named_bounds(number.low, number.high), **of_each}


_PLACES = (
    ("(?:first|opening|introductory|initial)", "first paragraph"),
    ("(?:last|final|closing|concluding)", "last paragraph"),
)
_FRACTIONS = {
    "half": 0.5, "a half": 0.5, "a third": 1 / 3, "one third": 1 / 3, "two thirds": 2 / 3,
    "a quarter": 0.25, "one quarter": 0.25, "three quarters": 0.75, "a fifth": 0.2,
    "two fifths": 0.4, "three fifths": 0.6, "four fifths": 0.8, "a tenth": 0.1,
}  # fmt: skip
_LONGEST_FIRST = "|".join(sorted(_FRACTIONS, key=len, reverse=True))
_SHARE = rf"(?:{NUMBER}(?: ?%| per ?cent| percent)?|{_LONGEST_FIRST})"
_A, _B = rf"(?P<a>{_SHARE})", rf"(?P<b>{_SHARE})"
_SHARES = [
    (re.compile(body, re.IGNORECASE), sense)
    for body, sense in (
        (
            rf"(?:between|from|at least)? ?{_A}"
            rf"(?: and| to|-| but (?:at most|no more than)) ?{_B}",
            "both",
        ),
        (rf"(?:at least|no less than|not less than|a minimum of|over|more than) {_A}", "least"),
        (rf"{_A}(?: of [a-z ]+?)?,? (?:or more|at least|at the least|and upwards)", "least"),
        (
            rf"(?:at most|no more than|not more than|a maximum of|up to|under|less than) {_A}",
            "most",
        ),
        (rf"{_A}(?: of [a-z ]+?)?,? (?:or less|or fewer|at most|at the most)", "most"),
    )
]
_PER_CENT = re.compile(r"%|\bper ?cent\b", re.IGNORECASE)
_NAMES_SHARE = re.compile(r"per ?cent|third|half|quarter|fifth|tenth", re.IGNORECASE)
_OF_SHARES = words_of(
    # the part, the whole
    "paragraph first opening introductory initial last final closing concluding "
    "word words text's whole "
    # the share
    "per cent percent share third half "
    # having and giving it
    "account accounts carry carries claim deserve deserves earn fill gets hold holds "
    "occupy occupies make up take takes "
    "allot allotted devote devoted give given reserve reserved spend go goes belong belongs be "
    "fall may brief about"
)


def shares(wording: Wording) -> Iterator[Check]:
    """ "The final paragraph should carry a quarter to two fifths of the words"."""
    for clause in demanding_clauses(wording.text):
        for place, part in _PLACES:
            if len(re.findall(rf"\b{place} paragraph\b", clause, re.IGNORECASE)) != 1:
                continue
            for bounds in _shares_in(clause):
                yield {"kind": "proportion", "part": part, **bounds}


def _shares_in(clause: str) -> Iterator[Check]:
    """Bounds of every share in a clause that speaks of nothing else."""
    for pattern, sense in _SHARES:
        for match in pattern.finditer(clause):
            rest = f"{clause[: match.start()]} {clause[match.end() :]}"
            said = match.group()
            if "%" not in said and not _NAMES_SHARE.search(said + rest):
                continue
            low = _part_of_one(match["a"])
            high = _part_of_one(match["b"]) if sense == "both" else low
            rest = _PER_CENT.sub(" ", rest)
            if low is None or high is None or not changes_nothing(rest, _OF_SHARES):
                continue
            yield ({"low": low} if sense != "most" else {}) | (
                {"high": high} if sense != "least" else {}
            )


def _part_of_one(said: str) -> float | None:
    words = said.lower().strip()
    if words in _FRACTIONS:
        return _FRACTIONS[words]
    n = value_of(re.sub(r" ?(?:%|per ?cent)$", "", words))
    return None if n is None else n / 100


RULES = (sentence_words, paragraphs, shares)
