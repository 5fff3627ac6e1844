"""The one form of a check: the same verdicts, and equal for checks of one meaning."""

import pytest
from check_strategies import KINDS, checks_of
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from wfine_utils.checks.dispatch import check
from wfine_utils.checks.twins import own_twin
from wfine_utils.errors import WfineError

TINY = {"bold_term", "figures", "letter", "questions", "sentence_count"}
TEXTS = [
    "",
    "The oak fell. Did we know? No! It was like a bell, and we've 3 ash trees.",
    "# oak\n\nI said **oak** and **Ash tree**.\n\n- One\n- Two words\n\n## first\n\nWeek 1: 50 %",
    "- oak\n- words, never 5 %\n- at least 20 numbers",
    'In 1900 and 1950 and 1999 she said "so it is" (Ott, 2019).\n\n> oak\n\nWhat if I never go?',
]


@pytest.mark.parametrize("kind", sorted(set(KINDS) - TINY))
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.filter_too_much])
@given(data=st.data())
def test_the_twin_of_a_check_of_prose_gives_the_same_verdicts(kind, data):
    drawn = data.draw(checks_of(kind))
    twin = own_twin(drawn)
    assert [check(twin, text) for text in TEXTS] == [check(drawn, text) for text in TEXTS]
    assert own_twin(twin) == twin


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"kind": "sentence_count", "n": 3.0}, {"kind": "sentences", "low": 3, "high": 3}),
        ({"kind": "figures"}, {"kind": "numbers", "low": 1, "high": None}),
        ({"kind": "questions", "low": 2}, {"kind": "question_count", "low": 2}),
        ({"kind": "letter"}, {"kind": "letter_layout"}),
        ({"kind": "bold_term", "term": "oak"}, {"kind": "bold_terms", "terms": ["oak"]}),
        ({"kind": "char_count", "high": 9, "spaces": True}, {"kind": "char_count", "high": 9}),
        ({"kind": "mentions_some", "terms": ["a", "b"], "high": 0},
         {"kind": "forbids", "terms": ["a", "b"]}),
        ({"kind": "mentions_some", "terms": ["a"]}, {"kind": "mentions", "terms": ["a"]}),
        ({"kind": "word_count", "low": 0, "high": 9}, {"kind": "word_count", "high": 9}),
        ({"kind": "sentence_words"}, {"kind": "sentences", "low": 1}),
        ({"kind": "headings", "texts": ["A", "B"], "low": 1},
         {"kind": "headings", "texts": ["A", "B"]}),
        ({"kind": "ifeval/length_constraints:number_words", "num_words": 9,
          "relation": "at least"}, {"kind": "word_count", "low": 9}),
    ],
)  # fmt: skip
def test_checks_of_one_meaning_have_one_form(one, other):
    assert own_twin(one) == own_twin(other)


@pytest.mark.parametrize("kind", ["bullet_list", "numbered_list", "heading", "exclamations"])
def test_what_the_tiny_world_means_otherwise_stays_itself(kind):
    assert own_twin({"kind": kind}) == {"kind": kind}


@pytest.mark.parametrize(
    "vacuous",
    [
        {"kind": "word_count", "low": 0},
        {"kind": "mentions", "terms": []},
        {"kind": "paragraphs"},
        {"kind": "proportion", "part": "last paragraph", "high": 1},
        {"kind": "mentions_some", "terms": ["oak"], "high": 1},
    ],
)
def test_what_every_text_meets_has_no_twin(vacuous):
    with pytest.raises(WfineError, match="every text meets"):
        own_twin(vacuous)


def test_titles_with_a_most_and_no_least_are_refused():
    with pytest.raises(WfineError, match="give low"):
        own_twin({"kind": "headings", "texts": ["A"], "high": 3})


def test_an_unknown_kind_is_named():
    with pytest.raises(WfineError, match="'rhymes'"):
        own_twin({"kind": "rhymes"})
