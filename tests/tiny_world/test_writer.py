"""The tiny world: its truth is exact."""

from __future__ import annotations

import re
from collections import Counter
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wfine_utils.chains.taxonomy import Query, Requirement, RequirementType, TaskCategory
from wfine_utils.checks.dispatch import verdicts
from wfine_utils.checks.words import word_count
from wfine_utils.tiny_world import vocabulary, writer


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_a_text_meets_exactly_what_it_was_told_to_meet(seed):
    rng = np.random.default_rng(seed)
    query = writer.sample_query(rng)
    for kept in product([True, False], repeat=4):
        assert verdicts(query.requirements, writer.write(query, kept, rng)) == kept


PARTS = {
    "order": r"\b(First|Then|Finally)\b",
    "letter": r"^Dear|^(Yours truly|Regards)$",
    "bullet_list": r"^- ",
    "numbered_list": r"^\d\. ",
    "exclamations": r"!",
}


@pytest.mark.parametrize("feature", writer.OF_PARTS)
def test_a_dropped_requirement_of_parts_is_half_done_now_and_then(feature):
    """The half that is done is what a reward model must not be content with."""
    rng, some = np.random.default_rng(4), []
    while len(some) < 60:
        query = writer.sample_query(rng)
        kept = tuple(writer._feature_of(r) != feature for r in query.requirements)
        if not all(kept):
            text = writer.write(query, kept, rng)
            some.append(re.search(PARTS[feature], text, re.MULTILINE) is not None)
    assert 0.3 < np.mean(some) < 0.8


def test_every_query_has_one_requirement_of_each_type():
    for query in writer.sample_queries(200, vocabulary.TOPICS["train"], seed=1):
        assert Counter(r.type for r in query.requirements) == Counter(RequirementType)


def test_every_feature_category_and_topic_occurs():
    queries = writer.sample_queries(800, vocabulary.TOPICS["test"], seed=2)
    kinds = {writer._feature_of(r) for q in queries for r in q.requirements}
    features = [*vocabulary.FORMATS, *vocabulary.STYLES, *vocabulary.CONTENTS]
    assert kinds == {f.name for f in features} | {"sentence_count", "word_count"}
    assert {q.category for q in queries} == set(TaskCategory)
    assert {q.topic for q in queries} == set(vocabulary.TOPICS["test"])


def test_same_seed_same_text():
    def sample(seed):
        rng = np.random.default_rng(seed)
        query = writer.sample_query(rng)
        return query.prompt(), writer.write(query, (True,) * 4, rng)

    assert sample(3) == sample(3) != sample(4)


def test_a_query_that_contradicts_itself_is_an_error():
    def mention(type_, terms):
        return Requirement(type_, None, "x", {"kind": "mentions", "terms": terms})

    query = writer.sample_queries(1, ["harbour"], seed=0)[0]
    contents = [mention(RequirementType.CONTENT, ["no such thing here"])]
    others = [r for r in query.requirements if r.type != RequirementType.CONTENT]
    odd = Query(query.category, query.base_task, (*others, *contents), query.topic)
    with pytest.raises((RuntimeError, ValueError)):
        writer.write(odd, (True,) * 4, np.random.default_rng(0))


def test_damage_changes_the_writing_and_little_else():
    rng = np.random.default_rng(5)
    for query in writer.sample_queries(100, vocabulary.TOPICS["train"], seed=6):
        text = writer.write(query, (True,) * 4, rng)
        worse = writer.damage(text, rng)
        assert worse != text
        assert worse.count("\n") == text.count("\n")
        assert len(worse.split()) == len(text.split())
        assert set(worse.split()) <= set(text.split())
        assert abs(word_count(worse) - word_count(text)) <= 3
