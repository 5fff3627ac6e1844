"""Rewards of every requirement by models that never saw the chain: kept, and read again."""

from __future__ import annotations

import numpy as np
import pytest

from wfine_utils.errors import WfineError
from wfine_utils.rewards.cross_validation import (
    out_of_fold_scores,
    rewards_from_table,
    rewards_table,
)
from wfine_utils.rewards.reward_model import RewardModelScorer

pytestmark = pytest.mark.usefixtures("one_thread")


def test_the_rewards_of_the_folds_are_kept_with_their_scores(folders, chains, tmp_path):
    scores = out_of_fold_scores(chains, lambda *_: folders["requirement"], n_folds=2, seed=0)
    scorer = RewardModelScorer(folders["requirement"], name="x", progress=False)
    scorer.score(chains)
    shapes = [(len(chain.responses), len(chain.requirements)) for chain in chains]
    assert [each.shape for each in scores.rewards] == shapes
    for one, other in zip(scores.rewards, scorer.rewards, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-4)
    table = rewards_table(scores, chains)
    assert list(table) == ["chain_id", "response", "requirement", "reward"]
    again = rewards_from_table(table.sample(frac=1, random_state=0), chains[::-1])
    for one, other in zip(scores.rewards, again[::-1], strict=True):
        np.testing.assert_array_equal(one, other)
    with pytest.raises(WfineError, match="made of other chains"):
        rewards_from_table(table[1:], chains)


def test_models_of_whole_prompts_have_no_rewards_of_requirements(folders, chains):
    scores = out_of_fold_scores(chains, lambda *_: folders["prompt"], n_folds=2, seed=0)
    assert scores.rewards is None
    with pytest.raises(WfineError, match="one requirement at a time"):
        rewards_table(scores, chains)
