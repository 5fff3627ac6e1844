"""Rules that find a number of something first: words, sentences, questions, list items, citations.

They read what :mod:`.rules_counted` does not know: "It is read at the door, so eighty words is the
ceiling". Every word beside the amount must change nothing, or go with this kind of check.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from wfine_utils.checks.clause_words import OF_KIND, words_of
from wfine_utils.checks.clauses import (
    Amount,
    amounts,
    changes_nothing,
    counts_of,
    demanding_clauses,
    demands_nothing,
)
from wfine_utils.checks.frames import carries_demand
from wfine_utils.checks.numerals import NUMBER, value_of
from wfine_utils.checks.quantities import Quantity, named_bounds
from wfine_utils.checks.rules_counted import COUNTED, WITH_WORDS, Counted
from wfine_utils.checks.twins import Check
from wfine_utils.checks.wording import Wording

_NAME_THE_TEXT = words_of(
    "block_quotes citations contractions dialogue_turns exclamation_sentences first_person "
    "headings list_items percentages question_count quotations second_person similes"
)
"""Kinds whose name says that the text itself is meant."""

_WITHOUT_PARTS = words_of("contractions exclamation_sentences first_person second_person")
"""Those of which nothing said behind them could be a part: "contractions will keep it friendly"."""

_NOT_ALLOWED = re.compile(
    r"(?P<noun>[a-z][\w' -]+?)(?: of any kind)? "
    r"(?:(?:are|is) (?:therefore |thus |hence )?"
    r"(?:not (?:allowed|permitted|wanted|welcome|acceptable|admitted|used)"
    r"|excluded|forbidden|banned"
    r"|out of place(?: in (?:an?|the|this|our)(?: (?!and\b)[a-z-]+){1,4})?|out"
    r"|to be avoided|ruled out|unwelcome)"
    r"|(?:have|has) no place here"
    r"|(?:should|must) (?:not appear|be avoided|never appear|be left out))"
    r"(?: here)?(?: and (?:should|must) be (?:excluded|avoided|left out)(?: altogether)?)?",
    re.IGNORECASE,
)
_UNWANTED = re.compile(
    r"(?:(?P<aside>[^,;]+?),? "
    r"(?=(?:which|that|this|and that|without|with no|avoiding|using no"
    r"|and do without|and avoid|and free of|and leave out|rules out|forbids|excludes|bans) ))?"
    r"(?:(?:please |and )?(?:avoid|skip|omit|drop|shun|leave out|cut out|do without|steer clear of"
    r"|stay away from|refrain from|keep out"
    r"|do not (?:use|write|include|add|put in|allow)|don't (?:use|write|include|add)"
    r"|never (?:use|write|include)"
    r"|without|with no|avoiding|using no|keep it free of|(?:and )?free of"
    r"|(?:and )?(?:that |this |which )?"
    r"(?:rules out|means no|excludes|forbids|bans|leaves no room for))"
    r"(?: all| any| using| the use of| a single| every)*) "
    r"(?P<noun>[a-z][\w' -]+?)"
    r"(?: altogether| entirely| completely| at all| anywhere| throughout| of any kind"
    r"| whatever| whatsoever)*",
    re.IGNORECASE,
)


def counted(wording: Wording) -> Iterator[Check]:
    """Bounds of what is counted: "eighty words is the ceiling", "fifteen sentences, tops"."""
    for clause in demanding_clauses(wording.text):
        for row in COUNTED:
            for amount in counts_of(clause, row.noun):
                yield from _bounded(row, amount.as_limit(), amount)
        for amount in amounts(clause):
            for pattern, row in WITH_WORDS:
                match = pattern.fullmatch(amount.quantity.noun)
                if match and not carries_demand(f"{match['before']} {match['after']}"):
                    yield from _bounded(row, amount.quantity, amount)
        yield from _none_of(clause)


def _bounded(row: Counted, quantity: Quantity, amount: Amount) -> Iterator[Check]:
    kind = row.check["kind"]
    # characters() knows whether blanks count; a plain number may be meant roughly
    if kind == "char_count" or (quantity.plain and not row.plain_is_exact):
        return
    also = OF_KIND.get(kind, frozenset())
    before_is_harmless = demands_nothing if kind in _NAME_THE_TEXT else changes_nothing
    after_is_harmless = demands_nothing if kind in _WITHOUT_PARTS else changes_nothing
    if before_is_harmless(amount.before, also) and after_is_harmless(amount.after, also):
        yield {**row.check, **named_bounds(quantity.low, quantity.high)}


def _none_of(clause: str) -> Iterator[Check]:
    """ "Steer clear of contractions", "headings are out of place here"."""
    match = _UNWANTED.fullmatch(clause) or _NOT_ALLOWED.fullmatch(clause)
    if match and demands_nothing(match.groupdict().get("aside") or ""):
        for row in COUNTED:
            if re.fullmatch(row.noun, match["noun"], re.IGNORECASE):
                yield {**row.check, "high": 0}
        if re.fullmatch(r"exclamation (?:marks?|points?)", match["noun"], re.IGNORECASE):
            yield {"kind": "exclamation_sentences", "high": 0}


_BLANKS = r"(?:spaces?|blanks?|white ?space|gaps(?: between (?:the )?words)?)"
_WITH_BLANKS = re.compile(
    r"(?:,|\(| and)? ?"
    r"(?:(?:we |i )?(?:count(?:ing)?|includ(?:ing|e)|with|inclusive of)(?: the| all)? "
    rf"{_BLANKS}(?: too| as well| as characters)?"
    rf"|(?:the )?{_BLANKS} (?:and all|included|counted|inclusive|count(?: too)?))"
    r"\)?,?",
    re.IGNORECASE,
)
_WITHOUT_BLANKS = re.compile(
    r"(?:,|\()? ?"
    rf"(?:(?:not counting|excluding|without|leaving out|ignoring)(?: the)? {_BLANKS}"
    rf"|leaving (?:the )?{_BLANKS} out(?: of the count)?"
    rf"|(?:the )?{_BLANKS} (?:excluded|not counted|left out|aside|apart|do not count"
    r"|don't count|not included))"
    r"\)?,?",
    re.IGNORECASE,
)


def characters(wording: Wording) -> Iterator[Check]:
    """Characters, where it is said whether blanks count: "900 characters, tops (with spaces)"."""
    for pattern, blanks_count in ((_WITH_BLANKS, True), (_WITHOUT_BLANKS, False)):
        if len(pattern.findall(wording.text)) != 1:
            continue
        text = " ".join(pattern.sub(" ", wording.text).split()).strip(" ,")
        for clause in demanding_clauses(text.replace(" ,", ",")):
            for amount in amounts(clause):
                quantity = amount.as_limit()
                if (
                    re.fullmatch("characters?", quantity.noun, re.IGNORECASE)
                    and not quantity.plain
                    and changes_nothing(amount.rest, OF_KIND["char_count"])
                ):
                    bounds = named_bounds(quantity.low, quantity.high)
                    yield {"kind": "char_count", "spaces": blanks_count, **bounds}


_LIST_ITEM = (
    r"(?:short |brief |separate )?(?:bulleted |numbered |bullet |list )?"
    r"(?:items?|points?|entries|bullets?|steps?|tips?|bullet points?)"
    r"(?: of (?!equal|similar|different)[a-z]+)?"
)
_OF_LISTS = OF_KIND["list_items"] | words_of("bullets under has made up that belong belongs")


def list_items(wording: Wording) -> Iterator[Check]:
    """Items of a list whose marks are named: "a numbered list that has three to five entries"."""
    for clause in demanding_clauses(wording.text):
        is_bullet = bool(re.search(r"\bbullet(?:s|ed)?\b", clause, re.IGNORECASE))
        is_numbered = bool(re.search(r"\b(?:numbered|ordered) list\b", clause, re.IGNORECASE))
        if is_bullet == is_numbered:
            continue
        for amount in counts_of(clause, _LIST_ITEM):
            if demands_nothing(amount.before, _OF_LISTS) and changes_nothing(
                amount.after, _OF_LISTS
            ):
                bounds = named_bounds(amount.quantity.low, amount.quantity.high)
                marker = "bullet" if is_bullet else "numbered"
                yield {"kind": "list_items", "marker": marker, **bounds}


_NUMBER_THEM = re.compile(
    rf"number (?:the|your|its|all) [a-z ]+? from (?:1|one) to (?P<n>{NUMBER})"
    r"(?: in a list| as a list)?",
    re.IGNORECASE,
)


def numbered(wording: Wording) -> Iterator[Check]:
    """A list whose last number is said: "Number the steps from 1 to 6"."""
    for clause in demanding_clauses(wording.text):
        if (match := _NUMBER_THEM.fullmatch(clause)) and (n := value_of(match["n"].lower())):
            yield {"kind": "list_items", "marker": "numbered", "low": n, "high": n}


_AS_FIGURES = re.compile(r"\b(?:in|as) (?:figures|digits|numerals)\b", re.IGNORECASE)
_AS_PERCENTAGES = re.compile(r"\b(?:as percentages|in per ?cent)\b", re.IGNORECASE)
_THINGS = r"(?:of (?:the|its|their|your|his|her) )?[a-z]+s"


def figures(wording: Wording) -> Iterator[Check]:
    """ "Record at least five sums in figures", "two of the results as percentages, or more"."""
    for clause in demanding_clauses(wording.text):
        for pattern, kind in ((_AS_FIGURES, "numbers"), (_AS_PERCENTAGES, "percentages")):
            bare = " ".join(pattern.sub(" ", clause).split())
            if bare == clause:
                continue
            for amount in counts_of(bare, _THINGS):
                low, high, plain, noun = amount.quantity
                beside = f"{amount.rest} {noun}"
                if not plain and demands_nothing(beside, OF_KIND[kind] | _GIVEN):
                    yield {"kind": kind, **named_bounds(low, high)}


_GIVEN = words_of("give given express expressed put record recorded write written set sums dates")
_BY_AUTHOR = (
    r"(?:by (?:their )?|with (?:the )?|giving |by giving )?"
    r"(?:the )?(?:author|surname|name)s?(?:'s name)?(?: and|,) (?:the )?(?:year|date)s?"
    r"|author[- ](?:year|date)|harvard|apa"
    r"|\((?:name|author|[A-Z]\w+),? (?:year|date|\d{4})\)"
)
_BY_NUMBER = (
    r"by numbers?|by numerals|numbered|numeric(?:al)?|bracketed numbers"
    r"|numbers in (?:square )?brackets"
)
_CITED = (
    r"(?:published |different |scholarly |academic |parenthetical |bracketed |earlier |previous "
    r"|recent )?"
    r"(?:(?:author[- ](?:year|date)|numeric|numbered|harvard|apa)(?:-style| style)? )?(?:in-text )?"
    r"(?:citations?|references?|sources?|works|studies|publications|authorities|authors|scholars"
    r"|books|articles|papers)"
)
_SAYS_CITED = re.compile(
    r"\bcit(?:e|ed|ation|ations|ing)\b|\breferences?\b|\bcredit(?:ed)?\b|\bsources\b", re.IGNORECASE
)
_OF_CITATIONS = OF_KIND["citations"] | words_of(
    "citation cites credit credited referenced references published studies work "
    "authors name names surname date dates years "
    "number numbered numbers numeric bracket square accompany argument"
)


def citations(wording: Wording) -> Iterator[Check]:
    """Citations whose style is said: "Cite at least three works by author and year"."""
    for clause in demanding_clauses(wording.text):
        by_author = bool(re.search(_BY_AUTHOR, clause, re.IGNORECASE))
        by_number = bool(re.search(_BY_NUMBER, clause, re.IGNORECASE))
        if by_author == by_number or not _SAYS_CITED.search(clause):
            continue
        for amount in counts_of(clause, _CITED):
            quantity = amount.quantity
            rest = re.sub(_BY_AUTHOR, " ", amount.rest, flags=re.IGNORECASE)
            if not quantity.plain and demands_nothing(rest, _OF_CITATIONS):
                style = "author-year" if by_author else "numeric"
                bounds = named_bounds(quantity.low, quantity.high)
                yield {"kind": "citations", "style": style, **bounds}


RULES = (counted, characters, list_items, numbered, figures, citations)
