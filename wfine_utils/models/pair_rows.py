"""Rows of a requirement and a response that a model reads apart: written, taken apart, batched."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache

import numpy as np
from torch import Tensor
from transformers import PreTrainedTokenizerBase

from wfine_utils.chains.taxonomy import Instruction
from wfine_utils.models.encoding import as_text, cut_middle, is_encoder, is_unicode, with_layout

Part = tuple[int, ...]
"""Token ids of a requirement or a response, without marks."""


def marks(tokenizer: PreTrainedTokenizerBase) -> tuple[list[int], int, list[int]]:
    """What stands before a requirement, between it and the response, and after that."""
    if is_encoder(tokenizer):
        return [tokenizer.cls_token_id], tokenizer.sep_token_id, [tokenizer.sep_token_id]
    return [], tokenizer.eos_token_id, []


def encode_apart(
    tokenizer: PreTrainedTokenizerBase,
    instruction: Instruction,
    response: str,
    max_tokens: int,
    *,
    show_layout: bool = True,
    on_cut: Callable[[], object] | None = None,
) -> list[int]:
    """As :func:`~wfine_utils.models.encoding.encode`, with a response that is cut by itself.

    Its middle goes where it has more than ``max_tokens``, whatever the requirement: so it is the
    same text under each of them, and read once. There is no template, so turns are read as
    :func:`~wfine_utils.models.encoding.as_text` writes them.
    """
    wording = as_text(instruction)
    if not is_unicode(wording + response):
        return []
    text = with_layout(response) if show_layout and is_encoder(tokenizer) else response
    request, given = (_ids(tokenizer, each) for each in (wording, text))
    if on_cut and len(given) > max_tokens:
        on_cut()
    before, between, after = marks(tokenizer)
    return [*before, *request, between, *cut_middle([*given], max_tokens), *after]


@lru_cache(maxsize=8192)  # a response stands in many pairs
def _ids(tokenizer: PreTrainedTokenizerBase, text: str) -> Part:
    """Token ids without marks; what looks like one in the text is read as plain text."""
    encoded = tokenizer(text, add_special_tokens=False, split_special_tokens=True, verbose=False)
    return tuple(encoded["input_ids"])


def parts_of(
    row: Sequence[int] | np.ndarray, tokenizer: PreTrainedTokenizerBase
) -> tuple[Part, Part]:
    """Requirement and response of one row, without marks and padding."""
    before, between, _ = marks(tokenizer)
    ids = np.asarray(row)
    ends = np.flatnonzero(ids == between)
    first = int(ends[0]) if len(ends) else len(ids)
    aside = [*before, between]
    requirement, response = (
        side[~np.isin(side, aside)].tolist() for side in (ids[:first], ids[first:])
    )
    return tuple(requirement), tuple(response)


def pairs_of(
    input_ids: Tensor, attention_mask: Tensor, tokenizer: PreTrainedTokenizerBase
) -> list[tuple[Part, Part]]:
    """Requirement and response of every row of a padded batch, both tensors [rows, tokens]."""
    is_read = attention_mask.cpu().numpy().astype(bool)
    rows = zip(input_ids.cpu().numpy(), is_read, strict=True)
    return [parts_of(row[kept], tokenizer) for row, kept in rows]


def by_response(pairs: Sequence[tuple[Part, Part]]) -> dict[Part, dict[Part, list[int]]]:
    """Places of (requirement, response) pairs: ``{response: {requirement: places}}``."""
    places: dict[Part, dict[Part, list[int]]] = {}
    for i, (requirement, response) in enumerate(pairs):
        places.setdefault(response, {}).setdefault(requirement, []).append(i)
    return places


def batches_of_responses(
    rows: Sequence[Sequence[int]], tokenizer: PreTrainedTokenizerBase, budget: int
) -> list[np.ndarray]:
    """Places of rows in batches in which rows of one response stand together.

    Args:
        rows: token ids of pairs; an empty row is in no batch.
        budget: tokens of different responses in a batch, of one response at least.
    """
    of_response: dict[Part, list[int]] = {}
    for i, row in enumerate(rows):
        if len(row):
            of_response.setdefault(parts_of(row, tokenizer)[1], []).append(i)
    batches, n_tokens = list[list[int]](), budget + 1
    for response, same in sorted(of_response.items(), key=lambda item: -len(item[0])):
        if n_tokens + len(response) > budget:
            batches.append([])
            n_tokens = 0
        batches[-1] += same
        n_tokens += len(response)
    return [np.array(batch) for batch in batches]
