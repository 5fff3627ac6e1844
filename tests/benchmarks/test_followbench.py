"""Ladders: chains by construction, and how far a policy follows."""

from __future__ import annotations

import json

import numpy as np
import pytest
from benchmarks.cases import ladder, loaded, save, values

from wfine_utils.errors import WfineError


def without_responses(levels: int) -> list[dict]:
    return [{k: v for k, v in row.items() if k != "response"} for row in ladder(levels)]


def test_a_chain_has_the_highest_instruction_and_the_level_as_gold(tmp_path):
    rows = ladder(3)[::-1] + ladder(2, example_id=2)
    benchmark = loaded(tmp_path, rows)
    first, second = benchmark.chains
    assert first.chain_id == "style-1" and first.base_task == "Write, with 3."
    assert [r.text for r in first.responses] == ["text 1", "text 2", "text 3"]
    assert first.gold == (1, 2, 3) and second.gold == (1, 2)
    assert first.requirements == ()


def test_responses_of_a_second_file_in_both_forms(tmp_path):
    theirs = [
        {"prompt_new": "Write, with 1.", "choices": [{"message": {"content": "one"}}]},
        {"instruction": "Write, with 2.", "response": "two"},
    ]
    path = save(tmp_path / "said.jsonl", theirs)
    start = without_responses(2)
    zero = start[0] | {"level": 0, "instruction": "Write."}
    (chain,) = loaded(tmp_path, [zero, *start], responses=path).chains
    assert [r.text for r in chain.responses] == ["one", "two"]
    path.write_text(json.dumps({"prompt_new": "Write.", "choices": []}))
    with pytest.raises(WfineError, match=r"said.jsonl:1: instruction: found no instruction with"):
        loaded(tmp_path, start, responses=path)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (without_responses(2), "level 1.response: found nothing, expected a text"),
        (ladder(1), "level: found 1 level of style-1 with a response, expected two or more"),
        (ladder(2) + ladder(2), "level: found level 1 of style-1 twice"),
        (ladder(2, level=-1), "level: found -1"),
        (ladder(2, "example"), "category: found 'example', expected one whose levels add"),
    ],
)
def test_what_is_no_ladder(rows, message, tmp_path):
    with pytest.raises(WfineError, match=f"bench.jsonl:1: {message}"):
        loaded(tmp_path, rows)


def test_satisfaction_by_hand(tmp_path):
    rows = [row for i in range(3) for row in ladder(3, example_id=i)]
    verdicts = [
        [[1], [1, 1], [1, 1, 1]],  # three levels in a row
        [[1], [1, 0], [1, 1, 1]],  # one
        [[0], [1, np.nan], [1, 0, 0]],  # none
    ]
    table = values(loaded(tmp_path, rows).official(verdicts=verdicts))
    hard = {n: table["hard_satisfaction", f"level {n}"] for n in (1, 2, 3)}
    soft = {n: table["soft_satisfaction", f"level {n}"] for n in (1, 2, 3)}
    assert hard == {1: 2 / 3, 2: 1 / 3, 3: 2 / 3}
    assert soft == pytest.approx({1: 2 / 3, 2: 2 / 3, 3: (1 + 1 + 1 / 3) / 3})
    assert table["hard_satisfaction", "mean of subsets"] == pytest.approx(5 / 9)
    assert table["consistent_levels", "all"] == pytest.approx((3 + 1 + 0) / 3)
    assert table["undecided_rate", "all"] == pytest.approx(1 / 18)


def test_the_level_without_constraints_has_no_say(tmp_path):
    rows = [ladder(1)[0] | {"level": 0, "instruction": "Write."}, *ladder(1)]
    table = loaded(tmp_path, rows).official(verdicts=[[[], [1]]])
    assert table[table["metric"] == "hard_satisfaction"]["subset"].tolist() == [
        "level 1", "mean of subsets",
    ]  # fmt: skip


def test_scores_rank_and_verdicts_satisfy(tmp_path):
    benchmark = loaded(tmp_path, ladder(2))
    with pytest.raises(WfineError, match=r"found scores, expected verdicts alone.*weval.evaluate"):
        benchmark.official([[1, 2]])
