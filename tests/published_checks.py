"""Valid published checks, drawn at random: for the tests of their wordings."""

from __future__ import annotations

import inspect
from typing import Any

from hypothesis import strategies as st

from wfine_utils.checks.dispatch import CHECKS
from wfine_utils.checks.ifbench import words_of
from wfine_utils.checks.ifeval import LANGUAGES

PUBLISHED = [kind for kind in CHECKS if "/" in kind]

_TRICKY = ['so "to say"', "it's", "“so”", 'C:\\n "', "a, b and c", "at least 3 times", "[x|y]", "é"]
_COUNT = st.one_of(st.integers(1, 30), st.integers(31, 10**6))
_TEXT = st.one_of(st.sampled_from(_TRICKY), st.text(min_size=1, max_size=30)).filter(str.strip)
_WORD = st.from_regex(r"[^\s.,?!'\"]+", fullmatch=True)
_ONE_WORD = _TEXT.filter(lambda text: len(words_of(text)) == 1)
_RELATION = st.sampled_from(["at least", "less than"])
_FIVE = st.lists(_TEXT, min_size=5, max_size=5, unique_by=lambda text: text.strip().lower())

_ARGUMENTS: dict[str, st.SearchStrategy[Any]] = {
    "keywords": st.lists(_TEXT, min_size=1, max_size=4),
    "forbidden_words": st.lists(_TEXT, min_size=1, max_size=4),
    "relation": _RELATION, "let_relation": _RELATION, "capital_relation": _RELATION,
    "letter": st.characters(exclude_categories=["Z", "C"]),
    "language": st.sampled_from(sorted(LANGUAGES)),
    "first_word": _WORD, "end_phrase": _TEXT.filter(lambda text: not text.rstrip().endswith('"')),
    "percentage": st.integers(0, 100),
    "n_start": st.just(0), "n_end": st.integers(0, 9),
    **dict.fromkeys(["keyword", "postscript_marker", "section_spliter", "prompt_to_repeat", "sep",
                     "reference_text", "options", "word"], _TEXT),
}  # fmt: skip


@st.composite
def published_check(draw: st.DrawFn, kind: str) -> dict[str, Any]:
    """A check of a published kind whose arguments fit together."""
    names = list(inspect.signature(CHECKS[kind]).parameters)[1:]
    check = {"kind": kind, **{name: draw(_ARGUMENTS.get(name, _COUNT)) for name in names}}
    if kind.startswith("ifbench/words:") and "keyword" in check:
        check["keyword"] = draw(_ONE_WORD)
    if "keyword1" in check:
        check |= {f"keyword{i}": word for i, word in enumerate(draw(_FIVE), 1)}
    if "nth_paragraph" in check:
        check["nth_paragraph"] = draw(st.integers(1, check["num_paragraphs"]))
    if "max_words" in check:
        check["max_words"] = check["min_words"] + draw(_COUNT)
    return check
