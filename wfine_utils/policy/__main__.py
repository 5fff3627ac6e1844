"""Train a policy from the command line: ``python -m wfine_utils.policy --help``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from wfine_utils.files import display_path
from wfine_utils.models.launch import base_named, run_training, shared_folder, training_parser


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; see ``python -m wfine_utils.policy --help``."""
    parser = training_parser("policy", "04_wrl_policy", "Train one policy of notebook 04.")
    parser.add_argument("--queries", required=True, type=Path, help="training queries")
    parser.add_argument(
        "--reward-model", required=True, type=Path, help="folder of the reward model to train for"
    )
    return run_training(_train, parser.parse_args(arguments))


def _train(args: argparse.Namespace) -> str:
    # not above: --help should not wait for torch
    from wfine_utils.chains.files import load_queries
    from wfine_utils.notebook.params import PolicyParams
    from wfine_utils.policy.grpo import train_policy
    from wfine_utils.rewards.reward_model import load_reward_model
    from wfine_utils.settings import PolicySettings

    cfg = PolicyParams.from_file(args.params)
    queries = load_queries(args.queries)[: cfg.n_train_queries]
    base, settings = base_named(args.base), PolicySettings.of(cfg)
    with shared_folder(args.out) as folder:
        reward_model = load_reward_model(args.reward_model)
        curve = train_policy(queries, reward_model, base, settings, seed=cfg.seed, folder=folder)
    last = curve.iloc[-1]
    outcome = f"reward {last['reward']:.3f} at step {last['step']:.0f}"
    return f"{display_path(args.out)}: policy, {outcome}"


if __name__ == "__main__":
    sys.exit(main())
