"""Machine checks for natural prose and Markdown.

Most count something and compare with the bounds ``low`` and ``high``, both inclusive; a missing
one does not bind, and without any, one is enough.

What a check can see is a *part* of what a requirement means: two similes are found by their
markers, a first person by its pronouns. Where that part is not enough, a requirement carries
a question for a reader instead (``Requirement.rubric``).

Words and marks are looked for in the text as a reader sees it, without the marks of Markdown and
HTML (:func:`wfine_utils.checks.markdown.seen_text`); letters may be of any script, but pronouns,
contractions, similes, greetings and closings are those of English.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from itertools import takewhile
from typing import Any

from wfine_utils.checks import english
from wfine_utils.checks.markdown import parse, seen_text
from wfine_utils.checks.sentences import split_sentences
from wfine_utils.checks.words import (
    begins_with,
    folded,
    joined,
    mentioned,
    normalised,
    word_count,
    words,
)

Bound = int | None  # inclusive; None does not bind


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

    The part is "first paragraph", "last paragraph" or ``{"section": heading}``, with the sections
    below it, under the first heading of that name; NaN, which no bound lets pass, if it is not
    there.
    """
    document = parse(text)
    if isinstance(part, Mapping):
        wanted = _title(part.get("section", ""))
        named = (own for title, own in document.sections.items() if _title(title) == wanted)
        chosen = next(named, [])
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


def _title(heading: str) -> str:
    """A heading without its number and the marks at its ends: "2.1 Method:" is "method"."""
    number = r"^\W*(?:\d+(?:\.\d+)*\ ?[.):–—-]|\d+(?:\.\d+)+|(?<=§)\d+|(?:[ivx]+|[a-z])[.)])\s"
    unnumbered = re.sub(number, "", folded(heading).strip())
    return re.sub(r"^[\W_]+|[\W_]+$", "", unnumbered)


@counted
def headings(text: str, level: int | None = None, texts: Sequence[str] = ()) -> int:
    """So many headings (of a level); none if ``texts`` are not among them in this order."""
    titles = [title for depth, title in parse(text).headings if level in (None, depth)]
    names = map(_title, titles)
    return len(titles) if all(_title(t) in names for t in texts) else 0


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
    """So many lines that begin with ``prefix``, which ends with a word or before a number.

    A row of a table is one line.
    """
    seen = seen_text(prefix).strip()  # nothing of a mark such as "- ", which stands in the source
    start = seen or normalised(prefix).lstrip()
    end = len(start)
    lines = (line.lstrip() for line in (seen_text if seen else normalised)(text).split("\n"))
    starting = (line for line in lines if line.startswith(start))
    return sum(line[end : end + 1].isdigit() or not joined(line, end) for line in starting)


def letter_layout(text: str) -> bool:
    """A greeting first, and near the end a closing line with a name below it."""
    lines = [line.strip() for line in seen_text(text).split("\n") if line.strip()]
    if len(lines) < 4 or not english.GREETING.fullmatch(lines[0]):
        return False
    if len(split_sentences(lines[0])) > 1:  # the stop of Mr. ends none
        return False
    return any(len(line) < 60 and english.CLOSING.fullmatch(line) for line in lines[-7:-1])


def record(text: str, fields: Sequence[str]) -> bool:
    """A line ``Field: value`` for each field, in this order."""
    lines = iter(folded(seen_text(text)).split("\n"))
    names = (folded(seen_text(field)).strip(" :") for field in fields)
    starts = (re.compile(rf"[ \"']*{re.escape(name)}[\"']* ?:") for name in names)
    return all(any(start.match(line) for line in lines) for start in starts)


@counted
def citations(text: str, style: str = "author-year") -> int:
    """So many citations: "author-year" as in (Ames, 2019) and Ames (2019), or "numeric" [3]."""
    if style == "author-year":
        return len(english.AUTHOR_YEAR.findall(seen_text(text)))
    # As written: where [3]: defines a link, a reader would see no brackets.
    return len(re.findall(r"\\?\[\d{1,3}(?:[,–-] ?\d+)*\\?\]", normalised(text)))


@counted
def dialogue_turns(text: str) -> int:
    """So many lines ``NAME: speech`` or ``NAME (aside): speech``; items of a list are none."""
    unmarked = re.sub(r"</?\w+>|[*_]+(?=\S)|(?<=\S)[*_]+", "", text)
    return len(english.SPEECH.findall(normalised(unmarked.replace("：", ": "))))


@counted
def block_quotes(text: str) -> int:
    """So many block quotes."""
    return parse(text).n_block_quotes


def _ending_with(text: str, mark: str) -> int:
    """So many sentences with the mark among their last ones; closing quotes may follow."""
    return sum(mark in _last_marks(sentence) for sentence in _sentences(text))


def _last_marks(sentence: str) -> str:
    """The last run of end marks, such as ``?!``, with no word after it."""
    bare = re.sub(r"(?:\[\^?\d{1,3}\]|\^\d+)+$", "", normalised(sentence))
    tail = "".join(takewhile(lambda character: not character.isalnum(), reversed(bare)))
    return next(iter(re.findall(r"[.!?…]+", tail)), "")


@counted
def question_count(text: str) -> int:
    """So many sentences that end with a question mark; "What?!" does."""
    return _ending_with(text, "?")


@counted
def exclamation_sentences(text: str) -> int:
    """So many sentences that end with an exclamation mark; "What?!" does."""
    return _ending_with(text, "!")


@counted
def similes(text: str) -> int:
    """So many similes by their markers: like a, as … as, as if, as though.

    What is wished for ("would like a"), conjunctions ("as soon as") and plain comparisons ("as
    old as I am", "as low as 5") are left out. Not told apart: "towns like the one we left" and
    "looks like a cold" count, "hair like straw" and "the sun is a coin" do not.
    """
    return sum(not match["wish"] for match in english.SIMILE.finditer(seen_text(text)))


def _n_among(text: str, pronouns: frozenset[str]) -> int:
    spoken = (word.lower() for word in words(english.NO_PRONOUN.sub(" ", seen_text(text))))
    short = tuple(f"{pronoun}'" for pronoun in pronouns)  # I'd've, y'all're
    return sum(word in pronouns or word.startswith(short) for word in spoken)


@counted
def first_person(text: str) -> int:
    """So many words of the first person; "the US", "i.e." and "World War I" hold none.

    Not told apart: "Elizabeth I", and "ME" for Maine.
    """
    return _n_among(text, english.FIRST_PERSON)


@counted
def second_person(text: str) -> int:
    """So many words of the second person."""
    return _n_among(text, english.SECOND_PERSON)


@counted
def anaphora(text: str, start: str) -> int:
    """So many sentences that begin with the same words."""
    opening = r"^[\W_]*" if re.match(r"\w", start.strip()) else ""
    return sum(begins_with(re.sub(opening, "", s), start) for s in _sentences(text))


@counted
def contractions(text: str) -> int:
    """So many contractions, such as don't, should've and it's; a possessive is none."""
    return len(english.CONTRACTION.findall(seen_text(text)))


@counted
def mentions_some(text: str, terms: Sequence[str]) -> int:
    """So many of the terms occur as whole words or phrases, ignoring case."""
    return sum(mentioned(seen_text(text), term) for term in terms)


def forbids(text: str, terms: Sequence[str]) -> bool:
    """None of the terms occurs."""
    return not any(mentioned(seen_text(text), term) for term in terms)


@counted
def numbers(text: str) -> int:
    """So many numbers in digits, list numbering left aside."""
    unnumbered = re.sub(r"^ ?\d{1,3}[.)]\s", "", seen_text(text), flags=re.MULTILINE)
    return len(re.findall(r"(?<![\w.])\d+(?:[.,⁄]\d+)*(?!\w)", unnumbered))


@counted
def percentages(text: str) -> int:
    """So many percentages."""
    percentage = r"(?<![\d.,⁄])\d[\d.,⁄]*+\s?(?:%|per ?cent\b)"
    return len(re.findall(percentage, seen_text(text), re.IGNORECASE))


def years_in_order(text: str, low: int = 3) -> bool:
    """At least so many different years, first mentioned in rising order; 44 BC is before 1066.

    Years are numbers from 1000 to 2099, or from 1 with AD, CE or BC, which count nothing: neither
    "1200 people" nor "2000 km" nor "room 1408". Not told apart: "1200 small homes".
    """
    possible = english.NO_YEAR.sub(" ", seen_text(text))
    dates = (m["ad"] or f"-{m['bc']}" for m in english.YEAR.finditer(possible))
    years = list(dict.fromkeys(map(int, dates)))
    return len(years) >= low and years == sorted(years)


@counted
def quotations(text: str) -> int:
    """So many passages of two words or more in double quotation marks."""
    return sum(
        word_count("".join(quote)) >= 2 for quote in english.QUOTATION.findall(seen_text(text))
    )


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
