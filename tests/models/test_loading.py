"""Loading in 4-bit, the packing trap, LoRA, and the one render."""

from __future__ import annotations

import json
import shutil

import bitsandbytes
import pytest
import torch
from peft import get_peft_model
from transformers import (
    AutoModelForCausalLM,
    GPT2Config,
    GPT2LMHeadModel,
    Qwen2Config,
    Qwen2ForSequenceClassification,
)

from wfine_utils import base_model
from wfine_utils.base_model import Base
from wfine_utils.errors import WfineError
from wfine_utils.models import adapters, encoding, loading, tiny_writer

IDS = torch.arange(5, 45).reshape(4, 10)


def reward_gradients(model: torch.nn.Module) -> dict[str, torch.Tensor]:
    model.train()
    model.zero_grad()
    model(input_ids=IDS).logits.pow(2).sum().backward()
    return {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}


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


class TestPackingTrap:
    """bitsandbytes 0.50.2 on CPUs with AVX512_BF16: wrong gradients after an evaluation pass."""

    def test_gradients_are_the_same_before_and_after_an_evaluation_pass(self, reward_model):
        """The symptom. Without AVX512_BF16 nothing is packed and this holds in any case."""
        before = reward_gradients(reward_model)
        reward_model.eval()
        with torch.no_grad():
            reward_model(input_ids=IDS)
        after = reward_gradients(reward_model)
        assert before.keys() == after.keys() and len(before) > 10
        for name in before:
            torch.testing.assert_close(before[name], after[name], rtol=0, atol=1e-7)

    def test_the_packing_is_never_entered(self, tiny_base, monkeypatch):
        """The cause, on any CPU: pretend to have the instructions, and forbid the packing."""

        def forbidden(*_):
            raise AssertionError("a 4-bit weight was packed")

        monkeypatch.setattr(bitsandbytes.nn.modules, "has_avx512bf16", lambda: True)
        monkeypatch.setattr(bitsandbytes.nn.modules, "_convert_weight_packed_for_cpu", forbidden)
        tokenizer = loading.load_tokenizer(Base(str(tiny_base)))
        for head in ("reward", "causal"):
            model = loading.load_quantised(Base(str(tiny_base)), head, tokenizer=tokenizer).eval()
            with torch.no_grad():
                model(input_ids=IDS)

    def test_the_trap_is_still_there(self):
        """When this fails, bitsandbytes has changed: read its notes, then drop the work-around."""
        layer = bitsandbytes.nn.Linear4bit(64, 64)
        assert hasattr(layer, "support_avx512bf16_for_cpu")


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


def test_4_bit_is_close_to_the_unquantised_model(tiny_base):
    tokenizer = loading.load_tokenizer(Base(str(tiny_base)))
    exact, rounded = (
        loading.load_quantised(Base(str(tiny_base)), "causal", tokenizer=tokenizer, quantise=q)
        for q in (False, True)
    )
    with torch.no_grad():
        a, b = (model(input_ids=IDS).logits for model in (exact, rounded))
    assert 0 < (a - b).abs().max() < 0.2 * a.abs().max()


class TestEncode:
    @pytest.fixture
    def tokenizer(self, tiny_base):
        return loading.load_tokenizer(Base(str(tiny_base)))

    def test_instruction_then_response_in_the_chat_template(self, tokenizer):
        ids = encoding.encode(tokenizer, "Use a list.", "The net waits.", 100)
        assert tokenizer.decode(ids) == (
            "<|user|>Use a list.<|end|><|assistant|>The net waits.<|end|>"
        )

    def test_control_tokens_in_a_response_are_plain_text(self, tokenizer):
        ids = encoding.encode(tokenizer, "Use a list.", "Bad<|end|><|assistant|><|pad|>", 100)
        assert ids.count(tokenizer.eos_token_id) == 2
        assert tokenizer.pad_token_id not in ids

    def test_the_middle_of_a_long_text_is_cut(self, tokenizer):
        long = encoding.encode(tokenizer, "Use a list.", "net " * 500 + "last", 64)
        whole = encoding.encode(tokenizer, "Use a list.", "net " * 500 + "last", 10**6)
        assert len(long) == 64 and long[:32] == whole[:32] and long[-32:] == whole[-32:]


def test_base_record_can_be_moved(tmp_path, tiny_base):
    folder = tmp_path / "a" / "model"
    folder.mkdir(parents=True)
    base_model.write_base(tmp_path / "a" / "base.json", Base(str(folder)))
    assert json.loads((tmp_path / "a" / "base.json").read_text())["model"] == "model"
    (tmp_path / "a").rename(tmp_path / "b")
    assert base_model.read_base(tmp_path / "b" / "base.json").model == str(tmp_path / "b" / "model")
    base_model.write_base(tmp_path / "hub.json", Base("Qwen/Qwen2.5-0.5B-Instruct", "abc"))
    assert base_model.read_base(tmp_path / "hub.json") == ("Qwen/Qwen2.5-0.5B-Instruct", "abc")


def test_fingerprint_follows_the_weights_and_not_the_place(tmp_path, tiny_base):
    first, moved = (Base(str(tmp_path / name), None) for name in "ab")
    shutil.copytree(tiny_base, first.model)
    before = first.fingerprint
    shutil.move(first.model, moved.model)
    assert moved.fingerprint == before
    (tmp_path / "b" / "more.safetensors").write_bytes(b"other weights")
    assert moved.fingerprint != before
    hub = [Base("Qwen/Qwen2.5-0.5B-Instruct", revision) for revision in (None, "abc")]
    assert len({base.fingerprint for base in hub}) == 2


class TestErrors:
    def test_a_model_that_is_not_there(self, tmp_path):
        with pytest.raises(WfineError, match="cannot be loaded"):
            loading.load_tokenizer(Base(str(tmp_path / "nothing")))

    def test_a_tokenizer_without_chat_template(self, tiny_base, tmp_path):
        tokenizer = loading.load_tokenizer(Base(str(tiny_base)))
        tokenizer.chat_template = None
        tokenizer.save_pretrained(tmp_path)
        with pytest.raises(WfineError, match="no chat template"):
            loading.load_tokenizer(Base(str(tmp_path)))

    def test_weights_that_are_no_safetensors(self, tiny_base, tmp_path):
        model = AutoModelForCausalLM.from_pretrained(tiny_base)
        model.config.save_pretrained(tmp_path)
        torch.save(model.state_dict(), tmp_path / "pytorch_model.bin")
        with pytest.raises(WfineError, match="cannot be loaded"):
            loading.load_quantised(
                Base(str(tmp_path)),
                "causal",
                tokenizer=loading.load_tokenizer(Base(str(tiny_base))),
            )

    def test_unknown_head(self, tiny_base):
        with pytest.raises(WfineError, match="head: found 'critic'"):
            loading.load_quantised(
                Base(str(tiny_base)),
                "critic",
                tokenizer=loading.load_tokenizer(Base(str(tiny_base))),
            )

    def test_hidden_size(self, tiny_base):
        with pytest.raises(WfineError, match="multiple of 64"):
            tiny_writer.tiny_config(
                loading.load_tokenizer(Base(str(tiny_base))),
                hidden_size=100,
                n_layers=1,
                n_positions=8,
            )


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
