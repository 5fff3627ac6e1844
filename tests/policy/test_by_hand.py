"""The update of GRPO that notebook 04b writes out, against values by hand and our settings."""

from __future__ import annotations

import ast
import json
import math
import statistics
from types import SimpleNamespace
from typing import NamedTuple

import numpy as np
import pytest
import torch
from conftest import ROOT, taught
from trl import GRPOConfig

from wfine_utils.base_model import Base
from wfine_utils.checks import verdicts
from wfine_utils.models import loading
from wfine_utils.notebook.params import cell_defaults
from wfine_utils.policy import grpo
from wfine_utils.settings import PolicySettings
from wfine_utils.tiny_world import vocabulary, writer

NOTEBOOK = "04b_policy_by_hand"
LOSS = taught(NOTEBOOK, "loss", torch=torch)
QUERIES = writer.sample_queries(2, vocabulary.TOPICS["train"], seed=0)


def loss_of(ratios, advantages, *, mask=None, epsilon=0.2, beta=0.0, reference=None):
    """The loss where the tokens have become so many times as likely; and its gradient."""
    log_p = torch.tensor(ratios).log().requires_grad_()
    mask = torch.ones_like(log_p) if mask is None else torch.tensor(mask)
    reference = log_p.detach() if reference is None else torch.tensor(reference).log()
    loss = LOSS["grpo_loss"](
        log_p, torch.zeros_like(log_p), reference, torch.tensor(advantages), mask,
        epsilon=epsilon, beta=beta,
    )  # fmt: skip
    loss.backward()
    return loss.item(), log_p.grad.tolist()


@pytest.mark.parametrize(
    ("ratio", "advantage", "gain", "slope"),
    [
        (1.0, 2.0, 2.0, 2.0),
        (1.5, 1.0, 1.2, 0.0),  # has gone far enough
        (0.5, 1.0, 0.5, 0.5),  # the wrong way: pulled back
        (0.5, -1.0, -0.8, 0.0),
        (1.5, -1.0, -1.5, -1.5),
    ],
)
def test_clip_by_hand(ratio, advantage, gain, slope):
    loss, gradient = loss_of([[ratio]], [advantage])
    assert loss == pytest.approx(-gain)
    assert gradient == [[pytest.approx(-slope)]]


def test_the_mean_is_over_tokens_and_not_over_texts():
    loss, _ = loss_of([[1.0, 1.0, 1.0], [1.0, 7.0, 7.0]], [1.0, -1.0], mask=[[1, 1, 1], [1, 0, 0]])
    assert loss == pytest.approx(-(3 * 1.0 - 1.0) / 4)


def test_k3_is_added_with_its_weight():
    loss, _ = loss_of([[1.0]], [0.0], beta=0.5, reference=[[2.0]])
    assert loss == pytest.approx(0.5 * (2 - math.log(2) - 1))


def test_without_a_clip_the_pull_goes_on():
    loss, gradient = loss_of([[5.0]], [1.0], epsilon=math.inf)
    assert loss == pytest.approx(-5) and gradient == [[pytest.approx(-5)]]


def test_advantages_by_hand():
    advantages_of = taught(NOTEBOOK, "advantage", torch=torch, np=np)["advantages_of"]
    rewards = [0.25, 0.5, 1.0, 0.5]
    spread = statistics.stdev(rewards) + 1e-4
    expected = [(reward - statistics.mean(rewards)) / spread for reward in rewards]
    ours = advantages_of(torch.tensor([rewards, [0.5] * 4]))
    np.testing.assert_allclose(ours, [expected, [0.0] * 4], atol=1e-6)


def test_rewards_are_the_share_of_requirements_met():
    share_met = taught(NOTEBOOK, "advantage", torch=torch, np=np, verdicts=verdicts)["share_met"]
    rng = np.random.default_rng(0)
    for kept, expected in (([True] * 4, 1.0), ([True, False, False, True], 0.5)):
        assert share_met(QUERIES[0], writer.write(QUERIES[0], kept, rng)) == expected


class Written:
    """Stands in for a policy: writes what it was given, behind whatever prompts there are."""

    def __init__(self, written):
        self._written = torch.tensor(written)

    def generate(self, input_ids, **_):
        return torch.cat([input_ids, self._written], dim=1)


@pytest.fixture
def rollout_of(tiny_base):
    """A function that makes a rollout of two prompts and four texts; the model; its tokenizer."""
    base = Base(str(tiny_base))
    tokenizer = loading.load_tokenizer(base)
    model = loading.load_quantised(base, "causal", tokenizer=tokenizer, quantise=False).eval()
    cfg = SimpleNamespace(num_generations=2, max_new_tokens=5)
    space = {"torch": torch, "NamedTuple": NamedTuple, "cfg": cfg, "tokenizer": tokenizer}
    sample = taught(NOTEBOOK, "sample", **space)["sample"]
    end, pad = tokenizer.eos_token_id, tokenizer.pad_token_id
    written = [[50, 60, end, pad, pad], [50, 60, 70, 80, 90], [end] + [pad] * 4, [50] * 4 + [end]]
    return sample(Written(written), QUERIES), model, tokenizer


def test_a_completion_counts_up_to_its_end(rollout_of):
    rollout, _, tokenizer = rollout_of
    assert rollout.mask.tolist() == [[1, 1, 1, 0, 0], [1] * 5, [1, 0, 0, 0, 0], [1] * 5]
    assert rollout.texts[2] == "" and rollout.texts[0] == tokenizer.decode([50, 60])
    first, second = (int(rollout.attention[row, :-5].sum()) for row in (0, 2))
    assert first != second, "prompts of two lengths, so one is padded"


def test_padding_changes_no_probability(rollout_of):
    rollout, model, _ = rollout_of
    with torch.no_grad():
        padded = LOSS["of_written"](LOSS["log_probabilities"](model, rollout), rollout)
        for row, (ids, attention) in enumerate(zip(rollout.ids, rollout.attention, strict=True)):
            alone, n = ids[attention.bool()], int(rollout.mask[row].sum())
            log_p = model(input_ids=alone[None]).logits[0].log_softmax(-1)
            expected = log_p[:-1].gather(-1, alone[1:, None])[-n:, 0]
            torch.testing.assert_close(padded[row, :n], expected, atol=1e-5, rtol=1e-5)


def test_the_trainer_beside_ours_is_set_as_in_notebook_04(tmp_path):
    cells = json.loads((ROOT / "notebooks" / f"{NOTEBOOK}.ipynb").read_text())["cells"]
    (source,) = ("".join(cell["source"]) for cell in cells if cell["id"] == "trl-config")
    (call,) = (
        node for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "GRPOConfig"
    )  # fmt: skip
    said = {k.arg: k.value.value for k in call.keywords if isinstance(k.value, ast.Constant)}
    policy = cell_defaults("04_wrl_policy")
    fields = {name: policy[name] for name in PolicySettings.model_fields}
    args = grpo.grpo_config(PolicySettings(**fields), tmp_path, seed=0)
    assert isinstance(args, GRPOConfig)
    for name in ("loss_type", "scale_rewards", "use_bias_correction_kl", "temperature", "top_p",
                 "top_k", "mask_truncated_completions"):  # fmt: skip
        assert said[name] == getattr(args, name), name
    ours = cell_defaults(NOTEBOOK)
    assert (ours["epsilon"], ours["beta"]) == (args.epsilon, args.beta)
    assert args.max_grad_norm == 1.0  # what our update shortens gradients to
