"""A model behind a server that speaks OpenAI's protocol: vLLM, Ollama, llama.cpp, or hosted."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import Any
from urllib.parse import urlsplit

import numpy as np
from pydantic import AliasPath, BaseModel, Field, ValidationError
from tqdm.auto import tqdm

from wfine_utils.errors import WfineError, import_extra
from wfine_utils.judges.backends import Reply
from wfine_utils.weval.resampling import FloatArray

_NO_KEY = "no-key"  # local servers ask for none, but the client insists on one
_PROBLEM_LENGTH = 300  # characters; some servers answer an error with a whole page
_FIRST_TOKEN = AliasPath("logprobs", "content", 0, "top_logprobs")


# What is read of a reply, checked; servers differ in all the rest, which is passed over.
class _Alternative(BaseModel):
    token: str
    logprob: float


class _Message(BaseModel):
    content: str | None = None


class _Choice(BaseModel):
    message: _Message
    finish_reason: str | None = None
    alternatives: list[_Alternative] = Field([], validation_alias=_FIRST_TOKEN)


class _Completion(BaseModel):
    choices: list[_Choice] = Field(min_length=1)


class EndpointBackend:
    """Chat completions of any OpenAI-compatible server, several at a time.

    A call that runs out of time, loses its connection, or is answered with 408, 409, 429 or a
    server error is tried again, after a pause that doubles each time or is as long as
    ``Retry-After`` asks. What fails for good becomes a :class:`Reply` with its problem.

    Args:
        base_url: of the server, with its ``/v1`` where it has one: ``http://localhost:8000/v1``.
        model: as the server calls it.
        api_key_env: environment variable that holds the key, None where none is needed; it is read
            from nowhere else, and written nowhere.
        concurrency: calls in flight at a time.
        timeout_s: seconds that a server may be silent before a try counts as failed.
        retries: further tries after the first.
        top_logprobs: how many of the likeliest tokens to ask for; an option beyond them is
            unknown. OpenAI and vLLM give 20 at most, some servers fewer.
        extra_body: further fields of each request, such as
            ``{"chat_template_kwargs": {"enable_thinking": False}}`` for vLLM.

    Raises:
        WfineError: an address that is none or holds a password, a variable that is not set, or
            the extra ``judges`` is not installed.

    Source: ``openai`` 3.54.0 retries and waits; ``_base_client.py``.
    """

    def __init__(
        self,
        base_url: str,
        model: str,
        *,
        api_key_env: str | None = None,
        concurrency: int = 8,
        timeout_s: float = 60.0,
        retries: int = 4,
        top_logprobs: int = 20,
        extra_body: Mapping[str, Any] | None = None,
    ) -> None:
        self._openai = openai = import_extra("openai", "judges")
        address = urlsplit(base_url)
        if address.scheme not in ("http", "https") or not address.hostname:
            expected = "expected an address such as http://localhost:8000/v1"
            raise WfineError(f"base_url: found {base_url!r}, {expected}.")
        if address.username or address.password or address.query:
            raise WfineError(
                f"base_url: found a user name, password or query for {address.hostname}, expected "
                "none, because addresses are written into results. Put the key into an environment "
                "variable and name that in api_key_env."
            )
        self._key = _NO_KEY if api_key_env is None else os.environ.get(api_key_env, "").strip()
        if not self._key:
            raise WfineError(
                f"api_key_env: the environment variable {api_key_env} is not set or empty, "
                "expected the key of the server. Set it before Jupyter or the batch run is started."
            )
        self._address, self._model = base_url.rstrip("/"), model
        self._extra_body, self._top_logprobs = dict(extra_body or {}), top_logprobs
        self._concurrency, self._timeout_s, self._retries = concurrency, timeout_s, retries
        extra = f" {json.dumps(self._extra_body, sort_keys=True)}" if extra_body else ""
        # Asked with more alternatives, a server may know an option that it did not know before.
        self.fingerprint = f"{model} at {self._address} top_logprobs {top_logprobs}{extra}"
        self._client = openai.OpenAI(
            base_url=base_url,
            api_key=self._key,
            # Or else OPENAI_CUSTOM_HEADERS could send another key to this server.
            default_headers={"Authorization": f"Bearer {self._key}"},
            timeout=openai.Timeout(timeout_s, connect=min(timeout_s, 10.0)),
            max_retries=retries,
        )

    def complete(
        self, prompts: Sequence[str], *, max_tokens: int, temperature: float = 0.0, seed: int = 0
    ) -> list[Reply]:
        """See :class:`~wfine_utils.judges.backends.Backend`.

        Raises:
            WfineError: the server cannot be reached at all.
        """
        sampling: dict[str, Any] = {"max_tokens": max_tokens, "temperature": temperature}
        if temperature > 0:  # some servers refuse a request with a seed, and at 0 it is of no use
            sampling["seed"] = seed
        return [_reply(answer) for answer in self._ask_all(prompts, "complete", **sampling)]

    def option_logprobs(self, prompts: Sequence[str], options: Sequence[str]) -> FloatArray:
        """As :meth:`complete`; NaN too where the server gives none.

        An option must be spelt as the server spells the token, with its space where it has one.
        """
        # Some servers scale before they report; at temperature 1 none does.
        first = {"max_tokens": 1, "temperature": 1.0}
        likeliest = {"logprobs": True, "top_logprobs": self._top_logprobs}
        answers = self._ask_all(prompts, "option_logprobs", **first, **likeliest)
        log_p = np.full((len(prompts), len(options)), np.nan)
        for row, answer in zip(log_p, answers, strict=True):
            alternatives = [] if isinstance(answer, str) else answer.alternatives
            known = {a.token: a.logprob for a in alternatives}
            row[:] = [known.get(option, np.nan) for option in options]
        return log_p

    def _ask_all(self, prompts: Sequence[str], desc: str, **fields: Any) -> list[_Choice | str]:
        """The answer to each prompt, or the problem, in the order of the prompts."""
        if not prompts:
            return []
        self._check_reachable()
        pool = ThreadPoolExecutor(self._concurrency)
        try:
            tasks = [pool.submit(self._ask, prompt, fields) for prompt in prompts]
            for _ in tqdm(as_completed(tasks), desc, len(tasks), leave=False, unit="call"):
                pass
        finally:  # an interrupt shall not wait for what has not begun
            pool.shutdown(wait=False, cancel_futures=True)
        return [task.result() for task in tasks]

    def _ask(self, prompt: str, fields: Mapping[str, Any]) -> _Choice | str:
        # Raw, because the client builds its own objects unchecked from what the server sends.
        create: Any = self._client.chat.completions.with_raw_response.create
        messages = [{"role": "user", "content": prompt}]
        try:
            raw = create(
                model=self._model, messages=messages, extra_body=self._extra_body, **fields
            )
            return _Completion.model_validate_json(raw.content).choices[0]
        except ValidationError as error:
            reason = error.errors()[0]["msg"]
            problem = f"the server sent no valid chat completion ({reason}): {raw.text}"
        except self._openai.APITimeoutError:
            tries = f"{self._retries + 1} tries" if self._retries else "one try"
            problem = f"no reply within {self._timeout_s:g} s, in {tries}"
        except self._openai.APIStatusError as error:
            problem = f"the server refused with status {error.status_code}: {error.response.text}"
        except self._openai.OpenAIError as error:
            problem = f"{error} {error.__cause__ or ''}"
        except UnicodeEncodeError as error:
            problem = f"the prompt holds {error.object[error.start]!r}, which is no character"
        # Servers have been seen to repeat the key when they refuse it.
        return " ".join(problem.replace(self._key, "[key]").split())[:_PROBLEM_LENGTH]

    def _check_reachable(self) -> None:
        """Notice in seconds that no server is there, and not prompt by prompt with all retries."""
        try:
            client = self._client.with_options(timeout=min(self._timeout_s, 5.0), max_retries=1)
            client.models.with_raw_response.list()
        except self._openai.APIConnectionError as error:
            # The client's HTTP library calls a failed connection ConnectError or ConnectTimeout;
            # a server that is there, but slow or breaking off, may still answer a prompt.
            if type(error.__cause__).__name__.startswith("Connect"):
                raise WfineError(
                    f"{self._address}: no server can be reached there ({error.__cause__}). Start "
                    "the server, wait until it is ready, and look whether base_url is right."
                ) from error
        except self._openai.OpenAIError:
            pass  # it answers, if only that it has no list of models


def _reply(answer: _Choice | str) -> Reply:
    if isinstance(answer, str):
        return Reply(None, answer)
    if answer.message.content is None:
        return Reply(None, f"the reply holds no text (finish_reason {answer.finish_reason})")
    return Reply(answer.message.content)
