"""Requirements for a writing task, drawn at random: near what a short text would meet by itself.

A text of some 60 words can meet any of them, and seldom meets them unasked. What is drawn is a
check; :func:`wfine_utils.checks.phrases.phrase` says it in words.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from wfine_utils.chains.taxonomy import Query, Requirement, RequirementType, TaskCategory
from wfine_utils.checks.amounts import pick
from wfine_utils.checks.phrases import phrase
from wfine_utils.checks.twins import Check, own_twin
from wfine_utils.checks.words import words
from wfine_utils.seeds import rng_for

_Rng = np.random.Generator

MOST_REQUIREMENTS = 4

_LENGTH, _FORMAT, _STYLE, _CONTENT = RequirementType
_PERSONAL = (TaskCategory.CREATIVE, TaskCategory.DISCUSSION)

USUAL_WORDS: dict[TaskCategory, tuple[str, ...]] = {
    TaskCategory.CREATIVE: (
        "morning", "window", "silence", "hands", "river", "smile", "dust", "secret", "winter",
        "door", "letter", "garden", "shadow", "promise",
    ),
    TaskCategory.FRAMEWORKS: (
        "budget", "deadline", "feedback", "team", "goal", "risk", "review", "weekly", "checklist",
        "training", "resources", "priority", "volunteers", "schedule",
    ),
    TaskCategory.ACADEMIC: (
        "evidence", "method", "limits", "theory", "sample", "causes", "debate", "history",
        "measure", "question", "sources", "model", "pattern", "context",
    ),
    TaskCategory.DISCUSSION: (
        "fair", "neighbours", "cost", "trust", "children", "future", "respect", "money", "choice",
        "freedom", "tradition", "honest", "community", "example",
    ),
    TaskCategory.PRACTICAL: (
        "safety", "price", "minutes", "water", "tools", "first", "check", "clean", "advice", "help",
        "mistakes", "storage", "questions", "free",
    ),
}  # fmt: skip
"""Words that fit most tasks of a category, and that not every text about it has."""

OVERUSED = (
    "very", "also", "many", "important", "because", "just", "can", "world", "heart", "new", "life",
    "ensure", "make", "will", "people", "time", "journey", "more",
)  # fmt: skip
"""Words that a model often writes unasked, so that leaving them out takes care."""

_NO_TERM = frozenset(
    "about after against among between their there these those where which while whose with "
    "would first being under between without through during itself themselves".split()
)


@dataclass(frozen=True)
class Task:
    """A writing task before any requirement is put to it.

    Args:
        query_id: unique; decides, with the seed, what is drawn.
        topic: what the text is about; unique among all tasks.
        category: task category.
        task: the instruction, with audience and subject and nothing a machine could check.
        audience, subject: the two by themselves.
    """

    query_id: str
    topic: str
    category: TaskCategory
    task: str
    audience: str
    subject: str


@dataclass(frozen=True)
class Kind:
    """A kind of requirement that can be drawn for a task.

    Args:
        type, subtype: by the taxonomy.
        draw: a check for a task.
        weight: how often, relative to the others of its type.
        categories: that it suits; empty: all.
    """

    type: RequirementType
    subtype: str
    draw: Callable[[Task, _Rng], Check]
    weight: float = 1.0
    categories: tuple[TaskCategory, ...] = ()


def _counts(kind: str, *bounds: tuple[int | None, int | None], **arguments: Any) -> Any:
    """Draws one of these (low, high) for a kind that counts."""

    def draw(task: Task, rng: _Rng) -> Check:
        low, high = pick(rng, bounds)
        return {"kind": kind, **arguments, "low": low, "high": high}

    return draw


def _word_range(task: Task, rng: _Rng) -> Check:
    middle, reach = int(rng.integers(6, 16)) * 5, int(rng.integers(1, 4)) * 5
    return {"kind": "word_count", "low": middle - reach, "high": min(middle + reach, 90)}


def _words_at_most(task: Task, rng: _Rng) -> Check:
    return {"kind": "word_count", "low": None, "high": int(rng.integers(5, 17)) * 5}


def _characters(task: Task, rng: _Rng) -> Check:
    return {"kind": "char_count", "low": None, "high": int(rng.integers(4, 10)) * 50}


def _sentence_words(task: Task, rng: _Rng) -> Check:
    return {"kind": "sentence_words", "low": None, "high": int(rng.integers(10, 21))}


def _items(task: Task, rng: _Rng) -> Check:
    n, marker = int(rng.integers(2, 7)), pick(rng, ("bullet", "numbered"))
    return {"kind": "list_items", "marker": marker, "low": n, "high": pick(rng, (n, n, None))}


def _prefix(task: Task, rng: _Rng) -> Check:
    prefix = pick(rng, ("Note:", "In short:", "Next:", "Remember:", "Question:", "P.S."))
    return {"kind": "line_starts", "prefix": prefix, "low": 1, "high": 1}


def _subject_terms(task: Task) -> list[str]:
    """Words of the subject that a text about it would have to name."""
    own = (word.lower() for word in words(task.subject))
    fit = [
        word for word in own
        if len(word) >= 5 and word.isalpha() and word not in _NO_TERM and not word.endswith("ly")
    ]  # fmt: skip
    return list(dict.fromkeys(fit)) or [task.topic.split()[-1]]


def _some(rng: _Rng, values: Sequence[str], n: int) -> list[str]:
    return [values[int(i)] for i in rng.permutation(len(values))[:n]]


def _bold(task: Task, rng: _Rng) -> Check:
    return {"kind": "bold_terms", "terms": [pick(rng, _subject_terms(task))]}


def _mentions(task: Task, rng: _Rng) -> Check:
    usual = _some(rng, USUAL_WORDS[task.category], int(rng.integers(1, 4)))
    return {"kind": "mentions", "terms": usual}


def _mentions_some(task: Task, rng: _Rng) -> Check:
    usual = _some(rng, USUAL_WORDS[task.category], int(rng.integers(3, 5)))
    return {"kind": "mentions_some", "terms": usual, "low": 2, "high": None}


def _forbids(task: Task, rng: _Rng) -> Check:
    return {"kind": "forbids", "terms": _some(rng, OVERUSED, int(rng.integers(1, 4)))}


def _in_order(task: Task, rng: _Rng) -> Check:
    terms = pick(rng, (["first", "then", "finally"], ["before", "after"], ["once", "now"],
                          ["begin", "end"], ["yesterday", "today"]))  # fmt: skip
    return {"kind": "in_order", "terms": terms}


def _anaphora(task: Task, rng: _Rng) -> Check:
    start = pick(rng, ("We", "Every", "There is", "Perhaps", "Imagine", "No one"))
    return {"kind": "anaphora", "start": start, "low": 2, "high": pick(rng, (2, None))}


KINDS: dict[str, Kind] = {
    "word range": Kind(_LENGTH, "word limit or range", _word_range, 3),
    "word limit": Kind(_LENGTH, "word limit or range", _words_at_most, 2),
    "sentences": Kind(_LENGTH, "exact sentence count",
                      _counts("sentences", *((n, n) for n in range(2, 7)), (2, 4), (3, 5)), 3),
    "paragraphs": Kind(_LENGTH, "paragraph count and length",
                       _counts("paragraphs", (1, 1), (2, 2), (3, 3)), 2),
    "sentence words": Kind(_LENGTH, "sentence-length limit", _sentence_words, 2),
    "characters": Kind(_LENGTH, "character limit", _characters),
    "list": Kind(_FORMAT, "customised structure", _items, 3),
    "headings": Kind(_FORMAT, "customised structure",
                     _counts("headings", (1, 1), (2, 2), (1, None)), 2),
    "line": Kind(_FORMAT, "customised structure", _prefix, 2),
    "bold phrases": Kind(_FORMAT, "emphasis rules",
                         _counts("bold_count", (1, 1), (2, 2), (3, 3), (1, None), (2, None)), 2),
    "bold word": Kind(_FORMAT, "emphasis rules", _bold),
    "questions": Kind(_STYLE, "rhetorical devices",
                      _counts("question_count", (1, 1), (1, None), (2, 2), (2, None)), 2),
    "exclamations": Kind(_STYLE, "emotional appeal",
                         _counts("exclamation_sentences", (1, 1), (2, 2), (1, None), (2, None)), 2),
    "similes": Kind(_STYLE, "rhetorical devices", _counts("similes", (1, None), (2, None)), 2,
                    _PERSONAL),
    "anaphora": Kind(_STYLE, "rhetorical devices", _anaphora),
    "first person": Kind(_STYLE, "identity or voice",
                         _counts("first_person", (1, None), (2, None), (3, None)), 2, _PERSONAL),
    "second person": Kind(_STYLE, "identity or voice",
                          _counts("second_person", (1, None), (2, None), (None, 0))),
    "contractions": Kind(_STYLE, "tone", _counts("contractions", (None, 0), (1, None), (2, None))),
    "mentions": Kind(_CONTENT, "required entities", _mentions, 3),
    "some words": Kind(_CONTENT, "required entities", _mentions_some),
    "forbidden words": Kind(_CONTENT, "thematic coverage", _forbids, 3),
    "figures": Kind(_CONTENT, "required data or statistics",
                    _counts("numbers", (1, None), (2, None), (2, 2), (None, 0))),
    "percentages": Kind(_CONTENT, "required data or statistics",
                        _counts("percentages", (1, None), (2, None)), 1,
                        (TaskCategory.ACADEMIC, TaskCategory.FRAMEWORKS)),
    "order": Kind(_CONTENT, "chronological order", _in_order),
}  # fmt: skip
"""What can be drawn, by names of our own."""

_APART = (
    {"word_count", "char_count"},  # one says the other
    {"list_items", "sentences"},  # an item counts as a sentence
    {"list_items", "sentence_words"},
    {"list_items", "paragraphs"},
    {"headings", "sentences"},
    {"headings", "sentence_words"},
    {"line_starts", "sentences"},
    {"line_starts", "paragraphs"},
    {"numbers", "percentages"},
    {"mentions", "mentions_some"},
)
_WORDS_OF_A_SENTENCE = (6, 22)  # what is neither clipped nor winding


def fits_together(checks: Sequence[Check]) -> bool:
    """Whether a short text can meet all of these checks, and none of them says another again."""
    kinds = [check["kind"] for check in checks]
    if len(set(kinds)) < len(kinds) or any(pair <= set(kinds) for pair in _APART):
        return False
    by_kind = dict(zip(kinds, checks, strict=True))
    forbidden = {term.lower() for term in by_kind.get("forbids", {}).get("terms", ())}
    wanted = [text for c in checks if c["kind"] != "forbids" for text in _texts(c)]
    if any(word.lower() in forbidden for text in wanted for word in words(text)):
        return False
    least, most = _sentence_bounds(by_kind)
    low, high = _word_bounds(by_kind)
    short, long = _WORDS_OF_A_SENTENCE
    long = min(long, by_kind.get("sentence_words", {}).get("high", long))
    return least <= most and short * least <= high and low <= long * most


def _texts(check: Check) -> list[str]:
    """The words that a check wants in the text."""
    own = [check[name] for name in ("prefix", "start") if name in check]
    return own + [term for term in check.get("terms", ()) if check["kind"] != "forbids"]


def _sentence_bounds(by_kind: dict[str, Check]) -> tuple[int, float]:
    """Fewest and most sentences of a text."""

    def low(kind: str, name: str = "low") -> int:
        return by_kind.get(kind, {}).get(name) or 0

    marked = low("question_count") + low("exclamation_sentences")
    of_parts = max(low("paragraphs"), low("list_items") + low("headings"), low("anaphora"))
    least = max(1, low("sentences"), marked, of_parts)
    return least, low("sentences", "high") or float("inf")


def _word_bounds(by_kind: dict[str, Check]) -> tuple[int, float]:
    """Fewest and most words of a text."""
    count = by_kind.get("word_count", {})
    most = count.get("high") or by_kind.get("char_count", {}).get("high", float("inf")) / 6
    return count.get("low") or 0, min(most, 90)


def draw_query(task: Task, n: int, seed: int) -> Query:
    """A query: the task and requirements that it was drawn, in random order.

    Args:
        task: as people would ask it.
        n: requirements, 1 to ``MOST_REQUIREMENTS``; at most two are of one type.
        seed: of the draw; the same for all tasks, as each has numbers of its own.
    """
    rng = rng_for(seed, "real queries", task.query_id)
    names = [k for k, kind in KINDS.items() if task.category in (kind.categories or TaskCategory)]
    weights = np.array([KINDS[name].weight for name in names])
    drawn: list[tuple[Kind, Check]] = []
    while len(drawn) < n:
        kind = KINDS[names[int(rng.choice(len(names), p=weights / weights.sum()))]]
        check = own_twin(kind.draw(task, rng))
        types = [one.type for one, _ in drawn]
        if types.count(kind.type) < 2 and fits_together([*(c for _, c in drawn), check]):
            drawn.append((kind, check))
    requirements = [Requirement(k.type, k.subtype, phrase(c, rng), check=c) for k, c in drawn]
    return Query(task.category, task.task, tuple(requirements), task.topic)
