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
    counts_of,
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
    "contractions": _words("language register warm loosen relaxed chatty informal formal throughout full forms avoid "
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
                    "exclamation_sentences", "question_count", "dialogue_turns", "percentages", "headings", "list_items",
                    "block_quotes", "quotations"})  # fmt: skip
"""Kinds whose name says that the text itself is meant."""

_WHOLE = frozenset({"contractions", "first_person", "second_person", "exclamation_sentences"})
"""Those of which nothing said behind them could be a part: "contractions will keep it friendly"."""

_NOT_ALLOWED = re.compile(
    r"(?P<noun>[a-z][\w' -]+?)(?: of any kind)? (?:(?:are|is) (?:not (?:allowed|permitted|wanted|welcome"
    r"|acceptable)|forbidden|banned|out|out of place|to be avoided|ruled out|unwelcome)"
    r"|(?:have|has) no place here|(?:should|must) (?:not appear|be avoided|never appear|be left out))(?: here)?(?: and should be (?:excluded|avoided|left out))?",
    re.IGNORECASE,
)
_UNWANTED = re.compile(
    r"(?:(?P<aside>[^,;]+),? (?=(?:which|that|this|and that|without|with no|avoiding|using no) ))?(?:(?:please )?(?:avoid|skip|omit|drop|shun|leave out|cut out|do without|steer clear of|stay away"
    r" from|refrain from|keep out|do not (?:use|write|include|add|put in|allow)|don't (?:use|write"
    r"|include|add)|never (?:use|write|include)|without|with no|avoiding|using no|keep it free of|free of|(?:and )?(?:that |this |which )?(?:rules out|means no|excludes|forbids|leaves no room for))"
    r"(?: all| any| using| the use of| a single| every)*) "
    r"(?P<noun>[a-z][\w' -]+?)(?: altogether| entirely| completely| at all| anywhere| throughout"
    r"| of any kind| whatever| whatsoever)*",
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
        match = _UNWANTED.fullmatch(clause) or _NOT_ALLOWED.fullmatch(clause)
        if match and demands_nothing(match.groupdict().get("aside") or ""):
            for row in COUNTED:
                if re.fullmatch(row.noun, match["noun"], re.IGNORECASE):
                    yield {**row.check, "high": 0}


def _bounded(row: Counted, quantity: Quantity, amount: Amount) -> Iterator[Check]:
    kind = row.check["kind"]
    if kind == "char_count" or (quantity.plain and not row.plain_is_exact):
        return
    also = _ALSO.get(kind, frozenset())
    before_is_harmless = demands_nothing if kind in _CLEAR else changes_nothing
    after_is_harmless = demands_nothing if kind in _WHOLE else changes_nothing
    if before_is_harmless(amount.before, also) and after_is_harmless(amount.after, also):
        yield {**row.check, **named_bounds(quantity.low, quantity.high)}


_BLANK = r"(?:spaces?|blanks?|white ?space|gaps(?: between (?:the )?words)?)"
_WITH_BLANKS = re.compile(
    rf"(?:,|\(| and)? ?(?:(?:we |i )?(?:count(?:ing)?|includ(?:ing|e)|with|inclusive of)(?: the| all)? {_BLANK}"
    rf"(?: too| as well| as characters)?|(?:the )?{_BLANK} (?:and all|included|counted|inclusive|count(?: too)?))\)?,?",
    re.IGNORECASE,
)
_WITHOUT_BLANKS = re.compile(
    rf"(?:,|\()? ?(?:(?:not counting|excluding|without|leaving out|ignoring)(?: the)? {_BLANK}"
    rf"|leaving (?:the )?{_BLANK} out(?: of the count)?|(?:the )?{_BLANK} (?:excluded|not counted|left out|aside|apart|do not count|don't count"
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
            r"\b(?:no|not (?:a|one)(?: single)?|not any|none of (?:the|her|his|its|your|their))(?: single)? sentences?\b"
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


_EACH_ONE = re.compile(
    r"\b(?:each|every|all|a) (?:single )?paragraph\b|per paragraph", re.IGNORECASE
)
_EACH_OF = re.compile(rf"\beach of (?:the|its|your) (?P<n>{NUMBER}) paragraphs\b", re.IGNORECASE)


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
            if each := _EACH_OF.search(where):
                n = value_of(each["n"].lower())
                if changes_nothing(where.replace(each.group(), " "), _OF_PARAGRAPHS):
                    yield {"kind": "paragraphs", "low": n, "high": n, **bounds}
            elif _EACH_ONE.search(where) and changes_nothing(where, _OF_PARAGRAPHS):
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
    found = [m for m in _COLON_LIST.finditer(clause) if not carries_demand(m.group())]
    if not found:
        found = list(re.finditer(rf"(?<![\w'’-])(?:{_NAMES}|{_MORE_NAMES})", clause))
    found = [m for m in found if m.start() or _FIRST_NAME.match(m.group())]
    if not found:
        found = [m for m in _SMALL_LIST.finditer(clause) if not carries_demand(m.group())]
    if len(found) != 1:
        return None
    said = found[0].group()
    if re.search(r"\b(?:or|but)\b", said) or _NAME_GOES_ON.match(clause, found[0].end()):
        return None
    if re.match(r",? (?:and(?! each| every| all)|or|nor|as well as) ", clause[found[0].end() :]):
        return None  # the list goes on with what is no name
    split = re.split(r"(?:,|,? and|,)? (?:then|finally|lastly) |,? and |, ", said)
    terms = wording.names(said) or [term.removeprefix("the ") for term in split]
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
_COLON_LIST = re.compile(rf"(?<=: ){_ITEM}(?:, {_ITEM})+(?:,? and {_ITEM})?$")
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
    "names namely laid arranged arrange placing behind following minutes entry every needs first beginnings stands line-opening "
    "among template ends end ending court's all must"
)


def record(wording: Wording) -> Iterator[Check]:
    """Labelled lines: each label opens a line, and a colon follows it."""
    for clause in demanding_clauses(wording.text):
        if not (listed := _listed(wording, _IN_ORDER.sub("", clause))):
            continue
        terms, rest = listed
        has_colon = all(t.endswith(":") for t in terms) or re.search(r"\bcolons?\b", rest, re.I)
        says = has_colon and re.search(r"\blines?\b|margin|label", rest, re.I)
        numbers = {value_of(w) for w in re.findall(r"[\w'-]+", rest.lower()) if w != "one"} - {None}
        bare = re.sub(rf"\b{NUMBER}\b", " ", rest, flags=re.IGNORECASE)
        if says and numbers <= {len(terms)} and demands_nothing(bare, _OF_RECORDS):
            yield {"kind": "record", "fields": [term.rstrip(":") for term in terms]}


_OF_HEADINGS = _ALSO["headings"] | _words(
    "named called titled headed titles read reads these alone following each for have under "
    "entitled namely respectively every us give"
)


def headings(wording: Wording) -> Iterator[Check]:
    """Headings with given names."""
    for clause in demanding_clauses(wording.text):
        if not re.search(
            r"\bheadings?\b|\b(?:sections|parts),? (?:headed|titled)\b", clause, re.I
        ) or re.search(r"\bamong\b|includ", clause, re.I):
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
    "term terms phrase phrases name names namely both shown show appear put putting them by means of use used typed"
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


_BOLD_THINGS = (
    r"(?:most |more )?(?:[a-z][\w'-]* ){0,3}?(?!words|sentences|letters|paragraphs|headings)[a-z]+s"
)


_NO_BOLD = re.compile(r"(?:(?:use|include|have) no|avoid|without|do not use|don't use|no)(?: any)? bold(?:face| type| print)?"
                      r"(?: type| print)?(?: at all| anywhere| whatever)?", re.IGNORECASE)  # fmt: skip


def bold_count(wording: Wording) -> Iterator[Check]:
    """ "Two bold phrases and no third", "her three key points go in bold"."""
    for clause in demanding_clauses(wording.text):
        if _NO_BOLD.fullmatch(clause):
            yield {"kind": "bold_count", "high": 0}
        clause = re.sub(r"\bwords or phrases\b", "phrases", clause, flags=re.IGNORECASE)
        bare = re.sub(rf",? ?\b(?:{_BOLD})\b", "", clause, count=1, flags=re.IGNORECASE)
        if bare == clause or re.search(r"\bbold", bare, re.I):
            continue
        if _listed(wording, clause):
            continue
        for amount in amounts(" ".join(bare.split())):
            quantity = amount.quantity
            noun = re.sub(r"^most |\b(?:lines|titles)$", "", quantity.noun)
            is_thing = re.fullmatch(_BOLD_THINGS, quantity.noun, re.IGNORECASE)
            if is_thing and not carries_demand(noun) and demands_nothing(amount.rest, _OF_BOLD):
                yield {"kind": "bold_count", **named_bounds(quantity.low, quantity.high)}


_LETTER_WORDS = _words(
    "letter correspondence greeting salutation signature closing close sign-off valediction formal "
    "business proper properly complimentary courteous polite formula layout look looks shape form "
    "format customary usual traditional standard conventional dress full name below beneath under "
    "end bottom top down lay laid set sender's writer's address signed courtesy open opens ends "
    "first last come observe conventions convention including include polite ending farewell phrase cast answer start starts begin begins beginning line complete as needs both"
)


def letter(wording: Wording) -> Iterator[Check]:
    """The form of a letter, of which greeting and closing are named both or neither."""
    for clause in demanding_clauses(wording.text):
        words = set(re.findall(r"[\w'-]+", clause.lower()))
        opens = bool(words & {"greeting", "salutation"})
        closes = bool(
            words
            & {"closing", "close", "signature", "valediction", "sign-off", "signed", "farewell"}
        )
        named = words & {"letter", "correspondence"} or {"salutation", "close"} <= words
        says_form = words & _words("conventions form format layout look looks shape dress lay laid as like proper "
                                   "properly") or opens  # fmt: skip
        if named and says_form and opens == closes and demands_nothing(clause, _LETTER_WORDS):
            yield {"kind": "letter_layout"}


_PRONOUNS = {
    "first_person": r"(?:i|me|my|mine|myself|we|us|our|ours|ourselves)",
    "second_person": r"(?:you|your|yours|yourself)",
}
_TIMES = "(?:times|uses|places|occasions|instances|occurrences)(?: over)?"
_OF_PERSONS = _words(
    "saying say says said speak speaks speaking talk talks address addressed reader readers listener "
    "listeners audience first-person second-person who directly straight heard hear voice first second person singular narrator "
    "told tell tells pronoun pronouns word words in one form or another person's times using "
    "occasions instances uses read reads refer refers referring themselves herself himself itself "
    "call over crop turn turn-up somewhere plain narrate narrated"
)


def person(wording: Wording) -> Iterator[Check]:
    """ "You" or "your" must occur at least five times", "let I or my be heard six times"."""
    for clause in demanding_clauses(wording.text):
        for kind, pronoun in _PRONOUNS.items():
            text, n = _pronouns_aside(wording, clause, pronoun)
            name = f"(?:(?:uses|instances) of the )?{kind.split('_')[0]}[- ]person(?: pronouns?| words?)?"
            says_person = bool(re.search(rf"\b{name}\b", text, re.IGNORECASE))
            if not n and not says_person:
                continue
            if re.search(TERM, text):
                continue
            for amount in counts_of(text, rf"(?:{_TIMES}|{name})"):
                quantity = amount.quantity
                if demands_nothing(amount.rest, _OF_PERSONS):
                    if quantity.high is None or quantity.plain:
                        yield {"kind": kind, "low": quantity.low}
                    elif quantity.low is None and quantity.high == 0:
                        yield {"kind": kind, "high": 0}
            if kind == "first_person" and says_person and not amounts(text):
                rest = re.sub(rf"\b{name}\b", " ", text, flags=re.IGNORECASE)
                is_manner = re.search(
                    rf"\b(?:in|use|to|keep) the {name}(?: singular| plural)?\b", text, re.IGNORECASE
                )
                if is_manner and demands_nothing(rest, _OF_PERSONS):
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
_MODAL = r"(?:should|must|is to|are to|has to|have to|needs to)"
_STARTING = (
    ("(?:of (?:the|its|your|his|her) )?lines?", "line_starts", "prefix"),
    ("(?:of (?:the|its|your|his|her) )?sentences?", "anaphora", "start"),
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
        if not re.search(
            rf"(?:(?:with|by)(?: the (?:\w+ ){{0,3}}?\w+,?)?|(?:the )?(?:opening|beginning|start)) {mark}"
            rf"|{mark} (?:{_MODAL} )?be (?:the )?(?:beginning|opening|start) of\b",
            clause,
            re.I,
        ):
            continue
        bare = " ".join(clause.replace(mark, " ").split())
        for noun, kind, argument in _STARTING:
            for amount in counts_of(bare, noun):
                quantity = amount.quantity
                if not quantity.plain and demands_nothing(amount.rest, _OF_STARTS):
                    bounds = named_bounds(quantity.low, quantity.high)
                    yield {"kind": kind, argument: wording.names(mark)[0], **bounds}


_OF_MENTIONS = _words(
    "mention mentioned mentions name named names cover covered refer touch discuss bring up include "
    "word words term terms phrase phrases deal dealt both by way appear find place left speak "
    "talk address addressed credit credited somewhere also each"
)


_OTHERWISE = re.compile(
    r"\b(?:order|sequence|succession|chronolog\w*|turn|bold\w*|embolden\w*|headings?|labels?|colons?|lines?|quot\w+"
    r"|italics?|tables?|columns?|sections?)\b",
    re.IGNORECASE,
)
"""What asks more of names than that they stand in the text."""


def mentions(wording: Wording) -> Iterator[Check]:
    """Names or quoted words to be mentioned, in order where the sentence says so."""
    for clause in demanding_clauses(wording.text):
        bare = _IN_ORDER.sub("", clause)
        listed = _listed(wording, bare)
        if not listed or not demands_nothing(listed[1], _OF_MENTIONS):
            continue
        if _OTHERWISE.search(listed[1]):
            continue
        if re.search(r"\b(?:mention|name|cover|refer|touch|discuss|include|bring|use|contain|appear|deal|occur)",
                     listed[1], re.IGNORECASE) is None:  # fmt: skip
            continue
        yield {"kind": "in_order" if bare != clause else "mentions", "terms": listed[0]}


_LIST_ITEM = (
    r"(?:short |brief |separate )?(?:bulleted |numbered |bullet |list )?(?:items?|points?|entries|bullets?|steps?"
    r"|tips?|bullet points?)(?: of (?!equal|similar|different)[a-z]+)?"
)
_OF_LISTS = _ALSO["list_items"] | _words("that has belong belongs made up under bullets")


def list_items(wording: Wording) -> Iterator[Check]:
    """ "A numbered list that has three to five entries"."""
    for clause in demanding_clauses(wording.text):
        is_bullet = bool(re.search(r"\bbullet(?:s|ed)?\b", clause, re.IGNORECASE))
        is_numbered = bool(re.search(r"\b(?:numbered|ordered) list\b", clause, re.IGNORECASE))
        if is_bullet + is_numbered != 1:
            continue
        for amount in counts_of(clause, _LIST_ITEM):
            if demands_nothing(amount.before, _OF_LISTS) and changes_nothing(
                amount.after, _OF_LISTS
            ):
                bounds = named_bounds(amount.quantity.low, amount.quantity.high)
                marker = "bullet" if is_bullet else "numbered"
                yield {"kind": "list_items", "marker": marker, **bounds}


_NUMBER_THEM = re.compile(
    rf"number (?:the|your|its|all) [a-z ]+? from (?:1|one) to (?P<n>{NUMBER})(?: in a list| as a list)?",
    re.IGNORECASE,
)


def numbered(wording: Wording) -> Iterator[Check]:
    """ "Number the steps from 1 to 6"."""
    for clause in demanding_clauses(wording.text):
        if (match := _NUMBER_THEM.fullmatch(clause)) and (n := value_of(match["n"].lower())):
            yield {"kind": "list_items", "marker": "numbered", "low": n, "high": n}


_BY_AUTHOR = (
    r"(?:by (?:their )?|with (?:the )?|giving |by giving )?(?:the )?(?:author|surname|name)s?(?:'s name)?(?: and|,) (?:the )?(?:year|date)s?"
    r"|author[- ](?:year|date)|harvard|apa|\((?:name|author|[A-Z]\w+),? (?:year|date|\d{4})\)"
)
_BY_NUMBER = (
    r"by numbers?|numbered|numeric(?:al)?|bracketed numbers|numbers in (?:square )?brackets"
)
_CITED = (
    r"(?:published |different |scholarly |academic |parenthetical )?(?:(?:author[- ](?:year|date)|numeric|numbered|harvard|apa"
    r")(?:-style| style)? )?(?:in-text )?(?:citations?|references?|sources?|works|studies|publications|authorities|authors|scholars|books|articles|papers)"
)
_OF_CITATIONS = _ALSO["citations"] | _words(
    "citation references credited credit surname date dates years authors numbered square bracket "
    "name names cites referenced published work studies number numbers numeric accompany argument"
)


def citations(wording: Wording) -> Iterator[Check]:
    """ "Cite at least three works by author and year"."""
    for clause in demanding_clauses(wording.text):
        by_author = bool(re.search(_BY_AUTHOR, clause, re.IGNORECASE))
        by_number = bool(re.search(_BY_NUMBER, clause, re.IGNORECASE))
        if by_author + by_number != 1 or not re.search(
            r"\bcit(?:e|ed|ation|ations|ing)\b|\breferences?\b|\bcredited\b|\bsources\b",
            clause,
            re.I,
        ):
            continue
        for amount in counts_of(clause, _CITED):
            quantity = amount.quantity
            rest = re.sub(_BY_AUTHOR, " ", amount.rest, flags=re.IGNORECASE)
            if not quantity.plain and demands_nothing(rest, _OF_CITATIONS):
                style = "author-year" if by_author else "numeric"
                bounds = named_bounds(quantity.low, quantity.high)
                yield {"kind": "citations", "style": style, **bounds}


_THING = r"(?:the|a|an|his|her|its|their) [a-z][\w'-]*(?: [a-z][\w'-]*)?"
_THINGS = re.compile(
    rf"(?P<before>.*\b(?:mention|mentions|name|names|refer to|refers to|include a mention of))(?: of)?(?: both)?"
    rf" (?P<list>{_THING}(?:, {_THING})*,? and {_THING})(?P<after>.*)",
    re.IGNORECASE,
)


_NOUNS = re.compile(
    r"(?P<before>(?:.*\b)?(?:mention|discuss|cover|address|deal with|treat|touch on|talk about|speak of|topics (?:should be"
    r"|must include|are)|themes (?:should be|must include|are))) (?P<list>[a-z'-]+(?:, [a-z'-]+)+,? and [a-z'-]+)(?P<after>)",
    re.IGNORECASE,
)


def things(wording: Wording) -> Iterator[Check]:
    """ "Mention the roof, the boiler and the piano", "discuss rent, heating and repairs"."""
    for clause in demanding_clauses(wording.text):
        if match := _NOUNS.fullmatch(clause):
            also = _OF_MENTIONS | _words("topics themes treat among")
            if demands_nothing(match["list"]) and changes_nothing(match["before"], also):
                yield {"kind": "mentions", "terms": re.split(r",? and |, ", match["list"])}
        match = _THINGS.fullmatch(clause)
        if (
            not match
            or carries_demand(match["list"])
            or re.search(r"\b(?:of|who|that)\b", match["list"])
        ):
            continue
        if changes_nothing(f"{match['before']} {match['after']}", _OF_MENTIONS):
            items = re.split(r",? and |, ", match["list"])
            yield {"kind": "mentions", "terms": [item.split(" ", 1)[1] for item in items]}


_STEP = r"(?:the |a |an )?(?P<{}>[\w'’-]+(?: (?!and\b|then\b|to\b|followed\b)[\w'’-]+)?)"
_STEPS = [
    re.compile(body.format(a=_STEP.format("a"), b=_STEP.format("b"), c=_STEP.format("c")), re.I)
    for body in (
        r"(?P<before>.*?)\bfrom {a}(?:,? (?:and )?(?:then )?(?:on )?to {b})(?:,? (?:and )?(?:then |finally |lastly )?(?:on )?to {c})",
        r"(?P<before>.*?)\bfirst (?:to |of |with )?{a},? (?:and )?(?:then|next|second(?:ly)?|after that) (?:to |of |with )?{b},?"
        r" (?:and )?(?:then|last(?:ly)?|finally|third(?:ly)?|at last) (?:to |of |with )?{c}",
        r"(?P<before>.*?)\b(?:beginning|starting|begin|start) with {a},? (?:followed by|going on to|then|continuing with|moving on to) {b},?"
        r" and (?:ending|end|finally|then|last|closing|finish|finishing)(?: with)? {c}",
        r"(?P<before>.*?)\b(?:go|pass|walk|move|proceed)(?: past| to| through| by)? {a}, then (?:past |to )?{b},?"
        r" (?:and )?(?:after that|then|finally|lastly|at last) (?:past |to )?{c}",
        r"(?P<before>.*?)\b(?:with|of|about|to) {a} first, then (?:with |of |to )?{b},?"
        r" (?:and )?(?:then|last(?:ly)?|finally) (?:with |of |to )?{c}",
        r"(?P<before>.*?)\bfrom {a} (?:through|via|by way of) {b} to {c}",
        r"(?P<before>.*?)\bin (?:the|this) (?:order|sequence):? {a}, {b}(?:,|,? and|,? then) {c}",
        r"(?P<before>.*?)\bchronologically: {a}, {b}(?:,|,? and|,? then) {c}",
    )
]
_OF_STEPS = _words("order account story tour begin start beginning starting move moving go going lead "
                   "leads reader readers walk path route through past pass passes proceed proceeds sequence one after another")  # fmt: skip


def steps(wording: Wording) -> Iterator[Check]:
    """ "Take the reader first to the harbour, next to the market and last to the cathedral"."""
    for clause in demanding_clauses(wording.text):
        for pattern in _STEPS:
            match = pattern.fullmatch(clause)
            terms = [match[name] for name in "abc"] if match else []
            if (
                match
                and not carries_demand(" ".join(terms))
                and demands_nothing(match["before"], _OF_STEPS)
            ):
                yield {"kind": "in_order", "terms": terms}


_SOME_OF_THESE = re.compile(
    rf"(?P<before>.*?)(?:any )?(?P<q>(?:at least |no fewer than )?{NUMBER}(?: or more| at least)?) of "
    rf"(?:these|the following|the)(?: [a-z]+){{0,2}}?(?: (?:should|must|are to|have to) be (?:mentioned|named|used|included))?"
    rf"(?:: |, | )(?!words |terms |names |phrases )(?P<list>{TERMS}|[A-Za-z][\w'’-]*(?: [\w'’-]+)?"
    rf"(?:, [A-Za-z][\w'’-]*(?: [\w'’-]+)?)+(?:,? (?:and|or) [\w'’-]+(?: [\w'’-]+)?)?)",
    re.IGNORECASE,
)


def some(wording: Wording) -> Iterator[Check]:
    """ "Refer to any three of these birds: curlew, lapwing, snipe, redshank, dunlin"."""
    for clause in demanding_clauses(wording.text):
        match = _SOME_OF_THESE.fullmatch(clause)
        if not match or not demands_nothing(match["before"], _OF_MENTIONS):
            continue
        terms = wording.names(match["list"]) or re.split(r",? (?:and|or) |, ", match["list"])
        for quantity in quantities(f"{match['q']} items"):
            if (
                quantity.low
                and quantity.low < len(terms)
                and (quantity.high is None or quantity.plain)
            ):
                yield {"kind": "mentions_some", "terms": terms, "low": quantity.low}


_BANNED = re.compile(
    r"\b(?:banned|forbidden|off limits|taboo|prohibited|barred|out of bounds|not to be used|never"
    r"|not|without|avoid|shun|ban|skip|steer clear|stay away|omit|do without|keep out|leave out|leave\b.*\bout)\b",
    re.IGNORECASE,
)
_OF_BANS = _words(
    "banned forbidden off limits taboo prohibited barred bounds not never do don't without avoid "
    "shun ban skip steer clear away omit out leave words word term terms phrase phrases or nor any "
    "either used using mention mentioned say saying must appear on account turn crop are is name "
    "names vocabulary keep resort crutch cliché clichés whatever happens"
)


_SMALL_WORDS = re.compile(
    r"\b(?:words|terms) (?P<list>[a-z'-]+(?:, [a-z'-]+)*,? (?:and|or|nor) [a-z'-]+)\b",
    re.IGNORECASE,
)


def forbidden(wording: Wording) -> Iterator[Check]:
    """Quoted words that must not occur."""
    for clause in demanding_clauses(wording.text):
        marks = re.findall(TERM, clause)
        bare = re.sub(TERM, " ", clause)
        if not marks and (small := _SMALL_WORDS.search(clause)):
            rest = f"{clause[: small.start('list')]} {clause[small.end('list') :]}"
            if len(_BANNED.findall(rest)) == 1 and changes_nothing(rest, _OF_BANS):
                terms = re.split(r",? (?:and|or|nor) |, ", small["list"])
                yield {"kind": "forbids", "terms": terms}
        if (
            not marks
            or len(_BANNED.findall(bare)) != 1
            or re.search(r"\bboth\b|\ball\b", bare, re.I)
        ):
            continue
        if changes_nothing(bare, _OF_BANS):
            terms = [wording.names(mark)[0] for mark in marks]
            if not any("'" in term for term in terms):  # examples of contractions
                yield {"kind": "forbids", "terms": terms}


RULES = (
    counted, characters, sentence_words, paragraphs, shares, record, headings, bold_terms,
    bold_count, letter, person, starting, list_items, numbered, citations, mentions, things, steps, some,
    forbidden,
)  # fmt: skip
