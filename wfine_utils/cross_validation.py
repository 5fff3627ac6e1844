"""Scores of chains by reward models that never saw them: k-fold cross-validation.

With a few hundred chains of real text, a test set that is put aside is small and lost to training.
Here every chain is held out once, and scored by a model trained on the other folds.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from tqdm.auto import tqdm

from wfine_utils.errors import WfineError
from wfine_utils.model_scorers import RewardModelScorer
from wfine_utils.scorers import Scores
from wfine_utils.splits import split_chains
from wfine_utils.taxonomy import Chain


def folds(chains: Sequence[Chain], n_folds: int, seed: int) -> list[list[Chain]]:
    """The chains in ``n_folds`` parts of about equal size, no topic in two of them.

    Args:
        chains: with different ids.
        n_folds: at least 2.
        seed: of the draw, which does not depend on the order of the chains.

    Raises:
        WfineError: fewer than two folds, or fewer topics (base tasks, where topics are not
            labelled) than folds.
    """
    if n_folds < 2:
        raise WfineError(f"n_folds: found {n_folds}, expected 2 or more.")
    parts, rest = [], list(chains)
    for n_left in range(n_folds, 1, -1):
        split = split_chains(rest, (1 - 1 / n_left, 0, 1 / n_left), seed)
        parts.append(split["test"])
        rest = split["train"]
    return [*parts, rest]


def swap_requirements(chains: Sequence[Chain]) -> list[Chain]:
    """Each chain's responses with the requirements of the next chain, in the order of the chains.

    A control: a reward model that reads the requirement should rank these responses worse. One that
    does not sees in the response alone how much was asked for, or the requirements are alike in all
    chains.

    Args:
        chains: at least two, all with the same number of requirements.

    Raises:
        WfineError: fewer chains, or different numbers of requirements.
    """
    sizes = {len(chain.requirements) for chain in chains}
    if len(chains) < 2 or len(sizes) > 1:
        raise WfineError(
            f"chains: found {len(chains)} with {sorted(sizes)} requirements, expected two or more "
            "that have the same number, to swap requirements between them."
        )
    others = [*chains[1:], chains[0]]
    return [
        replace(chain, requirements=other.requirements)
        for chain, other in zip(chains, others, strict=True)
    ]


def out_of_fold_scores(
    chains: Sequence[Chain],
    train: Callable[[int, list[Chain]], str | Path],
    *,
    n_folds: int,
    seed: int,
    shown: Callable[[list[Chain]], list[Chain]] = list,
) -> Scores:
    """Scores of every chain by a reward model trained on the folds it is not in.

    Scores of different folds come from different models. WEval compares responses within a chain
    alone, so that does not matter there; do not compare scores across chains.

    Args:
        chains: with different ids.
        train: ``train(fold, chains)`` makes or finds the reward model of a fold, trained on these
            chains, and returns its folder.
        n_folds: at least 2.
        seed: of the folds.
        shown: ``shown(held_out)`` are the chains of a fold as they are scored; see
            :func:`swap_requirements`.

    Returns:
        One array per chain, in the order of ``chains``.

    Raises:
        WfineError: as :func:`folds`, or two chains of one id.
    """
    if len({chain.chain_id for chain in chains}) < len(chains):
        raise WfineError("chains: found two of one chain_id, expected each id once.")
    found: dict[str, np.ndarray] = {}
    parts = folds(chains, n_folds, seed)
    for k, held_out in enumerate(tqdm(parts, desc="folds")):
        ids = {chain.chain_id for chain in held_out}
        folder = train(k, [chain for chain in chains if chain.chain_id not in ids])
        scores = RewardModelScorer(folder, name=f"fold {k}").score(shown(held_out))
        found |= {chain.chain_id: s for chain, s in zip(held_out, scores, strict=True)}
    return [found[chain.chain_id] for chain in chains]
