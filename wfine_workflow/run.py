"""The batch run: ``wfine reproduce mini``.

Checks the parameters of a preset, calls Snakemake, which lets papermill execute the notebooks,
shows one line per notebook and explains the first failure in one paragraph. Snakemake can also be
called by hand, see the head of ``workflow/Snakefile``.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import select
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TextIO

from wfine_utils.errors import WfineError, explained
from wfine_utils.files import alone_in, display_path, resolve
from wfine_workflow import ending

EXPLAINED = 3
"""Exit status of ``watch`` and ``cell`` when they have told the user what went wrong."""

_GOES_ON = "Finished stages are kept: the same command goes on from there."

_ENVIRONMENT = {
    "TOKENIZERS_PARALLELISM": "false",  # tokenizers warn in every process forked after use
    "PYDEVD_DISABLE_FILE_VALIDATION": "1",
    "PYTHONUNBUFFERED": "1",
    # peft 0.21 still reads a name that transformers 5 has renamed; nothing a user can mend
    "PYTHONWARNINGS": "ignore::FutureWarning:transformers.modeling_utils",
}

_PATIENCE = 5.0
"""Seconds to wait for a run in the same folder, which may just be ending."""


def run(
    preset: str,
    *,
    output_root: str | None,
    cores: str,
    caller: int | None = None,
    out: TextIO = sys.stdout,
) -> int:
    """Bring a preset's results and report up to date, and print the headline.

    Args:
        output_root: write elsewhere than the parameter files say; None: as they say.
        cores: number of CPU cores, or ``"all"``.
        caller: process that the run is to end with, see :func:`wfine_workflow.ending.ending_with`.

    Returns:
        Exit status: 0; 2 after a failure that has been explained, Snakemake's own after another;
        128 and the number of the signal that ended the run.

    Raises:
        WfineError: the preset does not hold, it needs a GPU that is not there, the output folder
            cannot be written, or the same preset is being run by another process.
    """
    try:
        with ending.interrupted_by_signals(), ending.ending_with(caller):
            return _run(preset, output_root, cores, out)
    except KeyboardInterrupt as stop:
        out.write(f"\nStopped. {_GOES_ON}\n")
        return 128 + int(stop.args[0])


def _run(preset: str, output_root: str | None, cores: str, out: TextIO) -> int:
    if cores != "all" and not re.fullmatch("[1-9][0-9]*", cores):
        raise WfineError(
            f"CORES (--cores): found {cores!r}, expected a number of CPU cores, 1 or more, or all."
        )
    from wfine_workflow.presets import load_preset  # brings much that --help need not wait for

    parameters = load_preset(preset)
    folder = resolve(output_root or next(iter(parameters.values())).output_root) / preset
    _refuse_without_gpu(preset)
    options = [f"preset={preset}", *([f"output_root={output_root}"] if output_root else [])]
    command = [sys.executable, "-m", "snakemake", "--cores", cores, "--config", *options]
    name = ending.new_name()
    ending.end_left_over(folder)
    with alone_in(folder, _PATIENCE) as lock:
        lock.truncate(0)
        lock.write(name)
        lock.flush()
        status = _snakemake(command, lock, name, folder, out)
        lock.truncate(0)
    return status


def _refuse_without_gpu(preset: str) -> None:
    from wfine_workflow.presets import preset_choice

    needed = preset_choice(preset).needs_gpu_gib
    if needed is None:
        return
    command = [sys.executable, "-m", "wfine_workflow.command", "models", "gpu"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    free = json.loads(done.stdout) if done.returncode == 0 else None
    seen = "no GPU that PyTorch can use" if free is None else f"{free:.1f} GiB of free GPU memory"
    if free is None or free < needed:
        raise WfineError(
            f"Preset {preset!r}: found {seen}, expected {needed:g} GiB. Run it on a machine with "
            "such a GPU and a PyTorch built for it (make distclean, then make env without "
            "TORCH_INDEX), end other programs on the GPU, or choose a smaller preset; the whole "
            "method runs on a CPU with: make reproduce PRESET=mini"
        )


def _snakemake(command: Sequence[str], lock: TextIO, name: str, folder: Path, out: TextIO) -> int:
    """Run Snakemake; it and all that it starts inherit the run's name, and most of them the lock
    as their standard input. All of them have ended when this returns or raises."""
    quiet = ["--quiet", "rules", "host", "progress", "reason", "--nocolor"]
    # --nolock: its own lock outlives a Snakemake that was killed; ours ends with the processes
    triggers = ["--nolock", "--rerun-incomplete", "--rerun-triggers", "mtime", "params", "input"]
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    env = os.environ | _ENVIRONMENT | {"PATH": path, ending.RUN: name}
    env.pop("MPLBACKEND", None)  # the kernel sets its own, which shows figures inline
    try:
        process = subprocess.Popen(
            [*command, *triggers, *quiet], env=env, stdin=lock, stderr=subprocess.PIPE, text=True,
            start_new_session=True,  # Ctrl-C reaches us alone
        )  # fmt: skip
        talk = _wait(process, name)
    finally:
        ending.end_all(name)
    if process.returncode == 0:
        from wfine_workflow.headline import headline_text  # pandas and seaborn, not needed before

        if "Nothing to be done" in talk:
            out.write("Nothing to do: every notebook's results are up to date.\n")
        report = display_path(folder / "report" / "index.html")
        out.write(f"\n{headline_text(folder)}\nReport: {report}\n")
    elif process.returncode < 0:
        out.write(f"\nSnakemake was ended by signal {-process.returncode}. {_GOES_ON}\n")
    elif f"non-zero exit status {EXPLAINED}" in talk:
        return 2
    else:
        out.write(f"{talk}\n")
    return process.returncode


def _wait(process: subprocess.Popen[str], name: str) -> str:
    """What Snakemake has said when it has ended."""
    while True:
        try:
            return process.communicate(timeout=0.5)[1]
        except subprocess.TimeoutExpired:
            if process.poll() is not None:
                ending.end_all(name)  # it was killed, and what it has started keeps its pipe open


def watch(
    preset: str,
    notebook: str,
    executed: Path,
    source: int = 0,
    out: TextIO = sys.stdout,
    is_alive: Callable[[], bool] = ending.has_siblings,
) -> int:
    """Show papermill's progress in one line, and explain its failure in one paragraph.

    Args:
        preset: whose notebooks are counted.
        executed: where papermill writes the notebook.
        source: file descriptor of papermill's output.
        out: a terminal sees one line that moves, a log file the last state.
        is_alive: whether papermill is. Its output does not end when it is killed, as long as
            something that the kernel has started holds it open.

    Returns:
        0, or :data:`EXPLAINED` when papermill has failed.
    """
    from wfine_workflow.presets import preset_notebooks

    names = list(preset_notebooks(preset))
    number = f"[{names.index(notebook) + 1}/{len(names)}]"
    start = time.monotonic()
    last, cells, rest, live = "", "", "", out.isatty()
    failed = complete = False

    def line() -> str:
        return f"{number} {notebook:<24} {cells:>14}  {_clock(time.monotonic() - start)}"

    if not live:
        _say(out, f"{number} {notebook} ...\n")
    chunk: bytes | None = None
    while chunk != b"":
        ready, _, _ = select.select([source], [], [], 1.0)
        if ready:
            chunk = os.read(source, 65536)
            *parts, rest = re.split(r"[\r\n]", rest + chunk.decode(errors="replace"))
            for part in parts if chunk else [*parts, rest]:
                if progress := re.match(r"Executing:.* (\d+)/(\d+) ", part):
                    cells = f"{progress[1]} of {progress[2]} cells"
                    complete = progress[1] == progress[2]
                elif part.strip():
                    last = part
                    failed = failed or part.startswith("Traceback (most recent call last)")
        elif not is_alive():
            break
        if live:
            _say(out, f"\r{line()}")
    _say(out, f"\r{line()}\n" if live else f"{line()}\n")
    if failed or not complete:
        last = last if failed else f"papermill was ended; its last words: {last or 'none'}"
        _say(out, f"\n{explain(executed, last)}\n")
    return 0 if complete and not failed else EXPLAINED


def _say(out: TextIO, text: str) -> None:
    out.write(text)  # at once: several cells may end at the same moment
    out.flush()


def _clock(seconds: float) -> str:
    minutes, seconds = divmod(int(seconds), 60)
    return f"{minutes:>3}:{seconds:02} min"


def explain(executed: Path, last: str = "") -> str:
    """What stopped a notebook, and where to look.

    Args:
        executed: the executed notebook that papermill left.
        last: the last line that papermill wrote, for failures outside a cell.
    """
    try:
        cells = json.loads(executed.read_text(encoding="utf-8"))["cells"]
    except (OSError, ValueError):
        cells = []
    where = f"Executed so far: {display_path(executed.resolve())}"
    for cell in cells:
        for error in (o for o in cell.get("outputs", []) if o["output_type"] == "error"):
            name, text = error["ename"], error["evalue"]
            if name == WfineError.__name__:
                return f"{text}\n{where}"
            return f"Cell [{cell['execution_count']}] stopped with {name}: {text}\n{where}"
    return f"The notebook could not be run to its end: {last or 'papermill said nothing'}\n{where}"


def cell(log: Path, result: Path, out: TextIO = sys.stdout) -> int:
    """Say in one line that a cell of the study is finished, or in one paragraph why it is not.

    Args:
        log: what ``wfine study run`` said of this cell alone.
        result: the file that a finished cell leaves, in the cell's folder.

    Returns:
        0, or :data:`EXPLAINED` when the cell has failed.
    """
    slug = result.parent.name
    said = [x for x in re.split(r"[\r\n]+", log.read_text("utf-8", errors="replace")) if x.strip()]
    last = said[-1] if said else "it was ended before it said anything"
    outcome = next((x for x in ("computed", "loaded") if f"{slug}: {x}" in said), None)
    if outcome:  # not always the last line: libraries may still warn when Python ends
        total = json.loads(result.read_text(encoding="utf-8"))["seconds"]["total"]
        cost = _clock(total) if outcome == "computed" else ""
        _say(out, f"      {slug:<67} {outcome:<8} {cost}".rstrip() + "\n")
        return 0
    where = f"All that it said: {display_path(log.resolve())}"
    _say(out, f"\nCell {slug} of the study could not be computed: {last}\n{where}\n")
    return EXPLAINED


@explained
def reproduce(arguments: Sequence[str] | None = None) -> int:
    """The command line; see ``wfine reproduce --help``."""
    parser = argparse.ArgumentParser(
        prog="wfine reproduce",
        description="Run every notebook of a preset that is not up to date, write the report, and "
        "print the headline. What a stopped run has finished is kept. To be called in a clone.",
    )
    add = parser.add_argument
    add("preset", metavar="PRESET", nargs="?", default="mini",
        help="a folder in params (default: %(default)s)")  # fmt: skip
    add("--output-root", metavar="DIR", help="write here instead of where the parameters say")
    add("--cores", default="all", metavar="N", help="CPU cores to use (default: %(default)s)")
    add("--caller", type=int, metavar="PID", help="(used by the Makefile) end with this process")
    return run(**vars(parser.parse_args(arguments)))


@explained
def watch_papermill(arguments: Sequence[str] | None = None) -> int:
    """The command line of :func:`watch`, which the Snakefiles call."""
    parser = argparse.ArgumentParser(
        prog="wfine watch", description="Show papermill's progress, read from standard input."
    )
    parser.add_argument("preset")
    parser.add_argument("notebook")
    parser.add_argument("executed", type=Path)
    return watch(**vars(parser.parse_args(arguments)))


@explained
def say_cell(arguments: Sequence[str] | None = None) -> int:
    """The command line of :func:`cell`, which the Snakefile calls."""
    parser = argparse.ArgumentParser(
        prog="wfine cell", description="Say in one line how a cell of the study ended."
    )
    parser.add_argument("log", type=Path)
    parser.add_argument("result", type=Path)
    return cell(**vars(parser.parse_args(arguments)))
