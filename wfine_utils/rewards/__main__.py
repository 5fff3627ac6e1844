"""The two trainings as programs that ``accelerate launch`` can start on several GPUs.

    accelerate launch -m wfine_utils.rewards --params params/mini/03_reward_model.yaml …
    accelerate launch -m wfine_utils.policy --params params/mini/04_wrl_policy.yaml …

The settings are those of the notebook's parameters file. Its batch is that of all processes
together, so a result does not change its meaning with the number of GPUs. What comes out is the
folder that the notebook would have made.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from wfine_utils.chains.files import load_chains
from wfine_utils.chains.pairs import draw_pairs, preference_pairs
from wfine_utils.chains.splits import split_chains
from wfine_utils.files import display_path
from wfine_utils.models.launch import _base, _into, _parser, _run
from wfine_utils.notebook.params import RewardModelParams
from wfine_utils.rewards.training import train_reward_model
from wfine_utils.settings import RewardSettings


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; see ``python -m wfine_utils.rewards --help``."""
    parser = _parser("rewards", "03_reward_model", "Train one reward model of notebook 03.")
    parser.add_argument("--chains", required=True, type=Path, help="chains whose pairs train it")
    parser.add_argument(
        "--validation", type=Path, help="chains on other topics; default: a tenth of --chains, and "
        "two tenths are left for testing, as in the notebook",
    )  # fmt: skip
    parser.add_argument(
        "--granularity", choices=("requirement", "prompt"), default="requirement",
        help="what it is given beside a response (default: %(default)s)",
    )  # fmt: skip
    return _run(_train, parser.parse_args(arguments))


def _train(given: argparse.Namespace) -> str:
    cfg = RewardModelParams.from_file(given.params)
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
    settings = RewardSettings.of(cfg)

    def train(folder: Path) -> pd.DataFrame:
        return train_reward_model(
            pairs["train"], pairs["validation"], base_model=base.model, revision=base.revision,
            granularity=given.granularity, settings=settings, seed=cfg.seed, folder=folder,
        )  # fmt: skip

    curve = _into(given.out, train)
    last = curve[curve["split"] == "validation"].iloc[-1]
    return (
        f"{display_path(given.out)}: reward model, validation accuracy {last['accuracy']:.3f} after "
        f"{last['step']} steps\n"
    )


if __name__ == "__main__":
    sys.exit(main())
