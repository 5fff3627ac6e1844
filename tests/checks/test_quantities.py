"""How many, read from English."""

import pytest

from wfine_utils.checks.quantities import Quantity, quantities


@pytest.mark.parametrize(
    ("words", "low", "high"),
    [
        ("at least nine words", 9, None),
        ("no fewer than nine words", 9, None),
        ("no less than nine words", 9, None),
        ("a minimum of 9 words", 9, None),
        ("nine or more words", 9, None),
        ("nine words or more", 9, None),
        ("9+ words", 9, None),
        ("more than eight words", 9, None),
        ("over 8 words", 9, None),
        ("nine words at least", 9, None),
        ("at most nine words", None, 9),
        ("no more than nine words", None, 9),
        ("up to nine words", None, 9),
        ("fewer than ten words", None, 9),
        ("under 10 words", None, 9),
        ("nine words or fewer", None, 9),
        ("nine or less words", None, 9),
        ("a maximum of nine words", None, 9),
        ("nine words, no more and no fewer", 9, 9),
        ("nine words, no more, no less", 9, 9),
        ("exactly nine words", 9, 9),
        ("nine words, exactly,", 9, 9),
        ("no words", None, 0),
        ("not a single words", None, 0),
        ("between eight and nine words", 8, 9),
        ("from 8 to 9 words", 8, 9),
        ("8-9 words", 8, 9),
        ("eight or nine words", 8, 9),
        ("at least 8 and at most 9 words", 8, 9),
        ("at least 8 words and no more than 9 words", 8, 9),
        ("between a hundred and a hundred and twenty words", 100, 120),
        ("a words", 1, None),
    ],
)
def test_bounds(words, low, high):
    assert list(quantities(words)) == [Quantity(low, high, False, "words")]


def test_a_number_alone_is_plain_and_a_limit_where_it_is_said():
    (plain,) = quantities("nine words")
    assert plain == Quantity(9, 9, True, "words")
    assert plain.as_limit() == Quantity(None, 9, False, "words")


@pytest.mark.parametrize(
    "words",
    ["about nine words", "roughly 9 words", "around nine words", "eight or ten words", "words",
     "some words", "at least words", "nine", "several words", "nearly 100 words"],
)  # fmt: skip
def test_what_is_vague_has_no_bounds(words):
    assert list(quantities(words)) == []


def test_a_part_of_a_word_is_no_number():
    assert [q for q in quantities("two-column tables") if q.low == 2] == []
