"""Language models as scorers of ``wfine weval``: the likelihood of a response, and judges."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Literal

from wfine_utils.chains.taxonomy import Chain
from wfine_utils.errors import import_extra
from wfine_utils.judges.backends import CachedBackend, CallCache
from wfine_utils.judges.endpoint import EndpointBackend
from wfine_utils.judges.judges import RequirementJudge
from wfine_utils.weval.scorers import Scorer, score_all
from wfine_workflow.named_scorers import NamedScorer
from wfine_workflow.score_file import on_this_device
from wfine_workflow.weval import Scored


def likelihood_scorers(words: Sequence[str]) -> list[NamedScorer]:
    """How likely a response is under each language model: a folder, Hub id or packaged name."""
    several = len(words) > 1
    names = [f"likelihood, {Path(w).name}" if several else "base likelihood" for w in words]
    return [
        NamedScorer(name, word, partial(_load_likelihood, word, name), True)
        for name, word in zip(names, words, strict=True)
    ]


def _load_likelihood(word: str, name: str) -> tuple[Scorer, str]:
    import_extra("torch", "train")
    from wfine_utils.models.likelihood import LikelihoodScorer  # torch takes seconds
    from wfine_utils.models.packaged import base_named

    folder = Path(word).expanduser()
    base = base_named(str(folder.absolute()) if folder.is_dir() else word)
    scorer = LikelihoodScorer(base, quantise=False, name=name)
    return scorer, on_this_device(f"likelihood {base.fingerprint}")


def judges(
    servers: Sequence[tuple[str, str]],
    cache: Path,
    *,
    mode: Literal["text", "logits"],
    api_key_env: str | None,
) -> list[RequirementJudge]:
    """A judge for each address of a server and name of its model; none is asked anything yet.

    Args:
        cache: file of the answers.
        mode, api_key_env: as of ``RequirementJudge`` and ``EndpointBackend``.

    Raises:
        WfineError: an address that is none, no key, or a cache that cannot be used.
    """
    return [
        RequirementJudge(
            CachedBackend(EndpointBackend(url, model, api_key_env=api_key_env), CallCache(cache)),
            mode=mode,
            name=f"judge {model}",
        )
        for url, model in servers
    ]


def judged(judge: RequirementJudge, chains: Sequence[Chain]) -> Scored:
    """A judge's scores. Its answers are kept one by one, so it needs no shards: a run that is given
    again asks only what was not answered, or what could not be read."""
    fingerprint = f"{judge.backend.fingerprint}, {judge.mode}, {judge.wording.label}"
    named = NamedScorer(judge.name, fingerprint, lambda: (judge, fingerprint), True)
    return Scored.of(named, fingerprint, score_all([judge], chains)[judge.name])
