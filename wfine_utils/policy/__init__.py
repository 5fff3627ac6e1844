"""WRL's policy: GRPO against a reward model, and how a policy writes."""

from wfine_utils.policy.chain_writer import written_by_model
from wfine_utils.policy.generation import answer, divergence, fitting, generate, load_policy
from wfine_utils.policy.grpo import train_policy
