"""The one text that a reward model sees, as tokens: in training, in scoring and in RL alike."""

from __future__ import annotations

from collections.abc import Mapping

from transformers import PreTrainedTokenizerBase

from wfine_utils.text_layout import show_layout


def is_encoder(tokenizer: PreTrainedTokenizerBase) -> bool:
    """Whether the model reads a text as a whole (BERT and its kin) and cannot write one.

    Told by the mask token, which only models have that were trained to fill in gaps.
    """
    return tokenizer.mask_token is not None


def messages(instruction: str, response: str) -> list[Mapping[str, str]]:
    """The conversation a reward model judges: the instruction asked for, the response given."""
    return [
        {"role": "user", "content": instruction},
        {"role": "assistant", "content": response},
    ]


def encode(
    tokenizer: PreTrainedTokenizerBase, instruction: str, response: str, max_tokens: int
) -> list[int]:
    """The one render: the token ids a reward model sees, in training, scoring and RL alike.

    Args:
        tokenizer: of a language model, with a chat template; or of an encoder, which reads
            instruction and response as a pair with a separator between them, the layout of the
            response shown by :func:`text_layout.show_layout`.
        instruction: the whole prompt, or one requirement.
        response: the text to judge; special tokens in it are read as plain text.
        max_tokens: longest sequence; of a longer one the middle is cut out, so that head and
            tail of the response, and the instruction in front, stay.

    Returns:
        Token ids, at most ``max_tokens``. The score is read at the last one, by an encoder at
        the first.

    Differences from the released template: that puts the response first, which would let the
    requirements of one response share its prefix. In a trial in the tiny world that order
    learnt clearly less from the same pairs, with one seed each.
    """
    if is_encoder(tokenizer):
        shown = show_layout(response)
        ids = tokenizer(instruction, shown, split_special_tokens=True, verbose=False)
        return cut_middle(ids["input_ids"], max_tokens)
    ids = tokenizer.apply_chat_template(
        messages(instruction, response),
        tokenize=True,
        return_dict=False,
        sanitize_control_tokens=True,
    )
    return cut_middle(ids, max_tokens)


def cut_middle(ids: list[int], max_tokens: int, step: int = 1) -> list[int]:
    """At most ``max_tokens`` ids: the first half and the second half of what is allowed.

    Args:
        ids: token ids, or anything in their place.
        max_tokens: most that are kept.
        step: the second half begins at a multiple of this. Texts that begin alike and differ a
            little in length then have the same middle cut out, and go on beginning alike.

    >>> cut_middle([1, 2, 3, 4, 5], 4)
    [1, 2, 4, 5]
    """
    if len(ids) <= max_tokens:
        return ids
    tail = max_tokens // 2
    start = -(-(len(ids) - tail) // step) * step
    return ids[: max_tokens - tail] + ids[start:]
