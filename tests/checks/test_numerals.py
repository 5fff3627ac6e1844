"""Whole numbers in words, there and back."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wfine_utils.checks.numerals import NUMBER, in_words, value_of


@pytest.mark.parametrize("n", range(1200))
def test_a_number_in_words_has_its_value(n):
    assert value_of(in_words(n)) == n
    assert value_of(in_words(n).replace("-", " ")) == n
    assert value_of(str(n)) == value_of(f"{n:,}") == n


@given(st.integers(0, 999_999))
def test_large_numbers_too(n):
    assert value_of(in_words(n)) == n


@pytest.mark.parametrize(
    ("words", "value"),
    [("a dozen", 12), ("two dozen", 24), ("half a dozen", 6), ("one hundred and five", 105),
     ("a hundred five", 105), ("two thousand five hundred", 2500), ("seventeen", 17)],
)  # fmt: skip
def test_other_ways_to_say_it(words, value):
    assert value_of(words) == value


@pytest.mark.parametrize(
    "words",
    ["", "a", "and", "several", "sixty-", "2.5", "3rd", "one two", "hundred", "a few", "-1"],
)
def test_no_number(words):
    assert value_of(words) is None


@pytest.mark.parametrize(
    ("text", "found"),
    [("fifty words", "fifty"), ("seventh", None), ("two-column", None), ("3.5 per cent", "5"),
     ("12:30", "30"), ("120-150", "120"), ("ninety-nine", "ninety-nine")],
)  # fmt: skip
def test_a_number_within_a_text_is_a_whole_one(text, found):
    match = re.search(rf"(?<![\w-]){NUMBER}", text)
    assert (match and match.group()) == found
