"""Rules that find the given words first: what is mentioned, in which order, what is forbidden.

They read what :mod:`.rules_content` does not know: "Take the reader first to the harbour, next to
the market and last to the cathedral".
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from wfine_utils.checks.clause_lists import IN_ORDER, listed_names
from wfine_utils.checks.clause_words import words_of
from wfine_utils.checks.clauses import (
    amounts,
    changes_nothing,
    counts_of,
    demanding_clauses,
    demands_nothing,
)
from wfine_utils.checks.frames import carries_demand
from wfine_utils.checks.numerals import NUMBER
from wfine_utils.checks.quantities import quantities
from wfine_utils.checks.rules_content import VOICE
from wfine_utils.checks.twins import Check
from wfine_utils.checks.wording import TERM, TERMS, Wording

_PRONOUNS = {
    "first_person": r"(?:i|me|my|mine|myself|we|us|our|ours|ourselves)",
    "second_person": r"(?:you|your|yours|yourself)",
}
_TIMES = "(?:times|uses|places|occasions|instances|occurrences)(?: over)?"
_OF_PERSONS = words_of(
    # who speaks, and to whom
    "first second person person's first-person second-person singular narrator voice pronoun "
    "pronouns word words form reader readers listener listeners audience who "
    "themselves herself himself itself one another "
    # speaking
    "say says saying said speak speaks speaking talk talks tell tells told narrate narrated hear "
    "heard read reads address addressed call refer refers referring directly straight plain "
    # occurring
    "times occasions instances uses using crop turn turn-up over somewhere in or"
)


def person(wording: Wording) -> Iterator[Check]:
    """Who speaks, and to whom: "let I or my be heard six times"."""
    for clause in demanding_clauses(wording.text):
        for kind, pronoun in _PRONOUNS.items():
            text, n = _pronouns_aside(wording, clause, pronoun)
            ordinal = kind.removesuffix("_person")
            name = (
                f"(?:(?:uses|instances|forms) of the )?{ordinal}[- ]person(?: pronouns?| words?)?"
            )
            says_person = bool(re.search(rf"\b{name}\b", text, re.IGNORECASE))
            if re.search(TERM, text) or not (n or says_person):
                continue
            for amount in counts_of(text, rf"(?:{_TIMES}|{name})"):
                low, high, plain, _ = amount.quantity
                if not demands_nothing(amount.rest, _OF_PERSONS):
                    continue
                if high is None or plain:
                    yield {"kind": kind, "low": low}
                elif low is None and high == 0:
                    yield {"kind": kind, "high": 0}
            if kind == "first_person" and says_person and not amounts(text):
                yield from _told_in(kind, name, text)


def _told_in(kind: str, name: str, text: str) -> Iterator[Check]:
    """ "Keep to the first person", without a number."""
    rest = re.sub(rf"\b{name}\b", " ", text, flags=re.IGNORECASE)
    manner = rf"\b(?:in|use|to|keep) the {name}(?: singular| plural)?\b"
    if re.search(manner, text, re.IGNORECASE) and demands_nothing(rest, _OF_PERSONS):
        yield {"kind": kind, "low": VOICE}


def _pronouns_aside(wording: Wording, clause: str, pronoun: str) -> tuple[str, int]:
    """A clause without the pronouns that it lists, quoted or not, and how many they were."""
    n = 0
    text = clause
    for mark in re.findall(TERM, clause):
        if re.fullmatch(pronoun, wording.names(mark)[0], re.IGNORECASE):
            text, n = text.replace(mark, "@"), n + 1
    bare = rf"(?<![\w'])(?:{pronoun})(?![\w'])"
    lists = rf"{bare}(?:(?:,? (?:or|and) |, ){bare})+"
    for match in re.finditer(lists, text, re.IGNORECASE):
        text, n = text.replace(match.group(), "@"), n + 1
    text = re.sub(r"@(?:(?:,? (?:or|and) |, )@)*", " ", text)
    return " ".join(text.split()).strip(" ,"), n


_OF_MENTIONS = words_of(
    # mentioning
    "mention mentioned mentions name named names cover covered refer touch discuss bring up "
    "include talk speak deal dealt address addressed credit credited left appear find "
    # what, where and how
    "word words term terms phrase phrases both each also place somewhere by way"
)
_MENTIONS = re.compile(
    r"\b(?:mention|name|cover|refer|touch|discuss|include|bring|use|contain|appear|deal|occur)",
    re.IGNORECASE,
)
_MORE_THAN_MENTIONED = re.compile(
    r"\b(?:order|sequence|succession|chronolog\w*|turn|bold\w*|embolden\w*|headings?|labels?"
    r"|colons?|lines?|quot\w+|italics?|tables?|columns?|sections?)\b",
    re.IGNORECASE,
)
"""What asks more of names than that they stand in the text."""


_ITEM_BEFORE = re.compile(r"\b(?:the|an?|his|her|its|their) [\w'’ -]+,  *$")
"""An item before the names that has no capital: "the harbour, Priya and Tom"."""


def mentions(wording: Wording) -> Iterator[Check]:
    """Names or quoted words: "find a place for Amara and Jonas, in that order"."""
    for clause in demanding_clauses(wording.text):
        unordered = IN_ORDER.sub("", clause)
        if not (listed := listed_names(wording, unordered)):
            continue
        terms, rest = listed
        if (
            demands_nothing(rest, _OF_MENTIONS)
            and (_MENTIONS.search(rest) or unordered != clause)
            and not _MORE_THAN_MENTIONED.search(rest)
            and not _ITEM_BEFORE.search(rest)
        ):
            kind = "mentions" if unordered == clause else "in_order"
            yield {"kind": kind, "terms": terms}


_THING = r"(?:the|a|an|his|her|its|their) [a-z][\w'-]*(?: [a-z][\w'-]*)?"
_THINGS = re.compile(
    r"(?P<before>.*\b(?:mention|mentions|name|names|refer to|refers to|include a mention of))"
    rf"(?: of)?(?: both)? (?P<list>{_THING}(?:, {_THING})*,? and {_THING})(?P<after>.*)",
    re.IGNORECASE,
)
_NOUNS = r"[a-z'-]+(?:, [a-z'-]+)+,? and [a-z'-]+"
_TOPICS = re.compile(
    r"(?P<before>(?:.*\b)?(?:mention|discuss|cover|address|deal with|treat|touch on|talk about"
    r"|speak of|topics (?:should be|must include|are)|themes (?:should be|must include|are))) "
    rf"(?P<list>{_NOUNS})",
    re.IGNORECASE,
)
_COME_UP = re.compile(
    rf"(?P<list>{_NOUNS}|{_THING}(?:, {_THING})*,? and {_THING}) "
    r"(?:should|must|have to|need to|ought to|are to) (?:each |all |both )?"
    r"(?:be (?:mentioned|named|included|covered|discussed|dealt with|referred to|brought in)"
    r"|come up|come in|appear|feature|play a part|find a place)",
    re.IGNORECASE,
)
_OF_TOPICS = _OF_MENTIONS | words_of("topics themes treat among")


def things(wording: Wording) -> Iterator[Check]:
    """ "Mention the roof, the boiler and the piano", "discuss rent, heating and repairs"."""
    for clause in demanding_clauses(wording.text):
        if (
            (match := _TOPICS.fullmatch(clause))
            and demands_nothing(match["list"])
            and demands_nothing(match["before"], _OF_TOPICS)
        ):
            yield {"kind": "mentions", "terms": _split(match["list"])}
        if (match := _COME_UP.fullmatch(clause)) and demands_nothing(match["list"]):
            items = [_without_article(item) for item in _split(match["list"])]
            yield {"kind": "mentions", "terms": items}
        if (
            (match := _THINGS.fullmatch(clause))
            and not carries_demand(match["list"])
            and not re.search(r"\b(?:of|who|that)\b", match["list"])
            and changes_nothing(f"{match['before']} {match['after']}", _OF_MENTIONS)
        ):
            items = [_without_article(item) for item in _split(match["list"])]
            yield {"kind": "mentions", "terms": items}


def _without_article(item: str) -> str:
    return re.sub(r"^(?:the|an?|his|her|its|their) ", "", item, flags=re.IGNORECASE)


def _split(listed: str) -> list[str]:
    return re.split(r",? and |, ", listed)


_STEP = r"(?:the |a |an )?(?P<{}>[\w'’-]+(?: (?!and\b|then\b|to\b|followed\b)[\w'’-]+)?)"
_A, _B, _C = (_STEP.format(name) for name in "abc")
_BEFORE = r"(?P<before>.*?)\b"
_STEPS = [
    re.compile(_BEFORE + body, re.IGNORECASE)
    for body in (
        # "from the mill to the ford, and finally to the chapel"
        rf"from {_A},? (?:and )?(?:then )?(?:on )?to {_B}"
        rf",? (?:and )?(?:then |finally |lastly )?(?:on )?to {_C}",
        # "first to the mill, next to the ford and at last to the chapel"
        rf"first (?:to |of |with )?{_A},? "
        rf"(?:and )?(?:then|next|second(?:ly)?|after that) (?:to |of |with )?{_B},? "
        rf"(?:and )?(?:then|last(?:ly)?|finally|third(?:ly)?|at last) (?:to |of |with )?{_C}",
        # "beginning with the mill, followed by the ford, and ending with the chapel"
        rf"(?:beginning|starting|begin|start) with {_A},? "
        rf"(?:followed by|going on to|then|continuing with|moving on to) {_B},? "
        rf"and (?:ending|end|finally|then|last|closing|finish|finishing)(?: with)? {_C}",
        # "walk past the mill, then past the ford and after that the chapel"
        rf"(?:go|pass|walk|move|proceed)(?: past| to| through| by)? {_A}, "
        rf"then (?:past |to )?{_B},? "
        rf"(?:and )?(?:after that|then|finally|lastly|at last) (?:past |to )?{_C}",
        # "tell of the mill first, then of the ford and lastly of the chapel"
        rf"(?:with|of|about|to) {_A} first, then (?:with |of |to )?{_B},? "
        rf"(?:and )?(?:then|last(?:ly)?|finally) (?:with |of |to )?{_C}",
        # "from the mill by way of the ford to the chapel"
        rf"from {_A} (?:through|via|by way of|over|across|past) {_B} to {_C}",
        # "in this order: mill, ford, chapel"
        rf"in (?:the|this) (?:order|sequence):? {_A}, {_B}(?:,|,? and|,? then) {_C}",
        rf"chronologically: {_A}, {_B}(?:,|,? and|,? then) {_C}",
    )
]
_OF_STEPS = words_of(
    "order sequence account story tour path route walk reader readers one another after "
    "begin beginning start starting go going lead leads move moving pass passes past proceed "
    "proceeds through"
)


def steps(wording: Wording) -> Iterator[Check]:
    """ "Take the reader first to the harbour, next to the market and last to the cathedral"."""
    for clause in demanding_clauses(wording.text):
        for pattern in _STEPS:
            if not (match := pattern.fullmatch(IN_ORDER.sub("", clause))):
                continue
            terms = [match[name] for name in "abc"]
            if not carries_demand(" ".join(terms)) and demands_nothing(match["before"], _OF_STEPS):
                yield {"kind": "in_order", "terms": terms}


_WORD = r"[A-Za-z][\w'’-]*(?: [\w'’-]+)?"
_LAST_WORD = r"[\w'’-]+(?: [\w'’-]+)?"
_SOME_OF_THESE = re.compile(
    rf"(?P<before>.*?)(?:any )?(?P<q>(?:at least |no fewer than )?{NUMBER}(?: or more| at least)?) "
    r"of (?:these|the following|the)(?: [a-z']+){0,2}?"
    r"(?: (?:should|must|are to|have to) (?:be (?:mentioned|named|used|included)|come up|appear))?"
    r"(?:: |, | )(?!words |terms |names |phrases )"
    rf"(?P<list>{TERMS}|{_WORD}(?:, {_WORD})+(?:,? (?:and|or) {_LAST_WORD})?)",
    re.IGNORECASE,
)


def some(wording: Wording) -> Iterator[Check]:
    """So many of the given: "Refer to any three of these birds: curlew, lapwing, snipe, dunlin"."""
    for clause in demanding_clauses(wording.text):
        match = _SOME_OF_THESE.fullmatch(clause)
        if not match or not demands_nothing(match["before"], _OF_MENTIONS):
            continue
        terms = wording.names(match["list"]) or re.split(r",? (?:and|or) |, ", match["list"])
        for low, high, plain, _ in quantities(f"{match['q']} items"):
            if low and low < len(terms) and (high is None or plain):
                yield {"kind": "mentions_some", "terms": terms, "low": low}


_BANNED = re.compile(
    r"\b(?:banned|forbidden|off limits|taboo|prohibited|barred|out of bounds|not to be used|never"
    r"|not|without|avoid|shun|ban|skip|steer clear|stay away|omit|do without|keep out|leave out"
    r"|leave\b.*\bout)\b",
    re.IGNORECASE,
)
_OF_BANS = words_of(
    # banning
    "banned forbidden off limits taboo prohibited barred bounds ban not never don't without avoid "
    "shun skip steer clear away omit leave "
    # what must not be done with the words
    "used mention mentioned saying crop turn crutch resort any either or nor whatever happens "
    "account "
    # the words
    "words word term terms phrase phrases name names vocabulary cliché clichés"
)
_SMALL_WORDS = re.compile(
    r"\b(?:words|terms) (?P<list>[a-z'-]+(?:, [a-z'-]+)*,? (?:and|or|nor) [a-z'-]+)\b",
    re.IGNORECASE,
)


def forbidden(wording: Wording) -> Iterator[Check]:
    """Words that must not occur: "the words 'very' and 'nice' are off limits"."""
    for clause in demanding_clauses(wording.text):
        if marks := re.findall(TERM, clause):
            terms = [wording.names(mark)[0] for mark in marks]
            rest = re.sub(TERM, " ", clause)
            # "not both" leaves one of them; terms with an apostrophe are examples of contractions
            sure = not re.search(r"\bboth\b|\ball\b", rest, re.IGNORECASE)
            sure = sure and not any("'" in term for term in terms)
        elif small := _SMALL_WORDS.search(clause):
            terms = re.split(r",? (?:and|or|nor) |, ", small["list"])
            rest = f"{clause[: small.start('list')]} {clause[small.end('list') :]}"
            sure = True
        else:
            continue
        if sure and len(_BANNED.findall(rest)) == 1 and changes_nothing(rest, _OF_BANS):
            yield {"kind": "forbids", "terms": terms}


RULES = (person, mentions, things, steps, some, forbidden)
