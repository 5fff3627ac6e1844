"""Training a reward model: Bradley–Terry on preference pairs, in 4-bit with LoRA.

Thin over ``trl.RewardTrainer`` 1.16, and different from its defaults in three places: texts
are tokenised here, by the one render, because the trainer drops over-long pairs silently;
batches hold pairs of similar length, which it cannot arrange itself; adapters stay in fp32.

Several processes (``accelerate launch -m wfine_utils.rewards``) share every batch of the
settings: accelerate deals a sequential order out in turns of one forward pass each, so the pairs of
an optimiser step, and the mean of their gradients, are those of one process. Only the last batch,
if it is not full, is left out then: accelerate would fill it with pairs from the start.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from datasets import Dataset
from transformers import PreTrainedTokenizerBase
from transformers.modeling_outputs import SequenceClassifierOutput
from trl import RewardConfig, RewardTrainer

from wfine_utils.chains.pairs import PreferencePair
from wfine_utils.errors import WfineError
from wfine_utils.models import adapters, encoding, loading
from wfine_utils.models.encoding import token_budget_batches
from wfine_utils.models.memory import (
    Estimate,
    Meter,
    estimate_reward_training,
    gpu_gib,
    is_known,
    require,
)
from wfine_utils.rewards.reward_model import Granularity, write_manifest
from wfine_utils.settings import RewardSettings


def encode_pairs(
    pairs: Sequence[PreferencePair],
    tokenizer: PreTrainedTokenizerBase,
    max_tokens: int,
    *,
    margin: bool = False,
) -> Dataset:
    """Token ids of preference pairs, rendered exactly as in scoring.

    Returns:
        Columns ``chosen_ids`` and ``rejected_ids``, one row per pair, in the given order; with
        ``margin`` also that column, by how much the rewards are to differ at least.
    """
    columns = {
        f"{side}_ids": [
            encoding.encode(tokenizer, pair.instruction, getattr(pair, side), max_tokens)
            for pair in pairs
        ]
        for side in ("chosen", "rejected")
    }
    if margin:
        columns["margin"] = [float(pair.n_dropped) for pair in pairs]
    return Dataset.from_dict(columns)


def batches_of_similar_length(lengths: Sequence[int], batch_size: int, seed: int) -> np.ndarray:
    """A random order in which neighbours within a batch have similar lengths.

    Shuffles, sorts pools of 50 batches by length, and shuffles the batches: padding shrinks,
    while every batch stays a random draw from a pool of its own size class.

    Args:
        lengths: length of each item, in tokens.
        batch_size: items per batch.
        seed: of the shuffles.

    Returns:
        A permutation of ``range(len(lengths))``, int64.
    """
    rng = np.random.default_rng(seed)
    lengths = np.asarray(lengths)
    order = rng.permutation(len(lengths))
    pool = 50 * batch_size
    pools = [order[i : i + pool] for i in range(0, len(order), pool)]
    order = np.concatenate([p[np.argsort(lengths[p], kind="stable")] for p in pools])
    n_full = len(order) // batch_size
    full = order[: n_full * batch_size].reshape(n_full, batch_size)
    # The items beyond the last full batch stay at the end, as the trainer expects.
    return np.concatenate([rng.permutation(full).ravel(), order[n_full * batch_size :]])


def batches_by_requirement(pairs: Sequence[PreferencePair], seed: int) -> np.ndarray:
    """Pairs of one chain that ask about the same stay side by side, all else in random order.

    For pairs of all levels of a chain: its texts stand in several of them, and a text that occurs
    twice in a batch is computed once. The requirements of a chain come apart: a batch of one chain
    alone pulls in one direction only, and learnt much less in a trial on real chains.

    Returns:
        A permutation of ``range(len(pairs))``, int64.
    """
    asked = [f"{pair.chain_id}\n{pair.instruction}" for pair in pairs]
    _, group = np.unique(asked, return_inverse=True)
    place = np.random.default_rng(seed).permutation(group.max() + 1)
    return np.argsort(place[group], kind="stable")


def train_reward_model(
    pairs: Sequence[PreferencePair],
    validation_pairs: Sequence[PreferencePair],
    *,
    base_model: str | Path,
    granularity: Granularity,
    settings: RewardSettings,
    seed: int,
    folder: Path,
    revision: str | None = None,
) -> pd.DataFrame:
    """Train LoRA adapters and a scalar head on a 4-bit base, by default with Bradley–Terry.

    Args:
        pairs: training pairs; the loss of each is −log σ(r(chosen) − r(rejected)), or that
            with a margin subtracted inside σ, or the cross-entropy −log σ(r(chosen)) −
            log σ(−r(rejected)), by ``settings.loss``.
        validation_pairs: pairs on other topics; scored four times on the way.
        base_model: folder or Hub id of a language model with a chat template, or of an encoder.
        granularity: what ``instruction`` is in the pairs; written into the manifest.
        settings: hyper-parameters.
        seed: of the head's initial weights and of the order of the pairs.
        folder: where the adapter, the tokenizer, ``manifest.json``, ``learning_curve.csv`` and
            ``cost.json`` (memory and tokens per second) go; exists already. Of several
            processes the first writes.
        revision: Hub revision of the base model.

    Returns:
        The learning curve: columns ``step, split, loss, accuracy, margin``; one row per
        logged step. ``accuracy`` counts ties as wrong here, as TRL does.

    Raises:
        WfineError: fewer pairs than one batch, a batch that does not divide evenly, texts that end
            with padding, texts longer than the model has places for, or a GPU that is too small by
            the estimate of ``wfine_utils.models.memory``.
    """
    if len(pairs) < settings.batch_size:
        raise WfineError(
            f"reward model ({granularity}): found {len(pairs)} training pairs, expected at least "
            f"one batch of {settings.batch_size}; make more chains in notebook 02 or lower "
            "batch_size."
        )
    tokenizer = loading.load_tokenizer(base_model, revision)
    margin = settings.loss == "bradley_terry_margin"
    train = encode_pairs(pairs, tokenizer, settings.max_tokens, margin=margin)
    sides = zip(train["chosen_ids"], train["rejected_ids"], strict=True)
    lengths = [max(map(len, both)) for both in sides]
    if train[0]["chosen_ids"][-1] == tokenizer.pad_token_id:
        raise WfineError(  # the trainer takes the last token that is no padding for the last one
            f"base_model {base_model}: a text ends with its padding token {tokenizer.pad_token!r}, "
            "so training would read the reward one token too early. Expected a padding token of "
            'its own: name an unused special token as "pad_token" in the tokenizer_config.json of '
            "a folder with the model, and give that folder as base_model."
        )
    meter = Meter(_estimate(base_model, revision, settings, max(lengths)))
    if settings.batch_by == "requirement":
        train = train.select(batches_by_requirement(pairs, seed))
    else:
        train = train.select(batches_of_similar_length(lengths, settings.batch_size, seed))
    validation = encode_pairs(validation_pairs, tokenizer, settings.max_tokens, margin=margin)
    n_processes = loading.processes().num_processes
    if n_processes > 1:
        each, _ = adapters.share_of_batch(
            settings.batch_size, settings.micro_batch_size, "reward model"
        )
        train = _full_batches(train, settings.batch_size, "training")
        validation = _full_batches(validation, each * n_processes, "validation")
    n_steps = max(1, round(len(train) * settings.n_epochs / settings.batch_size))
    torch.manual_seed(seed)
    model = loading.load_quantised(
        base_model,
        "reward",
        tokenizer=tokenizer,
        quantise=settings.quantise,
        precision=settings.precision,
        revision=revision,
    )
    if settings.max_tokens > loading.n_positions(model):
        raise WfineError(
            f"max_tokens: found {settings.max_tokens}, but base_model {base_model} has places for "
            f"{loading.n_positions(model)} tokens. Expected at most that: lower max_tokens."
        )
    cross_entropy = settings.loss == "cross_entropy"
    trainer_class = CrossEntropyTrainer if cross_entropy else BradleyTerryTrainer
    trainer = trainer_class(
        model=model,
        args=reward_config(settings, folder, seed=seed, n_steps=n_steps),
        processing_class=tokenizer,
        train_dataset=train,
        eval_dataset=validation,
        peft_config=adapters.lora_config(
            "reward",
            r=settings.lora_r,
            alpha=settings.lora_alpha,
            without=adapters.lower_layers(model, settings.adapted_layers),
        ),
    )
    adapters.trainable_to_fp32(trainer.model)
    adapters.head_to_fp32(trainer.model)
    trainer.train()
    curve = learning_curve(trainer.state.log_history)
    if trainer.is_world_process_zero():
        meter.write(folder, _tokens(trainer.state.log_history))
        adapters.save_adapter(trainer.model, base_model, folder)
        tokenizer.save_pretrained(folder)
        curve.to_csv(folder / "learning_curve.csv", index=False)
        write_manifest(
            folder,
            base_model=base_model,
            revision=revision,
            granularity=granularity,
            tokenizer=tokenizer,
            settings={name: getattr(settings, name) for name in RewardSettings.model_fields},
            seed=seed,
            n_pairs=len(train),
        )
    trainer.accelerator.wait_for_everyone()
    return curve


def _estimate(
    base_model: str | Path, revision: str | None, settings: RewardSettings, longest: int
) -> Estimate | None:
    """The memory that training will need, or a refusal; None for a kind of model not known."""
    config = loading.load_config(base_model, revision)
    if not is_known(config):
        return None
    estimate = estimate_reward_training(config, settings, longest=longest)
    require(
        gpu_gib(), estimate, f"reward model ({base_model})", "Lower micro_batch_size or max_tokens"
    )
    return estimate


def _tokens(log_history: Sequence[dict[str, float]]) -> float:
    """Tokens that a reward trainer has trained on, as it logged them last."""
    return max((x["num_tokens"] for x in log_history if "num_tokens" in x), default=0.0)


def _full_batches(items: Dataset, batch_size: int, name: str) -> Dataset:
    """The items without those beyond the last full batch."""
    n = len(items) - len(items) % batch_size
    if not n:
        raise WfineError(
            f"reward model: found {len(items)} {name} pairs, expected at least {batch_size} where "
            "several processes share every batch; use more pairs or a smaller batch."
        )
    return items.select(range(n))


def reward_config(
    settings: RewardSettings, folder: Path, *, seed: int, n_steps: int
) -> RewardConfig:
    """The arguments of ``trl.RewardTrainer`` that follow from our settings.

    Raises:
        WfineError: the batch does not divide evenly into forward passes and processes.
    """
    micro_batch_size, n_forward = adapters.share_of_batch(
        settings.batch_size, settings.micro_batch_size, "reward model"
    )
    return RewardConfig(
        output_dir=str(folder / "trainer"),
        learning_rate=settings.learning_rate,
        # High until the last third: a small model finds out about one kind of requirement after
        # the other, and a rate that falls all the way (cosine) leaves the last ones unlearnt.
        lr_scheduler_type="warmup_stable_decay",
        lr_scheduler_kwargs={"num_decay_steps": max(1, n_steps * 3 // 10)},
        warmup_steps=0.05,
        num_train_epochs=settings.n_epochs,
        per_device_train_batch_size=micro_batch_size,
        per_device_eval_batch_size=micro_batch_size,
        gradient_accumulation_steps=n_forward,
        ddp_find_unused_parameters=False,  # every adapter is used in every forward pass
        train_sampling_strategy="sequential",  # already shuffled, in batches of similar length
        center_rewards_coefficient=settings.center_coefficient,
        max_length=None,  # we cut by rule; TRL would drop the pair without a word
        activation_checkpointing=loading.device() == "cuda",  # memory is short there, time here
        eval_strategy="steps",
        eval_steps=max(1, n_steps // 4),
        logging_steps=max(1, n_steps // 40),
        save_strategy="no",
        seed=seed,
        **loading.precision_flags(settings.precision),
    )


def learning_curve(log_history: Sequence[dict[str, float]]) -> pd.DataFrame:
    """Tidy learning curve from a trainer's log: ``step, split, loss, accuracy, margin``."""
    rows = []
    for entry in log_history:
        for split, prefix in (("train", ""), ("validation", "eval_")):
            if f"{prefix}accuracy" in entry and f"{prefix}loss" in entry:
                values = {k: float(entry[prefix + k]) for k in ("loss", "accuracy", "margin")}
                rows.append({"step": int(entry["step"]), "split": split, **values})
    return pd.DataFrame(rows, columns=["step", "split", "loss", "accuracy", "margin"])


CPU_FORWARD_TOKENS = 4096
"""Padded tokens of a forward pass in training on a CPU; fewer leave it idle, more are padding."""


class BradleyTerryTrainer(RewardTrainer):
    """Computes a text that stands in several pairs of a batch only once, and little padding.

    A chain of five responses gives up to six pairs for one requirement and has only five texts.
    """

    def compute_loss(self, model, inputs, return_outputs=False, num_items_in_batch=None):
        """The loss of the trainer."""
        once = partial(_each_text_once, model)
        return super().compute_loss(once, inputs, return_outputs, num_items_in_batch)


def _each_text_once(
    model: Callable[..., Any], *, input_ids: torch.Tensor, attention_mask: torch.Tensor, **rest: Any
) -> SequenceClassifierOutput:
    """``model(...).logits``, for a batch in which rows may be equal and of very different length.

    On a CPU long and short texts pass through the model apart, so that padding is not computed. Not
    where several processes share a batch: each would pass another number of times, and they wait
    for one another at every pass.
    """
    _, first, place = np.unique(
        input_ids.cpu().numpy(), axis=0, return_index=True, return_inverse=True
    )
    rest.pop("margin", None)  # of the pairs, and nothing to the model
    lengths = attention_mask.sum(dim=1)[first].tolist()
    apart = input_ids.device.type == "cpu" and loading.processes().num_processes == 1
    budget = CPU_FORWARD_TOKENS if apart else len(first) * max(lengths)
    chunks = token_budget_batches(lengths, budget)
    logits = [
        model(
            input_ids=input_ids[rows, :longest],
            attention_mask=attention_mask[rows, :longest],
            **rest,
        ).logits
        for rows, longest in ((first[chunk], lengths[chunk[0]]) for chunk in chunks)
    ]
    found = torch.cat(logits)[np.argsort(np.concatenate(chunks))]  # as they stood in ``first``
    return SequenceClassifierOutput(logits=found[place])


class CrossEntropyTrainer(BradleyTerryTrainer):
    """The same pairs, each text by itself: is it the better one, yes or no?

    One logit and its sigmoid are what a classifier of two labels computes, as only the
    difference of its two logits matters.
    """

    def compute_loss(self, model, inputs, return_outputs=False, num_items_in_batch=None):
        """Mean cross-entropy of "chosen" with label 1 and "rejected" with label 0."""
        _, outputs = super().compute_loss(model, inputs, True, num_items_in_batch)
        chosen, rejected = outputs.logits.squeeze(-1).chunk(2)
        log_p = torch.nn.functional.logsigmoid(torch.stack([chosen, -rejected]))
        return (-log_p.mean(), outputs) if return_outputs else -log_p.mean()
