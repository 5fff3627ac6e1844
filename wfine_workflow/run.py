"""The batch run as one calm command: ``python -m wfine_workflow.run run mini``.

Snakemake decides what is to be done and papermill executes it; this module checks what can be
checked before, keeps their talk out of sight unless it is needed, and says in one paragraph
what went wrong. Both work without it, see the head of the Snakefile.
"""

from __future__ import annotations

import argparse
import collections
import json
import os
import re
import select
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TextIO

import pandas as pd
import psutil

from wfine_utils.errors import WfineError
from wfine_utils.files import display_path, project_root, resolve
from wfine_utils.notebook.render import pretty
from wfine_workflow.presets import load_preset, needs_gpu_gib, preset_notebooks

HEADLINE = "07_paper_tables/tables/headline.csv"

EXPLAINED = 3
"""Exit status of ``watch`` and ``cell`` when they have told the user what went wrong."""

_OURS = re.compile(
    r"snakemake.* preset=(\S+)|papermill.* -f params/([^/ ]+)/"
    r"|wfine_utils\.study run .*--settings params/([^/ ]+)/"
)
"""Command lines of processes that write the results of a preset."""

_ENVIRONMENT = {
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "TOKENIZERS_PARALLELISM": "false",  # tokenizers warn in every process forked after use
    "PYDEVD_DISABLE_FILE_VALIDATION": "1",
    "PYTHONUNBUFFERED": "1",
    # peft 0.21 still reads a name that transformers 5 has renamed; nothing a user can mend
    "PYTHONWARNINGS": "ignore::FutureWarning:transformers.modeling_utils",
}


def run(preset: str, *, output_root: str | None, cores: str, out: TextIO = sys.stdout) -> int:
    """Bring a preset's results and report up to date, and print the headline.

    Args:
        preset: name of a folder in ``params``.
        output_root: write elsewhere than the parameter files say; None: as they say.
        cores: number of CPU cores, or ``"all"``.
        out: where the progress and the headline go.

    Returns:
        Exit status: 0, or that of the failure, which has been explained by then.

    Raises:
        WfineError: the preset does not hold, it needs a GPU that is not there, the output folder
            cannot be written, or the same preset is being run by another process.
    """
    root = output_root or next(iter(load_preset(preset).values())).output_root
    _refuse_without_gpu(preset)
    folder = resolve(root) / preset
    _refuse_unwritable(folder)
    options = [f"preset={preset}", *([f"output_root={output_root}"] if output_root else [])]
    command = [sys.executable, "-m", "snakemake", "--cores", cores, "--config", *options]
    others = list(_other_runs())
    if same := [p for p, name in others if name == preset]:
        raise WfineError(
            f"Preset {preset!r} is already being run here by process {same[0]}. Expected one run "
            "of a preset at a time: wait until it has finished, or end that process first."
        )
    if not others and any((project_root() / ".snakemake" / "locks").glob("*")):
        subprocess.run([*command, "--unlock"], capture_output=True, check=False)
    return _snakemake(command, folder, out)


def _refuse_without_gpu(preset: str) -> None:
    needed = needs_gpu_gib(preset)
    if needed is None:
        return
    asked = subprocess.run(
        [sys.executable, "-m", "wfine_utils.models", "gpu"],
        capture_output=True,
        text=True,
        check=False,
    )
    found = json.loads(asked.stdout) if asked.returncode == 0 else None
    if found is not None and found >= needed:
        return
    seen = "no GPU that PyTorch can use"
    if found is not None:
        seen = f"{found:.1f} GiB of free GPU memory"
    raise WfineError(
        f"Preset {preset!r}: found {seen}, expected {needed:g} GiB. Run it on a machine with such "
        "a GPU and a PyTorch built for it (make distclean, then make env without TORCH_INDEX), end "
        "other programs on the GPU, or choose a smaller preset; the whole method runs on a CPU "
        "with: make reproduce PRESET=mini"
    )


def _refuse_unwritable(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise WfineError(
            f"{display_path(folder)}: the output folder cannot be written: {error.strerror or error}. "
            "Expected a folder with write permission and free space; mend that, or choose "
            "another with: make reproduce OUTPUT_ROOT=folder"
        ) from error


def _other_runs() -> Iterator[tuple[int, str]]:
    """Process id and preset of every batch run of this project that is still alive.

    A killed Snakemake leaves its lock behind, and may leave a papermill or a cell of the study
    that goes on; the lock may be taken away only when none of them is alive.
    """
    mine = {os.getpid(), *(p.pid for p in psutil.Process().parents())}
    for process in psutil.process_iter(["pid", "cmdline"]):
        words = process.info["cmdline"] or []
        line = " ".join(words)
        found = _OURS.search(line)
        if process.info["pid"] in mine or not found or "python" not in words[0]:
            continue
        try:
            if Path(process.cwd()) == project_root() and process.status() != "zombie":
                yield process.info["pid"], found[1] or found[2] or found[3]
        except (psutil.Error, OSError):
            continue  # it has just ended, or belongs to somebody else


def _snakemake(command: Sequence[str], folder: Path, out: TextIO) -> int:
    quiet = ["--quiet", "rules", "host", "progress", "reason", "--nocolor"]
    triggers = ["--rerun-incomplete", "--rerun-triggers", "mtime", "params", "input"]
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    environment = os.environ | _ENVIRONMENT | {"PATH": path}
    environment.pop("MPLBACKEND", None)  # the kernel sets its own, which shows figures inline
    process = subprocess.Popen(
        [*command, *triggers, *quiet], env=environment, stderr=subprocess.PIPE, text=True
    )
    assert process.stderr is not None
    try:
        talk = process.stderr.read()
        process.wait()
    except KeyboardInterrupt:
        process.wait()
        out.write("\nStopped. Finished stages are kept: the same command goes on from there.\n")
        return 130
    if process.returncode == 0:
        if "Nothing to be done" in talk:
            out.write("Nothing to do: every notebook's results are up to date.\n")
        out.write(
            f"\n{headline(folder)}\nReport: {display_path(folder / 'report' / 'index.html')}\n"
        )
    elif f"non-zero exit status {EXPLAINED}" not in talk:
        out.write(f"{talk}\n")
    return process.returncode


def headline(folder: Path) -> str:
    """The few numbers to look at first, as a text table.

    Args:
        folder: ``<output_root>/<preset>``.

    Returns:
        ``tables/headline.csv`` of notebook 07; without it, a line that says so.
    """
    path = folder / HEADLINE
    if not path.exists():
        return "No headline: notebook 07 has not been run to its end for this preset."
    interval = {"ci_low": "value_ci_low", "ci_high": "value_ci_high"}  # shown beside the value
    table = pretty(pd.read_csv(path).rename(columns=interval))
    return table.to_markdown(index=False, tablefmt="simple", disable_numparse=True)


def watch(
    preset: str, notebook: str, executed: Path, source: int = 0, out: TextIO = sys.stdout
) -> int:
    """Show papermill's progress in one line, and explain its failure in one paragraph.

    Args:
        preset: whose notebooks are counted.
        notebook: name to show.
        executed: where papermill writes the executed notebook.
        source: file descriptor of papermill's output.
        out: where to write; a terminal sees one line that moves, a log file the last state.

    Returns:
        0, or :data:`EXPLAINED` when papermill has failed.
    """
    names = list(preset_notebooks(preset))
    number = f"[{names.index(notebook) + 1}/{len(names)}]"
    start = time.monotonic()
    kept: collections.deque[str] = collections.deque(maxlen=60)
    cells, failed, rest, live = "", False, "", out.isatty()

    def line() -> str:
        minutes, seconds = divmod(int(time.monotonic() - start), 60)
        return f"{number} {notebook:<24} {cells:>14}  {minutes:>3}:{seconds:02} min"

    if not live:
        out.write(f"{number} {notebook} ...\n")
        out.flush()
    while True:
        ready, _, _ = select.select([source], [], [], 1.0)
        if ready:
            chunk = os.read(source, 65536)
            *parts, rest = re.split(r"[\r\n]", rest + chunk.decode(errors="replace"))
            for part in parts if chunk else [*parts, rest]:
                progress = re.match(r"Executing:.* (\d+)/(\d+) ", part)
                if progress:
                    cells = f"{progress[1]} of {progress[2]} cells"
                elif part.strip():
                    kept.append(part)
                    failed = failed or part.startswith("Traceback (most recent call last)")
            if not chunk:
                break
        if live:
            out.write(f"\r{line()}")
            out.flush()
    out.write(f"\r{line()}\n" if live else f"{line()}\n")
    if failed:
        out.write(f"\n{explain(executed, list(kept))}\n")
    out.flush()
    return EXPLAINED if failed else 0


def explain(executed: Path, talk: Sequence[str] = ()) -> str:
    """What stopped a notebook, and where to look.

    Args:
        executed: the executed notebook that papermill left.
        talk: the last lines that papermill wrote, for failures outside a cell.
    """
    try:
        cells = json.loads(executed.read_text(encoding="utf-8"))["cells"]
    except (OSError, ValueError):
        cells = []
    errors = [
        (cell.get("execution_count"), output)
        for cell in cells
        for output in cell.get("outputs", [])
        if output.get("output_type") == "error"
    ]
    where = f"Executed so far: {display_path(executed.resolve())}"
    if not errors:
        last = next((x for x in reversed(talk) if x.strip()), "papermill said nothing")
        return f"The notebook could not be run to its end: {last}\n{where}"
    count, error = errors[0]
    if error["ename"] == WfineError.__name__:
        return f"{error['evalue']}\n{where}"
    return f"Cell [{count}] stopped with {error['ename']}: {error['evalue']}\n{where}"


def cell(log: Path, result: Path, out: TextIO = sys.stdout) -> int:
    """Say in one line that a cell of the study is finished, or in one paragraph why it is not.

    Args:
        log: what ``wfine_study.run_cell run`` said of this cell alone.
        result: the file that a finished cell leaves, in the cell's folder.
        out: where to write.

    Returns:
        0, or :data:`EXPLAINED` when the cell has failed.
    """
    slug = result.parent.name
    said = [x for x in re.split(r"[\r\n]+", log.read_text("utf-8", errors="replace")) if x.strip()]
    last = said[-1] if said else "it was ended before it said anything"
    how = next((x for x in ("computed", "loaded") if f"{slug}: {x}" in said), None)
    if how:  # not always the last line: libraries may still warn when Python ends
        total = json.loads(result.read_text(encoding="utf-8"))["seconds"]["total"]
        minutes, seconds = divmod(int(total), 60)
        cost = f"{minutes:>3}:{seconds:02} min" if how == "computed" else ""
        # one write: several cells may end at the same moment
        out.write(f"      {slug:<67} {how:<8} {cost}".rstrip() + "\n")
        out.flush()
        return 0
    out.write(
        f"\nCell {slug} of the study could not be computed: {last}\n"
        f"All that it said: {display_path(log.resolve())}\n"
    )
    out.flush()
    return EXPLAINED


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; see ``python -m wfine_workflow.run --help``."""
    parser = argparse.ArgumentParser(prog="python -m wfine_workflow.run", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    one = commands.add_parser("run", help="bring a preset up to date and print its headline")
    one.add_argument("preset")
    one.add_argument("--output-root", help="write here instead of where the parameters say")
    one.add_argument("--cores", default="all")
    two = commands.add_parser("watch", help="(used by the Snakefile) show papermill's progress")
    two.add_argument("preset")
    two.add_argument("notebook")
    two.add_argument("executed", type=Path)
    three = commands.add_parser("cell", help="(used by the Snakefile) say how a cell ended")
    three.add_argument("log", type=Path)
    three.add_argument("result", type=Path)
    given = parser.parse_args(arguments)
    try:
        if given.command == "run":
            return run(given.preset, output_root=given.output_root, cores=given.cores)
        if given.command == "cell":
            return cell(given.log, given.result)
        return watch(given.preset, given.notebook, given.executed)
    except WfineError as error:
        sys.stderr.write(f"{error}\n")
        return 2


if __name__ == "__main__":
    sys.exit(main())
