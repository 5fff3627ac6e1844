"""The shapes of a demand in English: what is asked for, or asked to be left out.

"The reply must not contain any contractions" and "avoid contractions" are one demand with one
object. A frame covers its whole sentence, so that nothing of it goes unread.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Literal, NamedTuple

from wfine_utils.checks.numerals import NUMBER
from wfine_utils.checks.quantities import quantities
from wfine_utils.checks.wording import GENRE, MODAL, SUBJECT, without_fillers

Sense = Literal["wanted", "unwanted", "limit", "beyond", "allowed", "mention", "avoid"]
"""What a frame says of its object: it is wanted, unwanted, a limit ("keep to"), what must not be
gone beyond, all that is allowed, to be mentioned, not to be mentioned."""


class Demand(NamedTuple):
    """One reading of a sentence: its object in words, and what is said of it."""

    sense: Sense
    object: str


def _longest_first(alternatives: str) -> str:
    """Alternatives of a pattern so that "be told in" is tried before "be"."""
    return "|".join(sorted(alternatives.split("|"), key=len, reverse=True))


_HAVE = _longest_first(
    "contain|include|have|use|feature|comprise|consist of|be composed of|be made up of|run to"
    "|be|be written in|be told in|be written with|be written using|hold|carry|employ|provide|give"
    "|show|total|come to|amount to|be limited to exactly|fall|be kept to exactly|make use of"
    "|incorporate|be divided into|be split into|be broken into|be structured in|be set out in"
    "|be organi[sz]ed into|have a length of|be of|offer|present|display|keep to|span|count"
    "|stretch to"
)
_HAS = _longest_first(
    "contains|includes|has|uses|features|comprises|consists of|is composed of|is made up of|runs to"
    "|is|is written in|is written with|employs|needs|requires|is divided into|has a length of"
    "|is exactly|incorporates"
)
_DO = _longest_first(
    "include|use|write|have|employ|add|insert|incorporate|feature|provide|give|put in|work in"
    "|weave in|bring in|integrate|contain|ask|pose|aim for|keep to|stick to|produce|compose|supply"
    "|offer|make use of|build in|create|present|answer in|respond with|reply with|respond in"
    "|reply in|write in|give me|put|slip in|make it|make|set|reach|hit|let there be|quote|format"
    "|break it up with|break it up into|divide it into|split it into|structure it in"
    "|arrange it in|break it into|write using|write with|respond using|answer with|answer using"
    "|ask the reader|ask the readers|ask yourself|put to the reader|reason through|think through"
    "|work through|weigh|raise|state|consider|answer|quote|list|open with|back it up with"
    "|call for|call|cite|reference|say it in|do it in|it takes|organi[sz]e it into|sprinkle in"
)
_DO_IT = _longest_first(
    "tell|present|deliver|express|summari[sz]e|phrase|say|put|build|divide|split|break|structure"
    "|organi[sz]e|arrange|set|give|format|keep|break up|write|compose|make|craft|draft|produce"
    "|create"
)
_MAKE_IT = "write|compose|make|craft|draft|produce|create"
_MENTION = _longest_first(
    "mention|name|cover|bring up|refer to|talk about|speak of|touch on|address|deal with|bring in"
    "|make mention of|reference|discuss|include|use|contain|work in|incorporate|feature|have"
)
_MENTIONED = (
    "be (?:included|used|given|present|mentioned|added|found|there|provided|shown|named|covered)"
    "|appear|occur|feature|be made|mark off its parts|be employed|stand"
)
_NOT = "do not|don't|never|do not ever|you may not|you must not|you should not|please do not|not to"
_EXCEED = _longest_first(
    "exceed|go beyond|run past|surpass|go over|be longer than|run to more than|be more than"
    "|use more than|have more than|contain more than|run over|pass|be over|take more than"
    "|write more than|include more than|be any longer than|exceed more than"
)
_S = rf"(?:{SUBJECT}|you)"
_MODAL_NOT = (
    "(?:should|must|may|can|shall|is to|does|do|ought|is allowed|will) ?not(?: to)?"
    "|mustn't|shouldn't|can't"
)

_FRAMES: tuple[tuple[str, Sense], ...] = (
    (rf"{_S} (?:{MODAL} (?:only )?(?:{_HAVE})|{_HAS}) (?P<o>.+)", "wanted"),
    (rf"{_S} (?:{MODAL} (?:be )?|is |are )?(?:{_HAVE})? ?(?:kept|limited|restricted) (?:to|at) "
     rf"(?P<o>.+)",
     "limit"),
    (rf"(?:{_DO}) (?P<o>.+)", "wanted"),
    (rf"(?:{_DO_IT}) {SUBJECT} (?:in|using|into) (?P<o>.+)", "wanted"),
    (rf"(?:{_MAKE_IT}) {SUBJECT} (?:with|of|have|contain) (?P<o>.+)", "wanted"),
    (rf"(?:the|its|your) (?:length|word count|total length|total word count|number) {MODAL} be "
     rf"(?P<o>.+)", "wanted"),
    (rf"(?:there )(?:{MODAL} be|is|are|has to be) (?P<o>.+)", "wanted"),
    (rf"(?P<o>.+?) {MODAL} (?:{_MENTIONED})", "wanted"),
    (r"(?P<o>.+?) (?:is|are) (?:required|needed|expected|wanted|called for|mandatory)", "wanted"),
    (r"(?P<o>.+?),? (?:is|are) (?:allowed|permitted|your limit|the limit|the maximum)", "allowed"),
    (rf"(?P<o>(?:not|no|zero) .+?) (?:may|can) (?:{_MENTIONED})", "wanted"),
    (rf"(?:in )?(?P<o>(?:at least|at most|no more than|no fewer than|exactly|{NUMBER}(?:-\d+)?"
     rf"|between|under|up to|"
     r"maximum|max|minimum|no|zero) .+)", "wanted"),
    (rf"(?:limit|restrict|confine|cut|hold) (?:{SUBJECT}|yourself) (?:down )?to "
     rf"(?P<o>.+)", "limit"),
    (rf"(?:keep|stay|remain)(?: {SUBJECT})? (?:to|within|down to|at) (?P<o>.+)", "limit"),
    (rf"(?:keep|stay|remain)(?: {SUBJECT})? (?P<o>(?:under|below|between|shorter than|over) "
     rf".+)", "wanted"),
    (r"(?:your|the) (?:word |character )?(?:limit|maximum|max) is (?P<o>.+)", "limit"),
    (rf"(?:(?:{_NOT})|{_S} (?:{_MODAL_NOT})) (?:{_EXCEED}) (?P<o>.+)", "beyond"),
    (rf"(?:{_NOT}) (?:{_DO}|write with) (?P<o>.+)", "unwanted"),
    (rf"{_S} (?:{_MODAL_NOT}) (?:{_HAVE}) (?P<o>.+)", "unwanted"),
    (r"(?:avoid|leave out|omit|refrain from|exclude|steer clear of|skip|eschew|abstain from|"
     r"write without|do without|stay away from|without|keep out)(?: all| the use of| using| any "
     r"use of"
     r"| including| writing| any)* (?P<o>.+)", "unwanted"),
    (rf"{_S} {MODAL} (?:be free of|be free from|do without|avoid|be without|not contain) "
     rf"(?P<o>.+)", "unwanted"),
    (rf"(?P<o>.+?) (?:{_MODAL_NOT}) (?:{_MENTIONED})", "unwanted"),
    (r"(?P<o>.+?) (?:is|are) (?:forbidden|not allowed|not permitted|prohibited|banned|to be "
     r"avoided)", "unwanted"),
    (rf"you are (?:not allowed|forbidden|not permitted) to (?:{_DO}) (?P<o>.+)", "unwanted"),
    (rf"(?:{_MENTION}) (?P<o>.+)", "mention"),
    (rf"{_S} {MODAL} (?:{_MENTION}) (?P<o>.+)", "mention"),
    (rf"(?P<o>.+?) {MODAL} (?:{_MENTIONED})", "mention"),
    (r"the (?:key)?words? (?P<o>.+?) (?:is|are) (?:required|needed|mandatory)", "mention"),
    (rf"(?:{_NOT}) (?:{_MENTION}|say|write) (?P<o>.+)", "avoid"),
    (rf"{_S} (?:{_MODAL_NOT}) (?:{_MENTION}|say) (?P<o>.+)", "avoid"),
    (rf"you are (?:not allowed|forbidden|not permitted) to (?:{_MENTION}) (?P<o>.+)", "avoid"),
    (r"(?:avoid|leave out|omit|refrain from|exclude|steer clear of|skip|write without|without|"
     r"do without|eschew)(?: using| mentioning| the use of| saying| any mention of)? "
     r"(?P<o>.+)", "avoid"),
    (rf"(?P<o>.+?) (?:{_MODAL_NOT}) (?:{_MENTIONED})", "avoid"),
    (r"(?P<o>.+?) (?:is|are) (?:forbidden|not allowed|prohibited|banned|to be avoided)", "avoid"),
)  # fmt: skip
_PATTERNS = [(re.compile(body, re.IGNORECASE), sense) for body, sense in _FRAMES]

_DEMANDING = re.compile(
    r"\b(?:not|no|without|every|each|all|only|must|should|exactly|least|most(?! of)|avoid|never"
    r"|none"
    r"|nor|neither|nobody|hardly|rarely|seldom|unless|except|until|instead|(?<!rather )than|if"
    r"|whether|may|might"
    r"|could|would|can|cannot|optional\w*|ideally|perhaps|possibly|preferably|wrong|consider\w*|try|tries|trying|attempt\w*|free|fine|first|second"
    r"|third|last|final|one|two|three|four|five|six|seven|eight|nine|ten|begin\w*|start\w*|end\w*"
    r"|words?|sentences?|paragraphs?|characters?|lists?|bullets?|headings?|titles?|tables?|bold"
    r"|questions?|quotations?|quotes?|citations?|mention\w*|includ\w*|contain\w*|use|using|section"
    r"|sections|lines?|letters?|language|english|headed|alternat\w*|rhyme\w*|json|capital\w*)\b"
    r"|n't\b|\d|[\ue000-\ue0ff]",
    re.IGNORECASE,
)
"""What carries a demand, or takes one back: none may stand in the part of a sentence that is left
aside."""

_AIM = re.compile(
    r"(?P<aim>[a-z][^:;]*?)(?P<comma>,?) (?P<link>with|without|by using|using) (?P<means>.+)",
    re.IGNORECASE,
)
# "Describe a book with …" says of the book what "Support it with …" says of the text.
_TAKES_MEANS = re.compile(
    r"(?:support|back up|illustrate|enrich|strengthen|underpin|enliven|season|substantiate|bolster"
    r"|reinforce|lighten|engage|appeal to|address) (?!.*\ban? ).+"
    r"|.+ (?:it|them|us|up|him|her|you)",
    re.IGNORECASE,
)
_AIM_OPENING = re.compile(
    r"(?:keep|follow|sound|be|stay|remain|aim|go|strike|adopt|let|have|make|give|win|set|speak|talk|address"
    r"|appeal|touch|move|tug|persuade|engage|back|support|illustrate|enrich|strengthen|underpin"
    r"|enliven|season|substantiate|bolster|reinforce|lighten|the tone|show|narrate|tell it|write it"
    r"|use the)\b(?!.*\b(?:about|how|why|who|which)\b)",
    re.IGNORECASE,
)
"""How an aim begins that is the writer's own; "refuse to be formal" is none."""
_LABEL = re.compile(r"(?:length|word count|required length|format|style): (?P<means>.+)", re.I)
_READERS = re.compile(
    rf"(?P<aim>(?:it|the (?:{GENRE})|this) is (?:meant|written|intended|for) [^;:]+?"
    r"|(?:most of |all of |some of )?(?:the|its|your) (?:audience|readers?|listeners?|readership)\b"
    r"[^;:]+?),? so (?:please )?(?P<means>.+)",
    re.IGNORECASE,
)
_ASKED_OF_READERS = re.compile(
    r"\b(?:must|should|not|no|never|only|without)\b|[\ue000-\ue0ff]", re.IGNORECASE
)
_COLON = re.compile(
    r"(?P<aim>(?:go for|aim (?:at|for)|appeal to|touch|move|stir|sound|stay|keep) [^:;]+)"
    r": (?P<means>.+)",
    re.IGNORECASE,
)
_TONE = re.compile(r"the tone (?:should|must|has to) be [a-z ]+", re.IGNORECASE)
_MANNER = re.compile(
    r"(?P<means>.+?), (?P<aim>(?:the way|just as|as is usual|as befits) .+)", re.IGNORECASE
)


def carries_demand(words: str) -> bool:
    """Whether a stretch of a sentence may ask for something, or take something back."""
    return _DEMANDING.search(words) is not None


def _aims(text: str) -> Iterator[str]:
    """The sentence without an aim or reason that only says what the rest is for.

    "Keep the tone formal, without a single contraction" is read by its means: no contraction. What
    is left aside carries no demand that could be counted.
    """
    if match := _LABEL.fullmatch(text):
        yield match["means"]
    for pattern in (_AIM, _MANNER, _READERS, _COLON):
        match = pattern.fullmatch(text)
        if match and _is_aside(match):
            link = match.groupdict().get("link") or ""
            yield f"without {match['means']}" if link == "without" else match["means"]


def _is_aside(match: re.Match[str]) -> bool:
    """Whether the aim of a sentence asks for nothing that a check could count."""
    aim = match["aim"]
    if match.re is _READERS:
        return _ASKED_OF_READERS.search(aim) is None
    if match.re is _AIM and not _AIM_OPENING.match(aim):
        return False
    if match.re is _AIM and not match["comma"] and not _TAKES_MEANS.fullmatch(aim):
        return False
    return not carries_demand(aim) or _TONE.fullmatch(aim) is not None


@lru_cache(maxsize=512)
def sentences_of(text: str) -> tuple[str, ...]:
    """The sentence as it stands, without its fillers, and without its aim or reason."""
    variants = [without_fillers(text)]
    for _ in range(2):  # an aim within an aim
        variants += [without_fillers(v) for variant in variants for v in _aims(variant)]
    return tuple(dict.fromkeys(variants))


@lru_cache(maxsize=512)
def demands(text: str) -> tuple[Demand, ...]:
    """All readings of a sentence by the frames."""
    read = (
        Demand(sense, without_fillers(match["o"]))
        for sentence in sentences_of(text)
        for pattern, sense in _PATTERNS
        if (match := pattern.fullmatch(sentence))
    )
    return tuple(dict.fromkeys(read))


class Count(NamedTuple):
    """Bounds of a counted noun: as in :class:`Quantity`, after what the frame says."""

    low: int | None
    high: int | None
    plain: bool
    noun: str


def counts(text: str) -> Iterator[Count]:
    """Every reading of a sentence as bounds of something that is counted."""
    for sense, words in demands(text):
        if sense == "wanted":
            yield from (Count(*quantity) for quantity in quantities(words))
        elif sense in ("limit", "allowed"):
            yield from (Count(*quantity.as_limit()) for quantity in quantities(words))
        elif sense == "beyond":
            yield from (Count(*q.as_limit()) for q in quantities(words) if q.plain)
        elif sense == "unwanted":
            yield from _unwanted(words)


def _unwanted(words: str) -> Iterator[Count]:
    """ "Do not use more than three" is a most, "fewer than three" a least, "any" is none."""
    bare = re.fullmatch(
        r"(?:(?:any|a single|even one|even a single|an?|all) )?(?P<noun>.+)", words, re.I
    )
    for quantity in quantities(words):
        if re.match(r"(?:more than|over|above)\b", words, re.I) and quantity.low:
            yield Count(None, quantity.low - 1, False, quantity.noun)
        elif re.match(r"(?:fewer|less) than\b", words, re.I) and quantity.high is not None:
            yield Count(quantity.high + 1, None, False, quantity.noun)
    if bare and not re.match(r"\d|more|fewer|less|at\b|exactly", words, re.I):
        yield Count(None, 0, False, bare["noun"])
