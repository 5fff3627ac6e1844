"""How much faster is ``ClassifierScorer`` than a server that is asked for one text at a time?

The authors score with a web server: one request, and one forward pass without a batch, for each
response and requirement. Here the same weights answer in that way, over HTTP on the loopback
interface, and then in this process: one text at a time, in batches, in batches sorted by length,
with the response computed once for all of its requirements, and, on a CPU that has instructions for
it, with the body of the model in bf16 and the head in fp32. The texts are those of WEval-Hand, or
of a file of chains of yours; the weights are random, which does not change speed.

The ways take turns, so that whatever else the machine does falls on all of them; medians are
printed. On a machine that is very busy, ``--clock cpu --threads 1`` counts the seconds of CPU
that this process, server and all, was given. Run by ``make bench``; fails if a score differs by
more than 1e-4 from that of the text alone. Where bf16 is used, here and for the decoder on a GPU,
the limit is that of half precision.
"""

from __future__ import annotations

import argparse
import http.client
import http.server
import json
import os
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

os.environ |= {"HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}

import numpy as np
import torch
from tokenizers import Tokenizer, pre_tokenizers, processors, trainers
from tokenizers.models import WordPiece
from transformers import (
    BertConfig,
    BertForSequenceClassification,
    PreTrainedTokenizerBase,
    PreTrainedTokenizerFast,
    Qwen2Config,
    Qwen2ForSequenceClassification,
)
from transformers.utils import logging

from wfine_utils.chains.files import load_chains
from wfine_utils.chains.taxonomy import Chain
from wfine_utils.chains.weval_hand import load_weval_hand
from wfine_utils.models import devices
from wfine_utils.models.tiny_writer import tiny_tokenizer
from wfine_utils.rewards.classifier import ClassifierScorer
from wfine_utils.rewards.classifier_checks import HALF_TOLERANCE, TOLERANCE

RESPONSE_FIRST = "<|assistant|>{response}<|end|><|user|>{instruction}<|end|>"
TEMPLATE = RESPONSE_FIRST.format(
    response="{{ messages[1].content }}", instruction="{{ messages[0].content }}"
)
WAYS = {
    "server": "server, one request for each text",
    "alone": "in this process, one text at a time",
    "batched": "+ batches",
    "sorted": "+ sorted by length",
    "shared": "+ common beginnings once",
    "half": "+ body in bf16",
}
CLOCKS = {"wall": time.perf_counter, "cpu": time.process_time}
Texts = list[tuple[str, str]]


def real_texts(chains: Sequence[Chain], n_requirements: int) -> Texts:
    """(Instruction, response) for every response; where requirements lack, the base task too."""
    return [
        (instruction, response.text)
        for chain in chains
        for response in chain.responses
        for instruction in [*(q.text for q in chain.requirements), chain.base_task][:n_requirements]
    ]


# --- models with random weights ---------------------------------------------------------------


def wordpiece(texts: Sequence[str], vocab_size: int) -> PreTrainedTokenizerFast:
    """A tokenizer for text pairs in the manner of BERT's."""
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
    backend = Tokenizer(WordPiece(unk_token="[UNK]"))
    backend.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    backend.train_from_iterator(texts, trainers.WordPieceTrainer(
        vocab_size=vocab_size, special_tokens=special, show_progress=False
    ))  # fmt: skip
    backend.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", 2), ("[SEP]", 3)],
    )  # fmt: skip
    return PreTrainedTokenizerFast(
        tokenizer_object=backend, pad_token="[PAD]", unk_token="[UNK]", cls_token="[CLS]",
        sep_token="[SEP]", model_input_names=["input_ids", "token_type_ids", "attention_mask"],
    )  # fmt: skip


def make_model(kind: str, args: argparse.Namespace, corpus: Sequence[str], folder: Path) -> None:
    """Save a decoder or an encoder of the size asked for, and a tokenizer trained on the texts."""
    if kind == "decoder":
        tokenizer: PreTrainedTokenizerBase = tiny_tokenizer(corpus, vocab_size=args.vocabulary)
        hidden, layers, config_class = args.hidden, args.layers, Qwen2Config
        more = {"num_key_value_heads": hidden // 64, "intermediate_size": hidden * 11 // 4}
    else:  # MiniLM's size, its vocabulary too
        tokenizer = wordpiece(corpus, 30522)
        hidden, layers, config_class = (64, 2, BertConfig) if args.quick else (384, 6, BertConfig)
        more = {"vocab_size": 30522, "intermediate_size": 4 * hidden}
    config = config_class(**{
        "vocab_size": len(tokenizer), "hidden_size": hidden, "num_hidden_layers": layers,
        "num_attention_heads": max(1, hidden // 64), "num_labels": 2,
        "max_position_embeddings": args.max_tokens, "pad_token_id": tokenizer.pad_token_id, **more,
    })  # fmt: skip
    torch.manual_seed(0)
    is_decoder = kind == "decoder"
    model = (Qwen2ForSequenceClassification if is_decoder else BertForSequenceClassification)(
        config
    )
    with torch.no_grad():  # scores of about one: random weights make much of a rounding
        (model.score if is_decoder else model.classifier).weight.normal_(std=0.03)
    model.to(devices.compute_dtype() if is_decoder else torch.float32).save_pretrained(folder)
    tokenizer.save_pretrained(folder)


# --- the server -------------------------------------------------------------------------------


class Handler(http.server.BaseHTTPRequestHandler):
    """Scores one (response, requirement) for each request, JSON in and out."""

    protocol_version = "HTTP/1.1"  # the connection stays open: no time is lost on new ones,
    wbufsize, disable_nagle_algorithm = -1, True  # nor in waiting for small packets

    def do_POST(self) -> None:
        """Answer with both logits."""
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        body = json.dumps({"logits": self.server.answer(**asked)}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """No line for each request."""


@contextmanager
def serving(
    answer: Callable[..., list[float]], n_threads: int
) -> Iterator[http.client.HTTPConnection]:
    """A connection to a server on a free port of 127.0.0.1."""
    server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    server.answer = answer

    def serve() -> None:
        torch.set_num_threads(n_threads)
        server.serve_forever()

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    connection = http.client.HTTPConnection(*server.server_address)
    try:
        yield connection
    finally:
        connection.close()
        server.shutdown()
        thread.join()
        server.server_close()


# --- the ways ---------------------------------------------------------------------------------


@dataclass
class Bench:
    """A model, scored in every way; the scores are log-odds.

    Attributes:
        seconds: of every repetition, by way.
        counts: tokens that reached the body of the model, without and with padding, by way.
        scores: of the last repetition, by way.
        peaks: GFLOP/s of a product of matrices in every repetition, by what they hold.
    """

    kind: str
    folder: Path
    texts: Texts
    n_threads: int
    options: dict[str, Any]
    clock: str = "wall"
    seconds: dict[str, list[float]] = field(default_factory=dict)
    counts: dict[str, tuple[int, int]] = field(default_factory=dict)
    scores: dict[str, np.ndarray] = field(default_factory=dict)
    peaks: dict[torch.dtype, list[float]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Load the model once for all ways."""
        template = TEMPLATE if self.kind == "decoder" else "pair"
        self.scorer = ClassifierScorer(
            self.folder, name=self.kind, template=template, progress=False, **self.options
        )
        self.model, self.tokenizer = self.scorer._model, self.scorer._tokenizer
        left_out = set() if self.scorer.shares_prefixes else {"shared"}
        # Not on a GPU, where that is nothing new, nor on a CPU without bf16.
        if self.model.dtype == devices.compute_dtype("auto"):
            left_out.add("half")
        else:
            self.in_half = ClassifierScorer(
                self.folder, name="half", template=template, precision="auto", progress=False,
                **self.options,
            )  # fmt: skip
        self.ways = [way for way in WAYS if way not in left_out]

    def run(self, repeats: int) -> None:
        """All ways in turn, ``repeats`` times."""
        for _ in range(repeats):
            for dtype in {self._model(way).dtype for way in self.ways}:
                peak = matmul_peak(self.model.device, dtype, CLOCKS[self.clock])
                self.peaks.setdefault(dtype, []).append(peak)
            for way in self.ways:
                work, clock = getattr(self, f"_{way}"), CLOCKS[self.clock]
                with serving(self._answer, self.n_threads) as self.connection, self._counting(way):
                    start = clock()
                    self.scores[way] = work()
                    self.seconds.setdefault(way, []).append(clock() - start)

    def _model(self, way: str) -> torch.nn.Module:
        return self.in_half._model if way == "half" else self.model

    @torch.inference_mode()
    def _answer(self, instruction: str, response: str) -> list[float]:
        """What the server does: tokenise, one forward pass, both logits."""
        if self.kind == "decoder":
            text = RESPONSE_FIRST.format(instruction=instruction, response=response)
            inputs = self.tokenizer(
                text, return_tensors="pt", add_special_tokens=False, return_token_type_ids=False
            )
        else:
            inputs = self.tokenizer(instruction, response, return_tensors="pt")
        whole = {key: ids[0].tolist() for key, ids in inputs.items()}
        kept = self.scorer._cut(whole, instruction, response)
        inputs = {key: torch.tensor([ids]).to(self.model.device) for key, ids in kept.items()}
        return self.model(**inputs).logits[0].tolist()

    def _server(self) -> np.ndarray:
        found = []
        for instruction, response in self.texts:
            body = json.dumps({"instruction": instruction, "response": response})
            self.connection.request("POST", "/", body, {"Content-Type": "application/json"})
            bad, good = json.loads(self.connection.getresponse().read())["logits"]
            found.append(good - bad)
        return np.array(found)

    def _alone(self) -> np.ndarray:
        return self._in_order(budget=1)

    def _batched(self) -> np.ndarray:
        return self._in_order(self.options["token_budget"])

    def _in_order(self, budget: int) -> np.ndarray:
        """Batches of at most ``budget`` padded tokens, the texts in the order they come in."""
        inputs = [self.scorer._cut(self.scorer._encode(*text), *text) for text in self.texts]
        found, batch, longest = [], [], 0
        for x in inputs:
            n = len(x["input_ids"])
            if batch and max(longest, n) * (len(batch) + 1) > budget:
                found.append(self.scorer._forward(batch))
                batch, longest = [], 0
            batch.append(x)
            longest = max(longest, n)
        return np.concatenate([*found, self.scorer._forward(batch)])

    def _sorted(self) -> np.ndarray:
        sharing, self.scorer._sharing = self.scorer._sharing, None
        try:
            return self._shared()
        finally:
            self.scorer._sharing = sharing

    def _shared(self) -> np.ndarray:
        return self.scorer.rewards(*zip(*self.texts))

    def _half(self) -> np.ndarray:
        return self.in_half.rewards(*zip(*self.texts))

    @contextmanager
    def _counting(self, way: str) -> Iterator[None]:
        pad, real, padded = self.tokenizer.pad_token_id, [], 0

        def look(module: torch.nn.Module, args: tuple, kwargs: dict[str, Any]) -> None:
            nonlocal padded
            ids = kwargs["input_ids"] if "input_ids" in kwargs else args[0]
            real.append((ids != pad).sum())  # not yet a number, for which a GPU would have to stop
            padded += ids.numel()

        handle = self._model(way).base_model.register_forward_pre_hook(look, with_kwargs=True)
        try:
            yield
        finally:
            handle.remove()
        self.counts[way] = int(sum(map(int, real))), padded

    def largest_difference(self, *, half: bool = False) -> float:
        """Of a score from that of the text alone; of scores above 1, as a share.

        Args:
            half: of the way that computes in bf16, else of all others; 0 where there is none.
        """
        alone = self.scores["alone"]
        scale = np.maximum(1.0, np.abs(alone))
        compared = [scores for way, scores in self.scores.items() if (way == "half") == half]
        return max((float((np.abs(x - alone) / scale).max()) for x in compared), default=0.0)

    def report(self) -> str:
        """The table."""
        weights = sum(
            p.numel() for n, p in self.model.named_parameters() if p.ndim > 1 and "embed" not in n
        )
        n, median = len(self.texts), {w: float(np.median(s)) for w, s in self.seconds.items()}
        text_tokens = self.counts["alone"][0]
        peaks = {dtype: float(np.median(found)) for dtype, found in self.peaks.items()}
        lines = [
            f"{self.kind}: {type(self.model).__name__}, {weights / 1e6:.1f} M weights in matrices, "
            f"{str(self.model.dtype).removeprefix('torch.')} on {self.model.device.type}, "
            f"{self.n_threads} CPU threads",
            f"{n} texts of {text_tokens / n:.0f} tokens, {len(set(r for _, r in self.texts))} "
            f"responses, batches of {self.options['token_budget']} tokens; median of "
            f"{len(self.seconds['alone'])}, {self.clock} seconds",
            f"  {'':38}{'texts/s':>9}{'ratio':>7}{'tokens/s':>10}{'computed':>10}{'padding':>9}"
            f"{'GFLOP/s':>9}{'of peak':>9}",
        ]
        for way in self.ways:
            real, padded = self.counts[way]
            speed = 2e-9 * weights * real / median[way]
            lines.append(
                f"  {WAYS[way]:38}{n / median[way]:9.1f}{median['server'] / median[way]:6.1f}x"
                f"{text_tokens / median[way]:10.0f}{real:10d}{1 - real / padded:9.0%}{speed:9.1f}"
                f"{speed / peaks[self._model(way).dtype]:9.0%}"
            )
        for dtype, peak in peaks.items():
            what = f"peak of a product in {str(dtype).removeprefix('torch.')}"
            lines.append(f"  {what:38}{peak:54.1f}")
        lines.append(f"  {'largest difference of a score':38}{self.largest_difference():9.1e}")
        if "half" in self.ways:
            lines.append(f"  {'the same in bf16':38}{self.largest_difference(half=True):9.1e}")
        return "\n".join(lines)


def matmul_peak(
    device: torch.device, dtype: torch.dtype, clock: Callable[[], float], repeats: int = 3
) -> float:
    """GFLOP/s of the product of two square matrices, the best of some."""
    n = 8192 if device.type == "cuda" else 1024
    a, b = torch.randn(n, n).to(device, dtype), torch.randn(n, n).to(device, dtype)
    best = np.inf
    for _ in range(repeats + 1):  # the first wakes the machine up
        start = clock()
        float((a @ b)[0, 0])  # a number, so that a GPU is waited for
        best = min(best, clock() - start)
    return 2e-9 * n**3 / best


def arguments(given: Sequence[str] | None) -> argparse.Namespace:
    """The options. On a GPU more is to be done, because little would not occupy it."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    add = parser.add_argument
    add("--kind", choices=("decoder", "encoder", "both"), default="both")
    on_gpu = devices.device() == "cuda"
    chains, hidden, layers, budget = (60, 1024, 24, 32768) if on_gpu else (4, 512, 8, 4096)
    add("--chains", type=int, default=chains, help="number of chains (default: %(default)s)")
    add("--chains-file", type=Path, help="chains of yours in the place of WEval-Hand")
    add("--requirements", type=int, default=5, help="texts to a response (default: %(default)s)")
    add("--hidden", type=int, default=hidden, help="of the decoder (default: %(default)s)")
    add("--layers", type=int, default=layers, help="of the decoder (default: %(default)s)")
    add("--vocabulary", type=int, default=4096, help="of the decoder (default: %(default)s)")
    add("--max-tokens", type=int, default=1024, help="longest text (default: %(default)s)")
    add("--token-budget", type=int, default=budget, help="tokens to a batch (default: %(default)s)")
    add("--repeats", type=int, default=3, help="(default: %(default)s)")
    add("--threads", type=int, default=torch.get_num_threads(), help="(default: %(default)s)")
    add("--clock", choices=CLOCKS, default="wall", help="which seconds (default: %(default)s)")
    add("--quick", action="store_true", help="tiny models and one chain, to try the script")
    args = parser.parse_args(given)
    if args.quick:
        args.hidden, args.layers, args.vocabulary, args.chains, args.repeats = 64, 2, 2000, 1, 1
    return args


def benches(args: argparse.Namespace, root: Path) -> Iterator[Bench]:
    """One after the other, ready to report."""
    chains = load_chains(args.chains_file) if args.chains_file else load_weval_hand()
    step = max(1, len(chains) // args.chains)
    texts = real_texts(chains[::step][: args.chains], args.requirements)
    corpus = [text for chain in chains for text in (chain.prompt(), chain.responses[0].text)]
    for kind in ("decoder", "encoder") if args.kind == "both" else (args.kind,):
        make_model(kind, args, corpus, root / kind)
        options = {"max_tokens": args.max_tokens, "token_budget": args.token_budget}
        bench = Bench(kind, root / kind, texts, args.threads, options, args.clock)
        bench.run(args.repeats)
        yield bench


def main(given: Sequence[str] | None = None) -> int:
    """Print a table for each model; 1 if scores disagree."""
    args = arguments(given)
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    before, worst = torch.get_num_threads(), 0.0
    torch.set_num_threads(args.threads)
    try:
        with tempfile.TemporaryDirectory() as root:
            for bench in benches(args, Path(root)):
                print(bench.report())
                in_half = bench.model.dtype in (torch.float16, torch.bfloat16)
                limit = HALF_TOLERANCE if in_half else TOLERANCE
                worst = max(
                    worst,
                    bench.largest_difference() / limit,
                    bench.largest_difference(half=True) / HALF_TOLERANCE,
                )
    finally:
        torch.set_num_threads(before)
    return int(worst > 1)


if __name__ == "__main__":
    sys.exit(main())
