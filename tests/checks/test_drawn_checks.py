"""Requirements drawn for a task: that they are near, go together, and are said exactly."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from wfine_utils.chains.taxonomy import RequirementType, TaskCategory
from wfine_utils.checks.dispatch import check
from wfine_utils.checks.drawn_checks import KINDS, Task, draw_query, fits_together
from wfine_utils.checks.phrases import own_twin, phrase

TASKS = [
    Task(f"{category.name}-{i}", f"topic {i}", category, f"Write about lamp {i}, for keepers.",
         "keepers", "an old lighthouse lamp")
    for category in TaskCategory for i in range(40)
]  # fmt: skip


def test_every_kind_is_drawn_and_said_for_the_tasks_it_suits():
    for kind in KINDS.values():
        for task in TASKS[::8]:
            if task.category in (kind.categories or TaskCategory):
                drawn = own_twin(kind.draw(task, np.random.default_rng(0)))
                assert isinstance(check(drawn, "A lamp."), bool)
                assert phrase(drawn, np.random.default_rng(0))


@pytest.mark.parametrize("n", [1, 2, 3, 4])
def test_a_query_has_so_many_requirements_that_go_together(n):
    kinds, types = Counter(), Counter()
    for task in TASKS:
        query = draw_query(task, n, seed=0)
        checks = [requirement.check for requirement in query.requirements]
        assert len(checks) == n and fits_together(checks)
        assert (query.base_task, query.topic) == (task.task, task.topic)
        by_type = Counter(requirement.type for requirement in query.requirements)
        assert max(by_type.values()) <= 2
        kinds.update(c["kind"] for c in checks)
        types.update(by_type)
    assert set(types) == set(RequirementType) and len(kinds) > 15


def test_what_is_drawn_depends_on_the_task_and_the_seed_alone():
    task = TASKS[0]
    first, again, other = (draw_query(task, 3, seed) for seed in (0, 0, 1))
    assert first == again != other
    assert draw_query(TASKS[1], 3, 0).requirements != first.requirements


@pytest.mark.parametrize(
    ("checks", "fit"),
    [
        ([{"kind": "word_count", "low": 40, "high": 60}, {"kind": "sentences", "low": 4}], True),
        ([{"kind": "word_count", "high": 25}, {"kind": "sentences", "low": 6, "high": 6}], False),
        ([{"kind": "word_count", "low": 70}, {"kind": "sentences", "low": 2, "high": 2}], False),
        ([{"kind": "question_count", "low": 2}, {"kind": "sentences", "low": 1, "high": 2}], True),
        ([{"kind": "question_count", "low": 2}, {"kind": "exclamation_sentences", "low": 1},
          {"kind": "sentences", "low": 2, "high": 2}], False),
        ([{"kind": "forbids", "terms": ["Lamp"]}, {"kind": "mentions", "terms": ["lamp", "sea"]}],
         False),
        ([{"kind": "forbids", "terms": ["lamp"]}, {"kind": "mentions", "terms": ["lamps"]}], True),
        ([{"kind": "forbids", "terms": ["no"]}, {"kind": "anaphora", "start": "No one", "low": 2}],
         False),
        ([{"kind": "list_items", "low": 3}, {"kind": "sentences", "low": 3, "high": 3}], False),
        ([{"kind": "sentences", "low": 2}, {"kind": "sentences", "high": 5}], False),
        ([{"kind": "char_count", "high": 200}, {"kind": "paragraphs", "low": 3, "high": 3}], True),
        ([{"kind": "sentence_words", "high": 10}, {"kind": "sentences", "low": 3, "high": 3},
          {"kind": "word_count", "low": 50, "high": 60}], False),
    ],
)  # fmt: skip
def test_what_no_short_text_can_meet_is_told(checks, fit):
    assert fits_together(checks) is fit
    assert fits_together(checks[::-1]) is fit
