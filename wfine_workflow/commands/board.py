"""``wfine board``: WEval of many runs on one page."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from wfine_utils.errors import explained
from wfine_utils.files import display_path


@explained
def main(arguments: Sequence[str] | None = None) -> int:
    """0 and the path of the page; 2 if a folder holds no run that can be read."""
    parser = argparse.ArgumentParser(
        prog="wfine board",
        description="Put WEval of every scorer in many runs on one page: a table for each set of "
        "chains, intervals drawn, null baselines and ceilings shaded, the released rule in a "
        "column of its own. One file, read without a network.",
    )
    parser.add_argument(
        "folders", nargs="+", type=Path, metavar="DIR",
        help="outputs/<preset>, or what `wfine weval --out DIR` has written",
    )  # fmt: skip
    parser.add_argument("--out", type=Path, default=Path("board.html"), help="default: %(default)s")
    args = parser.parse_args(arguments)
    from wfine_workflow.board import build_board  # not above: --help should not wait for pandas

    sys.stdout.write(f"{display_path(build_board(args.folders, args.out))}\n")
    return 0
