"""Thoughts of reasoning models: where they end, and what of an answer is judged."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wfine_utils.adherence.thoughts import template_has_thoughts, without_thoughts


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("<think>One, two.</think>\n\nRain falls.", "Rain falls."),
        ("<think>\n\n</think>\n\nRain falls.", "Rain falls."),
        ("One, two.\n</think>\n\nRain falls.", "Rain falls."),  # the template opened them
        ("<think>One, two, and on and", ""),  # cut off
        ("<think>One.</think>Rain <think>two</think>falls.", "Rain falls."),
        ("<think>One.</think>Rain.<think>two", "Rain.<think>two"),
        ("<think>a</think>End with </think>.", "End with </think>."),
        ("[THINK]One.[/THINK]Rain.", "Rain."),
        ("<seed:think>One.</seed:think>Rain.", "Rain."),
        ("<Think>One.</Think>Rain.", "Rain."),
        ("<thought>One.</thought>Rain.", "Rain."),
        ("<reasoning>One.</reasoning>Rain.", "Rain."),
        ("One.</thinking>Rain.", "Rain."),
        ("◁think▷One.◁/think▷Rain.", "Rain."),
        ("<|begin_of_thought|>One.<|end_of_thought|>Rain.", "Rain."),
        ("<|START_THINKING|>One.<|END_THINKING|>Rain.", "Rain."),
        ("<|channel|>analysis<|message|>One.<|end|><|channel|>final<|message|>Rain.", "Rain."),
        ("analysisOne.assistantfinalRain.", "Rain."),
        ("analysisOne, and on", ""),
        ("analysis of rain", "analysis of rain"),
        ("<think>One.</think>\n<answer>Rain.</answer>", "Rain."),
        ("<think>One.</think><response>\nRain.</response>\n", "Rain."),
        ("<think>One.</think>See <answer>x</answer>.", "See <answer>x</answer>."),
        ("<answer>Rain.</answer>", "<answer>Rain.</answer>"),
        (" Rain falls.\n", " Rain falls.\n"),  # nothing to strip, nothing changed
        ("Rain <think> falls", "Rain <think> falls"),
        ("", ""),
    ],
)
def test_the_answer_alone(text, answer):
    assert without_thoughts(text) == answer


@given(st.lists(st.sampled_from(["<think>", "</think>", "a", " ", "\n"])).map("".join))
def test_no_answer_begins_with_thoughts_that_end(text):
    answer = without_thoughts(text)
    assert not answer.startswith("<think>") or "</think>" not in answer
    assert answer == text or answer == answer.strip()


@pytest.mark.parametrize(
    ("template", "has"),
    [
        ("{% if thinking %}<think>\\n\\n</think>{% endif %}", True),
        ([{"name": "default", "template": "…</think>…"}], True),
        ({"default": "{{ '[/THINK]' }}"}, True),
        ("<|start|>assistant<|channel|>final<|message|>", True),
        ("{{ messages }} I think", False),
        (None, False),
    ],
)
def test_templates_that_speak_of_thoughts(template, has):
    assert template_has_thoughts(template) is has
