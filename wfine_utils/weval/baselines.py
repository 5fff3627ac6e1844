"""The scorers that come with WEval: null baselines, and the oracle as the ceiling.

Null baselines know nothing of writing. Every other scorer must be held against them: a benchmark on
which the length does well measures length.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b

import numpy as np

from wfine_utils.chains.taxonomy import Chain
from wfine_utils.checks.dispatch import verdicts
from wfine_utils.checks.words import word_count, words
from wfine_utils.weval.scorers import Scorer, Scores, split_by_chain

_WORD = re.compile(r"\w+(?:['’]\w+)*")

_FUNCTION_WORDS = frozenset(
    "a about all also an and any are as at be been but by can could do does each every for from "
    "had has have he her him his i if in into is it its least like made make may more most must "
    "my no not of on one only or other our out over shall she should so some such than that the "
    "their them then there these they this those to too under up use used was we were what when "
    "where which while who will with within would you your".split()
)


class ReadsAll:
    """What scorers tell that read every response whole and round nothing."""

    n_cut, saturated_rate = 0, 0.0


@dataclass(frozen=True)
class ConstantScorer(ReadsAll):
    """The same score for everything: the scorer that knows nothing and says so."""

    value: float = 1.0
    name: str = "constant"

    def score(self, chains: Sequence[Chain]) -> Scores:
        """``value`` for every response."""
        return [np.full(len(chain.responses), self.value) for chain in chains]


@dataclass(frozen=True)
class RandomScorer(ReadsAll):
    """Uniform noise in [0, 1): a hash of seed, chain id and place, whatever else is scored.

    Args:
        levels: None for continuous noise; 2 for a coin flip (0 or 1), more for a finer scale, on
            which ties are frequent.
    """

    seed: int = 0
    levels: int | None = None
    name: str = "random"

    def score(self, chains: Sequence[Chain]) -> Scores:
        """Noise for every response."""
        places = [(i, chain.chain_id) for chain in chains for i in range(len(chain.responses))]
        noise = np.array([self._noise(f"{self.seed}/{i}/{chain_id}") for i, chain_id in places])
        return split_by_chain(noise if self.levels is None else noise * self.levels // 1, chains)

    def _noise(self, key: str) -> float:
        digest = blake2b(key.encode("utf-8", "surrogatepass"), digest_size=6).digest()
        return int.from_bytes(digest) / 2**48


@dataclass(frozen=True)
class LengthScorer(ReadsAll):
    """Number of words of the response: longer is better, or with ``sign=-1`` shorter is."""

    sign: int = 1

    @property
    def name(self) -> str:
        """ "length" or "minus length"."""
        return "length" if self.sign > 0 else "minus length"

    def score(self, chains: Sequence[Chain]) -> Scores:
        """Plus or minus the number of words (:mod:`wfine_utils.checks.words`)."""
        n_words = [word_count(r.text) for chain in chains for r in chain.responses]
        return split_by_chain(self.sign * np.array(n_words, dtype=float), chains)


@dataclass(frozen=True)
class OverlapScorer(ReadsAll):
    """Share of the requirements' distinct content words that occur in the response.

    Content words are all but a short list of English function words; NaN where there is none.
    """

    name: str = "word overlap"

    def score(self, chains: Sequence[Chain]) -> Scores:
        """A number between 0 and 1 for every response."""
        scores = []
        for chain in chains:
            wanted = _words(" ".join(r.text for r in chain.wanted)) - _FUNCTION_WORDS
            n_shared = [len(wanted & _words(response.text)) for response in chain.responses]
            scores.append(np.array(n_shared) / (len(wanted) or np.nan))
        return scores


def null_baselines(seed: int) -> list[Scorer]:
    """What every other scorer has to beat: they know nothing of writing."""
    lengths = [LengthScorer(), LengthScorer(sign=-1)]
    return [ConstantScorer(), RandomScorer(seed), *lengths, OverlapScorer()]


@dataclass(frozen=True)
class OracleScorer(ReadsAll):
    """Number of requirements that the exact checkers find met: the best that can be had.

    NaN throughout a chain with a requirement without a check: counting some is no oracle.
    """

    name: str = "oracle (checkers)"

    def score(self, chains: Sequence[Chain]) -> Scores:
        """Number of requirements met, or NaN."""
        met = [verdicts(chain.wanted, r.text) for chain in chains for r in chain.responses]
        n_met = [np.nan if None in v else sum(map(bool, v)) for v in met]
        return split_by_chain(np.array(n_met, dtype=float), chains)


def _words(text: str) -> set[str]:
    tokens = _WORD.findall(text.lower())
    if text.isascii():
        return set(tokens)
    return {part for word in tokens for part in words(word)}  # 市场 is two, as in word_count
