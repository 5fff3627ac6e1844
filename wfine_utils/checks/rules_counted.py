"""Rules for what is only counted: words, sentences, headings, questions, contractions and so on.

Each is a line of a table: how the counted thing is called, its check, and what a plain number
without "at least" means. "Write five sentences" is exact; "Write 200 words" or "Ask two questions"
may be meant roughly or as a least, and no rule is sure of it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from wfine_utils.checks.frames import carries_demand, counts, sentences_of
from wfine_utils.checks.numerals import ORDINALS, in_words
from wfine_utils.checks.quantities import named_bounds, quantities
from wfine_utils.checks.twins import Check
from wfine_utils.checks.wording import TERM, Wording


class Counted(NamedTuple):
    """What is counted: how it is called, and its check."""

    noun: str  # a pattern, in one or in many
    check: Check
    plain_is_exact: bool = False
    takes_words: bool = False  # "two searching questions about the past" are two questions


_BLANKS = "(?:the )?(?:spaces|blanks|whitespace|white space)"
_WITHOUT = "excluding|without|not counting|not including|exclusive of|leaving out"
_HOW_BLANKS = (
    rf"(?:(?:including|with|counting|inclusive of|(?P<without{{i}}>{_WITHOUT})) {_BLANKS}"
    rf"|{_BLANKS} (?:included|counted|(?P<left{{i}}>excluded|not counted|not included|left out)))"
)
_OF_BLANKS = re.compile(
    rf"{_HOW_BLANKS.format(i=1)},? (?P<after>.+)"
    rf"|(?P<before>.+?),? (?:\()?{_HOW_BLANKS.format(i=2)}(?:\))?",
    re.IGNORECASE,
)
_BOLD = "(?:in bold(?: type| print| face|face| letters)?|in boldface)"
_PRONOUNS = r"(?: \((?:such as |like |e\.g\., ?|e\.g\. )?[a-z', ]+(?: etc\.?)?\))?"
_ENDING = "(?:that end|that ends|ending|which end|which ends|that finish|finishing)"

COUNTED: tuple[Counted, ...] = (
    Counted("words?", {"kind": "word_count"}),
    Counted("(?:complete |full )?sentences?", {"kind": "sentences"}, True),
    Counted("paragraphs?(?: of (?:running )?text| of prose)?", {"kind": "paragraphs"}, True),
    Counted("characters?", {"kind": "char_count"}),
    Counted("list items?|items? in (?:a list|lists|the list)", {"kind": "list_items"}, True),
    Counted("bullet points?|bullets?|bulleted (?:list )?items?|bulleted points?|bullet items?|"
             "(?:items?|points?) in a bullet(?:ed)? list|bullet points? in (?:a|the) list",
             {"kind": "list_items", "marker": "bullet"}, True),
    Counted((
        "numbered (?:list )?(?:items?|points?|steps?|entries|lines?)|(?:items?|points?) in a "
        "numbered list"
    ),
             {"kind": "list_items", "marker": "numbered"}, True),
    Counted("(?:markdown )?headings?", {"kind": "headings"}, True),
    *(Counted(f"{name}-level (?:markdown )?headings?|level[- ](?:{i}|{in_words(i)}) "
               f"(?:markdown )?headings?|h{i} "
               f"headings?"
               f"|headings? of (?:the {name} level|level {i})|{name} level headings?"
               f"|headings? at (?:the {name} level|level (?:{i}|{in_words(i)}))",
               {"kind": "headings", "level": i}, True) for i, name in enumerate(ORDINALS[:6], 1)),
    Counted(f"(?:key )?(?:phrases?|expressions?)(?:,? (?:set|printed|put|written|typed))? {_BOLD}"
             "|bold(?:ed|face)? (?:key )?phrases?", {"kind": "bold_count"}, True),
    Counted("(?:in-text )?author-year citations?|(?:citations?|references?|sources?) in (?:the )?"
             "author-year (?:style|form|format|manner)(?: usual in the discipline)?"
             "|(?:citations?|references?) in brackets,? (?:with )?(?:author and year|the author "
             "and the year)"
             "|apa[- ]style (?:in-text )?citations?|(?:in-text )?(?:citations?|"
             "references?|sources?) "
             "in (?:apa|harvard|author-date) style|author-date citations?",
             {"kind": "citations"}),
    Counted("numeric citations?|numbered citations? in (?:square )?brackets|"
             r"citations? with (?:a number|numbers) in square brackets|numeric citations? such "
             r"as \[\d\]",
             {"kind": "citations", "style": "numeric"}),
    Counted(r"(?:lines?|turns?) of dialogue with the speaker's name and a colon before (?:it|them)"
             r"|(?:dialogue )?lines? of the form name: speech"
             r"|turns? of dialogue written as name: speech|lines? of dialogue|turns? of "
             r"dialogue|script lines? \(name, colon, speech\)",
             {"kind": "dialogue_turns"}, True),
    Counted("block ?quot(?:e|ation)s?", {"kind": "block_quotes"}, True),
    Counted("(?:rhetorical |direct )?questions?|question sentences?|"
             f"sentences? {_ENDING} (?:with|in) (?:a )?question marks?"
             "|(?:rhetorical )?questions? (?:to the reader|for the reader)",
             {"kind": "question_count"}, takes_words=True),
    Counted("exclamations?|exclamatory sentences?|exclamation sentences?|"
             f"sentences? {_ENDING} (?:with|in) (?:an )?exclamation (?:marks?|points?)",
             {"kind": "exclamation_sentences"}, takes_words=True),
    Counted("similes?", {"kind": "similes"}, takes_words=True),
    Counted(f"first[- ]person pronouns?{_PRONOUNS}|pronouns? (?:of|in) the first person{_PRONOUNS}"
             f"|words? (?:of|in) the first person{_PRONOUNS}|first[- ]person words?{_PRONOUNS}",
             {"kind": "first_person"}),
    Counted(f"second[- ]person pronouns?{_PRONOUNS}|pronouns? (?:of|in) the second "
             f"person{_PRONOUNS}"
             f"|words? (?:of|in) the second person{_PRONOUNS}|second[- ]person words?{_PRONOUNS}",
             {"kind": "second_person"}),
    Counted("contractions?|contracted (?:(?:word )?forms?|verbs?)", {"kind": "contractions"}),
    Counted(r"(?:exact |precise |specific )?(?:figures?|numbers?)"
             r"(?: (?:such as|from|on|of|about|for) [a-z', ]+?)?,? "
             r"(?:written |given |expressed |stated )?"
             r"(?:in|as) (?:digits|numerals|figures|digit form|numeric form)|numerals?"
             r"|numbers? \(in digits\)|arabic numerals?",
             {"kind": "numbers"}),
    Counted("percentages?|percentage figures?|figures? in per ?cent", {"kind": "percentages"},
             takes_words=True),
    Counted("(?:direct )?quotations?|passages? in (?:double )?quotation marks|direct quotes?"
             "|(?:quotations|quotes) in inverted commas|quoted passages?|quotes?",
             {"kind": "quotations"}, takes_words=True),
    Counted("statistics|statistical (?:data points?|figures?)|exact figures?|precise figures?",
             {"kind": "numbers"}, takes_words=True),
)  # fmt: skip
_PATTERNS = [(re.compile(row.noun, re.IGNORECASE), row) for row in COUNTED]
_NO_ADJECTIVE = "(?:block|pair|couple|few|handful|number|series|set|lot) "
_ADJECTIVES = rf"(?P<before>(?:(?!{_NO_ADJECTIVE})[a-z][\w'-]* ){{0,3}}?)"
_QUALIFIER = (
    r"(?P<after>(?:,? (?:about|on|from|of|by|to|for|that|which|taken|drawn|put|such as) "
    r"[^.;:]+)?)"
)
WITH_WORDS = [
    (re.compile(f"{_ADJECTIVES}(?:{row.noun}){_QUALIFIER}", re.IGNORECASE), row)
    for row in COUNTED
    if row.takes_words
]

_WITH = (
    rf"(?:(?:the )?(?:same )?(?:two |three )?(?:words?|phrase|label|text|characters?|prefix"
    rf"|mark),? )?(?P<t>{TERM})"
)
_STARTING = [
    (re.compile(rf"{noun} (?:(?:that|which) (?:all )?)?(?:begin|start|open)(?:s|ning|ing)? "
                rf"(?:with|by) {_WITH}",
                re.IGNORECASE), kind, argument)
    for noun, kind, argument in (
        ("lines?", "line_starts", "prefix"), ("sentences?", "anaphora", "start")
    )
]  # fmt: skip


def counted(wording: Wording) -> Iterator[Check]:
    """Bounds of what the table names: "no more than two questions"."""
    for low, high, plain, noun in counts(wording.text):
        bounds = named_bounds(low, high)
        for pattern, row in _PATTERNS:
            if pattern.fullmatch(noun) and (row.plain_is_exact or not plain):
                yield {**row.check, **bounds}
        for pattern, row in WITH_WORDS:
            match = pattern.fullmatch(noun)
            if match and not plain and not carries_demand(f"{match['before']} {match['after']}"):
                yield {**row.check, **bounds}
        for pattern, kind, argument in _STARTING:
            match = pattern.fullmatch(noun)
            if match and not plain:
                yield {"kind": kind, argument: wording.names(match["t"])[0], **bounds}


def characters(wording: Wording) -> Iterator[Check]:
    """A number of characters where it is said whether blanks count."""
    for sentence in sentences_of(wording.text):
        if not (match := _OF_BLANKS.fullmatch(sentence)):
            continue
        blanks_count = not any(match[name] for name in ("without1", "left1", "without2", "left2"))
        for low, high, plain, noun in counts(match["before"] or match["after"]):
            if noun.lower() in ("character", "characters") and not plain:
                bounds = named_bounds(low, high)
                yield {"kind": "char_count", "spaces": blanks_count, **bounds}


_SHOULD_START = re.compile(
    rf"(?P<how>.+?) (?:should|must|has to|have to|are to|will|need to) (?:all )?(?:begin|start"
    rf"|open) with {_WITH}",
    re.IGNORECASE,
)


def starting(wording: Wording) -> Iterator[Check]:
    """ "At least three sentences should begin with …"."""
    for sentence in sentences_of(wording.text):
        if not (match := _SHOULD_START.fullmatch(sentence)):
            continue
        for low, high, plain, noun in quantities(match["how"]):
            kinds = {"line": ("line_starts", "prefix"), "sentence": ("anaphora", "start")}
            starting_kind = kinds.get(noun.rstrip("s").lower())
            if starting_kind and not plain:
                bounds = named_bounds(low, high)
                kind, argument = starting_kind
                yield {"kind": kind, argument: wording.names(match["t"])[0], **bounds}


RULES = (counted, characters, starting)
