"""What the policies of the study say to questions 6 and 7 of notebook 06.

Does a reward model that does well on WEval make a policy that adheres better, and which column of
WEval would have warned of a reward model that likes length? See :mod:`wfine_study.answers`.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from wfine_study.answers import AS_TRAINED, TAU, Matrix, answer, chain_values, with_holm
from wfine_study.cells import (
    PolicyCell,
    RewardCell,
    StudySettings,
    all_cells,
    clean_cell,
    length_cell,
)
from wfine_study.exam import exam_chains
from wfine_utils.chains.taxonomy import Chain
from wfine_utils.chains.units import enough_units
from wfine_utils.weval.baselines import LengthScorer
from wfine_utils.weval.controls import length_matched, partial_tau
from wfine_utils.weval.scorers import Scores, scores_from_table

_MEASURES = {  # of a policy's answers, and their columns in ``per_query.parquet``
    "adherence": "mean", "all_met": "all met", "words": "n_words", "reward": "reward", "kl": "kl",
    "share_cut": "is_cut",
}  # fmt: skip


def policy_cells(settings: StudySettings) -> list[PolicyCell]:
    """The policies of questions 6 and 7, each once."""
    return [cell for cell in all_cells(settings) if isinstance(cell, PolicyCell)]


def policy_table(settings: StudySettings, folder: Path) -> pd.DataFrame:
    """Every reward model that has a policy: its WEval columns, and what the policy did.

    Returns:
        One row per policy: ``slug`` of the reward model, ``label``, ``n_pairs`` it was trained on,
        WEval ``kendall_tau_b``, ``partial_tau`` (length partialled out),
        ``accuracy_length_matched``, ``tau_with_length`` (of its scores with the number of words);
        ``adherence``, ``all_met``, ``words``, ``reward``, ``kl`` and ``share_cut`` of the policy,
        each ``_before`` and ``_after``, means over ``n_queries``.
    """
    rows = []
    for cell in policy_cells(settings):
        model = cell.reward_cell
        row = {"slug": model.slug, "label": cell_label(model), "n_pairs": model.n_pairs}
        row |= weval_columns(model, settings, folder)
        before, after = _per_query(cell, folder)
        for name, column in _MEASURES.items():
            row[f"{name}_before"] = before[column].mean()
            row[f"{name}_after"] = after[column].mean()
        rows.append(row | {"n_queries": len(after)})
    return pd.DataFrame(rows)


def policy_gains(settings: StudySettings, folder: Path, *, n_boot: int = 1000) -> pd.DataFrame:
    """Adherence after RL minus before, on the same test queries: one answer per policy.

    Holm's correction is over the policies.
    """
    rows = []
    for cell in policy_cells(settings):
        before, after = (table["mean"].to_numpy(dtype=float) for table in _per_query(cell, folder))
        quantity = f"adherence after RL minus before, reward model {cell_label(cell.reward_cell)}"
        change = (after - before)[:, None]
        rows.append(answer(6, quantity, change, "queries", n_boot=n_boot, seed=settings.seed))
    return with_holm(rows)


def _per_query(cell: PolicyCell, folder: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """What a policy did with the test queries before and after RL, in the order of the queries."""
    table = pd.read_parquet(folder / cell.slug / "per_query.parquet")
    before, after = (
        table[table["policy"] == name].set_index("query").sort_index()
        for name in ("before", "after")
    )
    return before, after


def cell_label(cell: RewardCell) -> str:
    """A reward model by what sets it apart from the clean one, for figures."""
    if cell.noise:
        return f"{cell.noise.replace('_', ' ')} {cell.share:.0%}"
    held_out = [str(x) for x in (cell.hold_out_type, cell.hold_out_category) if x]
    held_out += [f"{n} sentences" for n in cell.hold_out_values]
    if held_out:
        return f"never saw {', '.join(held_out)}"
    return "whole prompt" if cell.granularity == "prompt" else f"clean, {cell.n_pairs:,} pairs"


def weval_columns(cell: RewardCell, settings: StudySettings, folder: Path) -> dict[str, float]:
    """The columns of WEval that might warn of a bias, for one reward model."""
    chains, scores = exam_scores(cell, settings, folder)
    controlled = partial_tau(chains, scores, n_boot=0).set_index("metric")["value"].to_dict()
    matched = length_matched(chains, scores, n_boot=0)
    matched = matched.query("subset == 'matched' and metric == 'pairwise_accuracy'")
    return {
        TAU: float(chain_values(folder, [cell]).mean()),
        "partial_tau": controlled["pooled_partial_tau_b"],
        "accuracy_length_matched": float(matched["value"].iloc[0]),
        "tau_with_length": float(_tau_with_length(cell, settings, folder).mean()),
    }


def exam_scores(
    cell: RewardCell, settings: StudySettings, folder: Path, used: str = AS_TRAINED
) -> tuple[list[Chain], Scores]:
    """The test chains of the study, and a reward model's scores of their responses."""
    chains = exam_chains(settings.n_test_chains, settings.seed)
    table = pd.read_parquet(folder / cell.slug / "scores.parquet")
    return chains, scores_from_table(table.rename(columns={"used": "scorer"}), chains)[used]


def weval_against_adherence(
    table: pd.DataFrame, *, at_most: int | None = None, n_boot: int = 1000, seed: int = 0
) -> pd.DataFrame:
    """Does τ-b of a reward model predict the adherence of the policy trained on it?

    Args:
        table: of :func:`policy_table`, at least three rows.
        at_most: the same once more among reward models of at most so many pairs, where there are
            others: a few good ones may make a correlation that the rest does not show.
        n_boot: bootstrap draws over reward models for Spearman's ρ.

    Returns:
        Answers: Pearson's r (Fisher's interval) and Spearman's ρ (bootstrap) of τ-b with adherence
        after RL, over reward models, no intervals where these are too few; p-values by permutation.
        Holm's correction over both.
    """
    rows = _correlations(table, "", n_boot, seed)
    smaller = table[table["n_pairs"] <= at_most] if at_most is not None else table
    if 3 <= len(smaller) < len(table):
        rows += _correlations(smaller, f", up to {at_most:,} pairs", n_boot, seed)
    return with_holm(rows)


def _correlations(table: pd.DataFrame, among: str, n_boot: int, seed: int) -> list[dict[str, Any]]:
    what = f"of τ-b with adherence after RL{among}"
    names = [f"Pearson's r {what}", f"Spearman's ρ {what}"]
    x, y = table[TAU].to_numpy(dtype=float), table["adherence_after"].to_numpy(dtype=float)
    if np.ptp(x) < 1e-12 or np.ptp(y) < 1e-12:  # as in WEval: what is constant predicts nothing
        nothing = {"value": 0.0, "p_value": 1.0, "n": len(x), "unit": "reward models"}
        return [{"question": 6, "quantity": name} | nothing for name in names]
    pearson: Any = (np.nan, np.nan)
    spearman: Any = pearson
    if enough_units(len(x)):
        pearson = stats.pearsonr(x, y).confidence_interval(0.95)
        draws = np.random.default_rng(seed).integers(len(x), size=(n_boot, len(x)))
        draws = draws[[len(set(draw)) > 2 for draw in draws]]
        ranks = [stats.rankdata(v[draws], axis=1) for v in (x, y)]
        spearman = np.nanquantile(_pearson(*ranks), (0.025, 0.975))
    rows = []
    for name, interval, a, b in (  # Spearman's ρ is Pearson's r of the ranks
        (names[0], pearson, x, y),
        (names[1], spearman, stats.rankdata(x), stats.rankdata(y)),
    ):
        test = stats.permutation_test(
            (b,), partial(_pearson, a), permutation_type="pairings", vectorized=True,
            n_resamples=9999, rng=np.random.default_rng(seed),
        )  # fmt: skip
        rows.append({
            "question": 6, "quantity": name, "value": float(test.statistic),
            "ci_low": float(interval[0]), "ci_high": float(interval[1]),
            "p_value": float(test.pvalue), "cohens_d": np.nan, "n": len(x), "unit": "reward models",
        })  # fmt: skip
    return rows


def _pearson(a: Matrix, b: Matrix, axis: int = -1) -> Matrix:
    return stats.pearsonr(a, b, axis=axis).statistic


def length_hacking(settings: StudySettings, folder: Path, *, n_boot: int = 1000) -> pd.DataFrame:
    """The policy of a reward model with a length bias against that of the clean one.

    Returns:
        Answers on the same test queries, biased minus clean: words, adherence, all met. And on the
        same test chains, biased minus clean: τ-b, and τ of the scores with length, the
        column that would have warned. Holm's correction over all of them.
    """
    draws: dict[str, Any] = {"n_boot": n_boot, "seed": settings.seed}
    seed = settings.seeds[0]
    models = clean_cell(settings, seed), length_cell(settings, seed)
    clean, biased = (_per_query(PolicyCell(seed=seed, reward_cell=m), folder)[1] for m in models)
    rows = []
    for name in ("words", "adherence", "all_met"):
        quantity = f"{name.replace('_', ' ')} of the policy, length-biased minus clean reward"
        column = _MEASURES[name]
        change = (biased[column] - clean[column]).to_numpy(dtype=float)[:, None]
        rows.append(answer(7, quantity, change, "queries", **draws))
    tau = [chain_values(folder, [model]) for model in models]
    with_length = [_tau_with_length(model, settings, folder) for model in models]
    for quantity, (clean_values, biased_values) in (
        ("τ-b of the reward model, length-biased minus clean", tau),
        ("τ of scores with length, length-biased minus clean", with_length),
    ):
        rows.append(answer(7, quantity, biased_values - clean_values, "chains", **draws))
    return with_holm(rows)


def _tau_with_length(cell: RewardCell, settings: StudySettings, folder: Path) -> Matrix:
    """Tau-b of a model's scores with the number of words, chain by chain: shape [chains, 1]."""
    chains, scores = exam_scores(cell, settings, folder)
    lengths = LengthScorer().score(chains)
    taus = [stats.kendalltau(s, w).statistic for s, w in zip(scores, lengths, strict=True)]
    return np.nan_to_num(taus)[:, None]  # no correlation where all are equal
