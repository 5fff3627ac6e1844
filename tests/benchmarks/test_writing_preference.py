"""Accuracy by genre, ties counted as wrong."""

from __future__ import annotations

from benchmarks.cases import WRITING, loaded, values


def test_by_hand(tmp_path):
    tags = ["poetry", "poetry", "drama"]
    rows = [WRITING | {"prompt": f"{i}", "tag": tag} for i, tag in enumerate(tags)]
    benchmark = loaded(tmp_path, rows)
    assert [c.topic for c in benchmark.chains] == tags
    table = values(benchmark.official([[1, 0], [1, 1], [1, 0]]))
    assert table == {
        ("accuracy", "all"): 2 / 3, ("accuracy", "drama"): 1, ("accuracy", "poetry"): 0.5,
        ("tie_rate", "all"): 1 / 3, ("nan_rate", "all"): 0,
    }  # fmt: skip


def test_a_pair_that_nobody_graded(tmp_path):
    rows = [WRITING | {"chosen": {"response": "good"}, "rejected": {"response": "bad"}}]
    assert loaded(tmp_path, rows).layout == "writing_preference"
