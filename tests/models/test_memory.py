"""The estimate of GPU memory: exact where it can be, and on the side of too much elsewhere."""

from __future__ import annotations

import json
from functools import partial

import pytest
import torch
from peft import get_peft_model
from transformers import (
    AutoModelForCausalLM,
    LlamaConfig,
    MistralConfig,
    PreTrainedConfig,
    Qwen2Config,
    Qwen3Config,
)

from wfine_utils.base_model import Base
from wfine_utils.errors import WfineError
from wfine_utils.models import adapters, loading, memory
from wfine_utils.settings import PolicySettings, RewardSettings
from wfine_workflow import presets

# hidden, inner, layers, heads, key-value heads, vocabulary, tied; and the number of parameters, as
# the model cards of Qwen2.5-Instruct and the models' configurations give them
RELEASED = {
    "qwen0.5b": ((896, 4864, 24, 14, 2, 151_936, True), 494_032_768),
    "qwen1.5b": ((1536, 8960, 28, 12, 2, 151_936, True), 1_543_714_304),
    "qwen7b": ((3584, 18_944, 28, 28, 4, 152_064, False), 7_615_616_512),
}
NAMES = (
    "hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads",
    "num_key_value_heads", "vocab_size", "tie_word_embeddings",
)  # fmt: skip
SMALL = dict(zip(NAMES, (128, 192, 2, 4, 2, 512, False), strict=True))


def released(preset: str) -> Qwen2Config:
    return Qwen2Config(**dict(zip(NAMES, RELEASED[preset][0], strict=True)))


def of_preset(preset: str) -> tuple[RewardSettings, PolicySettings]:
    checked = presets.load_preset(preset)
    return checked["03_reward_model"], checked["04_wrl_policy"]  # type: ignore[return-value]


@pytest.mark.parametrize("preset", RELEASED)
def test_parameters_of_the_released_models(preset):
    assert memory.Decoder(released(preset)).n_parameters == RELEASED[preset][1]


@pytest.mark.parametrize(
    "config",
    [
        Qwen2Config(**SMALL),
        Qwen2Config(**SMALL | {"tie_word_embeddings": True}),
        Qwen3Config(**SMALL, head_dim=64),
        LlamaConfig(**SMALL, attention_bias=True, mlp_bias=True),
        MistralConfig(**SMALL, head_dim=32),
    ],
    ids=lambda config: f"{config.model_type}-{config.tie_word_embeddings}",
)
def test_parameters_are_those_of_the_model(config):
    model = AutoModelForCausalLM.from_config(config)
    assert config.model_type in memory.DECODERS
    assert memory.Decoder(config).n_parameters == model.num_parameters()


@pytest.fixture(scope="module")
def folder(tiny_base, tmp_path_factory):
    """A Qwen2 model on disk, an output layer of its own, with the tiny tokenizer's vocabulary."""
    made = tmp_path_factory.mktemp("qwen2")
    tokenizer = loading.load_tokenizer(Base(str(tiny_base)))
    config = Qwen2Config(**SMALL | {"vocab_size": len(tokenizer)})
    AutoModelForCausalLM.from_config(config).save_pretrained(made)
    tokenizer.save_pretrained(made)
    return made


def bytes_of(model: torch.nn.Module) -> int:
    """What a model holds: parameters, and what bitsandbytes keeps beside a 4-bit weight."""
    total = 0
    for parameter in model.parameters():
        total += parameter.numel() * parameter.element_size()
        if state := getattr(parameter, "quant_state", None):
            kept = (state.absmax, state.code, state.offset, state.state2.absmax, state.state2.code)
            total += sum(tensor.numel() * tensor.element_size() for tensor in kept)
    return total


@pytest.mark.parametrize("head", ["reward", "causal"])
@pytest.mark.parametrize("quantise", [True, False])
def test_weights_of_a_real_model(folder, head, quantise):
    model = loading.load_quantised(
        Base(str(folder)),
        head,
        tokenizer=loading.load_tokenizer(Base(str(folder))),
        quantise=quantise,
    )
    expected = memory.Decoder(model.config).weight_bytes(head, quantise=quantise, unquantised=4)
    assert bytes_of(model) == pytest.approx(expected, rel=0.01)


@pytest.mark.parametrize("head", ["reward", "causal"])
def test_adapters_are_counted_exactly(folder, head):
    model = loading.load_quantised(
        Base(str(folder)), head, tokenizer=loading.load_tokenizer(Base(str(folder)))
    )
    adapted = get_peft_model(model, adapters.lora_config(head, r=8, alpha=16))
    trained = sum(p.numel() for p in adapted.parameters() if p.requires_grad)
    assert memory.Decoder(model.config).lora_parameters(head, 8) == trained


class TestGoals:
    """By the estimate: none of this was run on a GPU."""

    def test_reward_training_of_7b_on_two_texts_of_2048_tokens_within_16_gb(self):
        settings = of_preset("qwen7b")[0].model_copy(
            update={"micro_batch_size": 1, "max_tokens": 2048}
        )
        estimate = memory.estimate_reward_training(released("qwen7b"), settings)
        assert estimate.total * memory.GIB < 16e9

    def test_grpo_of_7b_on_8_completions_of_1024_tokens_within_24_gb(self):
        update = {"prompts_per_rollout": 1, "num_generations": 8, "max_new_tokens": 1024}
        settings = of_preset("qwen7b")[1].model_copy(update=update)
        estimate = memory.estimate_grpo(released("qwen7b"), settings, prompt_tokens=512)
        assert estimate.total * memory.GIB < 24e9

    @pytest.mark.parametrize("preset", RELEASED)
    def test_every_gpu_preset_fits_the_gpu_that_it_asks_for(self, preset):
        reward, policy = of_preset(preset)
        needed = presets.preset_choice(preset).needs_gpu_gib
        config = released(preset)
        assert memory.estimate_reward_training(config, reward).total < needed
        assert memory.estimate_grpo(config, policy, prompt_tokens=256).total < needed


class TestEstimate:
    def test_only_the_largest_phase_counts(self):
        parts = {"weights": 1.0, "adapters": 2.0, "reward_model": 0.0, "overhead": 1.0}
        estimate = memory.Estimate(**parts, activations=1.0, logits=1.0, generation=3.0)
        assert estimate.total == pytest.approx(4 + 3 * memory.FRAGMENTS)
        assert estimate.line().startswith("7.4 GiB in all: weights 1.00, adapters 2.00")
        assert "scoring" not in estimate.line()

    @pytest.mark.parametrize(
        ("part", "update"),
        [
            ("activations", {"micro_batch_size": 8}),
            ("generation", {"prompts_per_rollout": 32}),
            ("generation", {"max_new_tokens": 2048}),
            ("adapters", {"lora_r": 64}),
            ("weights", {"quantise": False}),
        ],
    )
    def test_more_of_anything_needs_more(self, part, update):
        settings = of_preset("qwen7b")[1]
        before, after = (
            getattr(memory.estimate_grpo(released("qwen7b"), s), part)
            for s in (settings, settings.model_copy(update=update))
        )
        assert after > before

    def test_texts_shorter_than_the_limit_need_less(self):
        settings = of_preset("qwen7b")[0]
        whole, short = (
            memory.estimate_reward_training(released("qwen7b"), settings, longest=n).total
            for n in (None, 100)
        )
        assert short < whole


def meter(label: str = "reward model") -> memory.Meter:
    settings = of_preset("qwen7b")[0]
    estimate = partial(memory.estimate_reward_training, settings=settings)
    return memory.Meter(released("qwen7b"), estimate, label, "Lower x")


@pytest.mark.parametrize("free", [22.0, None])
def test_enough_memory_or_a_cpu(free, monkeypatch):
    monkeypatch.setattr(memory, "gpu_gib", lambda: free)
    assert 8 < meter().estimate.total < 22


def test_too_little_memory_is_refused_with_advice(monkeypatch):
    monkeypatch.setattr(memory, "gpu_gib", lambda: 8.0)
    with pytest.raises(
        WfineError, match=r"found 8\.0 GiB .*expected at least .*Lower x.*qwen0\.5b"
    ):
        meter()


def test_a_kind_of_model_without_formulas_is_not_estimated(monkeypatch):
    monkeypatch.setattr(memory, "gpu_gib", lambda: 0.5)
    unknown = memory.Meter(PreTrainedConfig(), lambda config: 1 / 0, "policy", "")
    assert unknown.estimate is None


def test_cost_is_written_whole(tmp_path):
    measured = meter()
    with measured.training():
        pass
    measured.write(tmp_path, tokens=1000)
    cost = json.loads((tmp_path / memory.COST).read_text())
    assert cost["estimate_gib"]["total"] > cost["estimate_gib"]["weights"] > 4
    assert cost["tokens"] == 1000 and cost["tokens_per_second"] > 0 and cost["peak_gib"] > 0
    assert 0 < cost["training_seconds"] < cost["seconds"]
    assert ("no GPU" in cost["peak_of"]) == (not torch.cuda.is_available())


def test_speed_is_that_of_the_tokens_since_the_training_went_on(tmp_path, monkeypatch):
    clock = iter([0.0, 10.0, 14.0, 20.0])  # made; training from, to; written
    monkeypatch.setattr(memory.time, "monotonic", lambda: next(clock))
    measured = meter()
    with measured.training():
        pass
    measured.write(tmp_path, tokens=1000, earlier=600)
    cost = json.loads((tmp_path / memory.COST).read_text())
    assert cost["seconds"] == 20 and cost["training_seconds"] == 4
    assert cost["tokens"] == 1000 and cost["tokens_per_second"] == 100
