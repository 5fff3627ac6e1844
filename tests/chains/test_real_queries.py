"""The real queries that come with the package: made again from their tasks, and as described."""

from __future__ import annotations

import re
from collections import Counter
from itertools import combinations

import pytest

from wfine_utils.chains.real_queries import REAL_QUERIES, load_real_queries
from wfine_utils.chains.taxonomy import RequirementType, TaskCategory
from wfine_utils.checks.compile import compile_requirement
from wfine_utils.checks.contradictions import conflicts
from wfine_utils.checks.drawn_checks import fits_together
from wfine_utils.checks.phrases import own_twin

SIZES = {"train": 440, "validation": 60, "test": 180}


@pytest.fixture(scope="module")
def queries():
    return {split: load_real_queries(split) for split in SIZES}


def test_the_maker_writes_what_is_kept(bench_script, tmp_path):
    assert bench_script("make_real_queries").main(["--out", str(tmp_path)]) == 0
    for path in tmp_path.iterdir():
        assert path.read_bytes() == (REAL_QUERIES / path.name).read_bytes(), path.name
    assert len(list(tmp_path.iterdir())) == len(SIZES) + 1


def test_splits_have_their_size_and_share_no_topic(queries):
    assert {split: len(part) for split, part in queries.items()} == SIZES
    topics = {split: {query.topic for query in part} for split, part in queries.items()}
    assert sum(map(len, topics.values())) == sum(SIZES.values())
    assert all(a.isdisjoint(b) for a, b in combinations(topics.values(), 2))


@pytest.mark.parametrize("split", SIZES)
def test_each_split_has_every_category_type_and_number_of_requirements(split, queries):
    part, n_categories = queries[split], len(TaskCategory)
    assert Counter(query.category for query in part) == dict.fromkeys(
        TaskCategory, len(part) // n_categories
    )
    sizes = Counter(len(query.requirements) for query in part)
    assert sizes == dict.fromkeys((1, 2, 3, 4), len(part) // 4)
    assert {r.type for query in part for r in query.requirements} == set(RequirementType)


def test_every_requirement_has_a_check_in_its_one_form_and_goes_with_the_others(queries):
    for part in queries.values():
        for query in part:
            checks = [requirement.check for requirement in query.requirements]
            assert fits_together(checks) and all(own_twin(check) == check for check in checks)
            assert not conflicts(checks)


def test_wordings_say_their_checks_and_nearly_all_compile(queries):
    read = [
        (requirement.check, compile_requirement(requirement.text))
        for part in queries.values()
        for query in part
        for requirement in query.requirements
    ]
    assert all(compiled in (None, check) for check, compiled in read)
    assert sum(compiled is None for _, compiled in read) <= 0.01 * len(read)


def test_no_task_says_what_a_check_could_count(queries):
    tasks = [query.base_task for part in queries.values() for query in part]
    assert len(set(tasks)) == len(tasks)
    number = r"(\d+|two|three|four|five|six|ten|a hundred)"
    part = r"(words?|sentences?|paragraphs?|bullets?|headings?|lines?|questions?)"
    counted = re.compile(rf"\b{number} {part}\b", re.IGNORECASE)
    assert not [task for task in tasks if counted.search(task)]
    assert counted.search("Write two sentences.")
