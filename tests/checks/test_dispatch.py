"""One registry and one dispatcher for all kinds of checks."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from wfine_utils.chains.taxonomy import Requirement, RequirementType
from wfine_utils.checks import ifbench, ifbench_layout, ifeval
from wfine_utils.checks.dispatch import CHECKS, check, measure, verdicts
from wfine_utils.checks.prose import PROSE_CHECKS
from wfine_utils.checks.simple import TINY_CHECKS
from wfine_utils.errors import WfineError


def test_the_registry_holds_all_and_no_two_of_one_name():
    instructions = {
        *(f"ifeval/{instruction_id}" for instruction_id in ifeval.INSTRUCTIONS),
        *(f"ifbench/{instruction_id}" for instruction_id in ifbench.INSTRUCTIONS),
        *(f"ifbench/{instruction_id}" for instruction_id in ifbench_layout.INSTRUCTIONS),
    }
    assert set(CHECKS) == {*TINY_CHECKS, *PROSE_CHECKS, *instructions}
    assert len(CHECKS) == len(TINY_CHECKS) + len(PROSE_CHECKS) + 25 + 56


def test_the_same_question_in_each_family():
    relation = {"num_sentences": 2, "relation": "at least"}
    specs = [
        {"kind": "sentence_count", "n": 2},
        {"kind": "sentences", "low": 2, "high": 2},
        {"kind": "ifeval/length_constraints:number_sentences", **relation},
    ]
    for spec in specs:
        assert check(spec, "It rains. We stay.") and not check(spec, "It rains.")


@pytest.mark.parametrize("gap", [None, float("nan"), np.float32("nan"), pd.NA], ids=repr)
def test_an_argument_that_is_missing_is_left_out(gap):
    assert check({"kind": "sentences", "low": 1, "high": gap}, "One. Two. Three.")
    assert check({"kind": "ifeval/punctuation:no_comma", "keywords": gap}, "One.")


@pytest.mark.parametrize("kind", ["sentences", "letter", "ifeval/punctuation:no_comma"])
@pytest.mark.parametrize("text", [None, float("nan"), ["One."]], ids=repr)
def test_a_text_that_is_none_is_named(kind, text):
    with pytest.raises(WfineError, match=f"check {kind}: text: found .*, expected a text"):
        check({"kind": kind}, text)


def test_a_wrong_argument_is_named_with_its_check():
    spec = {"kind": "ifeval/detectable_format:number_bullet_lists", "num_bullets": "2"}
    expected = "check ifeval/detectable_format:number_bullet_lists: argument num_bullets: found '2'"
    with pytest.raises(WfineError, match=expected):
        check(spec, "- One.")


def test_measure_is_the_count_or_nothing():
    assert measure({"kind": "word_count", "low": 5}, "One two.") == 2
    assert measure({"kind": "questions"}, "One? Two?") == 2
    assert measure({"kind": "letter"}, "One.") is None


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({"kind": "rhyme"}, "expected one of sentence_count"),
        ({}, "expected one of"),
        ({"kind": "mentions"}, "it takes terms"),
        ({"kind": "heading", "n": 1}, "it takes no arguments"),
    ],
)
def test_a_wrong_check_says_what_would_be_right(spec, expected):
    with pytest.raises(WfineError, match=expected):
        check(spec, "text")


def test_no_check_gives_no_verdict():
    requirements = [
        Requirement(RequirementType.STYLE, "tone", "Be warm."),
        Requirement(RequirementType.FORMAT, None, "Use bullets.", {"kind": "bullet_list"}),
    ]
    assert verdicts(requirements, "- a\n- b") == (None, True)
