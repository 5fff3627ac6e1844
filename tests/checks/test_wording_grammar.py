"""The grammar of wordings: choices, plurals and slots, said and read."""

from __future__ import annotations

import numpy as np
import pytest

from wfine_utils.checks.wording_grammar import PARTS, Template, pattern_of


def _said(template: str, **arguments: object) -> set[str | None]:
    sentence = Template(template)
    return {sentence.says(arguments, np.random.default_rng(seed)) for seed in range(60)}


def test_every_choice_is_said_and_read() -> None:
    template = "[use|write] [a [long|short] |]word"
    sentences = {f"{verb} {what}word" for verb in ("use", "write")
                 for what in ("a long ", "a short ", "")}  # fmt: skip
    assert _said(template) == sentences
    assert all(Template(template).reads(sentence) == {} for sentence in sentences)
    assert Template(template).reads("use long word") is None


def test_what_comes_after_a_tilde_is_read_only() -> None:
    template = Template("[use|~employ] it")
    assert _said("[use|~employ] it") == {"use it"}
    assert template.reads("Employ  it") == {}
    assert template.is_said
    assert not Template("~employ it").is_said
    assert Template("~employ it").reads("employ it") == {}


@pytest.mark.parametrize(
    ("n", "sentences"), [(1, {"use 1 word", "use one word"}), (2, {"use 2 words", "use two words"})]
)
def test_plurals(n: int, sentences: set[str]) -> None:
    template = "use {n:count} word(s)"
    assert _said(template, count=n) == sentences
    assert all(Template(template).reads(sentence) == {"count": n} for sentence in sentences)


def test_a_text_is_read_as_a_whole() -> None:
    template = Template("use the {term:word}")
    assert template.reads('use the word "oak"') == {"word": "oak"}
    assert template.reads('never use the word "oak"') is None
    assert template.reads('use the word "oak" and "elm"') is None
    assert template.reads('use the word "oak') is None


def test_an_argument_that_is_said_twice_must_be_the_same() -> None:
    template = Template("begin with {quote:word} and end with {quote:word}")
    assert template.reads('begin with "oak" and end with "oak"') == {"word": "oak"}
    assert template.reads('begin with "oak" and end with "elm"') is None


def test_a_slot_without_words_says_nothing() -> None:
    assert _said("use it {times:n,rel}", n=1, rel="less than") == {None}


def test_a_template_with_a_bracket_too_many_is_an_error() -> None:
    with pytest.raises(ValueError, match="a bracket too many"):
        Template("use] it").reads("use it")


@pytest.mark.parametrize("part", PARTS)
def test_the_shared_parts_can_be_said(part: str) -> None:
    said = Template(part).says({}, np.random.default_rng(0))
    assert said is not None
    assert Template(part).reads(said) == {}


def test_pattern_of() -> None:
    assert pattern_of("[a|b] c") == r"(?:a|b)\s+c"
