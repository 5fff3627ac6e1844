"""Whose texts are preferred: by readers, and by scorers on the same chains."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product

import numpy as np
import pandas as pd

from wfine_utils.annotation.readers import CONSENSUS
from wfine_utils.chains.readers import reader_names
from wfine_utils.chains.taxonomy import Chain
from wfine_utils.errors import WfineError
from wfine_utils.weval.resampling import Bootstrap
from wfine_utils.weval.scorers import Scores, checked_scores


def prefers_source(
    chains: Sequence[Chain],
    scores: Mapping[str, Scores],
    better: str,
    worse: str,
    *,
    n_boot: int = 1000,
    seed: int = 0,
    confidence: float = 0.95,
) -> pd.DataFrame:
    """How often readers and scorers put the texts of one writer above those of another.

    Args:
        chains: those that have a response of both sources.
        scores: by the name of the scorer, float [chains][responses of the chain].
        better, worse: values of ``Response.source``.
        n_boot, seed, confidence: as in :class:`Bootstrap`, over chains.

    Returns:
        One row for the consensus of the readers, one for each reader and one for each scorer:
        ``judge, kind`` ("consensus", "reader" or "scorer"), ``value`` (share of the chains in which
        ``better`` is above, a tie counts 1/2, so 0.5 is no preference), ``ci_low, ci_high,
        tie_rate, n_chains`` (in which the judge has judged both). Of several responses of one
        source in a chain, every pair counts, and the chain is their mean.

    Raises:
        WfineError: no chain has both sources, or scores that ``checked_scores`` refuses.
    """
    places = [_places(chain, better, worse) for chain in chains]
    if not any(places):
        known = sorted({r.source for chain in chains for r in chain.responses})
        raise WfineError(
            f"prefers_source: found no chain with responses of {better!r} and of {worse!r}, "
            f"expected one at least. The sources of these chains are {known[:10]}."
        )
    judged = {name: ("reader", [_said(c, name) for c in chains]) for name in reader_names(chains)}
    consensus = {CONSENSUS: (CONSENSUS, [_said(c, None) for c in chains])} if judged else {}
    scored = {n: ("scorer", checked_scores(f"scorer {n!r}", x, chains)) for n, x in scores.items()}
    boot, rows = Bootstrap(n_boot, seed, confidence), []
    for kind, judge, arrays in [
        (kind, name, arrays)
        for part in (consensus, judged, scored)
        for name, (kind, arrays) in part.items()
    ]:
        values = np.array([_share(x, p) for x, p in zip(arrays, places, strict=True)])
        means = boot.means(values, "sources")
        value, tie_rate = means.mean
        rows.append((judge, kind, value, means.ci_low[0], means.ci_high[0], tie_rate, means.n[0]))
    columns = "judge kind value ci_low ci_high tie_rate n_chains".split()
    return pd.DataFrame(rows, columns=columns)


def _places(chain: Chain, better: str, worse: str) -> list[tuple[int, int]]:
    """Pairs of places in a chain, of the one source and of the other."""
    sources = [response.source for response in chain.responses]
    of_better, of_worse = (
        [i for i, name in enumerate(sources) if name == one] for one in (better, worse)
    )
    return list(product(of_better, of_worse))


def _said(chain: Chain, reader: str | None) -> np.ndarray:
    """What a reader, or all together, say of each response; NaN where nothing is said."""
    judged, n = chain.judged, len(chain.responses)
    if not judged or not judged.grades or reader not in (None, *judged.grades):
        return np.full(n, np.nan)
    return (judged.of(reader) if reader else judged).numbers(n)


def _share(numbers: np.ndarray, places: Sequence[tuple[int, int]]) -> tuple[float, float]:
    """How often the first of two places has the higher number, and how often both are equal."""
    known = [(numbers[i], numbers[j]) for i, j in places if numbers[i] == numbers[i]]
    known = [(a, b) for a, b in known if b == b]
    if not known:
        return np.nan, np.nan
    signs = np.sign([a - b for a, b in known])
    return float(np.mean((signs + 1) / 2)), float(np.mean(signs == 0))
