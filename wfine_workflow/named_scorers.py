"""Scorers by what a user calls them: a word, the folder of a model, or its id on the Hub."""

from __future__ import annotations

import difflib
import hashlib
import json
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from wfine_utils.base_model import MANIFEST
from wfine_utils.errors import WfineError
from wfine_utils.notebook.code_digest import digest, with_imports
from wfine_utils.weval.baselines import OracleScorer, null_baselines
from wfine_utils.weval.compiled import CompiledChecks
from wfine_utils.weval.fluency import FluencyScorer
from wfine_utils.weval.scorers import Scorer
from wfine_workflow.score_file import load_scorer

NULL = ("constant", "random", "length", "minus-length", "overlap")
"""Words for the null baselines, in the order of :func:`wfine_utils.weval.null_baselines`: they are
in every table, whoever else is asked for."""

BUILT_IN = (*NULL, "compiled", "fluency", "oracle")
"""Words for all scorers that need no model."""

HYBRID = "hybrid:"
"""Before the folder of a reward model: compiled checks first, the model about the rest."""

_HUB_ID = re.compile(r"[\w.-]+/[\w.-]+")


class NamedScorer(NamedTuple):
    """A scorer that is not loaded yet.

    Args:
        name: how tables call it.
        source: what the user called it.
        load: makes the scorer, and the fingerprint of all that its scores depend on but the chains.
        is_model: it is given the chains in portions, and kept in shards; others get all of them
            at once, because they take no time, or look at the other chains as well.
        is_null: it knows nothing of writing.
        training_pairs: from how many pairs it has learnt; None where that is not known.
    """

    name: str
    source: str
    load: Callable[[], tuple[Scorer, str]]
    is_model: bool
    is_null: bool = False
    training_pairs: int | None = None


def null_scorers(seed: int) -> list[NamedScorer]:
    """The null baselines."""
    return [_built_in(word, seed) for word in NULL]


def named_scorers(words: Sequence[str], seed: int) -> list[NamedScorer]:
    """The null baselines, and what a user has named besides.

    Args:
        words: a key of :data:`BUILT_IN`; a folder or a Hub id of a model, ``hybrid:FOLDER``; before
            the latter three ``NAME=`` says how tables are to call it.
        seed: of the noise.

    Raises:
        WfineError: a word that is none of these, or two scorers of one name.
    """
    named = {scorer.name: scorer for scorer in null_scorers(seed)}
    for word in words:
        scorer = _named(word, seed)
        if (other := named.get(scorer.name)) and other.source != scorer.source:
            raise WfineError(
                f"--model: found {other.source} and {scorer.source}, which tables would both call "
                f"{scorer.name!r}, expected different names. Give one: --model NAME={word}"
            )
        named.setdefault(scorer.name, scorer)
    return list(named.values())


def _named(word: str, seed: int) -> NamedScorer:
    label, what = None, word
    if "=" in word and not Path(word).exists():
        label, _, what = word.partition("=")
    if what in BUILT_IN and label is None:
        return _built_in(what, seed)
    if what.startswith(HYBRID):
        folder = Path(what.removeprefix(HYBRID)).expanduser()
        if folder.is_dir():
            name = label or f"hybrid of {folder.resolve().name}"
            return _model(name, what, folder, lambda: _load_hybrid(folder, name))
    folder = Path(what).expanduser()
    if folder.is_dir() or (_HUB_ID.fullmatch(what) and not folder.exists()):
        name = label or (folder.resolve().name if folder.is_dir() else folder.name)
        return _model(name, what, folder, lambda: load_scorer(folder, name=name))
    close = difflib.get_close_matches(what, BUILT_IN, n=1)
    hint = f" Did you mean {close[0]}?" if close and label is None else ""
    raise WfineError(
        f"--model: found {word!r}, expected one of {', '.join(BUILT_IN)}; the folder of a reward "
        f"model or classifier, or its Hub id (OWNER/NAME); or {HYBRID}FOLDER. Before these, NAME= "
        f"says how the tables call it.{hint}"
    )


def _built_in(word: str, seed: int) -> NamedScorer:
    others: list[Scorer] = [CompiledChecks(), FluencyScorer(), OracleScorer()]
    scorer = dict(zip(BUILT_IN, [*null_baselines(seed), *others], strict=True))[word]
    print_ = _fingerprint(f"{word} {seed}")
    return NamedScorer(scorer.name, word, lambda: (scorer, print_), False, word in NULL)


def _model(
    name: str, source: str, folder: Path, load: Callable[[], tuple[Scorer, str]]
) -> NamedScorer:
    pairs = None
    if (folder / MANIFEST).is_file():
        try:
            pairs = json.loads((folder / MANIFEST).read_text(encoding="utf-8")).get("n_pairs")
        except (ValueError, AttributeError):  # loading will say what is wrong with it
            pairs = None
    return NamedScorer(name, source, load, True, training_pairs=pairs)


def _load_hybrid(folder: Path, name: str) -> tuple[Scorer, str]:
    from wfine_utils.rewards.hybrid import HybridScorer  # torch takes seconds

    scorer, fingerprint = load_scorer(folder, name=name)
    from wfine_utils.rewards.reward_model import RewardModelScorer

    if not isinstance(scorer, RewardModelScorer):
        raise WfineError(
            f"--model: {HYBRID}{folder}: found a classifier, expected a reward model of notebook "
            "03 that reads one requirement at a time."
        )
    return HybridScorer(scorer, name=name, progress=False), _fingerprint(f"hybrid {fingerprint}")


def _fingerprint(of_scorer: str) -> str:
    code = digest(with_imports([Path(__file__)]))
    return hashlib.sha256(json.dumps([of_scorer, code]).encode()).hexdigest()


def folder_names(names: Sequence[str]) -> Iterator[str]:
    """A name of a folder for each name of a scorer, different for different ones."""
    taken: set[str] = set()
    for name in names:
        plain = re.sub(r"[^\w.-]+", "-", name).strip(".-") or "scorer"
        if plain.lower() in taken:
            plain += f"-{hashlib.sha256(name.encode()).hexdigest()[:8]}"
        taken.add(plain.lower())
        yield plain
