"""Checks where a requirement says itself how to check it, a reward model for the rest.

The score of a response is the mean over its requirements: of the verdict, 0 or 1, where the wording
compiles (:mod:`wfine_utils.checks.compile`), and of σ of the model's reward where it does not. Both
are on one scale, the probability that the requirement is met, of which a verdict is the certain
end. So the score is the share of the requirements that is expected to be met, and

* a verdict weighs as much as it should: a model that is unsure, with probabilities near 0.5, cannot
  overturn it, and several confident opinions can;
* an opinion is never lost: among responses with equal verdicts the model alone decides.

How far a model is to be believed is a question of its own: a timid one, all of whose probabilities
are near 0.5, would hardly count though it be right, a loud one would count too much.
:mod:`wfine_utils.rewards.calibration` answers it from validation pairs; a model that tells
them apart by chance alone gets slope 0 or nearly, and does not break ties.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from wfine_utils.chains.taxonomy import Chain, Query
from wfine_utils.errors import WfineError
from wfine_utils.rewards.calibration import Calibration
from wfine_utils.rewards.reward_model import RewardModel, RewardModelScorer, load_reward_model
from wfine_utils.weval.compiled import (
    chain_verdicts,
    compiled_rate,
    compiled_verdicts,
    mean_of_known,
)
from wfine_utils.weval.scorers import ScoreList, Scores, saturated_rate, split_by_chain

FloatArray = NDArray[np.float64]


class HybridReward:
    """The hybrid as a reward: of lists of requirements and completions, or of queries.

    Args:
        model: a reward model that reads one requirement at a time; None: checks alone, and then the
            mean is over the requirements that compile.
        calibration: how the model's rewards become probabilities; σ of the reward by default.

    Attributes:
        granularity: "requirement"; with it and ``score`` it can stand wherever a
            :class:`RewardModel` gives the reward, as in ``wfine_utils.policy.train_policy``.
        compiled_rate: share of the requirements of the latest call that checks have judged.
        was_cut: bool [n] of the latest call: the model has read only a part of the completion.

    Raises:
        WfineError: the model reads whole prompts.
    """

    granularity: Literal["requirement"] = "requirement"

    def __init__(
        self, model: RewardModel | None = None, *, calibration: Calibration | None = None
    ) -> None:
        self._model = one_by_one(model)
        self._calibration = calibration or Calibration()
        self.compiled_rate = float("nan")
        self.was_cut = np.zeros(0, dtype=bool)

    def __call__(
        self, requirements: Sequence[Sequence[str]], completions: Sequence[str]
    ) -> list[float]:
        """The reward of each of n completions, in [0, 1].

        Args:
            requirements: n lists of requirements in words, at least one in each.
            completions: n texts.

        Returns:
            n numbers; NaN where nothing compiles and there is no model, or where the model is
            needed and the text is not valid Unicode.
        """
        opinions = self.opinions(requirements, completions)
        return [float(self._mean(each)) for each in opinions]

    def score(
        self, queries: Sequence[Query], responses: Sequence[str], *, progress: bool = False
    ) -> FloatArray:
        """The same of n queries and responses, as :meth:`RewardModel.score`; float64 [n]."""
        requirements = [[r.text for r in query.wanted] for query in queries]
        opinions = self.opinions(requirements, responses, progress=progress)
        return np.array([self._mean(each) for each in opinions], dtype=np.float64)

    def opinions(
        self,
        requirements: Sequence[Sequence[str]],
        completions: Sequence[str],
        *,
        progress: bool = False,
    ) -> list[FloatArray]:
        """Of each requirement of each completion: the verdict, or the model's probability.

        Returns:
            n arrays of float64 in [0, 1], one number per requirement; NaN where neither judges.
        """
        verdicts = compiled_verdicts(requirements, completions)
        rewards = self.rewards(requirements, completions, verdicts, progress=progress)
        flat = np.concatenate(verdicts) if verdicts else np.zeros(0)
        self.compiled_rate = float(1 - np.isnan(flat).mean()) if len(flat) else float("nan")
        return [_one_scale(v, r, self._calibration) for v, r in zip(verdicts, rewards, strict=True)]

    def rewards(
        self,
        requirements: Sequence[Sequence[str]],
        completions: Sequence[str],
        verdicts: Sequence[FloatArray],
        *,
        progress: bool = False,
    ) -> list[FloatArray]:
        """The model's rewards of the requirements without a verdict, which alone it is asked about.

        Returns:
            n arrays, one number per requirement: before calibration; NaN where there is a verdict.
        """
        rewards = [np.full(len(v), np.nan) for v in verdicts]
        self.was_cut = np.zeros(len(rewards), dtype=bool)
        open_ = [(i, int(j)) for i, v in enumerate(verdicts) for j in np.flatnonzero(np.isnan(v))]
        if self._model is None or not open_:
            return rewards
        wordings = [requirements[i][j] for i, j in open_]
        values = self._model.rewards(
            wordings, [completions[i] for i, _ in open_], progress=progress
        )
        for (i, j), value, cut in zip(open_, values, self._model.was_cut, strict=True):
            rewards[i][j] = value
            self.was_cut[i] |= cut
        return rewards

    def _mean(self, opinions: FloatArray) -> float:
        return mean_of_known(opinions) if self._model is None else float(opinions.mean())


class HybridScorer:
    """The hybrid as a scorer.

    Args:
        model: a reward model that reads one requirement at a time: its folder, itself, or its
            scorer; None: checks alone.
        name: how tables call it.
        calibration: as of :class:`HybridReward`.

    Attributes:
        compiled_rate: share of the requirements that checks have judged, in the latest call.
        n_cut: responses of which the model has read only a part.
        saturated_rate: share of ties that rounding of probabilities made.

    Raises:
        WfineError: the model reads whole prompts, or as :func:`load_reward_model`.
    """

    def __init__(
        self,
        model: str | Path | RewardModel | RewardModelScorer | None,
        *,
        name: str = "hybrid",
        calibration: Calibration | None = None,
        progress: bool = True,
    ) -> None:
        self.name, self._progress = name, progress
        if isinstance(model, str | Path):
            model = load_reward_model(model)
        elif isinstance(model, RewardModelScorer):
            model = model.reward_model
        self._has_model = model is not None
        self._calibration = calibration or Calibration()
        self._reward = HybridReward(model)
        self.n_cut, self.saturated_rate, self.compiled_rate = 0, 0.0, float("nan")

    def score(self, chains: Sequence[Chain]) -> Scores:
        """A number between 0 and 1 for every response; NaN as :class:`HybridReward`."""
        verdicts = chain_verdicts(chains)
        wordings = [[r.text for r in c.wanted] for c in chains for _ in c.responses]
        texts = [response.text for chain in chains for response in chain.responses]
        rewards = self._reward.rewards(wordings, texts, verdicts, progress=self._progress)
        scores = _scores(chains, verdicts, rewards, self._calibration, self._has_model)
        self.n_cut = int(self._reward.was_cut.sum())
        self.saturated_rate, self.compiled_rate = scores.saturated_rate, scores.compiled_rate
        return [*scores]


def hybrid_scores(
    chains: Sequence[Chain],
    rewards: Sequence[FloatArray],
    *,
    calibration: Calibration | None = None,
) -> ScoreList:
    """The hybrid of rewards that were kept, such as those of a cross-validation.

    Args:
        rewards: float [chains][responses, requirements], of a model that reads one requirement at a
            time; those of requirements that compile are not used.

    Returns:
        Scores [chains][responses], with ``saturated_rate`` and ``compiled_rate``.
    """
    flat = [row for chain_rewards in rewards for row in chain_rewards]
    return _scores(chains, chain_verdicts(chains), flat, calibration or Calibration(), True)


def one_by_one(model: RewardModel | None) -> RewardModel | None:
    """The model, if it reads one requirement at a time.

    Raises:
        WfineError: it reads whole prompts, so it has no opinion of the requirements left to it.
    """
    if model is not None and model.granularity != "requirement":
        raise WfineError(
            f"hybrid: found a reward model of granularity {model.granularity!r}, which judges a "
            "whole prompt at once; expected 'requirement', as some requirements are judged by "
            "checks and only the others by the model. Give the folder wrl_requirement of notebook "
            "03, or None for checks alone."
        )
    return model


def _one_scale(verdicts: FloatArray, rewards: FloatArray, calibration: Calibration) -> FloatArray:
    return np.where(np.isnan(verdicts), calibration.probabilities(rewards), verdicts)


def _scores(
    chains: Sequence[Chain],
    verdicts: Sequence[FloatArray],
    rewards: Sequence[FloatArray],
    calibration: Calibration,
    has_model: bool,
) -> ScoreList:
    """Means over requirements, of verdicts and rewards [responses in reading order][requirements].

    A verdict is never rounded, so only the model's requirements tell whether rounding made a tie.
    """
    mean = np.mean if has_model else mean_of_known
    pairs = list(zip(verdicts, rewards, strict=True))
    flat = np.array([mean(_one_scale(v, r, calibration)) for v, r in pairs], dtype=np.float64)
    scores = split_by_chain(flat, chains)
    logits = [np.where(np.isnan(v), calibration.logits(r), 0.0) for v, r in pairs]
    saturated = saturated_rate(chains, scores, np.concatenate(logits)) if has_model else 0.0
    return ScoreList(
        scores, saturated_rate=saturated, compiled_rate=compiled_rate(chains, verdicts)
    )
