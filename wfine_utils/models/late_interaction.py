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

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import normalize
from transformers import PreTrainedModel, PreTrainedTokenizerBase
from transformers.modeling_outputs import SequenceClassifierOutput

from wfine_utils.errors import WfineError
from wfine_utils.models.encoding import (
    cut_middle,
    is_encoder,
    is_unicode,
    padded,
    token_budget_batches,
    with_layout,
)
from wfine_utils.models.places import n_positions

WINDOW = 256
"""Tokens that an encoder reads at a time, its marks among them; fewer where it has fewer places."""

SCALE = 10.0
"""Of similarities: the rewards of two responses then differ by about one before training."""

CENTRE = 0.5
"""Similarity that counts for nothing: about what the best of many tokens has by chance."""

FORWARD_TOKENS = 4096
"""Padded tokens of a forward pass."""

Part = tuple[int, ...]
"""Token ids of a requirement or a response, without marks."""


class LateInteraction:
    """The forward pass of a sequence classifier whose rows are (requirement, response) pairs.

    Args:
        model: an encoder with a linear head; :func:`read_apart` puts this in the place of its own
            forward pass.
        tokenizer: whose marks tell the two parts of a row.
    """

    def __init__(self, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> None:
        self._model, self._tokenizer = model, tokenizer
        self._marks = (tokenizer.cls_token_id, tokenizer.sep_token_id)
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
        rows = input_ids.cpu().numpy()
        is_read = attention_mask.cpu().numpy().astype(bool)
        pairs = [self.parts(row[kept]) for row, kept in zip(rows, is_read, strict=True)]
        distinct = dict.fromkeys(part for pair in pairs for part in pair)
        vectors = dict(zip(distinct, self._read(list(distinct)), strict=True))
        rows_of: dict[Part, dict[Part, list[int]]] = {}  # response: requirement: rows
        for row, (requirement, response) in enumerate(pairs):
            rows_of.setdefault(response, {}).setdefault(requirement, []).append(row)
        rewards, owners = [], list[int]()
        for response, of_requirement in rows_of.items():
            met = self._meet([vectors[part] for part in of_requirement], vectors[response])
            for reward, same in zip(met, of_requirement.values(), strict=True):
                rewards += [reward] * len(same)
                owners += same
        in_order = torch.stack(rewards)[np.argsort(owners)]
        return SequenceClassifierOutput(logits=in_order[:, None])

    def parts(self, row: Sequence[int] | np.ndarray) -> tuple[Part, Part]:
        """Requirement and response of one row, without marks and padding."""
        cls, sep = self._marks
        ids = np.asarray(row)
        ends = np.flatnonzero(ids == sep)
        first = int(ends[0]) if len(ends) else len(ids)
        sides = ids[:first], ids[first:]
        requirement, response = (side[(side != cls) & (side != sep)].tolist() for side in sides)
        return tuple(requirement), tuple(response)

    def _read(self, parts: Sequence[Part]) -> list[Tensor]:
        """What the encoder makes of the tokens of every part: fp32 [tokens, hidden]."""
        cls, sep = self._marks
        windows, owners = [], list[int]()
        for i, part in enumerate(parts):
            for start in range(0, max(1, len(part)), self._window):
                windows.append([cls, *part[start : start + self._window], sep])
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


def encode_apart(
    tokenizer: PreTrainedTokenizerBase,
    instruction: str,
    response: str,
    max_tokens: int,
    *,
    show_layout: bool = True,
    on_cut: Callable[[], object] | None = None,
) -> list[int]:
    """As :func:`~wfine_utils.models.encoding.encode`, with a response that is cut by itself.

    Its middle goes where it has more than ``max_tokens``, whatever the requirement: so it is the
    same text under each of them, and read once.
    """
    if not is_unicode(instruction + response):
        return []
    text = with_layout(response) if show_layout else response
    request, given = (_ids(tokenizer, each) for each in (instruction, text))
    if on_cut and len(given) > max_tokens:
        on_cut()
    sep = tokenizer.sep_token_id
    return [tokenizer.cls_token_id, *request, sep, *cut_middle([*given], max_tokens), sep]


@lru_cache(maxsize=8192)  # a response stands in many pairs
def _ids(tokenizer: PreTrainedTokenizerBase, text: str) -> Part:
    """Token ids without marks; what looks like one in the text is read as plain text."""
    encoded = tokenizer(text, add_special_tokens=False, split_special_tokens=True, verbose=False)
    return tuple(encoded["input_ids"])


def read_apart(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, *, is_trained: bool
) -> LateInteraction:
    """Let a sequence classifier read requirement and response apart, in place.

    Args:
        model: of an encoder, not yet with adapters or with them.
        tokenizer: of the same base.
        is_trained: False gives every token the weight 1; a trained head is loaded with the
            adapter.

    Raises:
        WfineError: a decoder, whose tokens do not know what follows them, or an encoder whose head
            is more than one linear layer.
    """
    if not is_trained:
        head = getattr(model, "classifier", None)
        if not is_encoder(tokenizer) or not isinstance(head, torch.nn.Linear):
            raise WfineError(
                f"interaction: found 'late' and {type(model).__name__}, expected an encoder with a "
                "linear layer called classifier, such as BERT, DeBERTa or ModernBERT. Choose "
                "another base_model, or interaction: cross."
            )
        torch.nn.init.zeros_(head.weight)
        torch.nn.init.ones_(head.bias)
    interaction = LateInteraction(model, tokenizer)
    model.forward = interaction  # as PEFT and the trainers call it
    return interaction


def batches_of_responses(
    rows: Sequence[Sequence[int]], interaction: LateInteraction, budget: int
) -> list[np.ndarray]:
    """Places of rows in batches in which rows of one response stand together.

    Args:
        rows: token ids of pairs; an empty row is in no batch.
        budget: tokens of different responses in a batch, of one response at least.
    """
    of_response: dict[Part, list[int]] = {}
    for i, row in enumerate(rows):
        if len(row):
            of_response.setdefault(interaction.parts(row)[1], []).append(i)
    batches, n_tokens = list[list[int]](), budget + 1
    for response, same in sorted(of_response.items(), key=lambda item: -len(item[0])):
        if n_tokens + len(response) > budget:
            batches.append([])
            n_tokens = 0
        batches[-1] += same
        n_tokens += len(response)
    return [np.array(batch) for batch in batches]
