"""Preference graphs with a checklist: what is read, and both assessments by hand."""

from __future__ import annotations

import numpy as np
import pytest
from benchmarks.cases import GRAPH, loaded, values

from wfine_utils.chains.taxonomy import Turn
from wfine_utils.weval.evaluation import per_chain


def graph(number: int, kind: str, labels: list[list[int]], edges: list[tuple[int, int]]) -> dict:
    return GRAPH | {
        "id": number, "instruction_type": kind,
        "responses": [
            {"response_id": i, "response": f"{number}.{i}", "labels": row}
            for i, row in enumerate(labels)
        ],
        "preference_graph": [
            {"chosen": {"response_id": a}, "rejected": {"response_id": b}} for a, b in edges
        ],
    }  # fmt: skip


def test_what_a_chain_holds(tmp_path):
    benchmark = loaded(tmp_path, [GRAPH])
    (chain,) = benchmark.chains
    assert chain.chain_id == "7"
    assert chain.base_task == "Write a note of two lines, in French."
    assert chain.before[0] == Turn("system", "Be brief.") and len(chain.before) == 3
    assert [r.text for r in chain.requirements] == ["Two lines?", "In French?"]
    assert chain.judged.better == ((0, 1), (1, 2), (0, 2))  # places, not the ids of the file
    (label,) = benchmark.labels
    assert label.met == ((True, True), (True, False), (False, False))
    assert label.kinds == (("constraint: format", "composition: And"), ())


def test_an_edge_told_twice_is_one(tmp_path):
    twice = GRAPH | {"preference_graph": GRAPH["preference_graph"] * 2}
    assert loaded(tmp_path, [twice]).chains[0].judged.better == ((0, 1), (1, 2), (0, 2))


def test_overall_assessment_by_hand(tmp_path):
    chain = [(0, 1), (1, 2), (0, 2)]
    labels = [[1, 1], [1, 0], [0, 0]]
    rows = [graph(i, kind, labels, chain) for i, kind in enumerate(("Single_Turn", "Multi_Turn",
            "Multi_Turn"))]  # fmt: skip
    scores = [[3, 2, 1], [3, 3, 1], [1, 2, 3]]
    benchmark = loaded(tmp_path, rows)
    table = values(benchmark.official(scores))
    tied = 2 / np.sqrt(2 * 3)  # two right, one tied
    assert table["accuracy", "all"] == pytest.approx((1 + 2 / 3 + 0) / 3)
    assert table["accuracy", "Multi_Turn"] == pytest.approx((2 / 3 + 0) / 2)
    assert table["accuracy", "mean of subsets"] == pytest.approx((1 + 1 / 3) / 2)
    assert table["kendall_tau_b", "all"] == pytest.approx((1 + tied - 1) / 3)
    assert table["kendall_tau_b", "Single_Turn"] == 1
    assert table["kendall_tau_b", "mean of subsets"] == pytest.approx((1 + (tied - 1) / 2) / 2)
    assert table["tie_rate", "all"] == pytest.approx(1 / 9)
    # theirs and ours are one definition
    ours = per_chain(benchmark.chains, scores)["kendall_tau_b"].mean()
    assert table["kendall_tau_b", "all"] == pytest.approx(ours)


def test_a_response_without_a_score_is_tied_with_all(tmp_path):
    row = graph(1, "", [[1, 1], [0, 1]], [(0, 1)])
    for scores in ([[np.nan, 1]], [[1, np.nan]]):
        table = values(loaded(tmp_path, [row]).official(scores))
        assert table["accuracy", "all"] == 0 and table["kendall_tau_b", "all"] == 0
        assert table["nan_rate", "all"] == 0.5 and table["tie_rate", "all"] == 1


def test_constraint_assessment_by_hand(tmp_path):
    rows = [
        graph(1, "Single_Turn", [[1, 0], [1, 1]], [(1, 0)]),
        graph(2, "Multi_Turn", [[1, 1], [0, 1]], [(0, 1)]),
    ]
    verdicts = [[[1, 1], [0, 1]], [[1, 1], [0, 1]]]
    table = values(loaded(tmp_path, rows).official(verdicts=verdicts))
    # graph 1: met is found twice, once wrongly and once missed; not met is never found
    assert table["positive_f1", "Single_Turn"] == pytest.approx(2 / 3)
    assert table["negative_f1", "Single_Turn"] == 0
    assert table["positive_f1", "Multi_Turn"] == 1 and table["negative_f1", "Multi_Turn"] == 1
    assert table["positive_f1", "all"] == pytest.approx((2 / 3 + 1) / 2)
    # the first item of both graphs together: met 1, 1, 1, 0 and said 1, 0, 1, 0
    assert table["positive_f1", "constraint: format"] == pytest.approx(2 * 2 / (2 * 2 + 1))
    assert table["negative_f1", "composition: And"] == pytest.approx(2 / 3)
    # shares met: 1 and 0.5 where 1 is better, so wrong; 1 and 0.5 where 0 is better, so right
    assert table["accuracy", "all"] == 0.5 and table["undecided_rate", "all"] == 0


def test_an_undecided_verdict_is_wrong(tmp_path):
    row = graph(1, "", [[1, 1], [0, 1]], [(0, 1)])
    verdicts = [[[1, np.nan], [np.nan, 1]]]
    table = values(loaded(tmp_path, [row]).official([[1, 0]], verdicts=verdicts))
    assert table["positive_f1", "all"] == pytest.approx(2 * 2 / (2 * 2 + 1 + 1))
    assert table["negative_f1", "all"] == 0
    assert table["undecided_rate", "all"] == 0.5
    assert table["accuracy", "all"] == 1  # of the scores that are given
