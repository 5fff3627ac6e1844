"""``wfine train-reward`` and ``wfine train-policy``: one training, on any number of GPUs."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from wfine_utils.errors import explained
from wfine_utils.files import display_path
from wfine_utils.models.launch import base_named, run_training, shared_folder, training_parser


@explained
def reward(arguments: Sequence[str] | None = None) -> int:
    """The command line; see ``wfine train-reward --help``."""
    notebook = "03_reward_model"
    parser = training_parser("train-reward", notebook, "Train one reward model of notebook 03.")
    parser.add_argument("--chains", required=True, type=Path, help="chains whose pairs train it")
    parser.add_argument(
        "--validation", type=Path, help="chains on other topics; default: a tenth of --chains, and "
        "two tenths are left for testing, as in the notebook",
    )  # fmt: skip
    parser.add_argument(
        "--granularity", choices=("requirement", "prompt"), default="requirement",
        help="what it is given beside a response (default: %(default)s)",
    )  # fmt: skip
    return run_training(_train_reward, parser.parse_args(arguments))


def _train_reward(args: argparse.Namespace) -> str:
    # not above: --help should not wait for torch
    from wfine_utils.chains.files import load_chains
    from wfine_utils.chains.pairs import draw_pairs, preference_pairs
    from wfine_utils.chains.splits import split_chains
    from wfine_utils.notebook.params import RewardModelParams
    from wfine_utils.rewards.training import train_reward_model
    from wfine_utils.settings import RewardSettings

    cfg, granularity = RewardModelParams.from_file(args.params), args.granularity
    if args.validation:
        chains = {"train": load_chains(args.chains), "validation": load_chains(args.validation)}
    else:
        chains = split_chains(load_chains(args.chains), (0.7, 0.1, 0.2), cfg.seed)
    n_pairs = getattr(cfg, f"n_pairs_{granularity}"), cfg.n_pairs_validation
    train, validation = (
        draw_pairs(preference_pairs(chains[split], granularity=granularity), n, seed=cfg.seed)
        for split, n in zip(("train", "validation"), n_pairs, strict=True)
    )
    base, settings = base_named(args.base), RewardSettings.of(cfg)
    with shared_folder(args.out) as folder:
        options = {"granularity": granularity, "seed": cfg.seed, "folder": folder}
        curve = train_reward_model(train, validation, base, settings, **options)
    last = curve[curve["split"] == "validation"].iloc[-1]
    outcome = f"validation accuracy {last['accuracy']:.3f} after {last['step']} steps"
    return f"{display_path(args.out)}: reward model, {outcome}"


@explained
def policy(arguments: Sequence[str] | None = None) -> int:
    """The command line; see ``wfine train-policy --help``."""
    parser = training_parser("train-policy", "04_wrl_policy", "Train one policy of notebook 04.")
    parser.add_argument("--queries", required=True, type=Path, help="training queries")
    parser.add_argument(
        "--reward-model", required=True, type=Path, help="folder of the reward model to train for"
    )
    return run_training(_train_policy, parser.parse_args(arguments))


def _train_policy(args: argparse.Namespace) -> str:
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
