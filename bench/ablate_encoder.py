"""What earns the encoder its correlation: one choice of preset ``encoder`` changed at a time.

    python bench/ablate_encoder.py data/released_chains.parquet BASE_FOLDER OUT_FOLDER

Each recipe is trained on all folds of notebook 03's cross-validation but the first, and ranks the
first and WEval-Hand. Every recipe is compared with the preset's own, paired by chain. A recipe that
is finished is not trained again, so two processes with different ``--only`` share the work
(``--threads 1`` each), and a last call without it prints the table.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any
from unittest import mock

import pandas as pd
import torch

from wfine_utils.chains.files import load_chains
from wfine_utils.chains.pairs import draw_pairs, preference_pairs
from wfine_utils.chains.splits import folds
from wfine_utils.chains.taxonomy import Chain
from wfine_utils.chains.weval_hand import load_weval_hand
from wfine_utils.files import atomic_write, read_yaml, resolve
from wfine_utils.models import encoding
from wfine_utils.notebook.params import RewardModelParams
from wfine_utils.rewards.reward_model import RewardModelScorer
from wfine_utils.rewards.training import train_reward_model
from wfine_utils.settings import RewardSettings
from wfine_utils.weval.evaluation import compare, evaluate
from wfine_utils.weval.resampling import holm
from wfine_utils.weval.scorers import scores_from_table, scores_table

RECIPE = "the preset's recipe"
PLAIN = "layout not shown"
WHOLE = "adapters in all layers"
CHANGES: dict[str, dict[str, Any]] = {
    RECIPE: {},
    PLAIN: {},
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


def cases(path: Path, n_folds: int, seed: int) -> tuple[list[Chain], dict[str, list[Chain]]]:
    """Chains to train on, and those to rank, by name."""
    held_out, *rest = folds(load_chains(path), n_folds, seed)
    return [chain for part in rest for chain in part], {
        "held out": held_out,
        "WEval-Hand": load_weval_hand("test"),
    }


def train_and_rank(
    name: str,
    params: RewardModelParams,
    train: Sequence[Chain],
    ranked: Mapping[str, Sequence[Chain]],
    base: Path,
    folder: Path,
) -> None:
    """Write ``scores-….parquet`` for every set of chains, and ``minutes.json`` last."""
    change = dict(CHANGES[name])
    granularity = change.pop("granularity", "requirement")
    changed = params.model_copy(update=change)
    pairs = {
        part: draw_pairs(
            preference_pairs(
                chains, granularity=granularity, max_drop_distance=changed.max_drop_distance
            ),
            n,
            seed=changed.seed,
        )
        for part, chains, n in (
            ("train", train, changed.n_pairs_requirement),
            ("held out", ranked["held out"], changed.n_pairs_validation),
        )
    }
    folder.mkdir(parents=True, exist_ok=True)
    start = time.process_time()
    with mock.patch.object(encoding, "show_layout", str) if name == PLAIN else nullcontext():
        train_reward_model(
            pairs["train"],
            pairs["held out"],  # only watched: nothing is chosen by it
            base_model=base,
            granularity=granularity,
            settings=RewardSettings.of(changed),
            seed=changed.seed,
            folder=folder,
        )
        minutes = (time.process_time() - start) / 60  # of CPU: recipes may train side by side
        for where, chains in ranked.items():
            scores = {name: RewardModelScorer(folder, name=name).score(chains)}
            scores_table(scores, chains).to_parquet(folder / f"scores-{where}.parquet", index=False)
    done = json.dumps({"cpu_minutes": minutes})
    atomic_write(folder / "minutes.json", lambda path: path.write_text(done))


def table(root: Path, ranked: Mapping[str, Sequence[Chain]]) -> pd.DataFrame:
    """Every finished recipe: tau-b and its difference from the preset's recipe, where it ranked."""
    rows = []
    names = [name for name in CHANGES if (folder_of(root, name) / "minutes.json").is_file()]
    for where, chains in ranked.items():
        found = {}
        for name in names:
            scores = pd.read_parquet(folder_of(root, name) / f"scores-{where}.parquet")
            found[name] = scores_from_table(scores, chains)[name]
        for name, scores in found.items():
            tau = evaluate(chains, scores).set_index(["subset", "metric"])
            row = {"recipe": name, "ranked": where}
            row |= tau.loc[("all", "kendall_tau_b"), ["value", "ci_low", "ci_high", "n_chains"]]
            if name != RECIPE and RECIPE in found:
                against = compare(chains, scores, found[RECIPE], metrics=["kendall_tau_b"]).iloc[0]
                row |= {"difference": against["difference"], "p": against["p_value"]}
                row |= {"difference_low": against["ci_low"], "difference_high": against["ci_high"]}
            row |= json.loads((folder_of(root, name) / "minutes.json").read_text())
            rows.append(row)
    df = pd.DataFrame(rows)
    if "p" in df:
        df["p_holm"] = df.groupby("ranked")["p"].transform(holm)
    return df


def folder_of(root: Path, name: str) -> Path:
    """Where the reward model and the scores of a recipe are kept."""
    return root / name.replace("'", "").replace(",", "").replace(" ", "_")


def main(given: Sequence[str] | None = None) -> int:
    """Train what is not yet trained, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    add = parser.add_argument
    add("chains", type=Path, help="chains file, e.g. the authors'; see README")
    add("base", type=Path, help="folder of all-MiniLM-L6-v2, as notebook 00 of the preset made it")
    add("out", type=Path, help="folder of the results")
    add("--only", nargs="*", choices=CHANGES, help="recipes (default: all)")
    add("--threads", type=int, default=torch.get_num_threads(), help="(default: %(default)s)")
    args = parser.parse_args(given)
    torch.set_num_threads(args.threads)
    params = RewardModelParams(**read_yaml(resolve("params/encoder/03_reward_model.yaml")))
    train, ranked = cases(args.chains, params.n_folds, params.seed)
    for name in args.only or CHANGES:
        if not (folder_of(args.out, name) / "minutes.json").is_file():
            print(f"--- {name}", flush=True)
            train_and_rank(name, params, train, ranked, args.base, folder_of(args.out, name))
    found = table(args.out, ranked)
    atomic_write(args.out / "ablation.csv", lambda path: found.to_csv(path, index=False))
    print(found.round(3).to_string(index=False))
    return 0


if __name__ == "__main__":
    sys.exit(main())
