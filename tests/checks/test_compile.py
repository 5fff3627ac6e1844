"""From words to checks: what phrase says is read back, and what is not sure is no check."""

import json
import time
from pathlib import Path

import numpy as np
import pytest
from check_strategies import KINDS, checks_of
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from wfine_utils.checks import compile_requirement, compiled
from wfine_utils.checks.dispatch import check
from wfine_utils.checks.phrases import own_twin, phrase
from wfine_utils.errors import WfineError

CASES = [
    json.loads(line)
    for line in (Path(__file__).parent / "compile_cases.jsonl").read_text("utf-8").splitlines()
]
READ = [case for case in CASES if case["check"]]
UNSURE = [case for case in CASES if not case["check"]]


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.filter_too_much])
@given(data=st.data(), seed=st.integers(0, 10_000))
def test_what_is_said_of_a_check_is_read_as_that_check(kind, data, seed):
    wanted = data.draw(checks_of(kind))
    said = phrase(wanted, np.random.default_rng(seed))
    assert compiled(said).check == own_twin(wanted), said


@pytest.mark.parametrize("case", READ, ids=lambda case: case["text"])
def test_free_wordings_are_read(case):
    assert compiled(case["text"]).check == case["check"]


@pytest.mark.parametrize("case", UNSURE, ids=lambda case: case["text"])
def test_what_is_not_sure_is_no_check(case):
    found = compiled(case["text"])
    assert found.check is None
    assert found.reason


def test_what_is_read_of_seven_writers_is_what_they_meant():
    """Their wordings were drafted by language models that did not know the rules."""
    lines = (Path(__file__).parent / "writers_wordings.jsonl").read_text("utf-8").splitlines()
    wordings = [json.loads(line) for line in lines]
    assert len(wordings) == 1200
    read = [(w, check) for w in wordings if (check := compiled(w["text"]).check)]
    assert len(read) >= 0.40 * len(wordings)
    n_meant = sum(
        w["check"] is not None and _canonical(w["check"]) == _canonical(check) for w, check in read
    )
    assert n_meant >= 0.98 * len(read)


def _canonical(check):
    return json.dumps(own_twin(check), sort_keys=True).lower()


def test_there_are_enough_cases_of_both():
    assert len(READ) >= 120
    assert len(UNSURE) >= 120


@pytest.mark.parametrize("case", READ, ids=lambda case: case["text"])
def test_politeness_and_marks_change_nothing(case):
    text, wanted = case["text"], case["check"]
    plain = text.strip("- ").rstrip(".;?")
    assert compile_requirement(f"  {plain} ") == wanted
    assert compile_requirement(f"* {plain}!") == wanted
    curly = plain.replace('"', "“", 1).replace('"', "”", 1)
    if plain.count('"') == 2:
        assert compile_requirement(curly) == wanted


@pytest.mark.parametrize("case", READ, ids=lambda case: case["text"])
def test_a_condition_before_it_makes_it_unsure(case):
    text = case["text"][0].lower() + case["text"][1:]
    for start in ("If it rains, ", "You need not ", "It is not true that you should ", "Ideally, "):
        assert compile_requirement(start + text) is None


@pytest.mark.parametrize("case", READ, ids=lambda case: case["text"])
def test_a_second_demand_after_it_makes_it_unsure(case):
    text = case["text"].rstrip(".;?")
    for end in (" and rhyme every line.", ", but only in the first half.", ", unless it is a poem.",
                ". Use a pun in the last line.", " if you like."):  # fmt: skip
        assert compile_requirement(text + end) is None


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("Use at least 200 and at most 100 words.", "contradicts itself: at least 200"),
        ("Write a gripping story about a lighthouse keeper and his dog.", "no rule"),
        ("Schreibe bitte mindestens hundert Wörter über das Meer.", "not English"),
        ("Use at least zero headings.", "asks for nothing"),
        ('Mention "oak.', "unreadable quotation marks or too long"),
        ("Use no headings. " * 100, "unreadable quotation marks or too long"),
        ("  ", "empty"),
    ],
)
def test_the_reason_says_why_there_is_no_check(text, reason):
    found = compiled(text)
    assert found.check is None
    assert found.reason.startswith(reason)


def test_a_text_is_expected():
    with pytest.raises(WfineError, match="expected the text of a requirement"):
        compiled(None)


def test_the_check_is_the_callers_own():
    compiled("Use at least 100 words.").check["low"] = 1
    assert compiled("Use at least 100 words.").check == {"kind": "word_count", "low": 100}


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=80) | st.lists(st.sampled_from(
    "use at least no more than between and 100 nine words sentences in bold \"oak\" , : the "
    "every paragraph should have first last section % of not do avoid mention label colon "
    "line letter as a exactly or".split()), max_size=18).map(" ".join))  # fmt: skip
def test_any_text_gives_a_check_that_works_or_none(text):
    found = compiled(text)
    assert (found.check is None) == bool(found.reason)
    if found.check:
        assert check(found.check, "Some words.") in (True, False)


@pytest.mark.parametrize(
    "text",
    ["use " * 140, "at least " * 60, "no more than " * 45, '"a", ' * 110, "A, " * 190,
     "Facts, " * 80 + "and Law with a colon on a line", "in the text " * 48, "one hundred and "
                                                                             "" * 36,
     "the last paragraph should " * 22, "(" * 590, "a-" * 290, "between 1 and " * 40],
)  # fmt: skip
def test_long_and_odd_texts_are_refused_quickly(text):
    start = time.perf_counter()
    assert compiled(text).check is None
    assert time.perf_counter() - start < 1.0
