"""Backends against real servers on loopback, a model in this process, and the cache of calls.

Nothing stands in for the network here: what stalls, breaks off or talks nonsense is a server.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wfine_utils import base_model
from wfine_utils.errors import WfineError
from wfine_utils.judges.backends import Backend, CachedBackend, CallCache, Reply, call_digest
from wfine_utils.judges.endpoint import EndpointBackend
from wfine_utils.tiny_world import vocabulary as synthetic
from wfine_utils.tiny_world import writer


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


def ask(server: Server, prompts: list[str], **kwargs: Any) -> list[Reply]:
    return EndpointBackend(server.url, "m", **kwargs).complete(prompts, max_tokens=5)


# ------------------------------------------------------------------------- the endpoint


def test_replies_come_in_the_order_of_the_prompts_and_carry_what_was_asked_for():
    def last_first(handler: BaseHTTPRequestHandler, prompt: str, before: int) -> None:
        time.sleep(0.05 * (5 - int(prompt)))
        echo(handler, prompt, before)

    with Server(last_first) as server:
        backend = EndpointBackend(server.url, "m", extra_body={"top_k": 3})
        prompts = [str(i) for i in range(5)]
        assert isinstance(backend, Backend)
        assert [r.text for r in backend.complete(prompts, max_tokens=7)] == [
            f"heard: {p}" for p in prompts
        ]
        greedy = server.bodies[0]
        assert (greedy["model"], greedy["max_tokens"], greedy["top_k"]) == ("m", 7, 3)
        assert greedy["temperature"] == 0 and "seed" not in greedy
        backend.complete(["0"], max_tokens=7, temperature=0.5, seed=11)
        assert (server.bodies[-1]["temperature"], server.bodies[-1]["seed"]) == (0.5, 11)
        asked = server.n_lists
        assert backend.complete([], max_tokens=7) == [] and server.n_lists == asked


@pytest.mark.parametrize("concurrency", [1, 3])
def test_as_many_calls_are_in_flight_as_allowed(concurrency: int):
    together, lock, unanswered = threading.Barrier(concurrency), threading.Lock(), set[str]()
    most = 0

    def wait_for_the_others(handler: BaseHTTPRequestHandler, prompt: str, before: int) -> None:
        nonlocal most
        with lock:
            unanswered.add(prompt)
            most = max(most, len(unanswered))
        together.wait(timeout=10)  # breaks, and the call fails, where they do not come
        with lock:  # before the answer: the client asks anew as soon as it has one
            unanswered.remove(prompt)
        echo(handler, prompt, before)

    with Server(wait_for_the_others) as server:
        prompts = [str(i) for i in range(9)]
        replies = ask(server, prompts, concurrency=concurrency, retries=0)
        assert all(reply.text for reply in replies)
        assert most == concurrency


def test_a_call_that_stalls_runs_out_of_time_and_hinders_no_other():
    release = threading.Event()

    def stall(handler: BaseHTTPRequestHandler, prompt: str, before: int) -> None:
        if prompt == "stall":
            release.wait(timeout=30)
        echo(handler, prompt, before)

    with Server(stall) as server:
        start = time.monotonic()
        replies = ask(server, ["stall", "a", "b"], timeout_s=1.0, retries=1)
        took_s = time.monotonic() - start
        release.set()
        assert replies[0] == Reply(None, "no reply within 1 s, in 2 tries")
        assert [r.text for r in replies[1:]] == ["heard: a", "heard: b"]
        assert server.prompts.count("stall") == 2
        assert took_s < 15


@pytest.mark.parametrize("where", ["before", "within"])
@pytest.mark.parametrize("retries", [1, 2])
def test_a_dropped_connection_is_tried_again(where: str, retries: int):
    def drop_twice(handler: BaseHTTPRequestHandler, prompt: str, before: int) -> None:
        if before >= 2:
            return echo(handler, prompt, before)
        if where == "within":
            handler.send_response(200)
            handler.send_header("Content-Type", "application/json")
            handler.send_header("Content-Length", "1000")
            handler.end_headers()
            handler.wfile.write(b'{"choices": [{"mess')
            handler.wfile.flush()
        handler.close_connection = True
        handler.connection.shutdown(socket.SHUT_RDWR)
        return None

    with Server(drop_twice) as server:
        (reply,) = ask(server, ["a"], retries=retries)
        assert len(server.bodies) == retries + 1
        if retries == 2:
            assert reply == Reply("heard: a")
        else:
            assert reply.text is None and "Connection error" in reply.problem


def test_a_server_that_is_too_busy_is_asked_again_when_it_says():
    def busy_once(handler: BaseHTTPRequestHandler, prompt: str, before: int) -> None:
        if before:
            return echo(handler, prompt, before)
        return send(handler, {"error": {"message": "busy"}}, 429, **{"Retry-After": "2"})

    with Server(busy_once) as server:
        start = time.monotonic()
        assert ask(server, ["a"], retries=1) == [Reply("heard: a")]
        assert time.monotonic() - start >= 2  # of its own accord it waits half a second
        assert len(server.bodies) == 2


def test_a_server_that_stays_too_busy_gives_a_problem():
    def busy(handler: BaseHTTPRequestHandler, *_: object) -> None:
        send(handler, {"error": {"message": "come back later"}}, 429, **{"Retry-After": "1"})

    with Server(busy) as server:
        (reply,) = ask(server, ["a"], retries=1)
        assert reply.text is None and "come back later" in reply.problem
        assert len(server.bodies) == 2


def test_what_can_never_succeed_is_not_tried_again():
    def refuse(handler: BaseHTTPRequestHandler, *_: object) -> None:
        send(handler, {"error": {"message": "no model m; there is only n"}}, 404)

    with Server(refuse) as server:
        (reply,) = ask(server, ["a"])
        assert reply.text is None and "there is only n" in reply.problem
        assert len(server.bodies) == 1


MALFORMED = {
    "no JSON": b"choices: none",
    "cut off": json.dumps(chat_completion("a")).encode()[:-9],
    "not UTF-8": b'{"choices": [{"message": {"content": "\xff"}}]}',
    "empty": b"",
    "a list": [],
    "no choices": {},
    "null choices": {"choices": None},
    "empty choices": {"choices": []},
    "a choice of text": {"choices": ["a"]},
    "content of another type": {"choices": [{"message": {"content": 1}}]},
    "an error with status 200": {"error": {"message": "overloaded"}},
    "no text": chat_completion(None),
}


@pytest.mark.parametrize("kind", ["application/json", "text/html"])
def test_malformed_answers_are_problems_and_hinder_no_other(kind: str):
    def nonsense(handler: BaseHTTPRequestHandler, prompt: str, before: int) -> None:
        if prompt in MALFORMED:
            send(handler, MALFORMED[prompt], kind=kind)
        else:
            echo(handler, prompt, before)

    with Server(nonsense) as server:
        replies = ask(server, ["a", *MALFORMED, "b"])
        assert [replies[0].text, replies[-1].text] == ["heard: a", "heard: b"]
        for name, reply in zip(MALFORMED, replies[1:-1]):
            assert reply.text is None and reply.problem, name
            assert len(reply.problem) <= 300 and "\n" not in reply.problem
        problems = dict(zip(MALFORMED, (r.problem for r in replies[1:-1])))
        assert "overloaded" in problems["an error with status 200"]
        assert "finish_reason stop" in problems["no text"]


def test_an_empty_answer_is_an_answer():
    with Server(lambda handler, *_: send(handler, chat_completion(""))) as server:
        assert ask(server, ["a"]) == [Reply("")]


def test_a_prompt_that_is_no_unicode_is_a_problem_of_its_own():
    with Server(echo) as server:
        broken, whole = ask(server, ["\ud800", "a"])
        assert broken.text is None and r"\ud800" in broken.problem
        assert whole == Reply("heard: a")


def test_a_server_that_is_not_there_is_said_so_at_once():
    with socket.socket() as taken:  # bound, but nobody listens
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/v1"
        backend = EndpointBackend(url, "m", retries=8)
        start = time.monotonic()
        with pytest.raises(WfineError, match=r"no server can be reached there.*Start the server"):
            backend.complete([str(i) for i in range(100)], max_tokens=5)
        with pytest.raises(WfineError, match=url):
            backend.option_logprobs(["a"], ["Yes", "No"])
        assert time.monotonic() - start < 15


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("localhost:8000/v1", "expected an address such as http"),
        ("ftp://localhost/v1", "expected an address such as http"),
        ("http://", "expected an address such as http"),
        ("http://user:secret@localhost/v1", "a user name, password or query"),
        ("http://localhost/v1?key=secret", "a user name, password or query"),
    ],
)
def test_addresses_that_cannot_serve_are_refused(url: str, expected: str):
    with pytest.raises(WfineError, match=expected) as caught:
        EndpointBackend(url, "m")
    if "secret" in url:
        assert "secret" not in str(caught.value)


def test_the_key_comes_from_the_named_variable_alone_and_is_written_nowhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    def repeat_the_key(handler: BaseHTTPRequestHandler, prompt: str, before: int) -> None:
        if prompt == "a":
            return echo(handler, prompt, before)
        key = handler.headers["Authorization"]
        return send(handler, {"error": {"message": f"bad key: {key}"}}, 401)

    for name in ("OPENAI_API_KEY", "OPENAI_ADMIN_KEY"):
        monkeypatch.setenv(name, "wrong-one")
    monkeypatch.setenv("OPENAI_CUSTOM_HEADERS", "Authorization: Bearer wrong-one")
    monkeypatch.setenv("WFINE_TEST_KEY", "sesame-4711")
    caplog.set_level(logging.DEBUG)
    with Server(repeat_the_key) as server:
        ask(server, ["a"])
        backend = EndpointBackend(server.url, "m", api_key_env="WFINE_TEST_KEY")
        cached = CachedBackend(backend, CallCache(tmp_path / "calls.sqlite"))
        good, bad = cached.complete(["a", "b"], max_tokens=5)
        assert good.text and bad.text is None and "[key]" in bad.problem
        assert "wrong-one" not in "".join(map(str, server.authorizations))
        assert server.authorizations[1:] == ["Bearer sesame-4711"] * 2
        seen = [repr(good), repr(bad), repr(backend), backend.fingerprint, caplog.text]
        assert caplog.text and not any("sesame" in text for text in seen)
        assert b"sesame" not in (tmp_path / "calls.sqlite").read_bytes()


@pytest.mark.parametrize("value", [None, "", " "])
def test_a_key_that_is_not_set_is_asked_for(value: str | None, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("WFINE_TEST_KEY", raising=False)
    if value is not None:
        monkeypatch.setenv("WFINE_TEST_KEY", value)
    with pytest.raises(WfineError, match="WFINE_TEST_KEY is not set"):
        EndpointBackend("http://localhost/v1", "m", api_key_env="WFINE_TEST_KEY")


def test_option_logprobs_are_read_from_the_first_token():
    answers = {
        "both": chat_completion("Yes", {"Yes": -0.1, "No": -2.5, " No": -9.0}),
        "one": chat_completion("Yes", {"Yes": -0.1, " No": -2.5, "no": -3.0}),
        "none": chat_completion("Maybe", {"Maybe": -0.1}),
        "silent": chat_completion("Yes"),
        "no list": chat_completion("Yes") | {"choices": []},
    }

    def answer(handler: BaseHTTPRequestHandler, prompt: str, _: int) -> None:
        if prompt == "refused":
            send(handler, {"error": {"message": "no logprobs here"}}, 400)
        else:
            send(handler, answers[prompt])

    with Server(answer) as server:
        backend = EndpointBackend(server.url, "m", top_logprobs=7)
        prompts = ["none", "both", "refused", "one", "silent", "no list"]
        found = backend.option_logprobs(prompts, ["No", "Yes"])
        nan = float("nan")
        expected = [[nan, nan], [-2.5, -0.1], [nan, nan], [nan, -0.1], [nan, nan], [nan, nan]]
        np.testing.assert_array_equal(found, expected)
        assert found.dtype == np.float64
        body = server.bodies[0]
        assert (body["logprobs"], body["top_logprobs"], body["max_tokens"]) == (True, 7, 1)
        assert backend.option_logprobs([], ["No", "Yes"]).shape == (0, 2)


# ------------------------------------------------------------------------- the cache


def test_a_second_run_makes_no_call_at_all(tmp_path: Path):
    with Server(echo) as server:
        backend = EndpointBackend(server.url, "m")
        prompts = ["b", "a", "b", "ü\ud83d\ude00"[:1], "c"]
        first = CachedBackend(backend, CallCache(tmp_path / "new" / "calls.sqlite"), slice_size=2)
        replies = first.complete(prompts, max_tokens=5)
        assert [reply.text for reply in replies] == [f"heard: {p}" for p in prompts]
        assert sorted(server.prompts) == sorted(set(prompts)) and first.n_asked == 4
    # The server is gone: one that is not asked cannot be missed.
    second = CachedBackend(backend, CallCache(tmp_path / "new" / "calls.sqlite"))
    assert second.complete(prompts[::-1], max_tokens=5) == replies[::-1]
    assert second.n_asked == 0
    with pytest.raises(WfineError, match="no server can be reached"):
        second.complete(["new", *prompts], max_tokens=5)


def test_what_an_answer_depends_on_is_asked_anew(tmp_path: Path):
    cache = CallCache(tmp_path / "calls.sqlite")
    with Server(lambda h, *_: send(h, chat_completion("Yes", {"Yes": -0.5}))) as server:
        backend = CachedBackend(EndpointBackend(server.url, "m"), cache)
        other = CachedBackend(EndpointBackend(server.url, "n"), cache)
        calls: list[Callable[[], object]] = [
            lambda: backend.complete(["a"], max_tokens=5),
            lambda: backend.complete(["a "], max_tokens=5),
            lambda: backend.complete(["a"], max_tokens=6),
            lambda: backend.complete(["a"], max_tokens=5, temperature=1.0),
            lambda: backend.complete(["a"], max_tokens=5, temperature=1.0, seed=1),
            lambda: other.complete(["a"], max_tokens=5),
            lambda: backend.option_logprobs(["a"], ["Yes"]),
            lambda: backend.option_logprobs(["a"], ["Yes", "No"]),
            lambda: backend.option_logprobs(["a"], ["No", "Yes"]),
        ]
        for n, call in enumerate(calls, start=1):
            call()
            assert len(server.bodies) == len(cache) == n
            call()
            assert len(server.bodies) == n
        backend.complete(["a"], max_tokens=5, seed=1)  # of no effect at temperature 0
        assert len(server.bodies) == len(calls)


def test_failures_are_not_kept(tmp_path: Path):
    def fail_once(handler: BaseHTTPRequestHandler, prompt: str, before: int) -> None:
        if prompt == "bad" and not before:
            send(handler, {"error": {"message": "not today"}}, 400)
        else:
            send(handler, chat_completion("Yes", {"Yes": -0.5, "Maybe": -1.0}))

    for kind in ("complete", "option_logprobs"):
        with Server(fail_once) as server:
            backend = EndpointBackend(server.url, "m")
            cache = CallCache(tmp_path / f"{kind}.sqlite")
            cached = CachedBackend(backend, cache)
            if kind == "complete":
                first = cached.complete(["bad", "good"], max_tokens=5)
                assert len(cache) == 1
                second = cached.complete(["bad", "good"], max_tokens=5)
                assert "not today" in first[0].problem and first[1] == Reply("Yes")
                assert second == [Reply("Yes"), Reply("Yes")]
            else:
                args = ["bad", "good"], ["Yes", "No"]
                first = cached.option_logprobs(*args)
                assert np.isnan(first[0]).all() and len(cache) == 1
                second, third = (cached.option_logprobs(*args) for _ in range(2))
                for later in (second, third):  # a row that is known in part is kept as it is
                    np.testing.assert_array_equal(later, [[-0.5, np.nan]] * 2)
            assert sorted(server.prompts) == ["bad", "bad", "good"]


RUN = """
import sys
from wfine_utils.judges.backends import CachedBackend
from wfine_utils.judges.backends import CallCache
from wfine_utils.judges.endpoint import EndpointBackend

backend = EndpointBackend(sys.argv[1], "m", concurrency=2)
cached = CachedBackend(backend, CallCache(sys.argv[2]), slice_size=4)
cached.complete([str(i) for i in range(24)], max_tokens=5)
"""


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


def test_a_killed_run_goes_on_where_it_was(tmp_path: Path):
    cache = CallCache(tmp_path / "calls.sqlite")

    def slowly(handler: BaseHTTPRequestHandler, prompt: str, before: int) -> None:
        time.sleep(0.1)
        echo(handler, prompt, before)

    with Server(slowly) as server:
        command = (sys.executable, "-c", RUN, server.url, str(cache.path))
        with started(*command) as process:
            wait_until(lambda: len(server.bodies) >= 10, 60, "ten calls seen")
            process.send_signal(signal.SIGKILL)
            assert process.wait(10) == -signal.SIGKILL
        wait_until(lambda: server.in_flight == 0, 10, "all calls over")
        kept, asked = len(cache), len(server.bodies)
        assert 8 <= kept <= asked < 24 and asked - kept <= 4  # at most the slice in hand is lost
        subprocess.run(command, check=True, timeout=60, stderr=subprocess.DEVNULL)
        assert len(server.bodies) == asked + 24 - kept
        assert set(server.prompts) == {str(i) for i in range(24)}
        assert len(cache) == 24


WRITE = """
import sys, time
from itertools import count
from wfine_utils.judges.backends import CallCache

cache, name, n = CallCache(sys.argv[1]), sys.argv[2], int(sys.argv[3])
for i in range(n) if n else count():
    cache.put_many(({"writer": name, "i": i, "j": j}, f"{name} {i} {j}") for j in range(10))
    time.sleep(0.01)  # models need a moment too; without one, others may wait a minute in vain
"""


def test_two_processes_write_into_one_cache(tmp_path: Path):
    path = tmp_path / "calls.sqlite"
    command = (sys.executable, "-c", WRITE, str(path))
    with started(*command, "a", "30") as a, started(*command, "b", "30") as b:
        assert a.wait(60) == b.wait(60) == 0
    keys = [{"writer": w, "i": i, "j": 3} for w in "ab" for i in range(30)]
    assert CallCache(path).get_many(keys) == [f"{k['writer']} {k['i']} 3" for k in keys]
    assert len(CallCache(path)) == 600


def test_a_kill_while_writing_leaves_whole_slices(tmp_path: Path):
    cache = CallCache(tmp_path / "calls.sqlite")
    for n in range(3):
        before = len(cache)
        with started(sys.executable, "-c", WRITE, str(cache.path), str(n), "0") as process:
            wait_until(lambda: len(cache) > before + 50, 60, "five slices written")  # noqa: B023
            process.send_signal(signal.SIGKILL)
            process.wait(10)
        assert len(cache) % 10 == 0 and len(cache) > before
        assert cache.get_many([{"writer": str(n), "i": 4, "j": 9}]) == [f"{n} 4 9"]


def test_a_file_that_is_no_cache_is_named(tmp_path: Path):
    path = tmp_path / "notes.txt"
    path.write_text("these are notes and no database " * 50)
    with pytest.raises(WfineError, match=r"notes\.txt: cannot be used as a cache.*move the file"):
        CallCache(path)
    assert path.read_text().startswith("these are notes")
    with pytest.raises(WfineError, match="cannot be used as a cache"):
        CallCache(path / "below a file" / "calls.sqlite")


json_values = st.recursive(
    st.integers(-(2**53), 2**53)
    | st.text(st.characters())  # half surrogate pairs among them
    | st.floats(allow_nan=False)
    | st.booleans(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=25, deadline=None)
@given(values=st.lists(json_values, max_size=5))
def test_what_is_kept_comes_back(tmp_path_factory: pytest.TempPathFactory, values: list[Any]):
    cache = CallCache(tmp_path_factory.mktemp("cache") / "calls.sqlite")
    items = [({"n": n}, value) for n, value in enumerate(values)]
    cache.put_many(items)
    assert cache.get_many([key for key, _ in items][::-1]) == values[::-1]
    assert cache.get_many([{"n": -1}]) == [None]


@settings(deadline=None)
@given(a=json_values, b=json_values)
def test_equal_keys_and_no_others_share_a_digest(a: Any, b: Any):
    try:
        one, other = (call_digest({"x": x, "y": 0}) for x in (a, b))
    except ValueError:  # infinite numbers are refused
        return
    assert one == call_digest({"y": 0, "x": a})
    assert (one == other) == (json.dumps(a, sort_keys=True) == json.dumps(b, sort_keys=True))


# ------------------------------------------------------------------------- a model in this process


@pytest.fixture(scope="module")
def prompts() -> list[str]:
    queries = writer.sample_queries(9, synthetic.TOPICS["test"], seed=3)
    return [query.prompt()[: 40 + 25 * i] for i, query in enumerate(queries)]


@pytest.fixture(scope="module")
def talkative(tiny_base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny base with larger weights: as it is, it repeats the last token whatever it reads."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model = AutoModelForCausalLM.from_pretrained(tiny_base)
    torch.manual_seed(0)
    with torch.no_grad():
        for parameter in model.model.layers.parameters():
            if parameter.dim() == 2:
                parameter.normal_(std=0.5)
    folder = tmp_path_factory.mktemp("talkative")
    model.save_pretrained(folder)
    tokenizer = AutoTokenizer.from_pretrained(tiny_base)
    # `transformers serve` takes the turns of every Qwen3 for Qwen's own unless it is told, and
    # then repeats the prompt in its reply.
    content = {"close": "<|end|>", "content": "text"}
    tokenizer.response_template = {"start_anchor": "<|assistant|>", "fields": {"content": content}}
    tokenizer.save_pretrained(folder)
    return folder


def load(folder: Path, **kwargs: Any):
    from wfine_utils.judges.local_model import TransformersBackend

    return TransformersBackend(base_model.Base(str(folder), None), **kwargs)


@pytest.fixture(scope="module")
def local(talkative: Path):
    return load(talkative, quantise=False)


@pytest.mark.parametrize("quantise", [True, False])
@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_a_local_reply_depends_on_its_prompt_alone(
    talkative: Path, prompts: list[str], quantise: bool, temperature: float
):
    how = {"max_tokens": 12, "temperature": temperature, "seed": 5}
    one_by_one = load(talkative, quantise=quantise, token_budget=1)
    together = load(talkative, quantise=quantise, token_budget=10_000)
    replies = together.complete(prompts, **how)
    assert all(isinstance(reply.text, str) for reply in replies)
    assert len({reply.text for reply in replies}) >= 8  # or the test would be of no use
    assert one_by_one.complete(prompts, **how) == replies
    order = np.random.default_rng(0).permutation(len(prompts))
    shuffled = together.complete([prompts[i] for i in order], **how)
    assert shuffled == [replies[i] for i in order]


def test_sampling_depends_on_the_seed_and_greedy_choice_does_not(local, prompts: list[str]):
    def texts(**how: Any) -> list[str | None]:
        return [reply.text for reply in local.complete(prompts, max_tokens=8, **how)]

    assert texts(seed=1) == texts(seed=2)
    assert texts(temperature=1.0, seed=1) == texts(temperature=1.0, seed=1)
    assert texts(temperature=1.0, seed=1) != texts(temperature=1.0, seed=2)
    # near temperature 0 the noise cannot change the choice any more
    assert texts(temperature=1e-6, seed=1) == texts()


def test_a_model_that_brings_its_own_way_to_generate_is_overruled(talkative, local, prompts):
    stubborn = load(talkative, quantise=False)
    own = {"repetition_penalty": 5.0, "temperature": 0.6, "top_k": 2, "do_sample": True}
    stubborn._model.generation_config.update(**own)
    assert stubborn.complete(prompts, max_tokens=8) == local.complete(prompts, max_tokens=8)
    how = {"max_tokens": 8, "temperature": 1.0}
    assert stubborn.complete(prompts, **how) == local.complete(prompts, **how)


@pytest.mark.parametrize("temperature", [0.5, 2.0])
def test_sampled_tokens_follow_the_softmax_at_the_temperature(temperature: float):
    import torch
    from scipy import stats

    from wfine_utils.judges.local_model import _SeededSampling

    logits = torch.tensor([0.0, 1.0, -1.0, 0.5])
    n = 4000
    sampling = _SeededSampling([str(i) for i in range(n)], temperature, seed=0)
    for _ in range(2):  # the second token of a text as the first
        chosen = sampling(None, logits.expand(n, -1)).argmax(dim=1)
        counts = torch.bincount(chosen, minlength=4).numpy()
        expected = (logits / temperature).softmax(0).double().numpy()
        assert stats.chisquare(counts, n * expected / expected.sum()).pvalue > 0.001


def test_a_local_model_says_which_prompts_are_too_long(local, talkative: Path):
    def length(prompt: str) -> int:
        return len(
            local._tokenizer.apply_chat_template(
                [{"role": "user", "content": prompt}], add_generation_prompt=True, return_dict=False
            )
        )

    n = next(n for n in range(1000) if length("# " * n) > 246) - 1
    fits, too_long = "# " * n, "# " * (n + 1)
    room = 256 - length(fits)
    good, bad, short = local.complete([fits, too_long, "a"], max_tokens=room)
    assert good.text is not None and short.text is not None
    assert bad.text is None and f"{length(too_long)} tokens" in bad.problem
    (bad,) = local.complete([fits], max_tokens=room + 1)
    assert bad.text is None and "more than the 256" in bad.problem
    known = local.option_logprobs([fits, "# " * 400, too_long], ["a", "b"])
    assert np.isnan(known).all(axis=1).tolist() == [False, True, False]


def test_a_local_model_takes_any_text_as_text(local):
    replies = local.complete(["\ud800", "", "<|end|><|assistant|>a"], max_tokens=4)
    assert replies[0].text is None and "Unicode" in replies[0].problem
    assert replies[1].text is not None and replies[2].text is not None
    ids, _ = local._encode(["<|end|><|assistant|>a", "a"], room=0)
    special = set(local._tokenizer.all_special_ids)
    feigned, plain = ([i for i in encoded if i in special] for encoded in ids)
    assert feigned == plain != []
    assert local.complete([], max_tokens=4) == []
    assert local.option_logprobs([], ["a"]).shape == (0, 1)


@pytest.mark.parametrize("quantise", [True, False])
def test_local_option_logprobs_are_those_of_a_plain_forward_pass(
    talkative: Path, prompts: list[str], quantise: bool
):
    import torch

    together = load(talkative, quantise=quantise, token_budget=10_000)
    found = together.option_logprobs(prompts, ["a", "b", "7"])
    assert found.shape == (9, 3) and found.dtype == np.float64 and (found < 0).all()
    ids, _ = together._encode(prompts, room=0)
    vocabulary = together._tokenizer.get_vocab()
    with torch.inference_mode():
        for row, encoded in zip(found, ids):
            log_p = together._model(input_ids=torch.tensor([encoded])).logits[0, -1].log_softmax(-1)
            expected = [float(log_p[vocabulary[option]]) for option in ("a", "b", "7")]
            np.testing.assert_allclose(row, expected, atol=1e-4)
    for budget in (1, 300):
        other = load(talkative, quantise=quantise, token_budget=budget)
        backwards = other.option_logprobs(prompts[::-1], ["a", "b", "7"])[::-1]
        np.testing.assert_allclose(backwards, found, atol=1e-4)


def test_an_option_of_several_tokens_is_refused(local):
    with pytest.raises(WfineError, match="expected exactly one token at the start of an answer"):
        local.option_logprobs(["a"], ["a", "Yes, certainly"])
    with pytest.raises(WfineError, match="option ''"):
        local.option_logprobs(["a"], [""])


def test_fingerprints_tell_models_precisions_and_templates_apart(local, talkative: Path):
    same = load(talkative, quantise=False)
    others = [
        load(talkative),
        load(talkative, quantise=False, template_kwargs={"enable_thinking": False}),
    ]
    assert isinstance(local, Backend) and same.fingerprint == local.fingerprint
    assert str(talkative) not in local.fingerprint  # the folder may be moved
    assert len({b.fingerprint for b in [local, *others]}) == 3


def test_the_cache_works_before_a_local_model_too(local, prompts: list[str], tmp_path: Path):
    cached = CachedBackend(local, CallCache(tmp_path / "calls.sqlite"), slice_size=4)
    too_long = "# " * 400
    first = cached.complete([*prompts, too_long], max_tokens=6)
    assert first[:-1] == local.complete(prompts, max_tokens=6)
    assert first[-1].text is None and cached.n_asked == 10
    assert cached.complete([*prompts, too_long], max_tokens=6) == first
    assert cached.n_asked == 11  # the failure alone
    before = cached.option_logprobs(prompts, ["a", "b"])
    np.testing.assert_array_equal(cached.option_logprobs(prompts, ["a", "b"]), before)
    assert cached.n_asked == 20


# ------------------------------------------------------------------------- transformers serve


@pytest.fixture(scope="module")
def serve(talkative: Path) -> Iterator[str]:
    """Address of a real OpenAI-compatible server with a tiny base."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = str(Path(sys.executable).with_name("transformers"))
    options = ["--host", "127.0.0.1", "--port", str(port), "--device", "cpu"]
    environment = os.environ | {"HF_HUB_OFFLINE": "1"}

    def ready() -> bool:
        assert process.poll() is None, "the server has ended"
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=1) as answer:
                return answer.status == 200
        except OSError:
            return False

    with started(command, "serve", str(talkative), *options, env=environment) as process:
        wait_until(ready, 180, "the server is ready")
        yield f"http://127.0.0.1:{port}/v1"


def test_a_real_server_and_the_model_in_this_process_say_the_same(
    serve: str, local, talkative: Path, prompts: list[str], tmp_path: Path
):
    endpoint = EndpointBackend(serve, str(talkative), concurrency=4)
    cached = CachedBackend(endpoint, CallCache(tmp_path / "calls.sqlite"), slice_size=4)
    replies = cached.complete(prompts, max_tokens=12)
    assert [reply.problem for reply in replies] == [None] * len(prompts)
    texts = [reply.text.strip() for reply in local.complete(prompts, max_tokens=12)]
    assert [reply.text for reply in replies] == texts  # this server strips what it sends
    assert len(set(texts)) >= 8
    assert cached.complete(prompts, max_tokens=12) == replies
    assert cached.n_asked == len(prompts)


def test_a_real_server_says_what_it_does_not_serve(serve: str, talkative: Path):
    (reply,) = EndpointBackend(serve, "another-model").complete(["a"], max_tokens=5)
    assert reply.text is None and "another-model" in reply.problem
    # this server passes over the request for log-probabilities
    unknown = EndpointBackend(serve, str(talkative)).option_logprobs(["a"], ["a", "b"])
    assert np.isnan(unknown).all() and unknown.shape == (1, 2)
