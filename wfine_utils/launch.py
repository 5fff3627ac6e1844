"""The two trainings as programs that ``accelerate launch`` can start on several GPUs.

    accelerate launch -m wfine_utils.reward_model --params params/mini/03_reward_model.yaml …
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
from collections.abc import Callable, Sequence
from pathlib import Path

import pandas as pd

from wfine_utils import bases, models
from wfine_utils.data import load_chains, load_queries
from wfine_utils.errors import WfineError
from wfine_utils.files import PARTIAL, shown
from wfine_utils.pairs import draw_pairs, preference_pairs
from wfine_utils.params import PolicyParams, PolicySettings, RewardModelParams, RewardSettings
from wfine_utils.policy import train_policy
from wfine_utils.presets import read_yaml
from wfine_utils.reward_model import load_reward_model
from wfine_utils.reward_training import train_reward_model
from wfine_utils.splits import split_chains


def reward_model(arguments: Sequence[str] | None = None) -> int:
    """The command line; see ``python -m wfine_utils.reward_model --help``."""
    parser = _parser("reward_model", "03_reward_model", "Train one reward model of notebook 03.")
    parser.add_argument("--chains", required=True, type=Path, help="chains whose pairs train it")
    parser.add_argument(
        "--validation", type=Path, help="chains on other topics; default: a tenth of --chains, and "
        "two tenths are left for testing, as in the notebook",
    )  # fmt: skip
    parser.add_argument(
        "--granularity", choices=("requirement", "prompt"), default="requirement",
        help="what it is given beside a response (default: %(default)s)",
    )  # fmt: skip
    return _run(_reward_model, parser.parse_args(arguments))


def policy(arguments: Sequence[str] | None = None) -> int:
    """The command line; see ``python -m wfine_utils.policy --help``."""
    parser = _parser("policy", "04_wrl_policy", "Train one policy of notebook 04.")
    parser.add_argument("--queries", required=True, type=Path, help="training queries")
    parser.add_argument(
        "--reward-model", required=True, type=Path, help="folder of the reward model to train for"
    )
    return _run(_policy, parser.parse_args(arguments))


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
                f"--out: {shown(given.out)} is there already. Expected a folder that this makes: "
                "name another, or remove it."
            )
        with contextlib.redirect_stdout(sys.stderr):  # trainers print their logs
            said = train(given)
    except WfineError as error:
        said, status = f"{error}\n", 2
    if os.environ.get("RANK", "0") == "0":
        (sys.stderr if status else sys.stdout).write(said)
    return status


def _reward_model(given: argparse.Namespace) -> str:
    cfg = RewardModelParams.checked(read_yaml(given.params), shown(given.params))
    if given.validation:
        chains = {"train": load_chains(given.chains), "validation": load_chains(given.validation)}
    else:
        chains = split_chains(load_chains(given.chains), (0.7, 0.1, 0.2), cfg.seed)
    wanted = {
        "train": getattr(cfg, f"n_pairs_{given.granularity}"),
        "validation": cfg.n_pairs_validation,
    }
    pairs = {
        split: draw_pairs(
            preference_pairs(chains[split], granularity=given.granularity), n, seed=cfg.seed
        )
        for split, n in wanted.items()
    }
    base = _base(given.base)
    settings = RewardSettings(**cfg.model_dump(include=set(RewardSettings.model_fields)))

    def train(folder: Path) -> pd.DataFrame:
        return train_reward_model(
            pairs["train"], pairs["validation"], base_model=base.model, revision=base.revision,
            granularity=given.granularity, settings=settings, seed=cfg.seed, folder=folder,
        )  # fmt: skip

    curve = _into(given.out, train)
    last = curve[curve["split"] == "validation"].iloc[-1]
    return (
        f"{shown(given.out)}: reward model, validation accuracy {last['accuracy']:.3f} after "
        f"{last['step']} steps\n"
    )


def _policy(given: argparse.Namespace) -> str:
    cfg = PolicyParams.checked(read_yaml(given.params), shown(given.params))
    queries = load_queries(given.queries)[: cfg.n_train_queries]
    base = _base(given.base)
    settings = PolicySettings(**cfg.model_dump(include=set(PolicySettings.model_fields)))

    def train(folder: Path) -> pd.DataFrame:
        return train_policy(
            queries, load_reward_model(given.reward_model), base_model=base.model,
            revision=base.revision, settings=settings, seed=cfg.seed, folder=folder,
        )  # fmt: skip

    last = _into(given.out, train).iloc[-1]
    return f"{shown(given.out)}: policy, reward {last['reward']:.3f} at step {last['step']:.0f}\n"


def _base(given: str) -> bases.Base:
    """The model that notebook 00 recorded in a folder; else the folder or Hub id itself."""
    record = Path(given) / "base.json"
    return bases.read_base(record) if record.exists() else bases.Base(given, None)


def _into(out: Path, train: Callable[[Path], pd.DataFrame]) -> pd.DataFrame:
    """What ``train`` returns for a folder that becomes ``out`` when it is complete."""
    partial = out.with_name(f"{PARTIAL}{out.name}")
    processes = models.processes()
    if processes.is_main_process:
        shutil.rmtree(partial, ignore_errors=True)  # what a killed run has left
        try:
            partial.mkdir(parents=True)
        except OSError as error:
            raise WfineError(
                f"--out: {shown(partial)} cannot be made: {error.strerror or error}. Expected a "
                "place with write permission and free space."
            ) from error
    processes.wait_for_everyone()
    curve = train(partial)
    if (processes := models.processes()).is_main_process:
        os.replace(partial, out)
    processes.destroy_process_group()
    return curve
