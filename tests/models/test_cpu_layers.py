"""Layers with adapters that compute in fewer passes: the same numbers, the same gradients."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from peft import LoraConfig, get_peft_model
from peft.tuners.lora import LoraLayer

from wfine_utils.base_model import Base
from wfine_utils.models import adapters, cpu_layers, devices, loading
from wfine_utils.rewards.reward_model import load_reward_model, rewards_of_batch
from wfine_utils.settings import RewardSettings

IDS = torch.arange(48).reshape(3, 16) * 5 % 300 + 4


def adapted(folder, *, quantise, precision="fp32", **options):
    """A model whose adapters are not 0, as PEFT computes it."""
    base = Base(str(folder))
    tokenizer = loading.load_tokenizer(base)
    model = loading.load_quantised(
        base, "causal", tokenizer=tokenizer, quantise=quantise, precision=precision
    )
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


def relative(found, expected):
    return float((found - expected).norm() / expected.norm())


@pytest.mark.parametrize("dense_gib", [1.0, 0.0])
@pytest.mark.parametrize("quantise", [True, False])
def test_products_in_bf16_are_those_of_fp32_but_for_rounding(
    tiny_base, monkeypatch, quantise, dense_gib
):
    exact = adapted(tiny_base, quantise=quantise)
    expected, expected_gradients = exact(IDS).logits.detach(), gradients(exact)
    monkeypatch.setattr(devices, "cpu_has_bf16", lambda: True)
    monkeypatch.setattr(cpu_layers, "DENSE_GIB", dense_gib)
    model = adapted(tiny_base, quantise=quantise, precision="auto")
    cpu_layers.fuse_adapters(model)
    assert all(fused is (dense_gib > 0) for fused in is_fused(model))
    assert {p.dtype for p in model.parameters()} <= {torch.float32, torch.uint8}
    logits = model(IDS).logits
    assert logits.dtype == torch.float32
    assert 1e-4 < relative(logits.detach(), expected) < 2e-2  # bf16 has 8 bits
    found = gradients(model)
    assert found.keys() == expected_gradients.keys()
    for name, gradient in found.items():
        assert relative(gradient, expected_gradients[name]) < 5e-2, name
    with torch.no_grad():  # the adapter is in the matrix here, and rounded with it
        assert relative(model(IDS).logits, expected) < 2e-2
        with model.disable_adapter(), exact.disable_adapter():
            assert 1e-4 < relative(model(IDS).logits, exact(IDS).logits) < 2e-2


def test_weights_that_are_trained_get_their_gradients_through_bf16():
    torch.manual_seed(0)
    exact = torch.nn.Sequential(torch.nn.Linear(48, 64), torch.nn.SiLU(), torch.nn.Linear(64, 8))
    half, x = copy.deepcopy(exact), torch.randn(5, 7, 48)
    cpu_layers.multiply_in_bf16(half, is_frozen=False)
    for model in (exact, half):
        model(x).square().sum().backward()
    for expected, found in zip(exact.parameters(), half.parameters(), strict=True):
        assert found.grad.dtype == torch.float32
        assert 1e-5 < relative(found.grad, expected.grad) < 2e-2
    before = half(x).detach()
    with torch.no_grad():
        half[0].weight += 1
    assert not torch.allclose(half(x), before)  # the weight of now, not one that was kept


def test_a_small_adapter_is_not_lost_in_a_rounded_weight(tiny_base, monkeypatch):
    """Half a step of bf16 is 2e-3 of a weight; an adapter begins with far less."""
    monkeypatch.setattr(devices, "cpu_has_bf16", lambda: True)
    model = adapted(tiny_base, quantise=True, precision="auto")
    cpu_layers.fuse_adapters(model)
    (layer, *_) = (module for module in model.modules() if isinstance(module, LoraLayer))
    base = layer.get_base_layer()
    weight = cpu_layers._weight(base)
    b = layer.lora_B["default"].weight
    b.data *= (
        1e-3
        * weight.norm()
        / (layer.scaling["default"] * b @ layer.lora_A["default"].weight).norm()
    )
    x = torch.eye(base.in_features)
    exact = layer.scaling["default"] * (b @ layer.lora_A["default"].weight).T
    with torch.no_grad():
        moved = layer(x) - base(x)
    along = float((moved * exact).sum() / exact.square().sum())
    assert 0.8 < along < 1.2


@pytest.mark.parametrize("precision", ["fp32", "auto"])
@pytest.mark.parametrize("quantise", [True, False])
def test_a_reward_model_scores_when_loaded_as_it_did_in_training(
    tiny_base, tmp_path, monkeypatch, quantise, precision
):
    """Once the adapter of an unquantised one counted twice: merged, and added on top."""
    monkeypatch.setattr(devices, "cpu_has_bf16", lambda: True)
    base = Base(str(tiny_base))
    tokenizer = loading.load_tokenizer(base)
    settings = {"quantise": quantise, "precision": precision}
    model = loading.load_quantised(base, "reward", tokenizer=tokenizer, **settings)
    model = get_peft_model(model, adapters.lora_config("reward", r=4, alpha=12))
    adapters.trainable_to_fp32(model)
    torch.manual_seed(0)
    for name, parameter in model.named_parameters():
        if "lora_B" in name or "score" in name:
            torch.nn.init.normal_(parameter, std=0.1)
    with torch.no_grad():
        expected = model.eval()(IDS).logits.squeeze(-1).numpy()
    kept = RewardSettings(
        **settings, lora_r=4, lora_alpha=12, learning_rate=1e-3, batch_size=8, micro_batch_size=8,
        n_epochs=1, max_tokens=64, center_coefficient=0.0, loss="bradley_terry",
    )  # fmt: skip
    facts = {"granularity": "prompt", "settings": kept.model_dump()}
    adapters.save_adapter(model, tokenizer, base, "reward", tmp_path, **facts)
    loaded = load_reward_model(tmp_path)
    found = rewards_of_batch(loaded._model.get_base_model(), tokenizer, IDS.tolist())
    tolerance = 1e-4 if precision == "fp32" else 2e-2
    np.testing.assert_allclose(found, expected, rtol=tolerance, atol=tolerance)
    assert np.ptp(expected) > 0.1


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
