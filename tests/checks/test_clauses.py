"""Clause by clause: what demands something, how much of what, and the words beside it."""

import pytest

from wfine_utils.checks.bound_idioms import without_idioms
from wfine_utils.checks.clause_lists import listed_names
from wfine_utils.checks.clauses import (
    amounts,
    changes_nothing,
    counts_of,
    demanding_clauses,
    demands_nothing,
)
from wfine_utils.checks.wording import read_wording


@pytest.mark.parametrize(
    "text",
    [
        "They will hear it over a loudspeaker, so keep to at most eighty words",
        "Since the sheet is small, keep to at most eighty words",
        "keep to at most eighty words because the sheet is small",
        "keep to at most eighty words, as the sheet is small",
        "The sheet is small. keep to at most eighty words",
        "keep to at most eighty words; our readers are busy people",
        "The sheet is small, and our readers are busy people, which means keep to at most eighty "
        "words",
        "keep to at most eighty words, for example like Caesar",
    ],
)
def test_a_reason_is_left_aside_wherever_it_stands(text):
    assert "keep to at most eighty words" in demanding_clauses(text)


@pytest.mark.parametrize(
    ("text", "demand"),
    [
        ("Give it three headings, so keep to at most eighty words", "three headings"),
        ("Avoid long sentences. Keep to at most eighty words", "Avoid long sentences"),
        ("Keep to at most eighty words, as every line should rhyme", "rhyme"),
        ("Explain the rule: keep to at most eighty words", "Explain the rule"),
    ],
)
def test_an_aside_that_demands_something_is_kept(text, demand):
    assert demanding_clauses(text)
    assert all(demand in clause for clause in demanding_clauses(text))


@pytest.mark.parametrize(
    "text",
    [
        "If it rains, keep to at most eighty words",
        "Should it rain, keep to at most eighty words",
        "You may keep to at most eighty words",
        "Ideally keep to at most eighty words",
        "You need not keep to at most eighty words",
        "It would be nice to keep to at most eighty words",
        "Keep to at most eighty words " + "and so on " * 20,
        "",
    ],
)
def test_a_condition_a_permission_and_a_wish_give_nothing(text):
    assert demanding_clauses(text) == ()


@pytest.mark.parametrize(
    ("words", "plain"),
    [
        ("neither shorter than 40 nor longer than 60 words", "between 40 and 60 words"),
        ("anywhere between 40 and 60 words", "between 40 and 60 words"),
        ("somewhere in the range of 40 to 60 words", "40 to 60 words"),
        ("80 words, tops", "at most 80 words"),
        ("two questions and not one more", "two questions and not one more"),
        ("two questions and not a question more", "at most two questions"),
        ("80 words is the absolute ceiling", "at most 80 words"),
        ("80 words is your bare minimum", "at least 80 words"),
        ("a ceiling of 80 words", "at most 80 words"),
        ("the floor is 80 words", "at least 80 words"),
        ("80 words and upwards", "at least 80 words"),
        ("five times, if not more often", "at least five times"),
        ("80 words or under", "at most 80 words"),
        ("nothing under 80 words", "at least 80 words"),
        ("not a word beyond 80", "at most 80 word"),
        ("do not let it exceed 80 words", "at most 80 words"),
        ("it must never run on past 80 words", "it at most 80 words"),
        ("it must not fall below 80 words", "it at least 80 words"),
        ("none of them may run past 80 words", "none at most 80 words"),
        ("no longer than 80 words", "at most 80 words"),
        ("no shorter than 80 words", "at least 80 words"),
        ("three or four or more questions", "at least three questions"),
        ("just three questions", "exactly three questions"),
        ("three questions, neither more nor fewer", "exactly three questions"),
        ("80 words from start to finish", "80 words"),
        ("80 words is what the editor wants", "80 words"),
        ("two, three or four questions", "between two and four questions"),
        ("16 words is as long as any sentence should get", "no sentence past 16 words"),
        ("ask questions, at least two of them, of us", "at least two ask questions of us"),
        ("80 words that the page can hold", "80 words"),
        ("three questions, or more, for us", "at least three questions for us"),
        ("at most 80 words but no fewer than 60", "between 60 and 80 words"),
        ("at least 60 words but not more than 80", "between 60 and 80 words"),
        ("60 words at least, and not more than 80", "between 60 and 80 words"),
        ("60 words at least and 80 at most", "between 60 and 80 words"),
        ("80 words at most and 60 at least", "between 60 and 80 words"),
        (
            "group the tips under exactly three headings",
            "group the tips with exactly three headings",
        ),
        ("end two sentences with a question mark", "use two sentences ending with a question mark"),
        ("two sentences must end in a question mark", "two sentences ending with a question mark"),
        ("an even dozen tips", "exactly twelve tips"),
        ("a pair of questions", "two questions"),
    ],
)
def test_every_idiom_has_one_plain_form(words, plain):
    assert without_idioms(words) == plain


@pytest.mark.parametrize("words", ["at most 80 words", "exactly three headings", "no tables"])
def test_the_plain_form_stays(words):
    assert without_idioms(words) == words


def test_an_amount_is_found_with_the_words_around_it():
    first = amounts("the text should have at least nine words")[0]
    assert first.quantity == (9, None, False, "words")
    assert (first.before, first.after) == ("the text should have", "")
    assert first.rest == "the text should have "
    assert amounts("write a story about the sea") == ()


@pytest.mark.parametrize(
    ("clause", "high"),
    [
        ("boil it down to nine words", 9),
        ("there is room for nine words", 9),
        ("write nine words", 9),
    ],
)
def test_a_number_is_a_limit_where_it_is_kept_to(clause, high):
    amount = next(a for a in amounts(clause) if a.quantity.noun == "words")
    assert amount.quantity.plain
    assert amount.as_limit().high == high
    assert amount.as_limit().plain == clause.startswith("write")


@pytest.mark.parametrize(
    ("clause", "low", "high"),
    [
        ("ask at least four questions", 4, None),
        ("ask questions, at least four of them", 4, None),
        ("questions, four or more in all", 4, None),
        ("questions, no more than four", None, 4),
        ("questions, between two and four in number", 2, 4),
    ],
)
def test_a_number_stands_before_its_noun_or_at_the_end(clause, low, high):
    assert next(counts_of(clause, "questions?")).quantity[:2] == (low, high)


@pytest.mark.parametrize(
    "clause",
    [
        "questions and more questions, at least four",  # of which?
        "three tips and questions, at least four",
        "answers, at least four",
    ],
)
def test_a_number_at_the_end_is_of_one_thing(clause):
    assert list(counts_of(clause, "questions?")) == []


@pytest.mark.parametrize(
    "words", ["", "please give us", "The whole story should have", "your essay must come to"]
)
def test_neutral_words_change_nothing(words):
    assert changes_nothing(words)
    assert demands_nothing(words)


@pytest.mark.parametrize(
    "words", ["not", "if it rains", "the second half", "at least", "you may", "unless", "no"]
)
def test_what_turns_a_demand_around_does_not(words):
    assert not changes_nothing(words)
    assert not demands_nothing(words)


def test_unknown_words_demand_nothing_and_may_change_something():
    assert demands_nothing("let the old ferryman")
    assert not changes_nothing("let the old ferryman")
    assert demands_nothing("let the two sisters")
    assert not demands_nothing("let two sisters")
    assert not demands_nothing("and make it rhyme")


def test_words_of_a_kind_are_added():
    assert not changes_nothing("in brackets")
    assert changes_nothing("in brackets", frozenset({"brackets"}))
    assert not demands_nothing("use headings")
    assert demands_nothing("use headings", frozenset({"headings"}))


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("Set the names Priya and Tom in bold", ["Priya", "Tom"]),
        ('Mention "oak", "ash" and "elm"', ["oak", "ash", "elm"]),
        ("with the labels name, age and street", ["name", "age", "street"]),
        ("use these headings: the sea, the land", ["sea", "land"]),
    ],
)
def test_the_one_list_of_names_is_found(text, names):
    wording = read_wording(text)
    assert listed_names(wording, wording.text)[0] == names


@pytest.mark.parametrize(
    "text",
    [
        "Mention the sea",
        'Mention "oak" or "ash"',
        "Name Priya and Tom and the dog",
        "Use Resolved and Next meeting",
    ],
)
def test_a_list_that_is_not_sure_is_none(text):
    wording = read_wording(text)
    assert listed_names(wording, wording.text) is None
