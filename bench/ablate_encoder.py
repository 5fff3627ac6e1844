"""What makes a reward model read the requirement: the pairs and the architecture of ``encoder``.

    python bench/ablate_encoder.py data/released_chains.parquet BASE_FOLDER OUT_FOLDER

Each recipe is trained with each seed on equally many pairs of all folds of notebook 03's
cross-validation but the first. It ranks the first fold; the same responses under the requirements
of another chain, which is the control; and WEval-Hand. A finished training is a stage
(:func:`wfine_utils.notebook.run.stage`) and not done again, so two processes with different
``--only`` or ``--seeds`` share the work (``--threads 1`` each). Every call writes the tables of
what is trained; one with ``--tables-only`` trains nothing.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Mapping, Sequence
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import pandas as pd
import torch
from matplotlib.figure import Figure

from wfine_study.answers import TAU
from wfine_utils.base_model import Base
from wfine_utils.chains.files import load_chains
from wfine_utils.chains.pairs import draw_pairs, preference_pairs
from wfine_utils.chains.splits import folds, swap_requirements
from wfine_utils.chains.taxonomy import Chain
from wfine_utils.chains.weval_hand import load_weval_hand
from wfine_utils.checks.contrast import contrast_pairs, mixed_pairs
from wfine_utils.errors import WfineError, explained
from wfine_utils.files import atomic_write, display_path, resolve, sha256_file, write_json
from wfine_utils.notebook.code_digest import digest, with_imports
from wfine_utils.notebook.environment import versions
from wfine_utils.notebook.figures import metric_heatmap
from wfine_utils.notebook.params import RewardModelParams
from wfine_utils.notebook.stages import stage
from wfine_utils.rewards.reward_model import RewardModelScorer, accuracy_by_kind, load_reward_model
from wfine_utils.rewards.training import train_reward_model
from wfine_utils.settings import RewardSettings
from wfine_utils.weval.baselines import OverlapScorer
from wfine_utils.weval.controls import partial_tau
from wfine_utils.weval.evaluation import compare, evaluate
from wfine_utils.weval.resampling import holm
from wfine_utils.weval.scorers import Scores, scores_from_table, scores_table

N_PAIRS = 4_700
"""Of every training: as many as the drops of two thirds of the released chains give."""

SMALLER: dict[str, Any] = {"n_pairs_requirement": N_PAIRS, "batch_size": 64, "micro_batch_size": 64}
"""What all recipes have and the preset has not: fewer pairs, so as many chains in a batch."""

N_EXAMINED = 300
"""Contrast pairs of the chains held out that say what a model makes of each kind of check."""

RECIPE = "the preset's pairs"
DROPS = "drops alone"
CONTRAST = "contrast pairs alone"
CHANGES: dict[str, dict[str, Any]] = {
    RECIPE: {},
    DROPS: {"contrast_share": 0.0, "foreign_share": 0.0},
    CONTRAST: {"contrast_share": 1.0, "foreign_share": 0.0},
    "drops and contrast pairs": {"contrast_share": 0.5, "foreign_share": 0.0},
    "drops alone, read together": {
        "contrast_share": 0.0,
        "foreign_share": 0.0,
        "interaction": "cross",
        "batch_by": "requirement",
        "batch_size": 20,
        "micro_batch_size": 20,
    },
}
HELD_OUT, FOREIGN, HAND = "held out", "requirements of another chain", "WEval-Hand"


def read_chains(path: Path, n_folds: int, seed: int) -> tuple[list[Chain], dict[str, list[Chain]]]:
    """Chains to train on, and those to rank, by name."""
    held_out, *rest = folds(load_chains(path), n_folds, seed)
    ranked = {
        HELD_OUT: held_out,
        FOREIGN: swap_requirements(held_out),
        HAND: load_weval_hand("test"),
    }
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
        params: of notebook 03, with the seed; the recipe changes some.
        train: chains to train on.
        ranked: chains to rank; those held out are watched in training, and choose nothing.
        base: the encoder it starts from.
        folder: empty; gets the reward model, ``scores-….parquet`` for every set of chains,
            ``by_kind.csv`` and ``minutes.json``.
    """
    params = params.model_copy(update=SMALLER | CHANGES[recipe])
    reach = {"granularity": "requirement", "max_drop_distance": params.max_drop_distance}
    shares = params.model_dump(include={"contrast_share", "cross_share", "foreign_share"})
    drops = preference_pairs(train, **reach)
    n = params.n_pairs_requirement
    pairs = mixed_pairs(drops, train, n, seed=params.seed, **shares)
    held_out = ranked[HELD_OUT]
    watched = draw_pairs(
        preference_pairs(held_out, **reach), params.n_pairs_validation, seed=params.seed
    )
    start = time.process_time()
    train_reward_model(
        pairs,
        watched,
        base,
        RewardSettings.of(params),
        granularity="requirement",
        seed=params.seed,
        folder=folder,
    )
    minutes = (time.process_time() - start) / 60  # of CPU: recipes may train side by side
    for name, chains in ranked.items():
        scores = {recipe: RewardModelScorer(folder, name=recipe).score(chains)}
        scores_table(scores, chains).to_parquet(folder / f"scores-{name}.parquet", index=False)
    examined = contrast_pairs(held_out, N_EXAMINED, seed=params.seed)
    by_kind = accuracy_by_kind(load_reward_model(folder), examined, seed=params.seed)
    by_kind.to_csv(folder / "by_kind.csv", index=False)
    write_json(folder / "minutes.json", {"cpu_minutes": minutes, "n_pairs": len(pairs)})


def ablation_table(
    root: Path, ranked: Mapping[str, Sequence[Chain]], trained: Sequence[tuple[str, int]]
) -> pd.DataFrame:
    """What every finished training reached, and how it differs from the preset's of the same seed.

    Args:
        root: folder of the trainings.
        ranked: the chains that they ranked, by name.
        trained: recipe and seed of each.

    Returns:
        One row per recipe, seed and set of chains: ``recipe, seed, ranked``, tau-b as ``value,
        ci_low, ci_high, n_chains``, ``partial_tau_b`` (the length held fixed), ``cpu_minutes``,
        ``n_pairs`` (of training). ``lost, lost_low, lost_high, lost_p``: tau-b on the chains held
        out less that under the requirements of another chain; ``above…``: tau-b less that of word
        overlap; ``difference…``: less that of the preset's pairs with the same seed. Paired, with
        95 % intervals; ``…_p_holm`` is corrected over the trainings that ranked the same chains.
    """
    rows = []
    overlap = {name: OverlapScorer().score(chains) for name, chains in ranked.items()}
    for recipe, seed in trained:
        folder, scores = folder_of(root, recipe, seed), dict[str, Scores]()
        cost = json.loads((folder / "minutes.json").read_text())
        for name, chains in ranked.items():
            scores[name] = kept_scores(folder, recipe, name, chains)
        for name, chains in ranked.items():
            tau = evaluate(chains, scores[name]).set_index(["subset", "metric"])
            row: dict[str, Any] = {"recipe": recipe, "seed": seed, "ranked": name} | cost
            row |= dict(tau.loc[("all", TAU), ["value", "ci_low", "ci_high", "n_chains"]])
            length_fixed = partial_tau(chains, scores[name]).set_index("metric")["value"]
            row["partial_tau_b"] = length_fixed["pooled_partial_tau_b"]
            against = {"above": overlap[name]}
            if name == HELD_OUT:
                against["lost"] = scores[FOREIGN]
            if recipe != RECIPE and (RECIPE, seed) in trained:
                preset = folder_of(root, RECIPE, seed)
                against["difference"] = kept_scores(preset, RECIPE, name, chains)
            for column, others in against.items():
                test = compare(chains, scores[name], others, metrics=[TAU]).iloc[0]
                row |= {column: test["difference"], f"{column}_p": test["p_value"]}
                row |= {f"{column}_low": test["ci_low"], f"{column}_high": test["ci_high"]}
            rows.append(row)
    table = pd.DataFrame(rows)
    for column in [name for name in table if name.endswith("_p")]:
        table[f"{column}_holm"] = table.groupby("ranked")[column].transform(holm)
    return table


def type_table(
    root: Path, ranked: Mapping[str, Sequence[Chain]], trained: Sequence[tuple[str, int]]
) -> pd.DataFrame:
    """Accuracy on pairs that differ by one dropped requirement, by its type, of every training.

    Returns:
        ``recipe, seed, ranked, subset, value, ci_low, ci_high, n_chains``, the intervals over
        chains. No rows of chains without labels of types, as the authors' are.
    """
    tables = []
    for (recipe, seed), (name, chains) in product(trained, ranked.items()):
        scores = kept_scores(folder_of(root, recipe, seed), recipe, name, chains)
        table = evaluate(chains, scores).query("subset_kind == 'type'")
        table = table[table["metric"] == "pairwise_accuracy"]
        tables.append(table.assign(recipe=recipe, seed=seed, ranked=name))
    columns = ["recipe", "seed", "ranked", "subset", "value", "ci_low", "ci_high", "n_chains"]
    return pd.concat(tables, ignore_index=True)[columns]


def over_seeds(table: pd.DataFrame) -> pd.DataFrame:
    """The :func:`ablation_table` in short, in texts: mean over seeds, and lowest to highest.

    Three trainings are too few for an interval over them; those over chains stand in the long one.

    Returns:
        One row per recipe and set of chains: ``recipe, ranked, n_seeds, n_chains``, and for each of
        tau-b (``value``), ``partial_tau_b, lost, above, difference`` a text such as ``0.68 (0.66 to
        0.70)``, with ``, p < 0.05 in 2 of 3`` (after Holm's correction) where it was tested.
    """
    rows = []
    for (recipe, name), part in table.groupby(["recipe", "ranked"], sort=False):
        row = {"recipe": recipe, "ranked": name, "n_seeds": len(part)}
        row["n_chains"] = int(part["n_chains"].iloc[0])
        for column in ("value", "partial_tau_b", "lost", "above", "difference"):
            numbers = part[column].dropna() if column in part else []
            row[column] = ""
            if len(numbers):
                told = numbers.mean(), numbers.min(), numbers.max()
                row[column] = "{:z.2f} ({:z.2f} to {:z.2f})".format(*told)
            if len(numbers) and f"{column}_p_holm" in part:
                n = int((part[f"{column}_p_holm"] < 0.05).sum())
                row[column] += f", p < 0.05 in {n} of {len(numbers)}"
        rows.append(row)
    return pd.DataFrame(rows).replace("-(?=[0-9])", "−", regex=True)


def kept_scores(folder: Path, recipe: str, name: str, chains: Sequence[Chain]) -> Scores:
    """What the training in a folder made of a set of chains."""
    table = pd.read_parquet(folder / f"scores-{name}.parquet")
    return scores_from_table(table, chains)[recipe]


def kinds_table(root: Path, trained: Sequence[tuple[str, int]]) -> pd.DataFrame:
    """Accuracy on contrast pairs of the chains held out, by kind of check, of every training."""
    tables = [
        pd.read_csv(folder_of(root, recipe, seed) / "by_kind.csv").assign(recipe=recipe, seed=seed)
        for recipe, seed in trained
    ]
    return pd.concat(tables, ignore_index=True)


def kinds_figure(table: pd.DataFrame) -> Figure:
    """Accuracy on contrast pairs by kind of check and recipe, the mean over seeds.

    Args:
        table: of :func:`kinds_table`.
    """
    means = table.groupby(["kind", "recipe"], sort=False)[["value", "n"]].mean().reset_index()
    order = [name for name in CHANGES if name in set(means["recipe"])]
    means = pd.concat(means[means["recipe"] == name] for name in order)
    means = means.sort_values("kind", key=lambda kinds: kinds == "all", kind="stable")
    means["kind"] += means["n"].map(", n = {:.0f}".format)
    n_seeds = table.groupby("recipe")["seed"].nunique()
    means["recipe"] = means["recipe"].map(lambda name: f"{name}, {n_seeds[name]} trained")
    fig, ax = plt.subplots(figsize=(11.5, 6), layout="constrained")
    label = "accuracy on contrast pairs; 0.5 is chance"
    metric_heatmap(
        means.rename(columns={"n": "n_chains"}), ax, label=label, rows="kind", columns="recipe",
        centre=0.5, reach=0.5,
    )  # fmt: skip
    best = means[means["kind"].str.startswith("all")].set_index("recipe")["value"].idxmax()
    fig.suptitle(f"Requirements that one text meets and misses: best is {best}", fontsize="medium")
    return fig


def folder_of(root: Path, recipe: str, seed: int) -> Path:
    """Where the reward model and the scores of a training are kept."""
    return root / f"{recipe.replace(chr(39), '').replace(',', '').replace(' ', '_')}-{seed}"


@explained
def main(arguments: Sequence[str] | None = None) -> int:
    """Train what is not yet trained, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    add = parser.add_argument
    add("chains", type=Path, help="chains file, e.g. the authors'; see README")
    add("base", type=Path, help="folder of all-MiniLM-L6-v2, as notebook 00 of the preset made it")
    add("out", type=Path, help="folder of the results")
    add("--only", nargs="*", choices=CHANGES, help="recipes (default: all)")
    add("--seeds", nargs="*", type=int, default=[0, 1, 2], help="(default: %(default)s)")
    add("--tables-only", action="store_true", help="of what is trained by any version; no training")
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
    wanted = () if args.tables_only else product(args.seeds, args.only or CHANGES)
    for seed, recipe in wanted:
        seeded = params.model_copy(update={"seed": seed})
        compute = partial(train_and_rank, recipe, seeded, train, ranked, base)
        stage(folder_of(args.out, recipe, seed), inputs | {"recipe": recipe, "seed": seed}, compute)
    trained = [
        (recipe, seed)
        for recipe, seed in product(CHANGES, args.seeds)
        if (folder_of(args.out, recipe, seed) / "minutes.json").is_file()
    ]
    if not trained:
        raise WfineError(f"{display_path(args.out)}: found no finished training, expected some.")
    ablation = ablation_table(args.out, ranked, trained)
    tables = {
        "ablation": ablation,
        "over_seeds": over_seeds(ablation),
        "by_type": type_table(args.out, ranked, trained),
        "by_kind": kinds_table(args.out, trained),
    }
    for name, table in tables.items():
        atomic_write(args.out / f"{name}.csv", partial(table.to_csv, index=False))
        sys.stdout.write(f"{table.round(3).to_string(index=False)}\n")
    figure = kinds_figure(tables["by_kind"])
    atomic_write(args.out / "by_kind.png", partial(figure.savefig, dpi=120))
    return 0


if __name__ == "__main__":
    sys.exit(main())
