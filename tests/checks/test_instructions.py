"""What IFEval and IFBench share: the texts of the loose mode."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from instruction_cases import judge

from wfine_utils.checks.instructions import loose_variants


def test_the_eight_texts_by_hand():
    assert loose_variants("Sure:\n\n*a* b\nc*\nBye!") == [
        "Sure:\n\n*a* b\nc*\nBye!", "*a* b\nc*\nBye!", "Sure:\n\n*a* b\nc*", "*a* b\nc*",
        "Sure:\n\na b\nc\nBye!", "a b\nc\nBye!", "Sure:\n\na b\nc", "a b\nc",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("instruction_id", "kwargs", "text", "meets"),
    [
        ("startend:quotation", {}, 'Sure:\n"Rain."', True),
        ("startend:end_checker", {"end_phrase": "The end."}, "Rain.\n**The end.**\nDone!", True),
        ("punctuation:no_comma", {}, "Well, here:\nrain\nBye, bye", True),
        ("punctuation:no_comma", {}, "Rain, sun", False),
        ("punctuation:no_comma", {}, "Here, as asked,", False),  # without its line nothing is left
        ("punctuation:no_comma", {}, "Here:\nrain, sun\nBye", False),
        ("keywords:existence", {"keywords": ["**"]}, "**rain**", True),  # strict is loose
    ],
)
def test_a_loose_verdict_is_that_of_any_text(instruction_id, kwargs, text, meets):
    assert any(judge(instruction_id, kwargs, one) for one in loose_variants(text)) is meets


@given(st.text(alphabet="a*, \n", max_size=30))
def test_the_response_itself_is_among_them_and_none_stands_twice(text):
    variants = loose_variants(text)
    assert variants[0] == text and len(variants) == len(set(variants)) <= 8
