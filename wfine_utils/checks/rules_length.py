"""Rules for lengths of parts: words of every sentence, of every paragraph, a paragraph's share."""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal

from wfine_utils.checks.frames import demands, sentences_of
from wfine_utils.checks.numerals import NUMBER, value_of
from wfine_utils.checks.quantities import Quantity, named_bounds, quantities
from wfine_utils.checks.twins import Check
from wfine_utils.checks.wording import MODAL, TERM, Wording, without_fillers

_HAVE = (
    "have|contain|be|consist of|comprise|run to|hold|count|be between|use|be made up of|"
    "have a length of|include"
)
_HAS = "has|have|contains|contain|is|are|consists of|uses|comprises|runs to"
_OVER = (
    "have more than|be longer than|exceed|run past|run to more than|run over|contain more than"
    "|go beyond|be over|be more than|use more than|go over|consist of more than|surpass|pass"
)
_MAY = "(?:may|should|must|can|shall|is to|is allowed to|will)"


def _of_each(unit: str) -> list[tuple[re.Pattern[str], str]]:
    """What says something of every sentence, or of every paragraph."""
    each = (
        rf"(?:(?:every|each)(?: single)? {unit}|each of the {unit}s|all (?:of the |the "
        rf")?{unit}s|{unit}s)"
    )
    bodies = (
        (rf"{each} (?:{MODAL} (?:only )?(?:{_HAVE})|{_HAS}) (?P<q>.+)", "plain"),
        (rf"(?:let|have|make) {each} (?:{_HAVE}) (?P<q>.+)", "plain"),
        (rf"(?:keep|limit|restrict) {each} (?:down )?(?:to|within|at) (?P<q>.+)", "limit"),
        (rf"(?:keep) {each} (?P<q>(?:under|below|between|shorter than) .+)", "plain"),
        (rf"(?:use|write|include|give|put) (?P<q>.+?) (?:per|in every|in each|for every|for each"
         rf"|to each"
         rf"|to every|to the|a) {unit}", "plain"),
        (rf"no (?:single )?{unit} {_MAY} (?:{_OVER}) (?P<q>.+)", "limit"),
        (rf"{each} (?:must|should|may) not (?:{_OVER}) (?P<q>.+)", "limit"),
        (rf"(?:write|use) (?:only )?{unit}s (?:of|with) (?P<q>.+)", "plain"),
        (rf"(?:write|use) (?:only )?{unit}s (?P<q>no longer than .+)", "plain"),
    )  # fmt: skip
    return [(re.compile(body, re.IGNORECASE), sense) for body, sense in bodies]


_EACH = {"sentence_words": _of_each("sentence"), "paragraphs": _of_each("paragraph")}


def _words(said: str, *, limit: bool = False) -> Iterator[Quantity]:
    """Bounds of words; a plain number is none, unless it is a limit."""
    for quantity in quantities(without_fillers(said)):
        read = quantity.as_limit() if limit else quantity
        if re.fullmatch("words?", read.noun, re.IGNORECASE) and not read.plain:
            yield read


def every_part(wording: Wording) -> Iterator[Check]:
    """ "No sentence may run past 13 words", "every paragraph should have 40 to 55 words"."""
    for sentence in sentences_of(wording.text):
        for kind, patterns in _EACH.items():
            for pattern, sense in patterns:
                if not (match := pattern.fullmatch(sentence)):
                    continue
                for words in _words(match["q"], limit=sense == "limit"):
                    prefix = "words_" if kind == "paragraphs" else ""
                    yield {"kind": kind, **named_bounds(words.low, words.high, prefix)}


_PARAGRAPHS = re.compile(
    r"(?P<count>.+?paragraphs?(?:, no more (?:and|or) no fewer)?)"
    r"(?P<none>,? none (?:of them |of which )?(?:longer than|exceeding|with more than|of more "
    r"than|(?:should|may|must) exceed) )?"
    r"(?(none)(?P<most>.+)|(?:,? (?:and |with )?(?:each|every one|each one|all)(?: paragraph| of "
    r"them)?"
    r"(?: (?:of|with|being|containing|having|should have|must have|has|should be|must be|should "
    r"contain"
    r"|must contain|consisting of|running to))?|,? (?:of|with|containing)) (?P<each>.+?)"
    r"(?: each| per paragraph| in each(?: paragraph| one)?| in every paragraph| apiece)?)",
    re.IGNORECASE,
)
_SAYS_EACH = re.compile(r"\b(?:each|every|all|apiece|per paragraph)\b", re.IGNORECASE)


def paragraphs_of(wording: Wording) -> Iterator[Check]:
    """ "Three paragraphs, each of 40 to 55 words", "four, none of them longer than 45 words"."""
    for sense, words in demands(wording.text):
        match = _PARAGRAPHS.fullmatch(words) if sense == "wanted" else None
        if not match or not (match["most"] or _SAYS_EACH.search(words)):
            continue
        counts = [q for q in quantities(match["count"]) if re.fullmatch("paragraphs?", q.noun)]
        for count in counts:
            for each in _words(match["most"] or match["each"], limit=bool(match["most"])):
                of_each = named_bounds(each.low, each.high, "words_")
                yield {"kind": "paragraphs", **named_bounds(count.low, count.high), **of_each}


_PLACE = {
    "first": "first paragraph", "opening": "first paragraph", "last": "last paragraph",
    "final": "last paragraph", "closing": "last paragraph", "concluding": "last paragraph",
}  # fmt: skip
_PART = (
    rf"(?:(?:the|your) (?P<place>{'|'.join(_PLACE)}) paragraph"
    rf"|(?:the |your )?section (?:(?:headed|titled|entitled|called|named) )?(?P<s>{TERM})"
    rf"|(?:the |your )?(?P<t>{TERM}) section)"
)
_OF = (
    "(?: of (?:all )?(?:the |your )?(?:words|total words|whole|text|total word count|total length"
    "|word count|length|total|entire text|whole text|reply|answer|response))?"
)
_ROUGHLY = (
    "(?:(?:about|around|roughly) [a-z ]+?, (?:at any rate|that is|namely|or rather|more "
    "precisely),? )?"
)
_SHARE = r"(?P<share>(?:[a-z- ]+ )?\d[\d.]*.*?|[a-z -]+?(?: per ?cent| half| third| quarter|%))"
_TAKES = (
    "(?:make up|take up|account for|occupy|have|hold|contain|comprise|be|fill|cover|constitute"
    "|represent|form|use|take|get|claim|run to)"
)
_TAKES_NOW = (
    "(?:makes up|takes up|accounts for|occupies|has|holds|contains|comprises|is|fills|covers"
    "|constitutes|represents|takes)"
)
_GO = (
    "(?:go to|be in|be devoted to|fall on|belong to|be spent on|stand in|be reserved for|be "
    "given to"
    "|fall to|be found in|go into|lie in|be allotted to|come in)"
)
_PROPORTIONS = [
    re.compile(body, re.IGNORECASE)
    for body in (
        rf"{_PART} (?:{MODAL} {_TAKES}|{_TAKES_NOW}) {_ROUGHLY}{_SHARE}{_OF}",
        rf"(?:let|have|make) {_PART} {_TAKES} {_SHARE}{_OF}",
        rf"(?:reserve|devote|give|allot|assign|set aside|dedicate|allocate|spend|use|keep|save)"
        rf" {_SHARE}{_OF} (?:for|to|on) {_PART}",
        rf"{_SHARE}{_OF} {MODAL} {_GO} {_PART}",
    )
]
_SIGN = r"(?:%| ?per ?cent)"
_NUMERAL = rf"(?:\d{{1,3}}\.\d+|{NUMBER})"
_SHARES: list[tuple[re.Pattern[str], str]] = [
    (re.compile(body, re.IGNORECASE), sense)
    for body, sense in (
        (rf"(?:between|from) (?P<a>{_NUMERAL}){_SIGN}? (?:and|to) "
         rf"(?P<b>{_NUMERAL}){_SIGN}", "both"),
        (rf"(?P<a>{_NUMERAL}){_SIGN}?(?: to |-)(?P<b>{_NUMERAL}){_SIGN}", "both"),
        (rf"(?:at least|no less than) (?P<a>{_NUMERAL}){_SIGN}? (?:and|but) (?:at most|no more "
         rf"than)"
         rf" (?P<b>{_NUMERAL}){_SIGN}", "both"),
        (rf"(?:at least|no less than|not less than|a minimum of) "
         rf"(?P<a>{_NUMERAL}){_SIGN}", "least"),
        (rf"(?P<a>{_NUMERAL}){_SIGN} or more", "least"),
        (rf"(?:at most|no more than|not more than|a maximum of|up to) "
         rf"(?P<a>{_NUMERAL}){_SIGN}", "most"),
        (rf"(?P<a>{_NUMERAL}){_SIGN} or less", "most"),
        (rf"(?:exactly|precisely) (?P<a>{_NUMERAL}){_SIGN}", "exact"),
    )
]  # fmt: skip
_PARTS_OF_ONE = {"half": 0.5, "a half": 0.5, "a quarter": 0.25, "three quarters": 0.75,
                 "a third": 1 / 3, "two thirds": 2 / 3}  # fmt: skip


def _share_of_one(words: str) -> float | None:
    if "." in words:
        return float(Decimal(words) / 100)
    n = value_of(words.lower())
    return None if n is None else float(Decimal(n) / 100)


def _shares(said: str) -> Iterator[Check]:
    for pattern, sense in _SHARES:
        if not (match := pattern.fullmatch(said)):
            continue
        a = _share_of_one(match["a"])
        b = _share_of_one(match["b"]) if sense == "both" else a
        if a is not None and b is not None:
            low = {"low": a} if sense != "most" else {}
            yield low | ({"high": b} if sense != "least" else {})
    bound = re.fullmatch(r"(at least|no less than|at most|no more than) (.+)", said, re.IGNORECASE)
    if bound and bound[2].lower() in _PARTS_OF_ONE:
        name = "low" if bound[1].lower() in ("at least", "no less than") else "high"
        yield {name: _PARTS_OF_ONE[bound[2].lower()]}


def shares(wording: Wording) -> Iterator[Check]:
    """ "Reserve between 38 and 48 per cent of the words for the last paragraph"."""
    for sentence in sentences_of(wording.text):
        for pattern in _PROPORTIONS:
            if not (match := pattern.fullmatch(sentence)):
                continue
            section = match["s"] or match["t"]
            part: str | dict[str, str] = (
                {"section": wording.names(section)[0]}
                if section
                else _PLACE[match["place"].lower()]
            )
            for bounds in _shares(match["share"]):
                yield {"kind": "proportion", "part": part, **bounds}


RULES = (every_part, paragraphs_of, shares)
