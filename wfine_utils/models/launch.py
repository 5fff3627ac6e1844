"""The two trainings as programs that ``accelerate launch`` can start on several GPUs.

    accelerate launch -m wfine_utils.rewards --params params/mini/03_reward_model.yaml …
    accelerate launch -m wfine_utils.policy --params params/mini/04_wrl_policy.yaml …

The settings are those of the notebook's parameters file. Its batch is that of all processes
together, so a result does not change its meaning with the number of GPUs. What comes out is the
folder that the notebook would have made.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pandas as pd

from wfine_utils.base_model import Base, read_base
from wfine_utils.errors import WfineError
from wfine_utils.files import PARTIAL, display_path
from wfine_utils.models import loading


def _parser(module: str, notebook: str, what: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=f"accelerate launch -m wfine_utils.{module}",
        description=f"{what} The processes that accelerate starts share every batch; without "
        "accelerate (python -m …) there is one.",
    )
    parser.add_argument(
        "--params", required=True, type=Path, help=f"parameters: params/<preset>/{notebook}.yaml"
    )
    parser.add_argument(
        "--base", required=True, help="folder of notebook 00, or a model's folder or Hub id"
    )
    parser.add_argument("--out", required=True, type=Path, help="folder to make for the result")
    return parser


def _run(train: Callable[[argparse.Namespace], str], given: argparse.Namespace) -> int:
    """Train, and let one process say how it went."""
    said, status = "", 0
    try:
        if given.out.exists():
            raise WfineError(
                f"--out: {display_path(given.out)} is there already. Expected a folder that this makes: "
                "name another, or remove it."
            )
        with contextlib.redirect_stdout(sys.stderr):  # trainers print their logs
            said = train(given)
    except WfineError as error:
        said, status = f"{error}\n", 2
    if os.environ.get("RANK", "0") == "0":
        (sys.stderr if status else sys.stdout).write(said)
    return status


def _base(given: str) -> Base:
    """The model that notebook 00 recorded in a folder; else the folder or Hub id itself."""
    record = Path(given) / "base.json"
    return read_base(record) if record.exists() else Base(given, None)


def _into(out: Path, train: Callable[[Path], pd.DataFrame]) -> pd.DataFrame:
    """What ``train`` returns for a folder that becomes ``out`` when it is complete."""
    partial = out.with_name(f"{PARTIAL}{out.name}")
    processes = loading.processes()
    if processes.is_main_process:
        shutil.rmtree(partial, ignore_errors=True)  # what a killed run has left
        try:
            partial.mkdir(parents=True)
        except OSError as error:
            raise WfineError(
                f"--out: {display_path(partial)} cannot be made: {error.strerror or error}. Expected a "
                "place with write permission and free space."
            ) from error
    processes.wait_for_everyone()
    curve = train(partial)
    if (processes := loading.processes()).is_main_process:
        os.replace(partial, out)
    processes.destroy_process_group()
    return curve
