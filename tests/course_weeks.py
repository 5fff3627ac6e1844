"""The weeks of the course as the tests see them: every folder of course/ with a source."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from types import ModuleType
from typing import Any

from conftest import ROOT

from wfine_course.checking import Grade, check
from wfine_course.generation import (
    Cell,
    Exercise,
    Source,
    blank,
    read_source,
    solved,
    sources,
    tags,
)

PATHS = sources(ROOT / "course")
SOURCES = {path.parent.name: read_source(path) for path in PATHS}
EXERCISES = [(name, e) for name, source in SOURCES.items() for e in source.exercises]
IDS = [f"{name}-{e.cell['id']}" for name, e in EXERCISES]
LABS = [name for name, s in SOURCES.items() if any("lab" in tags(e.cell) for e in s.exercises)]
NOT_GIVEN = frozenset("exercise check wrong solution instructor after quiz".split())


@cache
def before(name: str) -> dict[str, Any]:
    """What the setup cell and the given cells of the lab define, and the solved exercises."""
    space: dict[str, Any] = {"display": lambda *_: None, "__name__": "__main__"}
    for cell in SOURCES[name].cells:
        if cell["cell_type"] != "code":
            continue
        if "exercise" in tags(cell):
            exec(solved(cell["source"]), space)  # noqa: S102 -- our own notebook
        elif tags(cell) & {"setup", "lab"} and not tags(cell) & NOT_GIVEN:
            exec(cell["source"], space)  # noqa: S102 -- our own notebook
    return space


def graded(name: str, exercise: Exercise, code: str) -> Grade:
    """What the check says when the cell of an exercise holds this code."""
    space = dict(before(name))
    exec(compile(code, f"<{exercise.name}>", "exec"), space)  # noqa: S102 -- our own notebook
    return check(SOURCES[name].week, exercise.name, space)


def solution(exercise: Exercise) -> str:
    """The code of a solved exercise."""
    return solved(exercise.cell["source"])


def unsolved(exercise: Exercise) -> str:
    """The code of an exercise as a student gets it."""
    return blank(exercise.cell["source"], exercise.name)


def defined(name: str, exercise: Exercise, code: str) -> Any:
    """The function that some code of an exercise defines."""
    space = dict(before(name))
    exec(code, space)  # noqa: S102 -- our own notebook
    return space[exercise.name]


def setup_names(name: str) -> dict[str, Any]:
    """What the setup cell alone defines."""
    space: dict[str, Any] = {}
    for cell in SOURCES[name].cells:
        if "setup" in tags(cell):
            exec(cell["source"], space)  # noqa: S102 -- our own notebook
    return space


def module(source: Source, part: str) -> ModuleType:
    """``checks`` or ``lab`` of a week."""
    return import_module(f"wfine_course.{source.week}.{part}")


def code_cells(source: Source) -> list[Cell]:
    """The cells of code of a source."""
    return [cell for cell in source.cells if cell["cell_type"] == "code"]
