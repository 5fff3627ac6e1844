"""Fill every "not measured" of the project, on a machine with one GPU, in ten minutes.

    python bench/gpu.py OUT_FOLDER

For Qwen2.5 at 0.5, 1.5 and 7 billion weights, the smallest first, with random weights made on the
spot (they change neither memory nor speed):

* training a reward model on pairs of 2 × 2,048 tokens, in NF4 and unquantised;
* GRPO with 8 completions of 1,024 tokens, against that reward model;
* gradients of the adapters in NF4 against those on the same weights unquantised, and on the values
  that NF4 makes of them;

each with its peak memory against the estimate of ``wfine_utils.models.memory``, and tokens per
second. Then scoring, every response once for all of its requirements, against a server that is
asked for one text at a time (``bench_scoring.py``).

Every result is written to ``OUT_FOLDER/gpu.csv`` as it comes; what is there already is not measured
again. Each size has a process of its own, so that running out of memory, or being killed for it,
ends that part alone; it is written as such. ``--shapes toy`` is the same program at a size for a
CPU, where the figures say nothing about a GPU.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import bench_scoring
import numpy as np
import pandas as pd
import torch
from peft import get_peft_model
from torch.nn.functional import cross_entropy
from transformers import AutoModelForCausalLM, PreTrainedModel, Qwen2Config

from wfine_utils.base_model import Base
from wfine_utils.chains.pairs import PreferencePair, preference_pairs
from wfine_utils.chains.real_queries import load_real_queries
from wfine_utils.chains.weval_hand import load_weval_hand
from wfine_utils.errors import WfineError, explained
from wfine_utils.files import atomic_write, write_json
from wfine_utils.models import adapters, devices, loading
from wfine_utils.models.memory import COST
from wfine_utils.models.tiny_writer import tiny_tokenizer
from wfine_utils.notebook.environment import versions
from wfine_utils.policy.grpo import train_policy
from wfine_utils.rewards.reward_model import load_reward_model
from wfine_utils.rewards.training import train_reward_model
from wfine_utils.settings import PolicySettings, RewardSettings


class Shape(NamedTuple):
    """What a model is like, and what is done with it.

    Source of Qwen2.5's numbers: the ``config.json`` of its models on the Hugging Face Hub.
    """

    hidden: int
    inner: int
    layers: int
    heads: int
    key_value_heads: int
    vocabulary: int
    tied: bool
    pair_tokens: int  # of each text of a pair
    new_tokens: int  # of each completion
    n_pairs: int
    goals: Mapping[str, float] = {}  # GiB that the work should take at most


TOY, SCORING = "toy", "scoring"
REWARD, REWARD_WHOLE, GRPO = "reward model, NF4", "reward model, unquantised", "GRPO, NF4"
GRADIENTS = "gradients in NF4"
QWEN = {"vocabulary": 151_936, "pair_tokens": 2048, "new_tokens": 1024, "n_pairs": 8}
SHAPES = {
    TOY: Shape(64, 128, 2, 4, 2, 600, True, 64, 12, 4, {REWARD: 16.0}),
    "Qwen2.5-0.5B": Shape(896, 4864, 24, 14, 2, tied=True, **QWEN),
    "Qwen2.5-1.5B": Shape(1536, 8960, 28, 12, 2, tied=True, **QWEN),
    "Qwen2.5-7B": Shape(
        3584, 18944, 28, 28, 4, **QWEN | {"vocabulary": 152_064, "tied": False},
        goals={REWARD: 16.0, GRPO: 24.0},
    ),
}  # fmt: skip
REAL_SHAPES = [name for name in SHAPES if name != TOY]

LORA = {"lora_r": 16, "lora_alpha": 32, "learning_rate": 1e-4}
GROUP = 8
"""Completions of a rollout, of one prompt; as many pass through the model in two passes."""


@dataclass(frozen=True)
class Results:
    """The table of results, one row a number, written after each.

    ``model, work, quantity, value``; ``reference`` is what it is held against, and ``against`` says
    what that is; ``outcome`` is "measured", or why there is no value.
    """

    path: Path

    def rows(self) -> list[dict[str, Any]]:
        """All rows so far."""
        return pd.read_csv(self.path).to_dict("records") if self.path.is_file() else []

    def has(self, model: str, work: str) -> bool:
        """Whether a piece of work was done, or tried."""
        return any((row["model"], row["work"]) == (model, work) for row in self.rows())

    def add(self, model: str, work: str, rows: Sequence[Mapping[str, Any]], outcome: str) -> None:
        """Write what a piece of work gave."""
        new = [{"model": model, "work": work, **row, "outcome": outcome} for row in rows]
        columns = ["model", "work", "quantity", "value", "reference", "against", "outcome"]
        table = pd.DataFrame([*self.rows(), *new], columns=columns)
        atomic_write(self.path, partial(table.to_csv, index=False))
        sys.stdout.write(f"{pd.DataFrame(new, columns=columns).to_string(index=False)}\n")

    def attempt(self, model: str, work: str, measure: Callable[[], list[dict[str, Any]]]) -> None:
        """Do a piece of work that is not done yet; what stops it is its outcome."""
        if self.has(model, work):
            return
        try:
            self.add(model, work, measure(), "measured")
        except torch.OutOfMemoryError:
            self.add(model, work, [{}], "out of memory")
        except WfineError as error:
            self.add(model, work, [{}], f"refused: {error}")
        if torch.cuda.is_available():
            torch.cuda.empty_cache()


# --- models and texts -------------------------------------------------------------------------


def model_config(shape: Shape, **token_ids: int) -> Qwen2Config:
    """What transformers needs to know of a shape."""
    return Qwen2Config(
        vocab_size=shape.vocabulary, hidden_size=shape.hidden, intermediate_size=shape.inner,
        num_hidden_layers=shape.layers, num_attention_heads=shape.heads,
        num_key_value_heads=shape.key_value_heads, tie_word_embeddings=shape.tied,
        max_position_embeddings=32_768, bos_token_id=None, **token_ids,
    )  # fmt: skip


def make_base(shape: Shape, folder: Path) -> Base:
    """A language model with random weights, and a small tokenizer, in a folder."""
    chains = load_weval_hand()
    tokenizer = tiny_tokenizer([c.prompt() for c in chains], min(shape.vocabulary, 4096))
    config = model_config(
        shape, pad_token_id=tokenizer.pad_token_id, eos_token_id=tokenizer.eos_token_id
    )
    torch.manual_seed(0)
    with torch.device(devices.device()):  # in 16 bits from the start: 7B in fp32 needs 30 GB
        model = AutoModelForCausalLM.from_config(config, dtype=devices.compute_dtype())
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return Base(str(folder))


def long_pairs(shape: Shape) -> list[PreferencePair]:
    """Pairs whose texts fill the longest sequence, which cuts what is over."""
    pairs = preference_pairs(load_weval_hand(), granularity="requirement")[: shape.n_pairs]
    times = shape.pair_tokens // 64 + 1
    return [
        replace(pair, chosen=pair.chosen * times, rejected=pair.rejected * times) for pair in pairs
    ]


# --- what is measured -------------------------------------------------------------------------


def of_cost(folder: Path, goal: float | None) -> list[dict[str, Any]]:
    """Memory and speed of a training, from what it wrote beside its adapter."""
    cost = json.loads((folder / COST).read_text())
    estimate = (cost["estimate_gib"] or {}).get("total")
    rows = [
        {"quantity": "peak memory (GiB)", "value": cost["peak_gib"], "reference": estimate,
         "against": "estimate"},
        {"quantity": "tokens per second", "value": cost["tokens_per_second"]},
        {"quantity": "seconds, loading too", "value": cost["seconds"]},
    ]  # fmt: skip
    if goal is not None:
        rows.append(rows[0] | {"reference": goal, "against": "goal"})
    return rows


def reward_training(
    base: Base, shape: Shape, folder: Path, *, quantise: bool
) -> list[dict[str, Any]]:
    """Train a reward model on long pairs, one pair at a time."""
    settings = RewardSettings(
        **LORA, quantise=quantise, loss="bradley_terry", batch_size=1, micro_batch_size=1,
        n_epochs=1, max_tokens=shape.pair_tokens, center_coefficient=0.01,
    )  # fmt: skip
    pairs = long_pairs(shape)
    folder.mkdir()
    train_reward_model(
        pairs, pairs[:1], base, settings, granularity="requirement", seed=0, folder=folder
    )
    return of_cost(folder, shape.goals.get(REWARD) if quantise else None)


def policy_training(base: Base, shape: Shape, reward: Path, folder: Path) -> list[dict[str, Any]]:
    """One rollout of GRPO, and two updates on it, against a reward model; trained if need be."""
    if not reward.is_dir():
        reward_training(base, shape, reward, quantise=True)
    settings = PolicySettings(
        **LORA, quantise=True, n_steps=2, prompts_per_rollout=1, num_generations=GROUP,
        updates_per_rollout=2, micro_batch_size=GROUP // 2, beta=0.01, temperature=1.0,
        max_new_tokens=shape.new_tokens, answer_format="plain",
    )  # fmt: skip
    folder.mkdir()
    queries = load_real_queries("train")[:4]
    train_policy(queries, load_reward_model(reward), base, settings, seed=0, folder=folder)
    return of_cost(folder, shape.goals.get(GRPO))


def gradients_compared(base: Base, shape: Shape) -> list[dict[str, Any]]:
    """Gradients of all adapters in NF4 against two models in the precision of computing.

    Against the same values, unquantised, nothing but rounding should differ; against the weights
    before they were quantised, what NF4 costs.
    """
    tokenizer = loading.load_tokenizer(base)
    text = " ".join(pair.chosen for pair in long_pairs(shape))
    ids = torch.tensor([tokenizer(text)["input_ids"][: shape.pair_tokens // 4]])

    def gradients(quantise: bool, prepare: Callable[[PreTrainedModel], Any]) -> torch.Tensor:
        model = loading.load_quantised(base, "causal", tokenizer=tokenizer, quantise=quantise)
        config = adapters.lora_config("causal", r=LORA["lora_r"], alpha=LORA["lora_alpha"])
        torch.manual_seed(0)
        adapted = get_peft_model(prepare(model), config)
        adapters.trainable_to_fp32(adapted)
        for name, parameter in adapted.named_parameters():
            if "lora_B" in name:  # 0 at first, and the gradients of A with it
                torch.nn.init.normal_(parameter, std=0.02)
        there = ids.to(model.device)
        with torch.autocast(there.device.type, devices.compute_dtype()):
            logits = adapted(there).logits[0, :-1]
        cross_entropy(logits.float(), there[0, 1:]).backward()
        trained = [p.grad.flatten().cpu() for p in adapted.parameters() if p.requires_grad]
        return torch.cat(trained)

    in_nf4 = gradients(True, lambda model: model)
    rows = []
    for against, others in {
        "the same values, unquantised": gradients(True, lambda model: model.dequantize()),
        "the weights before NF4": gradients(False, lambda model: model),
    }.items():
        cosine = torch.cosine_similarity(in_nf4, others, dim=0)
        difference = (in_nf4 - others).norm() / others.norm()
        rows += [
            {"quantity": "cosine of the gradients", "value": float(cosine), "reference": 1.0,
             "against": against},
            {"quantity": "difference, as a share", "value": float(difference), "reference": 0.0,
             "against": against},
        ]  # fmt: skip
    return rows


def scoring(*, quick: bool) -> list[dict[str, Any]]:
    """How many times as fast as the server is scoring with common beginnings?"""
    args = bench_scoring.arguments(["--kind", "decoder", *(["--quick"] if quick else [])])
    with tempfile.TemporaryDirectory() as root:
        (bench,) = bench_scoring.benches(args, Path(root))
    server, shared = (float(np.median(bench.seconds[way])) for way in ("server", "shared"))
    n = len(bench.texts)
    return [
        {"quantity": "texts per second", "value": n / shared, "reference": n / server,
         "against": "server"},
        {"quantity": "times as fast as the server", "value": server / shared, "reference": 20.0,
         "against": "goal"},
        {"quantity": "largest difference of a score", "value": bench.largest_difference(),
         "reference": bench_scoring.HALF_TOLERANCE, "against": "limit"},
    ]  # fmt: skip


@contextmanager
def base_of(shape: Shape) -> Iterator[tuple[Base, Path]]:
    """A base in a folder that is gone afterwards, and that folder."""
    with tempfile.TemporaryDirectory() as root:
        yield make_base(shape, Path(root) / "base"), Path(root)


def measure_shape(name: str, results: Results) -> None:
    """Everything about one model, what takes least first."""
    shape = SHAPES[name]
    with base_of(shape) as (base, root):
        reward = root / "reward"
        for work, measure in {
            REWARD: lambda: reward_training(base, shape, reward, quantise=True),
            GRADIENTS: lambda: gradients_compared(base, shape),
            GRPO: lambda: policy_training(base, shape, reward, root / "policy"),
            REWARD_WHOLE: lambda: reward_training(base, shape, root / "whole", quantise=False),
        }.items():
            results.attempt(name, work, measure)


def run_apart(names: Sequence[str], results: Results, minutes: float) -> None:
    """Each model in a process of its own, until the time is over."""
    end = time.monotonic() + 60 * minutes
    for name in names:
        command = [sys.executable, __file__, str(results.path.parent), "--part", name]
        left = end - time.monotonic()
        try:
            if left > 0 and (code := subprocess.run(command, timeout=left).returncode):
                results.add(name, "the rest", [{}], f"the process ended with {code}")
        except subprocess.TimeoutExpired:
            left = 0.0
        if left <= 0:
            results.add(name, "the rest", [{}], f"not begun or not finished in {minutes} minutes")


@explained
def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    add = parser.add_argument
    add("out", type=Path, help="folder of gpu.csv, and of the versions it was made with")
    add("--shapes", nargs="+", choices=SHAPES, default=REAL_SHAPES, help="(default: %(default)s)")
    add("--minutes", type=float, default=10.0, help="at most (default: %(default)s)")
    add("--part", choices=[*SHAPES, SCORING], help=argparse.SUPPRESS)
    args = parser.parse_args(arguments)
    results = Results(args.out / "gpu.csv")
    if args.part:
        if args.part == SCORING:
            results.attempt(SCORING, SCORING, partial(scoring, quick=not torch.cuda.is_available()))
        else:
            measure_shape(args.part, results)
        return 0
    if not torch.cuda.is_available() and {*args.shapes} & {*REAL_SHAPES}:
        raise WfineError(
            f"found no GPU, expected one for {', '.join(args.shapes)}. Try the program on a CPU: "
            f"python bench/gpu.py {args.out} --shapes {TOY}"
        )
    args.out.mkdir(parents=True, exist_ok=True)
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else "CPU"
    write_json(args.out / "stamp.json", {"device": device, "versions": versions()})
    first, *others = args.shapes
    run_apart([first, SCORING, *others], results, args.minutes)
    table = pd.read_csv(results.path)
    sys.stdout.write(f"{table.round(3).to_string(index=False)}\n")
    return int((table["outcome"] != "measured").any())


if __name__ == "__main__":
    sys.exit(main())
