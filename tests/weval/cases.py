"""Chains that the tests of WEval share."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from wfine_utils.chains.taxonomy import Chain, Requirement, RequirementType, Response, TaskCategory


def chain_of(
    gold: Sequence[int],
    chain_id: str = "chain",
    category: TaskCategory | None = None,
    types: Sequence[RequirementType | None] | None = None,
) -> Chain:
    """A chain with these gold ranks; rank k keeps the first k requirements."""
    n = max(1, *gold, len(types or ()))
    requirements = [Requirement(t, None, "Do it.") for t in (types or [None] * n)]
    responses = [Response("text", tuple(j < k for j in range(n))) for k in gold]
    return Chain(chain_id, category, "Write.", tuple(requirements), tuple(responses))


def random_case(seed: int, n_chains: int = 60, nan: bool = False):
    """Chains of mixed sizes with ties in gold and in scores, labelled in part."""
    rng = np.random.default_rng(seed)
    chains, scores = [], []
    for i in range(n_chains):
        n = int(rng.integers(2, 7))
        category = [*TaskCategory, None][i % 6]
        chains.append(
            chain_of(rng.integers(0, 5, n).tolist(), f"c{i}", category, list(RequirementType))
        )
        score = rng.integers(0, 4, n).astype(float) if i % 2 else rng.normal(size=n)
        if nan and i % 3 == 0:
            score[rng.random(n) < 0.4] = np.nan
        scores.append(score)
    return chains, scores
