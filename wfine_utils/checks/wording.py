"""A requirement as the compiler reads it: one form of marks, quoted terms aside, fillers gone.

A quoted term becomes one character of :data:`TERM`, so that nothing in it is read as a demand, and
a pattern can say "a term stands here".
"""

from __future__ import annotations

import re
from typing import NamedTuple

from wfine_utils.checks.words import normalised

MAX_CHARACTERS = 600
"""A requirement longer than this is a text of several, and none that a rule could be sure of."""

_FIRST_TERM = 0xE000
TERM = "[\ue000-\ue0ff]"
"""A pattern of one quoted term."""
TERMS = rf"{TERM}(?:(?:,| and| or|, and|, or|, then| then| to|;|, but also) {TERM})*"
"""A pattern of quoted terms in a row: ``"oak", "ash" and "elm"``."""

_CLOSING = {'"': '"', "“": "”", "„": "“”", "«": "»", "‘": "’", "`": "`", "'": "'"}

GENRE = (
    "text|reply|response|answer|essay|story|letter|poem|e-?mail|article|piece|post|blog post|speech"
    "|output|summary|report|document|tale|passage|review|note|notice|memo|message|entry|script"
    "|scene|narrative|paper|proposal|guide|plan|column|caption|announcement|description|thing"
    "|whole|work|content|writing|composition|copy|draft|review|statement|leaflet|brochure|account"
    "|chapter|dialogue|monologue|song|lyrics|rap|novel|manual|outline|advertisement|ad|resume"
    "|submission|contribution|presentation|analysis|commentary|explanation|obituary|diary entry"
    "|minutes|talk|lecture|feature|profile|diary|log|bulletin|programme note|label|recipe|abstract"
    "|editorial|sketch|toast|tribute|case study|handout|circular|flyer|poster|blurb|portrait|appeal"
    "|press release|product description|tutorial|newsletter|website|tweet|sermon|eulogy|fable"
)
SUBJECT = (
    rf"(?:it|(?:the|your|this|its|an?|my|our) (?:whole |entire |full |complete |final |finished )?"
    rf"(?:{GENRE})(?: as a whole| itself)?|everything|all of it|the whole of it)"
)
"""A pattern of what a requirement is about: the text as a whole."""

MODAL = (
    "(?:should|must|has to|have to|needs to|need to|ought to|shall|is to|are to|will|"
    "is required to|are required to|is supposed to|will have to|is expected to)"
)

_LEADS = re.compile(
    rf"""(?:please[,]?|kindly|also[,]?|and|then|finally,|in\ addition,|additionally,|moreover,
    |(?:please\ )?(?:make\ (?:sure|certain)|ensure|see\ to\ it|check|be\ careful|take\ care
        |be\ sure|remember|do\ not\ forget|don't\ forget|it\ is\ (?:important|essential|required))
        (?:\ that|\ to(?=\ (?!{SUBJECT})))?
    |(?:could|can|would|will)\ you(?:\ please)?
    |you\ {MODAL}|(?:i|we)\ (?:want|need|would\ like|'d\ like)\ you\ to
    |for\ (?:rhythm|emphasis|effect|clarity|brevity|variety|this),
    |(?:in|for|within|across|throughout)\ (?:your|the|this)\ (?:whole\ |entire\ |full\ )?
        (?:{GENRE}),
    |(?:overall|in\ total|all\ in\ all|altogether),
    )\ """,
    re.IGNORECASE | re.VERBOSE,
)

_TAILS = re.compile(
    rf"""(?:,?\ (?:in\ total|in\ all|overall|altogether|all\ told|please|anywhere|at\ all|whatsoever
    |throughout|at\ any\ point|in\ length|long|all\ in\ all
    |from\ (?:start|beginning)\ to\ (?:finish|end)
    |somewhere|in\ it|for\ (?:emphasis|rhythm|effect|clarity|brevity|variety)
    |(?:anywhere\ |somewhere\ )?(?:in|within|throughout|across|of|for)\ (?:all\ of\ )?
        (?:(?:your|the|this|its|my)\ (?:whole\ |entire\ |full\ |complete\ |final\ )?(?:{GENRE})
        |all\ of\ it|it)))$""",
    re.IGNORECASE | re.VERBOSE,
)


class Wording(NamedTuple):
    """A requirement taken apart.

    Args:
        text: one sentence without its end mark, small letters kept as written, terms aside.
        terms: what stood in quotation marks, in order; character ``i`` of :data:`TERM` is term i.
    """

    text: str
    terms: tuple[str, ...]

    def names(self, listed: str) -> list[str]:
        """The quoted terms in a stretch of the text, in order."""
        return [self.terms[ord(c) - _FIRST_TERM] for c in re.findall(TERM, listed)]


def _closing_place(text: str, start: int) -> int:
    """Where the quotation that opens at `start` closes; -1 if it does not."""
    marks, single = _CLOSING[text[start]], text[start] in "'‘"
    for i in range(start + 1, len(text)):
        if text[i] not in marks:
            continue
        after = text[i + 1 : i + 2]
        if not single or not (after.isalnum() or (after in "-_" and after)):
            return i
    return -1


def read_wording(text: str) -> Wording | None:
    """The text of a requirement with its quoted terms aside; None if its marks do not close."""
    if re.search("[\ue000-\uf8ff]", text) or len(text) > MAX_CHARACTERS:
        return None
    out: list[str] = []
    terms: list[str] = []
    place = 0
    while place < len(text):
        mark = text[place]
        opens = mark in _CLOSING and not (
            mark in "'‘" and place and (text[place - 1].isalnum() or text[place - 1] in ".,")
        )
        if not opens:
            out.append(mark)
            place += 1
            continue
        end = _closing_place(text, place)
        if end < 0 and mark in "'‘":  # an apostrophe: the readers' letters, 'tis
            out.append(mark)
            place += 1
            continue
        inner = text[place + 1 : end]
        if end < 0 or not inner.strip() or len(terms) > 200:
            return None
        inner, mark_after = _american(inner, text[end + 1 :])
        out.append(chr(_FIRST_TERM + len(terms)) + mark_after)
        terms.append(inner)
        place = end + 1
    return Wording(_one_form("".join(out)), tuple(terms))


def _american(inner: str, after: str) -> tuple[str, str]:
    """A comma or stop of the sentence that stands within the quotation, moved out of it."""
    if re.search(r"\w,$", inner) and re.match(r"\s", after):
        return inner[:-1], ","
    if re.search(r"\w[.!?]$", inner) and inner[-1] == "." and not after.strip():
        return inner[:-1], "."
    return inner, ""


def _one_form(text: str) -> str:
    """Single blanks, plain dashes, no end mark, no marks of Markdown around the whole."""
    text = " ".join(normalised(text).split())
    text = re.sub(r"^(?:[-*•]|\(?\d{1,2}[.)]) +", "", text)
    text = re.sub(r"(?<=\d) ?[–—−-] ?(?=\d)", "-", text)
    text = re.sub(r" ?— ?| [–-] ", ", ", text)
    text = re.sub(rf"({TERM}),(?={TERM})", r"\1, ", text)
    question = text.endswith("?")
    return text.rstrip(" .!;?") + ("?" if question else "")


def without_fillers(text: str) -> str:
    """A sentence without what asks for nothing: "please", "make sure that", "in total"."""
    while match := _LEADS.match(text):
        text = text[match.end() :]
    text = text.removesuffix("?")
    while match := _TAILS.search(text):
        text = text[: match.start()]
    return text
