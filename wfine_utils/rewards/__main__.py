"""Train a reward model from the command line: ``python -m wfine_utils.rewards --help``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from wfine_utils.files import display_path
from wfine_utils.models.launch import base_named, run_training, shared_folder, training_parser


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; see ``python -m wfine_utils.rewards --help``."""
    parser = training_parser("rewards", "03_reward_model", "Train one reward model of notebook 03.")
    parser.add_argument("--chains", required=True, type=Path, help="chains whose pairs train it")
    parser.add_argument(
        "--validation", type=Path, help="chains on other topics; default: a tenth of --chains, and "
        "two tenths are left for testing, as in the notebook",
    )  # fmt: skip
    parser.add_argument(
        "--granularity", choices=("requirement", "prompt"), default="requirement",
        help="what it is given beside a response (default: %(default)s)",
    )  # fmt: skip
    return run_training(_train, parser.parse_args(arguments))


def _train(args: argparse.Namespace) -> str:
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


if __name__ == "__main__":
    sys.exit(main())
