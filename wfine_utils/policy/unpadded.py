"""GRPO without the cost of padding.

``trl.GRPOTrainer`` 1.16 pads every text of a rollout to its longest prompt and its longest
completion, and keeps that form when it goes through them in small batches. Where completions differ
in length most of what a CPU multiplies is padding. Batches of a single text have none.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any, cast

import torch
from torch.nn.functional import pad
from trl import GRPOTrainer


class UnpaddedGRPOTrainer(GRPOTrainer):
    """The trainer of TRL, whose forward passes leave out columns in which no text has a token."""

    @cached_property
    def _has_rotary(self) -> bool:
        """Whether only distances between tokens count, not how many stand before a text.

        Where places themselves are learnt, as in GPT-2, every pass over a text has to begin at the
        same one, or policy and reference would read it differently.
        """
        model = cast(torch.nn.Module, self.model)
        return any("rotary" in name for name, _ in model.named_modules())

    def _get_per_token_logps_and_entropies(
        self,
        model: torch.nn.Module,
        input_ids: torch.Tensor,
        attention_mask: torch.Tensor,
        logits_to_keep: int,
        batch_size: int | None = None,
        **options: Any,
    ) -> tuple[torch.Tensor, torch.Tensor | None, torch.Tensor | None]:
        """What the trainer's own gives, shape [n, logits_to_keep]; 0 in columns left out."""
        compute = super()._get_per_token_logps_and_entropies
        width = input_ids.shape[1]
        size = batch_size or len(input_ids)
        columns: list[list[torch.Tensor]] = [[], []]  # log-probabilities, entropies
        losses = []
        for ids, mask in zip(input_ids.split(size), attention_mask.split(size), strict=True):
            filled = mask.any(dim=0).nonzero()
            first = int(filled[0]) if self._has_rotary or size == 1 else 0
            end = max(int(filled[-1]), width - logits_to_keep) + 1
            kept = logits_to_keep - (width - end)
            *tokens, loss = compute(model, ids[:, first:end], mask[:, first:end], kept, **options)
            for parts, values in zip(columns, tokens, strict=True):
                if values is not None:
                    parts.append(pad(values, (0, width - end)))
            if loss is not None:  # of a mixture of experts, one number a batch
                losses.append(loss)
        logps, entropies = columns
        mean_loss = torch.stack(losses).mean() if losses else None
        return torch.cat(logps), torch.cat(entropies) if entropies else None, mean_loss
