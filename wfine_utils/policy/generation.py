"""Policies at work: loading one, sampling from it, and how far it has moved from its base."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch
from peft import PeftModel
from tqdm.auto import tqdm
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from wfine_utils.base_model import Base
from wfine_utils.chains.taxonomy import Query
from wfine_utils.models import loading, places
from wfine_utils.models.adapters import load_adapter
from wfine_utils.models.encoding import padded, prompt_ids
from wfine_utils.models.memory import tokens_of_logits
from wfine_utils.settings import AnswerFormat, Precision

THINK_ANSWER = (
    "Before you write, think about what the task asks for and plan how to meet it. Put these "
    "thoughts between <think> and </think>, and after them the finished text, and nothing but the "
    "text, between <answer> and </answer>. Write each of these four marks once, in this order, "
    "and nothing outside of them."
)
"""System prompt of the answer format ``"think_answer"``."""

_INSIDE = r"((?:(?!</?(?:think|answer)>).)*)"  # any text without one of the four marks
_FORM = re.compile(rf"\s*<think>{_INSIDE}</think>\s*<answer>{_INSIDE}</answer>\s*", re.DOTALL)


class Completion(NamedTuple):
    """What a policy wrote: the text, and whether it was cut off before the policy had ended it."""

    text: str
    is_cut: bool


def prompt_messages(query: Query, answer_format: AnswerFormat = "plain") -> list[dict[str, str]]:
    """The conversation a policy answers: the full instruction as the user's turn.

    ``"think_answer"`` puts :data:`THINK_ANSWER` before it, as system prompt; with ``"plain"`` there
    is none of ours, and a chat template may add its own.
    """
    system = {"role": "system", "content": THINK_ANSWER}
    user = {"role": "user", "content": query.prompt()}
    return [user] if answer_format == "plain" else [system, user]


def extract_answer(text: str, answer_format: AnswerFormat) -> str | None:
    """What of a policy's text is meant for the reader; None where the form is broken.

    ``"plain"`` takes the whole text. ``"think_answer"`` takes the part between ``<answer>`` and
    ``</answer>``, if both pairs of marks are there once, in order, with nothing but space outside
    of them, and the answer is not empty. A text cut off at its longest length breaks the form.

    >>> extract_answer("<think>Two lines.</think><answer>Rain.</answer>", "think_answer")
    'Rain.'
    >>> extract_answer("<answer>Rain.</answer>", "think_answer") is None
    True
    """
    if answer_format == "plain":
        return text
    match = _FORM.fullmatch(text)
    return (match[2].strip() or None) if match else None


def load_policy(
    base: Base, adapter: Path | None = None, *, quantise: bool = True, precision: Precision = "fp32"
) -> tuple[PreTrainedModel | PeftModel, PreTrainedTokenizerBase]:
    """A policy ready to generate: the base, with a trained adapter or as it is.

    Args:
        base: a language model.
        adapter: folder written by :func:`.train_policy`; None gives the base policy.
        quantise, precision: of the base policy; a trained one is as it was in training.

    Raises:
        WfineError: one of the two cannot be loaded, or they do not belong together.
    """
    if adapter is not None:
        adapted, tokenizer, _ = load_adapter(adapter, "causal", base)
        return adapted.eval(), tokenizer
    tokenizer = loading.load_tokenizer(base)
    model = loading.load_quantised(
        base, "causal", tokenizer=tokenizer, quantise=quantise, precision=precision
    )
    return model.eval(), tokenizer


def generate(
    model: PreTrainedModel | PeftModel,
    tokenizer: PreTrainedTokenizerBase,
    queries: Sequence[Query],
    *,
    max_new_tokens: int,
    temperature: float = 1.0,
    batch_size: int = 64,
    seed: int = 0,
    answer_format: AnswerFormat = "plain",
) -> list[Completion]:
    """One sampled completion per query, from the full instruction.

    Args:
        model, tokenizer: from :func:`load_policy`.
        queries: n queries.
        max_new_tokens: longest completion, in tokens.
        temperature: of sampling; no nucleus, no top-k.
        batch_size: prompts per call of ``generate``; prompts of similar length go together.
        seed: of sampling; the texts depend on it and on ``batch_size``.
        answer_format: as in training; :func:`extract_answer` gives the part that is to be judged.

    Returns:
        n whole texts, in the order of the queries, without special tokens; a text that is cut has
        ``max_new_tokens`` and no end.
    """
    return sample(
        model, tokenizer, [prompt_messages(query, answer_format) for query in queries],
        max_new_tokens=max_new_tokens, temperature=temperature, batch_size=batch_size, seed=seed,
    )  # fmt: skip


@torch.inference_mode()
def sample(
    model: PreTrainedModel | PeftModel,
    tokenizer: PreTrainedTokenizerBase,
    conversations: Sequence[Sequence[Mapping[str, str]]],
    *,
    max_new_tokens: int,
    temperature: float = 1.0,
    batch_size: int = 64,
    seed: int = 0,
) -> list[Completion]:
    """One sampled completion of each conversation; arguments as for :func:`generate`."""
    generator: Any = model
    torch.manual_seed(seed)
    prompts = [prompt_ids(tokenizer, conversation) for conversation in conversations]
    longest = max(map(len, prompts), default=0)
    places.refuse_too_long(model.config, longest, max_new_tokens, "policy")
    order = np.argsort([len(prompt) for prompt in prompts], kind="stable")
    completions = [Completion("", is_cut=False)] * len(prompts)
    ends = generator.generation_config.eos_token_id
    ends = torch.tensor(ends if isinstance(ends, list) else [ends], device=model.device)
    for start in tqdm(range(0, len(order), batch_size), desc="generate", unit="batch"):
        batch = order[start : start + batch_size]
        inputs = padded(tokenizer, [prompts[i] for i in batch], "left").to(model.device)
        output = generator.generate(
            **inputs,
            do_sample=True,
            temperature=temperature,
            top_p=1.0,
            top_k=0,
            max_new_tokens=max_new_tokens,
            pad_token_id=tokenizer.pad_token_id,
        )
        written = output[:, inputs["input_ids"].shape[1] :]
        decoded = tokenizer.batch_decode(written, skip_special_tokens=True)
        has_end = torch.isin(written, ends).any(dim=1).tolist()
        for i, text, ended in zip(batch, decoded, has_end, strict=True):
            completions[i] = Completion(text, is_cut=not ended)
    return completions


@torch.inference_mode()
def divergence(
    model: PreTrainedModel | PeftModel,
    tokenizer: PreTrainedTokenizerBase,
    queries: Sequence[Query],
    texts: Sequence[str],
    *,
    batch_size: int = 16,
    answer_format: AnswerFormat = "plain",
) -> pd.DataFrame:
    """How far a policy has moved from its base model, and how varied it still is.

    Both are exact at every token of the policy's own texts, from the whole next-token distribution,
    and averaged over the text.

    Args:
        model, tokenizer: from :func:`load_policy`; without an adapter the KL is 0.
        queries: n queries.
        texts: n whole texts the policy wrote to them.
        batch_size: texts per forward pass; fewer where the vocabulary is large.
        answer_format: of the prompts that the policy answered.

    Returns:
        One row per text: ``kl`` = KL(policy ‖ base) and ``entropy`` of the policy, both in nats per
        token, and ``n_tokens``.
    """
    ids, n_prompt = [], []
    for query, text in zip(queries, texts, strict=True):
        prompt = prompt_ids(tokenizer, prompt_messages(query, answer_format))
        written = tokenizer(text, add_special_tokens=False)["input_ids"]
        ids.append([*prompt, *written, tokenizer.eos_token_id])
        n_prompt.append(len(prompt))
    room = tokens_of_logits(model.config.get_text_config().vocab_size)
    batch_size = max(1, min(batch_size, room // max(map(len, ids), default=1)))
    rows = []
    for start in tqdm(range(0, len(ids), batch_size), desc="divergence", unit="batch"):
        batch = ids[start : start + batch_size]
        inputs = padded(tokenizer, batch).to(model.device)
        policy = base = model(**inputs).logits
        if isinstance(model, PeftModel):
            with model.disable_adapter():
                base = model(**inputs).logits
        for i, row in enumerate(batch):
            first = n_prompt[start + i]
            written = slice(first - 1, len(row) - 1)  # position t predicts token t + 1
            # one text at a time: in fp32 a whole batch would take several times its logits
            log_p, log_q = (x[i, written].float().log_softmax(-1) for x in (policy, base))
            p = log_p.exp()
            kl, entropy = (p * (log_p - log_q)).sum(-1), -(p * log_p).sum(-1)
            rows.append([float(kl.mean()), float(entropy.mean()), len(row) - first])
    return pd.DataFrame(rows, columns=["kl", "entropy", "n_tokens"])


def text_lengths(
    base: Base,
    queries: Sequence[Query],
    *,
    max_new_tokens: int,
    answer_format: AnswerFormat = "plain",
) -> tuple[list[int], int]:
    """How long the prompts of a policy and their longest answers are, and how long they may be.

    Returns:
        Tokens of each prompt (its system prompt too) and the longest answer together, one number
        per query; and the model's limit, see :func:`~wfine_utils.models.places.n_positions_of`.
    """
    tokenizer = loading.load_tokenizer(base)
    prompts = (prompt_ids(tokenizer, prompt_messages(q, answer_format)) for q in queries)
    limit = places.n_positions_of(loading.load_config(base))
    return [len(prompt) + max_new_tokens for prompt in prompts], limit
