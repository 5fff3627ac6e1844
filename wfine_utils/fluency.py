"""A control for fluency: how likely a text is to a language model that sees no instruction.

If such a model ranks the responses of a chain, their gold order goes along with how well, or how
commonly, they are written, and a scorer may read that in place of the requirements. The model
here needs no download: characters given the five before them, interpolated by the method of
Witten and Bell, counted on the texts of all *other* chains.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from wfine_utils.scorers import Scores
from wfine_utils.taxonomy import Chain

_Counts = defaultdict[str, Counter[str]]  # context of 0 to `order` characters -> what followed


@dataclass(frozen=True)
class FluencyScorer:
    """Mean log-likelihood per character, in nats, under a model of the other chains' texts.

    Scores within a chain can be compared; it takes two chains at least, or every score is NaN.

    Attributes:
        order: number of characters that the model looks back.
    """

    order: int = 5
    name: str = "fluency, no instruction"

    def score(self, chains: Sequence[Chain]) -> Scores:
        """A negative number for every response; NaN for an empty one."""
        own = [self._count([r.text for r in chain.responses]) for chain in chains]
        total: _Counts = defaultdict(Counter)
        for counts in own:
            for context, followers in counts.items():
                total[context].update(followers)
        return [
            np.array(self._likelihoods(chain, total, counts))
            for chain, counts in zip(chains, own, strict=True)
        ]

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

    def _likelihoods(self, chain: Chain, total: _Counts, own: _Counts) -> list[float]:
        seen: dict[str, tuple[int, int]] = {}  # context -> times and kinds of followers elsewhere

        def elsewhere(context: str) -> tuple[int, int]:
            if context not in seen:
                everywhere, here = total[context], own[context]
                gone = sum(everywhere[c] == n for c, n in here.items())
                seen[context] = everywhere.total() - here.total(), len(everywhere) - gone
            return seen[context]

        means = []
        for response in chain.responses:
            logs = []
            for context, character in self._steps(response.text):
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
