"""Does a run that is shot at come to the same end? ``python bench/kill_at_random.py``

Runs a preset once undisturbed. Then, several times over, it runs it again in a folder of its own,
and kills (SIGKILL) a random process of the tree at a random moment: make, the run, Snakemake, a
shell, papermill, a kernel, whatever is there. Each time the same command is given again. When a run
has come to its end its tables must be those of the undisturbed run, byte by byte.

With the defaults it takes some seven times as long as the preset does. Prints one line per kill.
"""

from __future__ import annotations

import argparse
import random
import shutil
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pandas as pd
import psutil

from wfine_utils.files import project_root, resolve

COSTS = {"T6_cost.csv", "headline.csv", "cells.csv"}  # minutes and memory: never the same twice


def command(preset: str, root: Path) -> list[str]:
    """`make reproduce` with the environment that runs this script."""
    ready = ["-s", "-o", f"{sys.prefix}/.installed", f"VENV={sys.prefix}"]
    return ["make", *ready, "reproduce", f"PRESET={preset}", f"OUTPUT_ROOT={root}"]


def start(preset: str, root: Path) -> subprocess.Popen[str]:
    log = open(root / "said.txt", "a")  # noqa: SIM115 -- the process writes to it
    return subprocess.Popen(
        command(preset, root), cwd=project_root(), stdout=log, stderr=log, text=True
    )


def tables(folder: Path) -> dict[str, bytes]:
    """Every CSV of a finished run, but for the lines that tell the cost."""
    csvs = [p for p in sorted(folder.rglob("*.csv")) if p.name not in COSTS]
    top = pd.read_csv(folder / "07_paper_tables" / "tables" / "headline.csv")
    values = {str(p.relative_to(folder)): p.read_bytes() for p in csvs}
    return values | {"headline": top[top["n"].notna()].to_csv().encode()}


def kill_one(front: int, rng: random.Random) -> str:
    """Kill a random process of the tree below ``front``, or that itself; its command line."""
    parent = psutil.Process(front)
    family = [parent, *parent.children(recursive=True)]
    while family:
        victim = family.pop(rng.randrange(len(family)))
        with suppress(psutil.Error):
            line = " ".join(victim.cmdline())
            if line:  # none: it has ended already
                victim.kill()
                return line
    return "nothing: all had ended"


def shot_at(preset: str, root: Path, waits: list[float], rng: random.Random, run: int) -> int:
    """Run a preset to its end, killing on the way; how often.

    Args:
        waits: seconds before each kill, from the start or the kill before it.
    """
    began, kills, failures = time.monotonic(), 0, 0
    process = start(preset, root)
    while True:
        try:
            status = process.wait(waits[kills] if kills < len(waits) else None)
        except subprocess.TimeoutExpired:
            kills, failures = kills + 1, 0
            victim = kill_one(process.pid, rng)
            print(f"{run}\t{kills}\t{time.monotonic() - began:.1f} s\t{victim[:100]}", flush=True)
            continue
        failures += 1
        if status == 0:
            return kills
        if failures > 5:
            sys.exit(f"It does not come to its end, see {root}/said.txt")
        time.sleep(1)  # without make, the run needs a moment to notice
        process = start(preset, root)


def main() -> int:
    """The command line; see ``python bench/kill_at_random.py --help``."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[1])
    parser.add_argument("--preset", default="smoke")
    parser.add_argument("--kills", type=int, default=25)
    parser.add_argument("--per-run", type=int, default=5, help="kills in each run, at most")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--root", type=Path, default=Path("outputs/kill_at_random"))
    args = parser.parse_args()
    root, rng = resolve(args.root), random.Random(args.seed)
    shutil.rmtree(root, ignore_errors=True)
    (root / "undisturbed").mkdir(parents=True)
    began = time.monotonic()
    if start(args.preset, root / "undisturbed").wait():
        print(f"The undisturbed run failed: {root}/undisturbed/said.txt")
        return 1
    duration = time.monotonic() - began
    print(f"undisturbed: {duration:.0f} s")
    expected = tables(root / "undisturbed" / args.preset)
    n_kills = n_runs = n_equal = 0
    while n_kills < args.kills:
        n_runs += 1
        folder = root / f"run-{n_runs}"
        folder.mkdir()
        waits = [rng.uniform(0, 2 * duration / args.per_run) for _ in range(args.per_run)]
        n_kills += shot_at(args.preset, folder, waits, rng, n_runs)
        actual = tables(folder / args.preset)
        different = [name for name in expected | actual if expected.get(name) != actual.get(name)]
        n_equal += not different
        print(f"{n_runs}\tended in {len(expected)} tables, different: {different or 'none'}")
    print(f"{n_kills} kills in {n_runs} runs; {n_equal} runs ended in equal tables")
    return int(n_equal < n_runs)


if __name__ == "__main__":
    sys.exit(main())
