"""The reward model that notebook 03b writes out, against PEFT and against values by hand."""

from __future__ import annotations

import math

import pytest
import torch
from conftest import taught
from peft import LoraConfig, get_peft_model
from torch import nn
from torch.nn.functional import softplus

NOTEBOOK = "03b_reward_model_by_hand"
LORA = taught(NOTEBOOK, "lora", torch=torch, nn=nn, math=math)
LOSS = taught(NOTEBOOK, "bt", torch=torch, softplus=softplus)


def a_layer(r=3, alpha=12):
    """A layer whose B is no longer zero."""
    torch.manual_seed(0)
    layer = LORA["LoraLayer"](nn.Linear(8, 5), r, alpha)
    nn.init.normal_(layer.B)
    return layer


def test_a_layer_adds_the_product_of_its_matrices():
    layer = a_layer()
    weight = layer.frozen.weight + 12 / 3 * layer.B @ layer.A  # ΔW = α / r · B A
    x = torch.randn(4, 8)
    torch.testing.assert_close(layer(x), x @ weight.T + layer.frozen.bias)


def test_a_layer_is_that_of_peft():
    ours = a_layer()
    plain = nn.Linear(8, 5)
    plain.load_state_dict(ours.frozen.state_dict())
    config = LoraConfig(r=3, lora_alpha=12, target_modules=["0"])
    theirs = get_peft_model(nn.Sequential(plain), config)
    weights = dict(theirs.named_parameters())
    with torch.no_grad():
        for name in "AB":
            weights[f"base_model.model.0.lora_{name}.default.weight"].copy_(getattr(ours, name))
    x = torch.randn(4, 8)
    torch.testing.assert_close(ours(x), theirs(x))


def test_the_first_matrix_lies_in_the_range_that_peft_draws_from():
    layer = LORA["LoraLayer"](nn.Linear(400, 5), 8, 16)
    assert layer.A.abs().max() <= 1 / math.sqrt(400) and layer.A.std() > 0.5 / math.sqrt(400)
    assert (layer.B == 0).all()


def test_every_linear_layer_gets_one_but_the_head_is_trained_itself():
    model = nn.ModuleDict({"body": nn.Sequential(nn.Linear(4, 4), nn.Tanh(), nn.Linear(4, 4))})
    model.add_module("score", nn.Linear(4, 1, bias=False))
    LORA["add_lora"](model, 2, 4)
    learnt = {name for name, weight in model.named_parameters() if weight.requires_grad}
    assert learnt == {"body.0.A", "body.0.B", "body.2.A", "body.2.B", "score.weight"}


def test_loss_by_hand():
    chosen, rejected = torch.tensor([1.0, 0.0]), torch.tensor([0.0, 0.0])
    expected = (math.log(1 + math.exp(-1)) + math.log(2)) / 2
    assert LOSS["bradley_terry"](chosen, rejected).item() == pytest.approx(expected)


def test_loss_neither_overflows_nor_vanishes():
    zero = torch.zeros(1)
    assert LOSS["bradley_terry"](zero - 800, zero).item() == 800
    small = LOSS["bradley_terry"](zero + 30, zero).item()
    assert small == pytest.approx(math.exp(-30), rel=1e-4)


@pytest.mark.parametrize("margin", [-5.0, 0.0, 0.7, 4.0])
def test_slope_is_the_derivative_of_the_loss(margin):
    at, h = torch.tensor([margin], dtype=torch.float64), 1e-6
    zero = torch.zeros_like(at)
    loss = LOSS["bradley_terry"]
    by_differences = (loss(at + h, zero) - loss(at - h, zero)) / (2 * h)
    assert LOSS["slope"](at).item() == pytest.approx(by_differences.item(), abs=1e-8)
    assert LOSS["slope"](at).item() == pytest.approx(-1 / (1 + math.exp(margin)))
