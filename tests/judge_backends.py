"""Backends for tests of judges: servers on loopback, exact checkers, one that never changes.

Nothing stands in for the network: what stalls, breaks off or talks nonsense is a server.
"""

from __future__ import annotations

import json
import re
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np

from wfine_utils.chains.dropping import build_chains
from wfine_utils.checks.dispatch import check
from wfine_utils.judges.backends import Reply
from wfine_utils.judges.judges import Critic, RequirementJudge
from wfine_utils.judges.pairwise import PairwiseJudge
from wfine_utils.tiny_world.vocabulary import TOPICS
from wfine_utils.tiny_world.writer import sample_queries, write
from wfine_utils.weval.evaluation import evaluate


def chat_completion(text: str | None, logprobs: dict[str, float] | None = None) -> dict[str, Any]:
    """What a server answers, with a field or two that nobody asked for."""
    choice: dict[str, Any] = {"index": 0, "message": {"role": "assistant", "content": text}}
    if logprobs is not None:
        top = [{"token": t, "logprob": p, "bytes": None} for t, p in logprobs.items()]
        choice["logprobs"] = {"content": [{**top[0], "top_logprobs": top}]}
    return {"object": "chat.completion", "choices": [{**choice, "finish_reason": "stop"}], "x": 1}


class Server:
    """A server that does with each chat completion what a test tells it to.

    Args:
        behave: gets the handler of the request, the prompt, and how often it was sent before.
    """

    def __init__(self, behave: Callable[[BaseHTTPRequestHandler, str, int], None]) -> None:
        self.bodies: list[dict[str, Any]] = []
        self.authorizations: list[str | None] = []
        self.n_lists = self.in_flight = 0
        lock, server = threading.Lock(), self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                server.n_lists += 1
                send(self, {"object": "list", "data": []})

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                prompt = body["messages"][0]["content"]
                with lock:
                    before = server.prompts.count(prompt)
                    server.bodies.append(body)
                    server.authorizations.append(self.headers["Authorization"])
                    server.in_flight += 1
                try:
                    behave(self, prompt, before)
                except OSError:
                    pass  # the client has given up
                finally:
                    with lock:
                        server.in_flight -= 1

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/v1"

    @property
    def prompts(self) -> list[str]:
        return [body["messages"][0]["content"] for body in self.bodies]

    def __enter__(self) -> Server:
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def send(
    handler: BaseHTTPRequestHandler,
    answer: object,
    status: int = 200,
    kind: str = "application/json",
    **headers: str,
) -> None:
    """Send an object as JSON, or bytes as they are."""
    data = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
    handler.send_response(status)
    for name, value in {"Content-Type": kind, "Content-Length": str(len(data)), **headers}.items():
        handler.send_header(name, value)
    handler.end_headers()
    handler.wfile.write(data)


def echo(handler: BaseHTTPRequestHandler, prompt: str, _: int) -> None:
    """Repeat the prompt."""
    send(handler, chat_completion(f"heard: {prompt}"))


@contextmanager
def started(*command: str, **kwargs: Any) -> Iterator[subprocess.Popen]:
    """A process that does not outlive the test."""
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL, **kwargs)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def wait_until(condition: Callable[[], bool], timeout_s: float, what: str) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, f"after {timeout_s} s still not: {what}"
        time.sleep(0.01)


CHAINS = build_chains(sample_queries(12, TOPICS["test"], seed=1), "random", write, seed=1)


def parts_of(prompt: str) -> dict[str, str]:
    """What stands between the marks, as one who reads from the top and knows the rule sees it."""
    parts, place = {}, 0
    while opening := re.compile(r"<<([A-Za-z ]+) ([0-9a-f]{8})>>\n").search(prompt, place):
        end = prompt.index(f"\n<<end of {opening[1]} {opening[2]}>>", opening.end())
        parts[opening[1]] = prompt[opening.end() : end]
        place = end + 1 + len(f"<<end of {opening[1]} {opening[2]}>>")
    return parts


def part(prompt: str, slot: str) -> str:
    return parts_of(prompt)[slot]


@dataclass
class Checkers:
    """A backend that judges what it is shown, by the exact checkers.

    ``words`` turns a verdict, a score or a preference into a reply; a prompt for which ``mute`` is
    true gets no reply.
    """

    words: str = "{}"
    mute: object = None
    fingerprint: str = "checkers"
    prompts: list[str] = field(default_factory=list)

    def __post_init__(self):
        self.checks = {r.text: r.check for chain in CHAINS for r in chain.requirements}

    def met(self, requirement: str, response: str) -> bool:
        return check(self.checks[requirement], response)

    def answer(self, prompt: str) -> str:
        if "<<requirement " in prompt:
            met = self.met(part(prompt, "requirement"), part(prompt, "response"))
            return f"Looked at it. [[{int(met)}]]"
        if "<<criterion " in prompt:
            met = self.met(part(prompt, "criterion"), part(prompt, "response"))
            return self.words.format(json.dumps({"reason": "Looked.", "score": 9 if met else 2}))
        task = part(prompt, "task")
        wanted = [text for text in self.checks if text in task]
        a, b = (sum(self.met(r, part(prompt, f"response {x}")) for r in wanted) for x in "AB")
        words = ["tie", "A better", "A much better", "B much better", "B better"]
        return f"So many. [[{words[max(-2, min(2, a - b))]}]]"

    def complete(self, prompts, *, max_tokens, temperature=0.0, seed=0):
        self.prompts += prompts
        return [
            Reply(None, "time-out") if self.mute and self.mute(p) else Reply(self.answer(p))
            for p in prompts
        ]

    def option_logprobs(self, prompts, options):
        self.prompts += prompts
        met = [self.met(part(p, "requirement"), part(p, "response")) for p in prompts]
        p_yes = np.array([[0.7 if m else 0.2] for m in met]) * 0.9  # the rest: other tokens
        return np.log(np.hstack([p_yes, 0.9 - p_yes]))


@dataclass
class Fixed:
    """A backend that answers everything alike."""

    reply: str | None
    fingerprint: str = "fixed"

    def complete(self, prompts, *, max_tokens, temperature=0.0, seed=0):
        return [Reply(self.reply, None if self.reply is not None else "refused") for _ in prompts]

    def option_logprobs(self, prompts, options):
        return np.full((len(prompts), len(options)), np.nan)


def judges(backend):
    return [
        RequirementJudge(backend),
        RequirementJudge(backend, "logits", name="judge (logits)"),
        Critic(backend),
        PairwiseJudge(backend),
    ]


def tau(scores, chains=CHAINS) -> float:
    return evaluate(chains, scores, n_boot=0).set_index(["metric", "subset_kind"]).value[
        "kendall_tau_b", "all"
    ]  # fmt: skip
