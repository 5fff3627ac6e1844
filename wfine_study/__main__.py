"""The study behind notebook 06, one cell at a time: ``python -m wfine_study run SLUG …``.

A cell leaves a folder ``<out>/<slug>`` with ``result.json`` (metrics with their n, sizes, seconds,
versions) and tables in parquet that later tests pair: chain by chain, pair by pair, query by
query. The folder appears when it is complete, and a cell is run again only if something that its
numbers depend on has changed. The adapter of a reward model stays only where a policy needs it.
"""

from __future__ import annotations

import argparse
import contextlib
import sys
from collections.abc import Sequence
from pathlib import Path

from wfine_study.cells import StudySettings, all_cells, find_cell, load_settings
from wfine_study.run_cell import run_cell
from wfine_utils.errors import WfineError
from wfine_utils.files import display_path


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; see ``python -m wfine_study --help``."""
    parser = argparse.ArgumentParser(
        prog="python -m wfine_study", description="The cells of the study of notebook 06."
    )
    commands = parser.add_subparsers(dest="command", required=True)
    one = commands.add_parser("list", help="the slugs of all cells, policies last, one a line")
    two = commands.add_parser("run", help="run cells, in the order given; finished ones are kept")
    two.add_argument("slugs", nargs="+", metavar="SLUG", help="a name that `list` shows")
    for command in (one, two):
        command.add_argument("--settings", required=True, help="YAML file with the settings")
    two.add_argument("--base", required=True, type=Path, help="base.json that notebook 00 wrote")
    two.add_argument("--out", required=True, type=Path, help="folder for the results")
    two.add_argument("--threads", type=int, help="CPU threads of torch; default: all cores")
    given = parser.parse_args(arguments)
    try:
        settings = load_settings(given.settings)
        if given.command == "list":
            sys.stdout.writelines(f"{cell.slug}\n" for cell in all_cells(settings))
        else:
            _run(given, settings)
    except WfineError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return 0


def _run(given: argparse.Namespace, settings: StudySettings) -> None:
    chosen = [find_cell(settings, slug) for slug in given.slugs]
    if given.threads is not None and given.threads < 1:
        raise WfineError(f"--threads: found {given.threads}, expected 1 or more.")
    import torch

    from wfine_utils.base_model import read_base

    if given.threads:
        torch.set_num_threads(given.threads)
    try:
        base = read_base(given.base)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise WfineError(
            f"{display_path(given.base)}: no base model is recorded there ({error!r}). Expected the file "
            "base.json that notebook 00_base_model writes."
        ) from error
    for cell in chosen:
        with contextlib.redirect_stdout(sys.stderr):  # trainers print their logs
            how = run_cell(cell, settings, base, given.out)
        sys.stdout.write(f"{cell.slug}: {how}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
