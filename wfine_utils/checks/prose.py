"""Machine checks for natural prose and Markdown.

Most count something and compare with the bounds ``low`` and ``high``, both inclusive; a missing
one does not bind, and without any, one is enough.

What a check can see is a *part* of what a requirement means: two similes are found by their
markers, a first person by its pronouns. Where that part is not enough, a requirement carries
a question for a reader instead (``Requirement.rubric``).
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from typing import Any

from wfine_utils.checks.markdown import parse
from wfine_utils.checks.sentences import split_sentences
from wfine_utils.checks.words import mentioned, word_count, words

Bound = int | None  # inclusive; None does not bind

_FIRST_PERSON = frozenset(
    "i me my mine myself we us our ours ourselves i'm i've i'd i'll we're we've we'd we'll".split()
)
_SECOND_PERSON = frozenset("you your yours yourself yourselves you're you've you'd you'll".split())

_CONTRACTION = re.compile(
    r"\b(?:\w+n['’]t|(?:i|you|he|she|it|we|they|that|there|here|what|who|let|where|how)"
    r"['’](?:m|s|re|ve|d|ll))\b",
    re.IGNORECASE,
)

_CLOSING = re.compile(
    r"^(?:(?:yours|sincerely|faithfully|kind|best|warm|with|love|regards|respectfully|cordially"
    r"|warmly|gratefully|affectionately)\b[^.!?]*),?$",
    re.IGNORECASE,
)

_AUTHOR_YEAR = re.compile(
    r"\([A-Z][^()\n]{1,60}?,? (?:1[6-9]|20)\d\d[a-z]?(?:[,;][^()\n]{1,60})?\)"
    r"|\b[A-Z][\w'’-]{1,40}(?: (?:and|&) [A-Z][\w'’-]{1,40}| et al\.)? \((?:1[6-9]|20)\d\d[a-z]?\)"
)


def _within(value: float, low: float | None, high: float | None) -> bool:
    return (low is None or value >= low) and (high is None or value <= high)


def counted(count: Callable[..., float]) -> Callable[..., bool]:
    """The check that a count ``(text, **arguments) -> number`` lies within bounds.

    Returns:
        ``(text, **arguments, low=None, high=None) -> bool``, with the count as its attribute
        ``measure``, so that a report can say how far off a text is.
    """

    @wraps(count)
    def check(
        text: str, *args: Any, low: float | None = None, high: float | None = None, **kwargs: Any
    ) -> bool:
        return _within(count(text, *args, **kwargs), 1 if low is high is None else low, high)

    kind = inspect.Parameter.KEYWORD_ONLY
    bounds = [inspect.Parameter(name, kind, default=None) for name in ("low", "high")]
    own = inspect.signature(count)
    own = own.replace(parameters=[*own.parameters.values(), *bounds])
    check.__signature__ = own  # type: ignore[attr-defined]
    check.measure = count  # type: ignore[attr-defined]
    return check


def _sentences(text: str) -> list[str]:
    """The sentences of all blocks; a line, an item or a cell without end mark is a sentence."""
    lines: list[str] = []
    for block in parse(text).blocks:
        first = len(lines)
        for line in block.split("\n"):
            # A line that goes on in lower case is a break in the source, not an end.
            if len(lines) > first and line[:1].islower() and lines[-1][-1:] not in ".!?":
                lines[-1] += f" {line}"
            else:
                lines.append(line)
    return [s for line in lines for s in split_sentences(line) if words(s)]


@counted
def sentences(text: str) -> int:
    """So many sentences, by :func:`wfine_utils.checks.sentences.split_sentences`."""
    return len(_sentences(text))


def sentence_words(text: str, low: Bound = None, high: Bound = None) -> bool:
    """Every sentence has so many words; there is one at least."""
    lengths = [word_count(sentence) for sentence in _sentences(text)]
    return bool(lengths) and all(_within(length, low, high) for length in lengths)


def paragraphs(
    text: str,
    low: Bound = None,
    high: Bound = None,
    words_low: Bound = None,
    words_high: Bound = None,
) -> bool:
    """So many paragraphs of running text, each of so many words."""
    lengths = [word_count(paragraph) for paragraph in parse(text).paragraphs]
    each_fits = all(_within(length, words_low, words_high) for length in lengths)
    return each_fits and _within(len(lengths), low, high)


@counted
def proportion(text: str, part: str | Mapping[str, str]) -> float:
    """A part's share of all words of running text, headings left out.

    The part is "first paragraph", "last paragraph" or ``{"section": heading}``; NaN, which no
    bound lets pass, if it is not there.
    """
    document = parse(text)
    if isinstance(part, Mapping):
        chosen = document.sections.get(part.get("section", ""), [])
    else:
        place = {"first paragraph": slice(1), "last paragraph": slice(-1, None)}.get(part, slice(0))
        chosen = document.paragraphs[place]
    in_part = sum(map(word_count, chosen))
    return in_part / sum(map(word_count, document.blocks)) if in_part else float("nan")


@counted
def char_count(text: str, spaces: bool = True) -> int:
    """So many characters, white space at the ends left out, or all of it (``spaces=False``)."""
    return len(text.strip() if spaces else "".join(text.split()))


@counted
def list_items(text: str, marker: str = "any") -> int:
    """So many list items; marker: "bullet", "numbered" or "any"."""
    return sum(marker in ("any", kind) for kind, _ in parse(text).items)


def table(
    text: str, columns: Bound = None, rows_low: Bound = None, rows_high: Bound = None
) -> bool:
    """A table with so many columns, and rows below its header."""
    sizes = [(len(rows) - 1, len(rows[0])) for rows in parse(text).tables if rows]
    return any(columns in (None, n) and _within(k, rows_low, rows_high) for k, n in sizes)


@counted
def headings(text: str, level: int | None = None, texts: Sequence[str] = ()) -> int:
    """So many headings (of a level); none if ``texts`` are not among them in this order."""
    titles = [title for depth, title in parse(text).headings if level in (None, depth)]
    names = iter(title.strip(" :").lower() for title in titles)
    return len(titles) if all(t.lower() in names for t in texts) else 0


def bold_terms(text: str, terms: Sequence[str]) -> bool:
    """Each term stands in bold, alone or within a longer phrase."""
    phrases = parse(text).bold
    return all(any(mentioned(phrase, term) for phrase in phrases) for term in terms)


@counted
def bold_count(text: str) -> int:
    """So many phrases in bold."""
    return len(parse(text).bold)


@counted
def line_starts(text: str, prefix: str) -> int:
    """So many lines that begin with ``prefix``, marks of lists, quotes and bold left aside."""
    lines = [re.sub(r"^(?:[-*+>#\s]|\d{1,3}[.)]\s)+", "", line) for line in text.split("\n")]
    return sum(line.startswith(prefix) for line in lines)


def letter_layout(text: str) -> bool:
    """A greeting first, and near the end a closing line with a name below it."""
    lines = [line.strip() for line in text.split("\n") if line.strip()]
    if len(lines) < 4 or not re.match(r"(?:Dear|Hello|Hi|To) \S[^.!?]{0,80}[,:]$", lines[0]):
        return False
    closing = [i for i, line in enumerate(lines) if _CLOSING.match(line) and len(line) < 60]
    return bool(closing) and len(lines) - 4 <= closing[-1] < len(lines) - 1


def record(text: str, fields: Sequence[str]) -> bool:
    """A line ``Field: value`` for each field, in this order."""
    lines = iter(re.sub(r"[*_#]|^[-+>\s]+", "", line).strip().lower() for line in text.split("\n"))
    return all(any(line.startswith(f"{f.lower()}:") for line in lines) for f in fields)


@counted
def citations(text: str, style: str = "author-year") -> int:
    """So many citations: "author-year" as in (Ames, 2019) and Ames (2019), or "numeric" [3]."""
    pattern = _AUTHOR_YEAR if style == "author-year" else re.compile(r"\[\d{1,3}(?:[,–-] ?\d+)*\]")
    return len(pattern.findall(text))


@counted
def dialogue_turns(text: str) -> int:
    """So many lines ``NAME: speech``."""
    turn = r"^[ \t]*\**[A-Z][\w .'’-]{0,30}\**:\**[ \t]+\S"
    return len(re.findall(turn, text, re.MULTILINE))


@counted
def block_quotes(text: str) -> int:
    """So many block quotes."""
    return parse(text).n_block_quotes


def _ending_with(text: str, mark: str) -> int:
    return sum(s.rstrip("\"'”’)*_ ").endswith(mark) for s in _sentences(text))


@counted
def question_count(text: str) -> int:
    """So many sentences that end with a question mark."""
    return _ending_with(text, "?")


@counted
def exclamation_sentences(text: str) -> int:
    """So many sentences that end with an exclamation mark."""
    return _ending_with(text, "!")


@counted
def similes(text: str) -> int:
    """So many similes by their markers: like a, as … as, as if, as though."""
    simile = r"\blike (?:an?|the)\b|\bas (?!if|though)\w+ as\b|\bas (?:if|though)\b"
    return len(re.findall(simile, text, re.IGNORECASE))


def _n_among(text: str, pronouns: frozenset[str]) -> int:
    return sum(word.lower().replace("’", "'") in pronouns for word in words(text))


@counted
def first_person(text: str) -> int:
    """So many words of the first person."""
    return _n_among(text, _FIRST_PERSON)


@counted
def second_person(text: str) -> int:
    """So many words of the second person."""
    return _n_among(text, _SECOND_PERSON)


@counted
def anaphora(text: str, start: str) -> int:
    """So many sentences that begin with the same words."""
    openings = (s.lstrip("\"'“‘(*_ ").lower() for s in _sentences(text))
    return sum(opening.startswith(start.lower()) for opening in openings)


@counted
def contractions(text: str) -> int:
    """So many contractions, such as don't and it's; a possessive is none."""
    return len(_CONTRACTION.findall(text))


@counted
def mentions_some(text: str, terms: Sequence[str]) -> int:
    """So many of the terms occur as whole words or phrases, ignoring case."""
    return sum(mentioned(text, term) for term in terms)


def forbids(text: str, terms: Sequence[str]) -> bool:
    """None of the terms occurs."""
    return not any(mentioned(text, term) for term in terms)


@counted
def numbers(text: str) -> int:
    """So many numbers in digits, list numbering left aside."""
    unnumbered = re.sub(r"^[ \t]*\d{1,3}[.)]\s", "", text, flags=re.MULTILINE)
    return len(re.findall(r"(?<![\w.])\d+(?:[.,]\d+)*(?!\w)", unnumbered))


@counted
def percentages(text: str) -> int:
    """So many percentages."""
    return len(re.findall(r"(?<![\d.,])\d[\d.,]*+\s?(?:%|per ?cent\b)", text, re.IGNORECASE))


def years_in_order(text: str, low: int = 3) -> bool:
    """At least so many different years, first mentioned in rising order."""
    years = list(dict.fromkeys(map(int, re.findall(r"(?<!\d)(?:1\d|20)\d\d(?!\d)", text))))
    return len(years) >= low and years == sorted(years)


@counted
def quotations(text: str) -> int:
    """So many passages of two words or more in double quotation marks."""
    return sum(word_count(q) >= 2 for q in re.findall(r"[\"“]([^\"“”\n]+)[\"”]", text))


PROSE_CHECKS: dict[str, Callable[..., bool]] = {
    function.__name__: function
    for function in (
        sentences, sentence_words, paragraphs, proportion, char_count,  # length
        list_items, table, headings, bold_terms, bold_count, line_starts, letter_layout, record,
        citations, dialogue_turns, block_quotes,  # format
        question_count, exclamation_sentences, similes, first_person, second_person, anaphora,
        contractions,  # style
        mentions_some, forbids, numbers, percentages, years_in_order, quotations,  # content
    )
}  # fmt: skip
"""Every kind of check in this module, by name."""
