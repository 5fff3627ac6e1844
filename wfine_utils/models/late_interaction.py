"""Late interaction: an encoder reads requirement and response apart, and their tokens meet after.

A classifier reads both as one row, so its answer may come from the response alone, and mostly does.
Here every token of the requirement looks for the token of the response that is most like it, and
the reward is a mean over the tokens of the requirement: without it there is no reward at all. The
similarities are those of ColBERT (Khattab and Zaharia 2020); the weight of a token, which may be
negative ("do not mention boats"), is what the head makes of the token and of its whole sentence.

A response is read once for all requirements, in windows, so it may be longer than the encoder has
places for.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import normalize
from transformers import PreTrainedModel, PreTrainedTokenizerBase
from transformers.modeling_outputs import SequenceClassifierOutput

from wfine_utils.models.encoding import padded, token_budget_batches
from wfine_utils.models.pair_rows import Part, by_response, marks, pairs_of
from wfine_utils.models.places import n_positions

WINDOW = 256
"""Tokens that an encoder reads at a time, its marks among them; fewer where it has fewer places."""

SCALE = 10.0
"""Of similarities: the rewards of two responses then differ by about one before training."""

CENTRE = 0.5
"""Similarity that counts for nothing: about what the best of many tokens has by chance."""

FORWARD_TOKENS = 4096
"""Padded tokens of a forward pass."""


class LateInteraction:
    """The forward pass of a sequence classifier whose rows are (requirement, response) pairs.

    Args:
        model: an encoder with a linear head; this takes the place of its own forward pass.
        tokenizer: whose marks tell the two parts of a row.
    """

    def __init__(self, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> None:
        self._model, self._tokenizer = model, tokenizer
        self._window = min(WINDOW, n_positions(model)) - 2

    def __call__(
        self, input_ids: Tensor, attention_mask: Tensor, **_: Any
    ) -> SequenceClassifierOutput:
        """Rewards of rows, each a pair with marks as the tokenizer writes it.

        Args:
            input_ids, attention_mask: of shape [rows, tokens].

        Returns:
            ``logits`` of shape [rows, 1], in fp32.
        """
        pairs = pairs_of(input_ids, attention_mask, self._tokenizer)
        distinct = dict.fromkeys(part for pair in pairs for part in pair)
        vectors = dict(zip(distinct, self._read(list(distinct)), strict=True))
        rewards, owners = [], list[int]()
        for response, of_requirement in by_response(pairs).items():
            met = self._meet([vectors[part] for part in of_requirement], vectors[response])
            for reward, same in zip(met, of_requirement.values(), strict=True):
                rewards += [reward] * len(same)
                owners += same
        in_order = torch.stack(rewards)[np.argsort(owners)]
        return SequenceClassifierOutput(logits=in_order[:, None])

    def _read(self, parts: Sequence[Part]) -> list[Tensor]:
        """What the encoder makes of the tokens of every part: fp32 [tokens, hidden]."""
        before, between, _ = marks(self._tokenizer)
        windows, owners = [], list[int]()
        for i, part in enumerate(parts):
            for start in range(0, max(1, len(part)), self._window):
                windows.append([*before, *part[start : start + self._window], between])
                owners.append(i)
        lengths = [len(window) for window in windows]
        vectors: list[list[Tensor]] = [[] for _ in parts]
        of_window: dict[int, Tensor] = {}
        body: Any = self._model.base_model
        for batch in token_budget_batches(lengths, FORWARD_TOKENS):
            rows = padded(self._tokenizer, [windows[i] for i in batch]).to(self._model.device)
            read = body(**rows).last_hidden_state
            for k, i in enumerate(batch):
                inside = slice(1, lengths[i] - 1) if lengths[i] > 2 else slice(0, 1)
                of_window[int(i)] = read[k, inside].float()
        for i, owner in enumerate(owners):
            vectors[owner].append(of_window[i])
        return [torch.cat(each) for each in vectors]

    def _meet(self, requirements: Sequence[Tensor], response: Tensor) -> Tensor:
        """The reward of one response for each requirement: fp32 [requirements]."""
        tokens = torch.cat(list(requirements))
        sizes = torch.tensor([len(each) for each in requirements], device=tokens.device)
        with torch.autocast(tokens.device.type, enabled=False):
            best = (normalize(tokens, dim=1) @ normalize(response, dim=1).T).amax(dim=1)
            head: Any = self._model.classifier  # looked up here: PEFT puts another in its place
            whole = torch.stack([each.mean(dim=0) for each in requirements])
            owner = torch.repeat_interleave(torch.arange(len(sizes), device=tokens.device), sizes)
            weights = head(tokens + whole[owner]).squeeze(1).float()
            sums = torch.zeros(len(sizes), device=tokens.device)
            return sums.index_add(0, owner, weights * SCALE * (best - CENTRE)) / sizes
