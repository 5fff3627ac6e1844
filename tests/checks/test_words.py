"""One way to count words."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wfine_utils.chains.taxonomy import Chain, Requirement, Response
from wfine_utils.checks.dispatch import measure
from wfine_utils.checks.words import (
    WORD,
    begins_with,
    mentioned,
    normalised,
    plain_text,
    word_count,
    words,
)
from wfine_utils.weval.baselines import LengthScorer


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", 0), ("- - -", 0), ("# A **well-known** tune", 3), ("1. It's ten to 10", 4),
        ("one\n- two\n* three\n12) four", 4), ("He said: \u201cdon\u2019t\u201d.", 3),
    ],
)  # fmt: skip
def test_by_hand(text, expected):
    assert word_count(text) == len(words(text)) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("我们的预算很少。", ["我", "们", "的", "预", "算", "很", "少"]),
        ("東京タワーは３３３メートル", [*"東京タワーは", "３３３", *"メートル"]),
        ("用AI写10个字、OK", ["用", "AI", "写", "10", "个", "字", "OK"]),
        ("か\u3099く", ["か\u3099", "く"]),  # decomposed が
        ("나는 학생이다", ["나는", "학생이다"]),  # Korean has blanks
        ("हिन्दी में", ["हिन्दी", "में"]),
        ("می\u200cخواهم بروم", ["می\u200cخواهم", "بروم"]),
        ("E\u0301cole, cafe\u0301", ["E\u0301cole", "cafe\u0301"]),
        ("well-known 字 don’t", ["well-known", "字", "don’t"]),
    ],
)  # fmt: skip
def test_words_of_other_scripts(text, expected):
    assert words(text) == expected


def test_scripts_without_borders_of_words_say_that_letters_are_counted():
    with pytest.warns(UserWarning, match="Thai, Lao"):
        assert word_count("สวัสดีครับ ๒๕๖๓") == 7 + 1


EUROPEAN = st.characters(max_codepoint=0x2FF) | st.sampled_from("’–…αЖ€ﬁ한ա😊")


@given(st.text(alphabet=EUROPEAN, max_size=80))
def test_european_texts_are_counted_by_one_pattern(text):
    assert words(text) == WORD.findall(plain_text(text))
    assert words(f"{text}\n字") == [*words(text), "字"]


@given(st.lists(st.sampled_from(["net", "it's", "well-known", "10"]), max_size=20))
def test_words_survive_layout(parts):
    assert words("- " + " ".join(parts)) == parts


@given(st.text(alphabet="ab1 .,!-*#'\n\u2019", max_size=60))
def test_every_count_of_words_is_this_one(text):
    answers = (Response(text, (True,)), Response("", (False,)))
    chain = Chain("c", None, "Write.", (Requirement(None, None, "Well."),), answers)
    assert measure({"kind": "word_count"}, text) == word_count(text)
    assert LengthScorer().score([chain])[0].tolist() == [word_count(text), 0]


TERMS = [  # text, a term that it mentions, one that it does not
    ("A crane, and a NET.", "net", "cran"),
    ("It is like a song.", "like a", "like as"),
    ("We can’t.", "can't", "ant"),
    ("a well‑known tune", "well-known", "well-know"),
    ("climate\nchange is\n\nhere", "Climate  change", "is here"),
    ("STRASSE, ﬁne, ＡＩ", "straße", "fin"),
    ("Acme™ co\xadoperates", "Acme", "operates"),
    ("Cafe\u0301 noir", "café", "cafe"),
    ("我们的预算很少。", "预算", "算预"),
    ("使用AI技术", "AI", "A"),
    ("东京都", "京都", "都京"),
    ("हिन्दी में", "हिन्दी", "हिन"),
    ("5% off—now!", "%", "—off"),
    ("off—now!", "—", "-"),
    ("C++ and .NET", "c++", ""),
    ("우리의 예산은 적다", "예산", "산"),
    ("추가예산을 늘린다", "추가예산", "예산"),
    ("“Yes,” he said", '"yes,"', "no"),
    ("we utilize² km³", "utilize", "utilize2"),
    ("xa a a", "a a", "x"),
]


@pytest.mark.parametrize(("text", "there", "absent"), TERMS, ids=[case[0] for case in TERMS])
def test_whole_words_and_phrases_are_mentioned(text, there, absent):
    assert mentioned(text, there) and not mentioned(text, absent)
    assert mentioned(text, there.upper()) and mentioned(f"({text})", there)


def test_a_text_begins_with_whole_words():
    assert begins_with("I’m here", "I") and begins_with("Every  morning, he", "every morning")
    assert not begins_with("In May", "I") and not begins_with("So I", "I")


@given(st.text())
def test_one_form_is_one_form(text):
    assert normalised(normalised(text)) == normalised(text)
