"""Policies: GRPO in 4-bit against a reward model, and generation for before/after tests.

Thin over ``trl.GRPOTrainer`` 1.16. The reward is a plain function, not a module handed to the
trainer: the trainer would score a whole rollout in one padded forward pass, with another
text than the reward model was trained on.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from datasets import Dataset
from peft import PeftModel
from tqdm.auto import tqdm
from transformers import PreTrainedModel, PreTrainedTokenizerBase
from trl import GRPOConfig, GRPOTrainer

from wfine_utils import models
from wfine_utils.errors import WfineError
from wfine_utils.params import PolicySettings
from wfine_utils.reward_model import RewardModel
from wfine_utils.taxonomy import Query


def prompt_messages(query: Query) -> list[dict[str, str]]:
    """The conversation a policy answers: the full instruction as the user's turn."""
    return [{"role": "user", "content": query.prompt()}]


class RewardFunction:
    """A reward model in the form ``GRPOTrainer`` calls: completions in, one reward each out."""

    def __init__(self, reward_model: RewardModel, queries: Sequence[Query]) -> None:
        self.__name__ = f"reward_model_{reward_model.granularity}"  # names the logged metric
        self._reward_model = reward_model
        self._queries = queries

    def __call__(
        self, completions: Sequence[Any], query_index: Sequence[int], **_: Any
    ) -> list[float]:
        texts = [completion[0]["content"] for completion in completions]
        queries = [self._queries[i] for i in query_index]
        return self._reward_model.score(queries, texts).tolist()


def train_policy(
    queries: Sequence[Query],
    reward_model: RewardModel,
    *,
    base_model: str | Path,
    settings: PolicySettings,
    seed: int,
    folder: Path,
    revision: str | None = None,
) -> pd.DataFrame:
    """Train LoRA adapters by GRPO, so that completions of the 4-bit base earn more reward.

    Args:
        queries: training queries; ``prompts_per_rollout`` of them are answered
            ``num_generations`` times in each rollout.
        reward_model: gives the reward of a completion.
        base_model: folder or Hub id; with its adapters off it is the reference model too.
        settings: hyper-parameters.
        seed: of the adapters, the order of prompts, and sampling.
        folder: where the adapter and ``training_curve.csv`` go; exists already.
        revision: Hub revision of the base model.

    Returns:
        The training curve, one row per optimiser step: ``step, reward, reward_std, kl,
        entropy, completion_tokens``.

    Raises:
        WfineError: fewer queries than one rollout needs, or sizes that do not divide.
    """
    if len(queries) < settings.prompts_per_rollout:
        raise WfineError(
            f"policy: found {len(queries)} training queries, expected at least prompts_per_rollout"
            f" = {settings.prompts_per_rollout}; make more in notebook 02 or lower the parameter."
        )
    tokenizer = models.load_tokenizer(base_model, revision)
    torch.manual_seed(seed)
    trainer = GRPOTrainer(
        model=models.load_quantised(
            base_model, "causal", tokenizer=tokenizer, quantise=settings.quantise, revision=revision
        ),
        reward_funcs=RewardFunction(reward_model, queries),
        args=grpo_config(settings, folder, seed=seed),
        train_dataset=Dataset.from_dict(
            {
                "prompt": [prompt_messages(query) for query in queries],
                "query_index": list(range(len(queries))),
            }
        ),
        processing_class=tokenizer,
        peft_config=models.lora_config("causal", r=settings.lora_r, alpha=settings.lora_alpha),
    )
    models.trainable_to_fp32(trainer.model)
    trainer.train()
    trainer.model.save_pretrained(folder, safe_serialization=True)
    curve = training_curve(trainer.state.log_history)
    curve.to_csv(folder / "training_curve.csv", index=False)
    return curve


def grpo_config(settings: PolicySettings, folder: Path, *, seed: int) -> GRPOConfig:
    """The arguments of ``trl.GRPOTrainer`` that follow from our settings.

    Raises:
        WfineError: a rollout does not split evenly into updates and forward passes.
    """
    rollout = settings.prompts_per_rollout * settings.num_generations
    per_update, rest = divmod(rollout, settings.updates_per_rollout)
    if rest or per_update % settings.micro_batch_size:
        raise WfineError(
            f"policy: found {rollout} completions per rollout (prompts_per_rollout × "
            f"num_generations), expected a multiple of updates_per_rollout × micro_batch_size = "
            f"{settings.updates_per_rollout} × {settings.micro_batch_size}; change one of the four."
        )
    return GRPOConfig(
        output_dir=str(folder / "trainer"),
        learning_rate=settings.learning_rate,
        lr_scheduler_type="constant_with_warmup",
        warmup_steps=0.05,
        max_steps=settings.n_steps,
        num_generations=settings.num_generations,
        generation_batch_size=rollout,
        per_device_train_batch_size=settings.micro_batch_size,
        gradient_accumulation_steps=per_update // settings.micro_batch_size,
        beta=settings.beta,
        use_bias_correction_kl=False,  # plain k3, the released "low_var_kl"
        loss_type="dapo",  # mean over tokens, as released
        scale_rewards="group",
        temperature=settings.temperature,
        top_p=1.0,
        top_k=0,
        max_completion_length=settings.max_new_tokens,
        mask_truncated_completions=False,
        activation_checkpointing=models.device() == "cuda",
        logging_steps=1,
        log_completions=True,  # one parquet file a step, in trainer/completions
        num_completions_to_print=0,
        save_strategy="no",
        seed=seed,
        **models.precision_flags(),
    )


def training_curve(log_history: Sequence[dict[str, float]]) -> pd.DataFrame:
    """Tidy training curve from a GRPO trainer's log, one row per logged step."""
    names = {
        "reward": "reward",
        "reward_std": "reward_std",
        "kl": "kl",
        "entropy": "entropy",
        "completions/mean_length": "completion_tokens",
    }
    rows = [
        {"step": int(entry["step"]), **{new: float(entry.get(old, np.nan)) for old, new in names.items()}}
        for entry in log_history
        if "reward" in entry
    ]
    return pd.DataFrame(rows, columns=["step", *names.values()])


def load_policy(
    base_model: str | Path,
    adapter: Path | None = None,
    *,
    quantise: bool = True,
    revision: str | None = None,
) -> tuple[PreTrainedModel | PeftModel, PreTrainedTokenizerBase]:
    """A policy ready to generate: the 4-bit base, with a trained adapter or as it is.

    Args:
        base_model: folder or Hub id.
        adapter: folder written by :func:`train_policy`; None gives the base policy.
        quantise: as in training.
        revision: Hub revision of the base model.
    """
    tokenizer = models.load_tokenizer(base_model, revision)
    model = models.load_quantised(
        base_model, "causal", tokenizer=tokenizer, quantise=quantise, revision=revision
    )
    if adapter is not None:
        model = PeftModel.from_pretrained(model, str(adapter))
    return model.eval(), tokenizer


@torch.inference_mode()
def generate(
    model: PreTrainedModel | PeftModel,
    tokenizer: PreTrainedTokenizerBase,
    queries: Sequence[Query],
    *,
    max_new_tokens: int,
    temperature: float = 1.0,
    batch_size: int = 64,
    seed: int = 0,
) -> list[str]:
    """One sampled completion per query, from the full instruction.

    Args:
        model: from :func:`load_policy`.
        tokenizer: of the same.
        queries: n queries.
        max_new_tokens: longest completion, in tokens.
        temperature: of sampling; no nucleus, no top-k.
        batch_size: prompts per call of ``generate``; prompts of similar length go together.
        seed: of sampling; the texts depend on it and on ``batch_size``.

    Returns:
        n texts, in the order of the queries, without special tokens.
    """
    torch.manual_seed(seed)
    prompts = [
        tokenizer.apply_chat_template(
            prompt_messages(query), add_generation_prompt=True, tokenize=True, return_dict=False
        )
        for query in queries
    ]
    order = np.argsort([len(prompt) for prompt in prompts], kind="stable")
    texts = [""] * len(queries)
    for start in tqdm(range(0, len(order), batch_size), desc="generate", unit="batch"):
        batch = order[start : start + batch_size]
        inputs = tokenizer.pad(
            {"input_ids": [prompts[i] for i in batch]}, return_tensors="pt", padding_side="left"
        ).to(model.device)
        output = model.generate(
            **inputs,
            do_sample=True,
            temperature=temperature,
            top_p=1.0,
            top_k=0,
            max_new_tokens=max_new_tokens,
            pad_token_id=tokenizer.pad_token_id,
        )
        decoded = tokenizer.batch_decode(
            output[:, inputs["input_ids"].shape[1] :], skip_special_tokens=True
        )
        for i, text in zip(batch, decoded, strict=True):
            texts[i] = text
    return texts


@torch.inference_mode()
def divergence(
    model: PreTrainedModel | PeftModel,
    tokenizer: PreTrainedTokenizerBase,
    queries: Sequence[Query],
    texts: Sequence[str],
    *,
    batch_size: int = 16,
) -> pd.DataFrame:
    """How far a policy has moved from its base model, and how varied it still is.

    Both are computed exactly at every token of the policy's own texts, from the whole
    next-token distribution, and averaged over the text.

    Args:
        model: from :func:`load_policy`; without an adapter the KL is 0.
        tokenizer: of the same.
        queries: n queries.
        texts: n texts the policy wrote to them.
        batch_size: texts per forward pass.

    Returns:
        One row per text: ``kl`` = KL(policy ‖ base) and ``entropy`` of the policy, both in
        nats per token, and ``n_tokens``.
    """
    rows = []
    for start in tqdm(range(0, len(queries), batch_size), desc="divergence", unit="batch"):
        batch = list(zip(queries, texts, strict=True))[start : start + batch_size]
        ids, n_prompt = [], []
        for query, text in batch:
            prompt = tokenizer.apply_chat_template(
                prompt_messages(query), add_generation_prompt=True, tokenize=True, return_dict=False
            )
            answer = tokenizer(text, add_special_tokens=False)["input_ids"]
            ids.append([*prompt, *answer, tokenizer.eos_token_id])
            n_prompt.append(len(prompt))
        inputs = tokenizer.pad({"input_ids": ids}, return_tensors="pt", padding_side="right")
        inputs = inputs.to(model.device)
        log_p = model(**inputs).logits.float().log_softmax(-1)
        log_q = log_p
        if isinstance(model, PeftModel):
            with model.disable_adapter():
                log_q = model(**inputs).logits.float().log_softmax(-1)
        p = log_p.exp()
        kl, entropy = (p * (log_p - log_q)).sum(-1), -(p * log_p).sum(-1)
        for i, (row, first) in enumerate(zip(ids, n_prompt, strict=True)):
            written = slice(first - 1, len(row) - 1)  # position t predicts token t + 1
            rows.append([float(x[i, written].mean()) for x in (kl, entropy)] + [len(row) - first])
    return pd.DataFrame(rows, columns=["kl", "entropy", "n_tokens"])
