"""Agreement: of people who rank responses, and of people with the gold ranking.

No annotations are shipped. What agreement can be shown without people, that of construction,
checkers and model judges, is in :mod:`wfine_utils.judges.agreement`.

Intervals are bootstrap percentiles over chains, because what is said of two responses to one query
is not independent. The order of the rows and the names of annotators do not matter.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from wfine_utils.annotation.files import ANNOTATION_COLUMNS
from wfine_utils.chains.taxonomy import Chain
from wfine_utils.errors import WfineError
from wfine_utils.weval import agreement
from wfine_utils.weval.evaluation import evaluate
from wfine_utils.weval.resampling import Bootstrap, FloatArray
from wfine_utils.weval.scorers import scores_from_table

GOLD_METRICS = ("kendall_tau_b", "pairwise_accuracy", "exact_match", "tie_rate")
MEAN_RANK = "mean rank of all"


def annotator_agreement(
    table: pd.DataFrame, *, n_boot: int = 1000, seed: int = 0, confidence: float = 0.95
) -> pd.DataFrame:
    """How far annotators agree on the order of the responses.

    ==================  ====================================================================
    krippendorff_alpha  ordinal alpha of the ranks; a unit is a response
    fleiss_kappa        kappa of preferences; a unit is a pair of responses of one chain, a
                        verdict is "first", "tie" or "second". Which of two responses is called
                        the first means nothing, so each pair is counted in both orders
    kendall_tau_b       tau-b of two annotators on one chain, mean over pairs of annotators,
                        then over chains; 0 if one of them ranks all equal, left out if both do
    ==================  ====================================================================

    1 is full agreement, 0 what chance gives. Kappa is defined for equally many verdicts per unit,
    so it uses the chains with the most frequent number of annotators (of equally frequent ones, the
    larger). Chains with one annotator are left out of all.

    Args:
        table: columns :data:`ANNOTATION_COLUMNS`, as ``load_annotations`` returns.
        n_boot, seed, confidence: as for :class:`~wfine_utils.weval.resampling.Bootstrap`.

    Returns:
        One row per metric: ``metric, value, ci_low, ci_high, n_chains, n_items, n_annotators``;
        items are responses, pairs of responses, and pairs of annotators on a chain. Alpha and
        kappa are NaN if there is only one value.

    Raises:
        WfineError: a column is missing, a rank is no finite number, an annotator ranks a
            response twice, or no chain has two annotators.

    Source: krippendorff 0.9 ``alpha``, statsmodels 0.15 ``fleiss_kappa``.
    """
    ranks = _ranks(table, "annotator_agreement").groupby(level="chain_id").rank(method="average")
    by_chain = [part.dropna(axis=1).to_numpy() for _, part in ranks.groupby(level="chain_id")]
    by_chain = [part for part in by_chain if part.shape[1] > 1]
    if not by_chain:
        raise WfineError(
            "annotator_agreement: found no chain that two annotators have ranked, expected one at "
            "least. Join the files of several annotators with pd.concat."
        )
    boot = Bootstrap(n_boot, seed, confidence)
    domain = np.unique(np.concatenate([part.ravel() for part in by_chain]))
    alpha = partial(agreement.krippendorff_alpha, level="ordinal")
    counts = [agreement.value_counts(part, domain) for part in by_chain]
    usual = agreement.most_frequent([part.shape[1] for part in by_chain])
    signs = [_signs(part) for part in by_chain]
    verdicts = np.array([-1.0, 0.0, 1.0])
    sides = [agreement.value_counts(s, verdicts) for s in signs if s.shape[1] == usual]
    taus = [tau for tau in map(_taus, signs) if len(tau)]
    # every chain weighs the same, however many annotators it has
    tau_mean = boot.means([tau.mean() for tau in taus])
    rows = []
    for metric, parts, interval in (
        ("krippendorff_alpha", counts, _pooled(counts, alpha, boot)),
        ("fleiss_kappa", sides, _pooled(sides, _kappa_both_ways, boot)),
        ("kendall_tau_b", taus, (column.item() for column in tau_mean[:3])),
    ):
        rows.append((metric, *interval, len(parts), sum(map(len, parts)), ranks.shape[1]))
    columns = "metric value ci_low ci_high n_chains n_items n_annotators".split()
    return pd.DataFrame(rows, columns=columns)


def agreement_with_gold(
    table: pd.DataFrame,
    chains: Sequence[Chain],
    *,
    n_boot: int = 1000,
    seed: int = 0,
    confidence: float = 0.95,
) -> pd.DataFrame:
    """How far each annotator agrees with the number of requirements kept.

    Args:
        table: as for :func:`annotator_agreement`.
        chains: those that were ranked; for an annotator, the ones not ranked are left out.
        n_boot, seed, confidence: as for :class:`~wfine_utils.weval.resampling.Bootstrap`.

    Returns:
        One row per annotator and entry of :data:`GOLD_METRICS`, as ``weval.evaluate`` defines
        them: ``annotator, metric, value, ci_low, ci_high, n_chains``. The last annotator,
        :data:`MEAN_RANK`, is the mean of the ranks of all who ranked a chain.

    Raises:
        WfineError: as :func:`annotator_agreement`; or a chain or response that ``chains`` lacks.
    """
    wide = _ranks(table, "agreement_with_gold")
    sizes = {chain.chain_id: len(chain.responses) for chain in chains}
    for chain_id, response in wide.index:
        if response >= sizes.get(chain_id, 0):
            raise WfineError(
                f"agreement_with_gold: found response {response} of chain {chain_id!r}, expected a "
                f"place in one of the {len(chains)} chains. Give the chains that were ranked."
            )
    ranks = wide.groupby(level="chain_id").rank(method="average")
    ranks[MEAN_RANK] = ranks.mean(axis=1)
    long = (-ranks).melt(var_name="scorer", value_name="score", ignore_index=False)
    scores = scores_from_table(long.reset_index(), chains)
    parts = []
    for name in ranks.columns:
        # not by NaN: a chain that was not ranked must not be drawn by the bootstrap either
        ranked = [i for i, array in enumerate(scores[name]) if not np.isnan(array).any()]
        frame = evaluate([chains[i] for i in ranked], [scores[name][i] for i in ranked],
                         n_boot=n_boot, seed=seed, confidence=confidence)  # fmt: skip
        frame = frame[(frame["subset_kind"] == "all") & frame["metric"].isin(GOLD_METRICS)]
        parts.append(frame.assign(annotator=name))
    columns = ["annotator", "metric", "value", "ci_low", "ci_high", "n_chains"]
    return pd.concat(parts, ignore_index=True)[columns]


def _pooled(
    parts: Sequence[NDArray], statistic: Callable[[NDArray], float], boot: Bootstrap
) -> tuple[float, float, float]:
    """A statistic of the counts [units, values] of all chains together, with its interval."""
    chains = np.repeat(np.arange(len(parts)), [len(part) for part in parts])
    counts = np.concatenate(parts)
    return agreement.bootstrap_chains(counts, chains, lambda n: [statistic(n)], boot)[0]


def _kappa_both_ways(sides: NDArray) -> float:
    return agreement.fleiss_kappa(np.vstack([sides, sides[:, ::-1]]))


def _signs(ranks: FloatArray) -> FloatArray:
    """Preference in each pair of responses, 1 for the first: [responses, n] -> [pairs, n]."""
    i, j = np.triu_indices(len(ranks), 1)
    return np.sign(ranks[j] - ranks[i])


def _taus(signs: FloatArray) -> FloatArray:
    """Tau-b of every two annotators on one chain: [pairs, annotators] -> [where not both are 0]."""
    together = signs.T @ signs
    own = np.diag(together)
    i, j = np.triu_indices(len(own), 1)
    tau = together[i, j] / np.sqrt(np.maximum(own[i], 1) * np.maximum(own[j], 1))
    return tau[(own[i] > 0) | (own[j] > 0)]


def _ranks(table: pd.DataFrame, caller: str) -> pd.DataFrame:
    """Ranks [(chain_id, response), annotators], NaN for chains that an annotator left out."""
    wide = agreement.one_row_per_unit(table, ANNOTATION_COLUMNS, caller)
    n_ranked = wide.abs().lt(np.inf).groupby(level="chain_id").sum()
    n_responses = wide.groupby(level="chain_id").size()
    partly = n_ranked.gt(0) & n_ranked.lt(n_responses, axis=0)
    n_rows = table.groupby(["chain_id", "annotator"]).size().unstack(fill_value=0)
    partly |= n_rows.rename(columns=str).ne(n_ranked)  # a rank that is no number is a row, too
    if partly.any(axis=None):
        row, column = np.argwhere(partly.to_numpy())[0]
        chain_id, annotator = partly.index[row], partly.columns[column]
        raise WfineError(
            f"{caller}: found {n_ranked.loc[chain_id, annotator]} ranks by annotator "
            f"{annotator!r} in chain {chain_id!r}, expected a finite number for each of its "
            f"{n_responses[chain_id]} responses."
        )
    return wide
