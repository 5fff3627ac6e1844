"""IFBench's types about counts, ratios, words and sentences, on both sides of their borders."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from instruction_cases import judge, sides, tried

from wfine_utils.checks.dispatch import CHECKS
from wfine_utils.checks.ifbench import INSTRUCTIONS, LEFT_OUT
from wfine_utils.errors import WfineError

KEYWORDS = {f"keyword{i}": word for i, word in enumerate(["ant", "bee", "cow", "doe", "elk"], 1)}
COUNTED = ["ant", *2 * ["bee"], *3 * ["Cow"], *5 * ["doe"], *7 * ["elk"]]
TEN = "level radar civic rotor kayak madam refer tenet stats solos"
CASES = [
    (
        "count:word_count_range", {"min_words": 2, "max_words": 3.0},
        ["one two", "one two three", "it's"], ["one", "a b c d"],
    ),
    (
        "count:unique_word_count", {"N": 3},
        ["one two three", "A b, c; a!"], ["one two One", "a - b"],
    ),
    (
        "count:conjunctions", {"small_n": 3},
        ["this and that, but so", "For Nor Yet"],
        ["And and and, but", "sandy button", "and but if"],
    ),
    (
        "count:person_names", {"N": 2},
        ["Emma met Liam.", "Mia's Leo"], ["Emma and Emma", "emma and liam", "Emmas Leon Eva"],
    ),
    (
        "count:numbers", {"N": 2},
        ["1 and 2", "3.5 of 1,000", "in 2020-21, 4th", "a1b2"], ["1", "1 2 3", "one two"],
    ),
    ("count:pronouns", {"N": 2}, ["she/her", "It's mine.", "THIS, those"], ["it", "shed herb"]),
    (
        "count:punctuation", {},
        ["a. b, c; d: e! f? g?!", ". , ; : ! ? ‽", "!? . , ; : ? !"],
        ["a. b, c; d: g?!", "a. b, c; d: e! f?", "a. b, c: e! f? g?!", ""],
    ),
    (
        "count:words_japanese", {"N": 2},
        ["a 猫 b いぬ", "one 2 three ネコ!", "one"], ["a cat", "猫 a", "a 猫 b dog"],
    ),
    (
        "count:keywords_multiple", KEYWORDS,
        [" ".join(COUNTED), ", ".join(COUNTED) + " antler"], [" ".join([*COUNTED, "ANT"]), "ant"],
    ),
    (
        "ratio:stop_words", {"percentage": 50},
        ["the cat", "birds sing"], ["the cat and", "don't"],
    ),
    (
        "ratio:sentence_type", {},
        ["One. Two. Three?", 'He said "Go?" She left. He came.', "One. Two. Three? Four! 🙂"],
        ["One. Two?", "One. Two.", "One!", "One. Two. Three? Four?"],
    ),
    (
        "ratio:sentence_balance", {},
        ["One. Two? Three!", '"One." "Two?" (Three!)'],
        ["One. Two?", "One", "One. Two? Two? Three!"],
    ),
    (
        "ratio:overlap", {"reference_text": "the red fox ran", "percentage": 50},
        ["the red fox sat", "red fox ran,"], ["the red fox ran", "a blue hen sat", "red fox"],
    ),
    (
        "ratio:sentence_words", {},
        ["Go on. Be it. Do so."],
        ["Go on. Be it. Do on.", "Go on. Be it. Do soon.", "Go on. Be it."],
    ),
    (
        "words:alphabet", {},
        ["A big cat", "xylophone, yes: zebras are", "Odd – parrots"],
        ["a cat", "a b b", "1 a", "é f"],
    ),
    ("words:vowel", {}, ["a\nbee is", "Sky"], ["a bee is odd", "a\n\nbee"]),
    ("words:consonants", {}, ["The strong winds", "try"], ["The cat", "7 hens", "area"]),
    (
        "words:palindrome", {},
        [TEN, TEN.title(), "stats, " * 10], [TEN[6:], TEN.replace("level", "noon")],
    ),
    ("words:prime_lengths", {}, ["it was green", "it's"], ["a cat", "it was good", "it's bird"]),
    ("words:repeats", {"small_n": 2}, ["a b a", "one"], ["a A, a", "no no no"]),
    (
        "words:keywords_specific_position", {"keyword": "Fox", "n": 2, "m": 3},
        ["One. The red fox ran.", "One. “The” – red FOX!"],
        ["The red fox.", "One. The fox.", "One. The red, a fox."],
    ),
    (
        "words:words_position", {"keyword": "fox"},
        ["A fox is a fox indeed!?", "Well, fox, yes", "fox Fox"],
        ["A fox is a fox", "fox", "a fox a b"],
    ),
    (
        "words:last_first", {},
        ["I see you. You see me! Me?", "One"],
        ["I see you. We see me.", "I see you. You go. We go."],
    ),
    (
        "words:paragraph_last_first", {},
        ["Rain is rain.\n\n“Now” or now", "One", "***\nOne one"], ["Rain is wet.", "A a\nb c"],
    ),
    ("words:no_consecutive", {}, ["a big cat", "One two, one"], ["a big bad cat", "big; Bad"]),
    (
        "sentence:alliteration_increment", {},
        ["A cat. Big bad cat. Red rats run.", "Big bears. Wet wild woods.", "One"],
        ["Big bears. Wet woods.", "A cat. The dog.", "Big bad bears. Wet wood. We went west."],
    ),
    (
        "sentence:increment", {"small_n": 2},
        ["One. One two three. One, two: three - four five.", "One"],
        ["One. One two.", "One two three. One.", "One. One two three. One two three four."],
    ),
    (
        "sentence:keyword", {"word": " tree ", "N": 2},
        ["One. A TREE grows.", "One. Tree-lined."], ["A tree. One.", "One. Trees.", "A tree."],
    ),
]  # fmt: skip


def test_each_is_tried_on_both_sides_and_what_is_left_out_is_named():
    assert tried(CASES, True) == tried(CASES, False) == set(INSTRUCTIONS)
    assert not LEFT_OUT.keys() & INSTRUCTIONS.keys()
    assert len(LEFT_OUT) + sum(kind.startswith("ifbench/") for kind in CHECKS) == 58


@pytest.mark.parametrize(("instruction_id", "kwargs", "text", "meets"), sides(CASES))
def test_both_sides_of_the_border(instruction_id, kwargs, text, meets):
    assert judge(instruction_id, kwargs, text) is meets


@pytest.mark.parametrize(
    ("instruction_id", "kwargs", "words"),
    [
        ("count:word_count_range", {"min_words": 3, "max_words": 2}, ["min_words", "3 and 2"]),
        ("ratio:stop_words", {"percentage": 101}, ["percentage", "101", "from 0 to 100"]),
        ("sentence:keyword", {"word": "a", "N": 0}, ["N", "0", "from 1"]),
        ("words:words_position", {"keyword": "red fox"}, ["keyword", "'red fox'", "one word"]),
        ("words:words_position", {"keyword": "!"}, ["keyword", "'!'", "one word"]),
        (
            "words:keywords_specific_position", {"keyword": "red fox", "n": 1, "m": 1},
            ["keyword", "'red fox'", "one word"],
        ),
        ("count:keywords_multiple", KEYWORDS | {"keyword2": "Ant"}, ["ant, Ant", "different"]),
        (
            "repeat:repeat_span", {"prompt_to_repeat": "a b", "n_start": 1, "n_end": 0},
            ["n_start", "1 and 0", "has 2"],
        ),
        (
            "repeat:repeat_span", {"prompt_to_repeat": "a b", "n_start": 2, "n_end": 3},
            ["n_start", "2 and 3", "has 2"],
        ),
        ("count:pronouns", {"N": "2"}, ["N", "'2'", "whole number"]),
    ],
)  # fmt: skip
def test_wrong_arguments_are_named(instruction_id, kwargs, words):
    with pytest.raises(WfineError) as error:
        judge(instruction_id, kwargs, "")
    assert all(word in str(error.value) for word in words), str(error.value)


@settings(deadline=None)
@given(st.text() | st.text(alphabet=" \n.?!'\"-–aA1é猫🙂_", max_size=60))
def test_no_check_raises_and_a_blank_text_meets_nothing(text):
    verdicts = [judge(*case[:2], text) for case in CASES]
    assert all(type(verdict) is bool for verdict in verdicts)
    assert text.strip() or not any(verdicts)
