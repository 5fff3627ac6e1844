"""Small chains, pairs and settings for reward models that read requirement and response apart."""

from __future__ import annotations

from typing import Any

from wfine_utils.base_model import Base
from wfine_utils.chains.dropping import build_chains
from wfine_utils.chains.pairs import preference_pairs
from wfine_utils.checks.contrast import mixed_pairs
from wfine_utils.rewards.training import train_reward_model
from wfine_utils.settings import RewardSettings
from wfine_utils.tiny_world import vocabulary, writer

SETTINGS: dict[str, Any] = {
    "quantise": True, "lora_r": 4, "lora_alpha": 8, "learning_rate": 5e-3, "batch_size": 16,
    "micro_batch_size": 16, "n_epochs": 1, "max_tokens": 300, "center_coefficient": 0.0,
    "loss": "bradley_terry", "batch_by": "chain",
}  # fmt: skip


def small_chains():
    queries = writer.sample_queries(8, vocabulary.TOPICS["train"], seed=3)
    return build_chains(queries, "random", writer.write, 0)


def small_pairs(chains):
    drops = preference_pairs(chains, granularity="requirement", max_drop_distance=4)
    return mixed_pairs(drops, chains, 64, foreign_share=0.5, seed=0)


def train_apart(pairs, base, folder, interaction, **changes):
    return train_reward_model(
        pairs[:48], pairs[48:], Base(str(base)),
        RewardSettings(**SETTINGS | changes, interaction=interaction),
        granularity="requirement", seed=0, folder=folder,
    )  # fmt: skip
