"""Training a policy: GRPO in 4-bit against a reward model.

Thin over ``trl.GRPOTrainer`` 1.16. The reward is a plain function, not a module handed to the
trainer, which would score a whole rollout in one padded forward pass, with another text than the
reward model was trained on.

Several processes (``accelerate launch --no_python wfine train-policy``) share every rollout of the
settings: the same prompts, but each process samples its part of the completions with a seed of its
own and scores them with its own copy of the reward model. The groups are put together again for the
advantages, wherever their completions were made.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from datasets import Dataset
from scipy.special import expit
from trl import GRPOConfig

from wfine_utils.base_model import Base
from wfine_utils.chains.taxonomy import Query
from wfine_utils.errors import WfineError
from wfine_utils.models import adapters, devices, loading, places
from wfine_utils.models.encoding import prompt_ids
from wfine_utils.models.memory import Meter, estimate_grpo
from wfine_utils.policy.generation import extract_answer, prompt_messages
from wfine_utils.policy.rewards import Reward
from wfine_utils.policy.unpadded import UnpaddedGRPOTrainer
from wfine_utils.settings import AnswerFormat, PolicySettings

ROLLOUTS_PER_CHECKPOINT = 3
"""How many rollouts are lost at most where a training is killed."""


class RewardFunction:
    """A reward model in the form ``GRPOTrainer`` calls: completions in, one reward each out.

    With the answer format ``"think_answer"`` only the answer is scored, and a completion that
    breaks the form gets 0. That is the least a model of requirements can give, whose scores are
    means of probabilities. The raw score of a model of whole prompts has no least value, and may
    well be negative for a good text; there, σ of it is the reward, and 0 below all of them.
    """

    def __init__(
        self, model: Reward, queries: Sequence[Query], answer_format: AnswerFormat = "plain"
    ) -> None:
        self.__name__ = f"reward_model_{model.granularity}"  # names the logged metric
        self._model, self._queries, self._answer_format = model, queries, answer_format

    def __call__(
        self, completions: Sequence[Any], query_index: Sequence[int], **_: Any
    ) -> list[float | None]:
        rewards = np.zeros(len(completions))
        answers = [extract_answer(c[0]["content"], self._answer_format) for c in completions]
        texts = {place: text for place, text in enumerate(answers) if text is not None}
        queries = [self._queries[query_index[place]] for place in texts]
        scores = self._model.score(queries, list(texts.values()))
        if self._answer_format == "think_answer" and self._model.granularity == "prompt":
            scores = expit(scores)
        rewards[list(texts)] = scores
        return [float(reward) for reward in rewards]


def train_policy(
    queries: Sequence[Query],
    reward_model: Reward,
    base: Base,
    settings: PolicySettings,
    *,
    seed: int,
    folder: Path,
    checkpoints: Path | None = None,
) -> pd.DataFrame:
    """Train LoRA adapters by GRPO, so that completions of the 4-bit base earn more reward.

    Args:
        queries: training queries; ``prompts_per_rollout`` of them are answered
            ``num_generations`` times in each rollout.
        reward_model: gives the reward of a completion: a reward model, or any other
            :class:`~wfine_utils.policy.rewards.Reward`.
        base: a language model; with its adapters off it is the reference model too.
        settings: hyper-parameters.
        seed: of the adapters, the order of prompts, and sampling.
        folder: exists already; for the adapter, the tokenizer, ``manifest.json``, ``cost.json`` and
            ``training_curve.csv``. Of several processes the first writes.
        checkpoints: folder in which the training is kept on its way and, where one was killed,
            goes on from: its result is that of a training that was not. It belongs to these
            arguments alone. None: nothing is kept.

    Returns:
        The training curve, one row per rollout, as the trainer logged it at the first update:
        ``step``; mean ``reward``; ``reward_std`` over the *whole* rollout; ``kl`` and ``entropy``
        in nats per token; ``completion_tokens``; ``frac_reward_zero_std``, the share of groups
        whose rewards are all equal, so that they teach nothing; ``share_cut``, the share of
        completions that ended at ``max_new_tokens`` before they were finished.

    Raises:
        WfineError: fewer queries than one rollout needs, sizes that do not divide, texts that are
            longer than the model has places for, or a GPU that is too small by the estimate of
            :mod:`wfine_utils.models.memory`.
    """
    if len(queries) < settings.prompts_per_rollout:
        raise WfineError(
            f"policy: found {len(queries)} training queries, expected at least prompts_per_rollout"
            f" = {settings.prompts_per_rollout}; make more in notebook 02 or lower the parameter."
        )
    args = grpo_config(settings, folder, seed=seed, checkpoints=checkpoints)
    tokenizer = loading.load_tokenizer(base)
    loading.new_modules(base, "causal", tokenizer, quantise=settings.quantise)  # refuses others
    prompts = [prompt_messages(query, settings.answer_format) for query in queries]
    longest = max(len(prompt_ids(tokenizer, prompt)) for prompt in prompts)
    config, where = loading.load_config(base), f"policy ({base.model})"
    places.refuse_too_long(config, longest, settings.max_new_tokens, where)
    meter = Meter(
        config,
        partial(estimate_grpo, settings=settings, prompt_tokens=longest),
        where,
        "Lower prompts_per_rollout, max_new_tokens or micro_batch_size",
    )
    torch.manual_seed(seed)
    data = {"prompt": prompts, "query_index": list(range(len(queries)))}
    model = loading.load_quantised(
        base, "causal", tokenizer=tokenizer,
        quantise=settings.quantise, precision=settings.precision,
    )  # fmt: skip
    trainer = UnpaddedGRPOTrainer(
        model=model,
        reward_funcs=RewardFunction(reward_model, queries, settings.answer_format),
        args=args,
        train_dataset=Dataset.from_dict(data),
        processing_class=tokenizer,
        peft_config=adapters.lora_config("causal", r=settings.lora_r, alpha=settings.lora_alpha),
    )
    facts = {"seed": seed, "n_queries": len(queries)}
    curve = adapters.train_and_save(
        trainer, base, "causal", folder, meter, training_curve, settings=settings, **facts
    )
    if checkpoints is not None:  # one process: notebooks alone give a folder
        (folder / "trainer").mkdir(exist_ok=True)
        shutil.move(checkpoints / "completions", folder / "trainer" / "completions")
    return curve


def grpo_config(
    settings: PolicySettings, folder: Path, *, seed: int, checkpoints: Path | None = None
) -> GRPOConfig:
    """The arguments of ``trl.GRPOTrainer`` that follow from our settings.

    What the paper says of its training, by the names of EasyR1, beside the arguments of TRL
    that mean the same, and what the presets for one GPU (``qwen…``) take; * is scaled down.

    =====================  ==================================================  ================
    released               here                                                ``qwen…``
    =====================  ==================================================  ================
    n = 5                  ``num_generations``                                 5
    rollout batch 384      ``generation_batch_size`` = prompts × n             16 × 5 *
    global batch 96        … / updates_per_rollout per optimiser step          4 × 5 *
    four updates           ``gradient_accumulation_steps``, from the two above 4
    KL 0.01, low_var_kl    ``beta``, ``use_bias_correction_kl=False``          0.01
    temperature 1.0        ``temperature``, no nucleus, no top-k               1.0
    learning rate 1e-6     ``learning_rate``; adapters take ten times more     1e-5 *
    up to 12,000 tokens    ``max_completion_length``                           1,024 *
    all weights            LoRA on 4-bit NF4                                   *
    think, answer          ``answer_format``, reward 0 where it is broken      think_answer
    =====================  ==================================================  ================

    Not said by the paper, and TRL's: clipping at 0.2, standardised within a group.

    Raises:
        WfineError: a rollout does not split evenly into updates, processes and forward passes.
    """
    rollout = settings.prompts_per_rollout * settings.num_generations
    per_update, rest = divmod(rollout, settings.updates_per_rollout)
    label = (
        f"policy: found {rollout} completions per rollout (prompts_per_rollout × num_generations) "
        f"and updates_per_rollout = {settings.updates_per_rollout}"
    )
    if rest:
        raise WfineError(f"{label}, expected a multiple of that; change one of the three.")
    micro_size, n_forward = adapters.share_of_batch(per_update, settings.micro_batch_size, label)
    return GRPOConfig(
        output_dir=str(checkpoints or folder / "trainer"),
        learning_rate=settings.learning_rate,
        lr_scheduler_type="linear",
        warmup_steps=0.05,
        max_steps=settings.n_steps,
        num_generations=settings.num_generations,
        generation_batch_size=rollout,
        per_device_train_batch_size=micro_size,
        gradient_accumulation_steps=n_forward,
        ddp_find_unused_parameters=False,  # every adapter is used in every forward pass
        beta=settings.beta,
        use_bias_correction_kl=False,  # plain k3, the released "low_var_kl"
        loss_type="dapo",  # mean over tokens, as released
        scale_rewards="group",
        temperature=settings.temperature,
        top_p=1.0,
        top_k=0,
        max_completion_length=settings.max_new_tokens,
        mask_truncated_completions=False,
        activation_checkpointing=devices.device() == "cuda",
        logging_steps=1,
        log_completions=True,  # one parquet file a step, in trainer/completions
        num_completions_to_print=0,
        save_strategy="steps" if checkpoints else "no",
        save_steps=ROLLOUTS_PER_CHECKPOINT * settings.updates_per_rollout,  # rollouts stay whole
        save_total_limit=1,
        seed=seed,
        **devices.precision_flags(),
    )


def training_curve(log_history: Sequence[dict[str, float]]) -> pd.DataFrame:
    """Tidy training curve from a GRPO trainer's log, one row per rollout."""
    names = {
        "reward": "reward",
        "reward_std": "reward_std",
        "kl": "kl",
        "entropy": "entropy",
        "completions/mean_length": "completion_tokens",
        "frac_reward_zero_std": "frac_reward_zero_std",
        "completions/clipped_ratio": "share_cut",
    }
    rows = [
        [int(entry["step"]), *(float(entry.get(logged, np.nan)) for logged in names)]
        for entry in log_history
        if "reward" in entry
    ]
    return pd.DataFrame(rows, columns=["step", *names.values()])
