"""FollowBench: ladders of instructions, one more constraint a level, and a policy's responses.

One record per level, ``example_id, category, level, instruction``, and its ``response``; or the
responses in a second file, one record each with the ``instruction`` (or ``prompt_new``, as the
authors' code writes it) and ``response`` (or ``choices``, as endpoints answer).

The benchmark has no gold among responses: it asks what share of the constraints a policy meets.
A chain is made of a ladder by construction, as WEval makes its own: the instruction of the highest
level, the responses of all levels, and as gold the level for which a response was written.
Two things are taken on trust. That a level keeps the constraints of the one below: the authors
say so, but reword the instruction at every level, and now and then a constraint is replaced. And
that a policy meets what it was asked: what one fails to meet on every level is no better higher up.
In the category "example" a level adds demonstrations that mislead, which is no constraint that a
response of a lower level lacks: its ladders are refused.

Source: github.com/YJiangcm/FollowBench, README and folder code, Apache-2.0; arXiv 2310.20410.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from wfine_utils.benchmarks.layout import (
    Examined,
    Label,
    Layout,
    Record,
    Refusal,
    Rows,
    any_text,
    refuse,
    text,
)
from wfine_utils.benchmarks.sources import file_rows
from wfine_utils.benchmarks.tables import (
    MEAN_OF_SUBSETS,
    Row,
    nan_rate,
    part,
    table,
    undecided_rate,
)
from wfine_utils.chains.gold import Gold
from wfine_utils.chains.records import Problems
from wfine_utils.chains.taxonomy import Chain, Response


def gathered(rows: Rows, responses: str) -> Iterator[tuple[int, Record]]:
    """The levels of each ladder as one record, at the place of the first of them."""
    said = _responses(Path(responses)) if responses else {}
    ladders: dict[str, tuple[int, list[Record]]] = {}
    for place, record in rows:
        own = {**record, "response": _own_response(record, said)}
        key = f"{record.get('category')}-{record.get('example_id')}"
        ladders.setdefault(key, (place, []))[1].append(own)
    for key, (place, levels) in ladders.items():
        yield place, {"id": key, "levels": levels}


def _responses(path: Path) -> dict[str, Any]:
    """The responses of a file, by the instruction."""
    problems, said = Problems(path, "", "responses to FollowBench"), {}
    for place, record in file_rows(path, problems):
        instruction = record.get("prompt_new", record.get("instruction"))
        response = _own_response(record, {})
        if isinstance(instruction, str) and isinstance(response, str):
            said[instruction] = response
        else:
            problems.add(place, "instruction", "found no instruction with its response, expected "
                         "instruction and response, or prompt_new and choices")  # fmt: skip
    problems.raise_if_any()
    return said


def _own_response(record: Record, said: Mapping[str, Any]) -> Any:
    if "response" in record:
        return record["response"]
    try:
        return record["choices"][0]["message"]["content"]
    except (KeyError, IndexError, TypeError):
        instruction = record.get("instruction")
        return said.get(instruction) if isinstance(instruction, str) else None


def chain(record: Record, chain_id: str) -> tuple[Chain, Label]:
    """Levels in order; level 0, the task without a constraint, only where it was answered."""
    category = text(record["levels"][0].get("category"), "category")
    if category == "example":
        refuse("category", category, "one whose levels add constraints: demonstrations are none")
    steps = {}
    for row in record["levels"]:
        level = row.get("level")
        if isinstance(level, bool) or not isinstance(level, int) or level < 0:
            refuse("level", level, "a number from 0")
        if level in steps:
            raise Refusal("level", f"found level {level} of {chain_id} twice, expected it once")
        instruction = text(row.get("instruction"), f"level {level}.instruction")
        if level or row["response"] is not None:
            steps[level] = instruction, any_text(row["response"], f"level {level}.response")
    if len(steps) < 2:
        raise Refusal("level", f"found {len(steps)} level of {chain_id} with a response, expected "
                      "two or more")  # fmt: skip
    levels = tuple(sorted(steps))
    responses = tuple(Response(steps[level][1], ()) for level in levels)
    return Chain(
        chain_id, None, steps[levels[-1]][0], (), responses,
        judged=Gold(grades={"level": tuple(map(float, levels))}),
    ), Label(subset=category, levels=levels)  # fmt: skip


def official(examined: Examined) -> pd.DataFrame:
    """How far the policy follows, from verdicts: [ladders][levels][as many as the level].

    ``hard_satisfaction`` of a level is the share of the ladders in which all its constraints are
    met, ``soft_satisfaction`` the mean share of them; the mean of the levels stands below.
    ``consistent_levels`` is how many levels in a row, from the first, are met wholly. Level 0 has
    no constraint and no say. An undecided verdict is one that is not met.
    """
    _, labels, scores, verdicts, boot = examined
    assert verdicts is not None
    shares = [_met(*of_ladder) for of_ladder in zip(labels, verdicts, strict=True)]
    numbers = sorted({n for by_level in shares for n in by_level})
    rows = []
    for metric, soft in (("hard_satisfaction", False), ("soft_satisfaction", True)):
        parts = [
            part([(s[n] if soft else float(s[n] == 1)) if n in s else np.nan for s in shares])
            for n in numbers
        ]
        rows += [Row(metric, f"level {n}", [p]) for n, p in zip(numbers, parts, strict=True)]
        equal = [p._replace(weight=1 / len(numbers)) for p in parts]
        rows.append(Row(metric, MEAN_OF_SUBSETS, equal))
    rows.append(Row("consistent_levels", "all", [part([_in_a_row(s) for s in shares])]))
    rows.append(undecided_rate(verdicts))
    return table(rows if scores is None else [*rows, nan_rate(scores)], boot)


def _met(label: Label, verdicts: Sequence[Any]) -> dict[int, float]:
    """The share of the constraints that are met, by level; none of level 0."""
    said = zip(label.levels, verdicts, strict=True)
    return {n: float((np.asarray(v, dtype=float) >= 0.5).mean()) for n, v in said if n}


def _in_a_row(shares: Mapping[int, float]) -> float:
    """NaN where a level is not there of which it would have to be said."""
    n = 0
    while shares.get(n + 1) == 1:
        n += 1
    return float(n) if n + 1 in shares or n == max(shares) else float("nan")


LAYOUT = Layout(
    name="followbench",
    looked_for="example_id, category, level and instruction",
    fits=lambda record: {"example_id", "category", "level", "instruction"} <= {*record},
    chain=chain,
    official=official,
    needs="verdicts",
    gathered=gathered,
)
