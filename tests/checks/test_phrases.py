"""Checks in words: in many ways, all of them right."""

import re

import numpy as np
import pytest
from check_strategies import KINDS

from wfine_utils.checks.phrases import phrase
from wfine_utils.errors import WfineError

ARGUMENTS = {
    "anaphora": {"start": "The sea"},
    "bold_term": {"term": "oak"},
    "bold_terms": {"terms": ["oak", "ash"]},
    "forbids": {"terms": ["oak", "ash"]},
    "in_order": {"terms": ["oak", "ash"]},
    "line_starts": {"prefix": "Week"},
    "mentions": {"terms": ["oak", "ash"]},
    "mentions_some": {"terms": ["oak", "ash"]},
    "paragraphs": {"low": 2, "words_high": 50},
    "proportion": {"part": "last paragraph", "low": 0.3},
    "record": {"fields": ["Name", "Place"]},
    "sentence_count": {"n": 4},
    "sentence_words": {"high": 20},
}


def said(check, n=200):
    return {phrase(check, np.random.default_rng(seed)) for seed in range(n)}


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_said_in_six_ways_at_least(kind):
    sayings = said({"kind": kind, **ARGUMENTS.get(kind, {})})
    assert len(sayings) >= 6
    for saying in sayings:
        assert re.fullmatch(r"[A-Z\"“«0-9][^\n{}]+[.\"”]", saying), saying
        assert not re.search(r"  | ,| \.|(?<!-)\b(?:one|1) \w+s\b", saying), saying


def test_the_same_generator_gives_the_same_words():
    check = {"kind": "word_count", "low": 50}
    assert phrase(check, np.random.default_rng(3)) == phrase(check, np.random.default_rng(3))


def test_numbers_are_said_in_digits_and_in_words():
    sayings = " ".join(said({"kind": "word_count", "low": 120, "high": 140}))
    assert "120" in sayings
    assert "a hundred and twenty" in sayings


@pytest.mark.parametrize(
    ("check", "never", "always"),
    [
        ({"kind": "contractions", "high": 0}, r"\d|at most", "contract"),
        ({"kind": "char_count", "high": 90, "spaces": False}, "includ|, counting", "90|91|ninety"),
        ({"kind": "bullet_list"}, "Include", "only|nothing but|whole|entire|solely|Every"),
        ({"kind": "headings", "level": 3, "low": 2}, "second-level", "third|3"),
        ({"kind": "list_items", "marker": "numbered", "low": 2}, "bullet", "numbered"),
        ({"kind": "citations", "style": "numeric"}, "author", "numeric|number"),
    ],
)
def test_a_saying_says_what_its_arguments_are(check, never, always):
    for saying in said(check):
        assert not re.search(never, saying), saying
        assert re.search(always, saying), saying


@pytest.mark.parametrize(
    ("check", "message"),
    [
        ({"kind": "word_count", "low": 9, "high": 3}, "swap them"),
        ({"kind": "word_count", "low": 0}, "every text meets"),
        ({"kind": "mentions", "terms": ["oak,"]}, "Leave the comma out"),
        ({"kind": "mentions", "terms": ["\"“'«`"]}, "every sort of quotation mark"),
        ({"kind": "proportion", "part": "the middle", "low": 0.5}, "expected first paragraph"),
        ({"kind": "rhymes"}, "expected one of"),
    ],
)
def test_what_cannot_be_said_is_an_error(check, message):
    with pytest.raises(WfineError, match=message):
        phrase(check, np.random.default_rng(0))
