"""WEval: does a scorer order the responses of a chain as the number of kept requirements does?

The gold ranking of a chain is known by construction, so any function that gives a number to a
response can be examined. Two choices differ from what is common, and both matter:

* **Ties count as ties.** The evaluation script released with the paper sorts responses by (score,
  number of kept requirements), so that a tie is resolved in the gold order and a scorer that says
  the same of everything gets a perfect ranking. Here a tie earns nothing, and that rule is reported
  only as ``released_rule_tau``.
* **A constant scorer has correlation 0.** SciPy returns NaN there; leaving such chains out of a
  mean would hide exactly the chains on which the scorer said nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from tqdm.auto import tqdm

from wfine_utils.chains.taxonomy import Chain, TaskCategory
from wfine_utils.errors import WfineError
from wfine_utils.weval.metrics import (
    METRICS,
    SINGLE_DROP_METRICS,
    chain_metrics,
    scored_chains,
    single_drop_metrics,
)
from wfine_utils.weval.resampling import Bootstrap, FloatArray, paired_difference
from wfine_utils.weval.scorers import TOLD

SHARES = ("tie_rate", "saturated_rate", "nan_rate", "cut_rate", "compiled_rate")
"""What bends a number, or makes it, and stands beside it; see :func:`evaluate`."""

_MEAN = ("metric", "subset_kind", "subset", "value", "ci_low", "ci_high", "n_chains")
COLUMNS = (*_MEAN, *SHARES)


def evaluate(
    chains: Sequence[Chain],
    scores: Sequence[ArrayLike],
    *,
    n_boot: int = 1000,
    seed: int = 0,
    confidence: float = 0.95,
) -> pd.DataFrame:
    """Rank correlation of a scorer with the gold ranking, with bootstrap intervals.

    Every metric is computed for each chain and averaged over chains:

    ======================  ================================================================
    kendall_tau_b           Kendall's tau-b; 0 if all scores of the chain are equal
    spearman_rho            Pearson correlation of average ranks; 0 if all scores are equal
    pairwise_accuracy       share of the pairs with different gold in the right order; a tied
                            score counts 1/2
    position_consistency    1 - mean \\|rank difference\\| / (n - 1), ties get average ranks
    exact_match             1 if every pair with different gold is in the right order, else 0
    tie_rate                share of the pairs with different gold whose scores are equal
    released_rule_tau       tau-b after ties are resolved in gold order, as the released
                            script does; **not** a measure of quality
    nan_rate                share of the responses that could not be scored
    ======================  ================================================================

    A NaN score means "could not be scored". It raises ``nan_rate``, and the other metrics of that
    chain are computed over its scored responses; a chain in which these have no two different gold
    ranks is left out of the mean of those metrics. So a scorer that refuses the hard chains can
    look better than it is. No bounds are computed; shares stand beside every value instead:
    ``tie_rate`` and ``nan_rate`` of the same chains (of all chains, for a requirement type),
    ``saturated_rate``, the part of the ties that is due to rounding, ``cut_rate``, responses of
    which the scorer read only a part, and ``compiled_rate``, requirements that were judged by
    checks made of their wording. The latter three are what the scorer says of all it scored
    (:class:`~wfine_utils.weval.scorers.ScoreList`), NaN where it says nothing.

    Args:
        chains: any mixture of sizes; gold ranks may tie.
        scores: float [chains][responses of the chain]; higher means better adherence.
        n_boot, seed, confidence: as in :class:`Bootstrap`, of the draws over chains; whatever the
            order of chains, equal seeds give equal tables.

    Returns:
        One row per metric and subset: ``metric, subset_kind, subset, value, ci_low, ci_high,
        n_chains`` (that were used) and :data:`SHARES`. Subsets are ("all", "all"); ("category",
        name) for each labelled category; and ("type", requirement type), where only
        ``pairwise_accuracy`` and ``tie_rate`` are given, over the pairs of responses that differ by
        exactly one dropped requirement of that type. The interval is NaN where too few chains were
        used (:mod:`wfine_utils.chains.units`).

    Raises:
        WfineError: no chains, scores that ``scorers.checked_scores`` refuses, or all of them NaN.

    Source: arXiv 2604.27453 for WEval; tau-b as in SciPy 1.17 ``kendalltau``. Differences from it:
    ties (see the module's text), intervals, NaN instead of 0 for responses without a score.
    """
    boot = Bootstrap(n_boot, seed, confidence)
    data = scored_chains(chains, scores)
    values = chain_metrics(data)
    categories = np.array([chain.category for chain in chains], dtype=object)
    everywhere = told(scores, values[:, -1])
    members = ((name, categories == name) for name in TaskCategory)
    groups = [
        ("all", "all", METRICS, values, everywhere),
        *(("category", name, METRICS, values[part], told(scores, values[part, -1]))
          for name, part in members if part.any()),
        *(("type", name, SINGLE_DROP_METRICS, shares, everywhere)
          for name, shares in single_drop_metrics(chains, data).items() if len(shares)),
    ]  # fmt: skip
    tables = [mean_table(boot, v, names, kind, part, beside)
              for kind, part, names, v, beside in groups]  # fmt: skip
    return pd.concat(tables, ignore_index=True)


def evaluate_all(
    chains: Sequence[Chain],
    scores: Mapping[str, Sequence[ArrayLike]],
    *,
    n_boot: int = 1000,
    seed: int = 0,
    confidence: float = 0.95,
) -> pd.DataFrame:
    """The tables of :func:`evaluate` of several scorers, one below the other, with a progress bar.

    Args:
        scores: the scores of every scorer under its name, as ``score_all`` returns them.

    Returns:
        One row per scorer, metric and subset: ``scorer`` and the columns of :func:`evaluate`.
    """
    tables = {
        name: evaluate(chains, arrays, n_boot=n_boot, seed=seed, confidence=confidence)
        for name, arrays in tqdm(scores.items(), desc="evaluate")
    }
    return pd.concat(tables, names=["scorer"]).reset_index("scorer").reset_index(drop=True)


def mean_table(
    boot: Bootstrap,
    values: FloatArray,
    metrics: Sequence[str],
    kind: str,
    subset: str,
    beside: Mapping[str, float],
) -> pd.DataFrame:
    """The mean of every metric over chains, in a table with :data:`COLUMNS`.

    Args:
        values: shape [chains, metrics], NaN where a chain has no value.
        kind: what is told apart, e.g. "category"; ``subset`` is one of these parts.
        beside: :data:`SHARES`, without the ``tie_rate`` where that is one of the metrics.
    """
    means = boot.means(values, kind, subset)
    columns = dict(zip(_MEAN, ([*metrics], kind, str(subset), *means), strict=True))
    shares = dict(zip(metrics, means.mean.tolist(), strict=True)) | dict(beside)
    return pd.DataFrame(columns | {name: shares[name] for name in SHARES})


def told(scores: object, unscored: FloatArray) -> dict[str, float]:
    """:data:`SHARES` but for the ties, of scores of which these shares of the chains have none."""
    rates = {name: getattr(scores, name, np.nan) for name in TOLD}
    return rates | {"nan_rate": float(np.sort(unscored).mean())}


def per_chain(chains: Sequence[Chain], scores: Sequence[ArrayLike]) -> pd.DataFrame:
    """Every metric of every chain; arguments and errors are those of :func:`evaluate`.

    Returns:
        One row per chain, in the order given, indexed by ``chain_id``; one column per entry of
        :data:`METRICS`. NaN where the scored responses have no two different gold ranks.
    """
    values = chain_metrics(scored_chains(chains, scores))
    index = pd.Index([chain.chain_id for chain in chains], name="chain_id")
    return pd.DataFrame(values, index, METRICS)


def compare(
    chains: Sequence[Chain],
    scores_a: Sequence[ArrayLike],
    scores_b: Sequence[ArrayLike],
    *,
    metrics: Sequence[str] = ("kendall_tau_b", "spearman_rho", "pairwise_accuracy"),
    n_boot: int = 1000,
    n_permutations: int = 10_000,
    seed: int = 0,
    confidence: float = 0.95,
) -> pd.DataFrame:
    """Paired difference a - b of two scorers on the same chains.

    Args:
        scores_a: of the first scorer, as in :func:`evaluate`; ``scores_b``: of the second.
        metrics: which of :data:`METRICS`.
        n_permutations: number of random sign flips for the p-value.

    Returns:
        One row per metric: ``metric, value_a, value_b, difference, ci_low, ci_high, p_value,
        cohens_d, n_chains``, as explained in ``resampling.PairedDifference``, and :data:`SHARES`
        of both scorers on all chains, as ``tie_rate_a, tie_rate_b``, …. Only chains on which
        both scorers have the metric are used. Correct the p-values of several comparisons
        with :func:`holm`.

    Raises:
        WfineError: as in :func:`evaluate`; or an unknown metric.
    """
    if unknown := sorted(set(metrics) - set(METRICS)):
        raise WfineError(
            f"weval.compare: found unknown metrics {unknown}; expected some of {list(METRICS)}."
        )
    a, b = per_chain(chains, scores_a), per_chain(chains, scores_b)
    rows = [
        paired_difference(a[metric], b[metric], n_boot=n_boot, n_permutations=n_permutations,
                          seed=seed, confidence=confidence)
        for metric in metrics
    ]  # fmt: skip
    table = pd.DataFrame(rows).rename(columns={"n": "n_chains"})
    table.insert(0, "metric", list(metrics))
    for side, scores, values in (("a", scores_a, a), ("b", scores_b, b)):
        shares = told(scores, values["nan_rate"].to_numpy())
        shares["tie_rate"] = float(values["tie_rate"].sort_values().mean())
        table = table.assign(**{f"{name}_{side}": shares[name] for name in SHARES})
    return table
