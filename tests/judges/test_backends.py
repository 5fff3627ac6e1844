"""The cache before a backend: what it asks anew, what survives a kill, what is refused."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from http.server import BaseHTTPRequestHandler
from inspect import signature
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from judge_backends import Server, chat_completion, echo, send, started, wait_until

from wfine_utils.chains.weval_hand import load_weval_hand
from wfine_utils.errors import WfineError
from wfine_utils.judges.agreement import CONSTRUCTION, judge_table
from wfine_utils.judges.backends import (
    Backend,
    CachedBackend,
    CallCache,
    FunctionBackend,
    Reply,
    call_digest,
)
from wfine_utils.judges.endpoint import EndpointBackend
from wfine_utils.judges.judges import RequirementJudge


def test_a_second_run_makes_no_call_at_all(tmp_path: Path):
    with Server(echo) as server:
        backend = EndpointBackend(server.url, "m")
        prompts = ["b", "a", "b", "ü\ud83d\ude00"[:1], "c"]
        first = CachedBackend(backend, CallCache(tmp_path / "new" / "calls.sqlite"), slice_size=2)
        replies = first.complete(prompts, max_tokens=5)
        assert [reply.text for reply in replies] == [f"heard: {p}" for p in prompts]
        assert sorted(server.prompts) == sorted(set(prompts)) and first.n_calls == 4
    # The server is gone: one that is not asked cannot be missed.
    second = CachedBackend(backend, CallCache(tmp_path / "new" / "calls.sqlite"))
    assert second.complete(prompts[::-1], max_tokens=5) == replies[::-1]
    assert second.n_calls == 0
    with pytest.raises(WfineError, match="no server can be reached"):
        second.complete(["new", *prompts], max_tokens=5)


def test_what_an_answer_depends_on_is_asked_anew(tmp_path: Path):
    cache = CallCache(tmp_path / "calls.sqlite")
    with Server(lambda h, *_: send(h, chat_completion("Yes", {"Yes": -0.5, "No": -2.0}))) as server:
        of_five = CachedBackend(EndpointBackend(server.url, "m", top_logprobs=5), cache)
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
            lambda: of_five.option_logprobs(["a"], ["No", "Yes"]),
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
            send(handler, chat_completion("Yes", {"Yes": -0.5, "No": -1.0}))

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
                for _ in range(2):
                    later = cached.option_logprobs(*args)
                    np.testing.assert_array_equal(later, [[-0.5, -1.0]] * 2)
            assert sorted(server.prompts) == ["bad", "bad", "good"]


def test_a_row_with_an_unknown_option_is_asked_again_and_given_as_far_as_it_is_known(tmp_path):
    """Asked for five tokens, a server does not name the option; for twenty, it does."""

    def likeliest(handler: BaseHTTPRequestHandler, prompt: str, before: int) -> None:
        known = {"Yes": -0.5} | ({"No": -9.0} if before > 1 else {})
        send(handler, chat_completion("Yes", known))

    args = ["a"], ["Yes", "No"]
    with Server(likeliest) as server:
        cache = CallCache(tmp_path / "calls.sqlite")
        cached = CachedBackend(EndpointBackend(server.url, "m"), cache)
        found = [cached.option_logprobs(*args)[0].tolist() for _ in range(4)]
    assert len(server.prompts) == 3 and len(cache) == 1
    np.testing.assert_array_equal(found, [[-0.5, np.nan]] * 2 + [[-0.5, -9.0]] * 2)
    key = {"call": "option_logprobs", "options": ["Yes", "No"], "backend": "old", "prompt": "a"}
    cache.put_many([(key, [-0.5, np.nan])])  # of an earlier version
    old = CachedBackend(Counting(), cache)
    old.fingerprint = "old"
    assert np.isfinite(old.option_logprobs(*args)).all()


@pytest.mark.parametrize("repeats_itself", [False, True])
def test_a_reply_that_its_judge_could_not_read_is_asked_again(tmp_path, repeats_itself):
    """Unless the backend would say the same again."""
    said = {"Hm.": 0, "": 0, "[[1]]": 0}

    class Moody(FunctionBackend):
        pass

    def answer(prompt: str) -> str:
        text = min(said, key=said.__getitem__)  # each in turn, for all prompts
        said[text] += 1
        return text

    Moody.repeats_itself = repeats_itself
    chain = load_weval_hand()[0]
    chain = replace(chain, requirements=chain.requirements[:1], responses=tuple(
        replace(r, kept=r.kept[:1]) for r in chain.responses[:2]
    ))  # fmt: skip
    cached = CachedBackend(Moody(answer, "moody"), CallCache(tmp_path / "calls.sqlite"))
    judge, calls = RequirementJudge(cached), []
    for _ in range(4):
        table = judge.verdicts([chain])
        calls.append(cached.n_calls)
    assert table["verdict"].isna().sum() == (2 if repeats_itself else 0)
    assert calls == ([2] * 4 if repeats_itself else [2, 4, 5, 6])


def test_every_option_of_an_endpoint_is_in_its_fingerprint_or_cannot_change_an_answer():
    no_effect = {"api_key_env", "concurrency", "timeout_s", "retries"}
    others = {"base_url": "http://b/v1", "model": "n", "top_logprobs": 5,
              "extra_body": {"top_k": 1}}  # fmt: skip
    usual = {"base_url": "http://a/v1", "model": "m"}
    assert no_effect | set(others) == set(signature(EndpointBackend).parameters)
    backends = [EndpointBackend(**usual | {k: v}) for k, v in others.items()]
    found = {b.fingerprint for b in [EndpointBackend(**usual), *backends]}
    assert len(found) == 1 + len(others)


RUN = """
import sys
from wfine_utils.judges.backends import CachedBackend
from wfine_utils.judges.backends import CallCache
from wfine_utils.judges.endpoint import EndpointBackend

backend = EndpointBackend(sys.argv[1], "m", concurrency=2)
cached = CachedBackend(backend, CallCache(sys.argv[2]), slice_size=4)
cached.complete([str(i) for i in range(24)], max_tokens=5)
"""


@pytest.mark.slow
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
        n_stored, n_sent = len(cache), len(server.bodies)
        assert 8 <= n_stored <= n_sent < 24 and n_sent - n_stored <= 4  # at most one slice is lost
        subprocess.run(command, check=True, timeout=60, stderr=subprocess.DEVNULL)
        assert len(server.bodies) == n_sent + 24 - n_stored
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


@pytest.mark.slow
def test_two_processes_write_into_one_cache(tmp_path: Path):
    path = tmp_path / "calls.sqlite"
    command = (sys.executable, "-c", WRITE, str(path))
    with started(*command, "a", "30") as a, started(*command, "b", "30") as b:
        assert a.wait(60) == b.wait(60) == 0
    keys = [{"writer": w, "i": i, "j": 3} for w in "ab" for i in range(30)]
    assert CallCache(path).get_many(keys) == [f"{k['writer']} {k['i']} 3" for k in keys]
    assert len(CallCache(path)) == 600


@pytest.mark.slow
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


class Counting:
    """A backend that counts what it is asked, and may be killed after so many calls."""

    fingerprint = "counting"

    def __init__(self, n_calls: float = np.inf) -> None:
        self.n_calls, self.prompts = n_calls, []

    def option_logprobs(self, prompts, options):
        self.n_calls -= 1
        if self.n_calls < 0:
            raise KeyboardInterrupt
        self.prompts += prompts
        p = np.array([0.1 + 0.8 * (hash_of(prompt) % 97) / 96 for prompt in prompts])
        return np.log(np.stack([p, 1 - p], axis=1))


def hash_of(text: str) -> int:
    return sum(map(ord, text))


def test_a_killed_run_goes_on_and_a_second_run_asks_nothing(tmp_path):
    chains = load_weval_hand("test")[:2]
    n = sum(len(c.responses) * len(c.requirements) for c in chains)

    def judge(backend):
        cached = CachedBackend(backend, CallCache(tmp_path / "calls.sqlite"), slice_size=8)
        return RequirementJudge(cached, "logits")

    killed, rest, again = Counting(n_calls=2), Counting(), Counting()
    with pytest.raises(KeyboardInterrupt):
        judge(killed).verdicts(chains)
    assert len(killed.prompts) == 16
    table = judge(rest).verdicts(chains)
    assert len(rest.prompts) == n - 16 and not set(rest.prompts) & set(killed.prompts)
    pd.testing.assert_frame_equal(judge(again).verdicts(chains), table)
    assert again.prompts == []
    whole = RequirementJudge(Counting(), "logits").verdicts(chains)
    pd.testing.assert_frame_equal(table, whole)
    assert set(judge_table([table], chains, n_boot=0)["judge_a"]) == {"judge", CONSTRUCTION}


def test_any_function_is_a_backend():
    backend = FunctionBackend(
        lambda prompt: None if "?" in prompt else prompt.upper(), "upper case"
    )
    assert isinstance(backend, Backend)
    replies = backend.complete(["a", "b?"], max_tokens=1)
    assert replies == [Reply("A"), Reply(None, "no answer")]
    unknown = backend.option_logprobs(["a"], ["1", "0"])
    assert unknown.shape == (1, 2) and np.isnan(unknown).all()
