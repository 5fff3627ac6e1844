"""LoRA adapters on a frozen base: what is trained, in which precision, and their folders."""

from __future__ import annotations

import hashlib
import json
import re
import warnings
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, cast

import pandas as pd
import torch
from peft import LoraConfig, PeftModel, TaskType
from transformers import PreTrainedModel, PreTrainedTokenizerBase, Trainer, TrainerState
from transformers.trainer import TRAINER_STATE_NAME
from transformers.trainer_utils import get_last_checkpoint

from wfine_utils.base_model import CARD, MANIFEST, Base, portable, read_manifest, write_manifest
from wfine_utils.errors import WfineError
from wfine_utils.models import cpu_layers, devices, loading
from wfine_utils.models.cards import write_model_card
from wfine_utils.models.loading import Head, reward_heads
from wfine_utils.models.memory import Meter
from wfine_utils.notebook.environment import versions
from wfine_utils.settings import PolicySettings, RewardSettings


def share_of_batch(batch_size: int, micro_batch_size: int, where: str) -> tuple[int, int]:
    """Items per forward pass, and forward passes per optimiser step, of each process.

    Args:
        batch_size: items per optimiser step, of all processes together.
        micro_batch_size: most items per forward pass.
        where: begins the error.

    Raises:
        WfineError: the batch does not divide evenly into processes and forward passes.
    """
    n = devices.processes().num_processes
    share, rest = divmod(batch_size, n)
    micro = min(micro_batch_size, share)
    if rest or share % micro:
        raise WfineError(
            f"{where}: a batch of {batch_size}, a micro_batch_size of {micro_batch_size} and {n} "
            f"process{'es' if n > 1 else ''} do not go together. Expected shares of the batch, one "
            "per process, that are at most micro_batch_size or multiples of it; change one of them."
        )
    return micro, share // micro


def lora_config(
    head: Head, *, r: int, alpha: int, without: str | None = None, new: Sequence[str] = ()
) -> LoraConfig:
    """LoRA of rank ``r``, scaled by ``alpha / r``, on every linear layer.

    The head of a reward model and the modules ``new``, which begin with random weights, are trained
    in full and saved with the adapter; see :func:`wfine_utils.models.loading.new_modules`. Modules
    whose names match the pattern ``without`` get no adapter; see :func:`lower_layers`.
    """
    extra = [name for name in new if name not in loading.HEADS]
    return LoraConfig(
        task_type=TaskType.SEQ_CLS if head == "reward" else TaskType.CAUSAL_LM,
        r=r,
        lora_alpha=alpha,
        lora_dropout=0.0,  # GRPO generates in train mode: dropout would change the policy
        target_modules="all-linear",
        exclude_modules=without,  # layers_to_transform overlooks modules of a small model
        modules_to_save=extra or None,  # PEFT adds the usual heads itself
    )


def lower_layers(model: PreTrainedModel, adapted: float) -> str | None:
    """Pattern of the names of all modules in the lower layers, which are to have no adapters.

    Gradients are then computed down to the first adapted layer only, which makes training faster.

    Args:
        model: of which the layers are a list called ``layer`` or ``layers``, else it is refused.
        adapted: share of the layers, from the top, that are adapted; one always is. 1 gives None.
    """
    n_layers = model.config.get_text_config().num_hidden_layers
    n_lower = min(round((1 - adapted) * n_layers), n_layers - 1)
    if n_lower < 1:
        return None
    pattern = rf".*\.layers?\.({'|'.join(map(str, range(n_lower)))})\..*"
    if not any(re.fullmatch(pattern, name) for name, _ in model.named_modules()):
        raise WfineError(
            f"adapted_layers: found {adapted}, but the layers of {type(model).__name__} are not "
            "called layer or layers, so the lower ones cannot be told. Expected 1.0 for this model."
        )
    return pattern


def trainable_to_fp32(model: torch.nn.Module) -> None:
    """Keep adapters and heads in fp32: TRL casts them to bf16 for a 4-bit base.

    There a learning rate of 1e-5 is lost to rounding, and scores fall on a grid with ties.
    """
    for parameter in model.parameters():
        if parameter.requires_grad:
            parameter.data = parameter.data.float()


def head_to_fp32(model: torch.nn.Module) -> None:
    """Compute the head of a reward model in fp32, inside autocast too. After adapters are added.

    Rewards in bf16 lie on a grid of 1/128 of their size: they tie, and losses fall in steps.
    """
    for head in reward_heads(model):
        head.float().forward = partial(_in_fp32, head.forward)


def _in_fp32(forward: Callable[[torch.Tensor], torch.Tensor], hidden: torch.Tensor) -> torch.Tensor:
    with torch.autocast(hidden.device.type, enabled=False):
        return forward(hidden.float())


KINDS: dict[Head, str] = {"reward": "reward model", "causal": "policy"}  # by the base's head


def save_adapter(
    model: PeftModel,
    tokenizer: PreTrainedTokenizerBase,
    base: Base,
    head: Head,
    folder: Path,
    **facts: Any,
) -> None:
    """Save a trained adapter, its tokenizer and its manifest, so that it can move with its base.

    Args:
        model, tokenizer, base, head: the adapter on its base, and what that was loaded with.
        folder: exists already.
        facts: of the training, for the manifest; ``settings`` are needed to load the adapter.
    """
    model.peft_config["default"].base_model_name_or_path = portable(base.model, folder)
    model.save_pretrained(str(folder), safe_serialization=True, save_embedding_layers=False)
    (folder / CARD).unlink()  # an empty form, with the absolute path of the base
    tokenizer.save_pretrained(folder)
    facts["chat_template_sha256"] = _template_digest(tokenizer)
    write_manifest(folder, base, KINDS[head], **facts)


def train_and_save(
    trainer: Trainer,
    base: Base,
    head: Head,
    folder: Path,
    meter: Meter,
    curve: Callable[[Sequence[dict[str, float]]], pd.DataFrame],
    *,
    settings: RewardSettings | PolicySettings,
    **facts: Any,
) -> pd.DataFrame:
    """Train adapters, and save them with their cost, the curve of the training, and a card.

    A checkpoint in the trainer's folder is what the training goes on from.

    Args:
        trainer: of TRL, with adapters on a base.
        base, head: that the trainer's model was loaded with.
        folder: for all that is saved; of several processes the first writes.
        meter: started before the model was loaded.
        curve: makes a table of the trainer's log; its name is that of the file.
        settings, facts: of the training, for the manifest.
    """
    model = cast(PeftModel, trainer.model)
    trainable_to_fp32(model)
    head_to_fp32(model)
    cpu_layers.fuse_adapters(model)
    kept = Path(str(trainer.args.output_dir))
    checkpoint = get_last_checkpoint(str(kept)) if kept.is_dir() else None
    earlier = _tokens(_state_of(checkpoint).log_history) if checkpoint else 0.0
    with warnings.catch_warnings(action="ignore", category=FutureWarning), meter.training():
        # TRL 1.16 asks transformers by an old name in every step, which fills a notebook
        trainer.train(checkpoint)
    log = trainer.state.log_history
    table = curve(log)
    if trainer.is_world_process_zero():
        meter.write(folder, _tokens(log), earlier=earlier)
        facts["settings"] = settings.model_dump()
        tokenizer = cast(PreTrainedTokenizerBase, trainer.processing_class)
        save_adapter(model, tokenizer, base, head, folder, **facts)
        table.to_csv(folder / f"{curve.__name__}.csv", index=False)
        write_model_card(folder, versions=versions())
    trainer.accelerator.wait_for_everyone()
    return table


def _state_of(checkpoint: str) -> TrainerState:
    return TrainerState.load_from_json(str(Path(checkpoint) / TRAINER_STATE_NAME))


def _tokens(log: Sequence[dict[str, float]]) -> float:
    """Tokens that a training has seen by its log, padding left out."""
    return max((entry["num_tokens"] for entry in log if "num_tokens" in entry), default=0.0)


def load_adapter(
    folder: Path, head: Head, base: Base | None = None
) -> tuple[PeftModel, PreTrainedTokenizerBase, dict[str, Any]]:
    """A model that :func:`save_adapter` saved, as it was in training; its tokenizer and manifest.

    ``base`` None: the one that the manifest names.

    Raises:
        WfineError: there is no manifest; base model or chat template are not those of the training
            or cannot be loaded.
    """
    base, manifest = read_manifest(folder, KINDS[head], base)
    tokenizer = loading.load_tokenizer(Base(str(folder)))
    if (template := _template_digest(tokenizer)) != manifest["chat_template_sha256"]:
        raise WfineError(
            f"{folder / MANIFEST}: chat_template_sha256: found {template}, expected "
            f"{manifest['chat_template_sha256']}: the adapter was trained with another chat "
            "template. Put the tokenizer of the training back, or train it again."
        )
    kept = ("quantise", "precision")  # older policies have no choice of the second
    options = {name: value for name, value in manifest["settings"].items() if name in kept}
    model = loading.load_quantised(base, head, tokenizer=tokenizer, **options)
    adapted = PeftModel.from_pretrained(model, str(folder))
    cpu_layers.fuse_adapters(adapted)
    return adapted, tokenizer, manifest


def _template_digest(tokenizer: PreTrainedTokenizerBase) -> str:
    template: Any = tokenizer.chat_template or ""  # an encoder has none, Command R several
    text = template if isinstance(template, str) else json.dumps(template, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()
