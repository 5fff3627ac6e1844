"""Rules that find the names or the number of parts first: labels, headings, bold terms, letters.

They read what :mod:`.rules_format` does not know: "Our template is always Present, Apologies,
Actions: each of them starts a line and takes a colon".
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from wfine_utils.checks.clause_lists import IN_ORDER, listed_names
from wfine_utils.checks.clause_words import OF_KIND, words_of
from wfine_utils.checks.clauses import amounts, counts_of, demanding_clauses, demands_nothing
from wfine_utils.checks.frames import carries_demand
from wfine_utils.checks.numerals import NUMBER, ORDINALS, value_of
from wfine_utils.checks.quantities import named_bounds
from wfine_utils.checks.twins import Check
from wfine_utils.checks.wording import TERM, Wording


def _without_their_number(words: str, n: int) -> str | None:
    """Words around a list of n names without the number of names; None if they say another."""
    said = {value_of(word) for word in re.findall(r"[\w'-]+", words.lower()) if word != "one"}
    if not said <= {n, None}:
        return None
    return re.sub(rf"\b{NUMBER}\b", " ", words, flags=re.IGNORECASE)


_SAYS_COLON = re.compile(r"\bcolons?\b", re.IGNORECASE)
_SAYS_LINE = re.compile(r"\blines?\b|margin|label", re.IGNORECASE)
_OF_RECORDS = words_of(
    # the label and what surrounds it
    "label labels labelled labeled name names field fields entry entries colon colons line lines "
    "line-opening margin left mark marks parts part sections section "
    "card record form form's format template standard minutes court's "
    # opening and following
    "begin begins beginning beginnings open opens opening start starts starting end ends ending "
    "first head headed follow follows followed following "
    "after before behind under with by on at "
    # placing
    "arrange arranged lay laid out down place placed placing put where order stands openings "
    "included wants "
    "use used takes needs given "
    # which of them
    "word words which a its own each every one all these them among separate new fresh namely "
    "and always must"
)


def record(wording: Wording) -> Iterator[Check]:
    """Labelled lines: "Present and Actions, each of which opens a line and takes a colon"."""
    for clause in demanding_clauses(wording.text):
        if not (listed := listed_names(wording, IN_ORDER.sub("", clause))):
            continue
        terms, rest = listed
        has_colon = all(term.endswith(":") for term in terms) or _SAYS_COLON.search(rest)
        bare = _without_their_number(rest, len(terms))
        if not has_colon or not _SAYS_LINE.search(rest) or bare is None:
            continue
        if demands_nothing(bare, _OF_RECORDS):
            yield {"kind": "record", "fields": [term.rstrip(":") for term in terms]}


_SAYS_HEADED = re.compile(
    r"\bheadings?\b|\b(?:sections|parts),? (?:headed|titled)\b", re.IGNORECASE
)
_SAYS_AMONG = re.compile(r"\bamong\b|includ", re.IGNORECASE)
_SAYS_LEVEL = re.compile(r"\b\w+-level\b|\blevel[- ]\d\b|\bh\d\b", re.IGNORECASE)
_OF_HEADINGS = OF_KIND["headings"] | words_of(
    "named called entitled titled titles headed read reads namely respectively under "
    "these following each every alone for have give us"
)


def headings(wording: Wording) -> Iterator[Check]:
    """Headings with given names: "carve it into sections titled Look, Drive and Wait"."""
    for clause in demanding_clauses(wording.text):
        if not _SAYS_HEADED.search(clause) or _SAYS_AMONG.search(clause):
            continue
        if not (listed := listed_names(wording, IN_ORDER.sub("", clause))):
            continue
        texts, rest = listed
        n = len(texts)
        bare = _without_their_number(_SAYS_LEVEL.sub(" ", rest), n)
        if bare is not None and demands_nothing(bare, _OF_HEADINGS):
            yield {"kind": "headings", **_level(rest), "low": n, "high": n, "texts": texts}


def _level(words: str) -> Check:
    """The last level that is named, by its ordinal or its number."""
    level: Check = {}
    for i, name in enumerate(ORDINALS[:6], 1):
        said = rf"\b{name}[- ]level\b|\blevel[- ]{i}\b|\bh{i}\b"
        if re.search(said, words, re.IGNORECASE):
            level = {"level": i}
    return level


_BOLD = (
    r"(?:in |into )?(?:bold(?:ed|face|faced)?|boldfaced?)"
    r"(?: type| print| face| letters| lettering)?"
)
_OF_BOLD = words_of(
    # bold type
    "bold bolded boldface boldfaced embolden type typed print printed face letters lettering "
    "emphasise emphasised emphasize highlight highlighted mark marked by means of "
    # setting it so
    "appear put putting set show shown stand standing stands use used "
    # what is set so
    "word words term terms phrase phrases name names namely both them"
)


def bold_terms(wording: Wording) -> Iterator[Check]:
    """Names or quoted terms: "Set the couple's names, Priya and Tom, in boldface"."""
    for clause in demanding_clauses(wording.text):
        if len(re.findall(r"\bbold|\bembolden", clause, re.IGNORECASE)) != 1:
            continue
        if (listed := listed_names(wording, clause)) and demands_nothing(listed[1], _OF_BOLD):
            yield {"kind": "bold_terms", "terms": listed[0]}


_BOLD_THINGS = (
    r"(?:most |more )?(?:[a-z][\w'-]* ){0,3}?(?!words|sentences|letters|paragraphs|headings)[a-z]+s"
)
_NO_BOLD = re.compile(
    r"(?:(?:use|include|have) no|avoid|without|do not use|don't use|no)(?: any)? "
    r"bold(?:face| type| print)?(?: type| print)?(?: at all| anywhere| whatever)?",
    re.IGNORECASE,
)


_APPOSITION = re.compile(r",? ?[^,]+ and [^,]+, (?:should|must|are|have|need|go)\b")


def bold_count(wording: Wording) -> Iterator[Check]:
    """How much is bold: "two bold phrases and no third", "her three key points go in bold"."""
    for clause in demanding_clauses(wording.text):
        if _NO_BOLD.fullmatch(clause):
            yield {"kind": "bold_count", "high": 0}
        said = re.sub(r"\bwords or phrases\b", "phrases", clause, flags=re.IGNORECASE)
        bare = re.sub(rf",? ?\b(?:{_BOLD})\b", "", said, count=1, flags=re.IGNORECASE)
        if bare == said or re.search(r"\bbold", bare, re.IGNORECASE):
            continue
        if listed_names(wording, said):  # bold_terms() asks for more than their number
            continue
        for amount in amounts(" ".join(bare.split())):
            quantity = amount.quantity
            # "his most urgent lines" are things to be set in bold, and no demand for lines
            noun = re.sub(r"^most |\b(?:lines|titles)$", "", quantity.noun)
            is_thing = re.fullmatch(_BOLD_THINGS, quantity.noun, re.IGNORECASE)
            if _APPOSITION.match(amount.after):  # "two specialities, rye loaf and bun, in bold"
                continue
            if is_thing and not carries_demand(noun) and demands_nothing(amount.rest, _OF_BOLD):
                yield {"kind": "bold_count", **named_bounds(quantity.low, quantity.high)}


_LETTERS = words_of("letter letters correspondence")
_OPENINGS = words_of("greeting salutation")
_CLOSINGS = words_of("close closing farewell sign-off signature signed valediction")
_LETTER_FORMS = words_of(
    "as conventions dress form format laid layout like look looks proper properly shape"
)
_OF_LETTERS = words_of(
    # the letter and its parts
    "letter letters correspondence greeting salutation signature closing close sign-off "
    "valediction "
    "farewell formula phrase full name address sender's writer's signed line courtesy answer "
    # its form
    "form format layout look looks shape dress conventions convention cast lay laid set observe "
    "formal business proper properly complimentary courteous polite complete "
    "customary usual traditional standard conventional "
    # where they stand
    "open opens start starts begin begins beginning first top end ends ending last bottom below "
    "beneath under down come as both including include needs"
)


def letter(wording: Wording) -> Iterator[Check]:
    """The form of a letter, of which greeting and closing are named both or neither."""
    for clause in demanding_clauses(wording.text):
        words = set(re.findall(r"[\w'-]+", clause.lower()))
        opens = bool(words & _OPENINGS)
        closes = bool(words & _CLOSINGS) or (opens and "name" in words)
        is_letter = words & _LETTERS or {"salutation", "close"} <= words
        says_form = words & _LETTER_FORMS or opens
        if is_letter and says_form and opens == closes and demands_nothing(clause, _OF_LETTERS):
            yield {"kind": "letter_layout"}


_BEGIN = (
    r"(?:begin|begins|beginning|start|starts|starting|open|opens|opening|head|front|set off"
    r"|lead off|led off)"
)
_BEGIN_WITH = (
    rf"(?:with|by)(?: the (?:\w+ ){{0,3}}?\w+,?)? {TERM}"
    rf"|(?:the )?(?:opening|beginning|start) {TERM}"
    rf"|{TERM} at the (?:head|start|beginning|front) of\b"
    rf"|{TERM} (?:(?:should|must|is to|are to|has to|have to|needs to) )?"
    r"be (?:the )?(?:beginning|opening|start) of\b"
)
_STARTING = (
    ("(?:of (?:the|its|your|his|her) )?lines?", "line_starts", "prefix"),
    ("(?:of (?:the|its|your|his|her) )?sentences?", "anaphora", "start"),
)
_OF_STARTS = words_of(
    "begin begins beginning start starts starting open opens opening lead led off "
    "line lines sentences word words phrase label prefix capitals "
    "each two three same again repeat ring rings by its own on new fresh that which"
)


def starting(wording: Wording) -> Iterator[Check]:
    """Lines or sentences: "Have the child start three or more sentences with …"."""
    for clause in demanding_clauses(wording.text):
        marks = re.findall(TERM, clause)
        if len(marks) != 1 or not re.search(rf"\b{_BEGIN}\b", clause, re.IGNORECASE):
            continue
        if not re.search(_BEGIN_WITH, clause, re.IGNORECASE):
            continue
        bare = " ".join(clause.replace(marks[0], " ").split())
        for noun, kind, argument in _STARTING:
            for amount in counts_of(bare, noun):
                quantity = amount.quantity
                if not quantity.plain and demands_nothing(amount.rest, _OF_STARTS):
                    bounds = named_bounds(quantity.low, quantity.high)
                    yield {"kind": kind, argument: wording.names(marks[0])[0], **bounds}


RULES = (record, headings, bold_terms, bold_count, letter, starting)
