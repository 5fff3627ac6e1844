"""The two layouts in which the paper's authors keep their chains.

*Released parquet*: one row per response, level by level: every chain's response of the first
level, then every chain's of the second, and so on; row ``i`` of each level belongs to chain
``i``. *Released eval*: JSON lines, five consecutive lines per chain. In both, the length of
``instruction_id_list`` is the number of requirements kept, and those kept are the first ones.

None of this is taken on trust. That the levels are of one size, that a chain's requirement lists
agree, that every kept requirement stands verbatim in its prompt, and that nothing else does but one
task, the same on every level, is checked for each row. (A line of the eval layout may name the
whole list; its prompt then holds all of it, or what is kept.)

Requirement types, categories and topics are not labelled there, and no machine check exists.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import groupby
from pathlib import Path
from typing import Annotated, Any, NamedTuple

from pydantic import ConfigDict, Field, TypeAdapter
from pydantic.dataclasses import dataclass

from wfine_utils.chains.records import Problems, read_lines, read_rows, short, validated
from wfine_utils.chains.taxonomy import Chain, NonEmptyText, Requirement, Response

PARQUET_COLUMNS = frozenset({"prompt", "instruction_id_list", "constraint", "response"})
EVAL_FIELDS = frozenset({"prompt", "instruction_id_list", "constraint", "chosen"})

_MARK_BEFORE = re.compile(r"([\s;,]|^[ \t]*([-*•–]|\(?\d+[.)]))*\Z", re.MULTILINE)

EVAL_GROUP = 5
"""Consecutive lines of the eval layout that make one chain."""


@dataclass(frozen=True, config=ConfigDict(extra="ignore"))
class _Row:
    """One response; its text is called ``response`` in one layout and ``chosen`` in the other."""

    prompt: NonEmptyText
    instruction_id_list: list[Any]
    constraint: Annotated[list[NonEmptyText], Field(min_length=1)]
    text: str


@dataclass(frozen=True, config=ConfigDict(extra="ignore"))
class _ParquetRow(_Row):
    text: str = Field(alias="response")


@dataclass(frozen=True, config=ConfigDict(extra="ignore"))
class _EvalRow(_Row):
    text: str = Field(alias="chosen")


class _Placed(NamedTuple):
    place: int  # line or row
    prompt: str
    requirements: list[str]
    n_kept: int
    text: str


def _rows(
    kind: type[_Row], records: Iterable[tuple[int, str]], problems: Problems
) -> list[_Placed]:
    adapter = TypeAdapter(kind)
    return [
        _Placed(place, row.prompt, row.constraint, len(row.instruction_id_list), row.text)
        for place, text in records
        if (row := validated(adapter, text, place, problems)) is not None
    ]


def load_released_parquet(path: Path) -> list[Chain]:
    """Chains of the parquet layout; see the module's first paragraph.

    Levels are found in the data: a level is a run of rows that keep the same number of
    requirements. The column ``kwargs`` is not used.
    """
    problems = Problems(path, "row ", "released_parquet")
    records = read_rows(path, PARQUET_COLUMNS, frozenset({"kwargs"}), problems)
    rows = _rows(_ParquetRow, records, problems)
    for row in rows:
        if row.n_kept != len(row.requirements):
            problems.add(row.place, "instruction_id_list", f"found {row.n_kept} entries, expected "
                         f"one for each of the {len(row.requirements)} of constraint")  # fmt: skip
    problems.raise_if_any()
    levels = _levels(rows, problems)
    problems.raise_if_any()
    return _assembled([list(group) for group in zip(*levels, strict=True)], problems)


def _levels(rows: list[_Placed], problems: Problems) -> list[list[_Placed]]:
    levels = [list(block) for _, block in groupby(rows, key=lambda row: row.n_kept)]
    first_of: dict[int, int] = {}
    for level in levels:
        place, n_kept = level[0].place, level[0].n_kept
        if n_kept in first_of:
            problems.add(place, "constraint", f"found {n_kept} requirements again after the level "
                         f"that begins at row {first_of[n_kept]}, expected the rows of one level "
                         "to be consecutive")  # fmt: skip
        elif len(level) != len(levels[0]):
            problems.add(place, "constraint", f"found a level of {len(level)} rows ({n_kept} "
                         f"requirements), expected {len(levels[0])} rows as in the first "
                         "level")  # fmt: skip
        first_of.setdefault(n_kept, place)
    if len(levels) == 1:
        problems.add(0, "constraint", f"found {levels[0][0].n_kept} requirements in every row, so "
                     "each chain has one response, expected at least two levels")  # fmt: skip
    return levels


def load_released_eval(path: Path) -> list[Chain]:
    """Chains of the eval layout; see the module's first paragraph.

    ``constraint`` may hold the chain's whole list on every line, or only the requirements kept.
    Fields that are not named in ``EVAL_FIELDS`` (scores, times) are not used.
    """
    problems = Problems(path, "", "released_eval")
    rows = _rows(_EvalRow, read_lines(path, problems), problems)
    problems.raise_if_any()
    groups = [rows[i : i + EVAL_GROUP] for i in range(0, len(rows), EVAL_GROUP)]
    if len(groups[-1]) != EVAL_GROUP:
        problems.add(groups[-1][0].place, "whole record", f"found {len(groups[-1])} lines left for "
                     f"the last chain, expected {EVAL_GROUP} consecutive lines")  # fmt: skip
    problems.raise_if_any()
    return _assembled(groups, problems)


def _assembled(groups: list[list[_Placed]], problems: Problems) -> list[Chain]:
    chains = [_chain(f"released-{i:04d}", group, problems) for i, group in enumerate(groups)]
    problems.raise_if_any()
    return [chain for chain in chains if chain is not None]


def _chain(chain_id: str, group: list[_Placed], problems: Problems) -> Chain | None:
    before = len(problems.lines)
    longest = max(group, key=lambda row: (len(row.requirements), row.n_kept))
    full, at = longest.requirements, f"at {problems.unit or 'line '}{longest.place}"
    read = [_base_tasks(row) for row in group]
    first = read[group.index(longest)]
    base = next((task for task in first if all(task in own for own in read)), first[0])
    for row, own in zip(group, read, strict=True):
        if row.n_kept > len(full):
            problems.add(row.place, "instruction_id_list", f"found {row.n_kept} entries, expected "
                         f"at most the {len(full)} of constraint")  # fmt: skip
        elif row.requirements not in (full, full[: row.n_kept]):
            problems.add(row.place, "constraint", f"found {short(row.requirements)}, expected the "
                         f"first {row.n_kept} entries of its chain's list {at}")  # fmt: skip
        elif absent := _without(row.prompt, row.requirements[: row.n_kept])[1]:
            problems.add(row.place, "prompt", f"found no {short(absent[0])} in it, expected every "
                         "kept requirement verbatim")  # fmt: skip
        elif base not in own:
            problems.add(row.place, "prompt", f"found {short(own[0])} besides the requirements it "
                         f"keeps, expected {short(base)} as {at}")  # fmt: skip
    if not base:
        problems.add(longest.place, "prompt", "found nothing besides the requirements, "
                     "expected a task")  # fmt: skip
    if len(problems.lines) > before:
        return None
    kept = (tuple(i < row.n_kept for i in range(len(full))) for row in group)
    responses = tuple(Response(r.text, k, "released") for r, k in zip(group, kept, strict=True))
    return Chain(chain_id, None, base, tuple(Requirement(None, None, t) for t in full), responses)


def _base_tasks(row: _Placed) -> list[str]:
    """What stands in a prompt besides all requirements that its row names, or besides those kept.

    Only what is left when every one of them was in it, if that is so for one of the two. What
    stands before requirements that end the prompt as :meth:`Query.prompt` writes them comes first,
    as it is: a comma at its end may belong to the task, and the prompt comes back byte for byte.
    """
    parts = row.requirements, row.requirements[: row.n_kept]
    ends = [" " + " ".join(part) for part in parts]
    before = [row.prompt.removesuffix(end).strip() for end in ends if row.prompt.endswith(end)]
    struck = [_without(row.prompt, part) for part in parts]
    return [*before, *(t for t, absent in struck if not absent)] or [struck[0][0]]


def _without(prompt: str, requirements: Sequence[str]) -> tuple[str, list[str]]:
    """The prompt without the requirements, the last occurrence of each; and those not in it.

    Longer ones are struck out first, so that one that is part of another is not struck out of it.
    With each goes what parts it from the rest: a list mark, a comma, a semicolon.
    """
    absent = []
    for requirement in sorted(requirements, key=len, reverse=True):
        head, match, tail = prompt.rpartition(requirement)
        if match:
            rest = tail.lstrip(" \t\n;,")
            between = "\n" if "\n" in tail[: len(tail) - len(rest)] else " "
            prompt = between.join(part for part in (_MARK_BEFORE.sub("", head), rest) if part)
        else:
            absent.append(requirement)
    return prompt.strip(), absent
