"""``trl.RewardTrainer`` 1.16 with the two losses of a pair, and no work done twice in a batch."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import torch
from transformers.modeling_outputs import SequenceClassifierOutput
from trl import RewardTrainer

from wfine_utils import models
from wfine_utils.reward_model import token_budget_batches

CPU_FORWARD_TOKENS = 4096
"""Padded tokens of a forward pass in training on a CPU; fewer leave it idle, more are padding."""


class BradleyTerryTrainer(RewardTrainer):
    """Computes a text that stands in several pairs of a batch only once, and little padding.

    A chain of five responses gives up to six pairs for one requirement and has only five texts.
    """

    def compute_loss(self, model, inputs, return_outputs=False, num_items_in_batch=None):
        """The loss of the trainer."""
        once = partial(_each_text_once, model)
        return super().compute_loss(once, inputs, return_outputs, num_items_in_batch)


def _each_text_once(
    model: Callable[..., Any], *, input_ids: torch.Tensor, attention_mask: torch.Tensor, **rest: Any
) -> SequenceClassifierOutput:
    """``model(...).logits``, for a batch in which rows may be equal and of very different length.

    On a CPU long and short texts pass through the model apart, so that padding is not computed. Not
    where several processes share a batch: each would pass another number of times, and they wait
    for one another at every pass.
    """
    _, first, place = np.unique(
        input_ids.cpu().numpy(), axis=0, return_index=True, return_inverse=True
    )
    rest.pop("margin", None)  # of the pairs, and nothing to the model
    lengths = attention_mask.sum(dim=1)[first].tolist()
    apart = input_ids.device.type == "cpu" and models.processes().num_processes == 1
    budget = CPU_FORWARD_TOKENS if apart else len(first) * max(lengths)
    chunks = token_budget_batches(lengths, budget)
    logits = [
        model(
            input_ids=input_ids[rows, :longest],
            attention_mask=attention_mask[rows, :longest],
            **rest,
        ).logits
        for rows, longest in ((first[chunk], lengths[chunk[0]]) for chunk in chunks)
    ]
    found = torch.cat(logits)[np.argsort(np.concatenate(chunks))]  # as they stood in ``first``
    return SequenceClassifierOutput(logits=found[place])


class CrossEntropyTrainer(BradleyTerryTrainer):
    """The same pairs, each text by itself: is it the better one, yes or no?

    One logit and its sigmoid are what a classifier of two labels computes, as only the
    difference of its two logits matters.
    """

    def compute_loss(self, model, inputs, return_outputs=False, num_items_in_batch=None):
        """Mean cross-entropy of "chosen" with label 1 and "rejected" with label 0."""
        _, outputs = super().compute_loss(model, inputs, True, num_items_in_batch)
        chosen, rejected = outputs.logits.squeeze(-1).chunk(2)
        log_p = torch.nn.functional.logsigmoid(torch.stack([chosen, -rejected]))
        return (-log_p.mean(), outputs) if return_outputs else -log_p.mean()
