"""Ties that rounding makes, and no other."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from scipy.special import expit

from wfine_utils.rewards.saturation import warn_of_saturation


def warned(chains: list[list[list[float]]]) -> str:
    logits = [np.array(response) for chain in chains for response in chain]
    scores = [np.array([expit(np.array(r)).mean() for r in chain]) for chain in chains]
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        warn_of_saturation("x", scores, logits)
    return str(caught[0].message) if caught else ""


@pytest.mark.parametrize(
    ("chains", "expected"),
    [
        ([[[50.0, 50], [51, 50], [50, 52]]], "3 of 3 pairs of responses (100%)"),
        ([[[50.0], [51], [0], [1]]], "1 of 6 pairs of responses (17%)"),
        ([[[0.0, -50], [0, -60]]], "1 of 1 pairs"),  # too small to move the mean
        ([[[50.0]], [[51.0]]], ""),  # of two chains
        ([[[50.0], [50]]], ""),  # equal before rounding
        ([[[-50.0], [-51]]], ""),  # σ is small there, and exact
        ([[[30.0], [31]]], ""),
        ([[[np.nan, 50], [np.nan, 51]]], ""),
        ([], ""),
    ],
)
def test_share_of_pairs(chains, expected):
    assert (expected in warned(chains)) if expected else not warned(chains)
