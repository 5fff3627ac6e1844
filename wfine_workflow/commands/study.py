"""``wfine study``: the cells of notebook 06's study, by themselves."""

from __future__ import annotations

import argparse
import contextlib
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from wfine_utils.errors import WfineError, explained
from wfine_utils.files import display_path

if TYPE_CHECKING:
    from wfine_study.cells import StudySettings


@explained
def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; see ``wfine study --help``."""
    parser = argparse.ArgumentParser(
        prog="wfine study", description="The cells of the study of notebook 06."
    )
    commands = parser.add_subparsers(dest="command", required=True)
    list_ = commands.add_parser("list", help="the slugs of all cells, policies last, one a line")
    run = commands.add_parser("run", help="run cells, in the order named; finished ones are kept")
    run.add_argument("slugs", nargs="+", metavar="SLUG", help="a name that `list` shows")
    for command in (list_, run):
        command.add_argument("--settings", required=True, help="YAML file with the settings")
    run.add_argument("--base", required=True, type=Path, help="base.json that notebook 00 wrote")
    run.add_argument("--out", required=True, type=Path, help="folder for the results")
    run.add_argument("--threads", type=int, help="CPU threads of torch; default: all cores")
    args = parser.parse_args(arguments)
    from wfine_study.cells import all_cells, load_settings  # --help need not wait for these

    settings = load_settings(args.settings)
    if args.command == "list":
        sys.stdout.writelines(f"{cell.slug}\n" for cell in all_cells(settings))
    else:
        _run(args, settings)
    return 0


def _run(args: argparse.Namespace, settings: StudySettings) -> None:
    from wfine_study.cells import find_cell
    from wfine_study.run_cell import run_cell
    from wfine_utils.base_model import read_base

    cells = [find_cell(settings, slug) for slug in args.slugs]
    if args.threads is not None:
        if args.threads < 1:
            raise WfineError(f"--threads: found {args.threads}, expected 1 or more.")
        import torch  # slow, and not needed to list cells

        torch.set_num_threads(args.threads)
    try:
        base = read_base(args.base)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise WfineError(
            f"{display_path(args.base)}: no base model is recorded there ({error!r}); expected the "
            "base.json that notebook 00_base_model writes."
        ) from error
    for cell in cells:
        with contextlib.redirect_stdout(sys.stderr):  # trainers print their logs
            state = run_cell(cell, settings, base, args.out)
        sys.stdout.write(f"{cell.slug}: {state}\n")
        sys.stdout.flush()
