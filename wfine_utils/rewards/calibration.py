"""From a reward to the probability that the requirement is met.

A reward model learns from pairs, so its rewards have an order and no zero. Where they stand beside
a verdict of 0 or 1, a reward has to become a probability that can be believed: a straight line
before σ, fitted on validation pairs (Platt, "Probabilistic outputs for support vector machines",
1999). Differences from Platt: the slope is never negative.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import minimize
from scipy.special import expit

from wfine_utils.errors import WfineError


class Calibration(NamedTuple):
    """The line before σ; as it is by default, the probability is σ(reward).

    ``slope`` is at least 0: at 0 the model is not believed at all, and says the same of all texts.
    """

    slope: float = 1.0
    offset: float = 0.0

    def logits(self, rewards: ArrayLike) -> NDArray[np.float64]:
        """Log-odds that a requirement is met; the shape is that of ``rewards``."""
        return self.slope * np.asarray(rewards, dtype=np.float64) + self.offset

    def probabilities(self, rewards: ArrayLike) -> NDArray[np.float64]:
        """Probabilities in [0, 1] that a requirement is met; the shape is that of ``rewards``."""
        return expit(self.logits(rewards))


def fit_calibration(met: ArrayLike, unmet: ArrayLike) -> Calibration:
    """The line that makes the rewards of validation texts most likely (Platt 1999).

    Args:
        met: float [texts], rewards of texts that meet the requirement they were asked about: the
            chosen ones of pairs that differ in one requirement.
        unmet: float [texts], rewards of texts that do not: the rejected ones. NaN is left out.

    Returns:
        Slope and offset. The targets are Platt's, a little inside 0 and 1, so that the slope stays
        finite where every pair is told apart.

    Raises:
        WfineError: no text on one of the two sides.

    >>> weak = fit_calibration([0.02, 0.03, 0.01], [-0.02, -0.01, -0.03])  # small, but right
    >>> bool(weak.probabilities([0.03])[0] > 0.7)
    True
    """
    sides = [np.asarray(side, dtype=np.float64) for side in (met, unmet)]
    met_, unmet_ = (side[~np.isnan(side)] for side in sides)
    if not len(met_) or not len(unmet_):
        raise WfineError(
            f"calibration: found {len(met_)} rewards of texts that meet the requirement and "
            f"{len(unmet_)} of texts that do not, expected one of each at least. Give the rewards "
            "of the chosen and of the rejected texts of validation pairs."
        )
    rewards = np.concatenate([met_, unmet_])
    scale = rewards.std() or 1.0  # the search goes over numbers near 1
    high, low = (len(met_) + 1) / (len(met_) + 2), 1 / (len(unmet_) + 2)
    targets = np.repeat([high, low], [len(met_), len(unmet_)])
    centred = rewards / scale

    def loss(line: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        logits = line[0] * centred + line[1]
        error = expit(logits) - targets
        nats = np.logaddexp(0, logits) - targets * logits
        return float(nats.mean()), np.array([(error * centred).mean(), error.mean()])

    line = minimize(loss, [1.0, 0.0], jac=True, bounds=[(0, None), (None, None)]).x
    return Calibration(float(line[0] / scale), float(line[1]))
