"""What is examined before the scores of a sequence classifier are trusted.

Each function raises a :class:`WfineError`; ``where`` is how messages call the model.
Used by :mod:`wfine_utils.rewards.classifier`.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any

import jinja2
import numpy as np
import torch
from numpy.typing import NDArray
from transformers import PreTrainedTokenizerBase

from wfine_utils.errors import WfineError
from wfine_utils.models import encoding

TOLERANCE = 1e-4
"""Largest change of a score with its batch in fp32; of large scores, this share of the score."""

HALF_TOLERANCE = 0.05
"""The same where the body of the model computes in half precision, which has 3 digits or less."""

_WAY = "the steamer sounded its horn twice and crossed the bay toward the lights of the harbour, "

PROBES = [
    ("Write one line about rain.", "Rain again."),
    ("Use no adjective.", "The dog slept while the children ran to the river and back."),
    ("Describe a harbour at dusk in two sentences.", "Boats. " * 3),
    ("End with a question.", "Who would have thought that a lamp could wait for us?"),
    ("Write a letter to a neighbour about the noise. Be polite. Name a time.", "No."),
    ("Mention a heron.", _WAY * 2),
    ("List three things, one to a line.", "- a rope\n- a lamp\n- an old coat"),
    ("Be brief.", _WAY * 5),
]  # texts of eight lengths, the shortest and the longest in one batch


def positive_index(config: Any, positive_label: str | None, where: str) -> int | None:
    """Which of two labels is the good one; None for a single logit."""
    names = [str(config.id2label[i]) for i in range(config.num_labels)]
    if len(names) == 1:
        if positive_label is not None:
            raise WfineError(
                f"{where}: found positive_label {positive_label!r} and a single logit, which has "
                "no label to choose; expected none. Leave positive_label out."
            )
        return None
    if len(names) != 2 or config.problem_type == "multi_label_classification":
        raise WfineError(
            f"{where}: found {len(names)} labels {names} (problem type {config.problem_type}); "
            "expected one logit, or two labels of which one or the other is true, because a score "
            "is one number per response. Wrap the model in a scorer of your own that says how its "
            "outputs become one number."
        )
    if positive_label is None and names == ["LABEL_0", "LABEL_1"]:
        return 1
    if positive_label not in names:
        raise WfineError(
            f"{where}: found positive_label {positive_label!r}; expected one of the model's labels "
            f"{names}, because the wrong one would turn every ranking round. Name the label that "
            "means a good response."
        )
    return names.index(positive_label)


def refuse_wrong_padding(
    config: Any, tokenizer: PreTrainedTokenizerBase, is_decoder: bool, where: str
) -> None:
    """The padding token of the configuration is there, and the tokenizer pads with it."""
    known, used = config.get_text_config().pad_token_id, tokenizer.pad_token_id
    if known is None and (is_decoder or used is None):
        raise WfineError(
            f"{where}: found no pad_token_id in its configuration; expected one, because without "
            "it the model cannot tell the last token of a text from the padding after it. Write "
            "the token it was trained with (not one that ends a text) into config.json and the "
            "tokenizer."
        )
    if is_decoder and used not in (None, known):
        raise WfineError(
            f"{where}: found pad_token_id {known} in its configuration and {used} in its "
            "tokenizer; expected the same, because the model takes padding it does not know for "
            "the end of the text, so that a score changes with the batch. Write the token it was "
            "trained with into both."
        )


def refuse_wrong_text(
    tokenizer: PreTrainedTokenizerBase,
    encode: Callable[[str, str], list[int]],
    pad_token_id: int | None,
    *,
    is_decoder: bool,
    own_template: bool,
    where: str,
) -> None:
    """One BOS token at most; an end of turn; and the last token is no padding."""
    instruction, response = PROBES[1]
    try:
        ids = encode(instruction, response)
        messages = encoding.judged_messages(instruction, response)
        text = str(tokenizer.apply_chat_template(messages, tokenize=False))
    except (jinja2.TemplateError, ValueError) as error:
        raise WfineError(
            f"{where}: found a template that cannot be rendered ({error}); expected one that takes "
            "a user turn and an assistant turn. Give your own as template=."
        ) from error
    if unread := [part for part in (instruction, response) if part not in text]:
        raise WfineError(
            f"{where}: found a template that leaves out {unread}; expected one that holds both "
            "turns as they are."
        )
    bos = tokenizer.bos_token_id
    if bos is not None and ids[:2] == [bos, bos]:
        raise WfineError(
            f"{where}: found two BOS tokens ({tokenizer.bos_token}) at the start of a text; "
            "expected one, as in training. Take one out of the chat template."
        )
    if not is_decoder:
        return
    end = tokenizer(text.rpartition(response)[2], add_special_tokens=False)["input_ids"]
    added = tokenizer.added_tokens_decoder.items()
    special = {*tokenizer.all_special_ids, *(i for i, token in added if token.special)}
    if not own_template and not special & set(end):
        raise WfineError(
            f"{where}: found a chat template that writes no end-of-turn or EOS token after the "
            "response; expected one, because the score is read at the end of the text. Use the "
            "template of the training; if that had no such token, give it as template=."
        )
    if ids[-1] == pad_token_id:
        raise WfineError(
            f"{where}: found that {tokenizer.convert_ids_to_tokens(ids[-1])} both pads texts and "
            "ends them; expected a padding token of its own, because the model skips padding when "
            "it looks for the last token, and reads the score one token too early. Write another "
            "pad_token_id into config.json and the tokenizer; if the model was trained with the "
            "score read there, give as template= the chat template without that end."
        )


def refuse_unstable(
    forward: Callable[[Sequence[Any], str], NDArray[np.float64]],
    inputs: Sequence[Any],
    sides: Sequence[str],
    tolerance: float,
    *,
    is_trained: bool = True,
    where: str,
) -> None:
    """Scores of the built-in texts, alone and in batches, in two orders, padded on each side.

    A text alone has no padding, so what the model's forward gives for it is the standard. A head
    that is not trained yet gives scores close to 0: there, how far they lie apart is the measure.
    """
    try:
        alone = np.concatenate([forward([x], "right") for x in inputs])
    except RuntimeError as error:
        if isinstance(error, torch.OutOfMemoryError):
            raise
        raise WfineError(
            f"{where}: found that the model fails on a text by itself ({error}); expected one that "
            "reads texts of any length. Choose one of docs/model_families.md."
        ) from error
    unit = 1.0 if is_trained else float(np.ptp(alone))
    least = 1e-6 * (1.0 if is_trained else np.abs(alone).max())
    if not np.isfinite(alone).all() or np.ptp(alone) <= least:
        raise WfineError(
            f"{where}: found the scores {alone.min():.6g} to {alone.max():.6g} for {len(alone)} "
            "different texts; expected finite numbers that differ, because these cannot rank "
            "anything. Check that the weights are those of the trained classifier and the template "
            "is the right one."
        )
    allowed = tolerance * np.maximum(unit, np.abs(alone))
    backwards = list(range(len(inputs)))[::-1]
    batches = (backwards[:1], backwards[:3], backwards[::-1], [5, 0, 7])
    for batch, side in itertools.product(batches, sides):
        together = forward([inputs[i] for i in batch], side)
        excess = np.abs(together - alone[batch]) - allowed[batch]
        worst = int(np.argmax(excess))
        if not excess[worst] <= 0:
            raise WfineError(
                f"{where}: found a score of {alone[batch[worst]]:.6f} for a text alone and of "
                f"{together[worst]:.6f} for it in a batch of {len(batch)} padded on the {side}; "
                f"expected a difference of {allowed[batch[worst]]:.1g} at most, because a score "
                "that depends on its batch ranks by chance. Look for dropout left on, an attention "
                "mask that is not used, or anything computed over a batch."
            )
