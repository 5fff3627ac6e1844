"""The checks of the tiny world: both sides of every border, and any text at all."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wfine_utils.checks.dispatch import check
from wfine_utils.checks.simple import TINY_CHECKS, sentence_ends

EXAMPLES = [  # kind and arguments, texts that meet it, texts that do not
    (
        {"kind": "sentence_count", "n": 2},
        ["One. Two!", "- One.\n- Two?", "1. One.\n2. Two.", "It costs 3.5 euros. Really?!"],
        ["One.", "One. Two. Three.", "", "One, two"],
    ),
    (
        {"kind": "word_count", "low": 2, "high": 3},
        ["one two", "one two three", "- one two", "# one\ntwo", "**one** two"],
        ["one", "one two three four", ""],
    ),
    ({"kind": "word_count", "high": 1}, ["", "one", "well-known"], ["one two"]),
    ({"kind": "bullet_list"}, ["- a\n- b", "- a\n\n- b"], ["- a", "a\n- b", "-a\n-b", ""]),
    ({"kind": "numbered_list"}, ["1. a\n2. b"], ["1. a", "1. a\n3. b", "2. a\n3. b", "- a\n- b"]),
    ({"kind": "heading"}, ["# A\nb", "### A\n\nb"], ["# A", "b\n# A", "#A\nb", ""]),
    (
        {"kind": "letter"},
        ["Dear friend,\nHello.\nYours truly", "Dear Ann,\nHello.\nRegards,\nTom\nSincerely, Tom"],
        ["Dear friend,\nYours truly", "Hello.\nHello.\nYours truly", "Dear friend,\nHi.\nBye."],
    ),
    (
        {"kind": "bold_term", "term": "net"},
        ["The **net** waits.", "The **Net** waits.", "The **fine net** waits."],
        ["The net waits.", "The **nets** wait.", "The **net waits."],
    ),
    (
        {"kind": "mentions", "terms": ["net", "crane"]},
        ["A crane and a NET.", "**net**, crane"],
        ["nets and cranes", "A net.", "planet crane"],
    ),
    ({"kind": "mentions", "terms": ["like a"]}, ["It is like a song."], ["It is like an owl."]),
    (
        {"kind": "in_order", "terms": ["first", "then"]},
        ["First this, then that.", "Then first, then."],
        ["Then this, first that.", "First.", "thirst, then"],
    ),
    (
        {"kind": "figures", "low": 2},
        ["10 and 3.5", "In 1999, 7 of them"],
        ["10", "1. ten\n2. nine", "A4 paper", ""],
    ),
    ({"kind": "exclamations"}, ["Go! Now!", "Really?!"], ["Go! Now.", "Go", ""]),
    ({"kind": "questions"}, ["Who? He.", "Who?!"], ["He.", "Who ?x", ""]),
]
SPECS = [spec for spec, _, _ in EXAMPLES]


@pytest.mark.parametrize(("spec", "good", "bad"), EXAMPLES, ids=lambda x: str(x)[:40])
def test_both_sides_of_the_border(spec, good, bad):
    assert [text for text in good if not check(spec, text)] == []
    assert [text for text in bad if check(spec, text)] == []


def test_every_kind_has_an_example():
    assert {spec["kind"] for spec in SPECS} == set(TINY_CHECKS)


@given(st.text(max_size=200), st.sampled_from(SPECS))
def test_a_check_never_raises(text, spec):
    assert check(spec, text) in (True, False)


@pytest.mark.parametrize(
    "text", ["\x00" * 50, "a" * 2_000_000, "- \n" * 1000, "漢字。" * 50, "\ud800"]
)
def test_odd_texts(text):
    assert all(check(spec, text) in (True, False) for spec in SPECS)


@given(st.integers(0, 8), st.integers(0, 8))
def test_sentence_count_counts(n, wanted):
    text = " ".join(["The net waits."] * n)
    assert check({"kind": "sentence_count", "n": wanted}, text) == (n == wanted)


def test_decimals_and_abbreviated_ends():
    assert sentence_ends("It is 3.5 m. Is it? Yes!") == [".", "?", "!"]
