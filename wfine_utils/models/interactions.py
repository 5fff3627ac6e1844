"""How requirement and response meet, where a model reads them apart."""

from __future__ import annotations

from typing import Any

import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from wfine_utils.errors import WfineError
from wfine_utils.models.encoding import is_encoder
from wfine_utils.models.late_interaction import LateInteraction
from wfine_utils.models.query_likelihood import QueryLikelihood
from wfine_utils.settings import Interaction


def read_apart(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    interaction: Interaction,
    *,
    is_trained: bool,
) -> None:
    """Let a sequence classifier read requirement and response apart, in place.

    Args:
        model: not yet with adapters or with them.
        tokenizer: of the same base.
        interaction: ``"late"`` for an encoder, ``"query_likelihood"`` for a decoder.
        is_trained: False gives the head the values that it has before training; a trained head is
            loaded with the adapter.

    Raises:
        WfineError: a base of the other kind, a head that is more than one linear layer, or a
            decoder whose output embeddings are not its input embeddings.
    """
    is_late = interaction == "late"
    if not is_trained:
        _refuse_other(model, tokenizer, interaction)
        head: Any = model.classifier if is_late else model.score
        torch.nn.init.zeros_(head.weight)
        if head.bias is not None:  # of late interaction every token has the weight 1
            torch.nn.init.constant_(head.bias, float(is_late))
    model.forward = (LateInteraction if is_late else QueryLikelihood)(model, tokenizer)


def _refuse_other(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, interaction: Interaction
) -> None:
    where = f"interaction: found {interaction!r} and {type(model).__name__}, expected "
    if interaction == "late":
        if not is_encoder(tokenizer) or not isinstance(
            getattr(model, "classifier", None), torch.nn.Linear
        ):
            raise WfineError(
                f"{where}an encoder with a linear layer called classifier, such as BERT, DeBERTa "
                "or ModernBERT. Choose another base_model, or interaction: cross."
            )
    elif is_encoder(tokenizer) or not isinstance(getattr(model, "score", None), torch.nn.Linear):
        raise WfineError(
            f"{where}a decoder, such as SmolLM2 or Qwen2.5. Choose another base_model, or "
            "interaction: cross."
        )
    elif not model.config.get_text_config().tie_word_embeddings:
        raise WfineError(
            f"{where}a decoder whose output embeddings are its input embeddings (as in Qwen2.5 up "
            "to 3B), as a classifier has no others. Choose another base_model, or interaction: "
            "cross."
        )
