"""Texts as tokens: what a reward model sees, what a model is asked, and batches of both."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import numpy as np
from jinja2 import TemplateError
from transformers import BatchEncoding, PreTrainedTokenizerBase

from wfine_utils.chains.taxonomy import Instruction


def is_encoder(tokenizer: PreTrainedTokenizerBase) -> bool:
    """Whether the model reads a text as a whole (BERT and its kin) and cannot write one.

    Told by the tokenizer, which lies beside an adapter too: it can mask a gap to be filled in, and
    has no chat template. Gemma, which writes, has a mask token as well.
    """
    return tokenizer.mask_token is not None and not tokenizer.chat_template


Messages = Sequence[Mapping[str, str]]
"""A conversation: turns, each with ``role`` and ``content``."""


def asked_messages(instruction: Instruction) -> list[dict[str, str]]:
    """The conversation up to the answer: the instruction, after what was said before it."""
    if isinstance(instruction, str):
        return [{"role": "user", "content": instruction}]
    return [{"role": turn.role, "content": turn.content} for turn in instruction]


def judged_messages(instruction: Instruction, response: str) -> list[dict[str, str]]:
    """The conversation a reward model judges: the instruction asked for, the response given."""
    return [*asked_messages(instruction), {"role": "assistant", "content": response}]


def as_text(instruction: Instruction) -> str:
    """The instruction for a model that knows no turns: each with its speaker before it.

    >>> from wfine_utils.chains.taxonomy import Turn
    >>> as_text((Turn("system", "Be brief."), Turn("user", "Write a poem.")))
    'system: Be brief.\\n\\nuser: Write a poem.'
    """
    if isinstance(instruction, str):
        return instruction
    return "\n\n".join(f"{turn.role}: {turn.content}" for turn in instruction)


def prompt_ids(tokenizer: PreTrainedTokenizerBase, messages: Messages, **options: Any) -> list[int]:
    """Token ids of all turns of a conversation and of the mark that asks for an answer.

    ``options`` are for the chat template.
    """
    turns: Any = list(messages)
    options |= {"add_generation_prompt": True, "tokenize": True, "return_dict": False}
    ids: Any = tokenizer.apply_chat_template(turns, **options)
    return ids


def padded(
    tokenizer: PreTrainedTokenizerBase,
    ids: Sequence[Sequence[int]],
    side: Literal["left", "right"] = "right",
) -> BatchEncoding:
    """Texts of different length as tensors [texts, tokens]: ids and ``attention_mask``."""
    batch: Any = {"input_ids": list(ids)}
    return tokenizer.pad(batch, return_tensors="pt", padding_side=side)


def encode(
    tokenizer: PreTrainedTokenizerBase,
    instruction: Instruction,
    response: str,
    max_tokens: int,
    *,
    show_layout: bool = True,
    on_cut: Callable[[], object] | None = None,
) -> list[int]:
    """The one render: the token ids a reward model sees, in training, scoring and RL alike.

    The released template puts the response first, which would let the requirements of one response
    share its prefix. In a trial in the tiny world that order learnt clearly less from the same
    pairs, with one seed each.

    Args:
        tokenizer: of a language model, with a chat template; or of an encoder, which reads
            instruction and response as a pair with a separator between them.
        instruction: the whole prompt, or one requirement. Turns before it are those of the chat
            template; an encoder, which has none, reads :func:`as_text`.
        response: the text to judge; special tokens in it are read as plain text.
        max_tokens: longest sequence; of a longer one the middle is cut out, see
            :func:`places_kept`.
        show_layout: mark the layout of the response by :func:`with_layout` for an encoder.
        on_cut: called if a part of the text had to be cut out, so that it can be counted.

    Returns:
        Token ids; none where a text is not valid Unicode, or where the template refuses a
        conversation, as some do one with a system message.
    """

    def render(instruction: Instruction, response: str) -> list[int]:
        ids: Any
        if is_encoder(tokenizer):
            text = with_layout(response) if show_layout else response
            request = as_text(instruction)
            pair = tokenizer(request, text, split_special_tokens=True, verbose=False)
            ids = pair["input_ids"]
        else:
            turns: Any = judged_messages(instruction, response)
            ids = tokenizer.apply_chat_template(
                turns, tokenize=True, return_dict=False, sanitize_control_tokens=True
            )
        return ids

    if not is_unicode(as_text(instruction) + response):
        return []
    try:
        ids = render(instruction, response)
    except TemplateError:
        if isinstance(instruction, str):
            raise
        return []
    kept = places_kept(ids, render, instruction, response, max_tokens)
    if on_cut and len(kept) < len(ids):
        on_cut()
    return [ids[i] for i in kept]


def cut_middle(ids: list[int], max_tokens: int, step: int = 1) -> list[int]:
    """At most ``max_tokens`` ids: the first half and the second half of what is allowed.

    The second half begins at a multiple of ``step``. Texts that begin alike and differ a little
    in length then have the same middle cut out, and go on beginning alike.

    >>> cut_middle([1, 2, 3, 4, 5], 4)
    [1, 2, 4, 5]
    """
    if len(ids) <= max_tokens:
        return ids
    tail = max_tokens // 2
    start = -(-(len(ids) - tail) // step) * step
    return ids[: max_tokens - tail] + ids[start:]


def places_kept(
    ids: Sequence[int],
    render: Callable[[Instruction, str], Sequence[int]],
    instruction: Instruction,
    response: str,
    max_tokens: int,
    step: int = 1,
) -> list[int]:
    """Which tokens of a text stay, so that at most ``max_tokens`` do.

    The middle goes, as in :func:`cut_middle`, if it lies inside the instruction or inside the
    response. Else it would take the marks of the template along, such as the separator between the
    two or the one that begins the answer. Then each part gets half of the room, or what the other
    leaves, and loses its own middle.

    Args:
        ids: ``render(instruction, response)``, the whole text in tokens.
        render: called again for a text that is too long, with one part replaced by a dot: what
            differs then is that part, wherever the template puts it.
        step: as for :func:`cut_middle`.

    Returns:
        Places in ``ids``, ascending.
    """
    places = list(range(len(ids)))
    kept = cut_middle(places, max_tokens, step)
    if len(kept) == len(places):
        return kept
    others = render(".", response), render(instruction, ".")
    spans = [range(*_differing(ids, other)) for other in others]
    inner, outer = sorted(spans, key=len)  # a template may say the instruction before and after
    first, second = sorted(([i for i in outer if i not in inner], list(inner)))
    cut = set(places) - set(kept)
    marks = sorted(set(places) - {*first, *second})
    room = max_tokens - len(marks)
    if room < 2 or any(cut <= set(part) for part in (first, second)):
        return kept
    n_second = min(len(second), max(room // 2, room - len(first)))
    parts = cut_middle(first, room - n_second), cut_middle(second, n_second)
    return sorted([*marks, *parts[0], *parts[1]])


def _differing(ids: Sequence[int], other: Sequence[int]) -> tuple[int, int]:
    """Start and end of the part of ``ids`` that ``other`` has not, between what both have."""
    n = min(len(ids), len(other))
    start = next((i for i in range(n) if ids[i] != other[i]), n)
    same = next((i for i in range(n - start) if ids[-1 - i] != other[-1 - i]), n - start)
    return start, len(ids) - same


_RULE = re.compile(r"([^\w\s])\1{3,}")
_BLANK_LINES = re.compile(r"\s*\n\s*\n\s*")
_BREAKS = re.compile(r"\s*\n\s*")


def with_layout(text: str) -> str:
    """The text with a sign for each line break, two for a blank line, and rules cut short.

    >>> with_layout("Boats\\n\\n\\n| a |\\n|--------|")
    'Boats ¶ ¶ | a | ¶ |---|'
    """
    text = _BLANK_LINES.sub(" ¶ ¶ ", _RULE.sub(r"\1\1\1", text).strip())
    return _BREAKS.sub(" ¶ ", text)


def is_unicode(text: str) -> bool:
    """Whether it is valid; half of a surrogate pair is not, and no tokenizer takes it."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def token_budget_batches(lengths: Sequence[int], budget: int) -> list[np.ndarray]:
    """Indices in batches, longest first, each of at most ``budget`` padded tokens.

    A text without a token is in none: there is nothing of it to compute.

    >>> [b.tolist() for b in token_budget_batches([2, 5, 3, 9], 10)]
    [[3], [1, 2], [0]]
    """
    batches: list[list[int]] = []
    for i in np.argsort(-np.asarray(lengths), kind="stable"):
        if lengths[i] == 0:
            break
        if not batches or (len(batches[-1]) + 1) * lengths[batches[-1][0]] > budget:
            batches.append([])
        batches[-1].append(int(i))
    return [np.array(batch) for batch in batches]
