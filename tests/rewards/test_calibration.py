"""From rewards to probabilities: what Platt's fit must give."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit

from wfine_utils.errors import WfineError
from wfine_utils.rewards.calibration import Calibration, fit_calibration


def test_without_a_fit_the_probability_is_sigma_of_the_reward():
    rewards = np.array([[-2.0, 0.0], [3.0, np.nan]])
    np.testing.assert_allclose(Calibration().probabilities(rewards), expit(rewards))


@pytest.mark.parametrize(("scale", "shift"), [(1.0, 0.0), (0.01, 0.0), (20.0, 3.0)])
def test_the_fit_finds_the_line_whatever_the_scale_of_the_rewards(scale, shift):
    """Log-odds are 2 x; the model says scale * x + shift."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=20_000)
    is_met = rng.random(len(x)) < expit(2 * x)
    rewards = scale * x + shift
    line = fit_calibration(rewards[is_met], rewards[~is_met])
    assert line.slope * scale == pytest.approx(2, rel=0.05)
    assert line.offset + line.slope * shift == pytest.approx(0, abs=0.08)
    assert line.probabilities(rewards).mean() == pytest.approx(is_met.mean(), abs=0.01)


def test_a_model_that_is_worse_than_chance_is_not_believed_the_other_way_round():
    line = fit_calibration([-1.0, -2.0, -1.5], [1.0, 2.0, 1.5])
    assert line.slope == 0
    assert np.unique(line.probabilities([-3.0, 0.0, 3.0])).size == 1


def test_pairs_that_are_all_told_apart_leave_the_slope_finite():
    line = fit_calibration(np.full(100, 5.0), np.full(100, 4.9))
    assert np.isfinite(line).all() and line.slope > 1
    assert line.probabilities([5.0, 4.9]) == pytest.approx([101 / 102, 1 / 102], abs=1e-3)


def test_equal_rewards_and_rewards_without_a_number():
    line = fit_calibration([1.0, np.nan, 1.0], [1.0, 1.0])
    assert line.probabilities([1.0])[0] == pytest.approx(0.5, abs=1e-3)


@pytest.mark.parametrize("sides", [([], [1.0]), ([1.0], [np.nan])])
def test_an_empty_side_is_refused(sides):
    with pytest.raises(WfineError, match=r"validation pairs"):
        fit_calibration(*sides)
