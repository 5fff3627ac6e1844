"""The tiny writer that the tiny world starts from: pre-trained from scratch on a CPU.

It plays the part that Qwen2.5-Instruct plays on a GPU: a model that writes the language and
follows instructions half-heartedly. Its corpus keeps each requirement only with a given
probability, so it has seen that instructions matter and that they are often ignored.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from datasets import Dataset
from tqdm.auto import tqdm
from transformers import DataCollatorForSeq2Seq, PreTrainedTokenizerBase, Trainer, TrainingArguments

from wfine_utils import models, synthetic
from wfine_utils.params import BaseModelSettings


def corpus(
    n_samples: int, keep_probability: float, ask_probability: float, seed: int
) -> list[tuple[str, str]]:
    """Instructions about every topic, each with one text that meets some of its requirements.

    All topics, the test topics too, are in it, as they are in the pre-training of any large
    model. Held-out are the preferences: no reward model and no policy is trained on them.

    Args:
        n_samples: number of texts.
        keep_probability: a requirement in the instruction is met with this probability.
        ask_probability: a requirement of the query is in the instruction with this
            probability; one that is not there is not met, one at least is there.
        seed: of everything.

    Returns:
        Pairs of instruction and text.
    """
    rng = np.random.default_rng(seed)
    topics = list(synthetic.THINGS)
    samples = []
    for _ in tqdm(range(n_samples), desc="corpus", unit="text"):
        query = synthetic.sample_query(rng, topics)
        asked = rng.random(len(query.requirements)) < ask_probability
        asked[rng.integers(len(asked))] |= not asked.any()
        kept = asked & (rng.random(len(asked)) < keep_probability)
        text = synthetic.write(query, tuple(map(bool, kept)), rng)
        samples.append((query.prompt(tuple(map(bool, asked))), text))
    return samples


def tokenise(samples: Sequence[tuple[str, str]], tokenizer: PreTrainedTokenizerBase) -> Dataset:
    """Token ids of (instruction, text), with labels on the text and its end mark alone.

    Returns:
        Columns ``input_ids``, ``labels`` (−100 where there is no loss) and ``length``.
    """
    rows: dict[str, list] = {"input_ids": [], "labels": [], "length": []}
    for instruction, text in samples:
        prompt = tokenizer.apply_chat_template(
            [{"role": "user", "content": instruction}],
            add_generation_prompt=True,
            tokenize=True,
            return_dict=False,
        )
        answer = tokenizer(text, add_special_tokens=False)["input_ids"] + [tokenizer.eos_token_id]
        rows["input_ids"].append(prompt + answer)
        rows["labels"].append([-100] * len(prompt) + answer)
        rows["length"].append(len(prompt) + len(answer))
    return Dataset.from_dict(rows)


def train_base_model(
    samples: Sequence[tuple[str, str]], *, settings: BaseModelSettings, seed: int, folder: Path
) -> pd.DataFrame:
    """Train tokenizer and model on a corpus, in fp32, one epoch; save both in ``folder``.

    Args:
        samples: from :func:`corpus`.
        settings: shape and hyper-parameters.
        seed: of the weights and the order of the texts.
        folder: where the model and its tokenizer go, in the layout of transformers.

    Returns:
        The learning curve: columns ``step, loss`` (nats per token of the answer).
    """
    tokenizer = models.tiny_tokenizer(
        [part for sample in samples for part in sample], settings.vocab_size
    )
    config = models.tiny_config(
        tokenizer, hidden_size=settings.hidden_size, n_layers=settings.n_layers, n_positions=1024
    )
    n_steps = max(1, len(samples) // settings.batch_size)
    trainer = Trainer(
        model=models.tiny_model(config, seed=seed),
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
            **models.precision_flags(),
        ),
        train_dataset=tokenise(samples, tokenizer),
        data_collator=DataCollatorForSeq2Seq(tokenizer),
        processing_class=tokenizer,
    )
    trainer.train()
    trainer.model.to(torch.float32).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    rows = [(int(e["step"]), float(e["loss"])) for e in trainer.state.log_history if "loss" in e]
    return pd.DataFrame(rows, columns=["step", "loss"])
