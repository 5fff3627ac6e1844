"""The endpoint against real servers on loopback, and against a real model behind one."""

from __future__ import annotations

import json
import logging
import os
import socket
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from judge_backends import Server, chat_completion, echo, send, started, wait_until

from wfine_utils.errors import WfineError
from wfine_utils.judges.backends import Backend, CachedBackend, CallCache, Reply
from wfine_utils.judges.endpoint import EndpointBackend


def ask(server: Server, prompts: list[str], **kwargs: Any) -> list[Reply]:
    return EndpointBackend(server.url, "m", **kwargs).complete(prompts, max_tokens=5)


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
        before = server.n_lists
        assert backend.complete([], max_tokens=7) == [] and server.n_lists == before


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
        log_p = backend.option_logprobs(prompts, ["No", "Yes"])
        nan = float("nan")
        expected = [[nan, nan], [-2.5, -0.1], [nan, nan], [nan, -0.1], [nan, nan], [nan, nan]]
        np.testing.assert_array_equal(log_p, expected)
        assert log_p.dtype == np.float64
        body = server.bodies[0]
        assert (body["logprobs"], body["top_logprobs"], body["max_tokens"]) == (True, 7, 1)
        assert backend.option_logprobs([], ["No", "Yes"]).shape == (0, 2)


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


@pytest.mark.slow
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
    assert cached.n_calls == len(prompts)


@pytest.mark.slow
def test_a_real_server_says_what_it_does_not_serve(serve: str, talkative: Path):
    (reply,) = EndpointBackend(serve, "another-model").complete(["a"], max_tokens=5)
    assert reply.text is None and "another-model" in reply.problem
    # this server passes over the request for log-probabilities
    unknown = EndpointBackend(serve, str(talkative)).option_logprobs(["a"], ["a", "b"])
    assert np.isnan(unknown).all() and unknown.shape == (1, 2)
