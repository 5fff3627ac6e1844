"""Base models: made from scratch, or loaded in 4-bit; and the one text a reward model sees.

Every 4-bit model of the project is loaded by :func:`load_quantised`, which switches off a
CPU weight-packing path that silently breaks gradients, and every text that a reward model
reads, in training, in scoring and in RL, is made by :func:`encode`.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")  # read once, when trl is imported

import torch
from peft import LoraConfig, TaskType
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import (
    AutoModelForCausalLM,
    AutoModelForSequenceClassification,
    AutoTokenizer,
    BitsAndBytesConfig,
    PreTrainedModel,
    PreTrainedTokenizerBase,
    PreTrainedTokenizerFast,
    Qwen3Config,
)

from wfine_utils.errors import WfineError
from wfine_utils.files import atomic_write

PAD, END, USER, ASSISTANT = "<|pad|>", "<|end|>", "<|user|>", "<|assistant|>"
TINY_CHAT_TEMPLATE = (
    "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)


def tiny_tokenizer(texts: Sequence[str], vocab_size: int) -> PreTrainedTokenizerFast:
    """A byte-level BPE tokenizer with a chat template, trained on ``texts``.

    Args:
        texts: training corpus.
        vocab_size: upper limit of the vocabulary, special tokens included.

    Returns:
        A tokenizer that can encode any string; ``<|end|>`` ends a turn, ``<|pad|>`` pads.
    """
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=[PAD, END, USER, ASSISTANT],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token=PAD,
        eos_token=END,
        additional_special_tokens=[USER, ASSISTANT],
        chat_template=TINY_CHAT_TEMPLATE,
        padding_side="left",
    )


def tiny_config(
    tokenizer: PreTrainedTokenizerBase, *, hidden_size: int, n_layers: int, n_positions: int
) -> Qwen3Config:
    """Shape of a tiny Qwen3-architecture model, fit for 4-bit quantisation.

    Args:
        tokenizer: gives the size of the vocabulary and the special tokens.
        hidden_size: a multiple of 64, so that every weight splits into whole NF4 blocks.
        n_layers: number of decoder layers.
        n_positions: longest sequence, in tokens.

    Raises:
        WfineError: the hidden size is no multiple of 64.
    """
    if hidden_size % 64:
        raise WfineError(
            f"hidden_size: found {hidden_size}, expected a multiple of 64, because NF4 "
            "quantises blocks of 64 weights; choose e.g. 128, 192 or 256."
        )
    return Qwen3Config(
        vocab_size=-(-len(tokenizer) // 64) * 64,
        hidden_size=hidden_size,
        intermediate_size=-(-hidden_size * 8 // 3 // 64) * 64,
        num_hidden_layers=n_layers,
        num_attention_heads=hidden_size // 32,
        num_key_value_heads=hidden_size // 32,
        head_dim=32,
        max_position_embeddings=n_positions,
        tie_word_embeddings=True,
        pad_token_id=tokenizer.pad_token_id,
        eos_token_id=tokenizer.eos_token_id,
        bos_token_id=None,
    )


def tiny_model(config: Qwen3Config, *, seed: int) -> PreTrainedModel:
    """A randomly initialised causal language model of the given shape, in fp32."""
    torch.manual_seed(seed)
    return AutoModelForCausalLM.from_config(config, dtype=torch.float32)


def device() -> str:
    """``"cuda"`` where a GPU can be used, else ``"cpu"``."""
    return "cuda" if torch.cuda.is_available() else "cpu"


def compute_dtype() -> torch.dtype:
    """bf16 on a GPU; fp32 on a CPU, where bf16 is up to ten times slower without AVX512_BF16."""
    return torch.bfloat16 if device() == "cuda" else torch.float32


def precision_flags() -> dict[str, bool]:
    """The arguments that make a TRL or transformers config agree with :func:`compute_dtype`."""
    on_gpu = device() == "cuda"
    return {"bf16": on_gpu, "fp16": False, "use_cpu": not on_gpu}


def load_tokenizer(base_model: str | Path, revision: str | None = None) -> PreTrainedTokenizerBase:
    """The tokenizer of a base model, from a folder or the Hub, with a padding token set.

    Raises:
        WfineError: it cannot be loaded, or has no chat template.
    """
    tokenizer = _from_pretrained(AutoTokenizer, base_model, revision)
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    if not tokenizer.chat_template:
        raise WfineError(
            f"base_model {base_model}: its tokenizer has no chat template; choose an instruction-"
            "tuned model, or save a tokenizer with a chat template beside the weights."
        )
    return tokenizer


class Base(NamedTuple):
    """The base model of a preset: a folder or a Hub id, and the Hub revision if there is one."""

    model: str
    revision: str | None


def write_base(base_json: Path, model: str | Path, revision: str | None) -> None:
    """Record which model the later notebooks start from; a folder relative to the record."""
    model = os.path.relpath(model, base_json.parent) if Path(model).is_dir() else str(model)
    text = json.dumps({"model": model, "revision": revision}, indent=1) + "\n"
    atomic_write(base_json, lambda path: path.write_text(text, encoding="utf-8"))


def read_base(base_json: Path) -> Base:
    """The base model that :func:`write_base` recorded."""
    record = json.loads(base_json.read_text(encoding="utf-8"))
    folder = base_json.parent / record["model"]
    model = str(folder.resolve()) if folder.is_dir() else record["model"]
    return Base(model, record["revision"])


def nf4_config() -> BitsAndBytesConfig:
    """4-bit NF4 with double quantisation; the heads of classifiers are left unquantised."""
    return BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=compute_dtype(),
        llm_int8_skip_modules=["score", "classifier", "lm_head"],
    )


def load_quantised(
    base_model: str | Path,
    head: str,
    *,
    tokenizer: PreTrainedTokenizerBase,
    quantise: bool = True,
    revision: str | None = None,
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
        attn_implementation: as in transformers.

    Raises:
        WfineError: unknown head, or the model cannot be loaded.

    Source: bitsandbytes 0.50.2, ``nn/modules.py``: on CPUs with AVX512_BF16 the first
        evaluation forward repacks a 4-bit weight in place, and training after it gets wrong
        gradients without an error. The flag set here keeps the packing from happening.
    """
    classes = {"reward": AutoModelForSequenceClassification, "causal": AutoModelForCausalLM}
    if head not in classes:
        raise WfineError(f"head: found {head!r}, expected one of {', '.join(classes)}.")
    extra: dict[str, Any] = {"num_labels": 1} if head == "reward" else {}
    if quantise:
        extra["quantization_config"] = nf4_config()
    model = _from_pretrained(
        classes[head],
        base_model,
        revision,
        dtype=compute_dtype(),
        device_map={"": device()},
        use_safetensors=True,
        attn_implementation=attn_implementation,
        pad_token_id=tokenizer.pad_token_id,
        **extra,
    )
    disable_cpu_packing(model)
    return model


def disable_cpu_packing(model: torch.nn.Module) -> None:
    """Keep 4-bit layers from repacking their weights; see :func:`load_quantised`."""
    import bitsandbytes  # slow to import, and only needed where something is quantised

    for module in model.modules():
        if isinstance(module, bitsandbytes.nn.Linear4bit):
            module.support_avx512bf16_for_cpu = False


def _from_pretrained(auto_class: Any, base_model: str | Path, revision: str | None, **kwargs: Any):
    """``auto_class.from_pretrained`` without remote code, with an error the user can act on."""
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
            f"base_model {base_model}: cannot be loaded ({str(error).splitlines()[0]}). Give a "
            "folder that holds config.json, *.safetensors and a tokenizer, or a Hub id."
        ) from error
    finally:
        log.setLevel(level)


def lora_config(head: str, *, r: int, alpha: int) -> LoraConfig:
    """LoRA on every linear layer. A reward head is trained in full and saved with the adapter.

    Args:
        head: ``"reward"`` or ``"causal"``, as in :func:`load_quantised`.
        r: rank.
        alpha: the adapter's output is scaled by ``alpha / r``.
    """
    return LoraConfig(
        task_type=TaskType.SEQ_CLS if head == "reward" else TaskType.CAUSAL_LM,
        r=r,
        lora_alpha=alpha,
        lora_dropout=0.0,  # GRPO generates in train mode: dropout would change the policy
        target_modules="all-linear",
    )


def trainable_to_fp32(model: torch.nn.Module) -> None:
    """Keep adapters and heads in fp32.

    TRL casts them to bf16 for a 4-bit base; there, a learning rate of 1e-5 is lost to rounding
    and scores fall on a visible grid with ties. They are a hundredth of the weights.
    """
    for parameter in model.parameters():
        if parameter.requires_grad:
            parameter.data = parameter.data.float()


def messages(instruction: str, response: str) -> list[Mapping[str, str]]:
    """The conversation a reward model judges: the instruction asked for, the response given."""
    return [
        {"role": "user", "content": instruction},
        {"role": "assistant", "content": response},
    ]


def encode(
    tokenizer: PreTrainedTokenizerBase, instruction: str, response: str, max_tokens: int
) -> list[int]:
    """The one render: the token ids a reward model sees, in training, scoring and RL alike.

    Args:
        tokenizer: with a chat template.
        instruction: the whole prompt, or one requirement.
        response: the text to judge; special tokens in it are read as plain text.
        max_tokens: longest sequence; of a longer one the middle is cut out, so that head and
            tail of the response, and the instruction in front, stay.

    Returns:
        Token ids, at most ``max_tokens``; the last one is where the score is read.
    """
    ids = tokenizer.apply_chat_template(
        messages(instruction, response),
        tokenize=True,
        return_dict=False,
        sanitize_control_tokens=True,
    )
    return cut_middle(ids, max_tokens)


def cut_middle(ids: list[int], max_tokens: int) -> list[int]:
    """At most ``max_tokens`` ids: the first half and the second half of what is allowed.

    >>> cut_middle([1, 2, 3, 4, 5], 4)
    [1, 2, 4, 5]
    """
    if len(ids) <= max_tokens:
        return ids
    tail = max_tokens // 2
    return ids[: max_tokens - tail] + ids[-tail:]
