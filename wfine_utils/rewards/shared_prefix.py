"""Texts that begin alike, scored by a decoder with their common beginning computed once.

A classifier that reads the response first and one requirement after it, as the released serving
code does, reads a response as often as its query has requirements. Here the common beginning
passes through the model once, and its keys and values are kept; then the ends pass through it, one
after the other in one row. Each token has the place that it has in its own text, and a mask shows
it the beginning and, of its own end, what stands before it. That is all that a causal model looks
at, so every score is that of the text alone::

    beginning  r r r r r r                     r: the response
    ends                   a a a b b c c c     a, b, c: three requirements
    places     0 1 2 3 4 5 6 7 8 6 7 6 7 8

One pass over both would need a mask for the beginning too, and attention with a mask computes all
pairs of tokens where the causal kernel computes half. To repeat the keys and values for every end,
as generation does, would copy them and pad the ends to one length.

What texts share is found in their token ids, whatever their template. Whether sharing pays is
decided by an estimate of the work; ``bench/bench_scoring.py`` measures what it saves.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import torch
from transformers import DynamicCache

from wfine_utils.models.encoding import token_budget_batches

MIN_SHARED = 16
"""Fewest tokens in common that are looked at: below, a template is all that texts share."""

MIN_GAIN = 1 / 3
"""Least share of the work that a row must save. What is left out of the estimate (a second pass, a
mask in the place of a causal kernel, fewer and longer rows to a batch) costs less than that."""

MAX_ROW_TOKENS = 8192
"""Longest row: the keys and values of its beginning are kept for all layers."""

CPU_BATCH_TOKENS = 1024
"""Tokens that keep a CPU busy in both passes; more to a batch adds nothing there but padding."""


class Row(NamedTuple):
    """Texts of which the first ``n_shared`` tokens are the same, and are computed once."""

    n_shared: int  # every text goes on for at least one more
    n_tokens: int  # of the beginning and of all ends
    texts: tuple[int, ...]  # places in the list that they come from, at least two


def shared_rows(ids: Sequence[list[int]], *, max_row_tokens: int, pair_cost: float) -> list[Row]:
    """The texts that are worth laying together, in rows that save the most work in all.

    The work of n tokens is estimated as n + ``pair_cost`` · the pairs of tokens for which attention
    is computed, see :func:`_work`. In order of their tokens, texts that begin alike stand together,
    and the best way to cut that order into rows is found exactly, by dynamic programming.

    Args:
        ids: token ids of every text, none empty. Equal texts may occur, at the cost of a token.
        max_row_tokens: longest row.
        pair_cost: work of attention between two tokens, in units of the rest of one token.

    Returns:
        Rows; a text is in one of them or in none.

    >>> response = list(range(100, 150))
    >>> shared_rows([[*response, 7], [1, 2, 3], [*response, 8, 9]], max_row_tokens=99, pair_cost=0)
    [Row(n_shared=50, n_tokens=53, texts=(0, 2))]
    """
    order = sorted(range(len(ids)), key=lambda i: ids[i])
    lengths = [len(ids[i]) for i in order]
    work = [_work(n, 0, pair_cost) for n in lengths]
    common = [0, *(_n_common(ids[a], ids[b]) for a, b in pairwise(order))]
    saved = [0.0]  # work, by the first texts in this order
    choice: list[Row | None] = [None]  # the last row among them
    for end in range(1, len(order) + 1):
        best: tuple[float, Row | None] = (saved[end - 1], None)
        start, n_alone, alone = end - 1, lengths[end - 1], work[end - 1]
        n_shared = lengths[end - 1] - 1
        while start > 0:
            n_shared = min(n_shared, common[start], lengths[start - 1] - 1)
            start -= 1
            n_alone, alone = n_alone + lengths[start], alone + work[start]
            n_row = n_alone - n_shared * (end - start - 1)
            if n_shared < MIN_SHARED or n_row > max_row_tokens:
                break  # with one more text the beginning is no longer and the row no shorter
            gain = alone - _work(n_shared, n_row - n_shared, pair_cost)
            if gain >= MIN_GAIN * alone and saved[start] + gain > best[0]:
                best = saved[start] + gain, Row(n_shared, n_row, tuple(order[start:end]))
        saved.append(best[0])
        choice.append(best[1])
    rows: list[Row] = []
    end = len(order)
    while end:
        row = choice[end]
        rows += [row] if row else []
        end -= len(row.texts) if row else 1
    return rows[::-1]


def _work(n_shared: int, n_ends: int, pair_cost: float) -> float:
    """Of a beginning, read causally, and of ends that see it and, behind a mask, one another."""
    n_pairs = n_shared**2 / 2 + n_ends * (n_shared + n_ends)
    return n_shared + n_ends + pair_cost * n_pairs


def _n_common(a: Sequence[int], b: Sequence[int]) -> int:
    """How many tokens two texts have in common at their beginning."""
    n = min(len(a), len(b))
    differs = np.asarray(a[:n]) != np.asarray(b[:n])
    return int(differs.argmax()) if differs.any() else n


class PrefixSharing:
    """Scores of texts that begin alike, from a decoder with a head called ``score``.

    Args:
        model: a sequence classifier in evaluation mode.
        pad_token_id: fills short rows up; nothing ever looks at it.
        read: makes logits, shape [texts, labels], into scores, shape [texts].
    """

    def __init__(
        self, model: Any, pad_token_id: int, read: Callable[[torch.Tensor], np.ndarray]
    ) -> None:
        self._body, self._head, self._read = model.base_model, model.score, read
        self._pad = pad_token_id
        config = model.config.get_text_config()
        # 24 h² multiplications for a token and 4 h for a pair, in a layer of the usual shape
        self._pair_cost = 1 / (6 * config.hidden_size)
        limits = [getattr(config, x, None) for x in ("sliding_window", "attention_chunk_size")]
        self._window = min([n for n in limits if n], default=None)

    @classmethod
    def of(
        cls,
        model: Any,
        pad_token_id: int | None,
        read: Callable[[torch.Tensor], np.ndarray],
        *,
        alone: Callable[[Sequence[int]], float],
        examples: Sequence[Sequence[int]],
        max_tokens: int,
        tolerance: float,
    ) -> PrefixSharing | None:
        """The sharing of a model, or None where the model cannot do it.

        It can if it is a decoder that takes keys and values of earlier tokens, a mask for every
        pair of tokens and the place of every token. That it makes of them what it should is tried:
        a model that looks forwards too, or has no use for places, scores otherwise in a row.

        Args:
            model, pad_token_id, read: as for the class.
            alone: the score of one text by itself.
            examples: token ids of three texts or more, of which texts that begin alike are made.
            max_tokens: longest text.
            tolerance: largest difference of a score; of scores above 1, this share of it.
        """
        accepted = set(inspect.signature(model.base_model.forward).parameters)
        if (
            pad_token_id is None
            or not hasattr(model, "score")
            or model._is_stateful  # a recurrent layer would carry one end over into the next
            or not {"attention_mask", "position_ids", "past_key_values"} <= accepted
            or model.config._attn_implementation != "sdpa"  # others want other kinds of mask
        ):
            return None
        sharing = cls(model, pad_token_id, read)
        half = min(max_tokens, sharing._window or max_tokens) // 2
        start = max(examples, key=len)[:half]
        texts = [[*start, *end[:half]] for end in examples[:3]]
        n_tokens = sum(map(len, texts)) - len(start) * (len(texts) - 1)
        row = Row(len(start), n_tokens, tuple(range(len(texts))))
        expected = np.array([alone(text) for text in texts])
        try:
            together = sharing._forward(texts, [row])
        except (
            LookupError,
            AttributeError,
            TypeError,
            ValueError,
            RuntimeError,
        ):  # built otherwise
            return None
        agrees = np.abs(together - expected) <= tolerance * np.maximum(1.0, np.abs(expected))
        return sharing if agrees.all() else None

    def scored(
        self, ids: Sequence[list[int]], token_budget: int
    ) -> Iterator[tuple[list[int], np.ndarray]]:
        """Score the texts that are worth laying together, and no others.

        Args:
            ids: token ids of every text; an empty or too long one is passed over.
            token_budget: tokens per forward pass, padding included.

        Yields:
            Places of texts, and their scores, batch after batch.
        """
        # A window hides the beginning from the end of a long text, which the mask does not know.
        fit = [i for i, x in enumerate(ids) if x and (not self._window or len(x) <= self._window)]
        longest = min(token_budget, MAX_ROW_TOKENS)
        rows = shared_rows([ids[i] for i in fit], max_row_tokens=longest, pair_cost=self._pair_cost)
        rows = [row._replace(texts=tuple(fit[i] for i in row.texts)) for row in rows]
        if self._body.device.type == "cpu":
            token_budget = min(token_budget, CPU_BATCH_TOKENS)
        for batch in token_budget_batches([row.n_tokens for row in rows], token_budget):
            chosen = [rows[i] for i in batch]
            yield [i for row in chosen for i in row.texts], self._forward(ids, chosen)

    @torch.inference_mode()
    def _forward(self, ids: Sequence[Sequence[int]], rows: Sequence[Row]) -> np.ndarray:
        """Scores of every text of a batch of rows, in the order of the rows."""
        n_start = max(row.n_shared for row in rows)
        n_end = max(row.n_tokens - row.n_shared for row in rows)
        starts = np.full((len(rows), n_start), self._pad)
        in_start = np.arange(n_start) < np.array([[row.n_shared] for row in rows])
        ends = np.full((len(rows), n_end), self._pad)
        places = np.zeros((len(rows), n_end), dtype=np.int64)
        owner = np.zeros((len(rows), n_end), dtype=np.int32)  # 1, 2, … for the ends, 0 for padding
        row_of_text, last_of_text = [], []
        for k, row in enumerate(rows):
            starts[k, : row.n_shared] = ids[row.texts[0]][: row.n_shared]
            at = 0
            for number, i in enumerate(row.texts, start=1):
                rest = ids[i][row.n_shared :]
                here = slice(at, at + len(rest))
                ends[k, here] = rest
                places[k, here] = np.arange(row.n_shared, len(ids[i]))
                owner[k, here] = number
                at += len(rest)
                row_of_text.append(k)
                last_of_text.append(at - 1)
        device = self._body.device
        # Keys and values of the beginnings are kept. No mask: padding stands on the right, where
        # nothing that counts looks at it.
        kept = {"past_key_values": DynamicCache(), "use_cache": True}
        self._body(input_ids=torch.from_numpy(starts).to(device), **kept)
        whose = torch.from_numpy(owner).to(device)
        of_same_end = (whose[:, :, None] == whose[:, None, :]).tril_()
        of_start = torch.from_numpy(in_start).to(device)[:, None].expand(-1, n_end, -1)
        hidden = self._body(
            input_ids=torch.from_numpy(ends).to(device),
            attention_mask=torch.cat([of_start, of_same_end], dim=2)[:, None],  # 1 for all heads
            position_ids=torch.from_numpy(places).to(device),
            **kept,
        ).last_hidden_state
        return self._read(self._head(hidden[row_of_text, last_of_text]))
