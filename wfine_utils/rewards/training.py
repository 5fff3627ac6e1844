"""Training a reward model on preference pairs, in 4-bit with LoRA.

Thin over ``trl.RewardTrainer`` 1.16, and different from its defaults in three places: texts are
tokenised here, by the one render, because the trainer drops over-long pairs silently; batches hold
pairs of similar length, which it cannot arrange itself; adapters stay in fp32.

Several processes (``accelerate launch --no_python wfine train-reward``) share every batch of the
settings: accelerate deals a sequential order out in turns of one forward pass each, so the pairs of
an optimiser step, and the mean of their gradients, are those of one process. Only the last batch,
if it is not full, is left out then: accelerate would fill it with pairs from the start.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from datasets import Dataset
from transformers import PreTrainedModel, PreTrainedTokenizerBase
from trl import RewardConfig

from wfine_utils.base_model import Base
from wfine_utils.chains.pairs import PreferencePair
from wfine_utils.errors import WfineError
from wfine_utils.models import adapters, devices, loading, places
from wfine_utils.models.interactions import read_apart
from wfine_utils.models.memory import Meter, estimate_reward_training
from wfine_utils.rewards import classifier_checks as checks
from wfine_utils.rewards.losses import LOSSES, PairTrainer
from wfine_utils.rewards.reward_model import encode_judged, rewards_of_batch
from wfine_utils.settings import Granularity, RewardSettings


def encode_pairs(
    pairs: Sequence[PreferencePair], tokenizer: PreTrainedTokenizerBase, settings: RewardSettings
) -> Dataset:
    """Token ids of preference pairs, rendered exactly as in scoring.

    Returns:
        One row per pair, in the given order: ``chosen_ids``, ``rejected_ids``, and ``margin``, the
        number of requirements dropped between the two.
    """
    encode = cache(partial(encode_judged, tokenizer, settings))  # a text stands in many pairs
    columns: dict[str, list[Any]] = {
        "chosen_ids": [encode(pair.instructions[0], pair.chosen) for pair in pairs],
        "rejected_ids": [encode(pair.instructions[1], pair.rejected) for pair in pairs],
        "margin": [float(pair.n_dropped) for pair in pairs],  # the one name that TRL hands on
    }
    return Dataset.from_dict(columns)


def batches_of_similar_length(lengths: Sequence[int], batch_size: int, seed: int) -> np.ndarray:
    """A random order in which neighbours within a batch have similar lengths.

    Shuffles, sorts pools of 50 batches by length (in tokens), and shuffles the batches: padding
    shrinks, while every batch stays a random draw from a pool of its own size class.

    Returns:
        A permutation of ``range(len(lengths))``, int64.
    """
    rng, n_tokens, pool = np.random.default_rng(seed), np.asarray(lengths), 50 * batch_size
    order = rng.permutation(len(n_tokens))
    pools = [order[i : i + pool] for i in range(0, len(order), pool)]
    order = np.concatenate([p[np.argsort(n_tokens[p], kind="stable")] for p in pools])
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
    return _side_by_side([f"{p.chain_id}\n{p.instruction}" for p in pairs], seed)


def batches_by_chain(pairs: Sequence[PreferencePair], seed: int) -> np.ndarray:
    """Pairs of one chain side by side, the chains in random order.

    For models that read a text once for all its requirements.

    Returns:
        A permutation of ``range(len(pairs))``, int64.
    """
    return _side_by_side([pair.chain_id for pair in pairs], seed)


def _side_by_side(names: Sequence[str], seed: int) -> np.ndarray:
    """Places of equal names together, the names in random order."""
    _, group = np.unique(names, return_inverse=True)
    place = np.random.default_rng(seed).permutation(group.max() + 1)
    return np.argsort(place[group], kind="stable")


def train_reward_model(
    pairs: Sequence[PreferencePair],
    validation_pairs: Sequence[PreferencePair],
    base: Base,
    settings: RewardSettings,
    *,
    granularity: Granularity,
    seed: int,
    folder: Path,
) -> pd.DataFrame:
    """Train LoRA adapters and a scalar head on a 4-bit base, by default with Bradley–Terry.

    Args:
        pairs: training pairs.
        validation_pairs: pairs on other topics; scored four times on the way.
        base: a language model with a chat template, or an encoder.
        settings: hyper-parameters; ``settings.loss`` is a key of ``losses.LOSSES``.
        granularity: what ``instruction`` is in the pairs; written into the manifest.
        seed: of the head's initial weights and of the order of the pairs.
        folder: exists already; for the adapter, the tokenizer, ``manifest.json``, ``cost.json`` and
            ``learning_curve.csv``. Of several processes the first writes.

    Returns:
        The learning curve, one row per logged step: columns ``step, split, loss, accuracy,
        margin``. ``accuracy`` counts ties as wrong here, as TRL does.

    Raises:
        WfineError: a base that cannot be a reward model, see :func:`.new_modules`; fewer pairs than
            one batch, a batch that does not divide evenly, texts that end
            with padding or are longer than the model has places for, or a GPU that is too small by
            the estimate of :mod:`wfine_utils.models.memory`.
    """
    if len(pairs) < settings.batch_size:
        raise WfineError(
            f"reward model ({granularity}): found {len(pairs)} training pairs, expected at least "
            f"one batch of {settings.batch_size}; make more in notebook 02 or lower batch_size."
        )
    tokenizer = loading.load_tokenizer(base)
    loaded_as = settings.model_dump(include={"quantise", "precision"})
    new = loading.new_modules(base, "reward", tokenizer, quantise=settings.quantise)
    train, validation = _datasets(pairs, validation_pairs, tokenizer, settings, seed)
    _refuse_final_padding(train, tokenizer, base)
    meter = Meter(
        loading.load_config(base),
        partial(estimate_reward_training, settings=settings, longest=max(_lengths(train))),
        f"reward model ({base.model})",
        "Lower micro_batch_size or max_tokens",
    )
    torch.manual_seed(seed)
    model = loading.load_quantised(base, "reward", tokenizer=tokenizer, **loaded_as)
    if settings.interaction != "cross":
        read_apart(model, tokenizer, settings.interaction, is_trained=False)
    if settings.interaction != "late":  # which reads in windows
        _refuse_too_few_places(model, settings, base)
    if not hasattr(model, "score"):  # a decoder does not look at what stands behind a text
        _refuse_unstable(model, tokenizer, settings, base)
    lower_layers = adapters.lower_layers(model, settings.adapted_layers)
    n_steps = max(1, round(len(train) * settings.n_epochs / settings.batch_size))
    trainer = PairTrainer(
        pair_loss=LOSSES[settings.loss],
        share_parts=settings.interaction != "cross",
        model=model,
        args=reward_config(settings, folder, seed=seed, n_steps=n_steps),
        processing_class=tokenizer,
        train_dataset=train,
        eval_dataset=validation,
        peft_config=adapters.lora_config(
            "reward", r=settings.lora_r, alpha=settings.lora_alpha, without=lower_layers, new=new
        ),
    )
    facts = {"granularity": granularity, "seed": seed, "n_pairs": len(train)}
    return adapters.train_and_save(
        trainer, base, "reward", folder, meter, learning_curve, settings=settings, **facts
    )


def _datasets(
    pairs: Sequence[PreferencePair],
    validation_pairs: Sequence[PreferencePair],
    tokenizer: PreTrainedTokenizerBase,
    settings: RewardSettings,
    seed: int,
) -> tuple[Dataset, Dataset]:
    """Both sets of pairs, encoded; those for training in the order of the training."""
    train, size = encode_pairs(pairs, tokenizer, settings), settings.batch_size
    if settings.batch_by == "requirement":
        order = batches_by_requirement(pairs, seed)
    elif settings.batch_by == "chain":
        order = batches_by_chain(pairs, seed)
    else:
        order = batches_of_similar_length(_lengths(train), size, seed)
    train = train.select(order)
    validation = encode_pairs(validation_pairs, tokenizer, settings)
    n_processes = devices.processes().num_processes
    if n_processes > 1:
        each, _ = adapters.share_of_batch(size, settings.micro_batch_size, "reward model")
        train = _full_batches(train, size, "training")
        validation = _full_batches(validation, each * n_processes, "validation")
    return train, validation


def _lengths(data: Dataset) -> list[int]:
    """Tokens of the longer text of each pair."""
    return list(map(max, map(len, data["chosen_ids"]), map(len, data["rejected_ids"])))


def _full_batches(items: Dataset, batch_size: int, name: str) -> Dataset:
    """The items without those beyond the last full batch."""
    n = len(items) - len(items) % batch_size
    if not n:
        raise WfineError(
            f"reward model: found {len(items)} {name} pairs, expected at least {batch_size} where "
            "several processes share every batch; use more pairs or a smaller batch."
        )
    return items.select(range(n))


def _refuse_final_padding(data: Dataset, tokenizer: PreTrainedTokenizerBase, base: Base) -> None:
    """The trainer takes the last token that is no padding for the last one."""
    if data[0]["chosen_ids"][-1] == tokenizer.pad_token_id:
        raise WfineError(
            f"base_model {base.model}: a text ends with its padding token {tokenizer.pad_token!r}, "
            "so training would read the reward one token too early. Expected a padding token of "
            'its own: name an unused special token as "pad_token" in the tokenizer_config.json of '
            "a folder with the model, and give that folder as base_model."
        )


def _refuse_too_few_places(model: PreTrainedModel, settings: RewardSettings, base: Base) -> None:
    """Texts are cut to ``max_tokens``, and the model has to have places for all of them."""
    if settings.max_tokens > (n_places := places.n_positions(model)):
        raise WfineError(
            f"max_tokens: found {settings.max_tokens}, but base_model {base.model} has places for "
            f"{n_places} tokens. Expected at most that: lower max_tokens."
        )


def _refuse_unstable(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, settings: RewardSettings, base: Base
) -> None:
    """Some encoders take padding for a part of the text: FNet, XLNet; or read long texts otherwise.

    The longest text comes first, as in scoring: BigBird changes its attention for good at the first
    short one.
    """
    in_half = devices.compute_dtype(settings.precision) == torch.bfloat16
    long = ("Tell all.", "The steamer crossed the bay toward the harbour. " * settings.max_tokens)
    checks.refuse_unstable(
        lambda ids, _: rewards_of_batch(model, tokenizer, ids).astype(float),
        [encode_judged(tokenizer, settings, *probe) for probe in (long, *checks.PROBES)],
        ["right"],
        checks.HALF_TOLERANCE if in_half else checks.TOLERANCE,
        is_trained=False,
        where=f"base_model {base.model}",
    )


def reward_config(
    settings: RewardSettings, folder: Path, *, seed: int, n_steps: int
) -> RewardConfig:
    """The arguments of ``trl.RewardTrainer`` that follow from our settings.

    Raises:
        WfineError: as :func:`wfine_utils.models.adapters.share_of_batch`.
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
        activation_checkpointing=devices.device() == "cuda",  # memory is short there, time here
        eval_strategy="steps",
        eval_steps=max(1, n_steps // 4),
        logging_steps=max(1, n_steps // 40),
        save_strategy="no",
        seed=seed,
        **devices.precision_flags(),
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
