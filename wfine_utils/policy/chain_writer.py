"""Chains whose responses a language model writes, each to its own dropped instruction.

The tiny world's writer is exact, which no language model is: it may meet what was dropped, and
break what was kept. So what it wrote is checked, and what is not as its label says is left out.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pandas as pd

from wfine_utils.base_model import Base
from wfine_utils.chains.taxonomy import Chain
from wfine_utils.checks.drop_validity import only_true_labels
from wfine_utils.errors import WfineError
from wfine_utils.policy import generation


def written_by_model(
    chains: Sequence[Chain], base: Base, *, max_new_tokens: int, seed: int
) -> list[Chain]:
    """The same chains, every response written by a language model.

    Args:
        chains: with queries and kept sets; their texts are not used.
        base: the model; it gets the instruction that holds only what a response kept.
        max_new_tokens: longest response, in tokens.
        seed: of sampling, at temperature 1.

    Warns of responses that were cut off before their end.
    """
    model, tokenizer = generation.load_policy(base)
    prompts = [chain.prompt(r.kept) for chain in chains for r in chain.responses]
    conversations = [[{"role": "user", "content": prompt}] for prompt in prompts]
    sampling = {"max_new_tokens": max_new_tokens, "seed": seed}
    completions = generation.sample(model, tokenizer, conversations, **sampling)
    if n_cut := sum(completion.is_cut for completion in completions):
        warnings.warn(
            f"{n_cut} of {len(completions)} responses ended at {max_new_tokens} tokens before the "
            "model had finished them, and stand in the chains as they are; raise max_new_tokens.",
            stacklevel=2,
        )
    texts = iter(completions)
    name = Path(base.model).name if Path(base.model).is_dir() else base.model
    written = []
    for chain in chains:
        responses = [replace(r, text=next(texts).text, source=name) for r in chain.responses]
        written.append(replace(chain, responses=tuple(responses)))
    return written


def true_chains(chains: Sequence[Chain], label: str) -> tuple[list[Chain], pd.DataFrame]:
    """:func:`~wfine_utils.checks.drop_validity.only_true_labels` of chains that a model wrote.

    Args:
        chains: from :func:`written_by_model`.
        label: how an error names them, e.g. ``"train, single"``.

    Raises:
        WfineError: no chain is left.
    """
    true, report = only_true_labels(chains)
    if not true:
        raise WfineError(
            f"writer: of {len(chains)} chains ({label}) that a model wrote, found none with two "
            "responses that meet what was kept and break what was dropped. Expected a model that "
            "follows instructions: take a larger one as base_model of notebook 00, raise "
            'writer_max_tokens, or set writer: "tiny".'
        )
    return true, report
