"""Scorers: anything that gives every response of a chain a number, higher for better adherence.

A scorer is any object with a ``name`` and a ``score`` method; see :class:`Scorer`. The first
ones here know nothing of writing. They are the null baselines against which every other scorer
must be held: a benchmark on which the length of a response does well measures length.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Protocol, runtime_checkable

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from tqdm.auto import tqdm

from wfine_utils.chains.taxonomy import Chain
from wfine_utils.checks.dispatch import verdicts
from wfine_utils.checks.words import word_count
from wfine_utils.errors import WfineError

Scores = list[NDArray[np.float64]]
"""Shape [chains][responses of the chain]; NaN where a response could not be scored."""

_WORD = re.compile(r"\w+(?:['’]\w+)*")

_FUNCTION_WORDS = frozenset(
    "a about all also an and any are as at be been but by can could do does each every for from "
    "had has have he her him his i if in into is it its least like made make may more most must "
    "my no not of on one only or other our out over shall she should so some such than that the "
    "their them then there these they this those to too under up use used was we were what when "
    "where which while who will with within would you your".split()
)


@runtime_checkable
class Scorer(Protocol):
    """What WEval examines. No base class is needed: two attributes are enough.

    ``name`` is how the scorer is called in tables. ``score`` takes chains and returns one float
    array per chain with one number per response; higher is better, NaN means that the
    response could not be scored. A score must not depend on the order of the chains, nor
    on how they are batched.
    """

    @property
    def name(self) -> str:
        """How tables call it."""
        ...

    def score(self, chains: Sequence[Chain]) -> Scores:
        """One float per response per chain."""
        ...


def score_all(scorers: Sequence[Scorer], chains: Sequence[Chain]) -> dict[str, Scores]:
    """Scores of several scorers on the same chains, checked, with a progress bar.

    Args:
        scorers: their names must differ.
        chains: at least one.

    Returns:
        The scores of every scorer under its name, in the order given, as float64 arrays.

    Raises:
        WfineError: something that is no :class:`Scorer`; two scorers of one name; or a scorer
            that raised an error, or returned what :func:`checked_scores` refuses.
    """
    for scorer in scorers:
        if not isinstance(scorer, Scorer) or not isinstance(scorer.name, str):
            raise WfineError(
                f"score_all: found {scorer!r}, which is no scorer; expected an object with a text "
                "`name` and a method `score(chains)` that returns one array of numbers per chain."
            )
    names = [scorer.name for scorer in scorers]
    if len(set(names)) < len(names):
        raise WfineError(
            f"score_all: found the scorer names {names}; expected each name once, because the "
            "tables know a scorer by its name. Rename one of those that occur twice."
        )
    scores: dict[str, Scores] = {}
    bar = tqdm(scorers, desc="scorers")
    for scorer in bar:
        bar.set_postfix_str(scorer.name)
        try:
            returned = scorer.score(chains)
        except WfineError:
            raise
        except Exception as error:
            raise WfineError(
                f"scorer {scorer.name!r}: its score method raised {type(error).__name__} "
                f"({error}) on {len(chains)} chains; expected one array per chain, NaN for a "
                "response that cannot be scored. Mend the method: the line is in the error above."
            ) from error
        scores[scorer.name] = checked_scores(f"scorer {scorer.name!r}", returned, chains)
    return scores


def checked_scores(source: str, scores: object, chains: Sequence[Chain]) -> Scores:
    """Scores as float64 arrays, if they fit the chains.

    Args:
        source: where the scores come from, for the error.
        scores: what should be one number per response, [chains][responses of the chain].
        chains: at least one.

    Raises:
        WfineError: no chains, another number of arrays than chains, an array of the wrong shape,
            an infinite score, or something that is not a number.
    """
    listed = scores if isinstance(scores, Sequence | np.ndarray) else None
    if listed is None or not 0 < len(chains) == len(listed):
        what = f"a {type(scores).__name__}" if listed is None else f"{len(listed)} arrays of scores"
        raise WfineError(
            f"{source}: found {what} for {len(chains)} chains; expected at least one chain and "
            "exactly one array per chain, in the order of the chains. Mend the scorer's score "
            "method, or pass what it returned for these same chains."
        )
    arrays = []
    for chain, values in zip(chains, listed, strict=True):
        try:
            array = np.asarray(values, dtype=np.float64)
        except (TypeError, ValueError) as error:
            problem = f"a {type(values).__name__} that does not hold numbers only"
            raise _misfit(source, chain, problem) from error
        if array.shape != (len(chain.responses),):
            raise _misfit(source, chain, f"an array of shape {array.shape}")
        arrays.append(array)
    infinite = np.isinf(np.concatenate(arrays))
    if infinite.any():
        last = np.cumsum([len(array) for array in arrays])
        place = np.searchsorted(last, infinite.argmax(), side="right")
        raise _misfit(source, chains[int(place)], "an infinite score")
    return arrays


def _misfit(source: str, chain: Chain, problem: str) -> WfineError:
    return WfineError(
        f"{source}, chain {chain.chain_id!r}: found {problem}; expected {len(chain.responses)} "
        "finite numbers, one per response, or NaN for a response that cannot be scored. Mend the "
        "scorer's score method."
    )


def split_by_chain(flat: NDArray[np.float64], chains: Sequence[Chain]) -> Scores:
    """Scores of all responses in reading order, [responses], cut into one array per chain."""
    return np.split(flat, np.cumsum([len(chain.responses) for chain in chains])[:-1])


def scores_table(scores: Mapping[str, Scores], chains: Sequence[Chain]) -> pd.DataFrame:
    """Scores as a tidy table, to be kept in a file.

    Args:
        scores: what :func:`score_all` returned for these chains.
        chains: the chains, in the same order.

    Returns:
        One row per scorer, chain and response: ``scorer, chain_id, response`` (place in the
        chain, from 0), ``gold, score``.
    """
    sizes = [len(chain.responses) for chain in chains]
    columns = {
        "chain_id": np.repeat([chain.chain_id for chain in chains], sizes),
        "response": np.concatenate([np.arange(n) for n in sizes]),
        "gold": np.concatenate([chain.gold for chain in chains]),
    }
    parts = [
        pd.DataFrame({"scorer": name, **columns, "score": np.concatenate(arrays)})
        for name, arrays in scores.items()
    ]
    return pd.concat(parts, ignore_index=True)


def scores_from_table(table: pd.DataFrame, chains: Sequence[Chain]) -> dict[str, Scores]:
    """The scores that a table of :func:`scores_table` holds.

    Args:
        table: columns ``scorer, chain_id, response, score``, rows in any order.
        chains: the chains to return scores for.

    Returns:
        As :func:`score_all`. NaN where the table has no row for a response.
    """
    scores = {}
    for name, part in table.groupby("scorer", sort=False):
        known = part.set_index(["chain_id", "response"])["score"].to_dict()
        scores[str(name)] = [
            np.array([known.get((c.chain_id, i), np.nan) for i in range(len(c.responses))])
            for c in chains
        ]
    return scores


@dataclass(frozen=True)
class ConstantScorer:
    """The same score for everything: the scorer that knows nothing and says so."""

    value: float = 1.0
    name: str = "constant"

    def score(self, chains: Sequence[Chain]) -> Scores:
        """``value`` for every response."""
        return [np.full(len(chain.responses), self.value) for chain in chains]


@dataclass(frozen=True)
class RandomScorer:
    """Uniform noise in [0, 1), or a coin flip.

    The noise is a hash of the seed, the chain's id and the response's place in it, so that a
    response keeps its score whatever else is scored with it.

    Args:
        seed: another seed gives other noise.
        levels: None for continuous noise; 2 for a coin flip (0 or 1), more for a coarser or
            finer scale, on which ties are frequent.
        name: how the scorer is called in tables.
    """

    seed: int = 0
    levels: int | None = None
    name: str = "random"

    def score(self, chains: Sequence[Chain]) -> Scores:
        """Noise for every response."""
        return [
            np.array([self._noise(f"{self.seed}/{i}/{chain.chain_id}") for i in range(n)])
            for chain in chains
            for n in [len(chain.responses)]
        ]

    def _noise(self, key: str) -> float:
        digest = blake2b(key.encode("utf-8", "surrogatepass"), digest_size=6).digest()
        uniform = int.from_bytes(digest) / 2**48
        return uniform if self.levels is None else float(int(uniform * self.levels))


@dataclass(frozen=True)
class LengthScorer:
    """Number of words of the response: longer is better, or with ``sign=-1`` shorter is."""

    sign: int = 1

    @property
    def name(self) -> str:
        """ "length" or "minus length"."""
        return "length" if self.sign > 0 else "minus length"

    def score(self, chains: Sequence[Chain]) -> Scores:
        """Plus or minus the number of words (:mod:`wfine_utils.checks.words`)."""
        return [
            np.array([self.sign * word_count(r.text) for r in chain.responses], dtype=float)
            for chain in chains
        ]


@dataclass(frozen=True)
class OverlapScorer:
    """Share of the distinct content words of the requirements that occur in the response.

    Content words are lower-cased words and numbers without a short list of English function
    words. NaN where the requirements have no content word.
    """

    name: str = "word overlap"

    def score(self, chains: Sequence[Chain]) -> Scores:
        """A number between 0 and 1 for every response."""
        scores = []
        for chain in chains:
            wanted = _words(" ".join(r.text for r in chain.requirements)) - _FUNCTION_WORDS
            shares = [
                len(wanted & _words(response.text)) / len(wanted) if wanted else np.nan
                for response in chain.responses
            ]
            scores.append(np.array(shares))
        return scores


@dataclass(frozen=True)
class OracleScorer:
    """Number of requirements that the exact checkers find met: the best that can be had.

    NaN for every response of a chain that has a requirement without a check, because a
    count of only some requirements would be no oracle.
    """

    name: str = "oracle (checkers)"

    def score(self, chains: Sequence[Chain]) -> Scores:
        """Number of requirements met, or NaN."""
        return [
            np.array([self._count(verdicts(chain.requirements, r.text)) for r in chain.responses])
            for chain in chains
        ]

    @staticmethod
    def _count(met: Sequence[bool | None]) -> float:
        return float("nan") if None in met else float(sum(map(bool, met)))


def _words(text: str) -> set[str]:
    return {match.group() for match in _WORD.finditer(text.lower())}
