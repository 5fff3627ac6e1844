"""One way to count words."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wfine_utils.chains.taxonomy import Chain, Requirement, Response
from wfine_utils.checks.dispatch import measure
from wfine_utils.checks.words import mentioned, word_count, words
from wfine_utils.weval.scorers import LengthScorer


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", 0), ("- - -", 0), ("# A **well-known** tune", 3), ("1. It's ten to 10", 4),
        ("one\n- two\n* three\n12) four", 4), ("He said: \u201cdon\u2019t\u201d.", 3),
    ],
)  # fmt: skip
def test_by_hand(text, expected):
    assert word_count(text) == len(words(text)) == expected


@given(st.lists(st.sampled_from(["net", "it's", "well-known", "10"]), max_size=20))
def test_words_survive_layout(parts):
    assert words("- " + " ".join(parts)) == parts


@given(st.text(alphabet="ab1 .,!-*#'\n\u2019", max_size=60))
def test_every_count_of_words_is_this_one(text):
    answers = (Response(text, (True,)), Response("", (False,)))
    chain = Chain("c", None, "Write.", (Requirement(None, None, "Well."),), answers)
    assert measure({"kind": "word_count"}, text) == word_count(text)
    assert LengthScorer().score([chain])[0].tolist() == [word_count(text), 0]


def test_whole_words_and_phrases_are_mentioned():
    assert mentioned("A crane, and a NET.", "net") and mentioned("It is like a song.", "like a")
    assert not mentioned("planet", "net") and not mentioned("like an owl", "like a")
