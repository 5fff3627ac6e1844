"""Agreement of judges on which requirements a response meets.

A judge is a person, a language model, a reward model, the checkers or the construction of a chain;
the last two can be compared without asking anybody (:func:`chain_verdicts`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import combinations

import numpy as np
import pandas as pd

from wfine_utils.chains.taxonomy import Chain
from wfine_utils.checks.drop_validity import drop_outcomes
from wfine_utils.errors import WfineError
from wfine_utils.judges.judges import UNIT
from wfine_utils.weval import agreement
from wfine_utils.weval.resampling import Bootstrap, FloatArray

VERDICT_COLUMNS = ["judge", *UNIT, "verdict"]
VERDICT_METRICS = ("krippendorff_alpha", "fleiss_kappa", "kendall_tau_b", "share_equal")
CONSTRUCTION, CHECKERS = "construction", "checkers"


def chain_verdicts(chains: Sequence[Chain]) -> pd.DataFrame:
    """What construction and checkers say of every requirement, for :func:`verdict_agreement`.

    Returns:
        Columns :data:`VERDICT_COLUMNS` and ``type``, one row per judge, response and requirement.
        :data:`CONSTRUCTION` says 1 where the requirement was in the instruction, else 0;
        :data:`CHECKERS` say 1 where the response meets it, NaN where no machine can judge.
    """
    table = drop_outcomes(chains).rename(columns={"kept": CONSTRUCTION, "holds": CHECKERS})
    table = table.astype({CONSTRUCTION: "Float64", CHECKERS: "Float64"})
    long = table.melt([*UNIT, "type"], [CONSTRUCTION, CHECKERS], "judge", "verdict")
    return long.astype({"verdict": float})[[*VERDICT_COLUMNS, "type"]]


def verdict_agreement(
    table: pd.DataFrame,
    *,
    judges: Sequence[str] | None = None,
    n_boot: int = 1000,
    seed: int = 0,
    confidence: float = 0.95,
) -> pd.DataFrame:
    """How far every two judges agree on which requirements a response meets.

    ==================  ====================================================================
    krippendorff_alpha  nominal alpha; a unit is one requirement of one response
    fleiss_kappa        Fleiss' kappa
    kendall_tau_b       tau-b over all units, for verdicts of 0 and 1 the same as the phi
                        coefficient; 0 if one judge always says the same, NaN if both do
    share_equal         share of the units on which the two say the same
    ==================  ====================================================================

    Args:
        table: columns :data:`VERDICT_COLUMNS`; ``verdict`` is 1 (met), 0 (not met) or NaN (none).
        judges: whom to compare, in this order; None for all, by name.
        n_boot, seed, confidence: as for :class:`~wfine_utils.weval.resampling.Bootstrap`.

    Returns:
        One row per two judges and metric: ``judge_a, judge_b, metric, value, ci_low, ci_high,
        n_chains, n_units, nan_rate``. ``n_units`` counts the units on which both gave a verdict;
        ``nan_rate`` is the share of verdicts that the two do not give.

    Raises:
        WfineError: a missing column, fewer than two judges, another verdict than 0, 1 or NaN, or
            two verdicts of one judge on the same unit.
    """
    wide = agreement.one_row_per_unit(table, VERDICT_COLUMNS, "verdict_agreement")
    if wide.shape[1] < 2 or not wide.isin([0.0, 1.0, np.nan]).all(axis=None):
        odd = sorted({v for v in wide.to_numpy().ravel().tolist() if v == v} - {0.0, 1.0})
        raise WfineError(
            f"verdict_agreement: found {wide.shape[1]} judges and the verdicts {odd[:5]} besides 0 "
            "and 1; expected two judges at least and no verdicts but 0, 1 and NaN."
        )
    boot = Bootstrap(n_boot, seed, confidence)
    rows = []
    for a, b in combinations(wide.columns if judges is None else judges, 2):
        both = wide[[a, b]].dropna()
        nan_rate = wide[[a, b]].isna().mean(axis=None)
        chain_ids = both.index.get_level_values("chain_id")
        intervals = agreement.bootstrap_chains(both.to_numpy(), chain_ids, _coefficients, boot)
        for metric, interval in zip(VERDICT_METRICS, intervals, strict=True):
            rows.append((a, b, metric, *interval, chain_ids.nunique(), len(both), nan_rate))
    columns = "judge_a judge_b metric value ci_low ci_high n_chains n_units nan_rate".split()
    return pd.DataFrame(rows, columns=columns)


def _coefficients(verdicts: FloatArray) -> list[float]:
    """:data:`VERDICT_METRICS` of the verdicts 0 and 1 of two judges, shape [units, 2]."""
    counts = agreement.value_counts(verdicts, np.array([0.0, 1.0]))
    x, y = verdicts.T
    n, n_x, n_y = float(len(x)), x.sum(), y.sum()
    tau = float("nan")  # also of two judges who always say the same
    if square := n_x * (n - n_x) * n_y * (n - n_y):
        tau = float((x @ y * n - n_x * n_y) / np.sqrt(square))
    elif 0 < n_x < n or 0 < n_y < n:
        tau = 0.0
    equal = float(np.mean(x == y)) if len(x) else float("nan")
    alpha = agreement.krippendorff_alpha(counts, "nominal")
    return [alpha, agreement.fleiss_kappa(counts), tau, equal]


def requirement_verdicts(
    probabilities: pd.DataFrame, chains: Sequence[Chain], *, judge: str
) -> pd.DataFrame:
    """A reward model's probabilities that requirements are met, as verdicts of a judge.

    Args:
        probabilities: ``chain_id, response, requirement, probability``, as in the study's
            ``verdicts.parquet``; rows of other chains do no harm.
        judge: how tables call the reward model.

    Returns:
        Columns :data:`VERDICT_COLUMNS`, one row per requirement of every response: ``verdict`` is
        1 from a probability of 0.5 on, else 0, NaN where the probability is NaN.

    Raises:
        WfineError: a column or a requirement is missing, or a probability is not in [0, 1].
    """
    agreement.check_columns(probabilities, [*UNIT, "probability"], "requirement_verdicts")
    known = probabilities.set_index(UNIT)["probability"].astype(float)
    units = pd.MultiIndex.from_frame(_units(chains))
    n_missing = int((~units.isin(known.index)).sum())
    if n_missing or known.index.has_duplicates or not known.dropna().between(0, 1).all():
        raise WfineError(
            f"requirement_verdicts: {judge}: found no probability for {n_missing} of {len(units)} "
            f"requirements of responses, {known.index.duplicated().sum()} rows too many, and values"
            f" from {known.min():g} to {known.max():g}; expected one in [0, 1] for each. Give the "
            "chains that the model was examined on, and a model that reads one requirement at a "
            "time: one of whole prompts has no verdicts."
        )
    probability = known.loc[units].to_numpy()
    verdict = np.where(np.isnan(probability), np.nan, probability >= 0.5)
    table = units.to_frame(index=False).assign(judge=judge, verdict=verdict)
    return table[VERDICT_COLUMNS]


def judge_table(
    verdict_tables: Iterable[pd.DataFrame],
    chains: Sequence[Chain],
    *,
    n_boot: int = 1000,
    seed: int = 0,
    confidence: float = 0.95,
) -> pd.DataFrame:
    """How far judges agree with the construction of the chains, the checkers and each other.

    Args:
        verdict_tables: of one judge or several each, by :func:`requirement_verdicts` or
            ``RequirementJudge.verdicts``. A requirement without a row has no verdict. A critic's
            marks are no verdicts: say first from which mark on a requirement is met.
        chains: that were judged; rows of others are left out.
        n_boot, seed, confidence: as for :class:`~wfine_utils.weval.resampling.Bootstrap`.

    Returns:
        As :func:`verdict_agreement`: judges in this order, then construction, then checkers.

    Raises:
        WfineError: a column is missing, a name occurs twice or is one of the two above, a
            judge has no verdict on these chains, or a verdict is not 0, 1 or NaN.
    """
    judges: dict[str, pd.DataFrame] = {}
    for table in verdict_tables:
        agreement.check_columns(table, VERDICT_COLUMNS, "judge_table")
        for name in map(str, table["judge"].unique()):
            if name in judges or name in (CONSTRUCTION, CHECKERS):
                raise WfineError(
                    f"judge_table: found two judges called {name!r}; expected different names, "
                    f"none of them {CONSTRUCTION!r} or {CHECKERS!r}. Give the judge another name."
                )
            part = table.loc[table["judge"] == name, [*UNIT, "verdict"]]
            judges[name] = _units(chains).merge(part, how="left", on=UNIT).assign(judge=name)
            if judges[name]["verdict"].isna().all():
                raise WfineError(
                    f"judge_table: found no verdict of {name!r} on the {len(chains)} chains, "
                    "expected one at least. Give the chains that were judged; count_problems says "
                    "what was wrong with replies."
                )
    table = pd.concat([*judges.values(), chain_verdicts(chains)], ignore_index=True)
    names = [*judges, CONSTRUCTION, CHECKERS]
    return verdict_agreement(table, judges=names, n_boot=n_boot, seed=seed, confidence=confidence)


def _units(chains: Sequence[Chain]) -> pd.DataFrame:
    """Every requirement of every response, columns :data:`UNIT`."""
    sizes = [(c.chain_id, len(c.responses), len(c.requirements)) for c in chains]
    rows = [(chain_id, i, j) for chain_id, n, m in sizes for i, j in np.ndindex(n, m)]
    return pd.DataFrame(rows, columns=UNIT)
