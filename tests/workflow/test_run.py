"""What the batch run shows and says, and that a preset is run by one process at a time."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook, new_output

from wfine_utils.errors import WfineError
from wfine_utils.files import alone_in
from wfine_workflow import run
from wfine_workflow.run import EXPLAINED, cell, explain, watch


def run_watch(talk: bytes, executed: Path) -> tuple[int, str]:
    reading, writing = os.pipe()
    os.write(writing, talk)
    os.close(writing)
    out = io.StringIO()
    try:
        return watch("mini", "03_reward_model", executed, reading, out), out.getvalue()
    finally:
        os.close(reading)


def failed_notebook(path: Path, ename: str, evalue: str) -> Path:
    error = new_output("error", ename=ename, evalue=evalue, traceback=["long"])
    cell = new_code_cell("x", execution_count=7, outputs=[error])
    nbformat.write(new_notebook(cells=[cell]), path)
    return path


def test_watch_shows_one_line_and_hides_the_rest(tmp_path):
    talk = (
        "Input Notebook:  a.ipynb\nsome warning\n"
        "Executing:   0%|          | 0/12 [00:00<?, ?cell/s]\r"
        "Executing: 100%|██████████| 12/12 [00:07<00:00,  1.70cell/s]\n"
    )
    status, said = run_watch(talk.encode(), tmp_path / "none.ipynb")
    assert status == 0
    assert said.splitlines()[0] == "[4/8] 03_reward_model ..."
    assert "12 of 12 cells" in said
    assert "warning" not in said


def test_watch_explains_a_user_error_in_its_own_words(tmp_path):
    executed = failed_notebook(tmp_path / "log.ipynb", "WfineError", "x.csv:3: found a, expected b")
    talk = b"Executing:  20%| | 2/12 [00:01<00:01]\nTraceback (most recent call last):\n  File x\n"
    status, said = run_watch(talk, executed)
    assert status == EXPLAINED
    assert said.endswith(f"x.csv:3: found a, expected b\nExecuted so far: {executed}\n")
    assert "Traceback" not in said


def test_other_errors_name_cell_and_kind(tmp_path):
    executed = failed_notebook(tmp_path / "log.ipynb", "ValueError", "no")
    assert explain(executed).startswith("Cell [7] stopped with ValueError: no")


def test_papermill_that_was_killed_is_not_a_success(tmp_path):
    talk = b"a warning\nExecuting:  20%| | 2/12 [00:01<00:01]\n"
    status, said = run_watch(talk, tmp_path / "none.ipynb")
    assert status == EXPLAINED
    assert "could not be run to its end: papermill was ended; its last words: a warning" in said


def test_failure_outside_a_cell_shows_papermills_last_line(tmp_path):
    talk = b"Traceback (most recent call last):\n  File x\nDeadKernelError: Kernel died\n\n"
    status, said = run_watch(talk, tmp_path / "none.ipynb")
    assert status == EXPLAINED
    assert "could not be run to its end: DeadKernelError: Kernel died\n" in said


def run_cell(folder: Path, said: str, *, seconds: float = 65.4) -> tuple[int, str]:
    log, result, out = folder / "log.txt", folder / "rm-a-s0" / "result.json", io.StringIO()
    log.write_text(said)
    result.parent.mkdir()
    result.write_text(json.dumps({"seconds": {"total": seconds}}))
    return cell(log, result, out), out.getvalue()


@pytest.mark.parametrize(("how", "cost"), [("computed", "1:05 min"), ("loaded", "loaded")])
def test_a_finished_cell_is_one_line(tmp_path, how, cost):
    status, said = run_cell(tmp_path, f"{{'loss': 1}}\n  0%|  \r 100%|##\nrm-a-s0: {how}\n")
    assert status == 0
    assert said.count("\n") == 1
    assert said.split()[:2] == ["rm-a-s0", how]
    assert said.endswith(f"{cost}\n")


@pytest.mark.parametrize(
    ("talk", "reason"),
    [
        ("10%|#\rstudy: n: found a, expected b\n\n", "study: n: found a, expected b"),
        ("rm-b-s0: computed\nTraceback\n  File x\nValueError: no\n", "ValueError: no"),
        ("", "it was ended before it said anything"),
    ],
)
def test_a_cell_that_failed_is_one_paragraph(tmp_path, talk, reason):
    status, said = run_cell(tmp_path, talk)
    assert status == EXPLAINED
    assert said == (
        f"\nCell rm-a-s0 of the study could not be computed: {reason}\n"
        f"All that it said: {tmp_path / 'log.txt'}\n"
    )


@pytest.mark.parametrize("cores", ["two", "0", "-1", "1.5", "", "all "])
def test_cores_that_are_no_number_are_refused_before_anything(project, monkeypatch, cores):
    monkeypatch.chdir(project)
    with pytest.raises(
        WfineError, match=r"CORES .*expected a number of CPU cores, 1 or more, or all"
    ):
        run.run("smoke", output_root=None, cores=cores)
    assert not (project / "outputs").exists()


class TestOneRunAtATime:
    """Whatever Snakemake does: here it is a process that ends as the test wants."""

    def start(self, monkeypatch, status: int = 0) -> int:
        monkeypatch.setattr(run, "_snakemake", lambda *_: status)
        return run.run("smoke", output_root=None, cores="1")

    @pytest.mark.slow
    def test_a_lock_of_snakemake_that_was_killed_stops_nobody(self, project, monkeypatch):
        """Nor one whose removal was killed: the next run has nothing to remove."""
        monkeypatch.chdir(project)
        wanted = project / "outputs" / "smoke" / "report" / "index.html"
        for kind in ("input", "output"):
            lock = project / ".snakemake" / "locks" / f"0.{kind}.lock"
            lock.parent.mkdir(parents=True, exist_ok=True)
            lock.write_text(f"{wanted.relative_to(project)}\n")
        commands: list[list[str]] = []

        def finished(command: list[str], **_: Any) -> SimpleNamespace:
            commands.append(command)
            return SimpleNamespace(returncode=1, communicate=lambda timeout: ("", ""))

        monkeypatch.setattr(run.subprocess, "Popen", finished)
        assert run.run("smoke", output_root=None, cores="1", out=io.StringIO()) == 1
        (command,) = commands
        monkeypatch.undo()

        def stopped_by_it(command: list[str]) -> bool:
            options = {"cwd": project, "capture_output": True, "text": True, "check": False}
            return "LockException" in subprocess.run([*command, "--touch"], **options).stderr

        assert not stopped_by_it(command)
        assert stopped_by_it([word for word in command if word != "--nolock"])

    def test_a_second_run_is_refused_also_by_what_a_killed_one_has_started(
        self, project, monkeypatch
    ):
        monkeypatch.chdir(project)
        monkeypatch.setattr(run, "_PATIENCE", 0.0)

        def second(*_) -> int:
            with pytest.raises(
                WfineError,
                match=rf"outputs/smoke: .*\(process {os.getpid()} since .*, or what it has started",
            ):
                run.run("smoke", output_root=None, cores="1")
            run.run("mini", output_root=None, cores="1")  # another preset may run
            return -9

        calls = iter([second, lambda *_: 0])
        monkeypatch.setattr(run, "_snakemake", lambda *args: next(calls)(*args))
        assert run.run("smoke", output_root=None, cores="1") == -9

        code = "import sys; print(flush=True); sys.stdin.buffer.read(); import time; time.sleep(60)"
        with alone_in(project / "outputs" / "smoke") as lock:
            lock.write("process 1")
            orphan = subprocess.Popen(
                [sys.executable, "-c", code], stdin=lock, stdout=subprocess.PIPE
            )
        assert orphan.stdout is not None and orphan.stdout.readline()  # and its parent is gone
        with pytest.raises(WfineError, match=r"\(process .*1, or what it has started\)"):
            self.start(monkeypatch)
        monkeypatch.setattr(run, "_PATIENCE", 60.0)
        threading.Timer(0.5, orphan.kill).start()  # it was just ending
        assert self.start(monkeypatch) == 0
        orphan.wait()
