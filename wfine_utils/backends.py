"""What answers prompts: the protocol that judges are written against, and a cache before it.

Two backends follow it: :class:`wfine_utils.endpoint.EndpointBackend` for any server that speaks
the protocol of OpenAI, and :class:`wfine_utils.model_backend.TransformersBackend` for a model in
this process. Nothing here needs torch.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray
from tqdm.auto import tqdm

from wfine_utils.call_cache import CallCache


@dataclass(frozen=True)
class Reply:
    """What came back for one prompt.

    Attributes:
        text: the answer, which may be empty; None where none came.
        problem: why none came, for a reader; None where there is a text.
    """

    text: str | None
    problem: str | None = None


@runtime_checkable
class Backend(Protocol):
    """What answers prompts. No base class is needed.

    ``fingerprint`` names the model and its revision, and all else that answers depend on except
    the arguments of the call; it is part of every key of the cache.
    """

    fingerprint: str

    def complete(
        self,
        prompts: Sequence[str],
        *,
        max_tokens: int,
        temperature: float = 0.0,
        seed: int = 0,
    ) -> list[Reply]:
        """One reply per prompt, in the order of the prompts; one bad prompt stops no other.

        Args:
            prompts: each is the one message of a user.
            max_tokens: longest reply, in tokens; a longer one is cut there.
            temperature: 0 takes the likeliest token each time.
            seed: of sampling; of no effect at temperature 0.
        """
        ...

    def option_logprobs(
        self, prompts: Sequence[str], options: Sequence[str]
    ) -> NDArray[np.float64]:
        """How likely each option is as the first token of the answer.

        Args:
            prompts: each is the one message of a user.
            options: texts of one token each, as ``["Yes", "No"]``.

        Returns:
            Natural logarithms of probabilities among all tokens, shape [prompts, options]; NaN
            where it is not known.
        """
        ...


class CachedBackend:
    """A backend that asks for nothing that it has been told before.

    What is missing is asked for in slices, and each slice is kept before the next is begun: a run
    that is killed loses the slice in hand. A prompt that occurs twice is asked once. Failures are
    not kept, so the next run tries them again; these are replies without a text, and rows of
    log-probabilities in which no option is known.

    Args:
        backend: asked for what is not in the cache.
        cache: may be shared with other backends, and with other processes.
        slice_size: prompts per call of the backend. A larger slice keeps a model busier, a
            smaller one is lost sooner.

    Attributes:
        n_asked: prompts handed to the backend by this object.
    """

    def __init__(self, backend: Backend, cache: CallCache, *, slice_size: int = 64) -> None:
        self.fingerprint = backend.fingerprint
        self.n_asked = 0
        self._backend, self._cache, self._slice_size = backend, cache, slice_size

    def complete(
        self,
        prompts: Sequence[str],
        *,
        max_tokens: int,
        temperature: float = 0.0,
        seed: int = 0,
    ) -> list[Reply]:
        """See :class:`Backend`."""
        problems: dict[str, str | None] = {}

        def ask(part: list[str]) -> list[str | None]:
            replies = self._backend.complete(
                part, max_tokens=max_tokens, temperature=temperature, seed=seed
            )
            problems.update((p, reply.problem) for p, reply in zip(part, replies, strict=True))
            return [reply.text for reply in replies]

        key = {"call": "complete", "max_tokens": max_tokens, "temperature": float(temperature)}
        if temperature > 0:
            key["seed"] = seed
        found = self._look_up_or(ask, prompts, key)
        return [Reply(found[p], problems[p] if found[p] is None else None) for p in prompts]

    def option_logprobs(
        self, prompts: Sequence[str], options: Sequence[str]
    ) -> NDArray[np.float64]:
        """See :class:`Backend`."""

        def ask(part: list[str]) -> list[list[float] | None]:
            rows = self._backend.option_logprobs(part, options)
            return [None if np.isnan(row).all() else row.tolist() for row in rows]

        key = {"call": "option_logprobs", "options": list(options)}
        found = self._look_up_or(ask, prompts, key)
        unknown = [float("nan")] * len(options)
        rows = [unknown if found[p] is None else found[p] for p in prompts]
        return np.array(rows, dtype=np.float64).reshape(len(prompts), len(options))

    def _look_up_or(
        self,
        ask: Callable[[list[str]], Sequence[Any | None]],
        prompts: Sequence[str],
        key: Mapping[str, Any],
    ) -> dict[str, Any | None]:
        """The value of each prompt, from the cache or else by ``ask``; None for a failure."""
        different = list(dict.fromkeys(prompts))
        keys = {p: {**key, "backend": self.fingerprint, "prompt": p} for p in different}
        found = dict(zip(different, self._cache.get_many(list(keys.values())), strict=True))
        missing = [p for p in different if found[p] is None]
        known = len(different) - len(missing)
        with tqdm(total=len(different), initial=known, desc=str(key["call"]), unit="call") as bar:
            for start in range(0, len(missing), self._slice_size):
                part = missing[start : start + self._slice_size]
                self.n_asked += len(part)
                new = dict(zip(part, ask(part), strict=True))
                self._cache.put_many((keys[p], v) for p, v in new.items() if v is not None)
                found |= new
                bar.update(len(part))
        return found
