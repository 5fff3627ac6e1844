"""`make lab`: what is run and saved there leaves notebooks, tests and batch runs alone."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from conftest import ROOT


def digests(folder: Path) -> dict[str, str]:
    return {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in folder.glob("*.ipynb")}


def call(url: str, token: str, body: dict | None = None) -> tuple[str, bytes]:
    request = urllib.request.Request(
        url,
        method="PUT" if body else "GET",
        data=json.dumps(body).encode() if body else None,
        headers={"Authorization": f"token {token}"},
    )
    with urllib.request.urlopen(request, timeout=30) as reply:
        return reply.url, reply.read()


@contextmanager
def running_lab(project: Path, runtime: Path, *options: str) -> Iterator[tuple[str, str]]:
    """Address and token of `make lab` in a copy of the project."""
    log = project / "lab.log"
    server = subprocess.Popen(
        ["make", "--old-file=.venv/.installed", "lab", f"BIN={Path(sys.executable).parent}",
         f"LAB_ARGS=--no-browser --allow-root --ServerApp.port=0 {' '.join(options)}"],
        cwd=project, env={**os.environ, "JUPYTER_RUNTIME_DIR": str(runtime)},
        stdout=log.open("w"), stderr=subprocess.STDOUT, start_new_session=True,
    )  # fmt: skip
    try:
        state = None
        while state is None:
            assert server.poll() is None, log.read_text()
            time.sleep(0.2)
            with suppress(StopIteration, json.JSONDecodeError):  # not there yet, or half written
                state = json.loads(next(runtime.glob("jpserver-*.json")).read_text())
        yield state["url"], state["token"]
    finally:
        os.killpg(server.pid, 15)
        server.wait(30)


@pytest.fixture
def lab(project: Path, tmp_path: Path) -> Iterator[tuple[str, str]]:
    with running_lab(project, tmp_path / "runtime") as place:
        yield place


def test_the_lab_opens_on_start_and_saves_into_copies(project, lab):
    url, token = lab
    before = digests(project / "notebooks")
    assert digests(project / "lab") == before

    landed, page = call(url, token)
    assert landed.split("?")[0].endswith("/lab/tree/lab/start.ipynb")
    disabled = json.loads(page.decode().split('"disabledExtensions": ')[1].split("]")[0] + "]")
    assert {x.split("/")[1] for x in disabled} == {
        "apputils-extension:announcements", "launcher-extension:plugin"
    }  # fmt: skip

    address = f"{url}api/contents/lab/start.ipynb"
    notebook = json.loads(call(address, token)[1])["content"]
    cell = next(c for c in notebook["cells"] if c["cell_type"] == "code")
    cell["outputs"] = [{"output_type": "stream", "name": "stdout", "text": "run"}]
    cell["execution_count"] = 1
    call(address, token, {"type": "notebook", "content": notebook})

    assert digests(project / "notebooks") == before
    assert digests(project / "lab") != before


def test_the_lab_keeps_what_was_changed_and_says_what_is_old(project):
    command = ["make", "--old-file=.venv/.installed", "lab", "BIN=.", "LAB_ARGS=--version"]
    (project / "jupyter").write_text("#!/bin/sh\n")
    (project / "jupyter").chmod(0o755)
    subprocess.run(command, cwd=project, check=True, capture_output=True)
    mine, theirs = project / "lab/start.ipynb", project / "notebooks/start.ipynb"
    mine.write_text("mine")
    os.utime(mine, (1, 1))
    done = subprocess.run(command, cwd=project, check=True, capture_output=True, text=True)
    assert mine.read_text() == "mine"
    assert "lab/start.ipynb is older than notebooks/start.ipynb" in done.stdout
    assert theirs.read_text() != "mine"


def test_the_lab_has_the_exercises_of_the_course_and_no_solution(project):
    shutil.copytree(ROOT / "course", project / "course")
    command = ["make", "--old-file=.venv/.installed", "lab", "BIN=.", "LAB_ARGS=--version"]
    (project / "jupyter").write_text("#!/bin/sh\n")
    (project / "jupyter").chmod(0o755)
    subprocess.run(command, cwd=project, check=True, capture_output=True)
    copies = {p.relative_to(project / "lab").as_posix() for p in project.glob("lab/*/*.ipynb")}
    weeks = {p.parent.name for p in ROOT.glob("course/*/source.ipynb")}
    assert copies == {f"{week}/exercise.ipynb" for week in weeks}
    assert digests(project / "lab") == digests(project / "notebooks")


def test_copies_are_no_part_of_the_project():
    done = subprocess.run(["git", "check-ignore", "lab/start.ipynb"], cwd=ROOT, check=False)
    assert done.returncode == 0
