"""WRL's policy: GRPO against a reward model, and how a policy writes."""

from typing import TYPE_CHECKING

from wfine_utils.faces import on_demand

if TYPE_CHECKING:
    from wfine_utils.policy.chain_writer import true_chains, written_by_model
    from wfine_utils.policy.generation import (
        divergence,
        extract_answer,
        generate,
        load_policy,
        text_lengths,
    )
    from wfine_utils.policy.grpo import train_policy
    from wfine_utils.policy.rewards import REWARDS, load_reward, reads_models

__getattr__ = on_demand(__name__)
