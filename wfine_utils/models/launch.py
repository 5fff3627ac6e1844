"""What the two trainings share as programs that ``accelerate launch`` can start on several GPUs.

    accelerate launch --no_python wfine train-reward --params params/mini/03_reward_model.yaml …
    accelerate launch --no_python wfine train-policy --params params/mini/04_wrl_policy.yaml …

They read the notebook's parameters file and make the folder that the notebook would have made. The
batch is that of all processes together: a result means the same for any number of GPUs.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from wfine_utils.base_model import Base, read_base
from wfine_utils.errors import WfineError
from wfine_utils.files import display_path, partial_path, whole_folder


def training_parser(command: str, notebook: str, description: str) -> argparse.ArgumentParser:
    """The options that both trainings have; ``description`` is the first sentence of the help."""
    parser = argparse.ArgumentParser(
        prog=f"wfine {command}",
        description=f"{description} By itself it runs in one process. On several GPUs: "
        f"accelerate launch --num_processes N --no_python wfine {command} …; these processes "
        "share every batch.",
    )
    option = partial(parser.add_argument, required=True)
    option("--params", type=Path, help=f"parameters: params/<preset>/{notebook}.yaml")
    option("--base", help="folder of notebook 00, or a model's folder or Hub id")
    option("--out", type=Path, help="folder to make for the result")
    return parser


def run_training(train: Callable[[argparse.Namespace], str], args: argparse.Namespace) -> int:
    """Train, let one process say how it went, and return the exit status."""
    line, status = "", 0
    try:
        if args.out.exists():
            raise WfineError(
                f"--out: {display_path(args.out)} is there already. Expected a folder that this "
                "makes: name another, or remove it."
            )
        with contextlib.redirect_stdout(sys.stderr):  # trainers print their logs
            line = train(args)
    except WfineError as error:
        line, status = str(error), 2
    if os.environ.get("RANK", "0") == "0":
        (sys.stderr if status else sys.stdout).write(f"{line}\n" if line else "")
    return status


def base_named(name: str) -> Base:
    """The model that notebook 00 recorded in a folder; else the folder or Hub id itself."""
    record = Path(name) / "base.json"
    return read_base(record) if record.exists() else Base(name)


@contextlib.contextmanager
def shared_folder(out: Path) -> Iterator[Path]:
    """:func:`wfine_utils.files.whole_folder` for processes that train together.

    The first one makes the folder and gives it its name; all of them write into it.
    """
    from wfine_utils.models import devices  # brings torch, which --help should not wait for

    first = devices.processes().is_main_process
    with whole_folder(out) if first else contextlib.nullcontext(partial_path(out)) as folder:
        devices.processes().wait_for_everyone()
        yield folder
    devices.processes().destroy_process_group()
