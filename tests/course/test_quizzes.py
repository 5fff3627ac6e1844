"""Quizzes: what is said to every choice, and files that are not in order."""

from __future__ import annotations

import pytest

from wfine_course.quizzes import Quiz, open_quiz, read_quiz
from wfine_utils.errors import WfineError

GOOD = """questions:
  - question: Which is even?
    right: b
    choices:
      a: {text: one, why: "One divided by two leaves a rest."}
      b: {text: two, why: "Two is twice one, so it is even."}
"""


@pytest.fixture
def quiz(tmp_path) -> Quiz:
    path = tmp_path / "quiz.yaml"
    path.write_text(GOOD)
    return Quiz(read_quiz(path))


def test_every_choice_is_explained(quiz):
    assert quiz.answer(1, "a").text == "✗ Not quite. One divided by two leaves a rest."
    assert quiz.answer(1, "B ").text == "✓ Right. Two is twice one, so it is even."


def test_points_are_those_of_the_last_answer(quiz):
    assert repr(quiz.points()) == "0" and "Not answered: 1." in quiz.points().said
    quiz.answer(1, "b")
    assert repr(quiz.points()) == "1" and quiz.points().is_full
    quiz.answer(1, "a")
    assert quiz.points().points == 0
    quiz.answer(1, "")
    assert "Not answered: 1." in quiz.points().said


@pytest.mark.parametrize("letter", ["c", "ab", 1, None, "yes"])
def test_what_is_no_choice_is_said(quiz, letter):
    said = quiz.answer(1, letter).text
    assert ("choices a, b" in said) or ("waits for an answer" in said)
    assert quiz.points().points == 0


def test_a_question_that_is_not_there(quiz):
    assert quiz.answer(2, "a").text == "There is no question 2; they go from 1 to 1."


def test_the_self_test_has_ten_questions():
    assert len(open_quiz("start").questions) == 10


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (GOOD.replace("right: b", "right: c"), "question 1: .*right is 'c', expected one of"),
        (GOOD.replace("      b: ", "      d: "), "choices are .*expected \\['a', 'b'\\]"),
        (GOOD.replace("One divided by two leaves a rest.", "No."), "question 1: choices.a.why"),
        (GOOD.replace("text: two, ", ""), "question 1: choices.b.text: Field required"),
        ("questions: []\n", "found no questions"),
        ("title: x\n", "found no questions"),
    ],
)
def test_a_file_that_is_not_in_order(tmp_path, text, message):
    path = tmp_path / "quiz.yaml"
    path.write_text(text)
    with pytest.raises(WfineError, match=message):
        read_quiz(path)
