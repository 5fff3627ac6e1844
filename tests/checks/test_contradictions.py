"""Checks that no text can meet, alone or together."""

import pytest

from wfine_utils.checks.contradictions import conflicts, contradiction
from wfine_utils.checks.dispatch import check
from wfine_utils.errors import WfineError

WORDS_50_60 = {"kind": "word_count", "low": 50, "high": 60}


@pytest.mark.parametrize(
    "impossible",
    [
        {"kind": "word_count", "low": 200, "high": 100},
        {"kind": "paragraphs", "words_low": 50, "words_high": 40},
        {"kind": "table", "rows_low": 5, "rows_high": 2},
        {"kind": "table", "columns": 0},
        {"kind": "sentences", "high": -1},
        {"kind": "sentence_words", "high": 0},
        {"kind": "proportion", "part": "last paragraph", "low": 1.2},
        {"kind": "proportion", "part": "last paragraph", "high": 0},
        {"kind": "mentions_some", "terms": ["oak", "ash"], "low": 3},
        {"kind": "mentions", "terms": ["oak", " "]},
        {"kind": "anaphora", "start": "", "low": 2},
        {"kind": "record", "fields": [":"]},
        {"kind": "headings", "level": 7},
        {"kind": "headings", "texts": ["A", "B"], "low": 1, "high": 1},
        {"kind": "ifeval/length_constraints:number_words", "num_words": 0, "relation": "less than"},
    ],
)
def test_a_check_that_no_text_can_meet_is_named(impossible):
    assert contradiction(impossible)


@pytest.mark.parametrize(
    ("possible", "text"),
    [
        (WORDS_50_60, "word " * 55),
        ({"kind": "word_count", "high": 0}, ""),
        ({"kind": "headings", "texts": ["A", "B"], "low": 2, "high": 2}, "# A\n\n# B"),
        ({"kind": "ifeval/punctuation:no_comma"}, "Plain."),
        ({"kind": "mentions_some", "terms": ["oak", "ash"], "low": 2}, "oak ash"),
    ],
)
def test_a_check_that_a_text_meets_is_no_contradiction(possible, text):
    assert check(possible, text)
    assert contradiction(possible) is None


def test_an_unknown_kind_is_an_error():
    with pytest.raises(WfineError, match="kind"):
        contradiction({"kind": "rhymes"})


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (WORDS_50_60, {"kind": "word_count", "low": 80}),
        (WORDS_50_60, {"kind": "paragraphs", "low": 3, "high": 3, "words_low": 40}),
        (WORDS_50_60, {"kind": "sentences", "low": 61}),
        (WORDS_50_60, {"kind": "char_count", "high": 90}),
        (WORDS_50_60, {"kind": "sentence_words", "low": 61}),
        (
            {"kind": "ifeval/length_constraints:number_words", "num_words": 9,
             "relation": "less than"},
            WORDS_50_60,
        ),
        ({"kind": "sentence_count", "n": 3}, {"kind": "sentences", "low": 5}),
        ({"kind": "sentences", "high": 3}, {"kind": "question_count", "low": 4}),
        ({"kind": "mentions", "terms": ["red oak"]}, {"kind": "forbids", "terms": ["oak"]}),
        ({"kind": "anaphora", "start": "The oak"}, {"kind": "forbids", "terms": ["oak"]}),
        (
            {"kind": "mentions_some", "terms": ["oak", "ash"], "low": 1, "high": 1},
            {"kind": "forbids", "terms": ["oak", "ash"]},
        ),
        ({"kind": "numbered_list"}, {"kind": "list_items", "high": 0}),
        ({"kind": "numbered_list"}, {"kind": "bullet_list"}),
        ({"kind": "list_items", "marker": "numbered", "low": 3}, {"kind": "list_items", "high": 2}),
        ({"kind": "bullet_list"}, {"kind": "paragraphs", "low": 2}),
        ({"kind": "headings", "level": 2, "low": 3}, {"kind": "headings", "low": 2, "high": 2}),
        ({"kind": "headings", "texts": ["A", "B"]}, {"kind": "headings", "high": 1}),
        ({"kind": "heading"}, {"kind": "headings", "high": 0}),
        ({"kind": "exclamations"}, {"kind": "exclamation_sentences", "high": 0}),
        ({"kind": "bold_term", "term": "oak"}, {"kind": "bold_count", "high": 0}),
        ({"kind": "percentages", "low": 2}, {"kind": "figures", "high": 1}),
        ({"kind": "mentions", "terms": ["we"]}, {"kind": "first_person", "high": 0}),
        (
            {"kind": "char_count", "spaces": False, "low": 100},
            {"kind": "char_count", "high": 90},
        ),
        (
            {"kind": "ifeval/change_case:english_capital"},
            {"kind": "ifeval/change_case:english_lowercase"},
        ),
    ],
)  # fmt: skip
def test_two_checks_that_exclude_each_other_are_a_conflict_in_either_order(one, other):
    assert [(a, b) for a, b, _ in conflicts([one, other])] == [(0, 1)]
    assert [(a, b) for a, b, _ in conflicts([other, one])] == [(0, 1)]


def test_a_conflict_says_why():
    found = conflicts([WORDS_50_60, {"kind": "contractions"}, {"kind": "sentences", "low": 61}])
    assert found == [(0, 2, "at least 61 sentences and at most 60 words")]


def test_three_checks_clash_where_two_do_not():
    five = {"kind": "sentence_count", "n": 5}
    long = {"kind": "sentence_words", "low": 40}
    assert conflicts([WORDS_50_60, long]) == []
    assert [(a, b) for a, b, _ in conflicts([WORDS_50_60, five, long])] == [(0, 2)]


def test_short_sentences_make_no_long_text_unless_headings_may_fill_it():
    few = [{"kind": "sentences", "high": 3}, {"kind": "sentence_words", "high": 10},
           {"kind": "word_count", "low": 50}]  # fmt: skip
    assert [(a, b) for a, b, _ in conflicts(few)] == [(1, 2)]
    assert conflicts([*few, {"kind": "headings", "low": 3}]) == []


@pytest.mark.parametrize(
    ("checks", "text"),
    [
        ([WORDS_50_60, {"kind": "word_count", "high": 55}], "word " * 52),
        (
            [{"kind": "mentions", "terms": ["oaken"]}, {"kind": "forbids", "terms": ["oak"]}],
            "An oaken door.",
        ),
        ([{"kind": "exclamations"}, {"kind": "questions", "low": 1}], "What?!"),
        ([{"kind": "anaphora", "start": "A", "low": 2}, {"kind": "anaphora", "start": "B"}],
         "A is. A was. B is."),
        ([{"kind": "contractions", "high": 0}, {"kind": "similes", "low": 1}], "It is like a cat."),
        ([{"kind": "list_items", "marker": "bullet", "low": 2}, {"kind": "sentences", "low": 3}],
         "- One.\n- Two.\n- Three."),
    ],
)  # fmt: skip
def test_what_one_text_meets_is_no_conflict(checks, text):
    assert all(check(one, text) for one in checks)
    assert conflicts(checks) == []
