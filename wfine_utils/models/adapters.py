"""Models from a folder or the Hub, in 4-bit, and their adapters.

Every 4-bit model of the project is loaded by :func:`load_quantised`, which switches off a
CPU weight-packing path that silently breaks gradients.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch
from peft import LoraConfig, PeftModel, TaskType
from transformers import PreTrainedModel

from wfine_utils.base_model import portable
from wfine_utils.errors import WfineError
from wfine_utils.models.loading import _heads, processes


def share_of_batch(batch_size: int, micro_batch_size: int, where: str) -> tuple[int, int]:
    """How each process does its share of a batch, so that the batch is the same for any number.

    Args:
        batch_size: items per optimiser step, of all processes together.
        micro_batch_size: items per forward pass that one device has memory for.
        where: begins the error.

    Returns:
        Items per forward pass, at most ``micro_batch_size``, and forward passes per optimiser step.

    Raises:
        WfineError: the batch does not divide evenly.
    """
    n = processes().num_processes
    share, rest = divmod(batch_size, n)
    micro = min(micro_batch_size, share)
    if rest or share % micro:
        raise WfineError(
            f"{where}: a batch of {batch_size}, a micro_batch_size of {micro_batch_size} and "
            f"{n} process{'es' if n > 1 else ''} do not go together. Expected a batch that "
            "divides evenly among the processes, into shares that are no larger than "
            "micro_batch_size or multiples of it; change one of the three."
        )
    return micro, share // micro


def lora_config(head: str, *, r: int, alpha: int, without: str | None = None) -> LoraConfig:
    """LoRA on every linear layer. A reward head is trained in full and saved with the adapter.

    Args:
        head: ``"reward"`` or ``"causal"``, as in :func:`load_quantised`.
        r: rank.
        alpha: the adapter's output is scaled by ``alpha / r``.
        without: pattern of the names of modules that get no adapter; see :func:`lower_layers`.
    """
    return LoraConfig(
        task_type=TaskType.SEQ_CLS if head == "reward" else TaskType.CAUSAL_LM,
        r=r,
        lora_alpha=alpha,
        lora_dropout=0.0,  # GRPO generates in train mode: dropout would change the policy
        target_modules="all-linear",
        exclude_modules=without,  # layers_to_transform overlooks modules of a small model
    )


def lower_layers(model: PreTrainedModel, adapted: float) -> str | None:
    """Pattern of the names of all modules in the lower layers, which are to have no adapters.

    Without adapters at the bottom, gradients are computed down to the first adapted layer only,
    which makes training faster.

    Args:
        model: of which the layers are a list called ``layer`` or ``layers``.
        adapted: share of the layers, from the top, that are adapted; one of them always is.

    Returns:
        The pattern, or None where all layers are adapted.

    Raises:
        WfineError: the model calls its layers otherwise.
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
    """Keep adapters and heads in fp32.

    TRL casts them to bf16 for a 4-bit base; there, a learning rate of 1e-5 is lost to rounding
    and scores fall on a visible grid with ties. They are a hundredth of the weights.
    """
    for parameter in model.parameters():
        if parameter.requires_grad:
            parameter.data = parameter.data.float()


def head_to_fp32(model: torch.nn.Module) -> None:
    """Compute the head of a reward model in fp32, inside autocast too. After adapters are added.

    Rewards rounded to bf16 lie on a grid of about 1/128 of their size: they tie, and the loss of
    a pair that is nearly decided falls in steps.
    """
    for head in _heads(model):
        head.float().forward = partial(_in_fp32, head.forward)


def _in_fp32(forward: Callable[[torch.Tensor], torch.Tensor], hidden: torch.Tensor) -> torch.Tensor:
    with torch.autocast(hidden.device.type, enabled=False):
        return forward(hidden.float())


def save_adapter(model: PeftModel, base_model: str | Path, folder: Path) -> None:
    """Save a trained adapter, naming its base so that both can be moved together.

    Args:
        model: adapters, and a head where there is one, on a frozen base.
        base_model: folder or Hub id of that base.
        folder: gets ``adapter_model.safetensors`` and ``adapter_config.json``.
    """
    model.peft_config["default"].base_model_name_or_path = portable(base_model, folder)
    model.save_pretrained(folder, safe_serialization=True, save_embedding_layers=False)
    (folder / "README.md").unlink()  # an empty form, with the absolute path of the base
