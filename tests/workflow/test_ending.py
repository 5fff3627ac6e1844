"""That a run ends as a whole, by every signal, and what a killed one leaves behind."""

from __future__ import annotations

import io
import itertools
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import psutil
import pytest
from nbformat.v4 import new_code_cell

from wfine_utils.files import LOCK
from wfine_workflow import ending, run

SLEEP = [sys.executable, "-c", "import time; print(flush=True); time.sleep(600)"]

ENDLESS = """
import os, pathlib, subprocess
run.stage("slow", {}, lambda folder: (folder / "x.txt").write_text("x"))
if os.path.exists("endless"):
    subprocess.run("echo > started; exec sleep 600", shell=True, start_new_session=True)
"""


def of_run(name: str) -> list[psutil.Process]:
    return [p for p in psutil.process_iter(["environ"]) if ending._run_of(p) == name]


def sleeper(name: str) -> subprocess.Popen:
    env = os.environ | {ending.RUN: name}
    process = subprocess.Popen(SLEEP, env=env, start_new_session=True, stdout=subprocess.PIPE)
    assert process.stdout is not None and process.stdout.readline()
    return process


def test_all_of_a_run_end_and_nothing_else():
    mine, other = [sleeper("process 1 since a"), sleeper("process 1 since a")], sleeper("b")
    try:
        ending.end_all("process 1 since a")
        assert [p.wait(10) for p in mine] == [-signal.SIGKILL] * 2
        assert other.poll() is None
    finally:
        for process in (*mine, other):
            process.kill()
            process.wait()


@pytest.mark.parametrize("is_alive", [True, False])
def test_what_a_killed_run_left_is_ended_and_what_a_living_one_has_is_not(tmp_path, is_alive):
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    name = f"process {os.getpid() if is_alive else ended.pid} since yesterday"
    (tmp_path / LOCK).write_text(name)
    process = sleeper(name)
    try:
        ending.end_left_over(tmp_path)
        if not is_alive:
            process.wait(10)
        assert (process.poll() is None) == is_alive
    finally:
        process.kill()
        process.wait()


def test_a_folder_without_a_run_has_nothing_left_over(tmp_path):
    ending.end_left_over(tmp_path / "none")
    (tmp_path / LOCK).touch()
    ending.end_left_over(tmp_path)


@pytest.mark.parametrize("number", ending.SIGNALS)
def test_a_signal_interrupts_once(number):
    before = signal.getsignal(number)
    with ending.interrupted_by_signals():
        with pytest.raises(KeyboardInterrupt) as stop:
            signal.raise_signal(number)
        signal.raise_signal(number)  # passed on by make too
    assert stop.value.args == (number,)
    assert signal.getsignal(number) is before


def test_an_ignored_signal_stays_ignored():
    """As nohup does it, for a run that outlives the terminal."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with ending.interrupted_by_signals():
            signal.raise_signal(signal.SIGHUP)
    finally:
        signal.signal(signal.SIGHUP, before)


@pytest.mark.parametrize("pid", [None, os.getppid()])
def test_who_has_no_caller_or_a_living_one_is_left_alone(pid):
    with ending.interrupted_by_signals(), ending.ending_with(pid):
        time.sleep(0.6)


def test_the_end_of_the_caller_interrupts_whatever_runs(monkeypatch):
    def while_make_is_killed() -> None:
        with ending.ending_with(os.getppid()):
            monkeypatch.setattr(os, "getppid", lambda: 1)
            subprocess.run(SLEEP, stdout=subprocess.DEVNULL, check=False)

    with ending.interrupted_by_signals(), pytest.raises(KeyboardInterrupt) as stop:
        while_make_is_killed()
    assert stop.value.args == (signal.SIGTERM,)


def test_a_run_whose_caller_is_gone_starts_nothing(tmp_path, monkeypatch):
    """Else it would hold the folder, for as long as Snakemake takes to start, against the next."""
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    monkeypatch.setattr(run, "_run", lambda *_: pytest.fail("started"))
    said = io.StringIO()
    where = {"output_root": str(tmp_path), "cores": "1", "out": said}
    assert run.run("smoke", caller=ended.pid, **where) == 143
    assert "Stopped." in said.getvalue() and list(tmp_path.iterdir()) == []


@pytest.fixture
def endless(project: Path) -> Path:
    """A project whose preset is one notebook; it does not end while the file endless is there."""
    path = project / "notebooks" / "01_data_taxonomy.ipynb"
    notebook = nbformat.read(path, as_version=4)
    at = 1 + next(i for i, cell in enumerate(notebook.cells) if cell.id == "start")
    notebook.cells.insert(at, new_code_cell(ENDLESS))
    nbformat.write(notebook, path)
    folder = project / "params" / "smoke"
    for other in folder.glob("0*.yaml"):
        if other.stem != path.stem:
            other.unlink()
    (folder / "preset.yaml").write_text(f"notebooks: [{path.stem}]")
    (project / "endless").touch()
    return project


def make(project: Path, *command: str) -> subprocess.Popen[str]:
    options = ["-s", "-o", f"{sys.prefix}/.installed", f"VENV={sys.prefix}", "reproduce",
               "PRESET=smoke"]  # fmt: skip
    return subprocess.Popen(
        command or ["make", *options], cwd=project, text=True, start_new_session=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip


BARE = [sys.executable, "-m", "wfine_workflow.command", "reproduce", "smoke"]


@pytest.mark.slow
def test_every_signal_ends_everything_and_the_next_call_goes_on(endless):
    lock = endless / "outputs" / "smoke" / LOCK
    stage = endless / "outputs" / "smoke" / "01_data_taxonomy" / "slow" / "stage.json"
    finished = 0
    for command, number in itertools.product(([], BARE), ending.SIGNALS):
        process = make(endless, *command)
        while not (endless / "started").exists():
            assert process.poll() is None, process.stdout.read()
            time.sleep(0.05)
        family = of_run(lock.read_text())
        names = {p.name() for p in family}
        assert "sleep" in names and len(family) >= 5, names  # Snakemake, papermill, watch, kernel
        finished = finished or stage.stat().st_mtime_ns
        os.kill(process.pid, number)  # that process alone
        said, _ = process.communicate(timeout=60)
        assert not any(p.is_running() and p.status() != psutil.STATUS_ZOMBIE for p in family), (
            number
        )
        assert "\nStopped. Finished stages are kept" in said
        assert "Traceback" not in said
        (endless / "started").unlink()
    (endless / "endless").unlink()
    last = make(endless)
    said, _ = last.communicate(timeout=300)
    assert last.returncode == 0, said
    assert stage.stat().st_mtime_ns == finished, "a finished stage was repeated"
    assert lock.read_text() == ""


VICTIMS = [
    "make -s",
    "wfine_workflow.command reproduce",
    "-m snakemake",
    "bin/papermill",
    "ipykernel_launcher",
]


@pytest.mark.slow
@pytest.mark.parametrize("victim", VICTIMS)
def test_whatever_is_killed_the_next_call_ends_the_rest_and_goes_on(endless, victim):
    process = make(endless)
    while not (endless / "started").exists():
        assert process.poll() is None, process.stdout.read()
        time.sleep(0.05)
    family = [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]
    lines = {p: " ".join(p.cmdline()) for p in family}
    next(p for p, line in lines.items() if victim in line).kill()
    (endless / "endless").unlink()
    process.wait(60)
    front = [p for p, line in lines.items() if "wfine_workflow.command reproduce" in line]
    assert not psutil.wait_procs(front, timeout=60)[1], "it ends by itself, also without make"
    again = make(endless)
    said, _ = again.communicate(timeout=300)
    assert again.returncode == 0, said
    left = [p for p in family if p.is_running() and p.status() != psutil.STATUS_ZOMBIE]
    assert not left
    results = endless / "outputs" / "smoke" / "01_data_taxonomy" / "results.json"
    assert json.loads(results.read_text())
