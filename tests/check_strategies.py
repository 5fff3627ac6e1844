"""Checks of every own kind with every shape of their arguments, for property tests."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from wfine_utils.checks.contradictions import contradiction
from wfine_utils.checks.phrases_of_terms import quoted
from wfine_utils.checks.prose import PROSE_CHECKS
from wfine_utils.checks.simple import TINY_CHECKS
from wfine_utils.checks.twins import own_twin
from wfine_utils.errors import WfineError

SMALL = st.integers(0, 30)
LARGE = st.integers(0, 3000)
WORDS = st.sampled_from(
    ["oak", "Ash tree", "don't", "50 %", "No", "at least", "Week 1:", 'a "b"', "état", "x-ray",
     "§ 3", "words", "first", "never", "und", "Ott", "why?", "and", "京都", "What if", "“so”", "I"]
)  # fmt: skip
ODD = st.text(st.characters(categories=("L", "N", "P", "S", "Zs")), min_size=1, max_size=12)


def _can_be_quoted(term: str) -> bool:
    try:
        return bool(quoted(term.strip()))  # as a check keeps it
    except WfineError:
        return False


TERM = (WORDS | ODD).filter(_can_be_quoted)
TERMS = st.lists(TERM, min_size=1, max_size=5)
SHARES = st.integers(1, 100).map(lambda n: n / 100) | st.floats(0.01, 0.99)


def bounds(numbers: st.SearchStrategy[Any], prefix: str = "") -> st.SearchStrategy[dict[str, Any]]:
    """Low, high, both, the same twice, or neither; None now and then."""
    low, high = f"{prefix}low", f"{prefix}high"
    pair = st.tuples(numbers, numbers).map(sorted)
    return st.one_of(
        st.just({}),
        numbers.map(lambda n: {low: n}),
        numbers.map(lambda n: {high: n, low: None}),
        numbers.map(lambda n: {low: n, high: n}),
        pair.map(lambda ab: {low: ab[0], high: ab[1]}),
    )


_OPTIONAL: dict[str, dict[str, st.SearchStrategy[Any]]] = {
    "char_count": {"spaces": st.booleans()},
    "citations": {"style": st.sampled_from(["author-year", "numeric"])},
    "headings": {"level": st.integers(1, 6) | st.none(), "texts": TERMS},
    "list_items": {"marker": st.sampled_from(["any", "bullet", "numbered"])},
    "table": {"columns": st.integers(1, 12) | st.none()},
    "years_in_order": {"low": SMALL},
}
_REQUIRED: dict[str, dict[str, st.SearchStrategy[Any]]] = {
    "anaphora": {"start": TERM},
    "bold_term": {"term": TERM},
    "line_starts": {"prefix": TERM | st.sampled_from(["- ", "> ", "Week "])},
    "proportion": {
        "part": st.sampled_from(["first paragraph", "last paragraph"])
        | TERM.map(lambda name: {"section": name})
    },
    "record": {"fields": TERMS},
    "sentence_count": {"n": st.integers(0, 40)},
    **{kind: {"terms": TERMS} for kind in
       ("bold_terms", "forbids", "in_order", "mentions", "mentions_some")},
}  # fmt: skip
_UNBOUNDED = {
    "bold_term", "bold_terms", "bullet_list", "exclamations", "forbids", "heading", "in_order",
    "letter", "letter_layout", "mentions", "numbered_list", "record", "sentence_count",
    "years_in_order", "table",
}  # fmt: skip


def _of_kind(kind: str) -> st.SearchStrategy[dict[str, Any]]:
    numbers = SHARES if kind == "proportion" else LARGE if "count" in kind else SMALL
    parts = [st.fixed_dictionaries({"kind": st.just(kind), **_REQUIRED.get(kind, {})},
                                   optional=_OPTIONAL.get(kind, {}))]  # fmt: skip
    if kind not in _UNBOUNDED:
        parts.append(bounds(numbers))
    if kind == "paragraphs":
        parts.append(bounds(SMALL, "words_"))
    if kind == "table":
        parts.append(bounds(SMALL, "rows_"))
    return st.tuples(*parts).map(lambda found: {k: v for part in found for k, v in part.items()})


def _can_be_met(check: dict[str, Any]) -> bool:
    try:
        return contradiction(own_twin(check)) is None
    except WfineError:
        return False


KINDS = sorted({**PROSE_CHECKS, **TINY_CHECKS})


def checks_of(kind: str) -> st.SearchStrategy[dict[str, Any]]:
    """Checks of a kind that some texts meet and others do not."""
    return _of_kind(kind).filter(_can_be_met)
