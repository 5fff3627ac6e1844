"""A language model in this process as a backend of judges; needs torch."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tqdm.auto import tqdm
from transformers import LogitsProcessor

from wfine_utils.base_model import Base
from wfine_utils.errors import WfineError
from wfine_utils.files import resolve
from wfine_utils.judges.backends import CachedBackend, CallCache, Reply
from wfine_utils.models import devices, loading, places
from wfine_utils.models.encoding import is_unicode, padded, prompt_ids, token_budget_batches
from wfine_utils.models.packaged import base_named
from wfine_utils.weval.resampling import FloatArray


class TransformersBackend:
    """A base model that answers in its chat template.

    The answer to a prompt depends on that prompt, the model and the arguments alone, not on the
    prompts beside it, up to rounding: in bf16 two almost equally likely tokens can change places.

    Args:
        base: to load.
        quantise: in 4-bit.
        token_budget: padded tokens per batch, the tokens to be written included.
        template_kwargs: for the chat template, as ``{"enable_thinking": False}`` for Qwen3, whose
            first token would else never be an option.

    Raises:
        WfineError: the model cannot be loaded, or has no chat template.
    """

    repeats_itself = True

    def __init__(
        self,
        base: Base,
        *,
        quantise: bool = True,
        token_budget: int = 8192,
        template_kwargs: Mapping[str, Any] | None = None,
    ) -> None:
        self._tokenizer = loading.load_tokenizer(base)
        model = loading.load_quantised(base, "causal", tokenizer=self._tokenizer, quantise=quantise)
        self._model, self._token_budget = model.eval(), token_budget
        self._template_kwargs = dict(template_kwargs or {})
        self._n_positions = places.n_positions(model)
        # The weights alone do not tell how a prompt is worded for the model.
        words = json.dumps([self._tokenizer.chat_template, self._template_kwargs], sort_keys=True)
        template = hashlib.sha256(words.encode()).hexdigest()[:16]
        precision = f"{'nf4 ' if quantise else ''}{devices.compute_dtype()}".replace("torch.", "")
        self.fingerprint = f"{base.fingerprint} {precision} template {template}"

    def complete(
        self, prompts: Sequence[str], *, max_tokens: int, temperature: float = 0.0, seed: int = 0
    ) -> list[Reply]:
        """See :class:`~wfine_utils.judges.backends.Backend`.

        At a temperature above 0 a prompt and a seed give one text: for several, give several seeds.
        """
        ids, problems = self._encode(prompts, room=max_tokens)
        replies = [Reply(None, problem) for problem in problems]
        for batch in self._batches(ids, max_tokens, "complete"):
            chosen = [prompts[i] for i in batch]
            noise = [SeededSampling(chosen, temperature, seed)] if temperature else []
            texts = self._generate([ids[i] for i in batch], max_tokens, noise)
            for i, text in zip(batch, texts, strict=True):
                replies[i] = Reply(text)
        return replies

    def option_logprobs(self, prompts: Sequence[str], options: Sequence[str]) -> FloatArray:
        """See :class:`wfine_utils.judges.backends.Backend`; NaN for a prompt that is too long.

        Raises:
            WfineError: an option is not one token after the model's chat template.
        """
        tokens = [self._option_token(option) for option in options]
        ids, _ = self._encode(prompts, room=0)
        log_p = np.full((len(prompts), len(options)), np.nan)
        for batch in self._batches(ids, 0, "option_logprobs"):
            log_p[batch] = self._first_token([ids[i] for i in batch])[:, tokens]
        return log_p

    def _encode(self, prompts: Sequence[str], room: int) -> tuple[list[list[int]], list[str]]:
        """Token ids of each prompt, and why it cannot be asked; one of the two is empty."""
        # sanitised, because a text to be judged may hold anything
        options = {"sanitize_control_tokens": True, **self._template_kwargs}
        ids, problems = [], []
        for prompt in prompts:
            encoded, problem = [], ""
            if is_unicode(prompt):
                messages = [{"role": "user", "content": prompt}]
                encoded = prompt_ids(self._tokenizer, messages, **options)
            else:
                problem = "the prompt is not valid Unicode, so it cannot be tokenised"
            if len(encoded) + room > self._n_positions:
                n = f"{len(encoded)} tokens and {room} for the reply"
                problem = f"the prompt's {n} are more than the {self._n_positions} of the model"
            ids.append([] if problem else encoded)
            problems.append(problem)
        return ids, problems

    def _batches(self, ids: Sequence[Sequence[int]], room: int, desc: str):
        """Indices of the prompts that can be asked, in batches of like length, with a bar."""
        fit = np.array([i for i, encoded in enumerate(ids) if encoded], dtype=int)
        lengths = [len(ids[i]) + room for i in fit]
        with tqdm(total=len(fit), desc=desc, unit="prompt", leave=False) as bar:
            for batch in token_budget_batches(lengths, self._token_budget):
                yield fit[batch]
                bar.update(len(batch))

    @torch.inference_mode()
    def _generate(
        self, ids: Sequence[Sequence[int]], max_tokens: int, processors: Sequence[LogitsProcessor]
    ) -> list[str]:
        inputs = padded(self._tokenizer, ids, "left").to(self._model.device)
        # All that a model's own generation_config may set otherwise is set here. A repetition
        # penalty, for one, would fall on the padding too, and so depend on the batch.
        output = self._model.generate(
            **inputs, do_sample=False, num_beams=1, repetition_penalty=1.0, temperature=1.0,
            top_p=1.0, top_k=50, max_new_tokens=max_tokens,
            pad_token_id=self._tokenizer.pad_token_id, logits_processor=list(processors),
        )  # fmt: skip
        written = output[:, inputs["input_ids"].shape[1] :]
        return self._tokenizer.batch_decode(written, skip_special_tokens=True)

    @torch.inference_mode()
    def _first_token(self, ids: Sequence[Sequence[int]]) -> FloatArray:
        """Log-probabilities of the token after each text, shape [texts, vocabulary]."""
        inputs = padded(self._tokenizer, ids).to(self._model.device)
        last = inputs["attention_mask"].sum(dim=1) - 1
        # Logits of a whole text would fill the memory: a vocabulary is wider than a model.
        places, place_of = last.unique(return_inverse=True)
        logits = self._model(**inputs, logits_to_keep=places, use_cache=False).logits
        rows = torch.arange(len(ids), device=logits.device)
        return logits[rows, place_of].float().log_softmax(-1).double().cpu().numpy()

    def _option_token(self, option: str) -> int:
        """The id of the one token that ``option`` is, right after the generation prompt."""
        before = str(self._tokenizer.apply_chat_template(
            [{"role": "user", "content": "?"}], add_generation_prompt=True, tokenize=False,
            **self._template_kwargs,
        ))  # fmt: skip
        texts = [before, before + option]
        start, ids = self._tokenizer(texts, add_special_tokens=False)["input_ids"]
        if len(ids) != len(start) + 1 or ids[:-1] != start:
            raise WfineError(
                f"option {option!r}: found the tokens {self._tokenizer.tokenize(option)}, expected "
                "exactly one token at the start of an answer. Choose another word, or mode 'text'."
            )
        return ids[-1]


class SeededSampling(LogitsProcessor):
    """Turns the likeliest token into a sampled one, with random numbers of its own per prompt.

    The largest of logits / temperature + Gumbel noise is a sample of the softmax. With
    ``do_sample`` a batch would share one stream, and other batches write other texts.
    """

    def __init__(self, prompts: Sequence[str], temperature: float, seed: int) -> None:
        digests = [hashlib.sha256(f"{seed} {prompt}".encode()).digest() for prompt in prompts]
        self._rngs = [np.random.default_rng(list(digest)) for digest in digests]
        self._temperature = temperature

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        noise = np.stack([rng.gumbel(size=scores.shape[1]) for rng in self._rngs])
        return scores / self._temperature + torch.as_tensor(noise).to(scores)


SMALL_BYTES = 2**30
"""Weights of fewer bytes in a local folder are used as they are, not quantised."""


def load_judge(name: str, *, cache: str | Path) -> CachedBackend:
    """A model in this process that goes on after a kill, and answers nothing twice.

    Args:
        name: of a model, as :func:`wfine_utils.models.packaged.base_named` takes it.
        cache: file of the answers, seen from the project root.

    Raises:
        WfineError: model or ``cache`` cannot be used, or the model has no chat template.
    """
    base = base_named(name)
    n_bytes = sum(file.stat().st_size for file in Path(base.model).glob("*.safetensors"))
    # A small model gains no time by 4 bits on a CPU, and needs none of the memory that they save.
    quantise = not 0 < n_bytes < SMALL_BYTES
    answers = CallCache(resolve(cache))  # first: it is cheap, and may be refused
    return CachedBackend(TransformersBackend(base, quantise=quantise), answers)
