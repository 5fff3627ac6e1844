"""Which families of models work: a tiny one of each is built, trained, saved, reloaded and scored.

    python bench/model_families.py

For every family, with random weights and a tokenizer made on the spot: a reward model, unquantised
and in NF4, and a policy are trained for a step or two, and a sequence classifier is made. What was
saved is loaded again in a process of its own under another seed. Scores there and here, and scores
of texts one by one and all in one batch, have to be equal. The table that this writes is the one of
docs/model_families.md; a test makes it anew. No time is measured.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from tokenizers import Tokenizer, models, pre_tokenizers, processors, trainers
from transformers import (
    AutoConfig,
    AutoModel,
    AutoModelForCausalLM,
    AutoModelForMaskedLM,
    AutoModelForSequenceClassification,
    PreTrainedTokenizerBase,
    PreTrainedTokenizerFast,
)

from wfine_utils.base_model import Base
from wfine_utils.chains.dropping import build_chains
from wfine_utils.chains.pairs import preference_pairs
from wfine_utils.errors import WfineError
from wfine_utils.files import project_root
from wfine_utils.models import tiny_writer
from wfine_utils.policy.generation import divergence, load_policy
from wfine_utils.policy.grpo import train_policy
from wfine_utils.rewards.classifier import ClassifierScorer
from wfine_utils.rewards.reward_model import load_reward_model
from wfine_utils.rewards.training import train_reward_model
from wfine_utils.settings import PolicySettings, RewardSettings
from wfine_utils.tiny_world import vocabulary, writer

OUT = project_root() / "outputs" / "reference" / "model_families" / "families.csv"
TOLERANCE = 1e-6
"""Largest difference between two processes, as a share of scores above 1."""

SIZE = {
    "hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2, "num_attention_heads": 2,
    "max_position_embeddings": 512,
}  # fmt: skip
GROUPED = {**SIZE, "num_key_value_heads": 1}
CAUSAL, MASKED, BARE = AutoModelForCausalLM, AutoModelForMaskedLM, AutoModel


@dataclass(frozen=True)
class Family:
    """One line of the table: a model type, how large, and from which class it is saved."""

    model_type: str
    saved_from: Any
    options: dict[str, Any] = field(default_factory=lambda: SIZE)


RELATIVE = {
    **SIZE, "relative_attention": True, "pos_att_type": ["p2c", "c2p"], "type_vocab_size": 0,
    "position_biased_input": False, "share_att_key": True, "norm_rel_ebd": "layer_norm",
}  # fmt: skip
MODERN = {**SIZE, "global_attn_every_n_layers": 2, "cls_token_id": 2, "sep_token_id": 3}
SMALL_HEADS = {**GROUPED, "head_dim": 32}
FAMILIES = {
    "BERT with its pooler": Family("bert", BARE),
    "BERT without a pooler": Family("bert", MASKED),
    "RoBERTa": Family("roberta", MASKED),
    "ALBERT": Family("albert", MASKED, {**SIZE, "embedding_size": 64}),
    "ELECTRA": Family("electra", MASKED, {**SIZE, "embedding_size": 64}),
    "DistilBERT": Family("distilbert", MASKED, {
        "dim": 64, "hidden_dim": 128, "n_layers": 2, "n_heads": 2}),
    "DeBERTa-v2": Family("deberta-v2", MASKED),
    "DeBERTa-v3": Family("deberta-v2", MASKED, RELATIVE),
    "MPNet": Family("mpnet", MASKED),
    "ModernBERT, masked": Family("modernbert", MASKED, MODERN),
    "ModernBERT, bare": Family("modernbert", BARE, MODERN),
    "FNet": Family("fnet", MASKED),
    "GPT-2": Family("gpt2", CAUSAL, {"n_embd": 64, "n_layer": 2, "n_head": 2, "n_positions": 512}),
    "GPT-NeoX": Family("gpt_neox", CAUSAL),
    "OPT": Family("opt", CAUSAL, {**SIZE, "ffn_dim": 128, "word_embed_proj_dim": 64}),
    "Falcon": Family("falcon", CAUSAL),
    "Bloom": Family("bloom", CAUSAL, {"hidden_size": 64, "n_layer": 2, "n_head": 2}),
    "Llama": Family("llama", CAUSAL, GROUPED),
    "Mistral": Family("mistral", CAUSAL, {**GROUPED, "sliding_window": 256}),
    "Mixtral": Family("mixtral", CAUSAL, {**GROUPED, "num_local_experts": 4}),
    "Gemma 3": Family("gemma3_text", CAUSAL, {**SMALL_HEADS, "layer_types": [
        "sliding_attention", "full_attention"]}),
    "Phi-3": Family("phi3", CAUSAL, {**GROUPED, "original_max_position_embeddings": 512}),
    "Qwen2": Family("qwen2", CAUSAL, GROUPED),
    "Qwen3": Family("qwen3", CAUSAL, SMALL_HEADS),
    "Qwen3.5": Family("qwen3_5_text", CAUSAL, {
        **SMALL_HEADS, "layer_types": ["linear_attention", "full_attention"],
        "linear_num_key_heads": 2, "linear_num_value_heads": 2, "linear_key_head_dim": 32,
        "linear_value_head_dim": 32}),
    "SmolLM3": Family("smollm3", CAUSAL, GROUPED),
    "Jamba": Family("jamba", CAUSAL, {
        **GROUPED, "attn_layer_period": 2, "attn_layer_offset": 1, "expert_layer_period": 2,
        "num_experts": 2, "use_mamba_kernels": False, "mamba_d_state": 8, "mamba_dt_rank": 64}),
}  # fmt: skip

QUERIES = writer.sample_queries(6, vocabulary.TOPICS["train"], seed=0)
PAIRS = preference_pairs(
    build_chains(QUERIES, "single", writer.write, 0), granularity="requirement"
)
TEXTS = [p.instruction for p in PAIRS[:12]], [p.chosen for p in PAIRS[:12]]
REWARD = {
    "lora_r": 4, "lora_alpha": 8, "learning_rate": 1e-2, "batch_size": 8, "micro_batch_size": 8,
    "n_epochs": 1, "max_tokens": 96, "center_coefficient": 0.01, "loss": "bradley_terry",
}  # fmt: skip
POLICY = {
    "lora_r": 4, "lora_alpha": 8, "learning_rate": 1e-2, "n_steps": 2, "prompts_per_rollout": 2,
    "num_generations": 2, "updates_per_rollout": 1, "micro_batch_size": 4, "max_new_tokens": 6,
    "beta": 0.01, "temperature": 1.0, "answer_format": "plain",
}  # fmt: skip


class Lengths:
    """Stands in for a reward model: a longer text is a better one."""

    granularity = "prompt"

    def score(self, queries: Sequence[Any], responses: Sequence[str]) -> np.ndarray:
        return np.array([float(len(text)) for text in responses])


def pair_tokenizer() -> PreTrainedTokenizerFast:
    """A WordPiece tokenizer for text pairs, with a mask token."""
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    backend = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    backend.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    texts = [part for pair in PAIRS for part in (pair.instruction, pair.chosen)]
    trainer = trainers.WordPieceTrainer(vocab_size=400, special_tokens=special, show_progress=False)
    backend.train_from_iterator(texts, trainer)
    backend.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B [SEP]",
        special_tokens=[("[CLS]", 2), ("[SEP]", 3)],
    )  # fmt: skip
    return PreTrainedTokenizerFast(
        tokenizer_object=backend, pad_token="[PAD]", unk_token="[UNK]", cls_token="[CLS]",
        sep_token="[SEP]", mask_token="[MASK]", model_input_names=["input_ids", "attention_mask"],
    )  # fmt: skip


def chat_tokenizer(family: Family) -> PreTrainedTokenizerBase:
    tokenizer = tiny_writer.tiny_tokenizer([pair.chosen for pair in PAIRS], 512)
    if family.model_type.startswith("gemma"):
        tokenizer.mask_token = tiny_writer.PAD  # Gemma's has one, too
    return tokenizer


def build(family: Family, folder: Path, *, classifier: bool = False) -> Path:
    """A model with random weights and its tokenizer, saved in a folder."""
    is_decoder = family.saved_from is CAUSAL
    tokenizer = chat_tokenizer(family) if is_decoder else pair_tokenizer()
    config = AutoConfig.for_model(
        family.model_type, vocab_size=512, pad_token_id=tokenizer.pad_token_id,
        bos_token_id=None, eos_token_id=tokenizer.eos_token_id, **family.options,
        **({"num_labels": 1} if classifier else {}),
    )  # fmt: skip
    torch.manual_seed(0)
    auto_class = AutoModelForSequenceClassification if classifier else family.saved_from
    model = auto_class.from_config(config)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim > 1:
                parameter.mul_(3.0)  # fresh weights are so small that all texts look alike
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def make(family: Family, folder: Path) -> dict[str, str]:
    """Train or build each use of a family in a folder of its own; why not, for those refused."""
    base = Base(str(build(family, folder / "base")))
    refused = {}

    def attempt(use: str, work: Callable[[Path], object]) -> None:
        (folder / use).mkdir()
        try:
            work(folder / use)
        except WfineError as error:
            refused[use] = reason(error)

    for use, quantise in (("reward", False), ("reward_nf4", True)):
        settings = RewardSettings(**REWARD, quantise=quantise)
        attempt(use, lambda out, settings=settings: train_reward_model(
            PAIRS[:16], PAIRS[16:24], base, settings, granularity="requirement", seed=0, folder=out
        ))  # fmt: skip
    settings = PolicySettings(**POLICY, quantise=False)
    attempt("policy", lambda out: train_policy(
        QUERIES[:4], Lengths(), base, settings, seed=0, folder=out
    ))  # fmt: skip
    attempt("classifier", lambda out: build(family, out, classifier=True))
    try:
        ClassifierScorer(folder / "classifier", name="x", progress=False)
    except WfineError as error:
        refused["classifier"] = reason(error)
    return refused


def reason(error: WfineError) -> str:
    """What an error says, without its folder and the scores in it, which differ by machine."""
    words = str(error)
    return re.sub(r"-?\d+\.\d+|\d+e-\d+", "…", words[words.index("found ") :])


def scores(folder: Path, use: str) -> dict[str, list[float]]:
    """What is in a folder, scored one by one and all together."""
    found: dict[str, Any] = {}
    for name, budget in (("alone", 1), ("together", 10**6)):
        if use == "policy":
            model, tokenizer = load_policy(Base(str(folder / "base")), folder / use)
            texts = [pair.chosen for pair in PAIRS[:4]]
            table = divergence(model, tokenizer, QUERIES[:4], texts, batch_size=min(budget, 4))
            found[name] = [*table["kl"], *table["entropy"]]
        elif use == "classifier":
            scorer = ClassifierScorer(folder / use, name="x", token_budget=budget, progress=False)
            found[name] = scorer.rewards(*TEXTS).tolist()
        else:
            model = load_reward_model(folder / use)
            found[name] = model.rewards(*TEXTS, token_budget=budget).tolist()
    return found


USES = ("reward", "reward_nf4", "policy", "classifier")


def verdict(here: dict[str, list[float]], there: dict[str, list[float]]) -> str:
    """``works``, or what is wrong."""
    a, b = (np.array(x["together"]) for x in (here, there))
    alone = np.array(here["alone"])
    scale = np.maximum(1.0, np.abs(a))
    if not np.isfinite(a).all() or np.ptp(a) < 1e-4:
        return "scores do not differ"
    if (np.abs(a - b) > TOLERANCE * scale).any():
        return f"another process: off by {np.abs(a - b).max():.2g}"
    if (np.abs(a - alone) > 1e-4 * scale).any():
        return f"another batch: off by {np.abs(a - alone).max():.2g}"
    return "works"


def examine(names: Sequence[str], folder: Path) -> pd.DataFrame:
    """Of each family ``family, model_type``, a verdict per :data:`USES`, ``reason`` if refused."""
    refused = {name: make(FAMILIES[name], _place(folder, name)) for name in names}
    todo = [[name, use] for name in names for use in USES if use not in refused[name]]
    command = [sys.executable, __file__, "--reload", str(folder), json.dumps(todo)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr)
    there = json.loads(done.stdout.splitlines()[-1])
    rows = []
    for name in names:
        row = {"family": name, "model_type": FAMILIES[name].model_type}
        for use in USES:
            if use in refused[name]:
                row[use] = "refused"
            else:
                torch.manual_seed(1)
                row[use] = verdict(scores(_place(folder, name), use), there.pop(0))
        rows.append(row | {"reason": " ".join(dict.fromkeys(refused[name].values()))})
    return pd.DataFrame(rows)


def _place(folder: Path, name: str) -> Path:
    place = folder / name.replace(" ", "_").replace(",", "")
    place.mkdir(exist_ok=True)
    return place


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="+", choices=FAMILIES, metavar="FAMILY")
    parser.add_argument("--out", type=Path, default=OUT, help=f"default: {OUT.name}")
    parser.add_argument("--reload", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    if options.reload:
        folder, todo = options.reload
        torch.manual_seed(2)
        found = [scores(_place(Path(folder), name), use) for name, use in json.loads(todo)]
        print(json.dumps(found))
        return 0
    with tempfile.TemporaryDirectory() as scratch:
        table = examine(options.only or list(FAMILIES), Path(scratch))
    options.out.parent.mkdir(parents=True, exist_ok=True)
    table.to_csv(options.out, index=False)
    print(table.to_string(index=False))
    return 0


if __name__ == "__main__":
    sys.exit(main())
