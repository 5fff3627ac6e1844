"""nbgrader itself on a week: its validator, and a whole round of grading.

It is no part of the environment. Where it is installed anywhere, ``nbgrader`` on the path or the
environment variable WFINE_NBGRADER names it; its kernel is the one that runs these tests.
"""

from __future__ import annotations

import csv
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT
from course_weeks import SOURCES

from wfine_course.build import main
from wfine_course.checking import POINTS

NBGRADER = os.environ.get("WFINE_NBGRADER") or shutil.which("nbgrader")
WEEK = "week1"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not NBGRADER, reason="nbgrader is not installed; see this file"),
]


@pytest.fixture
def nbgrader(tmp_path):
    kernel = tmp_path / "jupyter" / "kernels" / "python3"
    kernel.mkdir(parents=True)
    launch = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    spec = {"argv": launch, "display_name": "Python 3", "language": "python"}
    (kernel / "kernel.json").write_text(json.dumps(spec))
    places = {"JUPYTER_PATH": str(tmp_path / "jupyter"), "PYTHONPATH": str(ROOT)}
    places["PATH"] = f"{Path(str(NBGRADER)).parent}{os.pathsep}{os.environ['PATH']}"  # its alembic
    home = {"HOME": str(tmp_path), "JUPYTER_CONFIG_DIR": str(tmp_path), "MPLBACKEND": "Agg"}

    def run(*arguments: str, cwd: Path = tmp_path) -> str:
        done = subprocess.run(
            [str(NBGRADER), *arguments], cwd=cwd, env={**os.environ, **places, **home},
            capture_output=True, text=True, timeout=500,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr

    return run


def test_validate(nbgrader):
    folder = ROOT / "course" / WEEK
    assert "Success" in nbgrader("validate", "solution.ipynb", cwd=folder)
    n_graded = len(SOURCES[WEEK].exercises) + 1  # and the quiz
    assert f"FAILED ON {n_graded} CELL" in nbgrader("validate", "exercise.ipynb", cwd=folder)


def test_autograde(nbgrader, tmp_path):
    main(["--nbgrader", str(tmp_path)])
    nbgrader("generate_assignment", WEEK, "--create")
    released = (tmp_path / "release" / WEEK / f"{WEEK}.ipynb").read_text(encoding="utf-8")
    assert "raise NotImplementedError()" in released and "SOLUTION" not in released
    for student, kind in (("ada", "solution"), ("bob", "exercise")):
        to = tmp_path / "submitted" / student / WEEK / f"{WEEK}.ipynb"
        to.parent.mkdir(parents=True)
        shutil.copy(ROOT / "course" / WEEK / f"{kind}.ipynb", to)
    nbgrader("autograde", WEEK)
    nbgrader("export")
    with (tmp_path / "grades.csv").open() as file:
        rows = {(r["assignment"], r["student_id"]): r for r in csv.DictReader(file)}
    most = POINTS * len(SOURCES[WEEK].exercises) + len(SOURCES[WEEK].questions)
    assert float(rows[WEEK, "ada"]["score"]) == float(rows[WEEK, "ada"]["max_score"]) == most
    assert float(rows[WEEK, "bob"]["score"]) == 0
