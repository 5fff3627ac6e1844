"""Ties that are made by rounding: σ of a large logit is exactly 1, and the order is lost."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from itertools import combinations

import numpy as np

from wfine_utils.weval.scorers import Scores

SATURATED = 36.0
"""Below this size of a logit x, σ(x) and σ(−x) keep at least one digit of it in float64."""


def warn_of_saturation(name: str, scores: Scores, logits: Sequence[np.ndarray]) -> None:
    """Warn of responses of one chain whose scores are equal though their logits are not.

    Args:
        name: of the scorer.
        scores: one array per chain, of the mean of σ(logit) over requirements.
        logits: one array per response, in the order of the scores.
    """
    if max(map(_size, logits), default=0.0) <= SATURATED:
        return
    n_pairs = n_tied = 0
    of_response = iter(logits)
    for chain in scores:
        responses = [(score, next(of_response)) for score in chain]
        for (a, x), (b, y) in combinations(responses, 2):
            n_pairs += 1
            n_tied += a == b and not np.array_equal(x, y)
    if n_tied:
        warnings.warn(
            f"scorer {name}: {n_tied} of {n_pairs} pairs of responses ({n_tied / n_pairs:.0%}) "
            f"have equal scores because logits up to {max(map(_size, logits)):.0f} were "
            "rounded to probabilities of 0 or 1; expected logits of a few units. Score with "
            "granularity prompt, whose logit is not rounded, or train with a lower learning rate.",
            stacklevel=3,
        )


def _size(logits: np.ndarray) -> float:
    return float(np.nanmax(np.abs(logits), initial=0.0))
