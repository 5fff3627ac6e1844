"""How much GPU memory a training will need, said before it starts, and what it took.

The estimate follows from the model's configuration and errs on the side of too much, since a run
that dies of memory costs hours. No GPU was at hand when it was written: its weights are tested
against real models on a CPU, its activations derived from the source of transformers, PEFT and TRL.
"""

from __future__ import annotations

import gc
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM, PreTrainedConfig

from wfine_utils.errors import WfineError
from wfine_utils.files import write_json
from wfine_utils.models.loading import Head
from wfine_utils.settings import PolicySettings, RewardSettings

GIB = 2**30
BF16, FP32 = 2, 4  # bytes per number

DECODERS = ("llama", "mistral", "qwen2", "qwen3")
"""Model types that the formulas below are about."""

CONTEXT_GIB = 1.0  # CUDA context, cuBLAS, kernels; an assumption: they differ by card and driver
FRAGMENTS = 1.15  # what comes and goes (not weights) takes more than its size; an assumption
SCORING_TOKENS = 4096  # padded tokens per forward pass of a reward model that scores
LOGITS_NUMBERS = 2**28  # of next-token distributions held at a time: 1 GiB in fp32
# TRL 1.16: the fused LM head holds logits in fp32 for 4,096 tokens × 32,768 words at a time
# (kernels/chunked_logprob.py TOKEN_CHUNK_SIZE, trainer/utils.py _CHUNKED_LOGPROB_CHUNK_SIZE)
_TILE_TOKENS, _TILE_WORDS = 4096, 32768

COST = "cost.json"
"""File beside an adapter: estimate, peak memory, tokens per second of training."""


class Decoder:
    """What a language model consists of, from its configuration; no weights are loaded.

    Attributes:
        linear: (inputs, outputs) of every linear layer of the body, the ones NF4 and LoRA act on.
        other: numbers in norms, biases and embeddings, never quantised.
        lm_head: numbers in an output layer of its own; 0 where it is the embedding itself.
    """

    def __init__(self, config: PreTrainedConfig) -> None:
        with torch.device("meta"):
            model = AutoModelForCausalLM.from_config(config)
        head = model.get_output_embeddings()
        layers = [m for m in model.modules() if isinstance(m, torch.nn.Linear) and m is not head]
        self.linear = [(layer.in_features, layer.out_features) for layer in layers]
        self._n_linear = sum(i * o for i, o in self.linear)
        self.lm_head = 0 if config.tie_word_embeddings else head.weight.numel()
        self.n_parameters = model.num_parameters()
        self.other = self.n_parameters - self._n_linear - self.lm_head
        self._hidden, self._inner = config.hidden_size, config.intermediate_size
        self._n_layers = config.num_hidden_layers
        size = getattr(config, "head_dim", None) or self._hidden // config.num_attention_heads
        self._q, self._kv = config.num_attention_heads * size, config.num_key_value_heads * size
        self._vocabulary = config.vocab_size

    def weight_bytes(self, head: Head, *, quantise: bool, unquantised: int = BF16) -> float:
        """Bytes of the base model as :func:`~wfine_utils.models.loading.load_quantised` loads it.

        ``unquantised``: bytes of every number that is not in NF4; 2 on a GPU, 4 on a CPU.

        Source: bitsandbytes 0.50, ``functional.py`` ``quantize_4bit``: 4 bits a weight, one maximum
            per 64 weights, itself in 8 bits with one fp32 maximum per 256 of them; per matrix the
            two code books, 16 and 256 numbers, and an offset, in fp32.
        """
        body: float = self._n_linear * unquantised
        if quantise:
            books = len(self.linear) * (16 + 256 + 1) * FP32
            body = self._n_linear * (1 / 2 + 1 / 64 + FP32 / (64 * 256)) + books
        rest = self.other + (self.lm_head if head == "causal" else self._hidden)
        return body + rest * unquantised

    def lora_parameters(self, head: Head, r: int) -> int:
        """Trained numbers: two thin matrices per linear layer, and a scalar head in full."""
        return sum(r * (i + o) for i, o in self.linear) + self._hidden * (head == "reward")

    def training_bytes(self, tokens: int) -> float:
        """Activations of one forward and backward pass over padded tokens, checkpointed.

        Kept of every layer: its input. While one layer is recomputed and differentiated, per token:
        the norms' inputs in fp32 (2 × 4 × hidden) and the inputs of the attention, of its output
        layer and of the MLP (8 × hidden together with the residual); queries, what attention
        returns, and keys and values, repeated for every group of heads; gate, its SiLU, up and
        their product (4 × inner), and the gradients of three of them. Inputs of adapted layers are
        counted once: under autocast PEFT 0.21 makes no copy of them (``tuners/lora/bnb.py``).
        """
        inputs = self._n_layers * self._hidden * BF16
        layer = 16 * self._hidden + BF16 * (4 * self._q + 2 * self._kv + 7 * self._inner)
        return tokens * (inputs + layer)

    def forward_bytes(self, tokens: int) -> float:
        """A forward pass without gradients: the widest moment of one layer, with LoRA's copies."""
        # Gate, and up with a clone and an adapter's output in fp32 while they are added: seven
        # times the inner width (peft 0.21, tuners/lora/bnb.py: result.clone())
        width = 7 * self._inner + 6 * self._hidden + 3 * self._q + 2 * self._kv
        return tokens * BF16 * width

    def generation_bytes(self, n_texts: int, prompt_tokens: int, new_tokens: int) -> float:
        """Writing texts in one padded batch."""
        # keys and values of all layers; while a layer attends, its own again for every group of
        # heads (sdpa with a mask, transformers integrations/sdpa_attention.py) and once more, as
        # the cache grows by concatenation
        per_token = 2 * BF16 * (self._kv * (self._n_layers + 1) + self._q)
        cache = n_texts * (prompt_tokens + new_tokens) * per_token
        # transformers generation/utils.py: bf16, a copy in fp32, and its softmax
        step = n_texts * self._vocabulary * (BF16 + 2 * FP32)
        return max(cache, self.forward_bytes(n_texts * prompt_tokens)) + step

    def logits_bytes(self, tokens: int) -> float:
        """Log-probabilities of written tokens, computed tile by tile in training."""
        tile = min(tokens, _TILE_TOKENS) * min(self._vocabulary, _TILE_WORDS)
        return FP32 * (tile + _TILE_WORDS * self._hidden + tokens * self._hidden)  # … gradients

    def held(self, head: Head, r: int, *, quantise: bool) -> dict[str, float]:
        """What a training holds throughout, in GiB: three parts of an :class:`Estimate`."""
        # MatMul4Bit dequantises a layer's weight to bf16, forward and again backward
        largest = 2 * BF16 * max(i * o for i, o in self.linear)
        return {
            "weights": self.weight_bytes(head, quantise=quantise) / GIB,
            # weights, gradients and AdamW's two moments, all in fp32 (adapters.trainable_to_fp32)
            "adapters": 4 * FP32 * self.lora_parameters(head, r) / GIB,
            "overhead": CONTEXT_GIB + largest / GIB,
        }


@dataclass(frozen=True)
class Estimate:
    """GPU memory of a training in GiB, by part: four that are held, and those of its phases.

    Of training (activations and logits), generation and scoring only the largest counts.
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
        parts = [f"{k.replace('_', ' ')} {gib:.2f}" for k, gib in asdict(self).items() if gib]
        return f"{self.total:.1f} GiB in all: {', '.join(parts)}"


def estimate_reward_training(
    config: PreTrainedConfig, settings: RewardSettings, *, longest: int | None = None
) -> Estimate:
    """GPU memory of training a reward model: chosen and rejected pass through together.

    Args:
        config: of the base model, one of :data:`DECODERS`.
        settings: of the training; with fewer adapted layers it takes less than estimated.
        longest: tokens of the longest text; None: ``settings.max_tokens``.
    """
    model = Decoder(config)
    tokens = 2 * settings.micro_batch_size * min(settings.max_tokens, longest or sys.maxsize)
    return Estimate(
        **model.held("reward", settings.lora_r, quantise=settings.quantise),
        reward_model=0.0,
        activations=model.training_bytes(tokens) / GIB,
        logits=tokens * FP32 / GIB,  # one scalar per token, of which the last is used
    )


def estimate_grpo(
    config: PreTrainedConfig, settings: PolicySettings, *, prompt_tokens: int = 256
) -> Estimate:
    """GPU memory of GRPO: a policy, its reward model, and the rollouts.

    The reward model is taken for one in 4-bit on the same base, with adapters of the same rank.

    Args:
        config: of the base model; with adapters off it is the reference too.
        prompt_tokens: of the longest prompt.

    Source: TRL 1.16 ``GRPOTrainer`` generates a whole rollout in one padded batch and computes
        log-probabilities tile by tile, so that logits of a whole text are never held.
    """
    model = Decoder(config)
    n_texts = settings.prompts_per_rollout * settings.num_generations
    tokens = settings.micro_batch_size * (prompt_tokens + settings.max_new_tokens)
    scorer = model.weight_bytes("reward", quantise=True)
    scorer += FP32 * model.lora_parameters("reward", settings.lora_r)
    generation = model.generation_bytes(n_texts, prompt_tokens, settings.max_new_tokens)
    return Estimate(
        **model.held("causal", settings.lora_r, quantise=settings.quantise),
        reward_model=scorer / GIB,
        activations=model.training_bytes(tokens) / GIB,
        logits=model.logits_bytes(tokens) / GIB,
        generation=generation / GIB,
        scoring=model.forward_bytes(SCORING_TOKENS) / GIB,
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


class Meter:
    """Peak memory and time of one training, from its making to :meth:`write`.

    Args:
        config: of the base model.
        estimate: of the memory that the training will need; called for :data:`DECODERS` alone.
        label: how an error names the training.
        advice: which parameters to lower.

    Raises:
        WfineError: the estimate exceeds what is free on the GPU. A CPU is not asked: there a model
            that is too large is slow before it is fatal.
    """

    def __init__(
        self,
        config: PreTrainedConfig,
        estimate: Callable[[PreTrainedConfig], Estimate],
        label: str,
        advice: str,
    ) -> None:
        self.estimate = estimate(config) if config.model_type in DECODERS else None
        free = gpu_gib()
        if free is not None and self.estimate and self.estimate.total > free:
            raise WfineError(
                f"{label}: found {free:.1f} GiB of free GPU memory, expected at least what we "
                f"estimate ({self.estimate.line()}). {advice}, end other programs on the GPU, or "
                "take the preset of a smaller model (qwen1.5b, qwen0.5b)."
            )
        if torch.cuda.is_available():
            torch.cuda.reset_peak_memory_stats()
        self._start, self._training = time.monotonic(), float("nan")

    @contextmanager
    def training(self) -> Iterator[None]:
        """The part whose tokens per second count: without loading the model, or saving it."""
        start = time.monotonic()
        yield
        self._training = time.monotonic() - start

    def write(self, folder: Path, tokens: float, *, earlier: float = 0.0) -> None:
        """Write ``cost.json`` into the folder of the adapter.

        Args:
            folder: of the adapter.
            tokens: that the training saw, padding left out.
            earlier: those of them that it saw before it was killed, in another process.
        """
        seconds, (peak, of) = time.monotonic() - self._start, _peak_gib()
        estimate = self.estimate and asdict(self.estimate) | {"total": self.estimate.total}
        record = {"estimate_gib": estimate, "peak_gib": peak, "peak_of": of, "seconds": seconds}
        record |= {"training_seconds": self._training, "tokens": tokens}
        record["tokens_per_second"] = (tokens - earlier) / self._training
        write_json(folder / COST, record)


def _peak_gib() -> tuple[float, str]:
    """The most memory that was in use, and what it is of."""
    if torch.cuda.is_available():
        peak, name = torch.cuda.max_memory_allocated(), torch.cuda.get_device_name()
        return peak / GIB, f"tensors on {name}"
    import resource  # Unix; on Windows the batch run does not exist either

    unit = 1 if sys.platform == "darwin" else 1024
    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
    return used / GIB, "the process since its start, no GPU"
