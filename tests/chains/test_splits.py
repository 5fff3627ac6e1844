"""Splits and folds keep topics together; swapped requirements are those of another chain."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest

from wfine_utils.chains.splits import folds, split_chains, swap_requirements
from wfine_utils.chains.taxonomy import Chain, Requirement, Response
from wfine_utils.errors import WfineError


def chain(chain_id: str, topic: str) -> Chain:
    return Chain(
        chain_id=chain_id,
        category=None,
        base_task=f"Write about {topic}.",
        requirements=(Requirement(None, None, f"Be kind to {chain_id}."),),
        responses=(Response("One.", (True,)), Response("", (False,))),
        topic=topic,
    )


def test_split_keeps_topics_together_and_keeps_the_order():
    data = [chain(str(i), topic=f"topic {i % 20}") for i in range(100)]
    split = split_chains(data, (0.7, 0.1, 0.2), seed=3)
    topics = {name: {c.topic for c in part} for name, part in split.items()}
    assert {name: len(t) for name, t in topics.items()} == {"train": 14, "validation": 2, "test": 4}
    assert len(set.union(*topics.values())) == 20
    assert Counter(c.chain_id for part in split.values() for c in part) == Counter(
        c.chain_id for c in data
    )
    for part in split.values():
        assert part == sorted(part, key=lambda c: int(c.chain_id))


def test_split_depends_on_the_seed_and_not_on_the_order():
    data = [chain(str(i), topic=f"topic {i}") for i in range(30)]

    def test_ids(chains, seed):
        return {c.chain_id for c in split_chains(chains, (0.5, 0.2, 0.3), seed)["test"]}

    assert test_ids(data, 1) == test_ids(data[::-1], 1)
    assert test_ids(data, 1) != test_ids(data, 2)


def test_split_without_topics_keeps_a_repeated_task_together():
    data = [replace(chain(str(i), topic=""), base_task=f"Task {i // 2}") for i in range(20)]
    data[1] = replace(data[1], base_task=" task  0")
    split = split_chains(data, (0.5, 0.25, 0.25), seed=0)
    pairs = [{int(c.chain_id) // 2 for c in part} for part in split.values()]
    assert sum(map(len, pairs)) == 10
    assert [len(part) for part in split.values()] == [2 * len(p) for p in pairs]


def test_split_gives_every_part_something_or_says_why_not():
    data = [chain(str(i), topic=f"topic {i}") for i in range(3)]
    assert [len(p) for p in split_chains(data, (0.98, 0.01, 0.01), 0).values()] == [1, 1, 1]
    assert [len(p) for p in split_chains(data, (0.5, 0.0, 0.5), 0).values()][1] == 0
    with pytest.raises(WfineError, match=r"found 2 different topics .*in 2 chains, expected at le"):
        split_chains(data[:2], (0.6, 0.2, 0.2), 0)
    with pytest.raises(WfineError, match="three shares"):
        split_chains(data, (0.6, 0.2), 0)
    with pytest.raises(WfineError, match="three shares"):
        split_chains(data, (0.6, 0.2, 0.3), 0)


def test_folds_hold_every_chain_out_once_with_its_topic():
    data = [chain(str(i), topic=f"topic {i % 8}") for i in range(24)]
    parts = folds(data, 3, seed=1)
    assert sorted(c.chain_id for part in parts for c in part) == sorted(c.chain_id for c in data)
    topics = [{c.topic for c in part} for part in parts]
    assert sum(map(len, topics)) == len(set.union(*topics)) == 8
    assert max(map(len, topics)) - min(map(len, topics)) <= 1
    assert folds(data[::-1], 3, seed=1)[0] == parts[0][::-1]
    with pytest.raises(WfineError, match="n_folds: found 1, expected 2 or more"):
        folds(data, 1, seed=0)


def test_swapped_requirements_are_those_of_the_next_chain():
    data = [chain(str(i), topic="tea") for i in range(5)]
    swapped = swap_requirements(data)
    assert [c.responses for c in swapped] == [c.responses for c in data]
    assert [c.requirements for c in swapped] == [c.requirements for c in [*data[1:], data[0]]]
    with pytest.raises(WfineError, match=r"found 1 with .* expected two or more"):
        swap_requirements(data[:1])


@pytest.mark.parametrize("blank", ["", " "])
def test_a_chain_without_a_topic_changes_nothing_for_the_others(blank):
    data = [chain(str(i), topic=f"topic {i % 6}") for i in range(60)]
    data[7] = replace(data[7], topic=blank, base_task="Write about nothing.")
    data[8] = replace(data[8], topic=f" Topic {8 % 6}")  # the same but for case and spaces
    data[9] = replace(data[9], topic=blank)  # the task of a topic
    split = split_chains(data, (0.6, 0.2, 0.2), seed=0)
    parts = [{int(c.chain_id) % 6 for c in part if c.chain_id != "7"} for part in split.values()]
    assert sum(map(len, parts)) == len(set.union(*parts)) == 6
    again = split_chains(data[::-1], (0.6, 0.2, 0.2), seed=0)
    assert {k: v[::-1] for k, v in again.items()} == split
    held_out = [{int(c.chain_id) % 6 for c in part if c.chain_id != "7"}
                for part in folds(data, 3, seed=0)]  # fmt: skip
    assert sum(map(len, held_out)) == len(set.union(*held_out)) == 6
