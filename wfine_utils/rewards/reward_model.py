"""Reward models: loading one, scoring with it, and how well it tells pairs apart.

A reward model gives one number to (instruction, response). Its *granularity* says what the
instruction is: the whole ``"prompt"``, or one ``"requirement"`` at a time, in which case the score
of a response is the mean over requirements of σ(reward). On disk it is a folder, made by
:mod:`wfine_utils.rewards.training`: a LoRA adapter, a tokenizer, and ``manifest.json``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any, cast

import numpy as np
import pandas as pd
import torch
from peft import PeftModel
from scipy.special import expit
from tqdm.auto import tqdm
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from wfine_utils.base_model import folder_fingerprint
from wfine_utils.chains.pairs import PreferencePair
from wfine_utils.chains.taxonomy import Chain, Instruction, Query, RequirementType
from wfine_utils.checks.dispatch import check
from wfine_utils.models import adapters, devices, encoding
from wfine_utils.models.interactions import read_apart
from wfine_utils.models.pair_rows import batches_of_responses, encode_apart
from wfine_utils.settings import Granularity, RewardSettings
from wfine_utils.weval.resampling import Bootstrap
from wfine_utils.weval.scorers import Scores, saturated_rate, split_by_chain


class RewardModel:
    """A trained reward model, ready to score; :func:`load_reward_model` makes it.

    ``manifest`` says what it was trained on and how.
    """

    def __init__(
        self, model: PeftModel, tokenizer: PreTrainedTokenizerBase, manifest: dict[str, Any]
    ) -> None:
        self._model = model.eval()
        self._tokenizer = tokenizer
        self.manifest = manifest
        self.granularity: Granularity = manifest["granularity"]
        self._settings = RewardSettings(**manifest["settings"])
        self.was_cut = np.zeros(0, dtype=bool)
        self._is_apart = self._settings.interaction != "cross"
        if self._is_apart:
            classifier = cast(PreTrainedModel, model.get_base_model())
            read_apart(classifier, tokenizer, self._settings.interaction, is_trained=True)

    def rewards(
        self,
        instructions: Sequence[Instruction],
        responses: Sequence[str],
        *,
        token_budget: int = 4096,
        progress: bool = False,
    ) -> np.ndarray:
        """The scalar reward of each (instruction, response); equal inputs are scored once.

        Args:
            instructions: n instructions, whole prompts or single requirements.
            responses: n responses.
            token_budget: padded tokens per forward pass. The longest texts come first, so the
                memory needed is known after the first batch.

        Returns:
            float64 of shape (n,); NaN where a text is not valid Unicode. The head is computed in
            fp32, whatever the body uses. Afterwards ``was_cut``, bool of shape (n,), says of which
            texts only a part was read.
        """
        pairs = list(zip(instructions, responses, strict=True))
        unique = {pair: i for i, pair in enumerate(dict.fromkeys(pairs))}
        cut: set[tuple[Instruction, str]] = set()
        ids = [
            encode_judged(self._tokenizer, self._settings, *pair, on_cut=partial(cut.add, pair))
            for pair in unique
        ]
        self.was_cut = np.array([pair in cut for pair in pairs], dtype=bool)
        scores = np.full(len(ids), np.nan)
        if self._is_apart:
            batches = batches_of_responses(ids, self._tokenizer, token_budget)
        else:
            batches = encoding.token_budget_batches([len(x) for x in ids], token_budget)
        for batch in tqdm(batches, desc="reward model", unit="batch", disable=not progress):
            scores[batch] = self._forward([ids[i] for i in batch])
        return scores[[unique[pair] for pair in pairs]]

    def score(
        self, queries: Sequence[Query], responses: Sequence[str], *, progress: bool = False
    ) -> np.ndarray:
        """How well each of n responses does what its query asks; what WEval and GRPO use.

        Returns:
            float64 of shape (n,), higher = better: the reward of the whole prompt, or the mean over
            requirements of σ(reward), in [0, 1].
        """
        if self.granularity == "prompt":
            prompts = [query.conversation() for query in queries]
            return self.rewards(prompts, responses, progress=progress)
        probabilities = self.probabilities(queries, responses, progress=progress)
        return np.array([each.mean() for each in probabilities], dtype=np.float64)

    def probabilities(
        self, queries: Sequence[Query], responses: Sequence[str], *, progress: bool = False
    ) -> list[np.ndarray]:
        """σ(reward) of each requirement by itself: this model's opinion of whether it is met.

        Returns:
            n arrays of float64 in [0, 1], one number per requirement of the query.
        """
        rewards = self.requirement_rewards(queries, responses, progress=progress)
        return [expit(each) for each in rewards]

    def requirement_rewards(
        self, queries: Sequence[Query], responses: Sequence[str], *, progress: bool = False
    ) -> list[np.ndarray]:
        """The reward of each requirement by itself: n arrays of float64, before σ."""
        instructions = [r.text for query in queries for r in query.wanted]
        sizes = [len(query.wanted) for query in queries]
        texts = [text for text, n in zip(responses, sizes, strict=True) for _ in range(n)]
        flat = self.rewards(instructions, texts, progress=progress)
        return np.split(flat, np.cumsum(sizes)[:-1]) if sizes else []

    def _forward(self, ids: Sequence[Sequence[int]]) -> np.ndarray:
        return rewards_of_batch(
            self._model.get_base_model(), self._tokenizer, ids, pools=not self._is_apart
        )


@torch.inference_mode()
def rewards_of_batch(
    classifier: Any,
    tokenizer: PreTrainedTokenizerBase,
    ids: Sequence[Sequence[int]],
    *,
    pools: bool = True,
) -> np.ndarray:
    """Rewards of one batch, shape [texts], from a sequence classifier, adapters in it or not.

    Language models are pooled by the true length, never by looking for padding; with ``pools``
    False, as they do it themselves.
    """
    padded = encoding.padded(tokenizer, ids).to(classifier.device)
    on_gpu = classifier.device.type == "cuda"
    with torch.autocast(classifier.device.type, torch.bfloat16, enabled=on_gpu):
        if not pools or not hasattr(classifier, "score"):  # an encoder knows where it reads it
            return classifier(**padded).logits.float().squeeze(-1).cpu().numpy()
        hidden = classifier.base_model(**padded, use_cache=False).last_hidden_state
    last = padded["attention_mask"].sum(dim=1) - 1
    pooled = hidden[torch.arange(len(ids), device=hidden.device), last].float()
    return classifier.score(pooled).float().squeeze(-1).cpu().numpy()


def encode_judged(
    tokenizer: PreTrainedTokenizerBase,
    settings: RewardSettings,
    instruction: Instruction,
    response: str,
    on_cut: Callable[[], object] | None = None,
) -> list[int]:
    """:func:`~wfine_utils.models.encoding.encode` with the settings of a reward model."""
    encode = encoding.encode if settings.interaction == "cross" else encode_apart
    return encode(
        tokenizer,
        instruction,
        response,
        settings.max_tokens,
        show_layout=settings.show_layout,
        on_cut=on_cut,
    )


def load_reward_model(folder: str | Path) -> RewardModel:
    """Reload a reward model saved by :func:`train_reward_model`, to score as it did then.

    Raises:
        WfineError: as :func:`wfine_utils.models.adapters.load_adapter`.
    """
    model, tokenizer, manifest = adapters.load_adapter(Path(folder), "reward")
    adapters.head_to_fp32(model)
    if not manifest["settings"]["quantise"] and devices.device() == "cuda":
        model.merge_adapter()  # a third less work; into 4-bit weights it would round the scores
    return RewardModel(model, tokenizer, manifest)


def accuracy_by_type(
    model: RewardModel, pairs: Sequence[PreferencePair], *, n_boot: int = 1000, seed: int = 0
) -> pd.DataFrame:
    """Share of pairs in which the chosen response has the higher reward, ties counting half.

    Args:
        model, pairs: of the same granularity.
        n_boot, seed: of the bootstrap over chains, each drawn with all its pairs.

    Returns:
        One row per type of the dropped requirement and one for ``all``: ``type, value, ci_low,
        ci_high`` (95 % intervals), ``n`` pairs, ``n_chains``, the mean ``margin`` of reward; and
        what bends them, as shares of the pairs: ``tie_rate``, ``nan_rate`` (no reward, left out of
        the rest) and ``cut_rate`` (of a text only a part was read).
    """
    types = [str(pair.requirement_type or "unlabelled") for pair in pairs]
    order = [*map(str, RequirementType), "unlabelled"]
    return _accuracy(model, pairs, types, order, "type", Bootstrap(n_boot, seed))


def accuracy_by_kind(
    model: RewardModel, pairs: Sequence[PreferencePair], *, n_boot: int = 1000, seed: int = 0
) -> pd.DataFrame:
    """As :func:`accuracy_by_type`, one row per kind of the check that labelled a pair: ``kind``.

    Pairs that were labelled by a dropped requirement are of the kind ``dropped``.
    """
    kinds = [pair.check_kind or "dropped" for pair in pairs]
    return _accuracy(model, pairs, kinds, sorted(set(kinds)), "kind", Bootstrap(n_boot, seed))


def _accuracy(
    model: RewardModel,
    pairs: Sequence[PreferencePair],
    groups: Sequence[str],
    order: Sequence[str],
    column: str,
    bootstrap: Bootstrap,
) -> pd.DataFrame:
    """The accuracy of every group of pairs, and of all of them."""
    margin, was_cut = np.zeros(len(pairs)), np.zeros(len(pairs), dtype=bool)
    for i, (sign, side) in enumerate(((1, "chosen"), (-1, "rejected"))):
        instructions = [pair.instructions[i] for pair in pairs]
        margin += sign * model.rewards(instructions, [getattr(pair, side) for pair in pairs])
        was_cut |= model.was_cut
    types, chain_ids = np.array(groups), np.array([pair.chain_id for pair in pairs])
    known = [name for name in order if (types == name).any()]
    rows = []
    for name in [*(known if len(known) > 1 else []), "all"]:
        members = (types == name) | (name == "all")
        part, units = margin[members], chain_ids[members]
        right = 0.5 * (np.sign(part) + 1)
        interval = bootstrap.means(right, "accuracy", name, units=units)
        value, low, high, n_chains = (ends[0] for ends in interval)
        rated = part[~np.isnan(part)]
        shares = [(rated == 0).mean(), np.isnan(part).mean(), was_cut[members].mean()]
        mean = rated.mean() if len(rated) else np.nan
        rows.append([name, value, low, high, len(part), n_chains, mean, *shares])
    columns = "value ci_low ci_high n n_chains margin tie_rate nan_rate cut_rate".split()
    return pd.DataFrame(rows, columns=[column, *columns])


def opinions(model: RewardModel, chain: Chain) -> pd.DataFrame:
    """What the checker and a reward model say of every requirement and response of a chain.

    Args:
        model: of the granularity ``"requirement"``.
        chain: its requirements may carry checks.

    Returns:
        One row per requirement and response, in this order: ``requirement`` (its words),
        ``response`` (its place in the chain, from 0), ``n_kept`` (its gold), ``is_met`` (by the
        check, None where there is none), ``probability`` (σ of the reward, in [0, 1]).
    """
    texts = [response.text for response in chain.responses]
    probabilities = np.array(model.probabilities([chain.query] * len(texts), texts))
    rows = [
        {
            "requirement": requirement.text,
            "response": place,
            "n_kept": response.gold,
            "is_met": requirement.check and check(requirement.check, response.text),
            "probability": probabilities[place, j],
        }
        for j, requirement in enumerate(chain.query.requirements)
        for place, response in enumerate(chain.responses)
    ]
    return pd.DataFrame(rows)


class RewardModelScorer:
    """A trained reward model, in its folder, as a scorer; ``name`` is how tables call it.

    Of the latest call of ``score``: ``n_cut``, responses of which only a part was read;
    ``saturated_rate``, share of ties that rounding made, see
    :func:`wfine_utils.weval.scorers.saturated_rate`; ``rewards``, before σ, float
    [chains][responses, requirements], None of a model that reads whole prompts.
    ``fingerprint`` is of all that a score depends on, apart from the two texts.
    """

    def __init__(self, folder: str | Path, *, name: str, progress: bool = True) -> None:
        self.name, self._progress = name, progress
        self.n_cut, self.saturated_rate = 0, 0.0
        self.rewards: list[np.ndarray] | None = None
        self._reward_model = load_reward_model(folder)
        precision = self._reward_model.manifest["settings"].get("precision", "fp32")
        # The base is in it too: the manifest names the files that loading has compared.
        facts = f"{folder_fingerprint(folder)} {devices.compute_dtype(precision)}"
        self.fingerprint = hashlib.sha256(facts.encode()).hexdigest()

    @property
    def reward_model(self) -> RewardModel:
        """What it scores with."""
        return self._reward_model

    def score(self, chains: Sequence[Chain]) -> Scores:
        """One reward per response, higher is better; see ``RewardModel.score``."""
        queries = [chain.query for chain in chains for _ in chain.responses]
        texts = [response.text for chain in chains for response in chain.responses]
        model = self._reward_model
        if model.granularity == "prompt":
            flat = model.score(queries, texts, progress=self._progress)
            self.n_cut = int(model.was_cut.sum())
            return split_by_chain(flat, chains)
        rewards = model.requirement_rewards(queries, texts, progress=self._progress)
        scores = split_by_chain(np.array([expit(each).mean() for each in rewards]), chains)
        self.saturated_rate = saturated_rate(chains, scores, np.concatenate(rewards))
        ends = np.cumsum([len(each) for each in rewards])
        self.n_cut = sum(bool(part.any()) for part in np.split(model.was_cut, ends[:-1]))
        first = np.cumsum([0, *(len(chain.responses) for chain in chains)])
        self.rewards = [np.stack(rewards[a:b]) for a, b in pairwise(first)]
        return scores
