"""The generator on a source made up here: who gets which cell, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from wfine_course import generation
from wfine_course.build import main
from wfine_utils.errors import WfineError


def cell(kind: str, name: str, source: str, *tags: str, **more: Any) -> dict:
    made = {"cell_type": kind, "id": name, "metadata": {"tags": [*tags], **more}, "source": source}
    return made | ({"outputs": [], "execution_count": None} if kind == "code" else {})


def cells() -> list[dict]:
    body = (
        "def double(x):\n    ### BEGIN SOLUTION\n    y = x\n    return x + y\n    ### END SOLUTION"
    )
    return [
        cell("code", "setup", "import math", "setup"),
        cell("markdown", "task", "Double it."),
        cell("code", "double", body, "exercise"),
        cell("code", "double-check", 'check("start", "double", globals())', "check"),
        cell("code", "double-wrong-1", "def double(x):\n    return x", "wrong", why="once"),
        cell("code", "double-wrong-2", "def double(x):\n    return 2", "wrong", why="two"),
        cell("markdown", "said", "Twice.", "solution"),
        cell("markdown", "teach", "Ask first.", "instructor"),
        cell("code", "after", "double(2)", "after"),
        cell("code", "quiz", 'quiz = open_quiz("start")', "quiz"),
    ]


def written(folder: Path, of: list[dict]) -> Path:
    path = folder / "00-start" / "source.ipynb"
    path.parent.mkdir(parents=True, exist_ok=True)
    notebook = {"cells": of, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    path.write_text(json.dumps(notebook), encoding="utf-8")
    return path


def made(folder: Path, kind: generation.Kind, **options: Any) -> dict[str, dict]:
    source = generation.read_source(written(folder, cells()))
    notebook = generation.generate(source, kind, **options)
    return {c["id"]: c | {"source": "".join(c["source"])} for c in notebook["cells"]}


class TestKinds:
    def test_exercise(self, tmp_path):
        exercise = made(tmp_path, "exercise")
        expected = 'def double(x):\n    raise NotImplementedError("double: your code here")'
        assert exercise["double"]["source"] == expected
        assert not {"said", "teach", "double-wrong-1"} & set(exercise)
        assert exercise["quiz-1-answer"]["source"] == 'quiz.answer(1, "")'
        assert exercise["quiz-check"]["source"] == "quiz.points()"

    def test_solution(self, tmp_path):
        solution = made(tmp_path, "solution")
        assert solution["double"]["source"] == "def double(x):\n    y = x\n    return x + y"
        assert "said" in solution and not {"teach", "double-wrong-1"} & set(solution)
        assert solution["quiz-1-answer"]["source"] == 'quiz.answer(1, "a")'

    def test_instructor(self, tmp_path):
        instructor = made(tmp_path, "instructor")
        assert {"said", "teach"} <= set(instructor)
        wrong = instructor["double-wrong-1"]
        assert wrong["cell_type"] == "markdown" and "refuses: once</summary>" in wrong["source"]
        assert "Right: a." in instructor["quiz-1"]["source"]

    def test_nbgrader_keeps_the_solution_between_its_marks(self, tmp_path):
        source = made(tmp_path, "exercise", for_nbgrader=True)["double"]["source"]
        assert "### BEGIN SOLUTION\n    y = x" in source

    def test_metadata_of_nbgrader(self, tmp_path):
        exercise = made(tmp_path, "exercise")
        assert exercise["double"]["metadata"]["nbgrader"] == {
            "schema_version": 3, "grade_id": "double", "cell_type": "code", "task": False,
            "grade": False, "locked": False, "solution": True,
        }  # fmt: skip
        assert exercise["double-check"]["metadata"]["nbgrader"] == {
            "schema_version": 3, "grade_id": "double-check", "cell_type": "code", "task": False,
            "grade": True, "locked": True, "solution": False, "points": 2,
        }  # fmt: skip
        assert exercise["quiz-check"]["metadata"]["nbgrader"]["points"] == 10
        assert "nbgrader" not in exercise["quiz-1-answer"]["metadata"]


def without(name: str) -> list[dict]:
    return [c for c in cells() if c["id"] != name]


def changed(name: str, **values: Any) -> list[dict]:
    return [c | values if c["id"] == name else c for c in cells()]


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (without("double-check"), "cell 'double': found no check, expected a cell 'double-check'"),
        (without("double-wrong-2"), "cell 'double': expected two wrong answers or more"),
        (changed("double", source="def double(x):\n    return 2"), "expected one ### BEGIN"),
        (changed("double-check", source="double(1)"), r"expected a call check\("),
        (changed("said", metadata={"tags": ["answer"]}), r"found tags \['answer'\], expected"),
        (changed("double-wrong-1", metadata={"tags": ["wrong"]}), "found no 'why'"),
        (changed("said", id="task"), "cell 'task': found this id twice"),
    ],
)
def test_a_source_that_is_not_in_order(tmp_path, source, message):
    written(tmp_path, source)
    with pytest.raises(WfineError, match=message):
        generation.build(tmp_path)
    assert [p.name for p in (tmp_path / "00-start").iterdir()] == ["source.ipynb"]


def test_all_problems_at_once(tmp_path):
    source = [c for c in cells() if c["id"] not in {"double-check", "double-wrong-1"}]
    with pytest.raises(WfineError, match="2 problems"):
        generation.read_source(written(tmp_path, source))


def test_what_is_no_notebook(tmp_path):
    path = written(tmp_path, cells())
    path.write_text("[]")
    with pytest.raises(WfineError, match="found no notebook"):
        generation.read_source(path)


class TestCommand:
    def test_writes_and_then_has_nothing_to_do(self, tmp_path, capsys):
        written(tmp_path, cells())
        assert main(["--course", str(tmp_path)]) == 0
        assert len(capsys.readouterr().out.splitlines()) == 3
        assert main(["--course", str(tmp_path), "--look"]) == 0
        assert main(["--course", str(tmp_path)]) == 0
        assert capsys.readouterr().out == ""

    def test_look_names_what_is_stale_and_writes_nothing(self, tmp_path, capsys):
        written(tmp_path, cells())
        assert main(["--course", str(tmp_path), "--look"]) == 2
        assert "exercise.ipynb" in capsys.readouterr().err
        assert not (tmp_path / "00-start" / "exercise.ipynb").exists()

    def test_a_folder_without_weeks(self, tmp_path, capsys):
        assert main(["--course", str(tmp_path)]) == 2
        assert "expected one per week" in capsys.readouterr().err
