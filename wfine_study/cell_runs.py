"""One cell of the study at work: training it, and examining what came out.

:mod:`wfine_study.run_cell` decides whether a cell is to be run and puts the folder in its place.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

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
from wfine_utils.weval.evaluation import evaluate, per_chain
from wfine_utils.weval.scorers import Scores, scores_table


class CellResult(NamedTuple):
    """What a cell has to say beside its tables.

    Attributes:
        metrics: tidy rows ``metric, subset_kind, subset, used, value, n``.
        sizes: of what it was trained and examined on.
        seconds: of its parts.
    """

    metrics: list[dict[str, Any]]
    sizes: dict[str, int]
    seconds: dict[str, float]


class _Clock:
    """Seconds of one part of the work after the other."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._start = time.perf_counter()

    def lap(self, name: str) -> None:
        now = time.perf_counter()
        self.seconds[name], self._start = round(now - self._start, 2), now


def _row(
    metric: str, subset_kind: str, subset: str, used: str, values: pd.Series
) -> dict[str, Any]:
    return {
        "metric": metric,
        "subset_kind": subset_kind,
        "subset": subset,
        "used": used,
        "value": float(values.mean()),
        "n": int(values.count()),
    }


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
    verdicts, flat = _verdicts(cell, model, exam.chains)
    scores, chain_metrics, metrics = _on_chains(flat, exam.chains)
    margins = _on_pairs(model, exam.pairs)
    clock.lap("examination")
    verdicts.to_parquet(folder / "verdicts.parquet", index=False)
    scores.to_parquet(folder / "scores.parquet", index=False)
    chain_metrics.to_parquet(folder / "per_chain.parquet", index=False)
    margins.to_parquet(folder / "pairs.parquet", index=False)
    sizes = {
        "n_pairs": len(pairs),
        "n_noisy": sum(p.is_noisy for p in pairs),
        "n_redrawn": sum(p.attempt > 0 for p in pairs),
        "n_test_chains": len(exam.chains),
        "n_test_pairs": len(exam.pairs),
    }
    return CellResult(metrics + _accuracies(margins), sizes, clock.seconds)


def _verdicts(
    cell: RewardCell, model: RewardModel, chains: Sequence[Chain]
) -> tuple[pd.DataFrame, dict[str, np.ndarray]]:
    """What a model says of every requirement, and its scores; the authors' mismatch beside them.

    Returns:
        ``chain_id, response, requirement, probability`` (no rows for whole prompts), and the
        scores of all responses in reading order by how the model was used.
    """
    queries = [chain.query for chain in chains for _ in chain.responses]
    texts = [response.text for chain in chains for response in chain.responses]
    if cell.granularity == "prompt":
        columns = ["chain_id", "response", "requirement", "probability"]
        return pd.DataFrame(columns=columns), {"as trained": model.score(queries, texts)}
    each = model.probabilities(queries, texts)
    flat = {"as trained": np.array([p.mean() for p in each])}
    if cell.is_clean:
        flat["whole prompt"] = model.rewards([query.prompt() for query in queries], texts)
    places = [(chain.chain_id, i) for chain in chains for i in range(len(chain.responses))]
    rows = [
        (*place, j, probability)
        for place, found in zip(places, each, strict=True)
        for j, probability in enumerate(found)
    ]
    table = pd.DataFrame(rows, columns=["chain_id", "response", "requirement", "probability"])
    return table, flat


def _on_chains(
    flat: Mapping[str, np.ndarray], chains: Sequence[Chain]
) -> tuple[pd.DataFrame, pd.DataFrame, list[dict[str, Any]]]:
    """Scores, metrics chain by chain, and their means."""
    cuts = np.cumsum([len(chain.responses) for chain in chains])[:-1]
    found: dict[str, Scores] = {used: np.split(values, cuts) for used, values in flat.items()}
    each, means = (
        pd.concat([of(s).assign(used=used) for used, s in found.items()], ignore_index=True)
        for of in (
            lambda s: per_chain(chains, s).reset_index(),
            lambda s: evaluate(chains, s, n_boot=0).rename(columns={"n_chains": "n"}),
        )
    )
    rows = means[["metric", "subset_kind", "subset", "used", "value", "n"]].to_dict("records")
    return scores_table(found, chains).rename(columns={"scorer": "used"}), each, rows


def _on_pairs(model: RewardModel, pairs: Sequence[ExamPair]) -> pd.DataFrame:
    """By how much the better text of each test pair is scored higher."""
    instructions = [p.pair.instruction for p in pairs]
    better, worse = ([getattr(p.pair, side) for p in pairs] for side in ("chosen", "rejected"))
    margin = np.split(model.rewards(instructions * 2, better + worse), 2)
    columns = {
        name: [getattr(p, name) for p in pairs] for name in ("kind", "subset", "category")
    } | {"pair_id": [p.pair.chain_id for p in pairs]}
    return pd.DataFrame(columns | {"margin": margin[0] - margin[1]})


def _accuracies(margins: pd.DataFrame) -> list[dict[str, Any]]:
    """Share of test pairs in the right order, ties counting half, by what they are about."""
    right = 0.5 * (np.sign(margins["margin"]) + 1)
    clean = margins["kind"] == "pairs"
    parts = [
        *((kind, "all", margins["kind"] == kind) for kind in margins["kind"].unique()),
        *(
            (kind, subset, (margins["kind"] == kind) & (margins["subset"] == subset))
            for kind, subset in margins[["kind", "subset"]].drop_duplicates().to_numpy()
        ),
        *(
            ("pairs by category", category, clean & (margins["category"] == category))
            for category in margins.loc[clean, "category"].unique()
        ),
    ]
    return [
        _row("pair_accuracy", kind, subset, "as trained", right[part])
        for kind, subset, part in parts
    ]


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
    measured = table.columns.drop(["query", "policy", "text"])
    metrics = [
        _row(str(name), "all", "all", str(used), part[name])
        for used, part in table.groupby("policy", sort=False)
        for name in measured
    ]
    sizes = {"n_train_queries": len(train), "n_test_queries": settings.n_test_queries}
    return CellResult(metrics, sizes, clock.seconds)


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
