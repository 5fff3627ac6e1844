"""Every argument that we pass to TRL, PEFT, bitsandbytes and transformers, they must still take.

They rename and drop arguments without notice, and some swallow what they do not know. What we
pass is read from our own source and from our own configuration builders, so that no list here
can be forgotten.
"""

from __future__ import annotations

import ast
import dataclasses
import importlib
import inspect
import warnings
from collections.abc import Iterator

import bitsandbytes
import pytest
import torch
from conftest import ROOT
from peft import LoraConfig
from transformers import BitsAndBytesConfig, PreTrainedTokenizerFast, TrainingArguments
from trl import GRPOConfig, RewardConfig, RewardTrainer

from wfine_utils.base_model import Base
from wfine_utils.chains.pairs import PreferencePair
from wfine_utils.chains.taxonomy import RequirementType
from wfine_utils.models import adapters, devices, loading
from wfine_utils.policy import grpo
from wfine_utils.rewards import training
from wfine_utils.settings import RewardSettings
from wfine_workflow import presets

PACKAGE = ROOT / "wfine_utils"
LIBRARIES = ("trl", "peft", "bitsandbytes", "transformers")


def calls() -> Iterator[tuple[str, object, list[str]]]:
    """(where, what is called, keywords) of every call of something imported from a library."""
    for path in sorted(PACKAGE.rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        names = {
            alias.asname or alias.name: getattr(importlib.import_module(node.module), alias.name)
            for node in ast.walk(tree)
            if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in LIBRARIES
            for alias in node.names
        }
        for node in ast.walk(tree):
            if not isinstance(node, ast.Call):
                continue
            first, *rest = ast.unparse(node.func).split(".")
            if first not in names or not all(part.isidentifier() for part in rest):
                continue
            called = names[first]
            for part in rest:
                called = getattr(called, part)  # an AttributeError here is drift too
            keywords = [k.arg for k in node.keywords if k.arg]
            where = f"{path.relative_to(PACKAGE)}:{node.lineno} {ast.unparse(node.func)}"
            yield where, called, keywords


CALLS = list(calls())


def test_the_calls_that_matter_are_among_those_found():
    found = {where.split()[1] for where, _, _ in CALLS}
    assert {
        "RewardConfig", "GRPOConfig", "LoraConfig", "BitsAndBytesConfig",
        "PeftModel.from_pretrained", "TrainingArguments",
    } <= found  # fmt: skip


@pytest.mark.parametrize(("called", "keywords"), [c[1:] for c in CALLS], ids=[c[0] for c in CALLS])
def test_keywords_are_still_taken(called, keywords):
    parameters = inspect.signature(called).parameters
    open_ended = any(p.kind is p.VAR_KEYWORD for p in parameters.values())
    forwarded = FORWARDED.get(called.__name__, set()) if open_ended else set()
    assert [name for name in keywords if name not in parameters and name not in forwarded] == []


# Those that take any keyword and hand it on: what they do with ours is tested on a model.
FORWARDED = {
    "from_pretrained": {"dtype", "gguf_file", "trust_remote_code"},
    PreTrainedTokenizerFast.__name__: {
        "tokenizer_object", "pad_token", "eos_token", "additional_special_tokens",
        "chat_template", "padding_side",
    },
    "from_config": {"dtype"},
}  # fmt: skip


def built(builder, target: type, monkeypatch, module) -> tuple[object, dict]:
    """What one of our builders makes, and the keywords that it passed."""
    passed: dict = {}

    def recorder(*args, **kwargs):
        assert not args, "configurations are made by keyword"
        passed.update(kwargs)
        return target(**kwargs)

    monkeypatch.setattr(module, target.__name__, recorder)
    return builder(), passed


SETTINGS = presets.load_preset("qwen7b")
REWARD, POLICY = SETTINGS["03_reward_model"], SETTINGS["04_wrl_policy"]


@pytest.fixture
def configs(monkeypatch, tmp_path):
    """Every configuration object of ours, with the keywords that went into it."""
    return [
        built(
            lambda: training.reward_config(REWARD, tmp_path, seed=3, n_steps=40),
            RewardConfig, monkeypatch, training,
        ),
        built(
            lambda: grpo.grpo_config(POLICY, tmp_path, seed=3), GRPOConfig, monkeypatch, grpo
        ),
        built(
            lambda: adapters.lora_config("causal", r=4, alpha=8), LoraConfig, monkeypatch, adapters
        ),
        built(loading.nf4_config, BitsAndBytesConfig, monkeypatch, loading),
    ]  # fmt: skip


def test_values_arrive_as_they_were_passed(configs):
    """A keyword that is taken and then replaced or ignored would not show in a signature."""
    for config, passed in configs:
        taken = inspect.signature(type(config)).parameters
        for name, value in passed.items():
            assert name in taken, f"{type(config).__name__}: {name}"
            if name == "use_cpu" or (name == "target_modules" and value == "all-linear"):
                continue  # the latter becomes a list of names when a model is known
            found = getattr(config, name)
            assert found == value, f"{type(config).__name__}.{name}: {found!r}, not {value!r}"
        assert len(passed) >= 5


@pytest.mark.parametrize("config", [RewardConfig, GRPOConfig, TrainingArguments, LoraConfig])
def test_configurations_refuse_what_they_do_not_know(config):
    """Else a dropped argument would go unnoticed, and the tests above would prove less."""
    with pytest.raises(TypeError, match="max_prompt_length_of_old"):
        config(max_prompt_length_of_old=1)


def test_no_argument_of_ours_is_deprecated(tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("error", FutureWarning)
        warnings.simplefilter("error", DeprecationWarning)
        training.reward_config(REWARD, tmp_path, seed=0, n_steps=40)
        grpo.grpo_config(POLICY, tmp_path, seed=0)
        adapters.lora_config("reward", r=4, alpha=8)
        loading.nf4_config()


class TestMeaning:
    """Settings whose meaning, and not only whose name, our results rest on."""

    def test_released_settings_of_grpo(self, tmp_path):
        config = grpo.grpo_config(POLICY, tmp_path, seed=0)
        assert (config.num_generations, config.beta, config.temperature) == (5, 0.01, 1.0)
        assert not config.use_bias_correction_kl  # the trainer's k3 is tested in test_policy
        assert config.generation_batch_size == 16 * 5
        per_update = config.per_device_train_batch_size * config.gradient_accumulation_steps
        assert config.generation_batch_size == 4 * per_update  # four updates per rollout
        assert config.num_iterations == 1  # each completion is used once
        assert config.steps_per_generation == 4 * config.gradient_accumulation_steps

    def test_defaults_that_we_set_because_they_are_others(self):
        fields = {f.name: f.default for f in dataclasses.fields(GRPOConfig)}
        assert fields["beta"] == 0.0 and fields["use_bias_correction_kl"] is True
        assert inspect.signature(BitsAndBytesConfig).parameters["bnb_4bit_quant_type"].default == (
            "fp4"
        )
        assert {f.name: f.default for f in dataclasses.fields(RewardConfig)}["max_length"] == 1024

    def test_nf4_with_double_quantisation(self):
        config = loading.nf4_config()
        assert config.quantization_method() == "nf4"
        assert config.bnb_4bit_use_double_quant
        assert config.bnb_4bit_compute_dtype == devices.compute_dtype()
        layer = bitsandbytes.nn.Linear4bit(64, 64, quant_type="nf4", compute_dtype=torch.float32)
        assert hasattr(layer, "support_avx512bf16_for_cpu")

    def test_lora_trains_the_head_of_a_reward_model_and_no_dropout(self):
        config = adapters.lora_config("reward", r=4, alpha=8)
        assert config.task_type == "SEQ_CLS" and config.lora_dropout == 0.0
        assert config.target_modules == "all-linear"

    def test_what_a_model_is_loaded_with(self, tiny_base):
        tokenizer = loading.load_tokenizer(Base(str(tiny_base)))
        model = loading.load_quantised(Base(str(tiny_base)), "reward", tokenizer=tokenizer)
        assert model.config.num_labels == 1
        assert model.config.pad_token_id == tokenizer.pad_token_id
        assert model.config._attn_implementation == "sdpa"
        assert model.dtype == devices.compute_dtype() and model.device.type == devices.device()
        assert model.config.quantization_config.quantization_method() == "nf4"


class Stop(Exception):
    """Raised in the place of a trainer, when its arguments are known."""


def test_arguments_of_the_trainer_of_reward_models(tiny_base, tmp_path, monkeypatch):
    """It is called by another name, so the search above does not see it."""
    passed: dict = {}

    def recorder(**kwargs):
        passed.update(kwargs)
        raise Stop

    monkeypatch.setattr(training, "PairTrainer", recorder)
    pair = PreferencePair("a", "b", RequirementType.FORMAT, "Use a list.", "- One.", "One.", 1)
    small = {"batch_size": 2, "micro_batch_size": 2, "max_tokens": 64, "lora_r": 4}
    settings = RewardSettings(
        **REWARD.model_copy(update=small).model_dump(include=set(RewardSettings.model_fields))
    )
    with pytest.raises(Stop):
        training.train_reward_model(
            [pair] * 2, [pair], Base(str(tiny_base)), settings,
            granularity="prompt", seed=0, folder=tmp_path,
        )  # fmt: skip
    del passed["pair_loss"], passed["share_parts"]  # ours
    taken = inspect.signature(RewardTrainer.__init__).parameters
    assert len(passed) >= 6 and passed.keys() <= taken.keys()
    assert not any(p.kind is p.VAR_KEYWORD for p in taken.values())
