"""Models from a folder or the Hub, in 4-bit, and their adapters.

Every 4-bit model of the project is loaded by :func:`load_quantised`, which switches off a
CPU weight-packing path that silently breaks gradients.
"""

from __future__ import annotations

import logging
import os
import re
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")  # read once, when trl is imported

import torch
from accelerate import PartialState
from peft import LoraConfig, PeftModel, TaskType
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoModelForSequenceClassification,
    AutoTokenizer,
    BitsAndBytesConfig,
    PreTrainedConfig,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)

from wfine_utils import bases
from wfine_utils.encoding import is_encoder
from wfine_utils.errors import WfineError
from wfine_utils.hub_errors import why_not_loaded
from wfine_utils.params import Precision


def device() -> str:
    """``"cuda"`` where a GPU can be used, else ``"cpu"``."""
    return "cuda" if torch.cuda.is_available() else "cpu"


def device_of_process() -> str:
    """Where this process puts its models: under a launcher each GPU has a process of its own."""
    rank = os.environ.get("LOCAL_RANK")  # set by `accelerate launch` and torchrun
    if rank is None or device() == "cpu":
        return device()
    return f"cuda:{int(rank) % torch.cuda.device_count()}"  # as accelerate deals them out


def processes() -> PartialState:
    """The processes that train together; one, unless ``accelerate launch`` started several."""
    return PartialState(cpu=device() == "cpu")


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


def compute_dtype(precision: Precision = "fp32") -> torch.dtype:
    """What matrix products are computed in.

    Args:
        precision: on a CPU. ``"fp32"``, the same everywhere; ``"auto"``, bf16 where the CPU has
            instructions for it. Without them bf16 is up to ten times slower. A GPU always uses
            bf16.
    """
    fast = precision == "auto" and cpu_has_bf16()
    return torch.bfloat16 if device() == "cuda" or fast else torch.float32


def cpu_has_bf16() -> bool:
    """Whether this CPU multiplies matrices in bf16 (AVX512_BF16 or AMX)."""
    has = torch.cpu.get_capabilities()
    return bool(has.get("avx512_bf16") or has.get("amx_bf16"))


def precision_flags(precision: Precision = "fp32") -> dict[str, bool]:
    """The arguments that make a TRL or transformers config agree with :func:`compute_dtype`."""
    in_half = compute_dtype(precision) == torch.bfloat16
    return {"bf16": in_half, "fp16": False, "use_cpu": device() != "cuda"}


def load_config(base_model: str | Path, revision: str | None = None) -> PreTrainedConfig:
    """The configuration of a base model, from a folder or the Hub: small, and fetched first.

    Raises:
        WfineError: it cannot be loaded; see :func:`load_quantised`.
    """
    return _from_pretrained(AutoConfig, base_model, revision)


def load_tokenizer(base_model: str | Path, revision: str | None = None) -> PreTrainedTokenizerBase:
    """The tokenizer of a base model, from a folder or the Hub.

    Raises:
        WfineError: it cannot be loaded, has no padding token, or belongs to a
            language model and has no chat template.
    """
    tokenizer = _from_pretrained(AutoTokenizer, base_model, revision)
    if tokenizer.pad_token is None:
        # Not the end token in its place: trainers skip padding at the end of a text when they look
        # for the token whose reward counts, and would skip the end of the text along with it.
        raise WfineError(
            f"base_model {base_model}: its tokenizer has no padding token. Expected one that no "
            "text ends with: take a folder with the model, name an unused special token of the "
            'vocabulary as "pad_token" in its tokenizer_config.json, and give that folder as '
            "base_model."
        )
    if not tokenizer.chat_template and not is_encoder(tokenizer):
        raise WfineError(
            f"base_model {base_model}: its tokenizer has no chat template; choose an instruction-"
            "tuned model, or save a tokenizer with a chat template beside the weights."
        )
    return tokenizer


def nf4_config(precision: Precision = "fp32") -> BitsAndBytesConfig:
    """4-bit NF4 with double quantisation; the heads of classifiers are left unquantised."""
    return BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=compute_dtype(precision),
        llm_int8_skip_modules=["score", "classifier", "lm_head"],
    )


def load_quantised(
    base_model: str | Path,
    head: str,
    *,
    tokenizer: PreTrainedTokenizerBase,
    quantise: bool = True,
    revision: str | None = None,
    precision: Precision = "fp32",
    attn_implementation: str = "sdpa",
) -> PreTrainedModel:
    """Load a base model, in 4-bit unless told otherwise. The one door for 4-bit models.

    Args:
        base_model: folder or Hub id.
        head: ``"reward"`` for one scalar per sequence, ``"causal"`` for a language model.
        tokenizer: its padding token is written into the model's configuration, which is where
            sequence classifiers look for the last token of a text.
        quantise: False loads the weights unquantised in :func:`compute_dtype`.
        revision: Hub revision; None for a folder or the newest one.
        precision: of the computation on a CPU, see :func:`compute_dtype`.
        attn_implementation: as in transformers.

    Raises:
        WfineError: unknown head, an encoder that is to write, or the model cannot be loaded: it
            is not there, has no safetensors, the Hub cannot be reached or has no such revision.

    Source: bitsandbytes 0.50.2, ``nn/modules.py``: on CPUs with AVX512_BF16 the first
        evaluation forward repacks a 4-bit weight in place, and training after it gets wrong
        gradients without an error. The flag set here keeps the packing from happening.
    """
    classes = {"reward": AutoModelForSequenceClassification, "causal": AutoModelForCausalLM}
    if head not in classes:
        raise WfineError(f"head: found {head!r}, expected one of {', '.join(classes)}.")
    if head == "causal" and is_encoder(tokenizer):
        raise WfineError(
            f"base_model {base_model}: found an encoder (its tokenizer has a mask token), expected "
            "a language model, because here it has to write. Encoders can be reward models: see "
            "preset encoder."
        )
    extra: dict[str, Any] = {"num_labels": 1} if head == "reward" else {}
    if quantise:
        extra["quantization_config"] = nf4_config(precision)
    model = _from_pretrained(
        classes[head],
        base_model,
        revision,
        dtype=compute_dtype(precision),
        device_map={"": device_of_process()},
        use_safetensors=True,
        attn_implementation=attn_implementation,
        pad_token_id=tokenizer.pad_token_id,
        **extra,
    )
    disable_cpu_packing(model)
    for module in _heads(model):
        module.float()  # before an adapter is loaded, which brings a trained head in fp32
    return model


def disable_cpu_packing(model: torch.nn.Module) -> None:
    """Keep 4-bit layers from repacking their weights; see :func:`load_quantised`."""
    import bitsandbytes  # slow to import, and only needed where something is quantised

    for module in model.modules():
        if isinstance(module, bitsandbytes.nn.Linear4bit):
            module.support_avx512bf16_for_cpu = False


def _from_pretrained(auto_class: Any, base_model: str | Path, revision: str | None, **kwargs: Any):
    """``auto_class.from_pretrained`` without remote code, with an error the user can act on."""
    if revision is not None and Path(base_model).is_dir():
        raise WfineError(
            f"base_model {base_model}: found revision {revision} beside a folder, which has none. "
            "Expected a revision with a Hub id alone: leave it empty."
        )
    # The report of a freshly initialised reward head is expected here and only alarms.
    log = logging.getLogger("transformers.modeling_utils")
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        return auto_class.from_pretrained(
            str(base_model), revision=revision, trust_remote_code=False, **kwargs
        )
    except (OSError, ValueError) as error:
        raise WfineError(
            f"base_model {base_model}: {why_not_loaded(error, base_model, revision)}"
        ) from error
    finally:
        log.setLevel(level)


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


def _heads(model: torch.nn.Module) -> list[torch.nn.Module]:
    """The modules that turn a hidden state into a reward; none in a language model."""
    return [m for n, m in model.named_modules() if n.split(".")[-1] in ("score", "classifier")]


def _in_fp32(forward: Callable[[torch.Tensor], torch.Tensor], hidden: torch.Tensor) -> torch.Tensor:
    with torch.autocast(hidden.device.type, enabled=False):
        return forward(hidden.float())


def n_positions(model: torch.nn.Module) -> int:
    """The longest text that the model has places for."""
    for module_name, module in model.named_modules():
        padding = getattr(module, "padding_idx", None)
        if module_name.endswith("position_embeddings") and padding is not None:
            return module.num_embeddings - padding - 1  # RoBERTa counts from there
    n = getattr(model.config.get_text_config(), "max_position_embeddings", None)
    return n if n is not None and n > 0 else sys.maxsize


def save_adapter(model: PeftModel, base_model: str | Path, folder: Path) -> None:
    """Save a trained adapter, naming its base so that both can be moved together.

    Args:
        model: adapters, and a head where there is one, on a frozen base.
        base_model: folder or Hub id of that base.
        folder: gets ``adapter_model.safetensors`` and ``adapter_config.json``.
    """
    model.peft_config["default"].base_model_name_or_path = bases.portable(base_model, folder)
    model.save_pretrained(folder, safe_serialization=True, save_embedding_layers=False)
    (folder / "README.md").unlink()  # an empty form, with the absolute path of the base
