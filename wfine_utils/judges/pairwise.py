"""A judge of pairs: which of two responses is better, on the paper's five criteria?

Every pair is shown in both orders, because judges favour a place; ``position_bias`` says how
much. The verdicts on the pairs of a chain become one strength per response by the model of Bradley
and Terry. As for the other judges, ``verdicts`` asks, ``aggregate`` makes scores of the table,
and ``bounds`` says what the missing verdicts can hide.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import permutations
from typing import TYPE_CHECKING

import choix
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.sparse.csgraph import connected_components

from wfine_utils.chains.taxonomy import Chain
from wfine_utils.errors import WfineError
from wfine_utils.judges import templates
from wfine_utils.judges.judges import bounds, complete, heading, read_all
from wfine_utils.judges.templates import NAN, Template
from wfine_utils.weval.resampling import bootstrap_means, distinct_rows
from wfine_utils.weval.scorers import Scores

if TYPE_CHECKING:
    from wfine_utils.judges.backends import Backend


PRIOR = 0.1
"""Wins that every response is given over every other of its chain beforehand.

A response that wins or loses every comparison has no finite strength, and a good judge makes one
of each in every chain. A prior that is the same for all favours none, and a tenth of a win
against two comparisons per pair hardly shrinks what was observed.
"""


@dataclass(frozen=True)
class PairwiseJudge:
    """A judge that compares whole responses two by two.

    Args:
        backend: what answers the prompts, n (n - 1) for a chain of n responses.
        name: how the judge is called in tables.
        template: another wording with the slots ``$task``, ``$response_A``, ``$response_B``.
        max_tokens: longest reply.
    """

    backend: Backend
    name: str = "pairwise judge"
    template: Template = templates.PAIRWISE
    max_tokens: int = 512

    @property
    def prompt_hash(self) -> str:
        """sha256 of the template's text."""
        return self.template.hash

    def verdicts(self, chains: Sequence[Chain]) -> pd.DataFrame:
        """Compare every two responses of a chain, in both orders.

        Args:
            chains: with different ids.

        Returns:
            One row per chain and ordered pair: ``judge, model, prompt, prompt_hash, chain_id,
            first, second`` (places in the chain; the first is shown as A), ``verdict, reply,
            problem``. ``verdict`` is 2, 1, 0, -1, -2 from "first much better" to "second much
            better", or NaN, and then ``problem`` says why.
        """
        rows, asked = [], []
        for chain in chains:
            task = chain.prompt()
            for a, b in permutations(range(len(chain.responses)), 2):
                shown = {
                    "response_A": chain.responses[a].text,
                    "response_B": chain.responses[b].text,
                }
                asked.append(self.template.fill(task=task, **shown))
                rows.append((chain.chain_id, a, b))
        table = pd.DataFrame(rows, columns=["chain_id", "first", "second"])
        for place, (key, value) in enumerate(
            heading(self.name, self.backend, self.template).items()
        ):
            table.insert(place, key, value)
        replies = complete(self.backend, asked, self.max_tokens)
        readings = read_all(replies, templates.read_preference)
        table["verdict"] = [reading.value for reading in readings]
        table["reply"] = [reply.text for reply in replies]
        table["problem"] = [reading.problem for reading in readings]
        return table

    def aggregate(self, table: pd.DataFrame, chains: Sequence[Chain]) -> Scores:
        """Strengths of the responses, in log-odds around 0; see :func:`strengths`.

        Args:
            table: of :meth:`verdicts`, rows in any order.
            chains: the chains to return scores for.
        """
        return [strengths(grid) for grid in _grids(table, chains)]

    def score(self, chains: Sequence[Chain]) -> Scores:
        """One strength per response, or NaN; see :meth:`aggregate`."""
        return self.aggregate(self.verdicts(chains), chains)

    def bounds(self, table: pd.DataFrame, chains: Sequence[Chain]) -> pd.DataFrame:
        """Between which values tau-b lies; see :func:`~wfine_utils.judges.judges.bounds`.

        With no verdict missing, the order of the strengths is the order of the sums of verdicts,
        so a response may end anywhere between its sum with 2 against it and with 2 for it in
        every missing verdict.
        """
        possible = []
        for grid in _grids(table, chains):
            missing = np.isnan(grid).sum(axis=0) + np.isnan(grid).sum(axis=1) - 2  # the diagonal
            total = np.nansum(grid, axis=1) - np.nansum(grid, axis=0)
            ends = [(t - 2 * m, t + 2 * m) for t, m in zip(total, missing, strict=True)]
            possible.append([np.unique(np.array(pair)) for pair in ends])
        return bounds(chains, possible, grid=False)


def strengths(grid: NDArray[np.float64]) -> NDArray[np.float64]:
    """Bradley–Terry strengths of the responses of one chain.

    A verdict is one comparison, of which the first response gets the share 1, ¾, ½, ¼ or 0. A
    pair counts only if both its orders were answered, so that no place is favoured. With
    :data:`PRIOR` the maximum of the likelihood is finite and unique. When every pair counts, its
    order is that of the summed verdicts: the model matters for the pairs that are missing.

    Args:
        grid: shape [first shown, second shown], verdicts -2 … 2 or NaN; the diagonal is unused.

    Returns:
        Shape [responses], mean 0, rounded so that equal results are equal numbers. NaN for a
        response of which no pair counts; NaN for all if the others fall into groups between
        which no pair counts, as their order would then be the prior's.

    Source: choix 0.4.1, ``ilsr_pairwise_dense``, which takes fractions of wins. The prior is given
        as wins and not as choix's ``alpha``, which is no number of comparisons and need not
        keep the order of the sums.
    """
    counts = ~np.isnan(grid + grid.T)
    np.fill_diagonal(counts, False)
    used = np.flatnonzero(counts.any(axis=1))
    found = np.full(len(grid), NAN)
    if len(used) == 0 or connected_components(counts[np.ix_(used, used)])[0] > 1:
        return found
    share = np.where(counts, (2 + grid) / 4, 0.0)
    wins = share + np.where(counts, 1 - share.T, 0.0) + PRIOR
    np.fill_diagonal(wins, 0.0)
    fitted = choix.ilsr_pairwise_dense(wins[np.ix_(used, used)], max_iter=10_000, tol=1e-10)
    found[used] = np.round(fitted, 6) + 0.0  # + 0.0 makes -0.0 to 0.0
    return found


def position_bias(
    table: pd.DataFrame, *, n_boot: int = 1000, seed: int = 0, confidence: float = 0.95
) -> pd.DataFrame:
    """How often the order in which two responses are shown decides between them.

    Over the pairs for which both orders were answered:

    ===============  ====================================================================
    flip_rate        the better response changes with the order; the position bias
    first_wins       the one shown first is better in both orders
    second_wins      the one shown second is better in both orders; the two add to flip_rate
    half_tie         a tie in one order only
    mean_verdict     mean of all verdicts, -2 … 2; above 0 the first place is favoured
    ===============  ====================================================================

    Args:
        table: of ``PairwiseJudge.verdicts``, of one judge, with different chain ids.
        n_boot: bootstrap draws over chains; 0 leaves the intervals NaN.
        seed: seed of the draws.
        confidence: coverage of the percentile interval, between 0 and 1.

    Returns:
        One row per measure: ``metric, value, ci_low, ci_high, n_chains, n_pairs``. Shares are
        computed per chain and averaged over chains. NaN where no pair was answered twice.
    """
    keys = ["chain_id", "first", "second"]
    verdicts = _unique(table, keys).set_index(keys)["verdict"].dropna()
    once = verdicts.rename("there").reset_index()
    back = once.rename(columns={"first": "second", "second": "first", "there": "back"})
    both = once[once["first"] < once["second"]].merge(back, on=keys)
    there, again = np.sign(both["there"]), np.sign(both["back"])
    measures = pd.DataFrame(
        {
            "flip_rate": there * again > 0,
            "first_wins": (there > 0) & (again > 0),
            "second_wins": (there < 0) & (again < 0),
            "half_tie": (there == 0) != (again == 0),
            "mean_verdict": (both["there"] + both["back"]) / 2,
        }
    ).astype(float)
    values = measures.groupby(both["chain_id"]).mean().to_numpy()
    if len(values) == 0:
        values = np.full((1, measures.shape[1]), NAN)
    code, rows = distinct_rows(values)
    rng = np.random.default_rng(seed)
    mean, low, high, n = bootstrap_means(rows, np.bincount(code), n_boot, confidence, rng)
    return pd.DataFrame(
        {
            "metric": measures.columns,
            "value": mean,
            "ci_low": low,
            "ci_high": high,
            "n_chains": n,
            "n_pairs": len(both),
        }
    )


def _unique(table: pd.DataFrame, keys: list[str]) -> pd.DataFrame:
    twice = table.duplicated(keys)
    if twice.any():
        raise WfineError(
            f"pairwise judge: found two verdicts on chain {table[twice].iloc[0].chain_id!r}, same "
            "responses, same order; expected one. Give every chain an id of its own, and pass the "
            "table of one judge."
        )
    return table


def _grids(table: pd.DataFrame, chains: Sequence[Chain]) -> list[NDArray[np.float64]]:
    """The verdicts of every chain, shape [first, second]; NaN where there is none."""
    keys = ["chain_id", "first", "second"]
    known = _unique(table, keys).set_index(keys)["verdict"].to_dict()
    return [
        np.array(
            [[known.get((chain.chain_id, a, b), NAN) for b in range(n)] for a in range(n)],
            dtype=np.float64,
        )
        for chain in chains
        for n in [len(chain.responses)]
    ]
