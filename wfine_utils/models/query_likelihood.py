"""Query likelihood: how much more likely a requirement becomes when a decoder has read a response.

A classifier gives one number after both texts, and may make it of the response alone. Here the
reward is the gain in log-likelihood of the words of the requirement, pointwise mutual information,
and without them there is nothing to gain. A language model can do that before any training on
pairs. To rank texts by the likelihood of a query is Ponte and Croft's (1998).

A response is read once for all requirements: they stand behind it in one row, each sees the
response and itself, and has the places that it would have alone (:mod:`.shared_prefix` draws it).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, linear
from transformers import PreTrainedModel, PreTrainedTokenizerBase
from transformers.modeling_outputs import SequenceClassifierOutput

from wfine_utils.models.encoding import token_budget_batches
from wfine_utils.models.pair_rows import Part, by_response, pairs_of

BEFORE = "Text:\n"
AFTER = "\n\nThe writer was asked to do this: "
"""Around the response, so that what comes next is a requirement."""

SCALE = 0.2
"""Of a nat: the rewards of two responses then differ by about one before training."""

FORWARD_TOKENS = 2048
"""Padded tokens of a forward pass."""

ROW_TOKENS = 512
"""Most tokens of requirements behind one response: attention with a mask computes all pairs."""


_Name = tuple[Part, Part | None]
"""A requirement, and the response that it stands behind; None: nothing was read."""


class _Row(NamedTuple):
    """A beginning, and requirements that stand behind it side by side."""

    response: Part | None
    beginning: list[int]
    requirements: list[Part]

    def __len__(self) -> int:
        return len(self.beginning) + sum(len(part) + 1 for part in self.requirements)

    def spans(self) -> Iterator[slice]:
        """Where each requirement stands in the row, with its end mark."""
        start = len(self.beginning)
        for part in self.requirements:
            yield slice(start, start := start + len(part) + 1)


class QueryLikelihood:
    """The forward pass of a sequence classifier whose rows are (requirement, response) pairs.

    Args:
        model: a decoder with a linear head and input embeddings that are its output embeddings too;
            this takes the place of its own forward pass.
        tokenizer: of the same base.
    """

    def __init__(self, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> None:
        self._model, self._tokenizer = model, tokenizer
        self._before = list(tokenizer(BEFORE)["input_ids"])
        self._after = list(tokenizer(AFTER, add_special_tokens=False)["input_ids"])

    def __call__(
        self, input_ids: Tensor, attention_mask: Tensor, **_: Any
    ) -> SequenceClassifierOutput:
        """Rewards of rows, each a pair as :func:`~.pair_rows.encode_apart` writes it.

        Args:
            input_ids, attention_mask: of shape [rows, tokens].

        Returns:
            ``logits`` of shape [rows, 1], in fp32.
        """
        pairs = pairs_of(input_ids, attention_mask, self._tokenizer)
        rows = self._rows([*dict.fromkeys(request for request, _ in pairs)], None)
        for response, requirements in by_response(pairs).items():
            rows += self._rows([*requirements], response)
        gain, end = self._read(rows)
        rewards = torch.stack([gain[r, x] - gain[r, None] for r, x in pairs])
        head: Any = self._model.score  # looked up here: PEFT puts another in its place
        offset = head(torch.stack([end[pair] for pair in pairs])).squeeze(1).float()
        return SequenceClassifierOutput(logits=(SCALE * rewards + offset)[:, None])

    def _rows(self, requirements: Sequence[Part], response: Part | None) -> list[_Row]:
        beginning = [*self._before, *(response or ()), *self._after]
        rows, room = list[_Row](), 0
        for part in requirements:
            if room < len(part) + 1:
                rows.append(_Row(response, beginning, []))
                room = ROW_TOKENS
            rows[-1].requirements.append(part)
            room -= len(part) + 1
        return rows

    def _read(self, rows: Sequence[_Row]) -> tuple[dict[_Name, Tensor], dict[_Name, Tensor]]:
        """Of each requirement after each response: log-likelihood, and the state at its end."""
        likelihood, end = dict[_Name, Tensor](), dict[_Name, Tensor]()
        for batch in token_budget_batches([len(row) for row in rows], FORWARD_TOKENS):
            chosen = [rows[i] for i in batch]
            states = self._states(chosen)
            names, at, before = list[_Name](), list[tuple[int, int]](), list[tuple[int, int]]()
            target, owner = list[int](), list[int]()
            for k, row in enumerate(chosen):
                for part, span in zip(row.requirements, row.spans(), strict=True):
                    last = span.stop - 1
                    before.append((k, len(row.beginning) - 1))
                    before += [(k, i) for i in range(span.start, last)]
                    target += [*part, self._tokenizer.eos_token_id]
                    owner += [len(names)] * (len(part) + 1)
                    at.append((k, last))
                    names.append((part, row.response))
            embeddings: Any = self._model.get_input_embeddings()
            logits = linear(states[tuple(zip(*before, strict=True))], embeddings.weight).float()
            device = logits.device
            losses = cross_entropy(logits, torch.tensor(target, device=device), reduction="none")
            sums = torch.zeros(len(names), device=device)
            sums = sums.index_add(0, torch.tensor(owner, device=device), -losses)
            ends = states[tuple(zip(*at, strict=True))].float()
            likelihood |= dict(zip(names, sums, strict=True))
            end |= dict(zip(names, ends, strict=True))
        return likelihood, end

    def _states(self, rows: Sequence[_Row]) -> Tensor:
        """What the decoder makes of every token: [rows, tokens, hidden]."""
        longest = max(map(len, rows))
        ids, places = (np.zeros((len(rows), longest), dtype=np.int64) for _ in range(2))
        owner = np.full((len(rows), longest), -1)  # 0 is the beginning, -1 padding
        for k, row in enumerate(rows):
            n = len(row.beginning)
            ids[k, :n], places[k, :n], owner[k, :n] = row.beginning, np.arange(n), 0
            for j, (part, span) in enumerate(zip(row.requirements, row.spans(), strict=True), 1):
                ids[k, span] = [*part, self._tokenizer.eos_token_id]
                places[k, span] = np.arange(n, n + len(part) + 1)
                owner[k, span] = j
        sees = (owner[:, :, None] == owner[:, None, :]) | (owner[:, None, :] == 0)
        sees = np.tril(sees) | np.eye(longest, dtype=bool)
        device = self._model.device
        body: Any = self._model.base_model
        return body(
            input_ids=torch.from_numpy(ids).to(device),
            attention_mask=torch.from_numpy(sees[:, None]).to(device),
            position_ids=torch.from_numpy(places).to(device),
            use_cache=False,
        ).last_hidden_state
