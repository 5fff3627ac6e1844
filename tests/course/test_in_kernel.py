"""Notebooks of the course in a kernel, as a student and a teacher run them."""

from __future__ import annotations

import nbformat
import pytest
from conftest import ROOT
from course_weeks import SOURCES
from nbclient import NotebookClient
from nbformat.v4 import new_code_cell, new_notebook

SOLUTIONS = [ROOT / "course" / name / "solution.ipynb" for name in SOURCES]


def run(notebook: nbformat.NotebookNode, folder=ROOT) -> nbformat.NotebookNode:
    resources = {"metadata": {"path": str(folder)}}
    NotebookClient(notebook, timeout=120, kernel_name="python3", resources=resources).execute()
    return notebook


def shown(cell: nbformat.NotebookNode) -> str:
    """All that stands below a cell, as text."""
    parts = []
    for output in cell.outputs:
        data = output.get("data", {})
        parts += [data.get("text/plain", ""), data.get("text/markdown", ""), output.get("text", "")]
        parts.append(output.get("ename", ""))
    return "\n".join(parts)


@pytest.mark.slow
@pytest.mark.parametrize("path", SOLUTIONS, ids=lambda p: p.parent.name)
def test_a_solution_runs_to_its_end_with_all_points(path):
    notebook = run(nbformat.read(path, as_version=4), path.parent)
    checks = [c for c in notebook.cells if "check" in c.metadata.get("tags", [])]
    assert len(checks) == len(SOURCES[path.parent.name].exercises) + 1
    for cell in checks:
        (output,) = cell.outputs
        assert float(output.data["text/plain"]) == cell.metadata.nbgrader.points, shown(cell)


def test_an_exercise_notebook_runs_to_its_end_with_no_points():
    path = ROOT / "course" / "00-start" / "exercise.ipynb"
    notebook = run(nbformat.read(path, as_version=4), path.parent)
    (check, quiz) = [c for c in notebook.cells if "check" in c.metadata.get("tags", [])]
    assert "is not written yet" in shown(check) and "0 of 10 right" in shown(quiz)


def test_bad_cells_are_told_and_the_next_exercise_goes_on():
    """A syntax error, a cell that sleeps, an endless answer, and a good one, in one notebook."""
    blank, check = {"tags": ["raises-exception"]}, "from wfine_course import check\n"
    sources = [
        "import wfine_course.week1.checks\n"  # seconds, on a busy machine
        "from wfine_course import stop_cells_after\nstop_cells_after(seconds=4)",
        "def tau_b(gold, score):\n    return (",
        f'{check}check("week1", "tau_b", globals())',
        "import time\ntime.sleep(100)",
        "def gold_rank(kept):\n    while True:\n        pass",
        f'{check}check("start", "gold_rank", globals(), seconds=0.3)',
        "def gold_rank(kept):\n    return sum(kept)",
        f'{check}check("start", "gold_rank", globals())',
    ]
    cells = [new_code_cell(source, metadata=blank) for source in sources]
    outputs = [shown(cell) for cell in run(new_notebook(cells=cells)).cells]
    assert "SyntaxError" in outputs[1]
    assert "`tau_b` is not there: run the cell above" in outputs[2]
    assert "This cell ran for more than 4 seconds and was stopped" in outputs[3]
    assert "was stopped after 0.3 seconds" in outputs[5]
    assert "✓ `gold_rank` passed." in outputs[7]
