"""The losses of a pair, and the trainer that computes them: a new loss is a function and a line."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import logsigmoid
from transformers.modeling_outputs import SequenceClassifierOutput
from trl import RewardConfig, RewardTrainer

from wfine_utils.models import devices
from wfine_utils.models.encoding import token_budget_batches
from wfine_utils.settings import Loss


class PairLoss(NamedTuple):
    """What is learnt from pairs.

    ``each`` gives the loss of each pair, shape [pairs], in nats, from the rewards of the chosen and
    of the rejected text and the number of requirements dropped between them, each [pairs].
    """

    each: Callable[[Tensor, Tensor, Tensor], Tensor]
    is_relative: bool = True  # differences alone count; center_coefficient says where 0 is


def _bradley_terry(chosen: Tensor, rejected: Tensor, n_dropped: Tensor) -> Tensor:
    """−log of the probability that the chosen text wins."""
    return -logsigmoid(chosen - rejected)


def _bradley_terry_margin(chosen: Tensor, rejected: Tensor, n_dropped: Tensor) -> Tensor:
    """The same, where a pair that is further apart has to be told apart by more."""
    return -logsigmoid(chosen - rejected - n_dropped)


def _cross_entropy(chosen: Tensor, rejected: Tensor, n_dropped: Tensor) -> Tensor:
    """Each text by itself: is it the better one, yes or no?

    One logit and its sigmoid are what a classifier of two labels computes, as only the difference
    of its two logits matters.
    """
    return -(logsigmoid(chosen) + logsigmoid(-rejected)) / 2


LOSSES: dict[Loss, PairLoss] = {
    "bradley_terry": PairLoss(_bradley_terry),
    "bradley_terry_margin": PairLoss(_bradley_terry_margin),
    "cross_entropy": PairLoss(_cross_entropy, is_relative=False),
}
"""Every loss by its name in :data:`wfine_utils.settings.Loss`; a new one needs a line in both."""

CPU_FORWARD_TOKENS = 4096
"""Padded tokens of a forward pass in training on a CPU; fewer leave it idle, more are padding."""


class PairTrainer(RewardTrainer):
    """TRL's trainer with a loss of ours, which computes every text of a batch only once.

    A chain of five responses gives up to six pairs for one requirement and has only five texts.

    Args:
        pair_loss: one of :data:`LOSSES`.
        share_parts: the model computes what its rows have in common once, so it gets all of them.
        args, arguments: of TRL's trainer.
    """

    def __init__(
        self, *, pair_loss: PairLoss, share_parts: bool, args: RewardConfig, **arguments: Any
    ) -> None:
        super().__init__(args=args, **arguments)
        self._share_parts = share_parts
        self._pair_loss, self._center_coefficient = pair_loss, args.center_rewards_coefficient

    def compute_loss(self, model, inputs, return_outputs=False, num_items_in_batch=None):
        """The mean loss of the pairs of a batch; TRL's own loss is left, its metrics are kept,
        in evaluation as means over pairs."""
        inputs = dict(inputs)
        n_dropped = inputs.pop("margin")
        once = partial(_each_text_once, model, share_parts=self._share_parts)
        _, outputs = super().compute_loss(once, inputs, True, num_items_in_batch)
        chosen, rejected = outputs.logits.squeeze(-1).chunk(2)
        if not model.training:  # TRL averages over batches: a small one would count as much
            for values in (self._metrics["eval"][name] for name in ("accuracy", "margin")):
                values += values[-1:] * (len(chosen) - 1)  # once for each pair
        loss = self._pair_loss.each(chosen, rejected, n_dropped).mean()
        if self._pair_loss.is_relative:
            loss = loss + self._center_coefficient * ((chosen + rejected) ** 2).mean()
        return (loss, outputs) if return_outputs else loss


def _each_text_once(
    model: Callable[..., Any],
    *,
    input_ids: Tensor,
    attention_mask: Tensor,
    share_parts: bool,
    **options: Any,
) -> SequenceClassifierOutput:
    """``model(...).logits``, for a batch in which rows may be equal and of very different length.

    On a CPU long and short texts pass through the model apart, so that padding is not computed. Not
    where several processes share a batch: each would pass another number of times, and they wait
    for one another at every pass.
    """
    ids = input_ids.cpu().numpy()
    _, first, place = np.unique(ids, axis=0, return_index=True, return_inverse=True)
    lengths = attention_mask.sum(dim=1)[first].tolist()
    on_cpu = input_ids.device.type == "cpu" and devices.processes().num_processes == 1
    apart = on_cpu and not share_parts
    budget = CPU_FORWARD_TOKENS if apart else len(first) * max(lengths)
    chunks = token_budget_batches(lengths, budget)
    logits = []
    for chunk in chunks:
        part = first[chunk], slice(lengths[chunk[0]])  # without the padding that all of it has
        inputs = {"input_ids": input_ids[part], "attention_mask": attention_mask[part]}
        logits.append(model(**inputs, **options).logits)
    in_order = torch.cat(logits)[np.argsort(np.concatenate(chunks))]  # as they stood in ``first``
    return SequenceClassifierOutput(logits=in_order[place])
