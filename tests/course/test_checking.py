"""Bad input: whatever an answer does, the check says one paragraph and goes on."""

from __future__ import annotations

import itertools
import math
import time
from types import SimpleNamespace

import numpy as np
import pytest

import wfine_course
from wfine_course import checking
from wfine_course.checking import Refusal, as_number, as_numbers, check, examine_test
from wfine_utils.errors import WfineError

SETUP = {"np": np, "itertools": itertools, "math": math}


def said(tau_b, **more) -> str:
    grade = check("week1", "tau_b", {**SETUP, "tau_b": tau_b, **more}, seconds=1)
    assert grade.points == 0 and grade.said.startswith("✗ `tau_b` ")
    paragraph, _, _ = grade.said.partition("\n\nIt printed:")
    assert "\n" not in paragraph and "Traceback" not in paragraph
    return grade.said


def endless(gold, score):
    while True:
        pass


def loud(gold, score):
    for _ in range(100):
        print("x" * 10_000)


def deep(gold, score):
    return deep(gold, score)


def raising(gold, score):
    return 1 / 0


class TestBadAnswers:
    @pytest.mark.parametrize(
        ("answer", "expected"),
        [
            (endless, "was stopped after 1 seconds"),
            (loud, "prints more than 10,000 characters"),
            (lambda gold, score: "0.5", "gives back the text '0.5', expected a number"),
            (lambda gold, score: None, "gives back nothing. Is there a `return`?"),
            (lambda gold, score: True, "gives back True, expected a number"),
            (lambda gold, score: np.ones(5), "an array of shape (5,), expected a number"),
            (lambda gold, score: float("nan"), "gives nan, and SciPy says"),
            (lambda gold: 0.0, "stops with TypeError"),
            (deep, "stops with RecursionError"),
            (raising, "stops with ZeroDivisionError: division by zero. It happens in line"),
            (lambda gold, score: exit(), "calls `exit` or `quit`"),
            (3, "stops with TypeError: 'int' object is not callable"),
        ],
        ids=lambda x: x[:20] if isinstance(x, str) else "",
    )
    def test_is_told_in_one_paragraph(self, answer, expected):
        assert expected in said(answer)

    def test_the_line_is_quoted(self):
        assert "`return 1 / 0`" in said(raising)

    def test_nothing_defined(self):
        grade = check("week1", "tau_b", {})
        assert grade.points == 0 and "run the cell above" in grade.said

    def test_the_next_exercise_is_examined_after_one_that_never_ends(self):
        began = time.monotonic()
        said(endless)
        space = {**SETUP, "pairwise_accuracy": lambda gold, score: 0.5}
        assert "every pair is in the right order" in check("week1", "pairwise_accuracy", space).said
        assert time.monotonic() - began < 5

    def test_a_helper_that_was_overwritten_is_named(self):
        text = said(lambda gold, score: np.no_such_thing, np=SimpleNamespace())
        assert "`np` is no longer what the setup cell made of it" in text

    def test_a_name_of_python_that_was_overwritten_is_named(self):
        assert "`sum` is overwritten" in said(lambda gold, score: 2.0, sum=3)

    def test_overwriting_does_not_change_the_check(self):
        space = {**SETUP, "tau_b": lambda gold, score: 2.0, "check": None, "stats": None}
        assert "SciPy says" in check("week1", "tau_b", space).said

    def test_what_it_printed_is_shown_and_cut(self):
        def chatty(gold, score):
            print("gold is", list(gold))
            return 2.0

        assert "It printed:\n\n````\ngold is" in said(chatty)

    def test_a_long_value_is_cut(self):
        assert len(said(lambda gold, score: "x" * 10**6)) < 400


def test_an_exercise_that_is_not_there():
    with pytest.raises(WfineError, match="found no exercise 'tau_c'"):
        check("week1", "tau_c", {})
    with pytest.raises(WfineError, match="found no week 'week99'"):
        check("week99", "tau_b", {})


def test_nbgrader_reads_the_points_from_the_text_of_a_grade():
    assert float(repr(wfine_course.Grade(2, 2, "✓"))) == 2
    assert float(repr(wfine_course.Grade(0, 2, "✗"))) == 0


def test_numbers_that_are_accepted():
    assert as_number(np.float32(0.5), "f()") == 0.5
    assert as_number(np.array(2), "f()") == 2
    assert as_number(1, "f()") == 1
    assert as_numbers((1, 2.5), "f()", 2).tolist() == [1, 2.5]
    with pytest.raises(Refusal, match=r"gives back the list \[1, 2\], expected 3 numbers"):
        as_numbers([1, 2], "f()", 3)
    with pytest.raises(Refusal, match="expected 2 numbers in a row"):
        as_numbers("12", "f()", 2)


class TestExamineTest:
    """On versions of a function that doubles."""

    right = (lambda x: 2 * x, lambda x: x + x)
    wrong = ((lambda x: x**2, "Does your test try a 3, at which both differ?"),)

    def test_a_good_one(self):
        def test(fn):
            assert fn(3) == 6

        examine_test(test, self.right, self.wrong)

    @pytest.mark.parametrize("x", [0, 2])
    def test_a_lazy_one(self, x):
        def test(fn):
            assert fn(x) == 2 * x

        with pytest.raises(Refusal, match=r"wrong version 1 of 1 slips through\. Does your test"):
            examine_test(test, self.right, self.wrong)

    def test_one_that_refuses_what_is_right(self):
        def test(fn):
            assert fn(3) == 9, "three times three"

        with pytest.raises(Refusal, match="fails on a right version: “three times three”"):
            examine_test(test, self.right, self.wrong)

    def test_one_that_returns_its_verdict(self):
        with pytest.raises(Refusal, match="gives back True; a test says no by `assert`"):
            examine_test(lambda fn: fn(3) == 6, self.right, self.wrong)

    def test_the_name_of_a_version_tells_nothing(self):
        names = set()
        with pytest.raises(Refusal):
            examine_test(lambda fn: names.add(fn.__name__), self.right, self.wrong)
        assert names == {"<lambda>"}


def test_the_limits_that_messages_name():
    assert checking.SECONDS == 10 and checking.MAX_PRINTED == 10_000
