"""Rules for the layout: lists and headings, tables, bold terms, labelled lines, letters."""

from __future__ import annotations

import re
from collections.abc import Iterator

from wfine_utils.checks.frames import demands, sentences_of
from wfine_utils.checks.numerals import NUMBER, ORDINALS, value_of
from wfine_utils.checks.quantities import named_bounds, quantities
from wfine_utils.checks.twins import Check
from wfine_utils.checks.wording import MODAL, SUBJECT, TERMS, Wording

_BULLETS = "(?:an? )?(?:bulleted list|bullet list|list of bullet points|bullet points|bullets)"
_NUMBERED = "(?:an? )?(?:numbered list|numbered items|list of numbered items|ordered list)"
_ALL = r"(?:whole|entire|full|complete)"


def _nothing_but(what: str, one: str) -> str:
    """The whole text is a list: a pattern."""
    verb = (
        r"(?:write|give|use|answer with|respond with|reply with|produce|provide|answer|reply"
        r"|respond)"
    )
    return (
        rf"{verb} nothing but {what}|{verb} (?:only|solely|exclusively)(?: with| in)? {what}"
        rf"|{verb}(?: with)? {what}"
        rf" (?:only|and nothing else|exclusively|alone)"
        rf"|(?:give|write|make|present|format|put) (?:the|your) {_ALL} (?:[a-z]+)(?: as| in)? "
        rf"{what}"
        rf"|(?:the|your) {_ALL} [a-z]+ {MODAL} be (?:in )?{what}"
        rf"|{SUBJECT} {MODAL} (?:consist|be made up|be composed) (?:solely|only|entirely"
        rf"|exclusively) of {what}"
        rf"|{SUBJECT} {MODAL} (?:be|contain) (?:nothing but|only) {what}"
        rf"|(?:every|each) line {MODAL} be an? {one}|make (?:every|each) line an? {one}"
    )


_PLAIN: list[tuple[re.Pattern[str], str]] = [
    (re.compile(body, re.IGNORECASE), kind)
    for kind, body in (
        ("bullet_list", _nothing_but(_BULLETS, "(?:bullet point|bulleted item|bullet)")),
        ("numbered_list", _nothing_but(_NUMBERED, "numbered item")),
        ("heading",
         rf"(?:begin|start|open)(?: {SUBJECT})? with an? (?:markdown )?heading"
         rf"|{SUBJECT} {MODAL} (?:begin|start|open) with an? (?:markdown )?heading"
         rf"|put an? (?:markdown )?heading (?:at the (?:top|start|beginning)|first)"
         rf"|the first line {MODAL} be an? (?:markdown )?heading"
         rf"|give {SUBJECT} an? (?:markdown )?heading at the (?:start|top|beginning)"
         rf"|an? (?:markdown )?heading {MODAL} (?:come first|stand at the top|open {SUBJECT})"),
        ("exclamations",
         r"(?:end|finish|close) (?:every|each)(?: single)? sentence (?:with|in|on) an "
         r"exclamation (?:mark|point)"
         rf"|(?:(?:every|each)(?: single)? sentence|all sentences) (?:{MODAL} (?:end|finish"
         rf"|close)|ends?)"
         r" (?:with|in|on) an exclamation (?:mark|point)"
         r"|let (?:every|each) sentence (?:end|finish|close) (?:with|in) an exclamation (?:mark"
         r"|point)"
         r"|make every sentence an exclamation"
         r"|write only sentences that end (?:with|in) an exclamation (?:mark|point)"),
    )
]  # fmt: skip


def plain(wording: Wording) -> Iterator[Check]:
    """What takes no argument: nothing but a list, a heading at the top, every sentence with "!"."""
    for sentence in sentences_of(wording.text):
        yield from ({"kind": kind} for pattern, kind in _PLAIN if pattern.fullmatch(sentence))


_LETTER = re.compile(
    r".*\b(?:(?:as|like|of|into) an? (?:[a-z]+ )*?(?:letter|correspondence)"
    r"|(?:as|like|of|into) (?:[a-z]+ )?correspondence|letter (?:form|format|layout)"
    r"|be an? (?:[a-z]+ )?letter)\b.*",
    re.IGNORECASE,
)
_OF_LETTERS = frozenset(
    "write it as a an the lay out use form of text should be letter with and greeting closing "
    "format "
    "reply response answer piece salutation name have set like give layout from to signature "
    "formal "
    "business proper properly correspondence complimentary close sender sender's formula beneath "
    "below its at end must has is in line valediction sign-off traditional standard signed "
    "writer's "
    "under shape complete conventional opening your put compose this that on".split()
)


def letter(wording: Wording) -> Iterator[Check]:
    """The form of a letter, of which greeting and closing are named both or neither."""
    for sentence in sentences_of(wording.text):
        used = set(re.findall(r"[\w'-]+", sentence.lower()))
        opens = bool(used & {"greeting", "salutation"})
        closes = bool(used & {"closing", "close", "signature", "valediction", "sign-off"})
        if _LETTER.fullmatch(sentence) and used <= _OF_LETTERS and opens == closes:
            yield {"kind": "letter_layout"}


_BARE = r"(?-i:[A-Z])[\w'’-]*(?: (?:of |and the )?[A-Za-z][\w'’-]*)?"
_COLON_LIST = rf"{_BARE}(?:,(?: and)? {_BARE})+"
_BARE_LIST = rf"{_BARE}(?:, {_BARE})*,? and {_BARE}"


def _listed(wording: Wording, said: str) -> list[str]:
    """The terms of a list, quoted or not."""
    return wording.names(said) or re.split(r",? and |, ", said)


_COLUMNS = rf"(?:(?:with|of|having|containing|that has)(?: exactly)? (?P<c>{NUMBER}) columns?)"
_TABLE = re.compile(
    rf"(?:an?|one) (?:markdown )?(?:(?P<h>[a-z]+|\d+)-column )?(?:markdown )?table(?: {_COLUMNS})?"
    r"(?:,? (?:and|with) (?P<rows>.+ rows?|no rows) (?:below (?:its|the) header|under (?:its"
    r"|the) header"
    r"|of data|besides (?:its|the) header|not counting (?:its|the) header))?",
    re.IGNORECASE,
)
_AS_TABLE = re.compile(
    rf"(?:present|give|put|show|format|write|arrange|set out|lay out) {SUBJECT} (?:in|as) "
    rf"(?P<o>.+)",
    re.IGNORECASE,
)


def table(wording: Wording) -> Iterator[Check]:
    """ "Include a table with three columns"; its columns' names are more than a check sees."""
    objects = [words for sense, words in demands(wording.text) if sense == "wanted"]
    objects += [m["o"] for s in sentences_of(wording.text) if (m := _AS_TABLE.fullmatch(s))]
    for words in objects:
        if not (match := _TABLE.fullmatch(words)):
            continue
        check: Check = {"kind": "table"}
        if columns := match["c"] or match["h"]:
            check["columns"] = value_of(columns.lower())
        if not match["rows"]:
            if columns is None or check["columns"] is not None:
                yield check
            continue
        for rows in quantities(match["rows"]):
            if rows.noun.lower() in ("row", "rows"):
                yield check | named_bounds(rows.low, rows.high, "rows_")


_HEADING = (
    rf"(?:(?:{'|'.join(ORDINALS[:6])})-level |level[- ]\d |h\d |markdown |section )*headings?"
    r"(?: of (?:level \d|the [a-z]+ level))?"
)
_ORDER = r"(?:,? (?:all )?in (?:that|this|the given|the following|exactly this) order)?"
_NAMES = rf"(?P<l>{TERMS}|{_BARE_LIST})"
_HEADED = [
    (re.compile(body, re.IGNORECASE), all_named)
    for body, all_named in (
        (rf"[Tt]he (?P<n>{_HEADING})(?::| named| called)? {_NAMES}{_ORDER}", False),
        (rf"[Tt]he (?P<n>{_HEADING}) {_NAMES} (?:should|must) appear{_ORDER}", False),
        (rf"(?P<n>.+?headings?(?: of (?:level \d|the [a-z]+ level))?)(?:,? (?:among them"
         rf"|including))"
         rf" {_NAMES}{_ORDER}", False),
        (rf"(?P<n>.+?headings?)(?:,? namely|:|,) {_NAMES}{_ORDER}", True),
        (rf"one (?P<n>{_HEADING}) each for {_NAMES}{_ORDER}", True),
    )
]  # fmt: skip
_UNDER = re.compile(
    rf"(?:arrange|organi[sz]e|structure|write|set out|divide|group) {SUBJECT} under (?P<o>.+)",
    re.IGNORECASE,
)


def _level(noun: str) -> Check:
    noun = noun.lower()
    for i, name in enumerate(ORDINALS[:6], 1):
        if re.search(rf"\b{name}[- ]level|level[- ]{i}\b|\bh{i}\b|the {name} level", noun):
            return {"level": i}
    return {}


def headings(wording: Wording) -> Iterator[Check]:
    """Headings with given names: "three headings: Look, Drive and Wait, in that order"."""
    objects = [words for sense, words in demands(wording.text) if sense in ("wanted", "mention")]
    objects += [s for s in sentences_of(wording.text) if s.lower().startswith(("the ", "one "))]
    objects += [m["o"] for s in sentences_of(wording.text) if (m := _UNDER.fullmatch(s))]
    for words in dict.fromkeys(objects):
        for pattern, all_named in _HEADED:
            if match := pattern.fullmatch(words):
                yield from _headed(wording, match, all_named=all_named)


def _headed(wording: Wording, match: re.Match[str], *, all_named: bool) -> Iterator[Check]:
    texts = _listed(wording, match["l"])
    check: Check = {"kind": "headings", **_level(match["n"]), "texts": texts}
    if re.fullmatch(_HEADING, match["n"], re.IGNORECASE):  # not counted
        n = {"low": len(texts), "high": len(texts)} if all_named else {}
        if not all_named or match.group().lower().startswith("one "):
            yield check | n
        return
    for low, high, is_plain, noun in quantities(match["n"]):
        if not re.fullmatch(_HEADING, noun, re.IGNORECASE):
            continue
        if all_named and not (low == high == len(texts)):
            continue
        if is_plain and not all_named:
            continue
        yield check | named_bounds(low, high)


_BOLD = r"(?:in bold(?: type| print| face| letters)?|in boldface|bold)"
_BOLD_TERMS = [
    re.compile(body, re.IGNORECASE)
    for body in (
        rf"(?:put|set|make|print|highlight|write|mark|type|show|have|render)"
        rf" (?:the (?:words?|terms?|phrases?|names?) )?(?P<l>{TERMS}) {_BOLD}",
        rf"(?:the (?:words?|terms?|phrases?|names?) )?(?P<l>{TERMS}) {MODAL}"
        rf" (?:appear|stand|be(?: (?:set|put|printed|written|highlighted|shown))?) {_BOLD}",
        rf"(?:the )?[a-z ]+,? namely (?P<l>{TERMS}|[a-z' -]+(?:, [a-z' -]+)*,? and [a-z' -]+),? "
        rf"{MODAL}"
        rf" (?:appear|stand|be(?: (?:set|put|printed|written|highlighted|shown))?) {_BOLD}",
        rf"bold (?:the (?:words?|terms?|phrases?) )?(?P<l>{TERMS})",
    )
]


_BOLD_COUNT = re.compile(
    rf"(?:put|set|print|highlight|mark)(?: his| her| their| the| its| your)? (?P<q>[\w' -]+?) "
    rf"{_BOLD}",
    re.IGNORECASE,
)
_NO_PHRASE = re.compile(
    r".*\b(?:words?|sentences?|letters?|lines?|paragraphs?|headings?|per|each)\b.*", re.I
)


def bold_count(wording: Wording) -> Iterator[Check]:
    """ "Put his three or four most urgent orders in bold"."""
    for sentence in sentences_of(wording.text):
        if not (match := _BOLD_COUNT.fullmatch(sentence)):
            continue
        for low, high, _, noun in quantities(match["q"]):
            if not _NO_PHRASE.fullmatch(noun) and (low, high) != (1, None):
                bounds = named_bounds(low, high)
                yield {"kind": "bold_count", **bounds}


def bold_terms(wording: Wording) -> Iterator[Check]:
    """ "Set X and Y in bold"."""
    for sentence in sentences_of(wording.text):
        for pattern in _BOLD_TERMS:
            match = pattern.fullmatch(sentence)
            if match and not re.search(r"\bor\b", match["l"]):
                yield {"kind": "bold_terms", "terms": _listed(wording, match["l"])}


_OF_RECORDS = frozenset(
    "use the labels label each opening a line and followed by colon in that this order set it out "
    "with on its own be should include fields field entries entry parts part new beginning begin "
    "start write for of after at head one labelled standard form as card case open all must "
    "there two three four five six seven eight text have an lines are to starting separate placed "
    "is put name before them under these".split()
)
"""Every word that may stand beside the names of labelled lines, so that none asks for more."""


def record(wording: Wording) -> Iterator[Check]:
    """Labelled lines: "the labels Place and Outlook should each open a line, with a colon"."""
    for sentence in sentences_of(wording.text):
        lists = re.findall(rf"{TERMS}|(?<=[a-z,] ){_BARE_LIST}|(?<=: ){_COLON_LIST}", sentence)
        if len(lists) != 1:
            continue
        fields = _listed(wording, lists[0])
        used = re.findall(r"[\w'-]+", sentence.replace(lists[0], " ").lower())
        numbers = {value_of(word) for word in used if word != "one"} - {None}
        says_line = {"line", "lines"} & set(used) and "colon" in used
        if says_line and set(used) <= _OF_RECORDS and numbers <= {len(fields)}:
            yield {"kind": "record", "fields": fields}


_SERIES = re.compile(
    rf"(?:start|begin|use|write) an? (?:new |fresh |separate )?line for (?:each|every) [a-z ]+?,?"
    rf" (?:labelled|labeled|beginning with|starting with|headed|marked) (?P<l>{TERMS})"
    r"(?:,? and so (?:forth|on)|,? etc)",
    re.IGNORECASE,
)


def numbered_lines(wording: Wording) -> Iterator[Check]:
    """ "Labelled "Week 1:", "Week 2:" and so forth": as many lines as are named, at the least."""
    for sentence in sentences_of(wording.text):
        if not (match := _SERIES.fullmatch(sentence)):
            continue
        labels = [re.fullmatch(r"(.*?)\s*\d+\W*", name) for name in wording.names(match["l"])]
        stems = {label[1] if label else "" for label in labels}
        if len(stems) == 1 and len(labels) > 1 and (stem := stems.pop()):
            yield {"kind": "line_starts", "prefix": stem, "low": len(labels)}


RULES = (plain, letter, table, headings, bold_count, bold_terms, record, numbered_lines)
