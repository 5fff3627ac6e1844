"""The likelihood of a response under a language model, as a scorer and as a kept table."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from jinja2 import TemplateError
from numpy.typing import NDArray
from tqdm.auto import tqdm

from wfine_utils.base_model import Base
from wfine_utils.chains.taxonomy import Chain, Instruction
from wfine_utils.chains.weval_hand import load_weval_hand
from wfine_utils.files import atomic_write
from wfine_utils.models import encoding, loading, places
from wfine_utils.models.encoding import token_budget_batches
from wfine_utils.models.memory import tokens_of_logits
from wfine_utils.models.packaged import base_named
from wfine_utils.settings import Precision
from wfine_utils.weval.fluency import KEPT, FluencyScorer, text_digest
from wfine_utils.weval.scorers import Scores, scores_table, split_by_chain


class LikelihoodScorer:
    """Log-likelihood of the response under a language model, in nats.

    Args:
        instruction: True gives the model the full prompt in its chat template; False nothing but
            the token that begins a text, which measures fluency alone.
        per_token: the mean over tokens, or else the sum, which prefers short responses.
        quantise: load it in 4-bit.
        precision: on a CPU; the probabilities are computed in fp32 in any case.
        max_tokens: longest sequence, less where the model has fewer places; of a longer one the
            middle is cut, as for reward models, and the tokens of the response that stay count.
        token_budget: padded tokens per forward pass.
    """

    def __init__(
        self,
        base: Base,
        *,
        instruction: bool = True,
        per_token: bool = True,
        quantise: bool = True,
        precision: Precision = "fp32",
        max_tokens: int = 1024,
        token_budget: int = 4096,
        name: str = "base likelihood",
    ) -> None:
        tokenizer = loading.load_tokenizer(base)
        model = loading.load_quantised(
            base, "causal", tokenizer=tokenizer, quantise=quantise, precision=precision
        )
        self.name, self._tokenizer, self._model = name, tokenizer, model.eval()
        self._instruction, self._per_token = instruction, per_token
        self.n_cut = 0  # responses of the latest call of score of which only a part was read
        self._max_tokens = min(max_tokens, places.n_positions(model))
        vocab_size = model.config.get_text_config().vocab_size
        self._token_budget = tokens_of_logits(vocab_size, token_budget)

    def score(self, chains: Sequence[Chain]) -> Scores:
        """One value per response, in (−∞, 0]; NaN for one without a token or no valid Unicode."""
        pairs = [(chain.query.conversation(), r.text) for chain in chains for r in chain.responses]
        flat = self.likelihoods([prompt for prompt, _ in pairs], [text for _, text in pairs])
        return split_by_chain(flat, chains)

    def likelihoods(
        self, prompts: Sequence[Instruction], responses: Sequence[str], *, progress: bool = True
    ) -> NDArray[np.float64]:
        """The same of n prompts and responses: float64 [n]."""
        texts, starts, self.n_cut = [], [], 0
        for prompt, response in zip(prompts, responses, strict=True):
            ids, start = self._cut(prompt, response)
            texts.append(ids)
            starts.append(start)
        flat = np.full(len(texts), np.nan)
        batches = token_budget_batches([len(ids) for ids in texts], self._token_budget)
        for batch in tqdm(batches, desc=self.name, unit="batch", disable=not progress):
            flat[batch] = self._forward([texts[i] for i in batch], [starts[i] for i in batch])
        return flat

    def _cut(self, instruction: Instruction, response: str) -> tuple[list[int], int]:
        """The tokens of prompt and response that stay, and at which the response begins."""

        def render(instruction: Instruction, response: str) -> list[int]:
            answer: Any = self._tokenizer(response, add_special_tokens=False)["input_ids"]
            return [*self._prompt(instruction), *answer]

        if not encoding.is_unicode(encoding.as_text(instruction) + response):
            return [], 0
        try:
            ids = render(instruction, response)
        except TemplateError:
            if isinstance(instruction, str):
                raise
            return [], 0  # no answer to a conversation that the template refuses
        left = encoding.places_kept(ids, render, instruction, response, self._max_tokens)
        self.n_cut += len(left) < len(ids)
        n_prompt = len(self._prompt(instruction))
        return [ids[i] for i in left], sum(i < n_prompt for i in left)

    def _prompt(self, instruction: Instruction) -> list[int]:
        if not self._instruction:
            begin = self._tokenizer.bos_token_id
            return [self._tokenizer.eos_token_id if begin is None else begin]
        return encoding.prompt_ids(self._tokenizer, encoding.asked_messages(instruction))

    @torch.inference_mode()
    def _forward(self, ids: Sequence[Sequence[int]], starts: Sequence[int]) -> np.ndarray:
        inputs = encoding.padded(self._tokenizer, ids).to(self._model.device)
        log_p = self._model(**inputs).logits[:, :-1].float().log_softmax(-1)
        chosen = log_p.gather(-1, inputs["input_ids"][:, 1:, None]).squeeze(-1)
        place = torch.arange(1, inputs["input_ids"].shape[1], device=chosen.device)
        first = torch.tensor(starts, device=chosen.device)[:, None]
        answer = (place >= first) & inputs["attention_mask"][:, 1:].bool()
        n_tokens, total = answer.sum(dim=1), (chosen * answer).sum(dim=1)
        value = total / n_tokens.clamp(min=1) if self._per_token else total
        return torch.where(n_tokens > 0, value, torch.nan).double().cpu().numpy()


def load_fluency(name: str) -> Callable[[Sequence[str]], NDArray[np.float64]]:
    """A measure of fluency that knows no prompt: mean log-likelihood of texts, in nats.

    Args:
        name: of a language model, as :func:`wfine_utils.models.packaged.base_named` takes it; its
            likelihood is per token. Empty: characters given the five before them, counted on the
            responses of WEval-Hand, per character.

    Returns:
        Of n texts float64 [n]; NaN for one without a token. To be called with all texts at once.
    """
    if not name:
        reference = [r.text for chain in load_weval_hand() for r in chain.responses]
        return lambda texts: FluencyScorer().of_texts(texts, reference)
    scorer = LikelihoodScorer(base_named(name), instruction=False, quantise=False, name="fluency")
    return lambda texts: scorer.likelihoods([""] * len(texts), texts)


def keep_fluency(base: Base, path: Path = KEPT) -> pd.DataFrame:
    """Score WEval-Hand with a causal language model that sees no instruction; write a table.

    Returns:
        ``scorer, chain_id, response, gold, score, text_sha256``, the last cut to 16 digits.
    """
    chains = load_weval_hand()
    name = f"fluency ({Path(base.model).name})"
    scorer = LikelihoodScorer(base, instruction=False, quantise=False, name=name)
    table = scores_table({scorer.name: scorer.score(chains)}, chains)
    table["text_sha256"] = [text_digest(r.text) for chain in chains for r in chain.responses]
    atomic_write(path, lambda to: table.to_csv(to, index=False, float_format="%.5f"))
    return table
