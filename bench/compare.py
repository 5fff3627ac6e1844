"""How much faster is this tree than another commit? Both run a preset in turn on this machine.

    python bench/compare.py c420e30 OUT_FOLDER --preset mini --repeats 3 --cores 2

The other commit is checked out into a worktree. Each tree is run by its own ``make``, with the
packages of this environment. Each run starts from nothing, in a folder of its own; the two take
turns, so that whatever else the machine does falls on both. ``--busy 1`` keeps a process computing
beside them. ``--tests`` runs both test suites, too.

Every run is written to ``OUT_FOLDER/runs.csv`` as it ends, and a run that is there is not done
again, so a comparison that was stopped goes on. ``OUT_FOLDER/ratios.csv`` has the medians and how
many times as fast this tree is: of the whole run and of the tests in minutes and in CPU minutes,
of each notebook in minutes, and of each training in minutes and in tokens per second. CPU minutes
are those of all processes together.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from wfine_utils.errors import WfineError, explained
from wfine_utils.files import atomic_write, project_root

THIS = "this tree"
SPEED = "tokens per second"
COSTS = "07_paper_tables/tables/T6_cost.csv"


class Tree(NamedTuple):
    """A checkout of the project."""

    name: str
    root: Path

    def make(self, goal: str, *options: str) -> list[str]:
        """The tree's own command for a goal, with this environment in the place of its own."""
        installed = Path(sys.prefix) / ".installed"  # -o: nothing is installed from this tree
        return ["make", "-o", str(installed), goal, f"VENV={sys.prefix}", *options]


@contextmanager
def worktree(commit: str) -> Iterator[Tree]:
    """The other commit, checked out beside this one until it is no longer needed."""
    git = ["git", "-C", str(project_root())]
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "other"
        command = [*git, "worktree", "add", "--detach", str(root), commit]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            raise WfineError(
                f"commit {commit!r}: git found none that it could check out "
                f"({done.stderr.strip()}). Expected one of `git log --oneline`."
            )
        try:
            yield Tree(commit, root)
        finally:
            subprocess.run([*git, "worktree", "remove", "--force", str(root)], capture_output=True)


@contextmanager
def busy(n: int) -> Iterator[None]:
    """So many processes that do nothing but compute, each on any core."""
    spin = "while True: pass"
    others = [subprocess.Popen([sys.executable, "-c", spin]) for _ in range(n)]
    try:
        yield
    finally:
        for other in others:
            other.kill()
            other.wait()


def measured(command: Sequence[str], tree: Tree) -> dict[str, float]:
    """Minutes and CPU minutes of a command in a tree.

    Raises:
        WfineError: it failed; the message ends with what it printed last.
    """
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    path = os.pathsep.join([str(tree.root), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        command, cwd=tree.root, env=os.environ | {"PYTHONPATH": path.rstrip(os.pathsep)},
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    minutes = (time.perf_counter() - start) / 60
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        raise WfineError(
            f"{tree.name}: {' '.join(command)} ended with {done.returncode}:\n{done.stdout[-2000:]}"
        )
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"minutes": minutes, "CPU minutes": cpu / 60}


def reproduce(tree: Tree, preset: str, cores: int) -> list[dict[str, object]]:
    """One batch run from nothing, and what each notebook and training of it took."""
    with tempfile.TemporaryDirectory() as out:
        options = [f"PRESET={preset}", f"CORES={cores}", f"OUTPUT_ROOT={out}"]
        whole = measured(tree.make("reproduce", *options), tree)
        costs = pd.read_csv(Path(out) / preset / COSTS)
        rows: list[dict[str, object]] = [
            {"what": "the whole run", "unit": unit, "value": value} for unit, value in whole.items()
        ]
        for cost in costs[costs["notebook"] != "all"].itertuples():
            what = f"{cost.notebook}, {cost.stage}"
            rows.append({"what": what, "unit": "minutes", "value": cost.minutes})
        rows += speeds(Path(out) / preset)
    memory = costs["peak_memory_gib"].max()
    return [*rows, {"what": "the whole run", "unit": "peak memory, GiB", "value": memory}]


def speeds(run: Path) -> list[dict[str, object]]:
    """Tokens per second of each training of a run, loading too: what both trees have written.

    With ``--cores 1`` a training has one thread, and its seconds are seconds of the CPU.
    """
    rows: list[dict[str, object]] = []
    for path in sorted(run.glob("*/*/cost.json")):
        tokens = json.loads(path.read_text())["tokens"]
        seconds = json.loads((path.parent / "stage.json").read_text())["seconds"]
        what = f"{path.parts[-3]}, {path.parts[-2]}"
        rows.append({"what": what, "unit": SPEED, "value": tokens / seconds})
    return rows


def tests(tree: Tree) -> list[dict[str, object]]:
    """The whole test suite, as the tree's own command runs it."""
    suite = measured(tree.make("test"), tree)
    return [{"what": "the tests", "unit": unit, "value": value} for unit, value in suite.items()]


def ratios(runs: pd.DataFrame, other: str) -> pd.DataFrame:
    """Medians over repetitions, and how many times as fast this tree is.

    Args:
        runs: one row per ``tree, repeat, what, unit, value``.
        other: name of the other tree.

    Returns:
        ``what, unit``, the median of each tree, ``ratio`` (above 1 this one is faster, or takes
        less memory), ``n`` of this one.
    """
    groups = runs.groupby(["what", "unit", "tree"], sort=False)["value"]
    table = groups.median().unstack("tree").reindex(columns=[other, THIS])
    is_speed = table.index.get_level_values("unit") == SPEED
    table["ratio"] = (table[other] / table[THIS]) ** np.where(is_speed, -1, 1)
    table["n"] = groups.size().unstack("tree").reindex(table.index)[THIS]
    return table.reset_index().rename_axis(columns=None)


@explained
def main(arguments: Sequence[str] | None = None) -> int:
    """Run both in turn, and print the ratios."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    add = parser.add_argument
    add("commit", help="the other commit")
    add("out", type=Path, help="folder of runs.csv and ratios.csv")
    add("--preset", default="mini", help="(default: %(default)s)")
    add("--repeats", type=int, default=3, help="runs of each (default: %(default)s)")
    add("--cores", type=int, default=2, help="of a run (default: %(default)s)")
    add("--busy", type=int, default=0, help="processes beside the runs (default: %(default)s)")
    add("--tests", action="store_true", help="the test suites, too")
    args = parser.parse_args(arguments)
    for program in ("git", "make"):
        if not shutil.which(program):
            raise WfineError(f"{program}: found no such program, expected it. Install it.")
    args.out.mkdir(parents=True, exist_ok=True)
    path = args.out / "runs.csv"
    runs = pd.read_csv(path) if path.is_file() else pd.DataFrame(columns=["tree", "repeat"])
    with ExitStack() as stack:
        trees = [stack.enter_context(worktree(args.commit)), Tree(THIS, project_root())]
        stack.enter_context(busy(args.busy))
        for repeat in range(args.repeats):
            for tree in trees:
                if ((runs["tree"] == tree.name) & (runs["repeat"] == repeat)).any():
                    continue
                rows = reproduce(tree, args.preset, args.cores)
                rows += tests(tree) if args.tests else []
                new = pd.DataFrame(rows).assign(tree=tree.name, repeat=repeat)
                runs = pd.concat([runs, new]) if len(runs) else new
                atomic_write(path, partial(runs.to_csv, index=False))
                sys.stdout.write(f"{tree.name}, repetition {repeat}: {rows[0]['value']:.1f} min\n")
                sys.stdout.flush()
    table = ratios(runs, args.commit)
    atomic_write(args.out / "ratios.csv", partial(table.to_csv, index=False))
    sys.stdout.write(f"{table.round(2).to_string(index=False)}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
