"""The authors' two layouts: what is read from them, and every way they can fail to hold."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from chain_files import message, write_lines
from conftest import ROOT

from wfine_utils.chains.files import load_chains
from wfine_utils.chains.taxonomy import Response

RELEASED = ROOT.parent / "shared" / "data" / "released_chains_dev.parquet"
REQUIREMENTS = [f"Rule {i}." for i in range(5)]
TASKS = ["Write a song", "Plan a week.", "Argue.\n\nTwice:"]


def released_rows(levels=(1, 2, 3), tasks=TASKS, **changes) -> list[dict]:
    return [
        {
            "prompt": " ".join([task, *REQUIREMENTS[:k]]),
            "instruction_id_list": ["soft"] * k,
            "constraint": REQUIREMENTS[:k],
            "response": f"{task} {k}",
            "kwargs": [{"num_bullets": None}] * k,
        }
        for k in levels
        for task in tasks
    ]


def released(tmp_path: Path, rows: list[dict]) -> Path:
    path = tmp_path / "released.parquet"
    pq.write_table(pa.Table.from_pylist(rows), path)
    return path


@pytest.mark.parametrize("levels", [(1, 2, 3), (5, 1, 3), (1, 2, 3, 4, 5)])
def test_released_parquet(tmp_path, levels):
    loaded = load_chains(released(tmp_path, released_rows(levels)))
    assert [c.chain_id for c in loaded] == ["released-0000", "released-0001", "released-0002"]
    for c, task in zip(loaded, TASKS, strict=True):
        assert (c.base_task, c.category, c.topic) == (task, None, "")
        assert c.gold == levels
        assert [r.text for r in c.requirements] == REQUIREMENTS[: max(levels)]
        assert {(r.type, r.subtype, r.check) for r in c.requirements} == {(None, None, None)}
        assert [r.text for r in c.responses] == [f"{task} {k}" for k in levels]
        assert c.responses[levels.index(3)].kept == (True, True, True, False, False)[: max(levels)]
        assert {r.source for r in c.responses} == {"released"}


def test_released_parquet_that_does_not_hold(tmp_path):
    def broken(place: int, **changes: object) -> str:
        rows = released_rows()
        rows[place] |= changes
        return message(released(tmp_path, rows))

    at = "released.parquet:row 4: "
    assert at + "response: found None, expected a valid string" in broken(4, response=None)
    assert at + "instruction_id_list: found 1 entries, expected one for each of the 2" in broken(
        4, instruction_id_list=["soft"]
    )
    assert at + "constraint: found ['Rule 0.', 'Other.'], expected the first 2 entries" in broken(
        4, constraint=["Rule 0.", "Other."]
    )
    assert at + "prompt: found no 'Rule 1.' in it" in broken(4, prompt="Plan a week. Rule 0.")
    assert at + "prompt: found 'Plan a day.' besides the requirements it keeps, expected" in broken(
        4, prompt="Plan a day. Rule 0. Rule 1."
    )
    rows = released_rows()
    assert "row 6: constraint: found a level of 2 rows (3 requirements), expected 3" in message(
        released(tmp_path, rows[:-1])
    )
    assert "requirements again after the level that begins at row 0" in message(
        released(tmp_path, sorted(rows, key=lambda row: row["prompt"]))
    )
    assert "each chain has one response, expected at least two levels" in message(
        released(tmp_path, rows[:3])
    )
    assert "found nothing besides the requirements" in message(
        released(tmp_path, released_rows(tasks=[""]))
    )
    assert "extra: found this column" in message(
        released(tmp_path, [row | {"extra": 1} for row in rows])
    )
    assert "response: found no such column" in message(
        released(tmp_path, [{k: v for k, v in row.items() if k != "response"} for row in rows])
    )
    rows = [row | {"response": float("nan")} for row in rows]
    assert "row 0: response: found nan, expected a valid string" in message(
        released(tmp_path, rows)
    )


def eval_lines(whole_list: bool = True) -> list[dict]:
    return [
        {
            "prompt": " ".join([task, *(REQUIREMENTS if whole_list else REQUIREMENTS[:k])]),
            "chosen": f"{task} {k}",
            "constraint": REQUIREMENTS if whole_list else REQUIREMENTS[:k],
            "instruction_id_list": ["soft"] * k,
            "score": 0.5,
        }
        for task in TASKS
        for k in (3, 1, 5, 4, 2)
    ]


@pytest.mark.parametrize("whole_list", [True, False])
def test_released_eval(tmp_path, whole_list):
    path = write_lines(tmp_path / "eval.jsonl", *eval_lines(whole_list))
    loaded = load_chains(path)
    assert loaded == load_chains(path, format="released_eval")
    assert [c.base_task for c in loaded] == TASKS
    assert all(c.gold == (3, 1, 5, 4, 2) for c in loaded)
    assert loaded[1].responses[1] == Response("Plan a week. 1", (True,) + (False,) * 4, "released")
    assert [r.text for r in loaded[2].requirements] == REQUIREMENTS


def test_released_eval_that_does_not_hold(tmp_path):
    def broken(place: int, **changes: object) -> str:
        lines = eval_lines()
        lines[place] |= changes
        return message(write_lines(tmp_path / "eval.jsonl", *lines))

    assert "eval.jsonl:7: chosen: found None, expected a valid string" in broken(6, chosen=None)
    assert "eval.jsonl:7: instruction_id_list: found 6 entries, expected at most the 5" in broken(
        6, instruction_id_list=["soft"] * 6
    )
    assert "eval.jsonl:7: constraint: found" in broken(6, constraint=REQUIREMENTS[:3])
    assert "eval.jsonl:7: prompt: found 'Write a song' besides the requirements it k" in broken(
        6, prompt=eval_lines()[0]["prompt"]
    )
    path = write_lines(tmp_path / "eval.jsonl", *eval_lines()[:-2])
    assert "eval.jsonl:11: whole record: found 3 lines left for the last chain" in message(path)


def test_the_authors_own_file():
    if not RELEASED.exists():
        pytest.skip(f"development data absent: {RELEASED.name}")
    rows = pd.read_parquet(RELEASED)
    loaded = load_chains(RELEASED)
    assert len(loaded) == 356
    assert {c.gold for c in loaded} == {(1, 2, 3, 4, 5)}
    assert loaded[7].chain_id == "released-0007"
    for i, c in enumerate(loaded):
        for k in range(5):
            kept = tuple(j <= k for j in range(5))
            assert c.prompt(kept) == rows.prompt[356 * k + i]
            assert c.responses[k] == Response(rows.response[356 * k + i], kept, "released")


def test_truncated_parquet(tmp_path):
    path = released(tmp_path, released_rows())
    path.write_bytes(path.read_bytes()[:-40])
    assert "cannot be read as parquet" in message(path)
    assert "cut short" in message(path)
    # the footer whole, the pages damaged
    path = released(tmp_path, released_rows(tasks=[f"Task {i}" for i in range(500)]))
    raw = bytearray(path.read_bytes())
    raw[100:3000] = bytes(2900)
    path.write_bytes(raw)
    assert "released.parquet" in message(path)


def test_parquet_text_that_is_not_utf8(tmp_path):
    # Arrow trusts the buffers it is given, as other writers of parquet may
    text = pa.Array.from_buffers(
        pa.string(), 1, [None, pa.py_buffer(b"\0\0\0\0\1\0\0\0"), pa.py_buffer(b"\xfc")]
    )
    path = released(tmp_path, released_rows()[:1])
    table = pq.read_table(path)
    pq.write_table(table.set_column(table.column_names.index("response"), "response", text), path)
    assert "Invalid UTF8" in message(path)


def test_released_parquet_without_rows(tmp_path):
    pq.write_table(pa.Table.from_pylist(released_rows()).slice(0, 0), tmp_path / "a.parquet")
    assert "has no rows" in message(tmp_path / "a.parquet")


HERON, NET = "Mention the heron", "Mention the heron and the net."


@pytest.mark.parametrize("order", [(NET, HERON), (HERON, NET), (HERON, "Rhyme.", NET)])
@pytest.mark.parametrize("in_prompt", [lambda r: r, lambda r: r[::-1]])
def test_a_requirement_may_be_part_of_another_and_of_the_task(tmp_path, order, in_prompt):
    task = "Mention the heron twice"
    rows = [
        {"prompt": " ".join([task, *in_prompt(order[:k])]), "constraint": list(order[:k]),
         "instruction_id_list": [0] * k, "response": str(k)}
        for k in range(len(order), 0, -1)
    ]  # fmt: skip
    (loaded,) = load_chains(released(tmp_path, rows))
    assert loaded.base_task == task and loaded.gold == tuple(range(len(order), 0, -1))
    assert [r.text for r in loaded.requirements] == list(order)


@pytest.mark.parametrize("n_too_many", [1, 4])
def test_a_prompt_that_holds_what_its_row_dropped_is_refused(tmp_path, n_too_many):
    """Five rows that all hold five requirements have no ranking, whatever their lists say."""
    rows = released_rows((5, 4, 3, 2, 1), TASKS[:1])
    for row in rows[5 - n_too_many :]:
        row["prompt"] = rows[0]["prompt"]
    said = message(released(tmp_path, rows))
    assert f"{n_too_many} problem" in said
    assert "row 4: prompt: found 'Write a song Rule 1. Rule 2. Rule 3. Rule 4.' besides the" in said


def test_a_line_of_the_eval_layout_may_hold_all_it_names_or_what_it_keeps_and_nothing_between(
    tmp_path,
):
    lines = eval_lines()
    for line in lines:
        n_kept = len(line["instruction_id_list"])
        line["prompt"] = line["prompt"].split(" Rule")[0] + "".join(
            f" {rule}" for rule in REQUIREMENTS[:n_kept]
        )
    loaded = load_chains(write_lines(tmp_path / "eval.jsonl", *lines))
    assert [c.base_task for c in loaded] == TASKS
    lines[1]["prompt"] += " Rule 3."
    said = message(write_lines(tmp_path / "eval.jsonl", *lines))
    assert "eval.jsonl:2: prompt: found 'Write a song" in said


@pytest.mark.parametrize("between", [" ", "\n", "\n\n", "\n- ", "\n* ", "\n• ", "; ", ", "])
@pytest.mark.parametrize("levels", [(3, 2, 1), (1, 2, 3)])
def test_what_parts_requirements_goes_with_them(tmp_path, between, levels):
    rows = released_rows(levels)
    for row in rows:
        row["prompt"] = row["prompt"].replace(" Rule", between + "Rule")
    for chain, task in zip(load_chains(released(tmp_path, rows)), TASKS, strict=True):
        assert (chain.base_task, chain.gold) == (task, levels)


@pytest.mark.parametrize("end", [",", ";", "\n-", " 1."])
def test_what_ends_a_task_stays_where_the_prompt_is_written_as_ours(tmp_path, end):
    rows = released_rows(tasks=[task + end for task in TASKS])
    loaded = load_chains(released(tmp_path, rows))
    assert [chain.base_task for chain in loaded] == [task + end for task in TASKS]
    assert loaded[0].prompt((True, True, False)) == rows[len(TASKS)]["prompt"]


def test_numbered_requirements_go_with_their_numbers(tmp_path):
    rows = released_rows()
    for row in rows:
        for i in range(5):
            row["prompt"] = row["prompt"].replace(f" Rule {i}", f"\n{i + 1}. Rule {i}")
    assert [chain.base_task for chain in load_chains(released(tmp_path, rows))] == TASKS
