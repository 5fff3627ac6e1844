"""Controls: does a scorer measure adherence, or something that goes along with it?

A dropped requirement often leaves a shorter text, so a scorer that likes long texts looks good.
Two controls hold the length fixed: by arithmetic over whole chains (:func:`partial_tau`) and by
choice of pairs (:func:`length_matched`). A third says whether a score comes from pairs that lie far
apart (:func:`by_gap`). ``chains``, ``scores``, options, their errors and the columns of the tables
are as in ``weval.evaluate``, so that a table can be put below one of its tables.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from wfine_utils.chains.taxonomy import Chain
from wfine_utils.errors import WfineError
from wfine_utils.weval.baselines import LengthScorer
from wfine_utils.weval.evaluation import COLUMNS, SHARES, mean_table, told
from wfine_utils.weval.metrics import SINGLE_DROP_METRICS, scored_chains
from wfine_utils.weval.resampling import Bootstrap, FloatArray, distinct_rows
from wfine_utils.weval.scorers import checked_scores

PAIR_COLUMNS = (*COLUMNS, "n_pairs")
"""Columns of the tables that are made of pairs of responses with different gold."""

PARTIAL_METRICS = (
    "kendall_tau_b", "tau_b_covariate_score", "tau_b_covariate_gold", "undefined_rate",
    "kendall_tau_b_where_defined", "partial_tau_b", "pooled_partial_tau_b",
)  # fmt: skip
"""Rows of :func:`partial_tau`, in order."""


def partial_tau(
    chains: Sequence[Chain],
    scores: Sequence[ArrayLike],
    covariate: Sequence[ArrayLike] | None = None,
    *,
    n_boot: int = 1000,
    seed: int = 0,
    confidence: float = 0.95,
) -> pd.DataFrame:
    """Kendall's tau-b of scores with gold when the length is held fixed.

    For each chain, with s, g and c for score, gold and covariate, the partial correlation is
    (tau_sg - tau_sc tau_gc) / sqrt((1 - tau_sc^2) (1 - tau_gc^2)). It has no value where the
    covariate orders the responses just as the score or the gold does: often in short chains, always
    for a scorer that *is* the covariate. ``undefined_rate`` counts those chains,
    ``kendall_tau_b_where_defined`` is the plain tau-b of the others: compare ``partial_tau_b`` with
    that. ``pooled_partial_tau_b`` loses no chain: the same formula over the pairs of all chains
    together, so that a chain weighs by its number of pairs.

    Read it as a control, not as a test of nothing: it does not reach 0 for a scorer that follows
    the length with noise. With normal variables, 0.85 for length with score and 0.75 for length
    with gold, 0.21 remains. :func:`length_matched` at tolerance 0 does not have this fault.

    A covariate that is equal throughout a chain explains nothing there, so that the partial
    tau-b is the plain one; a score that is equal throughout has tau-b 0, as in WEval.

    Args:
        covariate: what is held fixed, finite float [chains][responses], e.g. a log-likelihood;
            None: the number of words.

    Returns:
        One row per entry of :data:`PARTIAL_METRICS`, columns :data:`PAIR_COLUMNS`.

    Raises:
        WfineError: also for a covariate that is not a finite number for every response.

    Source: Kendall (1942), partial rank correlation, with tau-b in the place of tau.
    """
    boot = Bootstrap(n_boot, seed, confidence)
    pairs = response_pairs(chains, scores, covariate)
    in_gold = pairs[pairs["gap"] > 0].groupby("chain")
    beside = _told(scores) | {"tie_rate": in_gold["tie_rate"].mean().sort_values().mean()}
    s, g, c = pairs["score"], np.sign(pairs["gold"]), np.sign(pairs["first"] - pairs["second"])
    products = pd.concat([s * s, g * g, c * c, s * g, s * c, g * c], axis=1)
    sums = products.groupby(pairs["chain"]).sum().to_numpy(dtype=float)
    sums = sums[sums[:, 1] > 0]  # as WEval, without chains that have one gold rank only
    plain, with_score, with_gold, partial = _partial(sums)
    unknown = np.isnan(partial)
    where_defined = np.where(unknown, np.nan, plain)
    values = (plain, with_score, with_gold, unknown.astype(float), where_defined, partial)
    table = mean_table(boot, np.stack(values, axis=1), PARTIAL_METRICS[:-1], "all", "all", beside)
    distinct, counts = distinct_rows(sums)
    pooled = boot.interval(lambda n: _partial(n @ distinct)[-1][:, None], counts, "pooled")
    last = (PARTIAL_METRICS[-1], "all", "all", *(x.item() for x in pooled), len(sums))
    row = (*last, *(beside[name] for name in SHARES))
    table = pd.concat([table, pd.DataFrame([row], columns=list(COLUMNS))], ignore_index=True)
    n_pairs, n_defined = int(sums[:, 1].sum()), int(sums[~unknown, 1].sum())
    return table.assign(n_pairs=[n_pairs] * 4 + [n_defined] * 2 + [n_pairs])


def length_matched(
    chains: Sequence[Chain],
    scores: Sequence[ArrayLike],
    tolerance: float = 0.05,
    *,
    n_boot: int = 1000,
    seed: int = 0,
    confidence: float = 0.95,
) -> pd.DataFrame:
    """Pairwise accuracy on the pairs of responses that are about equally long.

    Matched pairs may also lie closer in gold and so be harder; ``mean_gap`` says by how much.

    Args:
        tolerance: by how much the numbers of words of two matched responses may differ, as a
            share of the larger one, 0 to 1.

    Returns:
        ``pairwise_accuracy`` (a tie counts 1/2) and ``tie_rate`` of the pairs with different gold,
        averaged over the chains that have such pairs, for the subsets ("length", "all"), "matched"
        and "unmatched": columns :data:`PAIR_COLUMNS` and ``mean_gap``, the mean number of
        requirements between the two responses. NaN and ``n_pairs`` 0 where there is no pair.

    Raises:
        WfineError: also for a tolerance outside 0 to 1.
    """
    boot = Bootstrap(n_boot, seed, confidence)
    if not 0 <= tolerance <= 1:
        raise WfineError(
            f"length_matched: found tolerance={tolerance}; expected a share from 0 (equal length) "
            "to 1 (any length), such as 0.05."
        )
    pairs = response_pairs(chains, scores).query("gap > 0")
    allowed = tolerance * pairs[["first", "second"]].max(axis=1)
    matched = (pairs["first"] - pairs["second"]).abs() <= allowed + 1e-9  # slack for rounding alone
    subsets = {"all": pairs, "matched": pairs[matched], "unmatched": pairs[~matched]}
    parts = [
        _accuracy(part, "length", name, boot, _told(scores)).assign(mean_gap=part["gap"].mean())
        for name, part in subsets.items()
    ]
    return pd.concat(parts, ignore_index=True)


def by_gap(
    chains: Sequence[Chain],
    scores: Sequence[ArrayLike],
    *,
    n_boot: int = 1000,
    seed: int = 0,
    confidence: float = 0.95,
) -> pd.DataFrame:
    """Pairwise accuracy by how many requirements lie between two responses.

    Returns:
        ``pairwise_accuracy`` (a tie counts 1/2) and ``tie_rate``, averaged over chains, for
        every gap that occurs: subsets ("gap", "1"), …; columns :data:`PAIR_COLUMNS`.

    Raises:
        WfineError: also if no chain has two scored responses of different gold.
    """
    boot = Bootstrap(n_boot, seed, confidence)
    pairs = response_pairs(chains, scores).query("gap > 0")
    if pairs.empty:
        raise WfineError(
            f"by_gap: found no two scored responses with different gold in {len(chains)} chains; "
            "expected at least one such pair. Give chains whose responses differ and are scored."
        )
    beside = _told(scores)
    parts = [_accuracy(part, "gap", f"{gap:g}", boot, beside) for gap, part in pairs.groupby("gap")]
    return pd.concat(parts, ignore_index=True)


def response_pairs(
    chains: Sequence[Chain],
    scores: Sequence[ArrayLike],
    covariate: Sequence[ArrayLike] | None = None,
) -> pd.DataFrame:
    """All pairs of scored responses of the same chain, with the covariate of :func:`partial_tau`.

    Returns:
        ``chain`` (its number), ``score`` (sign of the first minus the second), ``gold``
        (requirements kept by the first minus those kept by the second), ``gap`` (its size),
        ``first, second`` (their covariates), ``pairwise_accuracy, tie_rate`` (0, 1/2 or 1).

    Raises:
        WfineError: scores or covariate do not fit the chains.
    """
    data = scored_chains(chains, scores)
    numbers = LengthScorer().score(chains) if covariate is None else covariate
    along = np.concatenate(checked_scores("covariate", numbers, chains))
    if np.isnan(along).any():
        raise WfineError(
            f"covariate: found {np.isnan(along).sum()} NaN among {len(along)} responses; expected "
            "a finite number for each. Leave out the chains that have none."
        )
    chain = np.repeat(np.arange(len(chains)), data.n_scored)
    columns = {"chain": chain, "score": data.score, "gold": data.gold}
    responses = pd.DataFrame({**columns, "along": along[data.is_used]}).reset_index()
    pairs = responses.merge(responses, on="chain").query("index_x < index_y")
    gold = (pairs["gold_x"] - pairs["gold_y"]).to_numpy(copy=True)
    x, y = (pairs[f"index_{side}"].to_numpy() for side in "xy")
    places = pairs.groupby("chain").indices if data.relations else {}
    for i in data.relations.keys() & places.keys():
        own = places[i]
        known = data.relations[i][x[own] - data.start[i], y[own] - data.start[i]]
        gold[own] = np.where(known, known, np.nan)
    pairs = pairs.assign(gold=gold).dropna(subset="gold")
    sign = (pairs["score_x"] > pairs["score_y"]).astype(int) - (pairs["score_x"] < pairs["score_y"])
    gold = pairs["gold"]
    return pd.DataFrame({
        "chain": pairs["chain"], "score": sign, "gold": gold, "gap": gold.abs(),
        "first": pairs["along_x"], "second": pairs["along_y"],
        "pairwise_accuracy": np.where(sign == 0, 0.5, sign == np.sign(gold)),
        "tie_rate": (sign == 0).astype(float),
    })  # fmt: skip


def _told(scores: Sequence[ArrayLike]) -> dict[str, float]:
    """What stands beside every number but the ties; the share unscored is that of all chains."""
    return told(scores, np.array([np.isnan(np.asarray(s, dtype=float)).mean() for s in scores]))


def _accuracy(
    pairs: pd.DataFrame, kind: str, subset: str, boot: Bootstrap, beside: Mapping[str, float]
) -> pd.DataFrame:
    """:data:`SINGLE_DROP_METRICS` of the pairs, averaged over chains."""
    shares = pairs.groupby("chain")[list(SINGLE_DROP_METRICS)].mean().to_numpy()
    table = mean_table(boot, shares, SINGLE_DROP_METRICS, kind, subset, beside)
    return table.assign(n_pairs=len(pairs))


def _partial(sums: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """tau_sg, tau_sc, tau_gc and the partial tau from sums [..., ss, gg, cc, sg, sc, gc]."""
    ss, gg, cc, sg, sc, gc = np.moveaxis(sums, -1, 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        tau_sg = sg / np.sqrt(np.maximum(ss, 1) * gg)
        tau_sc = sc / np.sqrt(np.maximum(ss, 1) * np.maximum(cc, 1))
        tau_gc = gc / np.sqrt(gg * np.maximum(cc, 1))
        rest = (1 - tau_sc**2) * (1 - tau_gc**2)
        partial = (tau_sg - tau_sc * tau_gc) / np.sqrt(np.where(rest > 1e-12, rest, np.nan))
    return tau_sg, tau_sc, tau_gc, partial
