"""What answers prompts: the protocol that judges are written against, and a cache before it.

Three follow it: :class:`FunctionBackend` for any function, ``endpoint.EndpointBackend`` for servers
that speak OpenAI's protocol, ``local_model.TransformersBackend`` for a model in this process.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
from tqdm.auto import tqdm

from wfine_utils.errors import WfineError
from wfine_utils.files import display_path, resolve
from wfine_utils.weval.resampling import FloatArray


@dataclass(frozen=True)
class Reply:
    """What came back for one prompt: a text, which may be empty, or the problem why none came."""

    text: str | None
    problem: str | None = None


@runtime_checkable
class Backend(Protocol):
    """What answers prompts, each the one message of a user. No base class is needed.

    ``fingerprint`` names all that answers depend on except the arguments of the call, such as the
    model and its revision; it is part of every key of the cache. A backend may say that it
    ``repeats_itself``: equal calls are answered alike.
    """

    fingerprint: str

    def complete(
        self, prompts: Sequence[str], *, max_tokens: int, temperature: float = 0.0, seed: int = 0
    ) -> list[Reply]:
        """One reply per prompt, in the order of the prompts; one bad prompt stops no other.

        Args:
            max_tokens: longest reply, in tokens; a longer one is cut there.
            temperature: 0 takes the likeliest token each time.
            seed: of sampling; of no effect at temperature 0.
        """
        ...

    def option_logprobs(self, prompts: Sequence[str], options: Sequence[str]) -> FloatArray:
        """Natural log-probability of each option as the first token of the answer.

        Args:
            options: texts of one token each, as ``["Yes", "No"]``.

        Returns:
            Shape [prompts, options]; NaN where it is not known.
        """
        ...


@dataclass(frozen=True)
class FunctionBackend:
    """Any function from a prompt to a reply as a backend: a client of your own, or a script.

    Args:
        answer: takes a prompt; returns the reply, or None where there is none.
        fingerprint: names the function, and all that its replies depend on.
    """

    answer: Callable[[str], str | None]
    fingerprint: str

    def complete(
        self, prompts: Sequence[str], *, max_tokens: int, temperature: float = 0.0, seed: int = 0
    ) -> list[Reply]:
        """See :class:`Backend`; the function alone decides about length and chance."""
        texts = [self.answer(prompt) for prompt in prompts]
        return [Reply(text, "no answer" if text is None else None) for text in texts]

    def option_logprobs(self, prompts: Sequence[str], options: Sequence[str]) -> FloatArray:
        """See :class:`Backend`; a reply is no probability, so none is known."""
        return np.full((len(prompts), len(options)), np.nan)


class CachedBackend:
    """A backend that asks for nothing that it has been told before.

    What is missing is asked for in slices, each stored before the next is begun: a run that is
    killed loses one slice. What cannot be used is not kept, but asked again the next time: no text,
    an option of unknown probability, a reply that its judge could not read (:meth:`forget`). Of a
    backend that ``repeats_itself``, which would say the same again, every text is kept.
    ``n_calls`` is the number of prompts that this object has handed to the backend.

    Args:
        cache: may be shared with other backends and processes.
        slice_size: prompts per call of the backend.
    """

    def __init__(self, backend: Backend, cache: CallCache, *, slice_size: int = 64) -> None:
        self.fingerprint = backend.fingerprint
        self.n_calls = 0
        self._repeats_itself = getattr(backend, "repeats_itself", False)
        self._backend, self._cache, self._slice_size = backend, cache, slice_size

    def complete(
        self, prompts: Sequence[str], *, max_tokens: int, temperature: float = 0.0, seed: int = 0
    ) -> list[Reply]:
        """See :class:`Backend`."""
        problems: dict[str, str | None] = {}
        options: dict[str, Any] = {"max_tokens": max_tokens, "temperature": float(temperature)}

        def ask(part: list[str]) -> list[str | None]:
            replies = self._backend.complete(part, seed=seed, **options)
            problems.update((p, reply.problem) for p, reply in zip(part, replies, strict=True))
            return [reply.text for reply in replies]

        key = _key_of_texts(seed=seed, **options)
        texts = self._look_up_or(ask, self._is_usable, prompts, key)
        return [Reply(texts[p], problems[p] if texts[p] is None else None) for p in prompts]

    def forget(
        self, prompts: Sequence[str], *, max_tokens: int, temperature: float = 0.0, seed: int = 0
    ) -> None:
        """Ask for these texts again the next time, because they could not be used."""
        if not self._repeats_itself:
            key = _key_of_texts(max_tokens=max_tokens, temperature=float(temperature), seed=seed)
            self._cache.drop_many(self._keys(prompts, key).values())

    def option_logprobs(self, prompts: Sequence[str], options: Sequence[str]) -> FloatArray:
        """See :class:`Backend`."""

        def ask(part: list[str]) -> list[list[float]]:
            return [row.tolist() for row in self._backend.option_logprobs(part, options)]

        key = {"call": "option_logprobs", "options": list(options)}
        known = self._look_up_or(ask, _is_known, prompts, key)
        rows = [known[p] for p in prompts]
        return np.array(rows, dtype=np.float64).reshape(len(prompts), len(options))

    def _is_usable(self, text: str | None) -> bool:
        return text is not None and (self._repeats_itself or bool(text.strip()))

    def _keys(self, prompts: Sequence[str], key: dict[str, Any]) -> dict[str, dict[str, Any]]:
        """What each different prompt's answer is stored under."""
        return {p: {**key, "backend": self.fingerprint, "prompt": p} for p in prompts}

    def _look_up_or(
        self,
        ask: Callable[[list[str]], Sequence[Any]],
        is_usable: Callable[[Any], bool],
        prompts: Sequence[str],
        key: dict[str, Any],
    ) -> dict[str, Any]:
        """Each prompt's value, from the cache or else by ``ask``; only usable ones are kept."""
        keys = self._keys(prompts, key)
        different = [*keys]
        values = dict(zip(different, self._cache.get_many([*keys.values()]), strict=True))
        missing = [p for p in different if not is_usable(values[p])]
        known = len(different) - len(missing)
        with tqdm(total=len(different), initial=known, desc=str(key["call"]), unit="call") as bar:
            for start in range(0, len(missing), self._slice_size):
                part = missing[start : start + self._slice_size]
                self.n_calls += len(part)
                new = dict(zip(part, ask(part), strict=True))
                self._cache.put_many((keys[p], v) for p, v in new.items() if is_usable(v))
                values |= new
                bar.update(len(part))
        return values


def _key_of_texts(*, max_tokens: int, temperature: float, seed: int) -> dict[str, Any]:
    sampling = {"seed": seed} if temperature > 0 else {}  # else of no effect
    return {"call": "complete", "max_tokens": max_tokens, "temperature": temperature, **sampling}


def _is_known(row: Sequence[float] | None) -> bool:
    return row is not None and not np.isnan(row).any()


def call_digest(key: Mapping[str, Any]) -> str:
    """Hexadecimal SHA-256 of all that an answer depends on, whatever the order of its entries."""
    text = json.dumps(key, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode("ascii")).hexdigest()


class CallCache:
    """Answers on disk, each under the digest of what it depends on.

    A connection is opened for each use, so that threads and forked processes can share an object.
    SQLite's newer journal (WAL) is not used: it fails on the network file systems of clusters.

    Args:
        path: made, with its folders, where it is missing.

    Raises:
        WfineError: the file is no SQLite database, or cannot be read or written.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = resolve(path)  # from the project root also in a notebook, like every path
        with self._database() as database:
            columns = "digest TEXT PRIMARY KEY, value TEXT NOT NULL"
            database.execute(f"CREATE TABLE IF NOT EXISTS calls ({columns})")

    def get_many(self, keys: Sequence[Mapping[str, Any]]) -> list[Any | None]:
        """What is stored under each key (of JSON values, finite); None where nothing is."""
        with self._database() as database:
            query = "SELECT value FROM calls WHERE digest = ?"
            rows = [database.execute(query, (call_digest(key),)).fetchone() for key in keys]
        return [None if row is None else json.loads(row[0]) for row in rows]

    def put_many(self, items: Iterable[tuple[Mapping[str, Any], Any]]) -> None:
        """Store pairs of key and value (JSON, may be NaN, not None): all or, if killed, none."""
        # A half of a surrogate pair in a text becomes an escape here, which SQLite can store.
        rows = [(call_digest(key), json.dumps(value)) for key, value in items]
        with self._database() as database:
            database.executemany("INSERT OR REPLACE INTO calls VALUES (?, ?)", rows)

    def drop_many(self, keys: Iterable[Mapping[str, Any]]) -> None:
        """Forget what is stored under these keys, where something is."""
        with self._database() as database:
            rows = [(call_digest(key),) for key in keys]
            database.executemany("DELETE FROM calls WHERE digest = ?", rows)

    def __len__(self) -> int:
        """How many answers are stored."""
        with self._database() as database:
            return database.execute("SELECT count(*) FROM calls").fetchone()[0]

    @contextmanager
    def _database(self) -> Iterator[sqlite3.Connection]:
        """A connection and one transaction, kept on success and undone on an error."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            # 60 s is how long to wait for another process that is writing
            with closing(sqlite3.connect(self.path, timeout=60.0)) as database, database:
                yield database
        except (sqlite3.Error, OSError) as error:
            raise WfineError(
                f"{display_path(self.path)}: cannot be used as a cache of model calls: {error}. "
                "Expected a file of an earlier run, or none, in a folder with write permission and "
                "free space; move the file away, or name another one."
            ) from error
