"""Reward models: loading one, scoring with it, and how well it tells pairs apart.

A reward model gives one number to (instruction, response). Its *granularity* says what the
instruction is: the whole ``"prompt"``, or one ``"requirement"`` at a time, in which case the
score of a response is the mean over requirements of σ(reward).

``wfine_utils.rewards.training`` makes them, and ``accelerate launch -m wfine_utils.rewards``
does so on several GPUs. On disk a reward model is a folder with a LoRA
adapter, a tokenizer and ``manifest.json``, which records what the adapter belongs to.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
import torch
from peft import PeftModel
from scipy.special import expit
from tqdm.auto import tqdm
from transformers import PreTrainedTokenizerBase

from wfine_utils.base_model import located, portable, weights_digest
from wfine_utils.chains.pairs import PreferencePair
from wfine_utils.chains.taxonomy import Chain, Query, RequirementType
from wfine_utils.errors import WfineError
from wfine_utils.models import adapters, encoding, loading
from wfine_utils.models.encoding import token_budget_batches
from wfine_utils.weval.resampling import bootstrap_means
from wfine_utils.weval.scorers import Scores, _per_chain

Granularity = Literal["prompt", "requirement"]
MANIFEST = "manifest.json"


class RewardModel:
    """A trained reward model, ready to score. Made by :func:`load_reward_model`.

    Attributes:
        granularity: ``"prompt"`` or ``"requirement"``.
        manifest: what it was trained on and how.
    """

    def __init__(
        self, model: PeftModel, tokenizer: PreTrainedTokenizerBase, manifest: dict
    ) -> None:
        self._model = model.eval()
        self._tokenizer = tokenizer
        self.manifest = manifest
        self.granularity: Granularity = manifest["granularity"]
        self._max_tokens: int = manifest["settings"]["max_tokens"]
        precision = manifest["settings"].get("precision", "fp32")  # older models have no choice
        self._in_half = loading.compute_dtype(precision) == torch.bfloat16

    def rewards(
        self,
        instructions: Sequence[str],
        responses: Sequence[str],
        *,
        token_budget: int = 4096,
        progress: bool = False,
    ) -> np.ndarray:
        """The scalar reward of each (instruction, response).

        Equal inputs are scored once. Longest first, in batches of at most ``token_budget``
        tokens padding included, so the memory needed is known after the first batch.

        Args:
            instructions: n instructions, whole prompts or single requirements.
            responses: n responses.
            token_budget: padded tokens per forward pass.
            progress: show a progress bar.

        Returns:
            float64 of shape (n,). The head is computed in fp32, whatever the body uses.
        """
        inputs = list(zip(instructions, responses, strict=True))
        unique = {pair: i for i, pair in enumerate(dict.fromkeys(inputs))}
        ids = [encoding.encode(self._tokenizer, *pair, self._max_tokens) for pair in unique]
        scores = np.empty(len(ids))
        bar = tqdm(total=len(ids), desc="reward model", unit="text", disable=not progress)
        for batch in token_budget_batches([len(x) for x in ids], token_budget):
            scores[batch] = self._forward([ids[i] for i in batch])
            bar.update(len(batch))
        bar.close()
        return scores[[unique[pair] for pair in inputs]]

    def score(
        self, queries: Sequence[Query], responses: Sequence[str], *, progress: bool = False
    ) -> np.ndarray:
        """How well each response does what its query asks; what WEval and GRPO use.

        Args:
            queries: n queries.
            responses: n responses.
            progress: show a progress bar.

        Returns:
            float64 of shape (n,), higher = better: the reward of the whole prompt, or the
            mean over requirements of σ(reward), in [0, 1].
        """
        if self.granularity == "prompt":
            prompts = [query.prompt() for query in queries]
            return self.rewards(prompts, responses, progress=progress)
        found = self.probabilities(queries, responses, progress=progress)
        return np.array([each.mean() for each in found], dtype=np.float64)

    def probabilities(
        self, queries: Sequence[Query], responses: Sequence[str], *, progress: bool = False
    ) -> list[np.ndarray]:
        """σ(reward) of each requirement by itself: this model's opinion of whether it is met.

        Args:
            queries: n queries.
            responses: n responses.
            progress: show a progress bar.

        Returns:
            n arrays of float64 in [0, 1], one number per requirement of the query.
        """
        instructions = [r.text for query in queries for r in query.requirements]
        sizes = [len(query.requirements) for query in queries]
        texts = [text for text, n in zip(responses, sizes, strict=True) for _ in range(n)]
        flat = expit(self.rewards(instructions, texts, progress=progress))
        return np.split(flat, np.cumsum(sizes)[:-1]) if sizes else []

    @torch.inference_mode()
    def _forward(self, ids: Sequence[Sequence[int]]) -> np.ndarray:
        """Rewards of one batch. Language models are pooled by the true length, never by looking
        for padding; encoders at their first token, by themselves.
        """
        classifier = self._model.get_base_model()
        padded = self._tokenizer.pad(
            {"input_ids": list(ids)}, return_tensors="pt", padding_side="right"
        ).to(self._model.device)
        with torch.autocast(self._model.device.type, torch.bfloat16, enabled=self._in_half):
            if encoding.is_encoder(self._tokenizer):
                return classifier(**padded).logits.float().squeeze(-1).cpu().numpy()
            hidden = classifier.model(**padded, use_cache=False).last_hidden_state
        last = padded["attention_mask"].sum(dim=1) - 1
        pooled = hidden[torch.arange(len(ids), device=hidden.device), last].float()
        return classifier.score(pooled).float().squeeze(-1).cpu().numpy()


def load_reward_model(folder: str | Path) -> RewardModel:
    """Reload a reward model saved by :func:`train_reward_model`, to score as it did then.

    Raises:
        WfineError: no manifest, or the base model or the chat template is not the one the
            adapter was trained with (the scores would be those of another function).
    """
    folder = Path(folder)
    if not (folder / MANIFEST).is_file():
        raise WfineError(
            f"{folder}: found no {MANIFEST}, expected the folder of a trained reward model; run "
            "notebook 03_reward_model first."
        )
    manifest = json.loads((folder / MANIFEST).read_text())
    base = located(manifest["base_model"], folder)
    tokenizer = loading.load_tokenizer(folder)
    for field, found in (
        ("base_sha256", weights_digest(base)),
        ("chat_template_sha256", _digest(tokenizer.chat_template)),
    ):
        if found != manifest[field]:
            raise WfineError(
                f"{folder / MANIFEST}: {field}: found {found}, expected {manifest[field]}: the "
                "adapter was trained with another base model or template; train it again."
            )
    model = loading.load_quantised(
        base,
        "reward",
        tokenizer=tokenizer,
        quantise=manifest["settings"]["quantise"],
        precision=manifest["settings"].get("precision", "fp32"),
        revision=manifest["revision"],
    )
    adapted = PeftModel.from_pretrained(model, str(folder))
    adapters.head_to_fp32(adapted)
    if not manifest["settings"]["quantise"]:
        adapted.merge_adapter()  # a third less work; into 4-bit weights it would round the scores
    return RewardModel(adapted, tokenizer, manifest)


def accuracy_by_type(
    model: RewardModel, pairs: Sequence[PreferencePair], *, n_boot: int = 1000, seed: int = 0
) -> pd.DataFrame:
    """Share of pairs in which the chosen response has the higher reward, ties counting half.

    Args:
        model: any reward model.
        pairs: with instructions of the model's granularity.
        n_boot: bootstrap draws, over pairs.
        seed: of the draws.

    Returns:
        Tidy, one row per type of the dropped requirement and one for ``all``:
        ``type, value, ci_low, ci_high, n`` (95 % intervals) and the mean ``margin`` of reward.
    """
    instructions = [pair.instruction for pair in pairs]
    margin = model.rewards(instructions, [pair.chosen for pair in pairs])
    margin = margin - model.rewards(instructions, [pair.rejected for pair in pairs])
    types = np.array([str(pair.requirement_type or "unlabelled") for pair in pairs])
    known = [t for t in [*map(str, RequirementType), "unlabelled"] if (types == t).any()]
    rows = []
    for name in [*(known if len(known) > 1 else []), "all"]:
        part = margin[(types == name) | (name == "all")]
        correct = (0.5 * (np.sign(part) + 1))[:, None]
        mean, low, high, n = bootstrap_means(
            correct, np.ones(len(part), dtype=np.int64), n_boot, 0.95, np.random.default_rng(seed)
        )
        rows.append([name, mean[0], low[0], high[0], int(n[0]), part.mean()])
    return pd.DataFrame(rows, columns=["type", "value", "ci_low", "ci_high", "n", "margin"])


def write_manifest(
    folder: Path,
    *,
    base_model: str | Path,
    revision: str | None,
    granularity: Granularity,
    tokenizer: PreTrainedTokenizerBase,
    settings: dict[str, Any],
    seed: int,
    n_pairs: int,
) -> None:
    """Record what an adapter belongs to, so that :func:`load_reward_model` can refuse another.

    Args:
        folder: of the adapter.
        base_model: folder or Hub id of the base it was trained on.
        revision: Hub revision of the base.
        granularity: what its instructions were.
        tokenizer: its chat template is part of the model.
        settings: of the training; ``quantise`` and ``max_tokens`` are needed to score.
        seed: of the training.
        n_pairs: number of training pairs.
    """
    manifest = {
        "base_model": portable(base_model, folder),
        "base_sha256": weights_digest(base_model),
        "revision": revision,
        "granularity": granularity,
        "chat_template_sha256": _digest(tokenizer.chat_template),
        "settings": settings,
        "seed": seed,
        "n_pairs": n_pairs,
    }
    (folder / MANIFEST).write_text(json.dumps(manifest, indent=1, sort_keys=True) + "\n")


def _digest(text: str | None) -> str:
    return hashlib.sha256((text or "").encode()).hexdigest()  # an encoder has no chat template


class RewardModelScorer:
    """A trained reward model as a scorer.

    Args:
        folder: written by notebook 03, or by ``reward_training.train_reward_model``.
        name: how tables call it.
        progress: show a progress bar.
    """

    def __init__(self, folder: str | Path, *, name: str, progress: bool = True) -> None:
        self.name, self._progress = name, progress
        self._reward_model = load_reward_model(folder)

    def score(self, chains: Sequence[Chain]) -> Scores:
        """One reward per response, higher is better; see ``RewardModel.score``."""
        queries = [chain.query for chain in chains for _ in chain.responses]
        texts = [response.text for chain in chains for response in chain.responses]
        return _per_chain(self._reward_model.score(queries, texts, progress=self._progress), chains)
