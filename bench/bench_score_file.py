"""Does the memory of scoring a file grow with the file?

    python bench/bench_score_file.py --responses 10000 100000

Each number of responses is a file of WEval-Hand's texts, every copy with a number of its own so
that no text occurs twice, and is scored by ``wfine score`` in a process of
its own, with a decoder of random weights, so small that time and memory are those of everything
else.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import count, islice
from pathlib import Path

os.environ |= {"HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}

import psutil
import torch
from transformers import Qwen2Config, Qwen2ForSequenceClassification

from wfine_utils.chains.files import save_chains
from wfine_utils.chains.taxonomy import Chain
from wfine_utils.chains.weval_hand import load_weval_hand
from wfine_utils.models import tiny_writer
from wfine_workflow import score_file


def copies(chains: Sequence[Chain]) -> Iterator[Chain]:
    """The chains over and over, with ids and texts of their own."""
    for k in count():
        for chain in chains:
            responses = tuple(replace(r, text=f"{r.text} {k}") for r in chain.responses)
            yield replace(chain, chain_id=f"{chain.chain_id}-{k}", responses=responses)


def make_model(chains: Sequence[Chain], folder: Path) -> None:
    """Save a decoder of two layers with one score, and its tokenizer."""
    tokenizer = tiny_writer.tiny_tokenizer([chain.prompt() for chain in chains], vocab_size=2000)
    torch.manual_seed(0)
    Qwen2ForSequenceClassification(Qwen2Config(
        vocab_size=len(tokenizer), hidden_size=64, num_hidden_layers=2, num_attention_heads=2,
        num_key_value_heads=1, intermediate_size=128, max_position_embeddings=512, num_labels=1,
        pad_token_id=tokenizer.pad_token_id,
    )).save_pretrained(folder)  # fmt: skip
    tokenizer.save_pretrained(folder)


def main(given: Sequence[str] | None = None) -> int:
    """Print a line for every number of responses."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    add = parser.add_argument
    add("--responses", type=int, nargs="+", default=[1000, 10_000], help="(default: %(default)s)")
    add("--max-tokens", type=int, default=128, help="longest text (default: %(default)s)")
    args = parser.parse_args(given)
    chains = load_weval_hand()
    print(f"{'responses':>10}{'file (MB)':>11}{'seconds':>9}{'responses/s':>13}{'peak (GiB)':>12}")
    with tempfile.TemporaryDirectory() as root:
        model, path = Path(root) / "model", Path(root) / "chains.jsonl"
        make_model(chains, model)
        for n in args.responses:
            save_chains(list(islice(copies(chains), n // 5)), path)
            out = Path(root) / f"scores-{n}"
            command = [sys.executable, "-m", "wfine_workflow.command", "score", model, path, out]
            start, peak = time.perf_counter(), 0
            with open(Path(root) / "log", "w+", encoding="utf-8") as log:
                process = psutil.Popen(
                    [*map(str, command), "--max-tokens", str(args.max_tokens)],
                    stdout=log, stderr=log,
                )  # fmt: skip
                # Looked at, not asked for at the end: the kernel's own peak of a process begins
                # with the memory of the one that started it, which holds all the chains here.
                while process.poll() is None:
                    with contextlib.suppress(psutil.NoSuchProcess):
                        peak = max(peak, process.memory_info().rss)
                    time.sleep(0.05)
                if process.returncode:
                    log.seek(0)
                    print(log.read(), file=sys.stderr)
                    return 1
            seconds, scored = time.perf_counter() - start, len(score_file.load_scores(out))
            print(f"{scored:10,}{path.stat().st_size / 1e6:11.1f}{seconds:9.1f}"
                  f"{scored / seconds:13.0f}{peak / 2**30:12.2f}", flush=True)  # fmt: skip
    return 0


if __name__ == "__main__":
    sys.exit(main())
