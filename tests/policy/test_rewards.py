"""Rewards by name: what each says of a text, and that a policy is trained for any of them."""

from __future__ import annotations

from typing import get_args

import numpy as np
import pytest

from wfine_utils.base_model import Base
from wfine_utils.chains.taxonomy import Query, Requirement, RequirementType
from wfine_utils.errors import WfineError
from wfine_utils.models.likelihood import LikelihoodScorer
from wfine_utils.policy.rewards import REWARDS, LikelihoodReward, load_reward, reads_models
from wfine_utils.settings import WITHOUT_MODEL, RewardName

QUERIES = [
    Query(None, "Write about the harbour.", (
        Requirement(RequirementType.LENGTH, None, "Write exactly two sentences."),
        Requirement(RequirementType.CONTENT, None, 'Mention "lighthouse".'),
        Requirement(RequirementType.STYLE, None, "Let it sound like rain on slate."),
    )),
    Query(None, "Write about bread.", (
        Requirement(RequirementType.CONTENT, None, 'Do not use the word "oven".'),
    )),
]  # fmt: skip


def test_every_reward_has_a_name_a_policy_and_a_folder_of_its_own():
    assert set(REWARDS) == set(get_args(RewardName))
    for field in ("policy", "folder"):
        values = [getattr(reward, field) for reward in REWARDS.values()]
        assert len(set(values)) == len(values)
    assert {name for name, reward in REWARDS.items() if reward.model is None} == {*WITHOUT_MODEL}
    assert reads_models(["checks", "hybrid"]) and not reads_models(WITHOUT_MODEL)


def test_checks_alone_are_the_share_met_of_what_compiles(tiny_base):
    reward = load_reward("checks", Base(str(tiny_base)))
    texts = ["The lighthouse waits. The tide is out.", "The oven is hot."]
    assert reward.score(QUERIES, texts).tolist() == [1, 0]
    texts = ["The lighthouse waits.", "The loaf is warm."]
    assert reward.score(QUERIES, texts).tolist() == [0.5, 1]


def test_likelihood_is_that_of_the_base_that_has_read_the_prompt(tiny_base):
    base, texts = Base(str(tiny_base)), ["The lighthouse waits.", "The oven is hot, so hot."]
    reward = load_reward("likelihood", base, quantise=False)
    values = reward.score(QUERIES, texts)
    assert isinstance(reward, LikelihoodReward) and (values < 0).all()
    scorer = LikelihoodScorer(base, quantise=False)
    swapped = scorer.likelihoods([q.prompt() for q in QUERIES[::-1]], texts, progress=False)
    assert not np.allclose(values, swapped)
    same = scorer.likelihoods([q.prompt() for q in QUERIES], texts, progress=False)
    np.testing.assert_allclose(values, same, atol=1e-5)
    assert np.isnan(reward.score(QUERIES[:1], [""])).all()


@pytest.mark.parametrize("name", [name for name in REWARDS if name not in WITHOUT_MODEL])
def test_a_reward_without_its_model_is_refused(name, tiny_base):
    with pytest.raises(WfineError, match=rf"{name}: .*{REWARDS[name].model} of notebook 03"):
        load_reward(name, Base(str(tiny_base)))
