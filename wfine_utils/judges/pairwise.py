"""A judge of pairs: which of two responses is better, on the paper's five criteria?

Every pair is shown in both orders, because judges favour a place; ``position_bias`` says how much.
The verdicts on the pairs of a chain become one strength per response by the model of Bradley and
Terry. The steps are those of the other judges (:mod:`wfine_utils.judges.judges`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import permutations
from typing import ClassVar

import numpy as np
import pandas as pd
from scipy.sparse.csgraph import connected_components

from wfine_utils.chains.taxonomy import Chain
from wfine_utils.errors import import_extra
from wfine_utils.judges import templates
from wfine_utils.judges.backends import Backend
from wfine_utils.judges.bounds import tau_bounds
from wfine_utils.judges.judges import Judge, by_place
from wfine_utils.judges.templates import NAN, Template
from wfine_utils.weval.resampling import Bootstrap, FloatArray
from wfine_utils.weval.scorers import Scores

PAIR = ["chain_id", "first", "second"]

PRIOR = 0.1
"""Wins that every response is given over every other of its chain beforehand.

A response that wins or loses every comparison would have no finite strength. What is the same for
all favours none, and a tenth of a win beside two comparisons hardly shrinks what was observed.
"""


@dataclass(frozen=True)
class PairwiseJudge(Judge):
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

    keys: ClassVar[list[str]] = PAIR

    def verdicts(self, chains: Sequence[Chain]) -> pd.DataFrame:
        """Compare every two responses of a chain, in both orders.

        Returns:
            One row per chain and ordered pair: ``judge, model, prompt, prompt_hash, chain_id,
            first, second`` (places in the chain; the first is shown as A), ``verdict, reply,
            problem``. ``verdict`` is 2, 1, 0, -1, -2 from "first much better" to "second much
            better", or NaN, and then ``problem`` says why.
        """
        rows, prompts = [], []
        for chain in chains:
            task = chain.prompt()
            for a, b in permutations(range(len(chain.responses)), 2):
                first, second = chain.responses[a].text, chain.responses[b].text
                prompts.append(self.template.fill(task=task, response_A=first, response_B=second))
                rows.append((chain.chain_id, a, b))
        questions = self._questions(self.template, PAIR, rows)
        return self._answered(questions, prompts, templates.read_preference).drop(columns="reason")

    def aggregate(self, table: pd.DataFrame, chains: Sequence[Chain]) -> Scores:
        """Strengths of the responses, in log-odds around 0; see :func:`strengths`."""
        return [strengths(grid) for grid in self.grids(table, chains)]

    def bounds(self, table: pd.DataFrame, chains: Sequence[Chain]) -> pd.DataFrame:
        """Between which values tau-b lies; see :func:`~wfine_utils.judges.bounds.tau_bounds`.

        With no verdict missing, the order of the strengths is the order of the sums of verdicts,
        so a response may end anywhere between its sum with 2 against it and with 2 for it in
        every missing verdict.
        """
        possible = []
        for grid in self.grids(table, chains):
            missing = np.isnan(grid).sum(axis=0) + np.isnan(grid).sum(axis=1) - 2  # the diagonal
            total = np.nansum(grid, axis=1) - np.nansum(grid, axis=0)
            ends = np.stack([total - 2 * missing, total + 2 * missing], axis=1)
            possible.append([np.unique(pair) for pair in ends])
        return tau_bounds(chains, possible, complete=False)


def strengths(grid: FloatArray) -> FloatArray:
    """Bradley–Terry strengths of the responses of one chain.

    A verdict is one comparison, of which the first response gets the share 1, ¾, ½, ¼ or 0. A
    pair counts only if both its orders were answered, so that no place is favoured. When every
    pair counts, the order is that of the summed verdicts: the model matters for missing pairs.

    Args:
        grid: shape [first shown, second shown], verdicts -2 … 2 or NaN; the diagonal is unused.

    Returns:
        Shape [responses], mean 0, rounded so that equal results are equal. NaN for a response of
        which no pair counts; for all if the others fall into groups between which none counts, as
        their order would then be the prior's.

    Raises:
        WfineError: choix, of the extra ``judges``, is not installed.

    Source: choix 0.4.1, ``ilsr_pairwise_dense``, which takes fractions of wins. Its ``alpha``, in
        place of :data:`PRIOR`, is no number of comparisons and need not keep the order of the sums.
    """
    counts = ~np.isnan(grid + grid.T)
    np.fill_diagonal(counts, False)
    used = np.flatnonzero(counts.any(axis=1))
    strength = np.full(len(grid), NAN)
    if len(used) == 0 or connected_components(counts[np.ix_(used, used)])[0] > 1:
        return strength
    share = np.where(counts, (2 + grid) / 4, 0.0)
    wins = share + np.where(counts, 1 - share.T, 0.0) + PRIOR
    np.fill_diagonal(wins, 0.0)
    choix = import_extra("choix", "judges")
    fitted = choix.ilsr_pairwise_dense(wins[np.ix_(used, used)], max_iter=10_000, tol=1e-10)
    strength[used] = np.round(fitted, 6) + 0.0  # + 0.0 makes -0.0 to 0.0
    return strength


def position_bias(
    table: pd.DataFrame, *, n_boot: int = 1000, seed: int = 0, confidence: float = 0.95
) -> pd.DataFrame:
    """How often the order of two responses decides, over the pairs answered in both orders.

    ===============  ====================================================================
    flip_rate        the better response changes with the order; the position bias
    first_wins       the one shown first is better in both orders
    second_wins      the one shown second is better in both orders; the two add to flip_rate
    half_tie         a tie in one order only
    mean_verdict     mean of all verdicts, -2 … 2; above 0 the first place is favoured
    ===============  ====================================================================

    Args:
        table: ``PairwiseJudge.verdicts`` of one judge, with different chain ids.
        n_boot, seed, confidence: as for :class:`~wfine_utils.weval.resampling.Bootstrap`.

    Returns:
        One row per measure: ``metric, value, ci_low, ci_high, n_chains, n_pairs, nan_rate`` (share
        of the verdicts that are missing). Means of the chains' means; NaN where no pair was
        answered twice.
    """
    there = by_place(table, PAIR, "verdict").astype(float).dropna().rename("there").reset_index()
    back = there.rename(columns={"first": "second", "second": "first", "there": "back"})
    both = there[there["first"] < there["second"]].merge(back, on=PAIR)
    once, again = np.sign(both["there"]), np.sign(both["back"])
    measures = pd.DataFrame({
        "flip_rate": once * again > 0,
        "first_wins": (once > 0) & (again > 0),
        "second_wins": (once < 0) & (again < 0),
        "half_tie": (once == 0) != (again == 0),
        "mean_verdict": (both["there"] + both["back"]) / 2,
    }).astype(float)  # fmt: skip
    values = measures.groupby(both["chain_id"]).mean()
    mean, low, high, n = Bootstrap(n_boot, seed, confidence).means(values)
    return pd.DataFrame({
        "metric": measures.columns, "value": mean, "ci_low": low, "ci_high": high, "n_chains": n,
        "n_pairs": len(both), "nan_rate": table["verdict"].isna().mean(),
    })  # fmt: skip
