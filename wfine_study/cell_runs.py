"""One cell of the study at work: training it, and examining what came out.

:mod:`wfine_study.run_cell` decides whether a cell is to be run and puts the folder in its place.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from wfine_study.cells import ADAPTER, PolicyCell, RewardCell, StudySettings
from wfine_study.exam import ExamPair, make_exam, study_queries, training_pairs, validation_pairs
from wfine_utils.adherence.measure import adherence
from wfine_utils.base_model import Base
from wfine_utils.chains.taxonomy import Chain
from wfine_utils.checks.words import word_count
from wfine_utils.policy.generation import divergence, extract_answer, generate, load_policy
from wfine_utils.policy.grpo import train_policy
from wfine_utils.rewards.reward_model import RewardModel, load_reward_model
from wfine_utils.rewards.training import train_reward_model
from wfine_utils.weval.evaluation import evaluate_all, per_chain
from wfine_utils.weval.scorers import Scores, scores_table, split_by_chain

_COLUMNS = ["metric", "subset_kind", "subset", "used", "value", "n"]


class CellResult(NamedTuple):
    """What a cell has to say beside its tables.

    Attributes:
        metrics: columns ``metric, subset_kind, subset, used, value, n``.
        sizes: of what it was trained and examined on.
        seconds: of its parts.
    """

    metrics: pd.DataFrame
    sizes: dict[str, int]
    seconds: dict[str, float]


class _Clock:
    """How many seconds each part of the work takes."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._start = time.perf_counter()

    def lap(self, name: str) -> None:
        now = time.perf_counter()
        self.seconds[name], self._start = round(now - self._start, 2), now


# --- reward models ----------------------------------------------------------------------


def run_reward_cell(
    cell: RewardCell, settings: StudySettings, base: Base, folder: Path
) -> CellResult:
    """Train and examine a reward model.

    Args:
        cell: what it is trained on.
        settings: of the study.
        base: the model it starts from.
        folder: empty; gets the adapter, ``scores.parquet`` (of every response of the test chains),
            ``verdicts.parquet`` (of every requirement of every response),
            ``per_chain.parquet`` (every metric), ``pairs.parquet`` (margins of the test pairs)
            and ``learning_curve.csv``.
    """
    clock = _Clock()
    pairs = training_pairs(cell)
    exam = make_exam(settings, cell.granularity)
    clock.lap("data")
    adapter = folder / ADAPTER
    adapter.mkdir()
    train_reward_model(
        [p.pair for p in pairs],
        validation_pairs(cell, settings.reward.micro_batch_size),  # as few as can be
        base,
        settings.reward.model_copy(update={"loss": cell.loss}),
        granularity=cell.granularity,
        seed=cell.seed,
        folder=adapter,
    )
    shutil.rmtree(adapter / "trainer", ignore_errors=True)
    shutil.copy(adapter / "learning_curve.csv", folder)
    clock.lap("training")
    model = load_reward_model(adapter)
    verdicts, scores = _verdicts_and_scores(cell, model, exam.chains)
    per_chain_metrics = [per_chain(exam.chains, s).assign(used=used) for used, s in scores.items()]
    margins = _margins(model, exam.pairs)
    clock.lap("examination")
    tables = {
        "verdicts": verdicts,
        "scores": scores_table(scores, exam.chains).rename(columns={"scorer": "used"}),
        "per_chain": pd.concat(per_chain_metrics).reset_index(),
        "pairs": margins,
    }
    for name, table in tables.items():
        table.to_parquet(folder / f"{name}.parquet", index=False)
    means = evaluate_all(exam.chains, scores, n_boot=0)
    means = means.rename(columns={"scorer": "used", "n_chains": "n"})[_COLUMNS]
    sizes = {
        "n_pairs": len(pairs),
        "n_noisy": sum(p.is_noisy for p in pairs),
        "n_redrawn": sum(p.attempt > 0 for p in pairs),
        "n_test_chains": len(exam.chains),
        "n_test_pairs": len(exam.pairs),
    }
    return CellResult(pd.concat([means, _accuracies(margins)]), sizes, clock.seconds)


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
    instructions = [p.pair.instruction for p in pairs]
    texts = [p.pair.chosen for p in pairs] + [p.pair.rejected for p in pairs]
    better, worse = np.split(model.rewards(instructions * 2, texts), 2)
    return pd.DataFrame(
        {
            "kind": [p.kind for p in pairs],
            "subset": [p.subset for p in pairs],
            "category": [p.category for p in pairs],
            "pair_id": [p.pair.chain_id for p in pairs],
            "margin": better - worse,
        }
    )


def _accuracies(margins: pd.DataFrame) -> pd.DataFrame:
    """Share of test pairs in the right order, ties counting half, by what they are about."""
    clean = margins[margins["kind"] == "pairs"]
    by_category = clean.assign(kind="pairs by category", subset=clean["category"])
    pairs = pd.concat([margins.assign(subset="all"), margins, by_category])
    pairs = pairs.assign(metric="pair_accuracy", value=0.5 * (np.sign(pairs["margin"]) + 1))
    return _means(pairs.rename(columns={"kind": "subset_kind"}).assign(used="as trained"))


def _means(values: pd.DataFrame) -> pd.DataFrame:
    """Mean of ``value``, and the number of values, by all other columns of metrics."""
    by = values.groupby(_COLUMNS[:4], sort=False)["value"]
    return by.agg(value="mean", n="count").reset_index()


# --- policies ---------------------------------------------------------------------------


def run_policy_cell(
    cell: PolicyCell, settings: StudySettings, base: Base, folder: Path, reward_model: Path
) -> CellResult:
    """Train a policy against a reward model, and compare it with the base on the test queries.

    Args:
        cell: which reward model, and the seed.
        settings: of the study.
        base: the model it starts from.
        folder: empty; gets ``per_query.parquet`` (before and after: what the texts meet, their
            words, reward, KL and entropy) and ``training_curve.csv``. The adapter is not kept.
        reward_model: folder of the reward model.
    """
    clock = _Clock()
    train = study_queries(settings.n_train_queries, "train", seed=settings.seed)
    model = load_reward_model(reward_model)
    adapter = folder / "policy"
    adapter.mkdir()
    clock.lap("data")
    train_policy(train, model, base, settings.policy, seed=cell.seed, folder=adapter)
    shutil.copy(adapter / "training_curve.csv", folder)
    clock.lap("training")
    table = pd.concat(
        [
            _examined(settings, base, model, None).assign(policy="before"),
            _examined(settings, base, model, adapter).assign(policy="after"),
        ],
        ignore_index=True,
    )
    shutil.rmtree(adapter)
    clock.lap("examination")
    table.to_parquet(folder / "per_query.parquet", index=False)
    values = table.drop(columns=["query", "text"]).melt("policy", var_name="metric")
    values = values.rename(columns={"policy": "used"}).assign(subset_kind="all", subset="all")
    sizes = {"n_train_queries": len(train), "n_test_queries": settings.n_test_queries}
    return CellResult(_means(values), sizes, clock.seconds)


def _examined(
    settings: StudySettings, base: Base, reward_model: RewardModel, adapter: Path | None
) -> pd.DataFrame:
    """A policy's texts on the test queries: what they meet, their length, reward and distance."""
    queries = study_queries(settings.n_test_queries, "test", seed=settings.seed)
    policy, tokenizer = load_policy(base, adapter, quantise=settings.policy.quantise)
    texts = generate(
        policy, tokenizer, queries, seed=settings.seed,
        max_new_tokens=settings.policy.max_new_tokens, temperature=settings.policy.temperature,
        answer_format=(form := settings.policy.answer_format),
    )  # fmt: skip
    judged = [extract_answer(text, form) or "" for text in texts]
    table = adherence(queries, judged).assign(
        n_words=[word_count(text) for text in judged], reward=reward_model.score(queries, judged)
    )
    moved = divergence(policy, tokenizer, queries, texts, answer_format=form)
    table[["kl", "entropy"]] = moved[["kl", "entropy"]]
    return table.assign(query=np.arange(len(queries)), text=texts)
