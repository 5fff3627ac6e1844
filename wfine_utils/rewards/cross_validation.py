"""Scores of chains by reward models that never saw them: k-fold cross-validation.

With a few hundred chains of real text, a test set put aside is small and lost to training. Here
every chain is held out once, and scored by a model trained on the other folds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from tqdm.auto import tqdm

from wfine_utils.chains.splits import folds
from wfine_utils.chains.taxonomy import Chain
from wfine_utils.errors import WfineError
from wfine_utils.rewards.reward_model import RewardModelScorer
from wfine_utils.weval.scorers import ScoreList


def out_of_fold_scores(
    chains: Sequence[Chain],
    train: Callable[[int, list[Chain]], str | Path],
    *,
    n_folds: int,
    seed: int,
    as_scored: Callable[[list[Chain]], list[Chain]] = list,
) -> ScoreList:
    """Scores of every chain by a reward model trained on the folds it is not in.

    Folds have different models, so compare scores within a chain alone, as WEval does.

    Args:
        chains: with different ids.
        train: ``train(fold, chains)`` makes or finds the reward model of a fold, trained on these
            chains, and returns its folder.
        n_folds: at least 2.
        as_scored: turns the chains of a fold into those that are scored; see
            :func:`~wfine_utils.chains.splits.swap_requirements`.

    Returns:
        One array per chain, in the order of ``chains``, and what the models say of them: shares of
        all folds, each weighted by its chains; and, of models that read one requirement at a time,
        the ``rewards`` of every requirement, [chains][responses, requirements].

    Raises:
        WfineError: as :func:`folds`, or two chains of one id.
    """
    if len({chain.chain_id for chain in chains}) < len(chains):
        raise WfineError("chains: found two of one chain_id, expected each id once.")
    by_id: dict[str, np.ndarray] = {}
    rewards: dict[str, np.ndarray] = {}
    told: list[tuple[float, float]] = []
    parts = folds(chains, n_folds, seed)
    for k, held_out in enumerate(tqdm(parts, desc="folds")):
        ids = {chain.chain_id for chain in held_out}
        folder = train(k, [chain for chain in chains if chain.chain_id not in ids])
        scorer = RewardModelScorer(folder, name=f"fold {k}")
        scores = ScoreList.of(scorer, scorer.score(as_scored(held_out)))
        told.append((scores.cut_rate, scores.saturated_rate))
        by_id |= {chain.chain_id: s for chain, s in zip(held_out, scores, strict=True)}
        if scores.rewards is not None:
            kept = zip(held_out, scores.rewards, strict=True)
            rewards |= {chain.chain_id: each for chain, each in kept}
    cut, saturated = np.average(told, axis=0, weights=[len(part) for part in parts])
    every_score = ScoreList([by_id[chain.chain_id] for chain in chains], cut, saturated)
    if rewards:
        every_score.rewards = [rewards[chain.chain_id] for chain in chains]
    return every_score


def rewards_table(scores: ScoreList, chains: Sequence[Chain]) -> pd.DataFrame:
    """The rewards behind the scores of these chains, as a tidy table to be kept in a file.

    Returns:
        One row per chain, response and requirement: ``chain_id, response, requirement`` (places in
        the chain, from 0), ``reward``.

    Raises:
        WfineError: the scores have no rewards, as those of models that read whole prompts.
    """
    if scores.rewards is None:
        raise WfineError(
            "rewards: found scores without the rewards of single requirements, expected those of a "
            "reward model that reads one requirement at a time."
        )
    rows = [
        (chain.chain_id, i, j, reward)
        for chain, rewards in zip(chains, scores.rewards, strict=True)
        for (i, j), reward in np.ndenumerate(rewards)
    ]
    return pd.DataFrame(rows, columns=["chain_id", "response", "requirement", "reward"])


def rewards_from_table(table: pd.DataFrame, chains: Sequence[Chain]) -> list[np.ndarray]:
    """The rewards of chains from a table of :func:`rewards_table`, rows in any order.

    Returns:
        float [chains][responses, requirements].

    Raises:
        WfineError: a reward of these chains is not there.
    """
    keys = ["chain_id", "response", "requirement"]
    known: Mapping[tuple, float] = table.set_index(keys)["reward"].to_dict()
    rewards = []
    for chain in chains:
        shape = (len(chain.responses), len(chain.requirements))
        places = [(chain.chain_id, i, j) for i, j in np.ndindex(*shape)]
        if missing := [place for place in places if place not in known]:
            raise WfineError(
                f"rewards: found none of response {missing[0][1]}, requirement {missing[0][2]} of "
                f"chain {chain.chain_id!r}, expected one: the table was made of other chains. Run "
                "the notebook that wrote it again."
            )
        rewards.append(np.array([known[place] for place in places]).reshape(shape))
    return rewards
