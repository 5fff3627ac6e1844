"""Where models run and in which precision, and the processes that train together."""

from __future__ import annotations

import os
from typing import Any

import torch
from accelerate import PartialState

from wfine_utils.settings import Precision


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


def compute_dtype(precision: Precision = "fp32") -> torch.dtype:
    """What matrix products are computed in: always bf16 on a GPU.

    On a CPU ``"fp32"`` is the same everywhere; ``"auto"`` is bf16 where the CPU has instructions
    for it, as without them bf16 is up to ten times slower.
    """
    fast = precision == "auto" and cpu_has_bf16()
    return torch.bfloat16 if device() == "cuda" or fast else torch.float32


def multiplies_in_bf16(precision: Precision) -> bool:
    """Whether a CPU is to multiply matrices in bf16, and to do all else in fp32.

    So it is for ``"auto"`` where it has the instructions.
    """
    return device() == "cpu" and compute_dtype(precision) == torch.bfloat16


def cpu_has_bf16() -> bool:
    """Whether this CPU multiplies matrices in bf16 (AVX512_BF16 or AMX)."""
    has = torch.cpu.get_capabilities()
    return bool(has.get("avx512_bf16") or has.get("amx_bf16"))


def precision_flags() -> dict[str, Any]:
    """Arguments of a config of TRL or transformers: autocast to bf16 on a GPU, none on a CPU."""
    return {"bf16": device() == "cuda", "fp16": False, "use_cpu": device() != "cuda"}
