"""The shapes of a demand."""

import pytest

from wfine_utils.checks.frames import carries_demand, counts, demands, sentences_of


@pytest.mark.parametrize(
    "text",
    [
        "Do not use any questions", "Never use questions", "Avoid questions", "Use no questions",
        "The text must not contain any questions", "There should be no questions",
        "Leave out all questions", "No questions should appear", "Questions are not allowed",
        "You are not allowed to use questions", "Write without questions",
        "Questions must not be used", "The reply should be free of questions",
    ],
)  # fmt: skip
def test_there_are_many_ways_to_ask_for_none(text):
    assert (None, 0, "questions") in {(c.low, c.high, c.noun.lower()) for c in counts(text)}


@pytest.mark.parametrize(
    ("text", "low", "high"),
    [
        ("Do not use more than nine words", None, 9),
        ("Do not use fewer than nine words", 9, None),
        ("It must not exceed nine words", None, 9),
        ("Limit your reply to nine words", None, 9),
        ("Keep it under nine words", None, 8),
        ("Your limit is nine words", None, 9),
        ("Nine words, exactly, are allowed", 9, 9),
        ("At most nine words are allowed", None, 9),
    ],
)
def test_limits_are_bounds(text, low, high):
    assert {(c.low, c.high) for c in counts(text) if c.noun == "words" and not c.plain} == {
        (low, high)
    }


@pytest.mark.parametrize(
    "text", ["Do not use at least nine words", "Do not avoid words", "You need not use nine words"]
)
def test_what_is_turned_around_has_no_count_of_words(text):
    assert [c for c in counts(text) if c.noun == "words"] == []


def test_an_aim_is_left_aside_and_a_demand_is_not():
    assert "without contractions" in sentences_of("Keep the tone formal, without contractions")
    assert len(sentences_of("Write five lines, without contractions")) == 1
    assert len(sentences_of("Describe a book with two questions")) == 1
    assert carries_demand("Write five lines")
    assert not carries_demand("Keep the tone formal")


def test_what_is_mentioned_is_an_object_of_its_own():
    assert ("mention", "the oak") in demands("Mention the oak")
