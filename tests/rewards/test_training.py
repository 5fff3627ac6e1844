"""Training reward models: the losses, the order of the pairs, what is left behind."""

from __future__ import annotations

import dataclasses
import inspect
import json
from importlib import metadata
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from conftest import taught
from huggingface_hub import ModelCard
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file
from torch.nn.functional import logsigmoid
from trl import RewardConfig, RewardTrainer

from wfine_utils.base_model import CARD, Base
from wfine_utils.chains.pairs import preference_pairs
from wfine_utils.errors import WfineError
from wfine_utils.models import loading
from wfine_utils.rewards import training
from wfine_utils.rewards.losses import LOSSES
from wfine_utils.rewards.reward_model import load_reward_model
from wfine_utils.rewards.training import (
    batches_of_similar_length,
    encode_pairs,
    reward_config,
    train_reward_model,
)

pytestmark = pytest.mark.usefixtures("one_thread")


def taught_loss():
    cell = taught("03_reward_model", "bt", torch=torch, logsigmoid=logsigmoid)
    return cell["bradley_terry_loss"]


def test_the_loss_taught_holds_at_any_margin():
    """In 32 bits a loss by strengths is NaN at a margin of 89, infinite at -104."""
    loss = taught_loss()
    margins = torch.tensor([[1.0, 89.0, -104.0]]).T
    values = [float(loss(margin, torch.zeros(1))) for margin in margins]
    assert values == pytest.approx([0.3132617, 0, 104], abs=1e-6)


@pytest.mark.parametrize("granularity", ["prompt", "requirement"])
def test_training_leaves_adapter_manifest_and_curve(folders, granularity):
    folder = folders[granularity]
    weights = load_file(folder / "adapter_model.safetensors")
    assert any("score" in name for name in weights) and any("lora_B" in name for name in weights)
    assert any(w.abs().max() > 0 for name, w in weights.items() if "lora_B" in name)
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["granularity"] == granularity and manifest["n_pairs"] == 40
    curve = (folder / "learning_curve.csv").read_text().splitlines()
    assert curve[0] == "step,split,loss,accuracy,margin"
    card = ModelCard.load(folder / CARD)
    assert "Not measured yet." in card.text and card.data.eval_results is None
    assert "40 pairs" in card.text and f"torch {metadata.version('torch')}" in card.text
    assert str(folder.parents[0]) not in str(card), "a folder of this machine"
    assert any("validation" in line for line in curve)


@pytest.mark.parametrize("loss", LOSSES)
def test_the_loss_is_the_one_that_was_asked_for(loss, chains, tiny_base, reward_settings, tmp_path):
    """One step with next to no learning rate, against the formula on the rewards it left."""
    pairs = preference_pairs(chains, granularity="requirement")[:8]
    pairs = [dataclasses.replace(pair, n_dropped=1 + i % 3) for i, pair in enumerate(pairs)]
    nothing = {"loss": loss, "learning_rate": 1e-12, "center_coefficient": 0.0}
    curve = train_reward_model(
        pairs, pairs, Base(str(tiny_base)), reward_settings.model_copy(update=nothing),
        granularity="requirement", seed=0, folder=tmp_path,
    )  # fmt: skip
    model = load_reward_model(tmp_path)
    instructions = [pair.instruction for pair in pairs]
    chosen = model.rewards(instructions, [pair.chosen for pair in pairs])
    rejected = model.rewards(instructions, [pair.rejected for pair in pairs])
    margin = np.array([pair.n_dropped for pair in pairs])
    expected = {
        "bradley_terry": np.log1p(np.exp(rejected - chosen)),
        "bradley_terry_margin": np.log1p(np.exp(rejected - chosen + margin)),
        "cross_entropy": (np.log1p(np.exp(-chosen)) + np.log1p(np.exp(rejected))) / 2,
    }[loss].mean()
    for split in ("train", "validation"):
        logged = curve.loc[curve["split"] == split, "loss"].iloc[0]
        assert logged == pytest.approx(expected, abs=2e-3), split
    (check,) = taught(
        "03_reward_model", "loss-check", torch=torch, pd=pd, styled=lambda *_, **__: None,
        cfg=SimpleNamespace(loss=loss, center_coefficient=0.0), LOSSES=LOSSES,
        bradley_terry_loss=taught_loss(), load_reward_model=load_reward_model,
        folders={"x": tmp_path}, held_out={"x": pairs},
        validation=curve[curve["split"] == "validation"].assign(model="x"),
    )["checks"]  # fmt: skip
    assert check["ours"] == pytest.approx(check["logged by the trainer"], abs=1e-4)


@pytest.mark.parametrize("granularity", ["prompt", "requirement"])
def test_an_adapter_names_no_folder_of_this_machine(folders, tiny_base, granularity):
    folder = folders[granularity]
    config = json.loads((folder / "adapter_config.json").read_text())
    assert (folder / config["base_model_name_or_path"]).resolve() == tiny_base.resolve()
    for path in folder.rglob("*.*"):
        assert str(tiny_base.parent).encode() not in path.read_bytes(), path.name


def test_same_seed_same_adapter(tiny_base, chains, folders, reward_settings, tmp_path):
    pairs = preference_pairs(chains, granularity="requirement")
    train_reward_model(
        pairs[:40], pairs[40:48], Base(str(tiny_base)), reward_settings,
        granularity="requirement", seed=0, folder=tmp_path,
    )  # fmt: skip
    a, b = (load_file(f / "adapter_model.safetensors") for f in (folders["requirement"], tmp_path))
    assert all(torch.equal(a[name], b[name]) for name in a)


@given(st.lists(st.integers(1, 500), min_size=1, max_size=300), st.integers(1, 40))
def test_batches_of_similar_length_lose_nothing(lengths, batch_size):
    order = batches_of_similar_length(lengths, batch_size, seed=0)
    assert sorted(order) == list(range(len(lengths)))


def test_batches_of_similar_length_pad_less():
    lengths = np.random.default_rng(0).integers(10, 100, size=1024)

    def padded(order):
        return lengths[order].reshape(-1, 16).max(axis=1).sum() * 16

    assert padded(batches_of_similar_length(lengths, 16, 0)) < 0.75 * padded(np.arange(1024))


class TestApiDrift:
    """What we pass, the pinned libraries must still take: they rename without notice."""

    def test_reward_trainer(self, reward_settings, tmp_path):
        taken = inspect.signature(RewardTrainer.__init__).parameters
        for name in ("model", "args", "processing_class", "train_dataset", "eval_dataset",
                     "peft_config"):  # fmt: skip
            assert name in taken
        args = reward_config(reward_settings, tmp_path, seed=3, n_steps=40)
        assert isinstance(args, RewardConfig)
        assert args.max_length is None and args.seed == 3
        assert args.train_sampling_strategy == "sequential"

    def test_the_trainer_takes_token_ids_as_they_are(self, tiny_base, chains, reward_settings):
        tokenizer = loading.load_tokenizer(Base(str(tiny_base)))
        data = encode_pairs(
            preference_pairs(chains, granularity="prompt")[:4], tokenizer, reward_settings
        )
        assert set(data.column_names) == {"chosen_ids", "rejected_ids", "margin"}
        source = inspect.getsource(RewardTrainer._prepare_dataset)
        assert '"chosen_ids" in column_names and "rejected_ids" in column_names' in source


def test_too_few_pairs(tiny_base, chains, reward_settings, tmp_path):
    pairs = preference_pairs(chains, granularity="prompt")[:3]
    with pytest.raises(WfineError, match="found 3 training pairs, expected at least one batch"):
        train_reward_model(
            pairs, pairs, Base(str(tiny_base)), reward_settings,
            granularity="prompt", seed=0, folder=tmp_path,
        )  # fmt: skip


def test_a_part_of_a_batch_is_left_out(tmp_path):
    data = training.Dataset.from_dict({"x": range(11)})
    assert len(training._full_batches(data, 4, "training")) == 8
    with pytest.raises(WfineError, match="found 11 validation pairs, expected at least 16"):
        training._full_batches(data, 16, "validation")
