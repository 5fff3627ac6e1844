"""Prompts from files: IFEval and IFBench with instructions, WritingBench with checklists.

All become queries whose requirements say how an answer is judged. A file is checked as a whole
before anything is generated: every problem is named with its line or row and its field.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter
from pydantic.dataclasses import dataclass

from wfine_utils.chains import records
from wfine_utils.chains.records import Problems
from wfine_utils.chains.taxonomy import NonEmptyText, Query, Requirement
from wfine_utils.checks.dispatch import CHECKS, check, instruction_kind, is_missing
from wfine_utils.errors import WfineError
from wfine_utils.files import display_path

Layout = Literal["ifeval", "writingbench", "chains"]
_OF_RESPONSES = frozenset({"chain_id", "response", "responses", "chosen"})


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class FreePrompt(Query):
    """A query whose instruction is one free text, ``base_task``; requirements say how to judge."""

    def prompt(self, kept: Sequence[bool] | None = None) -> str:
        """The instruction; nothing can be dropped from it, so ``kept`` must be None."""
        if kept is not None:
            raise ValueError("found kept requirements, but nothing can be dropped from free text")
        return self.base_task


class _Ifeval(BaseModel, extra="forbid"):
    key: int | str
    prompt: NonEmptyText
    instruction_id_list: Annotated[list[NonEmptyText], Field(min_length=1)]
    kwargs: list[dict[str, Any]]
    constraint: Any = None  # a column of some copies, which nothing reads


class _Criterion(BaseModel, extra="forbid"):
    name: NonEmptyText
    criteria_description: NonEmptyText
    marks_1_2: NonEmptyText = Field(alias="1-2")
    marks_3_4: NonEmptyText = Field(alias="3-4")
    marks_5_6: NonEmptyText = Field(alias="5-6")
    marks_7_8: NonEmptyText = Field(alias="7-8")
    marks_9_10: NonEmptyText = Field(alias="9-10")


class _WritingBench(BaseModel, extra="forbid"):
    index: int | str
    domain1: str
    domain2: str
    query: NonEmptyText
    checklist: Annotated[list[_Criterion], Field(min_length=1)]
    lang: str | None = None  # a field of some copies, which nothing reads


_FIELDS: dict[str, type[BaseModel]] = {"ifeval": _Ifeval, "writingbench": _WritingBench}


def layout(path: Path) -> Layout:
    """What a file of prompts holds, by the names of its columns or fields.

    Returns:
        "ifeval" or "writingbench", whichever it shares more names with, so that one that lacks a
        column is refused as such; "chains" where it has a column of responses, or none of these.

    Raises:
        WfineError: the file is missing, empty or unreadable.
    """
    records.check_is_file(path)
    names = set(records.read_columns(path)) if _is_parquet(path) else _fields(path)
    shared = {
        name: len(names & {f.alias or key for key, f in model.model_fields.items()})
        for name, model in _FIELDS.items()
    }
    best: Layout = "ifeval" if shared["ifeval"] >= shared["writingbench"] else "writingbench"
    return "chains" if names & _OF_RESPONSES or not shared[best] else best


def _is_parquet(path: Path) -> bool:
    return path.suffix.lower() in {".parquet", ".pq"}


def _fields(path: Path) -> set[str]:
    """The fields of the first line that is a JSON object; those that are none are named later."""
    for _, line in records.read_lines(path, Problems(path, "", "prompts")):
        try:
            record = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(record, dict):
            return set(record)
    raise WfineError(
        f"{display_path(path)}: found no line that is a JSON object; expected prompts of IFEval or "
        "WritingBench, or chains, one on each line. Check that it is the right file."
    )


def load_ifeval(path: Path) -> tuple[FreePrompt, ...]:
    """The prompts of IFEval or IFBench: ``key, prompt, instruction_id_list, kwargs``.

    They stand in a parquet file or in JSON lines. Arguments that are null or NaN count as missing.

    Returns:
        One prompt per row; ``topic`` is the key. Each instruction is a requirement with its id as
        text and ``check`` = ``{"kind": "ifeval/<id>", **arguments}``, with ``ifbench/`` for those
        of IFBench. An id without a checker is no problem here: such instructions are counted when
        they are judged.

    Raises:
        WfineError: anything else is wrong with the file, up to 20 problems at once.
    """

    def build(record: _Ifeval, place: int, problems: Problems) -> FreePrompt | None:
        ids, kwargs = record.instruction_id_list, record.kwargs
        if len(ids) != len(kwargs):
            expected = f"expected {len(ids)}, one for each of instruction_id_list"
            problems.add(place, "kwargs", f"found {len(kwargs)} sets of arguments, {expected}")
            return None
        instructions = []
        for i, (instruction_id, values) in enumerate(zip(ids, kwargs, strict=True)):
            spec = {name: value for name, value in values.items() if not is_missing(value)}
            if instruction_id == "combination:repeat_prompt":
                spec.setdefault("prompt_to_repeat", record.prompt)
            spec["kind"] = instruction_kind(instruction_id)
            if spec["kind"] in CHECKS:
                try:
                    check(spec, "")  # a blank text costs nothing
                except WfineError as error:
                    problems.add(place, f"kwargs.{i}", str(error))
            instructions.append(Requirement(None, None, instruction_id, spec))
        return FreePrompt(None, record.prompt, tuple(instructions), str(record.key))

    return _load(path, "ifeval", "key", build)


def load_writingbench(path: Path) -> tuple[FreePrompt, ...]:
    """The prompts of WritingBench with their checklists, from JSON lines or parquet.

    Its fields are ``index, domain1, domain2, query, checklist``, those of each criterion ``name,
    criteria_description, 1-2, 3-4, 5-6, 7-8, 9-10``.

    Returns:
        One prompt per line; ``topic`` is the two domains. Each criterion is a requirement:
        ``text`` its name, ``rubric`` all that the checklist says of it, which a critic reads.

    Raises:
        WfineError: anything is wrong with the file, up to 20 problems at once.
    """

    def build(record: _WritingBench, place: int, problems: Problems) -> FreePrompt:
        criteria = []
        for criterion in record.checklist:
            values = criterion.model_dump(by_alias=True)
            head = f"{values.pop('name')}: {values.pop('criteria_description')}"
            marks = "\n".join(f"{marks}: {what}" for marks, what in values.items())
            criteria.append(Requirement(None, None, criterion.name, rubric=f"{head}\n{marks}"))
        topic = f"{record.domain1} / {record.domain2}"
        return FreePrompt(None, record.query, tuple(criteria), topic)

    return _load(path, "writingbench", "index", build)


def _load(
    path: Path, format: str, identity: str, build: Callable[[Any, int, Problems], FreePrompt | None]
) -> tuple[FreePrompt, ...]:
    """Every record of a file, checked and built; ``identity`` is the field that no two share."""
    model = _FIELDS[format]
    problems = Problems(path, "row " if _is_parquet(path) else "", format)
    if _is_parquet(path):
        required = frozenset(k for k, field in model.model_fields.items() if field.is_required())
        optional = frozenset(model.model_fields) - required
        texts = records.read_rows(path, required, optional, problems)
    else:
        texts = records.read_lines(path, problems)
    prompts: list[FreePrompt] = []
    first_place: dict[int | str, int] = {}
    adapter: TypeAdapter[Any] = TypeAdapter(model)
    for place, text in texts:
        text = _with_objects(text)
        if (record := records.validated(adapter, text, place, problems)) is None:
            continue
        value = getattr(record, identity)
        if (first := first_place.setdefault(value, place)) != place:
            before = f"{records.short(value)} again, first at {problems.unit or 'line '}{first}"
            problems.add(place, identity, f"found {before}, expected each once")
        if (prompt := build(record, place, problems)) is not None:
            prompts.append(prompt)
    problems.raise_if_any()
    return tuple(prompts)


def _with_objects(text: str) -> str:
    """A record with its objects as such, where they are JSON texts within the JSON.

    datasets 5.2 writes objects so whose keys differ from row to row; no other reader of parquet
    turns them back.
    """
    try:
        record = json.loads(text)
    except (ValueError, RecursionError):
        return text  # and is named later
    if not isinstance(record, dict):
        return text
    objects = {name: _parsed(record[name]) for name in ("kwargs", "checklist") if name in record}
    return json.dumps(record | objects)


def _parsed(value: Any) -> Any:
    if isinstance(value, list):
        return [_parsed(part) for part in value]
    try:
        return json.loads(value) if isinstance(value, str) else value
    except (ValueError, RecursionError):
        return value
