"""The rewards that policies are trained for and compared on, by name.

A policy is trained for anything that scores completions: one of the reward models of notebook 03,
the checks that requirements ask for themselves, both together, or the likelihood of the text under
the base model, which knows of requirements only what the base does.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from wfine_utils.base_model import Base
from wfine_utils.chains.taxonomy import Query
from wfine_utils.errors import WfineError
from wfine_utils.models.likelihood import LikelihoodScorer
from wfine_utils.rewards.hybrid import HybridReward
from wfine_utils.rewards.reward_model import load_reward_model
from wfine_utils.settings import Granularity, Precision, RewardName


class Reward(Protocol):
    """What gives the reward of completions, such as a reward model.

    ``granularity`` says what a score is: ``"requirement"``, a share of the requirements in [0, 1];
    or ``"prompt"``, a number on a scale of its own.
    """

    @property
    def granularity(self) -> Granularity: ...

    def score(self, queries: Sequence[Query], responses: Sequence[str]) -> NDArray[np.float64]:
        """One number for each of n queries and completions, higher is better; float64 [n]."""
        ...


class NamedReward(NamedTuple):
    """One of ``REWARDS``.

    Args:
        policy: what tables call the policy that is trained for it.
        folder: where that policy is kept.
        model: the folder of notebook 03's reward model that it reads; None: it reads none.
        unit: of the reward.
    """

    policy: str
    folder: str
    model: str | None
    unit: str


_SHARE, _SCORE = "share of requirements", "raw score"

REWARDS: dict[RewardName, NamedReward] = {
    "requirement": NamedReward("WRL", "wrl_requirement", "wrl_requirement", _SHARE),
    "prompt": NamedReward("whole prompt", "wrl_prompt", "wrl_prompt", _SCORE),
    "coarse": NamedReward("coarse", "coarse", "coarse", _SCORE),
    "hybrid": NamedReward("hybrid", "hybrid", "wrl_requirement", _SHARE),
    "checks": NamedReward("checks", "checks", None, _SHARE),
    "likelihood": NamedReward("likelihood", "likelihood", None, "nats per token"),
}
"""Every reward: WRL's, one requirement at a time; that of whole prompts, as released; a detector of
damage; checks where a requirement compiles to one and the reward model of single requirements
where not; checks alone; the likelihood of a text under the base, per token, in nats."""


def reads_models(rewards: Iterable[RewardName]) -> bool:
    """Whether one of these rewards is a reward model, or needs one."""
    return any(REWARDS[name].model is not None for name in rewards)


class LikelihoodReward:
    """Mean log-likelihood of a completion under a language model that has read the whole prompt.

    A coarse reward: length does not pay, and single requirements have no say of their own.

    Args:
        base: the language model.
        quantise, precision: how it is loaded.
    """

    granularity: Granularity = "prompt"

    def __init__(self, base: Base, *, quantise: bool, precision: Precision = "fp32") -> None:
        self._scorer = LikelihoodScorer(base, quantise=quantise, precision=precision)

    def score(self, queries: Sequence[Query], responses: Sequence[str]) -> NDArray[np.float64]:
        """Nats per token, in (−∞, 0]; NaN for a text without a token. Shape [n]."""
        prompts = [query.prompt() for query in queries]
        return self._scorer.likelihoods(prompts, responses, progress=False)


def load_reward(
    name: RewardName,
    base: Base,
    model: Path | None = None,
    *,
    quantise: bool = True,
    precision: Precision = "fp32",
) -> Reward:
    """A reward, ready to score.

    Args:
        name: of ``REWARDS``.
        base: of the policy, whose likelihood is one of the rewards.
        model: folder of the reward model, for rewards that read one.
        quantise, precision: of the base, where its likelihood is asked for; a reward model is as it
            was in training.

    Raises:
        WfineError: the reward reads a model and none is given, or the model cannot be loaded.
    """
    if name == "likelihood":
        return LikelihoodReward(base, quantise=quantise, precision=precision)
    if name == "checks":
        return HybridReward()
    if model is None:
        raise WfineError(
            f"reward {name}: found no reward model, expected the folder {REWARDS[name].model} of "
            "notebook 03. Run that notebook, or choose rewards that read none: checks, likelihood."
        )
    trained = load_reward_model(model)
    return HybridReward(trained) if name == "hybrid" else trained
