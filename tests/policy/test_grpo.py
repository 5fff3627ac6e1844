"""GRPO on a random tiny base, and the definitions that notebook 04 writes out, against TRL."""

from __future__ import annotations

import inspect
import json
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from conftest import taught
from datasets import Dataset
from safetensors.torch import load_file
from trl import GRPOConfig, GRPOTrainer

from wfine_utils.base_model import CARD, Base
from wfine_utils.chains.units import mean_interval
from wfine_utils.errors import WfineError
from wfine_utils.models import adapters, cpu_layers, loading
from wfine_utils.models.cards import MARK
from wfine_utils.policy import generation, grpo
from wfine_utils.policy.unpadded import UnpaddedGRPOTrainer
from wfine_utils.settings import PolicySettings
from wfine_utils.tiny_world import vocabulary, writer

NOTEBOOK = "04_wrl_policy"
KL = {"np": np, "cfg": SimpleNamespace(seed=0), "mean_interval": mean_interval}
SETTINGS = PolicySettings(
    quantise=True, lora_r=4, lora_alpha=8, learning_rate=5e-3, n_steps=2, prompts_per_rollout=2,
    num_generations=4, updates_per_rollout=1, micro_batch_size=8, beta=0.1, temperature=1.0,
    max_new_tokens=12, answer_format="plain",
)  # fmt: skip
QUERIES = writer.sample_queries(8, vocabulary.TOPICS["train"], seed=0)


class LetterCount:
    """Stands in for a reward model: anything with ``granularity`` and ``score`` will do."""

    granularity = "prompt"

    def score(self, queries, responses):
        return np.array([float(text.count("e")) for text in responses])


@pytest.fixture(scope="module")
def trained(tiny_base, tmp_path_factory):
    folder = tmp_path_factory.mktemp("policy")
    grpo.train_policy(QUERIES, LetterCount(), Base(str(tiny_base)), SETTINGS, seed=0, folder=folder)
    return folder


def test_training_leaves_adapter_curve_and_completions(trained):
    weights = load_file(trained / "adapter_model.safetensors")
    assert any(w.abs().max() > 0 for name, w in weights.items() if "lora_B" in name)
    curve = pd.read_csv(trained / "training_curve.csv")
    assert curve["step"].tolist() == [1, 2]
    assert np.isfinite(curve.drop(columns="step")).all(axis=None)
    assert curve["kl"].iloc[0] == pytest.approx(0, abs=1e-6)  # it starts as its own reference
    assert len(list((trained / "trainer" / "completions").glob("*.parquet"))) == 2


def test_training_leaves_a_card(trained):
    card = (trained / CARD).read_text(encoding="utf-8")
    assert "# Policy: " in card and "Not measured yet." in card and MARK in card


def test_advantages_of_the_notebook_are_those_of_trl(trained):
    group_advantages = taught(NOTEBOOK, "advantage", np=np)["group_advantages"]
    for path in sorted((trained / "trainer" / "completions").glob("*.parquet")):
        step = pd.read_parquet(path)
        ours = group_advantages(step["reward_model_prompt"].to_numpy(dtype=float), 4)
        np.testing.assert_allclose(ours, step["advantage"], atol=1e-4)


def a_trainer(kind, tiny_base, tmp_path):
    """A trainer of one step, of TRL's class or one like it."""
    tokenizer = loading.load_tokenizer(Base(str(tiny_base)))
    return kind(
        model=loading.load_quantised(Base(str(tiny_base)), "causal", tokenizer=tokenizer),
        reward_funcs=grpo.RewardFunction(LetterCount(), QUERIES),
        args=grpo.grpo_config(SETTINGS.model_copy(update={"n_steps": 1}), tmp_path, seed=0),
        train_dataset=Dataset.from_dict(
            {"prompt": [generation.prompt_messages(q) for q in QUERIES], "query_index": range(8)}
        ),
        processing_class=tokenizer,
        peft_config=adapters.lora_config("causal", r=4, alpha=8),
    )


@pytest.fixture(scope="module")
def tiny_gpt2(bench_script, tmp_path_factory):
    """A model that has learnt places, where the others see distances between tokens."""
    families = bench_script("model_families")
    return families.build(families.FAMILIES["GPT-2"], tmp_path_factory.mktemp("gpt2"))


@pytest.mark.parametrize("base", ["tiny_base", "tiny_gpt2"])
def test_forward_passes_without_padding_give_what_those_with_it_give(base, request, tmp_path):
    """Prompts are padded on the left, completions on the right; whatever stands there is 0."""
    trainer = a_trainer(UnpaddedGRPOTrainer, request.getfixturevalue(base), tmp_path)
    prompts, completions = [3, 6, 5, 2], [7, 2, 11, 1]  # of 9 and 12 columns
    ids = torch.full((4, 9 + 12), 1)
    mask = torch.zeros_like(ids)
    for row, (before, after) in enumerate(zip(prompts, completions, strict=True)):
        ids[row, 9 - before : 9 + after] = torch.arange(before + after) * 7 % 40 + 5
        mask[row, 9 - before : 9 + after] = 1
    real = mask[:, 9:].bool()
    for size in (None, 3):
        arguments = (trainer.model, ids, mask, 12, size)
        padded = GRPOTrainer._get_per_token_logps_and_entropies(
            trainer, *arguments, compute_entropy=True
        )
        ours = trainer._get_per_token_logps_and_entropies(*arguments, compute_entropy=True)
        for with_padding, without in zip(padded[:2], ours[:2], strict=True):
            assert without.shape == (4, 12)
            torch.testing.assert_close(without[real], with_padding[real], atol=1e-5, rtol=1e-5)
        assert ours[2] is None
    for row in range(4):  # a text alone has no padding at all
        begin, end = 9 - prompts[row], 9 + completions[row]
        alone = ids[row : row + 1, begin:end], mask[row : row + 1, begin:end]
        expected, *_ = GRPOTrainer._get_per_token_logps_and_entropies(
            trainer, trainer.model, *alone, completions[row]
        )
        lone, *_ = trainer._get_per_token_logps_and_entropies(trainer.model, ids, mask, 12, 1)
        torch.testing.assert_close(lone[row, : completions[row]], expected[0])
        assert (lone[row, completions[row] :] == 0).all()


def test_k3_of_the_notebook_is_that_of_trl(tiny_base, tmp_path):
    """Train one step of a policy that already differs from its base, and look inside."""
    k3, seen = taught(NOTEBOOK, "kl", **KL)["k3"], {}

    class Watched(GRPOTrainer):
        def _get_per_token_logps_and_entropies(self, *args, **kwargs):
            found = super()._get_per_token_logps_and_entropies(*args, **kwargs)
            seen["policy"] = found[0].detach()
            return found

        def _compute_loss(self, model, inputs):
            loss = super()._compute_loss(model, inputs)
            seen["reference"], seen["mask"] = (
                inputs["ref_per_token_logps"],
                inputs["completion_mask"],
            )
            return loss

    trainer = a_trainer(Watched, tiny_base, tmp_path)
    adapters.trainable_to_fp32(trainer.model)
    torch.manual_seed(1)
    for name, parameter in trainer.model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(parameter, std=0.2)
    trainer.train()
    mask = seen["mask"].numpy()
    ours = (k3(seen["policy"].numpy(), seen["reference"].numpy()) * mask).sum() / mask.sum()
    logged = grpo.training_curve(trainer.state.log_history)["kl"].iloc[0]
    assert ours > 1e-4
    assert ours == pytest.approx(logged, rel=1e-3)


def test_k3_as_a_loss_pulls_as_the_other_divergence_does():
    """At p = (.7, .2, .1), q = (.5, .3, .2): p - q, and not p (log(p / q) - KL)."""
    space = taught(NOTEBOOK, "kl", **KL)
    gradient = taught(NOTEBOOK, "kl-gradient", torch=torch, p=space["p"], q=space["q"])["gradient"]
    parts = gradient.__globals__
    of_k3 = gradient((torch.tensor(space["p"]) * parts["k3_of_each"]).sum())
    log_p, reference = parts["log_p"], parts["reference"]
    forward = gradient((log_p.exp() * (log_p - reference)).sum())
    assert of_k3 == [0.2, -0.1, -0.1]
    assert forward == [0.176, -0.098, -0.078]


def test_curve_keeps_what_the_spread_of_a_rollout_cannot_tell():
    """``reward_std`` of TRL is over the whole rollout, which hides groups that teach nothing."""
    entry = {"step": 1, "reward": 0.5, "reward_std": 0.2, "frac_reward_zero_std": 0.25,
             "completions/clipped_ratio": 0.5}  # fmt: skip
    row = grpo.training_curve([entry, {"step": 1, "loss": 0.1}]).iloc[0]
    assert (row["frac_reward_zero_std"], row["share_cut"]) == (0.25, 0.5)


def test_generation_depends_on_the_seed_alone(tiny_base, trained):
    model, tokenizer = generation.load_policy(Base(str(tiny_base)), trained)
    first, again, other = (
        generation.generate(model, tokenizer, QUERIES, max_new_tokens=8, seed=seed)
        for seed in (0, 0, 1)
    )
    assert first == again != other and len(first) == len(QUERIES)


def test_a_completion_says_whether_it_was_cut(tiny_base):
    model, tokenizer = generation.load_policy(Base(str(tiny_base)))
    model.generation_config.eos_token_id = list(range(len(tokenizer)))  # any token is an end
    ended = generation.generate(model, tokenizer, QUERIES, max_new_tokens=3)
    model.generation_config.eos_token_id = tokenizer.vocab_size + 5  # and none
    cut = generation.generate(model, tokenizer, QUERIES, max_new_tokens=3)
    assert {c.is_cut for c in ended} == {False} and {c.is_cut for c in cut} == {True}


def test_divergence_is_zero_for_the_base_and_positive_for_a_policy(tiny_base, trained):
    texts = ["The net waits.", ""] * 4
    base, tokenizer = generation.load_policy(Base(str(tiny_base)))
    moved, _ = generation.load_policy(Base(str(tiny_base)), trained)
    still = generation.divergence(base, tokenizer, QUERIES, texts)
    away = generation.divergence(moved, tokenizer, QUERIES, texts, batch_size=3)
    assert (still["kl"] == 0).all() and (away["kl"] > 0).all()
    assert still["entropy"].between(0, np.log(len(tokenizer)) + 1).all()
    assert away["n_tokens"].iloc[1] == 1  # an empty text still has its end


class TestErrors:
    def test_too_few_queries(self, tiny_base, tmp_path):
        with pytest.raises(WfineError, match="found 1 training queries"):
            grpo.train_policy(
                QUERIES[:1], LetterCount(), Base(str(tiny_base)), SETTINGS, seed=0, folder=tmp_path
            )

    def test_sizes_that_do_not_divide(self, tmp_path):
        odd = SETTINGS.model_copy(update={"micro_batch_size": 3})
        with pytest.raises(WfineError, match="found 8 completions per rollout"):
            grpo.grpo_config(odd, tmp_path, seed=0)


class TestApiDrift:
    """What we pass, the pinned libraries must still take."""

    def test_grpo_trainer(self):
        taken = inspect.signature(GRPOTrainer.__init__).parameters
        for name in ("model", "reward_funcs", "args", "train_dataset", "processing_class",
                     "peft_config"):  # fmt: skip
            assert name in taken

    def test_plain_k3_and_the_released_kl_weight(self, tmp_path):
        args = grpo.grpo_config(SETTINGS, tmp_path, seed=0)
        assert isinstance(args, GRPOConfig)
        assert args.beta == 0.1 and not args.use_bias_correction_kl
        assert args.generation_batch_size == 8 and args.gradient_accumulation_steps == 1

    def test_four_updates_per_rollout(self, tmp_path):
        four = SETTINGS.model_copy(update={"updates_per_rollout": 4, "micro_batch_size": 2})
        args = grpo.grpo_config(four, tmp_path, seed=0)
        assert args.steps_per_generation == 4 and args.gradient_accumulation_steps == 1


class StopsAt(LetterCount):
    """Is killed when it is asked for the rewards of one more rollout than so many."""

    def __init__(self, n):
        self._left = n

    def score(self, queries, responses):
        self._left -= 1
        if self._left < 0:
            raise KeyboardInterrupt
        return super().score(queries, responses)


def test_a_training_that_was_killed_goes_on_as_if_it_had_not_been(tiny_base, tmp_path, monkeypatch):
    monkeypatch.setattr(grpo, "ROLLOUTS_PER_CHECKPOINT", 1)
    settings = SETTINGS.model_copy(update={"n_steps": 6, "updates_per_rollout": 2})
    whole, again = tmp_path / "whole", tmp_path / "again"
    whole.mkdir()
    again.mkdir()

    def train(reward, folder, checkpoints=None):
        base = Base(str(tiny_base))
        return grpo.train_policy(
            QUERIES, reward, base, settings, seed=0, folder=folder, checkpoints=checkpoints
        )

    expected = train(LetterCount(), whole)
    with pytest.raises(KeyboardInterrupt):
        train(StopsAt(2), again, tmp_path / "kept")
    asked_for = StopsAt(1)  # the third rollout, and none of those before
    curve = train(asked_for, again, tmp_path / "kept")
    pd.testing.assert_frame_equal(curve, expected)
    first, second = (load_file(x / "adapter_model.safetensors") for x in (whole, again))
    assert all(torch.equal(first[name], second[name]) for name in first)
    names = [p.name for p in sorted((again / "trainer" / "completions").iterdir())]
    assert names == [p.name for p in sorted((whole / "trainer" / "completions").iterdir())]
    cost, cost_again = (json.loads((x / "cost.json").read_text()) for x in (whole, again))
    assert cost_again["tokens"] == cost["tokens"]
    since = cost_again["tokens_per_second"] * cost_again["training_seconds"]
    assert 0 < since < cost["tokens"]  # what the killed process saw is not counted as speed


@pytest.mark.parametrize("precision", ["fp32", "auto"])
def test_a_policy_is_trained_in_the_precision_of_its_settings(
    monkeypatch, tmp_path, tiny_base, precision
):
    monkeypatch.setattr(grpo.devices, "cpu_has_bf16", lambda: True)
    settings = SETTINGS.model_copy(update={"precision": precision})
    seen = {}

    def train_and_save(trainer, *_, **__):
        layers = [m for m in trainer.model.modules() if isinstance(m, torch.nn.Linear)]
        seen["half"] = [isinstance(m.forward, cpu_layers._HalfLayer) for m in layers]
        seen["autocast"] = trainer.args.bf16

    monkeypatch.setattr(grpo.adapters, "train_and_save", train_and_save)
    base = Base(str(tiny_base))
    grpo.train_policy(QUERIES, LetterCount(), base, settings, seed=0, folder=tmp_path)
    assert any(seen["half"]) is (precision == "auto") and not seen["autocast"]
