"""How long a text may be: how many places a model has for its tokens."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

from transformers import PreTrainedConfig, PreTrainedModel

from wfine_utils.errors import WfineError


def n_positions(model: PreTrainedModel) -> int:
    """The longest text that the model has places for, the same ones in every batch."""
    for module_name, module in model.named_modules():
        padding = getattr(module, "padding_idx", None)
        if module_name.endswith("position_embeddings") and padding is not None:
            return module.num_embeddings - padding - 1  # RoBERTa counts from there
    return n_positions_of(model.config)


def n_positions_of(config: PreTrainedConfig) -> int:
    """The same, as far as the configuration alone tells; it does for all that write."""
    config = config.get_text_config()
    n = getattr(config, "max_position_embeddings", None)
    return min(n if n is not None and n > 0 else sys.maxsize, _n_fixed_places(config))


def refuse_too_long(
    config: PreTrainedConfig, longest: int, max_new_tokens: int, where: str
) -> None:
    """A prompt and its answer have to have a place each; ``longest`` is that of the prompts."""
    if longest + max_new_tokens > (n_places := n_positions_of(config)):
        raise WfineError(
            f"{where}: found a prompt of {longest:,} tokens and max_new_tokens = "
            f"{max_new_tokens:,}; expected at most the {n_places:,} together that the model has "
            "places for. Lower max_new_tokens, or leave out the longest prompts."
        )


def _n_fixed_places(config: PreTrainedConfig) -> int:
    """Up to which length the rotary places of a text do not depend on the texts beside it.

    "longrope" has two sets of frequencies, and the longest text of a batch decides for all of it.
    """
    rope: Any = getattr(config, "rope_parameters", None) or {}
    kinds = [rope, *(each for each in rope.values() if isinstance(each, Mapping))]
    limits = [
        x["original_max_position_embeddings"] for x in kinds if x.get("rope_type") == "longrope"
    ]
    return min(limits, default=sys.maxsize)
