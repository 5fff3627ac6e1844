"""How does cost grow? Once, twice and four times as many pairs, chains, completions and draws.

CPU seconds of one thread, medians over repetitions that take turns, on a model of the tiny writer's
size with random weights. ``times`` is the cost as a multiple of the smallest; where it grows less
than the work, a part of it (loading, compiling, the first batch) is paid once. Run by ``make
bench``.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import redirect_stdout
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from transformers.utils import logging

from wfine_utils.base_model import Base
from wfine_utils.chains.dropping import build_chains
from wfine_utils.chains.pairs import preference_pairs
from wfine_utils.models.tiny_writer import tiny_config, tiny_model, tiny_tokenizer
from wfine_utils.policy.generation import generate, load_policy
from wfine_utils.policy.grpo import train_policy
from wfine_utils.policy.rewards import load_reward
from wfine_utils.rewards.training import train_reward_model
from wfine_utils.settings import PolicySettings, RewardSettings
from wfine_utils.tiny_world import vocabulary, writer
from wfine_utils.weval.evaluation import evaluate

TIMES = (1, 2, 4)
LORA = {"quantise": True, "lora_r": 32, "lora_alpha": 64, "learning_rate": 1e-3}


def make_base(folder: Path, hidden: int, layers: int) -> Base:
    """A model of the tiny writer's kind that has learnt nothing."""
    queries = writer.sample_queries(200, vocabulary.TOPICS["train"], seed=0)
    chains = build_chains(queries, "single", writer.write, 0)
    tokenizer = tiny_tokenizer([r.text for c in chains for r in c.responses], 1536)
    config = tiny_config(tokenizer, hidden_size=hidden, n_layers=layers, n_positions=512)
    tiny_model(config, seed=0).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return Base(str(folder))


class Work:
    """The works that are measured, each of a size that is multiplied."""

    def __init__(self, base: Base, n_pairs: int, n_chains: int, n_completions: int) -> None:
        self.base = base
        n = max(TIMES) * max(n_pairs, n_chains, n_completions)
        self.queries = writer.sample_queries(n, vocabulary.TOPICS["train"], seed=1)
        self.chains = build_chains(self.queries, "single", writer.write, 0)
        self.pairs = preference_pairs(self.chains, granularity="requirement")
        rng = np.random.default_rng(0)
        self.scores = [rng.normal(size=len(chain.responses)) for chain in self.chains]
        self.policy = load_policy(base)
        self.sizes: dict[Callable[[int], object], int] = {
            self.reward_model: n_pairs,
            self.weval: n_chains,
            self.draws: 500,
            self.generation: n_completions,
            self.grpo: n_completions // 8,
        }

    def reward_model(self, n: int) -> None:
        """training pairs of a reward model"""
        settings = RewardSettings(
            **LORA, loss="bradley_terry", batch_size=16, micro_batch_size=16, n_epochs=1,
            max_tokens=256, center_coefficient=0.01,
        )  # fmt: skip
        with tempfile.TemporaryDirectory() as folder:
            train_reward_model(
                self.pairs[:n], self.pairs[:16], self.base, settings,
                granularity="requirement", seed=0, folder=Path(folder),
            )  # fmt: skip

    def weval(self, n: int) -> None:
        """chains in WEval, 1,000 draws"""
        evaluate(self.chains[:n], self.scores[:n])

    def draws(self, n: int) -> None:
        """draws in WEval of all chains"""
        evaluate(self.chains, self.scores, n_boot=n)

    def generation(self, n: int) -> None:
        """completions, written"""
        generate(*self.policy, self.queries[:n], max_new_tokens=64)

    def grpo(self, n: int) -> None:
        """groups of 8 completions in GRPO"""
        settings = PolicySettings(
            **LORA, n_steps=n, prompts_per_rollout=1, num_generations=8, updates_per_rollout=1,
            micro_batch_size=8, beta=0.01, temperature=1.0, max_new_tokens=64,
            answer_format="plain",
        )  # fmt: skip
        reward = load_reward("checks", self.base)
        with tempfile.TemporaryDirectory() as folder:
            train_policy(self.queries, reward, self.base, settings, seed=0, folder=Path(folder))


def quietly(measure: Callable[[int], object], n: int) -> None:
    """Do it, with what trainers print on their way kept out of the table."""
    with redirect_stdout(sys.stderr):
        measure(n)


def growth(work: Work, repeats: int) -> pd.DataFrame:
    """``what, n``, the median of ``cpu_seconds``, and how many ``times`` those of the least."""
    rows = []
    for measure, size in work.sizes.items():
        quietly(measure, size)  # the first time all is loaded
    for _ in range(repeats):
        for measure, size in work.sizes.items():
            for factor in TIMES:
                start = time.process_time()
                quietly(measure, factor * size)
                what = str(measure.__doc__)
                rows.append([what, factor * size, time.process_time() - start])
    table = pd.DataFrame(rows, columns=["what", "n", "cpu_seconds"])
    table = table.groupby(["what", "n"], sort=False, as_index=False).median()
    smallest = table.groupby("what")["cpu_seconds"].transform("first")
    return table.assign(times=table["cpu_seconds"] / smallest)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    add = parser.add_argument
    add("--repeats", type=int, default=3, help="(default: %(default)s)")
    add("--pairs", type=int, default=64, help="the smallest number (default: %(default)s)")
    add("--chains", type=int, default=500, help="the same (default: %(default)s)")
    add("--completions", type=int, default=32, help="the same (default: %(default)s)")
    add("--quick", action="store_true", help="a tiny model and small numbers, to try the script")
    args = parser.parse_args(arguments)
    hidden, layers = 192, 4
    if args.quick:
        hidden, layers, args.repeats = 64, 1, 1
        args.pairs, args.chains, args.completions = 16, 20, 8
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with tempfile.TemporaryDirectory() as folder:
            base = make_base(Path(folder), hidden, layers)
            work = Work(base, args.pairs, args.chains, args.completions)
            table = growth(work, args.repeats)
    finally:
        torch.set_num_threads(before)
    sys.stdout.write(f"{table.round(2).to_string(index=False)}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
