"""The tiny writer that the tiny world starts from: pre-trained from scratch on a CPU.

It plays the part of Qwen2.5-Instruct: it writes the language and follows instructions
half-heartedly, as texts of its corpus meet each requirement only with a given probability.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from datasets import Dataset
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from tqdm.auto import tqdm
from transformers import (
    AutoModelForCausalLM,
    DataCollatorForSeq2Seq,
    PreTrainedModel,
    PreTrainedTokenizerBase,
    PreTrainedTokenizerFast,
    Qwen3Config,
    Trainer,
    TrainingArguments,
)

from wfine_utils.errors import WfineError
from wfine_utils.models.cpu_layers import multiply_in_bf16
from wfine_utils.models.devices import multiplies_in_bf16, precision_flags
from wfine_utils.models.encoding import prompt_ids
from wfine_utils.settings import BaseModelSettings
from wfine_utils.tiny_world.vocabulary import THINGS
from wfine_utils.tiny_world.writer import sample_query, write

PAD, END, USER, ASSISTANT = "<|pad|>", "<|end|>", "<|user|>", "<|assistant|>"

TINY_CHAT_TEMPLATE = (
    "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)


def tiny_tokenizer(texts: Sequence[str], vocab_size: int) -> PreTrainedTokenizerBase:
    """A byte-level BPE tokenizer with a chat template, trained on texts; encodes any string.

    ``vocab_size`` is an upper limit and counts the special tokens.
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
    """Shape of a tiny model of the Qwen3 architecture for texts of at most ``n_positions`` tokens.

    Raises:
        WfineError: ``hidden_size`` is no multiple of 64.
    """
    if hidden_size % 64:
        raise WfineError(
            f"hidden_size: found {hidden_size}, expected a multiple of 64, because NF4 quantises "
            "blocks of 64 weights; choose e.g. 128, 192 or 256."
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


def corpus(
    n_samples: int, keep_probability: float, ask_probability: float, seed: int
) -> list[tuple[str, str]]:
    """Instructions about every topic, each with one text that meets some of its requirements.

    The test topics are in it too, as in the pre-training of any large model. Held out are the
    preferences: no reward model and no policy is trained on them.

    Args:
        n_samples: number of texts.
        keep_probability: that a requirement in the instruction is met; no other is.
        ask_probability: that a requirement of the query is in the instruction; one at least is.
        seed: of everything.
    """
    rng = np.random.default_rng(seed)
    samples = []
    for _ in tqdm(range(n_samples), desc="corpus", unit="text"):
        query = sample_query(rng, list(THINGS))
        kept = rng.random(len(query.requirements)) < ask_probability
        kept[rng.integers(len(kept))] |= not kept.any()
        met = kept & (rng.random(len(kept)) < keep_probability)
        text = write(query, tuple(met.tolist()), rng)
        samples.append((query.prompt(tuple(kept.tolist())), text))
    return samples


def tokenise(samples: Sequence[tuple[str, str]], tokenizer: PreTrainedTokenizerBase) -> Dataset:
    """Token ids of (instruction, text), with labels on the text and its end mark alone.

    Returns:
        Columns ``input_ids``, ``labels`` (−100 where there is no loss) and ``length``.
    """
    ids, labels = [], []
    for instruction, text in samples:
        prompt = prompt_ids(tokenizer, [{"role": "user", "content": instruction}])
        answer = tokenizer(text, add_special_tokens=False)["input_ids"] + [tokenizer.eos_token_id]
        ids.append(prompt + answer)
        labels.append([-100] * len(prompt) + answer)
    return Dataset.from_dict({"input_ids": ids, "labels": labels, "length": list(map(len, ids))})


def train_base_model(
    samples: Sequence[tuple[str, str]], *, settings: BaseModelSettings, seed: int, folder: Path
) -> pd.DataFrame:
    """Train tokenizer and model on a :func:`corpus`, one epoch; save both in ``folder``, in fp32.

    ``seed`` is of the weights and of the order of the texts.

    Returns:
        The learning curve: columns ``step, loss`` (nats per token of the answer).
    """
    tokenizer = tiny_tokenizer([part for sample in samples for part in sample], settings.vocab_size)
    shape = {"hidden_size": settings.hidden_size, "n_layers": settings.n_layers}
    model = tiny_model(tiny_config(tokenizer, n_positions=1024, **shape), seed=seed)
    if multiplies_in_bf16(settings.precision):
        multiply_in_bf16(model, is_frozen=False)
    n_steps = len(samples) // settings.batch_size
    trainer = Trainer(
        model=model,
        args=TrainingArguments(
            output_dir=str(folder / "trainer"),
            per_device_train_batch_size=settings.batch_size,
            num_train_epochs=1,
            learning_rate=settings.learning_rate,
            lr_scheduler_type="cosine",
            warmup_steps=0.05,
            weight_decay=0.01,
            adam_beta2=0.98,
            train_sampling_strategy="group_by_length",
            logging_steps=max(1, n_steps // 40),
            save_strategy="no",
            seed=seed,
            **precision_flags(),
        ),
        train_dataset=tokenise(samples, tokenizer),
        data_collator=DataCollatorForSeq2Seq(tokenizer),
        processing_class=tokenizer,
    )
    trainer.train()
    model.float().save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    rows = [(int(e["step"]), float(e["loss"])) for e in trainer.state.log_history if "loss" in e]
    return pd.DataFrame(rows, columns=["step", "loss"])
