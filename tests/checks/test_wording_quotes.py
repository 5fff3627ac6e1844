"""Quotations: each text can be quoted and read back, and apostrophes are none."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wfine_utils.checks.wording_quotes import CLOSE, OPEN, quoted, unquoted


def _numbered(text: str) -> str:
    return text.replace(OPEN, "<").replace(CLOSE, ">")


@given(st.lists(st.text()))
def test_what_is_quoted_is_read_back(texts: list[str]) -> None:
    aside = unquoted(f"say {' and '.join(map(quoted, texts))}")
    assert aside is not None
    assert aside.quotes == texts


@pytest.mark.parametrize(
    ("text", "rest", "quotes"),
    [
        ("say “a” and «b» and `c`", "say <0> and <1> and <2>", ["a", "b", "c"]),
        ("say 'a b' now", "say <0> now", ["a b"]),
        ("say 'don't' now", "say <0> now", ["don't"]),
        ("don’t use the poets' words", "don't use the poets' words", []),
        ("so  \n much", "so much", []),
        (r'a path "C:\x"', "a path <0>", [r"C:\x"]),
    ],
)
def test_unquoted(text: str, rest: str, quotes: list[str]) -> None:
    aside = unquoted(text)
    assert aside is not None
    assert (_numbered(aside.text), aside.quotes) == (rest, quotes)


@pytest.mark.parametrize("text", ['say "a', "say a”", f"say {OPEN}0{CLOSE}"])
def test_what_does_not_end_is_not_read(text: str) -> None:
    assert unquoted(text) is None
