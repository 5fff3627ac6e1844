"""WRL's reward model: training, scoring, cross-validation; foreign classifiers as scorers."""

from typing import TYPE_CHECKING

from wfine_utils.faces import on_demand

if TYPE_CHECKING:
    from wfine_utils.rewards.calibration import Calibration, fit_calibration
    from wfine_utils.rewards.classifier import ClassifierScorer
    from wfine_utils.rewards.cross_validation import (
        out_of_fold_scores,
        rewards_from_table,
        rewards_table,
    )
    from wfine_utils.rewards.hybrid import HybridReward, HybridScorer, hybrid_scores
    from wfine_utils.rewards.losses import LOSSES
    from wfine_utils.rewards.reward_model import (
        RewardModel,
        RewardModelScorer,
        accuracy_by_kind,
        accuracy_by_type,
        load_reward_model,
        opinions,
    )
    from wfine_utils.rewards.training import train_reward_model

__getattr__ = on_demand(__name__)
