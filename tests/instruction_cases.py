"""Instruction types on both sides of their borders: what the tests of IFEval and IFBench share."""

from __future__ import annotations

import pytest

from wfine_utils.checks.dispatch import check, instruction_kind

# an id, its arguments, texts that meet it, texts that do not
Case = tuple[str, dict, list[str], list[str]]


def judge(instruction_id: str, kwargs: dict, text: str) -> bool:
    return check({"kind": instruction_kind(instruction_id), **kwargs}, text)


def sides(cases: list[Case]) -> list:
    """One parameter set ``id, arguments, text, meets`` for each text."""
    return [
        pytest.param(instruction_id, kwargs, text, meets, id=f"{instruction_id}-{meets}-{i}")
        for i, (instruction_id, kwargs, good, bad) in enumerate(cases)
        for meets, texts in ((True, good), (False, bad))
        for text in texts
    ]


def tried(cases: list[Case], meets: bool) -> set[str]:
    """The ids that have a text on this side."""
    return {case[0] for case in cases if case[2 if meets else 3]}
