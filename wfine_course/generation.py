"""Notebooks of students and teachers, made from the one source of a week.

A source is a notebook whose cells say by a tag what they are for:

- ``setup``: imports and the data of the week; the first code cell.
- ``exercise``: a function or class, its body between ``### BEGIN SOLUTION`` and ``### END
  SOLUTION``, the marks of nbgrader. Its id is the exercise's.
- ``check``: ``check("week1", "tau_b", globals())``, with the id of the exercise and ``-check``.
- ``wrong``: a plausible wrong answer, ids ``…-wrong-1`` and on, with a ``why`` in the metadata.
- ``solution``: what to say once the exercise is solved.
- ``instructor``: what only a teacher needs.
- ``after``: uses a student's function, so it fails where that is not written yet.
- ``quiz``: ``quiz = open_quiz("week1")``; the questions are put below it.
- ``lab``: besides another tag or alone, a cell of the lab.

A cell without a tag is for everybody. What is made of them:

- ``exercise.ipynb``: blanks, and nothing of ``wrong``, ``solution`` and ``instructor``.
- ``solution.ipynb``: solved, with ``solution``.
- ``instructor.ipynb``: solved, with everything; wrong answers folded up, to be shown in class.
"""

from __future__ import annotations

import ast
import copy
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from wfine_course.checking import POINTS
from wfine_course.quizzes import Question, read_quiz
from wfine_utils.errors import WfineError
from wfine_utils.files import atomic_write, display_path

Cell = dict[str, Any]
Notebook = dict[str, Any]
Kind = Literal["exercise", "solution", "instructor"]

KINDS: tuple[Kind, ...] = ("exercise", "solution", "instructor")
TAGS = frozenset("setup exercise check wrong solution instructor after quiz lab".split())
LEFT_OUT: dict[Kind, frozenset[str]] = {
    "exercise": frozenset({"wrong", "solution", "instructor"}),
    "solution": frozenset({"wrong", "instructor"}),
    "instructor": frozenset(),
}
MARKED = re.compile(r"^([ \t]*)### BEGIN SOLUTION\n(.*?)^[ \t]*### END SOLUTION[^\n]*", re.M | re.S)
QUIZZES = Path(__file__).parent


@dataclass(frozen=True)
class Exercise:
    """One exercise of a source: its cells, and the name that its check looks for."""

    name: str
    cell: Cell
    check: Cell
    wrong: tuple[Cell, ...]


@dataclass(frozen=True)
class Source:
    """The source of one week, read and found in order.

    Attributes:
        path: ``course/<folder>/source.ipynb``.
        week: name of the week's package in ``wfine_course``, such as ``week1``.
        cells: in their order, each with its source as one text.
        exercises: in their order, those of the lab among them.
        questions: of its quiz.
    """

    path: Path
    week: str
    cells: tuple[Cell, ...]
    metadata: dict[str, Any]
    exercises: tuple[Exercise, ...]
    questions: tuple[Question, ...]


def week_of(path: Path) -> str:
    """The week that a source is of: ``course/00-start`` is ``start``.

    >>> week_of(Path("course/week1/source.ipynb")), week_of(Path("course/00-start/source.ipynb"))
    ('week1', 'start')
    """
    return path.parent.name.split("-")[-1]


def tags(cell: Cell) -> frozenset[str]:
    """The tags of a cell."""
    return frozenset(cell["metadata"].get("tags", ()))


def read_source(path: Path) -> Source:
    """Read the source of a week.

    Raises:
        WfineError: it is no notebook, or a cell is not as this module says; every problem of the
            file is named, with its cell, what was found, and what was expected.
    """
    try:
        notebook = json.loads(path.read_text(encoding="utf-8"))
        cells = [{**c, "source": "".join(c["source"])} for c in notebook["cells"]]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise WfineError(
            f"{display_path(path)}: found no notebook ({error}), expected one."
        ) from None
    problems = [*_problems(cells)]
    if problems:
        count = f"{len(problems)} problem{'s' * (len(problems) > 1)}"
        raise WfineError(
            f"{display_path(path)}: {count}, nothing was written. Mend the source and run "
            "`make course` again.\n"
            + "\n".join(f"{display_path(path)}: {p}" for p in problems[:20])
        )
    week = week_of(path)
    return Source(
        path, week, tuple(cells), notebook["metadata"], tuple(_exercises(cells)),
        tuple(read_quiz(QUIZZES / week / "quiz.yaml")),
    )  # fmt: skip


def _problems(cells: list[Cell]) -> Iterator[str]:
    ids = [cell.get("id", "") for cell in cells]
    by_id = dict(zip(ids, cells, strict=True))
    for name in sorted({x for x in ids if ids.count(x) > 1}):
        yield f"cell {name!r}: found this id twice, expected it once"
    for cell in cells:
        where = f"cell {cell.get('id')!r}"
        if unknown := tags(cell) - TAGS:
            yield f"{where}: found tags {sorted(unknown)}, expected some of {sorted(TAGS)}"
        if cell["cell_type"] != "code":
            continue
        if "wrong" in tags(cell) and not cell["metadata"].get("why"):
            yield f"{where}: found no 'why' in its metadata, expected what is wrong with it"
        if "exercise" in tags(cell):
            if len(MARKED.findall(cell["source"])) != 1:
                yield f"{where}: expected one ### BEGIN SOLUTION and one ### END SOLUTION"
            check = by_id.get(f"{cell['id']}-check")
            if check is None or "check" not in tags(check):
                name = f"{cell['id']}-check"
                yield f"{where}: found no check, expected a cell {name!r} with that tag"
            if sum(x.startswith(f"{cell['id']}-wrong-") for x in ids) < 2:
                yield f"{where}: expected two wrong answers or more, {cell['id']}-wrong-1 and on"
        if "check" in tags(cell) and _checked(cell) is None:
            yield f'{where}: expected a call check("week", "name", globals())'


def _checked(cell: Cell) -> str | None:
    """The name that a check looks for."""
    try:
        nodes = [*ast.walk(ast.parse(cell["source"]))]
    except SyntaxError:
        return None
    for node in nodes:
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "check" and len(node.args) == 3:
            name = node.args[1]
            return str(name.value) if isinstance(name, ast.Constant) else None
    return None


def _exercises(cells: list[Cell]) -> Iterator[Exercise]:
    by_id = {cell["id"]: cell for cell in cells}
    for cell in cells:
        if cell["cell_type"] == "code" and "exercise" in tags(cell):
            check = by_id[f"{cell['id']}-check"]
            wrong = tuple(c for c in cells if c["id"].startswith(f"{cell['id']}-wrong-"))
            yield Exercise(str(_checked(check)), cell, check, wrong)


def blank(text: str, name: str) -> str:
    """The source of an exercise with its solution taken out.

    >>> print(blank("def f():\\n    ### BEGIN SOLUTION\\n    return 1\\n    ### END SOLUTION", "f"))
    def f():
        raise NotImplementedError("f: your code here")
    """
    return MARKED.sub(lambda m: f'{m[1]}raise NotImplementedError("{name}: your code here")', text)


def solved(text: str) -> str:
    """The source of an exercise without the marks round its solution."""
    return MARKED.sub(lambda m: m[2].rstrip("\n"), text)


def generate(source: Source, kind: Kind, *, for_nbgrader: bool = False) -> Notebook:
    """One of the notebooks of a week, as JSON.

    Args:
        source: of the week.
        kind: whom it is for.
        for_nbgrader: keep the solutions between their marks, as ``nbgrader generate_assignment``
            wants them.
    """
    names = {e.cell["id"]: e.name for e in source.exercises}
    cells: list[Cell] = []
    for original in source.cells:
        if LEFT_OUT[kind] & tags(original):
            continue
        cell = copy.deepcopy(original)
        if cell["cell_type"] == "code":
            cell |= {"outputs": [], "execution_count": None}
            if "wrong" in tags(cell):
                cell = _folded(cell)
            elif "exercise" in tags(cell) and not for_nbgrader:
                text, name = cell["source"], names[cell["id"]]
                cell["source"] = blank(text, name) if kind == "exercise" else solved(text)
            _for_nbgrader(cell)
            if kind == "exercise" and {"exercise", "after"} & tags(cell):
                # "Run All" goes on below a cell with this tag, whatever happens in it
                cell["metadata"]["tags"] = [*cell["metadata"]["tags"], "raises-exception"]
        cells.append(cell)
        if "quiz" in tags(cell):
            cells += _quiz(source.questions, kind)
    for cell in cells:
        cell["source"] = cell["source"].splitlines(keepends=True)
    metadata = {**source.metadata, "wfine": {"made_from": source.path.name, "kind": kind}}
    return {"cells": cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}


def _for_nbgrader(cell: Cell) -> None:
    """nbgrader's metadata (schema 3) for the cells that it knows; everything else ignores it."""
    kinds = tags(cell)
    is_graded = "check" in kinds
    if is_graded or "exercise" in kinds:
        cell["metadata"]["nbgrader"] = {
            "schema_version": 3, "grade_id": cell["id"], "cell_type": "code", "task": False,
            "grade": is_graded, "locked": is_graded, "solution": not is_graded,
            **({"points": cell["metadata"].get("points", POINTS)} if is_graded else {}),
        }  # fmt: skip


def _folded(cell: Cell) -> Cell:
    """A wrong answer as a teacher sees it: folded up, and not run."""
    text = (
        f"<details><summary>A wrong answer that the check refuses: {cell['metadata']['why']}"
        f"</summary>\n\n```python\n{cell['source']}\n```\n</details>"
    )
    metadata = {"tags": cell["metadata"]["tags"]}
    return {"cell_type": "markdown", "id": cell["id"], "metadata": metadata, "source": text}


def _quiz(questions: tuple[Question, ...], kind: Kind) -> Iterator[Cell]:
    for number, question in enumerate(questions, start=1):
        choices = "\n".join(f"- **{x}** {c.text}" for x, c in question.choices.items())
        text = f"**{number}. {question.question.strip()}**\n\n{choices}"
        if kind == "instructor":
            why = "\n".join(f"- **{x}** {c.why}" for x, c in question.choices.items())
            text += (f"\n\n<details><summary>Right: {question.right}. What is said to each choice"
                     f"</summary>\n\n{why}\n</details>")  # fmt: skip
        yield _cell("markdown", f"quiz-{number}", text)
        given = "" if kind == "exercise" else question.right
        yield _cell("code", f"quiz-{number}-answer", f'quiz.answer({number}, "{given}")')
    points = _cell("code", "quiz-check", "quiz.points()", ["check"])
    points["metadata"]["points"] = len(questions)
    _for_nbgrader(points)
    yield points


def _cell(kind: str, name: str, text: str, of_tags: list[str] | None = None) -> Cell:
    cell: Cell = {"cell_type": kind, "id": name, "metadata": {"tags": of_tags} if of_tags else {}}
    if kind == "code":
        cell |= {"outputs": [], "execution_count": None}
    return {**cell, "source": text}


def notebook_text(notebook: Notebook) -> str:
    """A notebook as it lies in a file: the same bytes for the same notebook."""
    return json.dumps(notebook, indent=1, ensure_ascii=False, sort_keys=True) + "\n"


def sources(course: Path) -> list[Path]:
    """The sources of a course, a folder each."""
    return sorted(course.glob("*/source.ipynb"))


def build(course: Path, *, only_look: bool = False) -> list[Path]:
    """Write the notebooks of every week beside its source.

    Args:
        course: folder with a folder for each week.
        only_look: write nothing.

    Returns:
        The files that are not, or were not, what their source says.

    Raises:
        WfineError: a source is not in order; then nothing of any week is written.
    """
    made = {
        path.parent / f"{kind}.ipynb": notebook_text(generate(source, kind))
        for path in sources(course)
        for source in [read_source(path)]
        for kind in KINDS
    }
    stale = [
        path for path, text in made.items()
        if not path.exists() or path.read_text(encoding="utf-8") != text
    ]  # fmt: skip
    for path in () if only_look else stale:
        text = made[path]

        def write(to: Path, text: str = text) -> None:
            to.write_text(text, encoding="utf-8", newline="\n")

        atomic_write(path, write)
    return stale
