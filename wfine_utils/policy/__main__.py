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

from wfine_utils.chains.files import load_queries
from wfine_utils.files import display_path
from wfine_utils.models.launch import _base, _into, _parser, _run
from wfine_utils.notebook.params import PolicyParams
from wfine_utils.policy.grpo import train_policy
from wfine_utils.rewards.reward_model import load_reward_model
from wfine_utils.settings import PolicySettings


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; see ``python -m wfine_utils.policy --help``."""
    parser = _parser("policy", "04_wrl_policy", "Train one policy of notebook 04.")
    parser.add_argument("--queries", required=True, type=Path, help="training queries")
    parser.add_argument(
        "--reward-model", required=True, type=Path, help="folder of the reward model to train for"
    )
    return _run(_train, parser.parse_args(arguments))


def _train(given: argparse.Namespace) -> str:
    cfg = PolicyParams.from_file(given.params)
    queries = load_queries(given.queries)[: cfg.n_train_queries]
    base = _base(given.base)
    settings = PolicySettings.of(cfg)

    def train(folder: Path) -> pd.DataFrame:
        return train_policy(
            queries, load_reward_model(given.reward_model), base_model=base.model,
            revision=base.revision, settings=settings, seed=cfg.seed, folder=folder,
        )  # fmt: skip

    last = _into(given.out, train).iloc[-1]
    return f"{display_path(given.out)}: policy, reward {last['reward']:.3f} at step {last['step']:.0f}\n"


if __name__ == "__main__":
    sys.exit(main())
