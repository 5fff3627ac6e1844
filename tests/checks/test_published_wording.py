"""Published checks in words: what is said is read back, and nothing else is read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from published_checks import PUBLISHED, published_check

from wfine_utils.checks.published_wording import (
    TWIN_KINDS,
    compile_published,
    phrase_published,
    published_twin,
)
from wfine_utils.errors import WfineError

HERE = Path(__file__).parent
READ_BACK = sorted({*PUBLISHED} - TWIN_KINDS)


def _rows(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (HERE / name).read_text().splitlines()]


@pytest.mark.parametrize("kind", READ_BACK)
@settings(max_examples=40, deadline=None)  # the first reading builds all patterns
@given(data=st.data(), seed=st.integers(0, 10**6))
def test_what_is_said_is_read_back(kind: str, data: st.DataObject, seed: int) -> None:
    check = data.draw(published_check(kind))
    twin = published_twin(check)
    read = compile_published(phrase_published(check, np.random.default_rng(seed)))
    if twin["kind"] == kind:
        assert read == twin
    else:  # said in plain words, and read by the compiler of that check
        assert read in (None, twin)


@pytest.mark.parametrize("kind", PUBLISHED)
@settings(max_examples=20, deadline=None)
@given(data=st.data())
def test_a_twin_is_its_own_twin(kind: str, data: st.DataObject) -> None:
    twin = published_twin(data.draw(published_check(kind)))
    assert "/" not in twin["kind"] or published_twin(twin) == twin


@pytest.mark.parametrize("kind", PUBLISHED)
@settings(max_examples=2, deadline=None)
@given(data=st.data())
def test_each_kind_has_several_wordings(kind: str, data: st.DataObject) -> None:
    check = data.draw(published_check(kind))
    said = {phrase_published(check, np.random.default_rng(seed)) for seed in range(80)}
    assert len(said) >= (4 if kind.startswith("ifeval/") else 2)


@pytest.mark.parametrize("row", _rows("published_hostile.jsonl"), ids=lambda row: row["text"][:60])
def test_what_is_not_sure_is_not_read(row: dict[str, Any]) -> None:
    assert compile_published(row["text"]) is None


@pytest.mark.parametrize("row", _rows("published_free.jsonl"), ids=lambda row: row["text"][:60])
def test_free_wordings_are_read(row: dict[str, Any]) -> None:
    assert compile_published(row["text"]) == row["check"]


@pytest.mark.parametrize("row", _rows("published_twins.jsonl"), ids=lambda row: row["text"][:60])
def test_the_sentences_of_twins_are_still_said(row: dict[str, Any]) -> None:
    assert published_twin(row["published"]) == row["check"]
    said = {phrase_published(row["published"], np.random.default_rng(i)) for i in range(300)}
    assert row["text"] in said


@pytest.mark.parametrize(
    ("check", "twin"),
    [
        ({"kind": "ifeval/length_constraints:number_words", "num_words": 300.0,
          "relation": "at least"}, {"kind": "word_count", "low": 300}),
        ({"kind": "ifeval/keywords:frequency", "keyword": " oak ", "frequency": 1,
          "relation": "less than"}, {"kind": "forbids", "terms": ["oak"]}),
        ({"kind": "ifeval/keywords:frequency", "keyword": " oak ", "frequency": 2.0,
          "relation": "less than"}, {"kind": "ifeval/keywords:frequency", "keyword": "oak",
          "frequency": 2, "relation": "less than"}),
        ({"kind": "ifbench/count:word_count_range", "min_words": 0, "max_words": 9},
         {"kind": "word_count", "high": 9}),
        ({"kind": "ifeval/punctuation:no_comma", "language": None},
         {"kind": "ifeval/punctuation:no_comma"}),
    ],
)  # fmt: skip
def test_twins(check: dict[str, Any], twin: dict[str, Any]) -> None:
    assert published_twin(check) == twin


@pytest.mark.parametrize(
    ("check", "message"),
    [
        ({"kind": "word_count", "low": 3}, "expected a published one"),
        ({"kind": "ifeval/length_constraints:number_words", "num_words": 0,
          "relation": "at least"}, "every text meets"),
        ({"kind": "ifeval/length_constraints:number_words", "num_words": 0,
          "relation": "less than"}, "no text can be"),
        ({"kind": "ifeval/keywords:letter_frequency", "letter": "ab", "let_frequency": 1,
          "let_relation": "at least"}, "one character"),
        ({"kind": "ifeval/startend:end_checker"}, "missing"),
    ],
)  # fmt: skip
def test_what_cannot_be_said_is_refused(check: dict[str, Any], message: str) -> None:
    with pytest.raises(WfineError, match=message):
        phrase_published(check, np.random.default_rng(0))
