"""Slots: each argument is read as it was said, and bounds are turned the right way round."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wfine_utils.checks.ifeval import LANGUAGES
from wfine_utils.checks.wording_quotes import unquoted
from wfine_utils.checks.wording_slots import SLOTS


def _read(slot: str, words: str) -> list[Any] | None:
    aside = unquoted(words)
    assert aside is not None
    if not re.fullmatch(SLOTS[slot].pattern, aside.text, re.IGNORECASE):
        return None
    values = SLOTS[slot].read(aside.text, aside.quotes)
    return None if values is None else list(values)


@pytest.mark.parametrize(
    ("slot", "words", "values"),
    [
        ("bound", "at least 3", [3, "at least"]),
        ("bound", "three or more", [3, "at least"]),
        ("bound", "3+", [3, "at least"]),
        ("bound", "more than 3", [4, "at least"]),
        ("bound", "No more than 3", [4, "less than"]),
        ("bound", "up to a dozen", [13, "less than"]),
        ("bound", "fewer than 1,000", [1000, "less than"]),
        ("bound", "at least 3 or more", None),
        ("bound", "less than 0", None),
        ("bound", "3", None),
        ("times", "at least twice", [2, "at least"]),
        ("times", "once or less", [2, "less than"]),
        ("times", "4 or more times", [4, "at least"]),
        ("times", "4 times or more", [4, "at least"]),
        ("times", "more than once", [2, "at least"]),
        ("times", "at most at least 3 times", None),
        ("times", "3 times", None),
        ("least", "at least 3", [3]),
        ("least", "at most 3", None),
        ("most_times", "at most three times", [3]),
        ("most_times", "fewer than three times", [2]),
        ("most_times", "at least three times", None),
        ("ordinal", "21st", [21]),
        ("ordinal", "Second", [2]),
        ("term", 'word "oak"', ["oak"]),
        ("term", "keyword oak", ["oak"]),
        ("letter", "letter q", ["q"]),
        ("letter", 'letter "qu"', None),
        ("postscript", "p.s", ["P.S."]),
        ("postscript", "P.P.S.", ["P.P.S"]),
        ("language", "farsi", ["fa"]),
        ("stars3", "'***'", []),
        ("stars3", "'****'", None),
        ("brackets", "[a], [b], etc.", []),
        ("answers", '"My answer is yes.", "My answer is no." or "My answer is so."', None),
        ("terms", '"oak"', None),
    ],
)
def test_what_is_read(slot: str, words: str, values: list[Any] | None) -> None:
    assert _read(slot, words) == values


@pytest.mark.parametrize("slot", ["bound", "times"])
@given(st.integers(1, 10**6), st.sampled_from(["at least", "less than"]), st.integers(0, 10**6))
def test_bounds_are_read_back(slot: str, n: int, relation: str, seed: int) -> None:
    said = SLOTS[slot].say([n, relation], np.random.default_rng(seed))
    if said is None:
        assert (slot, n, relation) == ("times", 1, "less than")
    else:
        assert _read(slot, said) == [n, relation]


@given(st.integers(1, 10**6), st.integers(0, 10**6))
def test_ordinals_are_read_back(n: int, seed: int) -> None:
    said = SLOTS["ordinal"].say([n], np.random.default_rng(seed))
    assert said is not None
    assert _read("ordinal", said) == [n]


@pytest.mark.parametrize("n_said", [(1, "1st"), (11, "11th"), (22, "22nd"), (113, "113th")])
def test_ordinals_have_their_ending(n_said: tuple[int, str]) -> None:
    n, said = n_said
    assert said in {SLOTS["ordinal"].say([n], np.random.default_rng(i)) for i in range(20)}


@pytest.mark.parametrize("code", sorted(LANGUAGES))
def test_each_language_has_a_name(code: str) -> None:
    name = SLOTS["language"].say([code], np.random.default_rng(0))
    assert name is not None
    assert _read("language", name) == [code]
