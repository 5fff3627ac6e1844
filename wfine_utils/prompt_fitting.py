"""Which prompts of a set a model can read."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from wfine_utils.errors import WfineError
from wfine_utils.generation import prompt_messages
from wfine_utils.models import load_config, load_tokenizer
from wfine_utils.params import AnswerFormat
from wfine_utils.prompt_sets import PromptSet


def fitting(
    prompt_set: PromptSet,
    base_model: str | Path,
    *,
    room: int,
    revision: str | None = None,
    answer_format: AnswerFormat = "plain",
) -> PromptSet:
    """Leave out the prompts that a model cannot read, and count them.

    A prompt is left out, for every policy alike, if its tokens and those of the longest answer are
    more than the model has positions for. It is not cut: an answer to half an instruction would
    be judged by the whole.

    Args:
        prompt_set: any set.
        base_model: folder or Hub id.
        room: tokens of the longest answer.
        revision: Hub revision of the base model.
        answer_format: of the policies; its system prompt takes room too.

    Returns:
        The set with the prompts that fit, ``n_left_out`` and ``n_tokens``. All of them where the
        model's configuration names no limit.

    Raises:
        WfineError: none fits.
    """
    tokenizer = load_tokenizer(base_model, revision)
    config = load_config(base_model, revision).get_text_config()
    limit = getattr(config, "max_position_embeddings", None) or np.inf
    how = {"add_generation_prompt": True, "tokenize": True, "return_dict": False}
    asked = (prompt_messages(query, answer_format) for query in prompt_set.queries)
    lengths = [room + len(tokenizer.apply_chat_template(x, **how)) for x in asked]
    pairs = zip(prompt_set.queries, lengths, strict=True)
    fits = tuple(query for query, length in pairs if length <= limit)
    if not fits:
        raise WfineError(
            f"{prompt_set.name}: found none of {len(prompt_set.queries)} prompts that fits into "
            f"the {limit:,} tokens of the model with {room:,} for the answer; expected one at "
            "least. Lower max_new_tokens, or take the set out of prompt_sets."
        )
    n_left_out = prompt_set.n_left_out + len(prompt_set.queries) - len(fits)
    n_tokens = max(length for length in lengths if length <= limit)
    return replace(prompt_set, queries=fits, n_left_out=n_left_out, n_tokens=n_tokens)
