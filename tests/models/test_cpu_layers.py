"""Layers with adapters that compute in fewer passes: the same numbers, the same gradients."""

from __future__ import annotations

import copy

import pytest
import torch
from peft import LoraConfig, get_peft_model
from peft.tuners.lora import LoraLayer

from wfine_utils.base_model import Base
from wfine_utils.models import adapters, cpu_layers, loading

IDS = torch.arange(48).reshape(3, 16) * 5 % 300 + 4


def adapted(folder, *, quantise, **options):
    """A model whose adapters are not 0, as PEFT computes it."""
    base = Base(str(folder))
    tokenizer = loading.load_tokenizer(base)
    model = loading.load_quantised(base, "causal", tokenizer=tokenizer, quantise=quantise)
    config = adapters.lora_config("causal", r=4, alpha=12)
    model = get_peft_model(model, config if not options else LoraConfig(**options))
    adapters.trainable_to_fp32(model)
    torch.manual_seed(0)
    for name, parameter in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(parameter, std=0.1)
    return model


def gradients(model):
    model.zero_grad()
    model(IDS).logits.square().mean().backward()
    return {name: p.grad.clone() for name, p in model.named_parameters() if p.requires_grad}


def is_fused(model):
    layers = [module for module in model.modules() if isinstance(module, LoraLayer)]
    return [isinstance(layer.forward, cpu_layers._FusedLayer) for layer in layers]


@pytest.mark.parametrize("quantise", [True, False])
def test_outputs_and_gradients_are_those_of_peft(tiny_base, quantise):
    model = adapted(tiny_base, quantise=quantise)
    expected, expected_gradients = model(IDS).logits.detach(), gradients(model)
    with torch.no_grad(), model.disable_adapter():
        without = model(IDS).logits
    assert not torch.allclose(without, expected, atol=1e-2)
    cpu_layers.fuse_adapters(model)
    assert all(is_fused(model)) and is_fused(model)
    close = {"rtol": 1e-4, "atol": 1e-5}
    torch.testing.assert_close(model(IDS).logits, expected, **close)
    found = gradients(model)
    assert found.keys() == expected_gradients.keys()
    for name, gradient in found.items():
        torch.testing.assert_close(gradient, expected_gradients[name], rtol=1e-3, atol=1e-6)
    for mode in (torch.no_grad, torch.inference_mode):
        with mode():
            torch.testing.assert_close(model(IDS).logits, expected, **close)
        with mode(), model.disable_adapter():
            torch.testing.assert_close(model(IDS).logits, without, **close)


@pytest.mark.parametrize("fused", [True, False])
def test_one_matrix_follows_the_adapter_as_it_learns(tiny_base, fused):
    """Fused AdamW, the trainers' default, changes weights without counting it in their version."""
    model = adapted(tiny_base, quantise=True)
    plain = copy.deepcopy(model)
    cpu_layers.fuse_adapters(model)
    for each in (model, plain):
        with torch.no_grad():
            before = each(IDS).logits
        trained = [p for p in each.parameters() if p.requires_grad]
        optimiser = torch.optim.AdamW(trained, lr=1e-2, fused=fused)
        gradients(each)
        optimiser.step()
        with torch.no_grad():
            after = each(IDS).logits
        assert not torch.allclose(before, after, atol=1e-2)
        if each is model:
            ours = after
    torch.testing.assert_close(ours, after, rtol=1e-3, atol=1e-3)


def test_what_is_saved_is_the_adapter_alone(tiny_base, tmp_path):
    model = adapted(tiny_base, quantise=True)
    names = set(model.state_dict())
    cpu_layers.fuse_adapters(model)
    with torch.no_grad():
        model(IDS)
    assert set(model.state_dict()) == names


def test_what_it_is_not_for_stays_as_it_is(tiny_base, monkeypatch):
    dropped = adapted(tiny_base, quantise=False, r=4, lora_dropout=0.1, target_modules="all-linear")
    cpu_layers.fuse_adapters(dropped)
    assert not any(is_fused(dropped))
    in_half = adapted(tiny_base, quantise=False)
    in_half.to(torch.bfloat16)
    cpu_layers.fuse_adapters(in_half)
    assert not any(is_fused(in_half))
    monkeypatch.setattr(cpu_layers, "DENSE_GIB", 1e-6)
    large = adapted(tiny_base, quantise=True)
    cpu_layers.fuse_adapters(large)
    assert not any(is_fused(large))
