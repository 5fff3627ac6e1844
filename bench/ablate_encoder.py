"""What earns the encoder its correlation: one choice of preset ``encoder`` changed at a time.

    python bench/ablate_encoder.py data/released_chains.parquet BASE_FOLDER OUT_FOLDER

Each recipe is trained on all folds of notebook 03's cross-validation but the first, and ranks the
first and WEval-Hand. Every recipe is compared with the preset's own, paired by chain. A finished
recipe is a stage (:func:`wfine_utils.notebook.run.stage`) and not trained again, so two processes
with different ``--only`` share the work (``--threads 1`` each), and a last call without it writes
and prints the table.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
import torch

from wfine_study.answers import TAU
from wfine_utils.base_model import Base
from wfine_utils.chains.files import load_chains
from wfine_utils.chains.pairs import draw_pairs, preference_pairs
from wfine_utils.chains.splits import folds
from wfine_utils.chains.taxonomy import Chain
from wfine_utils.chains.weval_hand import load_weval_hand
from wfine_utils.errors import explained
from wfine_utils.files import atomic_write, resolve, sha256_file, write_json
from wfine_utils.notebook.code_digest import digest, with_imports
from wfine_utils.notebook.environment import versions
from wfine_utils.notebook.params import RewardModelParams
from wfine_utils.notebook.stages import stage
from wfine_utils.rewards.reward_model import RewardModelScorer
from wfine_utils.rewards.training import train_reward_model
from wfine_utils.settings import RewardSettings
from wfine_utils.weval.evaluation import compare, evaluate
from wfine_utils.weval.resampling import holm
from wfine_utils.weval.scorers import Scores, scores_from_table, scores_table

RECIPE = "the preset's recipe"
PLAIN = "layout not shown"
WHOLE = "adapters in all layers"
CHANGES: dict[str, dict[str, Any]] = {
    RECIPE: {},
    PLAIN: {"show_layout": False},
    WHOLE: {"adapted_layers": 1.0},
    "256 tokens": {"max_tokens": 256},
    "512 tokens": {"max_tokens": 512},
    "two epochs": {"n_epochs": 2},
    "batches of 10": {"batch_size": 10, "micro_batch_size": 10},
    "batches of 40": {"batch_size": 40},
    "batches of 40, two epochs": {"batch_size": 40, "n_epochs": 2},
    "twice the learning rate": {"learning_rate": 2e-3},
    "neighbouring levels only": {"max_drop_distance": 1},
    "cross-entropy": {"loss": "cross_entropy"},
    "whole prompt": {"granularity": "prompt"},
}


def read_chains(path: Path, n_folds: int, seed: int) -> tuple[list[Chain], dict[str, list[Chain]]]:
    """Chains to train on, and those to rank, by name."""
    held_out, *rest = folds(load_chains(path), n_folds, seed)
    ranked = {"held out": held_out, "WEval-Hand": load_weval_hand("test")}
    return [chain for part in rest for chain in part], ranked


def train_and_rank(
    recipe: str,
    params: RewardModelParams,
    train: Sequence[Chain],
    ranked: Mapping[str, Sequence[Chain]],
    base: Base,
    folder: Path,
) -> None:
    """Train a reward model by a recipe, and write its scores of every set of chains.

    Args:
        recipe: one of :data:`CHANGES`.
        params: of notebook 03, which the recipe changes in one thing.
        train: chains to train on.
        ranked: chains to rank; those held out are watched in training, and choose nothing.
        base: the encoder it starts from.
        folder: empty; gets the reward model, ``scores-….parquet`` for every set of chains, and
            ``minutes.json``.
    """
    change = dict(CHANGES[recipe])
    granularity = change.pop("granularity", "requirement")
    params = params.model_copy(update=change)
    pairs, held_out = (
        draw_pairs(
            preference_pairs(
                chains, granularity=granularity, max_drop_distance=params.max_drop_distance
            ),
            n,
            seed=params.seed,
        )
        for chains, n in (
            (train, params.n_pairs_requirement),
            (ranked["held out"], params.n_pairs_validation),
        )
    )
    start = time.process_time()
    train_reward_model(
        pairs,
        held_out,
        base,
        RewardSettings.of(params),
        granularity=granularity,
        seed=params.seed,
        folder=folder,
    )
    minutes = (time.process_time() - start) / 60  # of CPU: recipes may train side by side
    for name, chains in ranked.items():
        scores = {recipe: RewardModelScorer(folder, name=recipe).score(chains)}
        scores_table(scores, chains).to_parquet(folder / f"scores-{name}.parquet", index=False)
    write_json(folder / "minutes.json", {"cpu_minutes": minutes, "n_pairs": len(pairs)})


def ablation_table(root: Path, ranked: Mapping[str, Sequence[Chain]]) -> pd.DataFrame:
    """Every finished recipe: tau-b and its difference from the preset's recipe.

    Args:
        root: folder of the recipes.
        ranked: the chains that they ranked, by name.

    Returns:
        One row per recipe and set of chains: ``recipe, ranked, value, ci_low, ci_high, n_chains,
        cpu_minutes, n_pairs`` (of training), and against the preset's recipe ``difference, p,
        difference_low, difference_high, p_holm``.
    """
    rows = []
    recipes = [name for name in CHANGES if (folder_of(root, name) / "minutes.json").is_file()]
    for name, chains in ranked.items():
        scores: dict[str, Scores] = {}
        for recipe in recipes:
            table = pd.read_parquet(folder_of(root, recipe) / f"scores-{name}.parquet")
            scores[recipe] = scores_from_table(table, chains)[recipe]
        for recipe in recipes:
            tau = evaluate(chains, scores[recipe]).set_index(["subset", "metric"])
            row: dict[str, Any] = {"recipe": recipe, "ranked": name}
            row |= dict(tau.loc[("all", TAU), ["value", "ci_low", "ci_high", "n_chains"]])
            row |= json.loads((folder_of(root, recipe) / "minutes.json").read_text())
            if recipe != RECIPE and RECIPE in scores:
                test = compare(chains, scores[recipe], scores[RECIPE], metrics=[TAU]).iloc[0]
                row |= {"difference": test["difference"], "p": test["p_value"]}
                row |= {"difference_low": test["ci_low"], "difference_high": test["ci_high"]}
            rows.append(row)
    table = pd.DataFrame(rows)
    if "p" in table:
        table["p_holm"] = table.groupby("ranked")["p"].transform(holm)
    return table


def folder_of(root: Path, recipe: str) -> Path:
    """Where the reward model and the scores of a recipe are kept."""
    return root / recipe.replace("'", "").replace(",", "").replace(" ", "_")


@explained
def main(arguments: Sequence[str] | None = None) -> int:
    """Train what is not yet trained, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    add = parser.add_argument
    add("chains", type=Path, help="chains file, e.g. the authors'; see README")
    add("base", type=Path, help="folder of all-MiniLM-L6-v2, as notebook 00 of the preset made it")
    add("out", type=Path, help="folder of the results")
    add("--only", nargs="*", choices=CHANGES, help="recipes (default: all)")
    add("--threads", type=int, default=torch.get_num_threads(), help="(default: %(default)s)")
    args = parser.parse_args(arguments)
    torch.set_num_threads(args.threads)
    params = RewardModelParams.from_file(resolve("params/encoder/03_reward_model.yaml"))
    base = Base(str(args.base))
    train, ranked = read_chains(args.chains, params.n_folds, params.seed)
    inputs = {
        "chains": sha256_file(args.chains),
        "base": base.fingerprint,
        "params": params.model_dump(mode="json"),
        "source": digest(with_imports([Path(__file__)])),
        "versions": versions(),
    }
    for recipe in args.only or CHANGES:
        compute = partial(train_and_rank, recipe, params, train, ranked, base)
        stage(folder_of(args.out, recipe), inputs | {"recipe": recipe}, compute)
    table = ablation_table(args.out, ranked)
    atomic_write(args.out / "ablation.csv", lambda path: table.to_csv(path, index=False))
    sys.stdout.write(f"{table.round(3).to_string(index=False)}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
