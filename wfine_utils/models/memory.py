"""How much GPU memory a training will need, said before it starts, and what it took.

The estimate follows from the model's configuration: nothing is loaded for it. It errs on the
side of too much, since a run that is refused costs a line in a file, and one that dies of memory
costs hours. No GPU was at hand when it was written: its weights are tested against real models
on a CPU, and its activations are derived from the source of transformers, PEFT and TRL.
"""

from __future__ import annotations

import gc
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import NamedTuple

import torch
from transformers import AutoModelForCausalLM, PreTrainedConfig

from wfine_utils.errors import WfineError
from wfine_utils.files import write_json
from wfine_utils.models.loading import Head
from wfine_utils.settings import PolicySettings, RewardSettings

GIB = 2**30

DECODERS = ("llama", "mistral", "qwen2", "qwen3")
"""Model types whose layers are those that the formulas below are about."""

BF16, FP32 = 2, 4  # bytes per number

CONTEXT_GIB = 1.0  # CUDA context, cuBLAS, kernels; an assumption: they differ by card and driver
FRAGMENTS = 1.15  # what comes and goes (not weights) takes more than its size; an assumption
SCORING_TOKENS = 4096  # padded tokens per forward pass of a reward model that scores
LOGITS_NUMBERS = 2**28  # of next-token distributions held at a time: 1 GiB in fp32
# TRL 1.16: the fused LM head holds logits in fp32 for 4,096 tokens × 32,768 words at a time
# (kernels/chunked_logprob.py TOKEN_CHUNK_SIZE, trainer/utils.py _CHUNKED_LOGPROB_CHUNK_SIZE)
_TILE_TOKENS, _TILE_WORDS = 4096, 32768

COST = "cost.json"
"""File beside an adapter: estimate, peak memory, tokens per second."""


class Matrices(NamedTuple):
    """What a decoder consists of.

    Attributes:
        linear: (inputs, outputs) of every linear layer of the body, the ones NF4 and LoRA act on.
        other: numbers in norms, biases and embeddings, never quantised.
        lm_head: numbers in an output layer of its own; 0 where it is the embedding itself.
    """

    linear: list[tuple[int, int]]
    other: int
    lm_head: int

    @property
    def n_parameters(self) -> int:
        """Of the language model with its head."""
        return sum(i * o for i, o in self.linear) + self.other + self.lm_head


def matrices(config: PreTrainedConfig) -> Matrices:
    """The weight matrices of a language model, which is built for it without any weights."""
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(config)
    head = model.get_output_embeddings()
    linear = [
        (module.in_features, module.out_features)
        for module in model.modules()
        if isinstance(module, torch.nn.Linear) and module is not head
    ]
    lm_head = 0 if config.tie_word_embeddings else head.weight.numel()
    other = model.num_parameters() - sum(i * o for i, o in linear) - lm_head
    return Matrices(linear, other, lm_head)


def _sizes(config: PreTrainedConfig) -> tuple[int, int, int, int, int]:
    """Width, inner width, layers, and the widths of queries and of keys (or values)."""
    size = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    return (
        config.hidden_size,
        config.intermediate_size,
        config.num_hidden_layers,
        config.num_attention_heads * size,
        config.num_key_value_heads * size,
    )


@dataclass(frozen=True)
class Estimate:
    """GPU memory of a training in GiB, by part.

    The first four are held throughout. Of the phases (training: activations and logits;
    generation; scoring) only the largest counts, as one ends before the next begins.
    """

    weights: float
    adapters: float
    reward_model: float
    overhead: float
    activations: float
    logits: float
    generation: float = 0.0
    scoring: float = 0.0

    @property
    def total(self) -> float:
        """Peak, in GiB."""
        held = self.weights + self.adapters + self.reward_model + self.overhead
        return held + FRAGMENTS * max(self.activations + self.logits, self.generation, self.scoring)

    def line(self) -> str:
        """The estimate as one line of text, parts of 0 left out."""
        parts = {field.name.replace("_", " "): getattr(self, field.name) for field in fields(self)}
        listed = ", ".join(f"{name} {value:.2f}" for name, value in parts.items() if value)
        return f"{self.total:.1f} GiB in all: {listed}"


def weight_bytes(
    config: PreTrainedConfig, head: Head, *, quantise: bool, unquantised: int = BF16
) -> float:
    """Bytes of a base model as :func:`loading.load_quantised` loads it.

    Args:
        config: of the model.
        head: ``"reward"`` (no LM head, one scalar) or ``"causal"``.
        quantise: NF4 with double quantisation for the linear layers of the body.
        unquantised: bytes of every other number; 2 on a GPU, 4 on a CPU.

    Source: bitsandbytes 0.50, ``functional.py`` ``quantize_4bit``: 4 bits a weight, one maximum
        per 64 weights, itself in 8 bits with one fp32 maximum per 256 of them; per matrix the
        two code books, 16 and 256 numbers, and an offset, in fp32.
    """
    parts = matrices(config)
    n_linear = sum(i * o for i, o in parts.linear)
    body: float = n_linear * unquantised
    if quantise:
        books = len(parts.linear) * (16 + 256 + 1) * FP32
        body = n_linear * (1 / 2 + 1 / 64 + FP32 / (64 * 256)) + books
    rest = parts.other + (parts.lm_head if head == "causal" else config.hidden_size)
    return body + rest * unquantised


def lora_parameters(config: PreTrainedConfig, head: Head, r: int) -> int:
    """Trained numbers: two thin matrices per linear layer, and a scalar head in full."""
    n = sum(r * (i + o) for i, o in matrices(config).linear)
    return n + (config.hidden_size if head == "reward" else 0)


def _adapter_bytes(config: PreTrainedConfig, head: Head, r: int) -> int:
    # weights, gradients and the two moments of AdamW, all in fp32 (adapters.trainable_to_fp32)
    return 4 * FP32 * lora_parameters(config, head, r)


def _training_bytes(config: PreTrainedConfig, tokens: int) -> float:
    """Activations of one forward and backward pass over ``tokens`` padded tokens, checkpointed.

    Kept of every layer: its input. While one layer is recomputed and differentiated, per token:
    the norms' inputs in fp32 (2 × 4 × hidden) and the inputs of the attention, of its output
    layer and of the MLP (8 × hidden together with the residual); queries, what attention
    returns, and keys and values, repeated for every group of heads; gate, its SiLU, up and their
    product (4 × inner), and the gradients of three of them. Inputs of adapted layers are counted
    once: under autocast PEFT 0.21 makes no copy of them (``tuners/lora/bnb.py``).
    """
    hidden, inner, n_layers, q, kv = _sizes(config)
    kept = n_layers * hidden * BF16
    layer = 16 * hidden + BF16 * (4 * q + 2 * kv) + BF16 * 7 * inner
    return tokens * (kept + layer)


def _forward_bytes(config: PreTrainedConfig, tokens: int) -> float:
    """A forward pass without gradients: the widest moment of one layer, with LoRA's copies.

    Gate, and up with a clone and an adapter's output in fp32 while they are added
    (peft 0.21, ``tuners/lora/bnb.py``: ``result.clone()``): seven times the inner width.
    """
    hidden, inner, _, q, kv = _sizes(config)
    return tokens * BF16 * (7 * inner + 6 * hidden + 3 * q + 2 * kv)


def _overhead_bytes(config: PreTrainedConfig) -> float:
    # MatMul4Bit dequantises a layer's weight to bf16, forward and again backward
    largest = max(i * o for i, o in matrices(config).linear)
    return CONTEXT_GIB * GIB + 2 * BF16 * largest


def is_known(config: PreTrainedConfig) -> bool:
    """Whether the formulas of this module are about this kind of model."""
    return config.model_type in DECODERS


def estimate_reward_training(
    config: PreTrainedConfig, settings: RewardSettings, *, longest: int | None = None
) -> Estimate:
    """GPU memory of training a reward model: chosen and rejected pass through together.

    Args:
        config: of the base model.
        settings: of the training. With fewer adapted layers it takes less than estimated.
        longest: tokens of the longest text; None: ``settings.max_tokens``.
    """
    length = min(settings.max_tokens, longest or settings.max_tokens)
    tokens = 2 * settings.micro_batch_size * length
    return Estimate(
        weights=weight_bytes(config, "reward", quantise=settings.quantise) / GIB,
        adapters=_adapter_bytes(config, "reward", settings.lora_r) / GIB,
        reward_model=0.0,
        overhead=_overhead_bytes(config) / GIB,
        activations=_training_bytes(config, tokens) / GIB,
        logits=tokens * FP32 / GIB,  # one scalar per token, of which the last is used
    )


def estimate_grpo(
    config: PreTrainedConfig,
    settings: PolicySettings,
    *,
    prompt_tokens: int = 256,
    reward_config: PreTrainedConfig | None = None,
    reward_quantised: bool = True,
    reward_r: int | None = None,
) -> Estimate:
    """GPU memory of GRPO: a policy, its reward model, and the rollouts.

    Args:
        config: of the policy's base model; with adapters off it is the reference too.
        settings: of the training.
        prompt_tokens: of the longest prompt.
        reward_config: of the reward model's base; None: the same model once more.
        reward_quantised: whether that is in 4-bit.
        reward_r: rank of its adapters; None: that of the policy.

    Source: TRL 1.16 ``GRPOTrainer`` generates a whole rollout in one padded batch and computes
        log-probabilities tile by tile, so that logits of a whole text are never held.
    """
    hidden, _, n_layers, q, kv = _sizes(config)
    reward_config = reward_config or config
    length = prompt_tokens + settings.max_new_tokens
    rollout = settings.prompts_per_rollout * settings.num_generations
    tokens = settings.micro_batch_size * length
    # keys and values of all layers; while a layer attends, its own again for every group of heads
    # (sdpa with a mask, transformers integrations/sdpa_attention.py) and once more, as the cache
    # grows by concatenation
    cache = rollout * length * 2 * BF16 * (kv * (n_layers + 1) + q)
    # transformers generation/utils.py: bf16, a copy in fp32, and its softmax
    step = rollout * config.vocab_size * (BF16 + 2 * FP32)
    prefill = _forward_bytes(config, rollout * prompt_tokens)
    scorer = 0.0
    if is_known(reward_config):
        scorer = weight_bytes(reward_config, "reward", quantise=reward_quantised)
        n_adapters = lora_parameters(reward_config, "reward", reward_r or settings.lora_r)
        scorer += n_adapters * FP32
    tile = min(tokens, _TILE_TOKENS) * min(config.vocab_size, _TILE_WORDS) * FP32
    tile += _TILE_WORDS * hidden * FP32 + tokens * hidden * FP32  # a slice of weights; gradients
    return Estimate(
        weights=weight_bytes(config, "causal", quantise=settings.quantise) / GIB,
        adapters=_adapter_bytes(config, "causal", settings.lora_r) / GIB,
        reward_model=scorer / GIB,
        overhead=_overhead_bytes(config) / GIB,
        activations=_training_bytes(config, tokens) / GIB,
        logits=tile / GIB,
        generation=(max(cache, prefill) + step) / GIB,
        scoring=(_forward_bytes(reward_config, SCORING_TOKENS) if scorer else 0.0) / GIB,
    )


def require(free_gib: float | None, estimate: Estimate, label: str, advice: str) -> None:
    """Refuse a training that the GPU is too small for.

    Args:
        free_gib: from :func:`gpu_gib`; None, which is a CPU, passes: there the tiny world is
            trained, and a model that is too large is slow before it is fatal.
        estimate: of the training.
        label: the training, as the message names it.
        advice: which parameters to lower.

    Raises:
        WfineError: the estimate exceeds what is free.
    """
    if free_gib is None or estimate.total <= free_gib:
        return
    raise WfineError(
        f"{label}: found {free_gib:.1f} GiB of free GPU memory, expected at least "
        f"{estimate.total:.1f} GiB by our estimate ({estimate.line()}). {advice}, end other "
        "programs on the GPU, or take the preset of a smaller model (qwen1.5b, qwen0.5b)."
    )


def tokens_of_logits(vocab_size: int, budget: int = sys.maxsize) -> int:
    """Padded tokens whose logits may be held at once: ``budget``, less for a large vocabulary.

    >>> tokens_of_logits(1536, budget=4096), tokens_of_logits(152_064, budget=4096)
    (4096, 1765)
    """
    return max(1, min(budget, LOGITS_NUMBERS // vocab_size))


def gpu_gib() -> float | None:
    """GiB of the GPU that are free or this process's own; None: no GPU."""
    if not torch.cuda.is_available():
        return None
    gc.collect()  # what an earlier training left behind in reference cycles
    torch.cuda.empty_cache()
    free, _ = torch.cuda.mem_get_info()
    return (free + torch.cuda.memory_reserved()) / GIB


def start_meter(
    config: PreTrainedConfig,
    estimate: Callable[[PreTrainedConfig], Estimate],
    label: str,
    advice: str,
) -> Meter:
    """A meter for a training that the GPU has room for, as far as that can be told.

    Args:
        config: of the base model.
        estimate: of the memory that the training will need; not asked about a kind of model that
            the formulas do not know.
        label: how an error names the training.
        advice: which parameters to lower.

    Raises:
        WfineError: as :func:`require`.
    """
    if not is_known(config):
        return Meter(None)
    estimated = estimate(config)
    require(gpu_gib(), estimated, label, advice)
    return Meter(estimated)


class Meter:
    """Peak memory and time of one training, from its making to :meth:`write`."""

    def __init__(self, estimate: Estimate | None) -> None:
        self._estimate = estimate
        self._on_gpu = torch.cuda.is_available()
        if self._on_gpu:
            torch.cuda.reset_peak_memory_stats()
        self._start = time.monotonic()

    def write(self, folder: Path, tokens: float) -> None:
        """Write ``cost.json``: what was estimated, what was measured, and on what.

        Args:
            folder: of the adapter.
            tokens: that the training has seen, padding not counted.
        """
        seconds, (peak, of), estimate = time.monotonic() - self._start, self._peak(), self._estimate
        record = {
            "estimate_gib": estimate and asdict(estimate) | {"total": estimate.total},
            "peak_gib": peak,
            "peak_of": of,
            "seconds": seconds,
            "tokens": tokens,
            "tokens_per_second": tokens / seconds,
        }
        write_json(folder / COST, record)

    def _peak(self) -> tuple[float, str]:
        if self._on_gpu:
            name = torch.cuda.get_device_name()
            return torch.cuda.max_memory_allocated() / GIB, f"tensors on {name}"
        import resource  # Unix; on Windows the batch run does not exist either

        unit = 1 if sys.platform == "darwin" else 1024
        used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
        return used / GIB, "the process since its start, no GPU"
