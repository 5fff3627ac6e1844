"""Rules that find the amount or the terms of a demand first, whatever its sentence looks like.

They read what the frames of the other rules do not know: "it has to fit on a card, so eighty words
is the ceiling". Each looks for what is counted or named in one clause of the requirement
(:mod:`.clauses`); every word that is left must change nothing, or be one that goes with this kind
of check. A word that nobody listed makes it unsure, and there is no check.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from wfine_utils.checks.clauses import (
    Amount,
    amounts,
    changes_nothing,
    demanding_clauses,
    demands_nothing,
)
from wfine_utils.checks.frames import carries_demand
from wfine_utils.checks.numerals import NUMBER, ORDINALS, value_of
from wfine_utils.checks.quantities import Quantity, named_bounds, quantities
from wfine_utils.checks.rules_content import VOICE
from wfine_utils.checks.rules_counted import COUNTED, WITH_WORDS, Counted
from wfine_utils.checks.twins import Check
from wfine_utils.checks.wording import TERM, TERMS, Wording


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_LIMIT = _words(
    "limit limited limits keep kept within cap capped ceiling confine confined restrict restricted "
    "hold held squeeze squeezed fit fitted room stick trim trimmed pared cut ration rationed "
    "yourself yourselves down into space allow only maximum boil condense compress whole thing"
)
_ALSO: dict[str, frozenset[str]] = {
    "word_count": _LIMIT | _words("words word count wordcount lies between"),
    "char_count": _LIMIT | _words("characters character count"),
    "sentences": _LIMIT | _words("sentences sentence separate complete full tell told story tale"),
    "paragraphs": _LIMIT | _words("paragraphs paragraph divide divided split break broken separate"),
    "list_items": _words(
        "list lists listed bullet bulleted bullets numbered number points point items item as form "
        "format one each own line steps step tips entries short given present lay"
    ),
    "headings": _words(
        "heading headings under divide divided split break broken structure structured organise "
        "organize arrange parts sections section each its own chop mark off separate markdown cut carve "
        "into grouped group sort sorted"
    ),
    "citations": _words(
        "cite cited citations sources references claims support supported back backed reference "
        "author year style parentheses brackets wherever"
    ),
    "question_count": _words("pose posed raise raised ask reader readers them him her directly leave "
                             "hang air pepper direct outright rhetorical put audience listeners"),
    "exclamation_sentences": _words("leave marks altogether get loud finish end close mark"),
    "contractions": _words("warm loosen relaxed chatty informal formal throughout full forms avoid "
                           "skip tone"),
    "first_person": _words("first person voice narrator pronouns"),
    "second_person": _words("second person reader readers speak address directly straight"),
    "numbers": _words("back support figures numerals digits written facts hard data state report"),
    "percentages": _words("state stated figures percentages report results findings"),
    "quotations": _words("quote quoted quotes quotation marks support directly direct speech words "
                         "their own"),
    "similes": _words("compare comparisons colour color fresh"),
    "dialogue_turns": _words("dialogue conversation exchange speech turns lines between them"),
    "block_quotes": _words("block quote quotes quotation quotations indented set"),
}  # fmt: skip
"""Words that go with a kind of check, beside those that change nothing anywhere."""

_CLEAR = frozenset({"citations", "contractions", "first_person", "second_person", "similes",
                    "exclamation_sentences", "question_count", "dialogue_turns", "percentages"})  # fmt: skip
"""Kinds whose name says that the text itself is meant."""

_UNWANTED = re.compile(
    r"(?:(?:please )?(?:avoid|skip|omit|drop|shun|leave out|cut out|do without|steer clear of|stay away"
    r" from|refrain from|keep out|do not (?:use|write|include|add|put in|allow)|don't (?:use|write"
    r"|include|add)|never (?:use|write|include)|without|keep it free of|free of|(?:that |this |which )?rules out)"
    r"(?: all| any| using| the use of| a single| every)*) "
    r"(?P<noun>[a-z][\w' -]+?)(?: altogether| entirely| completely| at all| anywhere| throughout"
    r"| of any kind| whatever| whatsoever)*",
    re.IGNORECASE,
)


def counted(wording: Wording) -> Iterator[Check]:
    """Bounds of what is counted: "eighty words is the ceiling", "fifteen sentences, tops"."""
    for clause in demanding_clauses(wording.text):
        for amount in amounts(clause):
            quantity = amount.as_limit()
            for row in COUNTED:
                if re.fullmatch(row.noun, quantity.noun, re.IGNORECASE):
                    yield from _bounded(row, quantity, amount)
            for pattern, row in WITH_WORDS:
                match = pattern.fullmatch(quantity.noun)
                if match and not carries_demand(f"{match['before']} {match['after']}"):
                    yield from _bounded(row, quantity, amount)
        if match := _UNWANTED.fullmatch(clause):
            for row in COUNTED:
                if re.fullmatch(row.noun, match["noun"], re.IGNORECASE):
                    yield {**row.check, "high": 0}


def _bounded(row: Counted, quantity: Quantity, amount: Amount) -> Iterator[Check]:
    kind = row.check["kind"]
    if kind == "char_count" or (quantity.plain and not row.plain_is_exact):
        return
    also = _ALSO.get(kind, frozenset())
    before_is_harmless = demands_nothing if kind in _CLEAR else changes_nothing
    if before_is_harmless(amount.before, also) and changes_nothing(amount.after, also):
        yield {**row.check, **named_bounds(quantity.low, quantity.high)}


_BLANK = r"(?:spaces?|blanks?|white ?space|gaps(?: between (?:the )?words)?)"
_WITH_BLANKS = re.compile(
    rf"(?:,|\(| and)? ?(?:(?:we |i )?(?:count(?:ing)?|includ(?:ing|e)|with|inclusive of)(?: the| all)? {_BLANK}"
    rf"(?: too| as well)?|(?:the )?{_BLANK} (?:and all|included|counted|inclusive|count(?: too)?))\)?,?",
    re.IGNORECASE,
)
_WITHOUT_BLANKS = re.compile(
    rf"(?:,|\()? ?(?:(?:not counting|excluding|without|leaving out|ignoring)(?: the)? {_BLANK}"
    rf"|(?:the )?{_BLANK} (?:excluded|not counted|left out|aside|apart|do not count|don't count"
    r"|not included))\)?,?",
    re.IGNORECASE,
)


def characters(wording: Wording) -> Iterator[Check]:
    """A number of characters where it is said whether blanks count."""
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
                    and changes_nothing(amount.rest, _ALSO["char_count"])
                ):
                    bounds = named_bounds(quantity.low, quantity.high)
                    yield {"kind": "char_count", "spaces": blanks_count, **bounds}


_SENTENCE = (
    r"(?:a|any|each|every|one|no|single|sentence|sentences|all|longest|the|per|in|individual)"
)
_OF_SENTENCES = _LIMIT | _words(
    "each every any all no not one single sentence sentences longest per individual may can than "
    "longer short apiece exceed more past allowed reach stretch be"
)


def sentence_words(wording: Wording) -> Iterator[Check]:
    """ "Hold each sentence down to 15 words or fewer", "not one sentence of more than 20 words"."""
    for clause in demanding_clauses(wording.text):
        if not re.search(r"\bsentences?\b", clause, re.IGNORECASE):
            continue
        forbids = re.search(
            r"\b(?:no|not (?:a|one)(?: single)?|not any|none of the)(?: single)? sentences?\b"
            r"|\bsentences? (?:may|must|should|can) (?:not|never)\b",
            clause, re.IGNORECASE,
        )  # fmt: skip
        for amount in amounts(clause):
            quantity = amount.as_limit()
            if not re.fullmatch(r"words?", quantity.noun, re.IGNORECASE):
                continue
            high = _longest(quantity, amount, forbids=bool(forbids))
            if (
                high
                and changes_nothing(amount.rest, _OF_SENTENCES)
                and (forbids or _says_each(amount.rest))
            ):
                yield {"kind": "sentence_words", "high": high}


def _longest(quantity: Quantity, amount: Amount, *, forbids: bool) -> int | None:
    """Most words of a sentence; "no sentence of more than 20" and "past 20" are the same."""
    if forbids:
        if quantity.low is not None and quantity.high is None:
            return quantity.low - 1 if re.search(r"$", amount.before) else None
        plain = quantity.plain and re.search(
            r"\b(?:past|beyond|exceed|exceeds|exceeding|above|over|reach beyond)$", amount.before
        )
        return quantity.high if plain else None
    return quantity.high if quantity.low is None else None


def _says_each(words: str) -> bool:
    return bool(
        re.search(
            r"\b(?:each|every|any|all|a|one|per|your|the|individual|single) (?:\w+ )?sentences?\b"
            r"|^sentences\b|\bsentences (?:should|must|to|of)\b|\b(?:use|write|keep|hold) sentences\b",
            words.strip(), re.IGNORECASE,
        )
    )  # fmt: skip


_EACH_PARAGRAPH = re.compile(
    r"(?P<count>.+?\bparagraphs?)\b,? ?(?:and |with |that |which )?(?P<each>.+)", re.IGNORECASE
)
_APIECE = re.compile(
    r"\b(?:each|every|apiece|per paragraph|all|none|any)(?: one| of them| of which)?\b",
    re.IGNORECASE,
)
_OF_PARAGRAPHS = _LIMIT | _words(
    "each every apiece per paragraph paragraphs all none any one of them which let is be being may "
    "short not should"
)


def paragraphs(wording: Wording) -> Iterator[Check]:
    """ "Four paragraphs, and let none exceed 50 words", "each paragraph must come to 25 to 45"."""
    for clause in demanding_clauses(wording.text):
        found = [a for a in amounts(clause) if re.fullmatch("words?", a.quantity.noun, re.I)]
        for amount in found:
            quantity = amount.as_limit()
            if quantity.plain:
                continue
            where = f"{amount.before} {amount.after}"
            bounds = named_bounds(quantity.low, quantity.high, "words_")
            if re.search(
                r"\b(?:each|every|all|a) (?:single )?paragraph\b|per paragraph", where, re.I
            ):
                if changes_nothing(where, _OF_PARAGRAPHS):
                    yield {"kind": "paragraphs", **bounds}
            for count in amounts(amount.before):
                if not re.fullmatch("(?:short )?paragraphs?", count.quantity.noun, re.I):
                    continue
                between = f"{count.after} {amount.after}"
                said_of_each = _APIECE.search(between) or re.match(r"of\b", count.after)
                if said_of_each and changes_nothing(f"{count.before} {between}", _OF_PARAGRAPHS):
                    n = count.as_limit()
                    if _none_over(between, quantity):
                        yield {"kind": "paragraphs", **named_bounds(n.low, n.high), **bounds}


def _none_over(between: str, quantity: Quantity) -> bool:
    """ "None longer than 45" has been turned into a most; a least after "none" would be odd."""
    return not (re.search(r"\bnone\b", between, re.I) and quantity.high is None)


_PLACES = (
    (r"(?:first|opening|introductory|initial)", "first paragraph"),
    (r"(?:last|final|closing|concluding)", "last paragraph"),
)
_FRACTIONS = {
    "half": 0.5, "a half": 0.5, "a third": 1 / 3, "one third": 1 / 3, "a quarter": 0.25,
    "one quarter": 0.25, "a fifth": 0.2, "two fifths": 0.4, "two thirds": 2 / 3,
    "three quarters": 0.75, "three fifths": 0.6, "a tenth": 0.1, "four fifths": 0.8,
}  # fmt: skip
_ONE_SHARE = rf"(?:{NUMBER}(?: ?%| per ?cent| percent)?|{'|'.join(sorted(_FRACTIONS, key=len, reverse=True))})"
_SHARE_OF = [
    (re.compile(body, re.IGNORECASE), sense)
    for body, sense in (
        (rf"(?:between|from|at least)? ?(?P<a>{_ONE_SHARE})(?: and| to|-| but (?:at most|no more than))"
         rf" ?(?P<b>{_ONE_SHARE})", "both"),
        (rf"(?:at least|no less than|not less than|a minimum of|over|more than) (?P<a>{_ONE_SHARE})", "least"),
        (rf"(?P<a>{_ONE_SHARE})(?: of [a-z ]+?)?,? (?:or more|at least|at the least|and upwards)", "least"),
        (rf"(?:at most|no more than|not more than|a maximum of|up to|under|less than)"
         rf" (?P<a>{_ONE_SHARE})", "most"),
        (rf"(?P<a>{_ONE_SHARE})(?: of [a-z ]+?)?,? (?:or less|or fewer|at most|at the most)", "most"),
    )
]  # fmt: skip
_OF_SHARES = _words(
    "paragraph first opening introductory initial last final closing concluding per cent percent "
    "words word share account accounts carry carries claim hold holds occupy occupies devote "
    "devoted reserve reserved give given make up take takes may text's spend go goes belong belongs "
    "fill gets earn deserves deserve allotted allot brief about third half whole fall be"
)


def shares(wording: Wording) -> Iterator[Check]:
    """ "The final paragraph should carry a quarter to two fifths of the words"."""
    for clause in demanding_clauses(wording.text):
        for place, part in _PLACES:
            if len(re.findall(rf"\b{place} paragraph\b", clause, re.IGNORECASE)) != 1:
                continue
            for pattern, sense in _SHARE_OF:
                for match in pattern.finditer(clause):
                    rest = f"{clause[: match.start()]} {clause[match.end() :]}"
                    if "%" not in (said := match.group()) and not re.search(
                        r"per ?cent|third|half|quarter|fifth|tenth", said + rest, re.IGNORECASE
                    ):
                        continue
                    rest = re.sub(r"%|\bper ?cent\b", " ", rest)
                    low, high = _share(match["a"]), _share(match.groupdict().get("b") or match["a"])
                    if low is None or high is None or not changes_nothing(rest, _OF_SHARES):
                        continue
                    bounds = {"low": low} if sense != "most" else {}
                    bounds |= {"high": high} if sense != "least" else {}
                    yield {"kind": "proportion", "part": part, **bounds}


def _share(said: str) -> float | None:
    words = said.lower().strip()
    if words in _FRACTIONS:
        return _FRACTIONS[words]
    n = value_of(re.sub(r" ?(?:%|per ?cent)$", "", words))
    return None if n is None else n / 100


_NAME = r"(?-i:[A-Z])[\w'’-]*(?: (?:(?:of|the|and) )?(?-i:[A-Z])[\w'’-]*)*"
_NAMES = rf"(?:{TERMS}|{_NAME}(?:(?:,|, then| then|, and then) {_NAME})*,? (?:and(?: then| finally| lastly)?|then) {_NAME})"
_MORE_NAMES = rf"(?:{TERMS}|{_NAME}(?:(?:,| then|, then) {_NAME})+(?:,? (?:and|then) {_NAME})?)"


def _listed(wording: Wording, clause: str, minimum: int = 2) -> tuple[list[str], str] | None:
    """The one list of names or quoted terms in a clause, and the words around it."""
    found = list(re.finditer(rf"(?<![\w'’-])(?:{_NAMES}|{_MORE_NAMES})", clause))
    found = [m for m in found if m.start() or _FIRST_NAME.match(m.group())]
    if not found:
        found = [m for m in _SMALL_LIST.finditer(clause) if not carries_demand(m.group())]
    if len(found) != 1:
        return None
    said = found[0].group()
    if re.search(r"\b(?:or|but)\b", said) or _NAME_GOES_ON.match(clause, found[0].end()):
        return None
    terms = wording.names(said) or re.split(
        r"(?:,|,? and|,)? (?:then|finally|lastly) |,? and |, ", said
    )
    if re.search(TERM, clause.replace(said, "")) or len(terms) < minimum:
        return None
    rest = f"{clause[: found[0].start()]} {clause[found[0].end() :]}"
    return terms, re.sub(r"[:;]", " ", rest)


_ITEM = r"(?:the )?[A-Za-z][\w'’-]*(?: [\w'’-]+){0,2}?"
_SMALL_LIST = re.compile(
    r"(?:(?<=: )|(?<=labels )|(?<=headings )|(?<=words )|(?<=terms )|(?<=names )|(?<=entries )"
    rf"|(?<=fields )|(?<=namely ))"
    rf"{_ITEM}(?:, {_ITEM})*,? and {_ITEM}(?=$|,| (?:must|should|are|have|need)\b)"
)
_FIRST_NAME = re.compile(rf"{TERM}|[A-Z][\w'’-]*(?:,| and) ")
"""How a list begins a sentence: with more than one capital word it may be a verb."""

_NAME_GOES_ON = re.compile(
    r" (?!(?:should|must|will|are|is|have|has|need|needs|in|at|on|as|each|to|by|with|and|go|stand|by|all"
    r"|under|for|can|would|ought|be|come|get|belong|deserve|their|somewhere|printed|set)\b)[a-z]"
)
"""A word that may belong to the last name of a list: "Resolved and Next meeting"."""

_IN_ORDER = re.compile(
    r",? ?(?:all )?in (?:that|this|the given|the same|exactly this|exactly that) (?:order|sequence|succession)",
    re.I,
)
_OF_RECORDS = _words(
    "label labels labelled labeled field fields entry entries line lines own each every one start "
    "starts starting begin begins beginning open opens opening followed follow follows following "
    "colon colons after by on separate new fresh left margin card record form format standard parts "
    "part sections section before them first headed under these use used mark marks lay out down "
    "takes form's template always with at head and where put placed place its order given a name "
    "names namely laid arranged arrange"
)


def record(wording: Wording) -> Iterator[Check]:
    """Labelled lines: each label opens a line, and a colon follows it."""
    for clause in demanding_clauses(wording.text):
        if not (listed := _listed(wording, _IN_ORDER.sub("", clause))):
            continue
        terms, rest = listed
        says = re.search(r"\bcolons?\b", rest, re.I) and re.search(
            r"\blines?\b|margin|label", rest, re.I
        )
        numbers = {value_of(w) for w in re.findall(r"[\w'-]+", rest.lower()) if w != "one"} - {None}
        bare = re.sub(rf"\b{NUMBER}\b", " ", rest, flags=re.IGNORECASE)
        if says and numbers <= {len(terms)} and demands_nothing(bare, _OF_RECORDS):
            yield {"kind": "record", "fields": [term.rstrip(":") for term in terms]}


_OF_HEADINGS = _ALSO["headings"] | _words(
    "named called titled headed titles read reads these alone following each for have under "
    "entitled namely"
)


def headings(wording: Wording) -> Iterator[Check]:
    """Headings with given names."""
    for clause in demanding_clauses(wording.text):
        if not re.search(r"\bheadings?\b", clause, re.I) or re.search(
            r"\bamong\b|includ", clause, re.I
        ):
            continue
        if not (listed := _listed(wording, _IN_ORDER.sub("", clause))):
            continue
        texts, rest = listed
        level: Check = {}
        for i, name in enumerate(ORDINALS[:6], 1):
            if re.search(
                rf"\b{name}[- ]level\b|\blevel[- ]{i}\b|\bh{i}\b|\b{name} level\b", rest, re.I
            ):
                level = {"level": i}
        bare = re.sub(r"\b\w+-level\b|\blevel[- ]\d\b|\bh\d\b", " ", rest, flags=re.I)
        numbers = {value_of(w) for w in re.findall(r"[\w'-]+", bare.lower()) if w != "one"} - {None}
        bare = re.sub(rf"\b{NUMBER}\b", " ", bare, flags=re.IGNORECASE)
        if numbers <= {len(texts)} and demands_nothing(bare, _OF_HEADINGS):
            n = len(texts)
            yield {"kind": "headings", **level, "low": n, "high": n, "texts": texts}


_BOLD = r"(?:in |into )?(?:bold(?:ed|face|faced)?|boldfaced?)(?: type| print| face| letters| lettering)?"
_OF_BOLD = _words(
    "bold bolded boldface boldfaced type print face letters lettering highlight highlighted mark "
    "marked stand stands standing set printed emphasise emphasize emphasised embolden words word "
    "term terms phrase phrases name names namely both shown show appear put putting them by"
)


def bold_terms(wording: Wording) -> Iterator[Check]:
    """ "Set the couple's names, Priya and Tom, in boldface"."""
    for clause in demanding_clauses(wording.text):
        if len(re.findall(r"\bbold|\bembolden", clause, re.I)) != 1:
            continue
        if listed := _listed(wording, clause):
            terms, rest = listed
            if demands_nothing(rest, _OF_BOLD):
                yield {"kind": "bold_terms", "terms": terms}


_BOLD_THINGS = re.compile(
    r"(?:most |more )?(?:[a-z][\w'-]* ){0,3}?(?:phrases?|words|terms|orders|names|points|facts|lines"
    r"|things|warnings|rules|passages|expressions|key words|dates|places|figures|tips|items|bits"
    r"|pieces|titles|prices|times|instructions|steps|promises|claims|ideas|dangers|dishes)",
    re.IGNORECASE,
)


def bold_count(wording: Wording) -> Iterator[Check]:
    """ "Two bold phrases and no third", "her three key points go in bold"."""
    for clause in demanding_clauses(wording.text):
        bare = re.sub(rf",? ?\b(?:{_BOLD})\b", "", clause, count=1, flags=re.IGNORECASE)
        if bare == clause or re.search(r"\bbold", bare, re.I):
            continue
        for amount in amounts(" ".join(bare.split())):
            quantity = amount.quantity
            if not _BOLD_THINGS.fullmatch(quantity.noun) or carries_demand(
                re.sub(r"^most |\b(?:words|lines|titles)$", "", quantity.noun)
            ):
                continue
            if demands_nothing(amount.rest, _OF_BOLD):
                yield {"kind": "bold_count", **named_bounds(quantity.low, quantity.high)}


_LETTER_WORDS = _words(
    "letter correspondence greeting salutation signature closing close sign-off valediction formal "
    "business proper properly complimentary courteous polite formula layout look looks shape form "
    "format customary usual traditional standard conventional dress full name below beneath under "
    "end bottom top down lay laid set sender's writer's address signed courtesy open opens ends "
    "ending start starts begin begins beginning line complete as needs both"
)


def letter(wording: Wording) -> Iterator[Check]:
    """The form of a letter, of which greeting and closing are named both or neither."""
    for clause in demanding_clauses(wording.text):
        words = set(re.findall(r"[\w'-]+", clause.lower()))
        opens = bool(words & {"greeting", "salutation"})
        closes = bool(
            words & {"closing", "close", "signature", "valediction", "sign-off", "signed"}
        )
        named = words & {"letter", "correspondence"}
        says_form = words & _words("form format layout look looks shape dress lay laid as like proper "
                                   "properly") or opens  # fmt: skip
        if (
            named
            and says_form
            and opens == closes
            and changes_nothing(
                re.sub(r"\b(?:a|the|this) (?=(?:\w+ ){0,2}letter)", "", clause), _LETTER_WORDS
            )
        ):
            yield {"kind": "letter_layout"}


_PRONOUNS = {
    "first_person": r"(?:i|me|my|mine|myself|we|us|our|ours|ourselves)",
    "second_person": r"(?:you|your|yours|yourself)",
}
_TIMES = "(?:times|uses|occasions|instances|occurrences)(?: over)?"
_OF_PERSONS = _words(
    "saying say says said speak speaks speaking talk talks address addressed reader readers listener "
    "listeners audience directly straight heard hear voice first second person singular narrator "
    "told tell tells pronoun pronouns word words in one form or another person's times using "
    "occasions instances uses read reads refer refers referring themselves herself himself itself "
    "call over crop turn turn-up somewhere plain narrate narrated"
)


def person(wording: Wording) -> Iterator[Check]:
    """ "You" or "your" must occur at least five times", "let I or my be heard six times"."""
    for clause in demanding_clauses(wording.text):
        for kind, pronoun in _PRONOUNS.items():
            text, n = _pronouns_aside(wording, clause, pronoun)
            name = f"{kind.split('_')[0]}[- ]person(?: pronouns?| words?)?"
            says_person = bool(re.search(rf"\b{name}\b", text, re.IGNORECASE))
            if not n and not says_person:
                continue
            if re.search(TERM, text):
                continue
            for amount in amounts(text):
                quantity = amount.quantity
                if re.fullmatch(rf"{_TIMES}|{name}", quantity.noun, re.IGNORECASE) and (
                    demands_nothing(amount.rest, _OF_PERSONS)
                ):
                    if quantity.high is None or quantity.plain:
                        yield {"kind": kind, "low": quantity.low}
                    elif quantity.low is None and quantity.high == 0:
                        yield {"kind": kind, "high": 0}
            if kind == "first_person" and says_person and not amounts(text):
                rest = re.sub(rf"\b{name}\b", " ", text, flags=re.IGNORECASE)
                if demands_nothing(rest, _OF_PERSONS) and re.search(
                    r"\b(?:tell|tells|told|speak|speaks|voice|narrate|narrated|write|written|talk|hear)\b",
                    rest, re.IGNORECASE,
                ):  # fmt: skip
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


_BEGIN = (
    r"(?:begin|begins|beginning|start|starts|starting|open|opens|opening|set off|lead off|led off)"
)
_OF_STARTS = _words(
    "begin begins beginning start starts starting open opens opening lead off led words word phrase "
    "same two three label by lines sentences each own its line capitals on new fresh again that "
    "which rings ring repeat prefix"
)


def starting(wording: Wording) -> Iterator[Check]:
    """ "Have the child start three or more sentences with …"."""
    for clause in demanding_clauses(wording.text):
        if len(re.findall(TERM, clause)) != 1 or not re.search(rf"\b{_BEGIN}\b", clause, re.I):
            continue
        mark = re.findall(TERM, clause)[0]
        if not re.search(rf"(?:with|by)(?: the (?:\w+ ){{0,3}}?\w+,?)? {mark}", clause, re.I):
            continue
        bare = " ".join(clause.replace(mark, " ").split())
        for amount in amounts(bare):
            quantity = amount.quantity
            kinds = {"line": ("line_starts", "prefix"), "sentence": ("anaphora", "start")}
            named = kinds.get(re.sub(r"s$", "", quantity.noun.lower()))
            if named and not quantity.plain and demands_nothing(amount.rest, _OF_STARTS):
                kind, argument = named
                bounds = named_bounds(quantity.low, quantity.high)
                yield {"kind": kind, argument: wording.names(mark)[0], **bounds}


_OF_MENTIONS = _words(
    "mention mentioned mentions name named names cover covered refer touch discuss bring up include "
    "word words term terms phrase phrases deal dealt both by way appear find place left speak "
    "talk address addressed credit credited somewhere also each"
)


def mentions(wording: Wording) -> Iterator[Check]:
    """Names or quoted words to be mentioned, in order where the sentence says so."""
    for clause in demanding_clauses(wording.text):
        bare = _IN_ORDER.sub("", clause)
        listed = _listed(wording, bare)
        if not listed or not changes_nothing(listed[1], _OF_MENTIONS):
            continue
        if re.search(r"\b(?:mention|name|cover|refer|touch|discuss|include|bring|use|contain|appear|deal|occur)",
                     listed[1], re.IGNORECASE) is None:  # fmt: skip
            continue
        yield {"kind": "in_order" if bare != clause else "mentions", "terms": listed[0]}


_BANNED = re.compile(
    r"\b(?:banned|forbidden|off limits|taboo|prohibited|barred|out of bounds|not to be used|never"
    r"|not|without|avoid|shun|ban|skip|steer clear|stay away|omit|do without|keep out|leave out)\b",
    re.IGNORECASE,
)
_OF_BANS = _words(
    "banned forbidden off limits taboo prohibited barred bounds not never do don't without avoid "
    "shun ban skip steer clear away omit out leave words word term terms phrase phrases or nor any "
    "either used using mention mentioned say saying must appear on account turn crop are is name "
    "names keep resort crutch cliché clichés whatever happens"
)


def forbidden(wording: Wording) -> Iterator[Check]:
    """Quoted words that must not occur."""
    for clause in demanding_clauses(wording.text):
        marks = re.findall(TERM, clause)
        bare = re.sub(TERM, " ", clause)
        if (
            not marks
            or len(_BANNED.findall(bare)) != 1
            or re.search(r"\bboth\b|\ball\b", bare, re.I)
        ):
            continue
        if changes_nothing(bare, _OF_BANS):
            yield {"kind": "forbids", "terms": [wording.names(mark)[0] for mark in marks]}


RULES = (
    counted, characters, sentence_words, paragraphs, shares, record, headings, bold_terms,
    bold_count, letter, person, starting, mentions, forbidden,
)  # fmt: skip
