"""Loading in 4-bit, the packing trap, LoRA, and the one render."""

from __future__ import annotations

import json
import re
import shutil

import bitsandbytes
import pytest
import torch
from peft import get_peft_model
from safetensors.torch import load_file, save_file
from transformers import (
    AutoModelForCausalLM,
    BertForSequenceClassification,
    BitsAndBytesConfig,
    BloomConfig,
    BloomForCausalLM,
    FalconConfig,
    FalconForCausalLM,
)

from wfine_utils.base_model import Base
from wfine_utils.errors import WfineError
from wfine_utils.models import adapters, devices, loading

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


def test_the_output_layer_gets_its_states_in_one_piece(tiny_base):
    base = Base(str(tiny_base))
    tokenizer = loading.load_tokenizer(base)
    model = loading.load_quantised(base, "causal", tokenizer=tokenizer)
    layer, seen = model.get_output_embeddings(), []
    forward = layer.forward
    layer.forward = lambda states: seen.append(states.is_contiguous()) or forward(states)
    ids = torch.tensor([[5, 6, 7], [8, 9, 10]])
    with torch.inference_mode():
        last = model(ids, logits_to_keep=1).logits
        whole = model(ids).logits
    assert seen == [True, True], "a slice is multiplied text by text, each with a copy of weights"
    torch.testing.assert_close(last, whole[:, -1:])


def test_4_bit_is_close_to_the_unquantised_model(tiny_base):
    tokenizer = loading.load_tokenizer(Base(str(tiny_base)))
    exact, rounded = (
        loading.load_quantised(Base(str(tiny_base)), "causal", tokenizer=tokenizer, quantise=q)
        for q in (False, True)
    )
    with torch.no_grad():
        a, b = (model(input_ids=IDS).logits for model in (exact, rounded))
    assert 0 < (a - b).abs().max() < 0.2 * a.abs().max()


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

    @pytest.mark.parametrize(
        ("file", "content"),
        [
            ("model.safetensors", b"cut short"),
            ("tokenizer.json", b"{}"),
            ("tokenizer.json", b"[1"),
            ("config.json", b'{"model_type": "qwen3", "num_hidden_layers": "two"}'),
            ("config.json", b'{"model_type": "phi3", "rope_scaling": {"type": "su"}}'),
            ("config.json", b"[]"),
        ],
    )
    def test_damaged_and_unknown_files_are_one_line(self, file, content, tiny_base, tmp_path):
        base = changed(tiny_base, tmp_path / "base")
        (tmp_path / "base" / file).write_bytes(content)
        with pytest.raises(WfineError, match=r"^base_model .*: cannot be loaded \(.+\)\. Give"):
            load(base, quantise=False)

    def test_templates_of_which_none_is_the_default(self, tiny_base, tmp_path):
        base = changed(tiny_base, tmp_path / "base")
        tokenizer = loading.load_tokenizer(base)
        template = tokenizer.chat_template
        tokenizer.chat_template = {"default": template, "rag": "x"}
        tokenizer.save_pretrained(base.model)
        digest = adapters._template_digest(loading.load_tokenizer(base))
        assert digest != adapters._template_digest(loading.load_tokenizer(Base(str(tiny_base))))
        tokenizer.chat_template = {"tool_use": template, "rag": "x"}
        shutil.rmtree(tmp_path / "base" / "additional_chat_templates")
        (tmp_path / "base" / "chat_template.jinja").unlink()
        tokenizer.save_pretrained(base.model)
        with pytest.raises(WfineError, match=r"chat templates (rag|tool_use), .* none called defa"):
            loading.load_tokenizer(base)

    def test_unknown_head(self, tiny_base):
        with pytest.raises(WfineError, match="head: found 'critic'"):
            loading.load_quantised(
                Base(str(tiny_base)),
                "critic",
                tokenizer=loading.load_tokenizer(Base(str(tiny_base))),
            )


def changed(source, target, *, drop: str = "", **config):
    """A copy of a model's folder without some weights, and with another configuration."""
    shutil.copytree(source, target)
    weights = load_file(target / "model.safetensors")
    kept = {name: w for name, w in weights.items() if not (drop and re.search(drop, name))}
    save_file(kept, target / "model.safetensors", metadata={"format": "pt"})
    record = json.loads((target / "config.json").read_text()) | config
    (target / "config.json").write_text(json.dumps(record))
    return Base(str(target))


def load(base, head="reward", **options):
    return loading.load_quantised(base, head, tokenizer=loading.load_tokenizer(base), **options)


class TestWeightsThatTheFileLacks:
    """Transformers fills in random ones, which nothing would train or save."""

    @pytest.mark.parametrize("quantise", [True, False])
    @pytest.mark.parametrize("head", ["reward", "causal"])
    def test_of_the_body_are_named(self, head, quantise, tiny_base, tmp_path):
        base = changed(tiny_base, tmp_path / "base", drop=r"layers\.1\.mlp\.up_proj")
        with pytest.raises(
            WfineError, match=r"weights model\.layers\.1\.mlp\.up_proj\.weight; exp"
        ):
            load(base, head, quantise=quantise)

    @pytest.mark.parametrize("quantise", [True, False])
    def test_a_bare_model_cannot_write(self, quantise, tiny_base, tmp_path):
        AutoModelForCausalLM.from_pretrained(tiny_base).model.save_pretrained(tmp_path / "bare")
        base = changed(tmp_path / "bare", tmp_path / "base", tie_word_embeddings=False)
        loading.load_tokenizer(Base(str(tiny_base))).save_pretrained(base.model)
        with pytest.raises(WfineError, match=r"weights lm_head\.weight; expected"):
            load(base, "causal", quantise=quantise)
        assert load(base, "reward", quantise=quantise).num_labels == 1

    @pytest.mark.parametrize("quantise", [True, False])
    def test_before_the_head_of_an_encoder_are_new_modules(self, quantise, tiny_encoder, tmp_path):
        whole, without = (
            Base(str(tiny_encoder)),
            changed(tiny_encoder, tmp_path / "a", drop="pooler"),
        )
        found = [
            loading.new_modules(
                base, "reward", loading.load_tokenizer(base), quantise=quantise
            ) for base in (whole, without)
        ]  # fmt: skip
        assert found == [["classifier"], ["bert.pooler", "classifier"]]
        pooler = load(without, quantise=quantise).bert.pooler.dense
        assert type(pooler) is torch.nn.Linear and pooler.weight.dtype == torch.float32

    @pytest.mark.parametrize("quantise", [True, False])
    def test_a_head_of_another_size_is_new(self, quantise, tiny_encoder, tmp_path):
        BertForSequenceClassification.from_pretrained(tiny_encoder, num_labels=3).save_pretrained(
            tmp_path
        )
        loading.load_tokenizer(Base(str(tiny_encoder))).save_pretrained(tmp_path)
        assert load(Base(str(tmp_path)), quantise=quantise).classifier.out_features == 1

    def test_looking_for_them_moves_no_seed(self, tiny_base):
        base = Base(str(tiny_base))
        tokenizer = loading.load_tokenizer(base)
        torch.manual_seed(3)
        expected = torch.get_rng_state()
        loading.new_modules(base, "reward", tokenizer, quantise=True)
        assert torch.equal(torch.get_rng_state(), expected)


class TestKindsOfModel:
    def test_attention_falls_back_where_there_is_no_sdpa(self, tiny_base, tmp_path):
        tokenizer = loading.load_tokenizer(Base(str(tiny_base)))
        config = BloomConfig(vocab_size=512, hidden_size=64, n_layer=1, n_head=2, pad_token_id=0)
        BloomForCausalLM(config).save_pretrained(tmp_path)
        tokenizer.save_pretrained(tmp_path)
        for head in ("reward", "causal"):
            model = load(Base(str(tmp_path)), head, quantise=False)
            assert model.config._attn_implementation == "eager"
        assert load(Base(str(tiny_base))).config._attn_implementation == "sdpa"

    @pytest.mark.parametrize(
        ("changes", "words"),
        [
            ({"model_type": "mamba"}, "type mamba, for which transformers has no sequence class"),
            ({"model_type": "t5"}, r"an encoder with a decoder \(t5\), expected one of the two"),
        ],
    )
    def test_that_cannot_give_a_reward_are_refused(self, changes, words, tiny_base, tmp_path):
        base = changed(tiny_base, tmp_path / "base")
        (tmp_path / "base" / "config.json").write_text(json.dumps(changes))
        with pytest.raises(WfineError, match=words):
            load(base)

    def test_a_language_model_with_a_mask_token_needs_a_template(self, tiny_base, tmp_path):
        base = changed(tiny_base, tmp_path / "base")
        tokenizer = loading.load_tokenizer(base)
        tokenizer.mask_token, tokenizer.chat_template = "<|pad|>", None
        with pytest.raises(WfineError, match="no chat template"):
            loading.load_quantised(base, "reward", tokenizer=tokenizer)

    def test_layers_that_cannot_be_quantised(self, tiny_base, tmp_path):
        tokenizer = loading.load_tokenizer(Base(str(tiny_base)))
        size = {"hidden_size": 64, "num_hidden_layers": 1, "num_attention_heads": 2}
        FalconForCausalLM(FalconConfig(vocab_size=512, **size)).save_pretrained(tmp_path)
        tokenizer.save_pretrained(tmp_path)
        with pytest.raises(
            WfineError, match=r"0% of the weights in Falcon.* can be quantised, and quantise"
        ):
            load(Base(str(tmp_path)))
        assert load(Base(str(tmp_path)), quantise=False).num_labels == 1


class TestQuantisedBefore:
    """A folder that was saved in 4-bit is loaded in 4-bit, whatever is asked for."""

    @staticmethod
    def saved(tiny_base, folder, skip=None, **options):
        config = BitsAndBytesConfig(load_in_4bit=True, llm_int8_skip_modules=skip, **options)
        model = AutoModelForCausalLM.from_pretrained(
            tiny_base, quantization_config=config, device_map={"": "cpu"}
        )
        for module in model.modules():
            if isinstance(module, bitsandbytes.nn.Linear4bit):
                module.support_avx512bf16_for_cpu = False
        model.save_pretrained(folder)
        loading.load_tokenizer(Base(str(tiny_base))).save_pretrained(folder)
        return Base(str(folder))

    @pytest.mark.parametrize("skip", [None, ["lm_head"], ["lm_head", "down_proj"]])
    def test_in_nf4_is_what_quantise_asks_for(self, skip, tiny_base, tmp_path):
        base = self.saved(tiny_base, tmp_path, skip, bnb_4bit_quant_type="nf4",
                          bnb_4bit_use_double_quant=True)  # fmt: skip
        model = load(base)
        assert type(model.score) is torch.nn.Linear
        layers = [m for m in model.modules() if isinstance(m, bitsandbytes.nn.Linear4bit)]
        assert len(layers) == 2 * (6 if skip and skip[1:] else 7)
        assert {layer.compute_dtype for layer in layers} == {devices.compute_dtype()}
        if not (skip and skip[1:]):
            asked, expected = (load(x, "causal")(input_ids=IDS).logits
                               for x in (base, Base(str(tiny_base))))  # fmt: skip
            torch.testing.assert_close(asked, expected, rtol=0, atol=1e-4)

    @pytest.mark.parametrize(
        ("kind", "quantise", "words"),
        [
            ("nf4", False, r"quantised \(nf4\) and quantise False; .* Set quantise to True"),
            ("fp4", False, r"\(fp4\) and quantise False; expected no quantisation.* Give the unqu"),
            ("fp4", True, r"quantised \(fp4\) and quantise True; expected NF4"),
        ],
    )
    @pytest.mark.parametrize("head", ["reward", "causal"])
    def test_in_another_way_is_refused(self, head, kind, quantise, words, tiny_base, tmp_path):
        base = self.saved(tiny_base, tmp_path, bnb_4bit_quant_type=kind)
        with pytest.raises(WfineError, match=words):
            load(base, head, quantise=quantise)

    @pytest.mark.parametrize("quantise", [True, False])
    @pytest.mark.parametrize("record", [
        {"quant_method": "bitsandbytes", "load_in_8bit": True}, {"quant_method": "gptq", "bits": 4}
    ])  # fmt: skip
    def test_by_another_method_is_refused(self, record, quantise, tiny_base, tmp_path):
        base = changed(tiny_base, tmp_path / "base", quantization_config=record)
        with pytest.raises(WfineError, match=r"saved quantised \((bitsandbytes|gptq)\)"):
            load(base, quantise=quantise)
