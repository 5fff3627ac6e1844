"""Two small reward models, for all tests of this room."""

from __future__ import annotations

import pytest
import torch

from wfine_utils.base_model import Base
from wfine_utils.chains.dropping import build_chains
from wfine_utils.chains.pairs import preference_pairs
from wfine_utils.rewards.training import train_reward_model
from wfine_utils.settings import RewardSettings
from wfine_utils.tiny_world import vocabulary, writer


@pytest.fixture(scope="session")
def reward_settings() -> RewardSettings:
    """Of a training that takes seconds."""
    return RewardSettings(
        quantise=True, lora_r=4, lora_alpha=8, learning_rate=5e-3, batch_size=8, micro_batch_size=8,
        n_epochs=1, max_tokens=96, center_coefficient=0.01, loss="bradley_terry",
    )  # fmt: skip


@pytest.fixture(scope="session")
def chains():
    queries = writer.sample_queries(12, vocabulary.TOPICS["train"], seed=3)
    return build_chains(queries, "single", writer.write, 0)


@pytest.fixture(scope="session")
def folders(tiny_base, chains, reward_settings, tmp_path_factory):
    """A trained reward model of each granularity."""
    n_threads = torch.get_num_threads()
    torch.set_num_threads(1)  # as in the tests that train one again and compare every bit
    made = {}
    for granularity in ("prompt", "requirement"):
        pairs = preference_pairs(chains, granularity=granularity)
        made[granularity] = tmp_path_factory.mktemp(granularity)
        train_reward_model(
            pairs[:40], pairs[40:48], Base(str(tiny_base)), reward_settings,
            granularity=granularity, seed=0, folder=made[granularity],
        )  # fmt: skip
    torch.set_num_threads(n_threads)
    return made
