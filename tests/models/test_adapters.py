"""What is trained on a frozen base, in which precision, and in which batches."""

from __future__ import annotations

from types import SimpleNamespace

import bitsandbytes
import pytest
import torch
from peft import get_peft_model
from transformers import GPT2Config, GPT2LMHeadModel, Qwen2Config, Qwen2ForSequenceClassification

from wfine_utils.base_model import Base
from wfine_utils.errors import WfineError
from wfine_utils.models import adapters, devices, loading


@pytest.fixture
def reward_model(tiny_base):
    torch.manual_seed(0)
    tokenizer = loading.load_tokenizer(Base(str(tiny_base)))
    base = loading.load_quantised(Base(str(tiny_base)), "reward", tokenizer=tokenizer)
    model = get_peft_model(base, adapters.lora_config("reward", r=4, alpha=8))
    for name, parameter in model.named_parameters():
        if "lora_B" in name:  # they start at 0, where the gradient of lora_A vanishes
            torch.nn.init.normal_(parameter, std=0.1)
    return model


def test_what_is_quantised_and_what_is_trained(reward_model):
    linear = [m for m in reward_model.modules() if isinstance(m, bitsandbytes.nn.Linear4bit)]
    assert len(linear) == 2 * 7
    assert {m.weight.quant_state.quant_type for m in linear} == {"nf4"}
    assert all(m.weight.quant_state.nested for m in linear)  # double quantisation
    trained = {name for name, p in reward_model.named_parameters() if p.requires_grad}
    assert all("lora_" in name or "score.modules_to_save" in name for name in trained)
    assert sum("score" in name for name in trained) == 1


def test_adapters_can_be_kept_in_fp32(reward_model):
    for p in reward_model.parameters():
        if p.requires_grad:
            p.data = p.data.bfloat16()
    adapters.trainable_to_fp32(reward_model)
    assert {p.dtype for p in reward_model.parameters() if p.requires_grad} == {torch.float32}


class TestLowerLayers:
    @pytest.mark.parametrize(
        ("adapted", "lower"),
        [(1.0, None), (0.9, None), (0.5, "0|1"), (0.2, "0|1|2"), (0.01, "0|1|2")],
    )
    def test_are_those_below_the_share(self, adapted, lower):
        config = Qwen2Config(
            vocab_size=8, hidden_size=8, intermediate_size=8, num_hidden_layers=4,
            num_attention_heads=1, num_key_value_heads=1, pad_token_id=0,
        )  # fmt: skip
        pattern = adapters.lower_layers(Qwen2ForSequenceClassification(config), adapted)
        assert pattern == (lower and rf".*\.layers?\.({lower})\..*")

    def test_of_a_model_that_calls_them_otherwise_are_refused(self):
        model = GPT2LMHeadModel(GPT2Config(vocab_size=8, n_embd=8, n_layer=2, n_head=1))
        with pytest.raises(WfineError, match=r"adapted_layers: found 0\.5.*Expected 1\.0"):
            adapters.lower_layers(model, 0.5)


@pytest.fixture
def processes(monkeypatch):
    """Sets the number of processes."""

    def set_number(n: int) -> None:
        monkeypatch.setattr(devices, "processes", lambda: SimpleNamespace(num_processes=n))

    return set_number


@pytest.mark.parametrize(
    ("n", "batch_size", "micro_batch_size", "expected"),
    [
        (1, 8, 8, (8, 1)), (1, 16, 4, (4, 4)), (2, 8, 8, (4, 1)), (2, 16, 4, (4, 2)),
        (4, 96, 8, (8, 3)), (8, 8, 8, (1, 1)),
    ],
)  # fmt: skip
def test_the_batch_is_that_of_all_processes(processes, n, batch_size, micro_batch_size, expected):
    processes(n)
    micro, n_forward = adapters.share_of_batch(batch_size, micro_batch_size, "here")
    assert (micro, n_forward) == expected
    assert micro * n_forward * n == batch_size


@pytest.mark.parametrize(
    ("n", "batch_size", "micro_batch_size"), [(3, 8, 8), (16, 8, 8), (2, 12, 4), (1, 16, 6)]
)
def test_a_batch_that_does_not_divide(processes, n, batch_size, micro_batch_size):
    processes(n)
    with pytest.raises(WfineError, match=rf"^here: a batch of {batch_size}, .* {n} process"):
        adapters.share_of_batch(batch_size, micro_batch_size, "here")
