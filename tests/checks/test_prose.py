"""Checks of natural prose: both sides of every border, and no text that makes one raise."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wfine_utils.checks import dispatch
from wfine_utils.checks.markdown import MAX_CHARACTERS, parse
from wfine_utils.checks.prose import PROSE_CHECKS
from wfine_utils.errors import WfineError

LETTER = "Dear Ms Okafor,\n\nThe boiler is old. It still works.\n\nKind regards,\nTom Reyes"
TEXT = """# Plan

We don't stop, and it is like a storm! Was it as quick as light? You will see.

- **One** item
- two

1. first
2. second

| a | b |
|---|---|
| 1 | 2 |

> a quote

## Method

In 1990 and 2001 (Ames, 2019) it rose 5 % and "went up there"; see [3].
"""
CASES = [  # kind, arguments that the text meets, arguments that it just misses
    ("sentences", {"low": 13, "high": 13}, {"low": 14}),
    ("sentence_words", {"high": 16}, {"high": 9}),
    ("paragraphs", {"low": 2, "high": 2, "words_low": 12}, {"low": 3}),
    ("proportion", {"part": {"section": "Method"}, "low": 0.3, "high": 0.5}, {"part": "x"}),
    ("proportion", {"part": "first paragraph", "low": 0.4}, {"part": "last paragraph", "low": 0.5}),
    ("char_count", {"low": 200, "high": 260}, {"high": 100, "spaces": False}),
    ("list_items", {"marker": "bullet", "low": 2, "high": 2}, {"marker": "numbered", "low": 3}),
    ("table", {"columns": 2, "rows_low": 1, "rows_high": 1}, {"columns": 3}),
    ("headings", {"texts": ["plan", "Method"], "low": 2}, {"texts": ["Method", "Plan"]}),
    ("headings", {"level": 2, "high": 1}, {"level": 3}),
    ("bold_terms", {"terms": ["one"]}, {"terms": ["two"]}),
    ("bold_count", {"low": 1, "high": 1}, {"low": 2}),
    ("line_starts", {"prefix": "a quote"}, {"prefix": "WARNING:"}),
    ("citations", {"high": 1}, {"low": 2}),
    ("citations", {"style": "numeric"}, {"style": "numeric", "low": 2}),
    ("block_quotes", {"high": 1}, {"low": 2}),
    ("question_count", {"low": 1, "high": 1}, {"low": 2}),
    ("exclamation_sentences", {"low": 1}, {"high": 0}),
    ("similes", {"low": 2, "high": 2}, {"low": 3}),
    ("first_person", {"high": 1}, {"high": 0}),
    ("second_person", {"low": 1}, {"low": 2}),
    ("anaphora", {"start": "Was it"}, {"start": "We remember"}),
    ("contractions", {"low": 1}, {"high": 0}),
    ("mentions_some", {"terms": ["storm", "light", "sea"], "low": 2}, {"terms": ["sea"]}),
    ("forbids", {"terms": ["sea", "storms"]}, {"terms": ["STORM"]}),
    ("numbers", {"low": 4}, {"high": 2}),
    ("percentages", {"high": 1}, {"low": 2}),
    ("years_in_order", {"low": 2}, {"low": 4}),
    ("quotations", {"high": 1}, {"low": 2}),
]


@pytest.mark.parametrize(("kind", "met", "missed"), CASES, ids=[c[0] for c in CASES])
def test_both_sides_of_the_border(kind, met, missed):
    assert dispatch.check({"kind": kind, **met}, TEXT)
    assert not dispatch.check({"kind": kind, **missed}, TEXT)


def test_letter_record_and_dialogue():
    assert dispatch.check({"kind": "letter_layout"}, LETTER)
    assert not dispatch.check({"kind": "letter_layout"}, LETTER.removesuffix("\nTom Reyes"))
    assert not dispatch.check({"kind": "letter_layout"}, LETTER.replace("Dear Ms Okafor,", "Well."))
    record = "**Date:** 3 May\n- Complaint: cough\nPlan: rest"
    assert dispatch.check({"kind": "record", "fields": ["Date", "Complaint", "Plan"]}, record)
    assert not dispatch.check({"kind": "record", "fields": ["Plan", "Date"]}, record)
    talk = "MARA: You came.\n**Ben:** I said I would.\nThe rain went on."
    assert dispatch.check({"kind": "dialogue_turns", "low": 2, "high": 2}, talk)
    assert not dispatch.check({"kind": "dialogue_turns", "low": 3}, talk)


def test_every_kind_is_tested():
    assert {c[0] for c in CASES} | {"letter_layout", "record", "dialogue_turns"} == set(
        PROSE_CHECKS
    )


def test_years_must_rise():
    assert PROSE_CHECKS["years_in_order"]("1901, then 1950, then 1999 and 1950 again", low=3)
    assert not PROSE_CHECKS["years_in_order"]("1950, then 1901, then 1999", low=3)


def test_a_possessive_is_no_contraction():
    assert not PROSE_CHECKS["contractions"]("Ana's house is the town's oldest.")
    assert PROSE_CHECKS["contractions"]("It’s late, and we'll go; they can't.", low=3, high=3)


def test_measure_says_how_far_off():
    assert dispatch.measure({"kind": "similes", "low": 5}, TEXT) == 2
    assert dispatch.measure({"kind": "word_count", "low": 5}, "One two.") == 2
    assert dispatch.measure({"kind": "letter_layout"}, TEXT) is None


def test_wrong_arguments_are_named():
    with pytest.raises(WfineError, match="lowest"):
        dispatch.check({"kind": "similes", "lowest": 5}, TEXT)
    with pytest.raises(WfineError, match="marker, low, high"):
        dispatch.check({"kind": "list_items", "most": 5}, TEXT)


MARKS = st.text(alphabet="#*_-+>|`[]()!.?\"'“”:\n \tab1Ω中\x00\u2028", max_size=200)


@settings(deadline=None)
@given(st.one_of(st.text(), MARKS))
def test_no_text_makes_a_check_raise(text):
    for kind, met, missed in CASES:
        for arguments in (met, missed):
            assert dispatch.check({"kind": kind, **arguments}, text) in (True, False)
    for kind in ("letter_layout", "dialogue_turns"):
        dispatch.check({"kind": kind}, text)


@pytest.mark.parametrize(
    "unit",
    ["word. ", "[", "*", "> ", "|a", "- ", "<", "\x00", "中文。", "1", "\n", "A-", "“a", "(A"],
)
def test_huge_texts(unit):
    text = unit * (1_000_000 // len(unit))
    for kind, met, _ in CASES:
        dispatch.check({"kind": kind, **met}, text)
    assert sum(map(len, parse(text).blocks)) <= MAX_CHARACTERS
