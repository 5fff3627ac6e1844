"""Training a policy of the study, and examining it."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from wfine_study.cells import PolicyCell, StudySettings
from wfine_study.exam import study_queries
from wfine_utils.adherence.measure import adherence
from wfine_utils.base_model import Base
from wfine_utils.checks.words import word_count
from wfine_utils.policy.generation import divergence, extract_answer, generate, load_policy
from wfine_utils.policy.grpo import train_policy
from wfine_utils.rewards.reward_model import RewardModel, load_reward_model


def run_policy_cell(
    cell: PolicyCell,
    settings: StudySettings,
    base: Base,
    folder: Path,
    lap: Callable[[str], None],
    reward_model: Path,
) -> tuple[pd.DataFrame, dict[str, int]]:
    """Train a policy against a reward model, and compare it with the base on the test queries.

    Arguments and results are as of :func:`wfine_study.reward_cell.run_reward_cell`, but for

    Args:
        folder: empty; gets ``per_query.parquet`` (before and after: what the texts meet, their
            words, reward, KL and entropy, whether they were cut off) and ``training_curve.csv``.
            The adapter is not kept.
        reward_model: folder of the reward model.
    """
    train = study_queries(settings.n_train_queries, "train", seed=settings.seed)
    model = load_reward_model(reward_model)
    adapter = folder / "policy"
    adapter.mkdir()
    lap("data")
    train_policy(train, model, base, settings.policy, seed=cell.seed, folder=adapter)
    shutil.copy(adapter / "training_curve.csv", folder)
    lap("training")
    before, after = (_examined(settings, base, model, x) for x in (None, adapter))
    table = pd.concat([before.assign(policy="before"), after.assign(policy="after")])
    shutil.rmtree(adapter)
    lap("examination")
    table.to_parquet(folder / "per_query.parquet", index=False)
    values = table.drop(columns=["query", "text"]).melt("policy", var_name="metric")
    means = values.groupby(["metric", "policy"], sort=False)["value"].agg(value="mean", n="count")
    metrics = means.rename_axis(["metric", "used"]).reset_index()
    sizes = {"n_train_queries": len(train), "n_test_queries": settings.n_test_queries}
    return metrics.assign(subset_kind="all", subset="all"), sizes


def _examined(
    settings: StudySettings, base: Base, reward_model: RewardModel, adapter: Path | None
) -> pd.DataFrame:
    """A policy's texts on the test queries: what they meet, their length, reward and distance."""
    queries = study_queries(settings.n_test_queries, "test", seed=settings.seed)
    policy, tokenizer = load_policy(base, adapter, quantise=settings.policy.quantise)
    completions = generate(
        policy, tokenizer, queries, seed=settings.seed,
        max_new_tokens=settings.policy.max_new_tokens, temperature=settings.policy.temperature,
        answer_format=(form := settings.policy.answer_format),
    )  # fmt: skip
    texts = [completion.text for completion in completions]
    judged = [extract_answer(text, form) or "" for text in texts]
    table = adherence(queries, judged).assign(
        n_words=[word_count(text) for text in judged], reward=reward_model.score(queries, judged),
        is_cut=[float(completion.is_cut) for completion in completions],
    )  # fmt: skip
    moved = divergence(policy, tokenizer, queries, texts, answer_format=form)
    table[["kl", "entropy"]] = moved[["kl", "entropy"]]
    return table.assign(query=np.arange(len(queries)), text=texts)
