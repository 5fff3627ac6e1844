"""Rules for given words, for years, and for who speaks."""

from __future__ import annotations

import re
from collections.abc import Iterator

from wfine_utils.checks.frames import carries_demand, counts, demands, sentences_of
from wfine_utils.checks.numerals import NUMBER
from wfine_utils.checks.quantities import named_bounds, quantities
from wfine_utils.checks.twins import Check
from wfine_utils.checks.wording import MODAL, SUBJECT, TERM, TERMS, Wording

_WORD = r"(?:key ?words?|words?|terms?|phrases?|expressions?|names?)"
_ONE = r"[\w'’-]+"
_BARE = rf"{_ONE}(?: {_ONE})?(?:, {_ONE}(?: {_ONE})?)*(?:,? (?P<link>and|or) {_ONE}(?: {_ONE})?)?"
_NAME = r"(?:the )?[A-Z][\w'’-]*(?: (?:of |the )?[A-Z][\w'’-]*)*"
_OBJECT = re.compile(
    rf"(?:both |all of |all )?(?:the |these |the following |all (?:of )?the following |this )?"
    rf"(?:{_WORD}:? )?(?:of )?(?P<l>{TERMS})",
    re.IGNORECASE,
)
_BARE_OBJECT = re.compile(rf"(?:the )?(?:following )?key ?words?:? (?P<l>{_BARE})", re.IGNORECASE)
_PROPER = re.compile(rf"(?P<l>{_NAME}(?:, {_NAME})*(?:,? and {_NAME})?)")
_ORDER = (
    r",? (?:all )?in (?:that|this|the given|exactly this|exactly that) order|,? in the order given"
)
_IN_ORDER = re.compile(rf"(?P<o>.+?)(?:{_ORDER})", re.IGNORECASE)
_CHAIN = re.compile(rf"first {TERM}(?:,? (?:and )?then {TERM})+", re.IGNORECASE)
_SOME_OF = re.compile(
    rf"(?P<how>.+?) (?:of )?(?:the |these |the following |of the following )(?:{_WORD})?(?::|,)? "
    rf"?(?P<l>{TERMS})"
    rf"|(?P<how2>.+?) of (?P<l2>{TERMS})",
    re.IGNORECASE,
)
_APPEAR = re.compile(
    rf"(?P<a>.+?) {MODAL} (?:appear|be used|be mentioned|be included|occur): (?P<b>.+)",
    re.IGNORECASE,
)


def _links(said: str) -> set[str]:
    return set(re.findall(r"\b(?:and|or|then|to|but)\b", said.lower()))


def mentions(wording: Wording) -> Iterator[Check]:
    """Words to be mentioned: all of them, or one of them where "or" stands between."""
    for sense, words in demands(wording.text):
        if sense != "mention":
            continue
        if (match := _OBJECT.fullmatch(words)) and (terms := wording.names(match["l"])):
            links = _links(match["l"])
            if not links - {"and"} and (links or len(terms) == 1 or ":" in words):
                yield {"kind": "mentions", "terms": terms}
            elif links == {"or"} and not re.match("both|all", words, re.IGNORECASE):
                yield {"kind": "mentions_some", "terms": terms, "low": 1}
        elif match := _BARE_OBJECT.fullmatch(words):
            terms = re.split(r",? and |,? or |, ", match["l"])
            if (match["link"] or "").lower() != "or":
                yield {"kind": "mentions", "terms": terms}
    yield from _proper_names(wording)


_NAMED = re.compile(rf"(?:mention|name|refer to) {_PROPER.pattern}(?: by name)?")
_IN_BRACKETS = re.compile(
    rf"name (?P<all>the [a-z ]+ \({_NAME}(?: [a-z]+)?\)(?:, the [a-z ]+ \({_NAME}(?: [a-z]+)?\))*"
    rf",? and the [a-z ]+ \({_NAME}(?: [a-z]+)?\))"
)


def _proper_names(wording: Wording) -> Iterator[Check]:
    """ "Mention Paris and Rome", "name the keyholder (Adeyemi Brandt) and …"."""
    for sentence in sentences_of(wording.text):
        lowered = sentence[:1].lower() + sentence[1:]
        names: list[str] = []
        if match := _NAMED.fullmatch(lowered):
            names = re.split(r",? and |, ", match["l"])
        elif match := _IN_BRACKETS.fullmatch(lowered):
            names = re.findall(r"\(([^()]+)\)", match["all"])
        if names:
            yield {"kind": "mentions", "terms": [name.removeprefix("the ") for name in names]}


def forbidden(wording: Wording) -> Iterator[Check]:
    """Words that must not occur."""
    for sense, words in demands(wording.text):
        if sense != "avoid" or re.match("both|all", words, re.IGNORECASE):
            continue
        object_ = re.sub(r"^(?:any of|either of|any) ", "", words, flags=re.IGNORECASE)
        if match := _OBJECT.fullmatch(object_):
            if not _links(match["l"]) - {"and", "or"}:
                yield {"kind": "forbids", "terms": wording.names(match["l"])}
        elif match := _BARE_OBJECT.fullmatch(object_):
            yield {"kind": "forbids", "terms": re.split(r",? and |,? or |, ", match["l"])}


def in_order(wording: Wording) -> Iterator[Check]:
    """Words to be mentioned one after the other."""
    for sense, words in demands(wording.text):
        if sense != "mention":
            continue
        if _CHAIN.fullmatch(words):
            yield {"kind": "in_order", "terms": wording.names(words)}
        if (match := _IN_ORDER.fullmatch(words)) and (listed := _OBJECT.fullmatch(match["o"])):
            terms = wording.names(listed["l"])
            if len(terms) > 1 and not _links(listed["l"]) - {"and", "then"}:
                yield {"kind": "in_order", "terms": terms}
    for sentence in sentences_of(wording.text):
        shown = re.fullmatch(rf"(?P<o>.+?) {MODAL} (?:be (?:mentioned|used|named)|appear|occur)"
                             rf"(?:{_ORDER})",
                             sentence, re.IGNORECASE)  # fmt: skip
        if shown and (listed := _OBJECT.fullmatch(shown["o"])):
            yield {"kind": "in_order", "terms": wording.names(listed["l"])}
        yield from _from_to(sentence)


_FROM_TO = re.compile(
    rf"(?P<lead>(?:go|move|pass|proceed|walk|lead|take it) [a-z ]+?),? from (?P<a>{_ONE})"
    rf"(?P<rest>(?:,? (?:and )?(?:then )?to {_ONE})+)",
    re.IGNORECASE,
)


def _from_to(sentence: str) -> Iterator[Check]:
    match = _FROM_TO.fullmatch(sentence)
    if match and not carries_demand(match["lead"]):
        steps = re.findall(rf"to ({_ONE})", match["rest"])
        if len(steps) > 1:
            yield {"kind": "in_order", "terms": [match["a"], *steps]}


def some(wording: Wording) -> Iterator[Check]:
    """So many of the given words: "at least two of these words: …"."""
    objects = [words for sense, words in demands(wording.text) if sense in ("wanted", "mention")]
    for sentence in sentences_of(wording.text):
        if shown := _APPEAR.fullmatch(sentence):
            objects.append(f"{shown['a']}: {shown['b']}")
    for words in dict.fromkeys(objects):
        if not (match := _SOME_OF.fullmatch(words)):
            continue
        said, listed = match["how"] or match["how2"], match["l"] or match["l2"]
        terms = wording.names(listed)
        for low, high, plain, noun in quantities(f"{said.removesuffix(' of')} of"):
            if noun == "of" and not plain and _links(listed) <= {"and", "or"} and len(terms) > 1:
                bounds = named_bounds(low, high)
                yield {"kind": "mentions_some", "terms": terms, **bounds}


_RISING = (
    r"(?:,? (?:in|by) (?:rising|ascending|chronological|increasing) order|,? from (?:the )?"
    r"(?:earliest|oldest)"
    r" to (?:the )?(?:latest|most recent|newest))"
)
_YEARS = [
    re.compile(body, re.IGNORECASE)
    for body in (
        rf"(?:mention|name|give|include|cite|use|list) (?P<q>.+ years?){_RISING}",
        rf"{SUBJECT} {MODAL} (?:contain|include|mention|name|have) (?P<q>.+ years?){_RISING}",
        rf"(?P<q>.+ years?) {MODAL} be (?:mentioned|named|given|included){_RISING}",
    )
]
_ANY_YEARS = re.compile(
    rf"(?:name|mention|give) (?:any|all) years{_RISING}"
    rf"|any years(?: that are (?:named|mentioned))? {MODAL} (?:come|be|appear|stand){_RISING}"
    rf"|if there are (?:any )?years, they {MODAL} (?:come|be|appear){_RISING}",
    re.IGNORECASE,
)


def years(wording: Wording) -> Iterator[Check]:
    """Years in rising order."""
    for sentence in sentences_of(wording.text):
        if _ANY_YEARS.fullmatch(sentence):
            yield {"kind": "years_in_order", "low": 0}
        for pattern in _YEARS:
            if not (match := pattern.fullmatch(sentence)):
                continue
            for low, high, plain, noun in quantities(match["q"]):
                if (
                    re.fullmatch("(?:different |distinct )?years?", noun, re.I)
                    and high is None
                    and not plain
                ):
                    yield {"kind": "years_in_order", "low": low}


_PRONOUNS = {
    "first_person": "I|me|my|mine|myself|we|us|our|ours",
    "second_person": "you|your|yours",
}
_TIMES = (
    rf"(?P<q>(?:at least |no fewer than |a minimum of )?{NUMBER} times(?: or more)?"
    rf"|{NUMBER} or more times)"
)
_SPEAKS = re.compile(
    r"\b(?:tells?|told|speaks?|talk|write|written|narrate[ds]?|hear|voice|it|stay|keep"
    r"|address|say|be)\b",
    re.IGNORECASE,
)
_PERSON: list[tuple[str, re.Pattern[str]]] = [
    (f"{person}_person", re.compile(body, re.IGNORECASE))
    for person in ("first", "second")
    for body in (
        rf"(?P<lead>.+?),? in the {person} person(?: singular| throughout)?(?:,? {_TIMES})?",
        rf"(?P<lead>.+?),? (?:saying|as|using) [{TERM[1:-1]}]?"
        rf"(?:{_PRONOUNS[f'{person}_person']})(?:(?:, | or |, or | and )"
        rf"(?:{_PRONOUNS[f'{person}_person']}))*,? {_TIMES}",
        rf"(?P<lead>use) the {person} person(?: singular| throughout)?(?:,? {_TIMES})?",
    )
]  # fmt: skip
_AS_YOU = re.compile(rf"(?P<lead>.+?) as (?P<t>{TERM}),? {_TIMES}", re.IGNORECASE)


VOICE = 4
"""So many words of a person make a text told in it, where no number is given: as in WEval-Hand."""


def person(wording: Wording) -> Iterator[Check]:
    """Who speaks, and to whom: "in the second person, five times or more"."""
    for sentence in sentences_of(wording.text):
        for kind, pattern in _PERSON:
            match = pattern.fullmatch(sentence)
            if match and _speaks(match["lead"]):
                yield from _so_often(kind, match["q"])
        match = _AS_YOU.fullmatch(sentence)
        if match and wording.names(match["t"])[0].lower() == "you" and _speaks(match["lead"]):
            yield from _so_often("second_person", match["q"])


_SPEAKER = re.compile(
    r"(?:let|have)\b.*"  # let the nurse who was on duty speak
    r"|(?:(?:the|an?|our) [a-z]+ (?!who|which|that)|it is |speak|talk|tell it|tell the|write"
    r"|address|keep|narrate|stay|aim"
    r"|go|appeal|be|use)\b(?!.*\b(?:who|which|that|about|explain|discuss|describe|compare|quote|why|how"
    r"|like|character|asked|told|wants?)\b).*",
    re.IGNORECASE,
)
"""How a sentence begins that says who speaks, and not what somebody else should do."""


def _speaks(lead: str) -> bool:
    """Whether a sentence says how the text as a whole speaks, and asks for nothing else."""
    if lead.lower() == "use":
        return True
    return bool(_SPEAKS.search(lead) and _SPEAKER.fullmatch(lead)) and not carries_demand(lead)


def _so_often(kind: str, often: str | None) -> Iterator[Check]:
    if often is None:
        yield {"kind": kind, "low": VOICE}
        return
    for low, high, plain, noun in quantities(often):
        if noun.lower() == "times" and not plain and high is None:
            yield {"kind": kind, "low": low}


MARKERS: tuple[tuple[str, list[str]], ...] = (
    (
        r"(?:[a-z'-]+ ){0,2}?(?:hypotheticals?|hypothetical (?:situations?|cases?|"
        r"questions?|scenarios?)"
        r"|imagined (?:situations?|cases?|scenarios?|predicaments?)|thought experiments?"
        r"|what-if (?:questions?|scenarios?|cases?)|things that have not (?:come to pass|"
        r"happened))",
        ["suppose", "supposing", "imagine", "what if", "were to", "picture"],
    ),
    (
        r"(?:[a-z'-]+ ){0,2}?(?:objections?|counter-?arguments?|opposing (?:views?|arguments?))",
        ["critics", "sceptics", "skeptics", "opponents", "objectors", "doubters"],
    ),
    (
        r"(?:[a-z'-]+ ){0,2}?(?:emotions?|feelings?)(?: by (?:their|its) (?:own )?names?)?",
        ["anger", "fear", "grief", "guilt", "hope", "joy", "loneliness", "longing", "love", "pride",
         "relief", "shame", "sorrow"],
    ),
)  # fmt: skip
"""What English marks with a few words, as WEval-Hand's checks of its development chains do."""

_MARKED = [
    (re.compile(rf"(?:{noun})(?P<after>(?:,? (?:to|that|which|about|of|from|,|and|by|on|attrib|"
                r"each|put|introduced|opened|bear)[^.;:]*)?)", re.IGNORECASE), marks)
    for noun, marks in MARKERS
]  # fmt: skip


def marked(wording: Wording) -> Iterator[Check]:
    """ "At least two objections": so many of the words that mark them; quoted ones, if any are."""
    for low, high, plain, noun in counts(wording.text):
        for pattern, marks in _MARKED:
            if low is None or high is not None or plain or not (match := pattern.fullmatch(noun)):
                continue
            after = match["after"]
            named = wording.names(after)
            rest = re.sub(r"\b(?:each|first|one|mention\w*)\b", "", after)
            if named or not carries_demand(rest):
                yield {"kind": "mentions_some", "terms": named or marks, "low": low}


RULES = (mentions, forbidden, in_order, some, years, person, marked)
