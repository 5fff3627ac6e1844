"""Training a reward model of the study, and examining it."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from wfine_study.cells import ADAPTER, RewardCell, StudySettings
from wfine_study.exam import ExamPair, make_exam, training_pairs, validation_pairs
from wfine_utils.base_model import Base
from wfine_utils.chains.taxonomy import Chain
from wfine_utils.rewards.reward_model import RewardModel, load_reward_model
from wfine_utils.rewards.training import train_reward_model
from wfine_utils.weval.evaluation import evaluate_all, per_chain
from wfine_utils.weval.scorers import Scores, scores_table, split_by_chain


def run_reward_cell(
    cell: RewardCell, settings: StudySettings, base: Base, folder: Path, lap: Callable[[str], None]
) -> tuple[pd.DataFrame, dict[str, int]]:
    """Train and examine a reward model.

    Args:
        base: the model it starts from.
        folder: empty; gets the adapter, ``scores.parquet`` (of every response of the test chains),
            ``verdicts.parquet`` (of every requirement of every response), ``per_chain.parquet``
            (every metric), ``pairs.parquet`` (margins of the test pairs), ``learning_curve.csv``.
        lap: called at the end of each part of the work, with its name.

    Returns:
        Metrics, columns ``metric, subset_kind, subset, used, value, n``; and the sizes of what it
        was trained and examined on.
    """
    pairs = training_pairs(cell)
    exam = make_exam(settings, cell.granularity)
    lap("data")
    adapter = folder / ADAPTER
    adapter.mkdir()
    validation = validation_pairs(cell, settings.reward.micro_batch_size)  # as few as can be
    train_reward_model(
        [p.pair for p in pairs], validation, base,
        settings.reward.model_copy(update={"loss": cell.loss}),
        granularity=cell.granularity, seed=cell.seed, folder=adapter,
    )  # fmt: skip
    shutil.rmtree(adapter / "trainer", ignore_errors=True)
    shutil.copy(adapter / "learning_curve.csv", folder)
    lap("training")
    model = load_reward_model(adapter)
    verdicts, scores = _verdicts_and_scores(cell, model, exam.chains)
    by_chain = [per_chain(exam.chains, s).assign(used=used) for used, s in scores.items()]
    margins = _margins(model, exam.pairs)
    lap("examination")
    table = scores_table(scores, exam.chains).rename(columns={"scorer": "used"})
    table.to_parquet(folder / "scores.parquet", index=False)
    verdicts.to_parquet(folder / "verdicts.parquet", index=False)
    pd.concat(by_chain).reset_index().to_parquet(folder / "per_chain.parquet", index=False)
    margins.to_parquet(folder / "pairs.parquet", index=False)
    means = evaluate_all(exam.chains, scores, n_boot=0)
    means = means.rename(columns={"scorer": "used", "n_chains": "n"})
    means = means[["used", "metric", "subset_kind", "subset", "value", "n"]]
    sizes = {
        "n_pairs": len(pairs),
        "n_noisy": sum(p.is_noisy for p in pairs),
        "n_redrawn": sum(p.attempt > 0 for p in pairs),
        "n_test_chains": len(exam.chains),
        "n_test_pairs": len(exam.pairs),
    }
    return pd.concat([means, _accuracies(margins)]), sizes


def _verdicts_and_scores(
    cell: RewardCell, model: RewardModel, chains: Sequence[Chain]
) -> tuple[pd.DataFrame, dict[str, Scores]]:
    """What a model says of every requirement, and its scores; the authors' mismatch beside them.

    Returns:
        ``chain_id, response, requirement, probability`` (no rows for whole prompts), and the
        scores by how the model was used.
    """
    queries = [chain.query for chain in chains for _ in chain.responses]
    texts = [response.text for chain in chains for response in chain.responses]
    rows = []
    if cell.granularity == "prompt":
        flat = {"as trained": model.score(queries, texts)}
    else:
        probabilities = model.probabilities(queries, texts)
        flat = {"as trained": np.array([p.mean() for p in probabilities])}
        if cell.is_clean:
            flat["whole prompt"] = model.rewards([query.prompt() for query in queries], texts)
        places = [(chain.chain_id, i) for chain in chains for i in range(len(chain.responses))]
        rows = [
            (*place, j, probability)
            for place, of_response in zip(places, probabilities, strict=True)
            for j, probability in enumerate(of_response)
        ]
    verdicts = pd.DataFrame(rows, columns=["chain_id", "response", "requirement", "probability"])
    return verdicts, {used: split_by_chain(values, chains) for used, values in flat.items()}


def _margins(model: RewardModel, pairs: Sequence[ExamPair]) -> pd.DataFrame:
    """By how much the better text of each test pair is scored higher."""
    texts = [p.pair.chosen for p in pairs] + [p.pair.rejected for p in pairs]
    better, worse = np.split(model.rewards([p.pair.instruction for p in pairs] * 2, texts), 2)
    rows = [(p.kind, p.subset, p.category, p.pair.chain_id) for p in pairs]
    table = pd.DataFrame(rows, columns=["kind", "subset", "category", "pair_id"])
    return table.assign(margin=better - worse)


def _accuracies(margins: pd.DataFrame) -> pd.DataFrame:
    """Share of test pairs in the right order, ties counting half, by what they are about."""
    clean = margins[margins["kind"] == "pairs"]
    by_category = clean.assign(kind="pairs by category", subset=clean["category"])
    parts = [margins.assign(subset="all"), margins, by_category]
    pairs = pd.concat(parts, ignore_index=True)
    right = 0.5 * (np.sign(pairs["margin"]) + 1)
    by_subset = right.groupby([pairs["kind"], pairs["subset"]], sort=False)
    table = by_subset.agg(value="mean", n="count").rename_axis(["subset_kind", "subset"])
    return table.reset_index().assign(metric="pair_accuracy", used="as trained")
