"""``wfine card``: the model card of a trained model, with the numbers of its run."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from wfine_utils.errors import explained
from wfine_utils.files import display_path


@explained
def main(arguments: Sequence[str] | None = None) -> int:
    """0 and the path of the card; 2 if there is no trained model, or no number that is its own."""
    parser = argparse.ArgumentParser(
        prog="wfine card",
        description="Write README.md beside a trained reward model or policy, with what WEval or "
        "the test queries have shown in the run that its folder lies in. A card without the line "
        "that says wfine wrote it is yours, and stays.",
    )
    parser.add_argument("folder", type=Path, help="of a trained reward model or policy")
    parser.add_argument("--licence", default="", help="identifier as on the Hub, e.g. apache-2.0")
    parser.add_argument("--data", default="", help="what it was trained on, in a sentence")
    args = parser.parse_args(arguments)
    from wfine_workflow.cards import card  # not above: --help should not wait for pandas

    path = card(args.folder, licence=args.licence, data=args.data)
    sys.stdout.write(f"{display_path(path)}\n")
    return 0
