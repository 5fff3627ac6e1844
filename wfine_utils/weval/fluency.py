"""A control for fluency: how likely a text is to a language model that sees no instruction.

If such a model ranks the responses of a chain, their gold order goes along with how well, or how
commonly, they are written, and a scorer may read that in place of the requirements. One model needs
no download and does for any chains: characters given the five before them, interpolated by the
method of Witten and Bell, counted on the texts of all *other* chains. For WEval-Hand, likelihoods
of a pretrained model are kept beside the chains (``wfine models fluency MODEL``
computes them anew).
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from wfine_utils.chains.taxonomy import Chain
from wfine_utils.chains.weval_hand import FOLDER
from wfine_utils.errors import WfineError
from wfine_utils.weval.baselines import ReadsAll
from wfine_utils.weval.scorers import Scores, scores_from_table

KEPT = FOLDER / "weval_hand_fluency.csv"
_Counts = defaultdict[str, Counter[str]]  # context of 0 to `order` characters -> what followed


@dataclass(frozen=True)
class FluencyScorer(ReadsAll):
    """Mean log-likelihood per character, in nats, under a model of the other chains' texts.

    Scores within a chain can be compared; it takes two chains at least, or every score is NaN.
    """

    order: int = 5  # characters that the model looks back
    name: str = "fluency (characters)"

    def score(self, chains: Sequence[Chain]) -> Scores:
        """A negative number for every response; NaN for an empty one."""
        own = [self._count([r.text for r in chain.responses]) for chain in chains]
        total: _Counts = defaultdict(Counter)
        for counts in own:
            for context, followers in counts.items():
                total[context].update(followers)
        pairs = zip(chains, own, strict=True)
        return [
            np.array(self._likelihoods([r.text for r in chain.responses], total, counts))
            for chain, counts in pairs
        ]

    def of_texts(self, texts: Sequence[str], reference: Sequence[str]) -> NDArray[np.float64]:
        """The same of n texts under a model of reference texts, none of which is among them.

        Returns:
            float64 [n], in nats per character; NaN for an empty text.
        """
        return np.array(self._likelihoods(texts, self._count(reference), defaultdict(Counter)))

    def _steps(self, text: str) -> Iterator[tuple[str, str]]:
        """Every character with the ``order`` characters before it."""
        padded = "\n" * self.order + text
        for i in range(self.order, len(padded)):
            yield padded[i - self.order : i], padded[i]

    def _count(self, texts: Sequence[str]) -> _Counts:
        counts: _Counts = defaultdict(Counter)
        for text in texts:
            for context, character in self._steps(text):
                for start in range(self.order + 1):
                    counts[context[start:]][character] += 1
        return counts

    def _likelihoods(self, texts: Sequence[str], total: _Counts, own: _Counts) -> list[float]:
        seen: dict[str, tuple[int, int]] = {}  # context -> times and kinds of followers elsewhere

        def elsewhere(context: str) -> tuple[int, int]:
            if context not in seen:
                everywhere, here = total[context], own[context]
                gone = sum(everywhere[c] == n for c, n in here.items())
                seen[context] = everywhere.total() - here.total(), len(everywhere) - gone
            return seen[context]

        means = []
        for text in texts:
            logs = []
            for context, character in self._steps(text):
                p = 1 / 256  # where nothing is known
                for start in range(self.order, -1, -1):  # from no context to the longest
                    suffix = context[start:]
                    n, kinds = elsewhere(suffix)
                    if n:
                        times = total[suffix][character] - own[suffix][character]
                        p = (times + kinds * p) / (n + kinds)
                logs.append(np.log(p))
            means.append(float(np.mean(logs)) if logs and len(total) > len(own) else float("nan"))
        return means


class KeptFluencyScorer:
    """Mean log-likelihood per token of WEval-Hand's texts under the model ``name``, from a file.

    Args:
        path: a table of :func:`wfine_utils.models.likelihood.keep_fluency`.
    """

    def __init__(self, path: str | Path = KEPT) -> None:
        self._table = pd.read_csv(path)
        (self.name,) = self._table["scorer"].unique()

    def score(self, chains: Sequence[Chain]) -> Scores:
        """A negative number for every response.

        Raises:
            WfineError: a text has changed since, or is not in the file.
        """
        known = self._table.set_index(["chain_id", "response"])["text_sha256"].to_dict()
        for chain in chains:
            for i, response in enumerate(chain.responses):
                if known.get((chain.chain_id, i)) != text_digest(response.text):
                    raise WfineError(
                        f"chain {chain.chain_id}, response {i}: its text is not the one that was "
                        "measured. Run: wfine models fluency MODEL"
                    )
        return scores_from_table(self._table, chains)[self.name]


def text_digest(text: str) -> str:
    """SHA-256 of a text, its first 16 hexadecimal digits."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]
