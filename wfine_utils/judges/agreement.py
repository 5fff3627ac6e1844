"""Agreement of judges: which requirements a response meets.

A judge is a person, a model, the checkers or the construction of a chain itself; the last two
can be compared without asking anybody (:func:`chain_verdicts`). The coefficients and the intervals
over chains are those of :mod:`wfine_utils.weval.agreement`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from itertools import combinations

import numpy as np
import pandas as pd

from wfine_utils.chains.taxonomy import Chain
from wfine_utils.checks.drop_validity import drop_outcomes
from wfine_utils.errors import WfineError
from wfine_utils.weval.agreement import (
    AGREEMENT_METRICS,
    Statistic,
    bootstrap_chains,
    check_columns,
    fleiss_kappa,
    krippendorff_alpha,
    most_frequent,
    one_row_per_unit,
    value_counts,
)
from wfine_utils.weval.resampling import FloatArray

VERDICT_COLUMNS = ("judge", "chain_id", "response", "requirement", "verdict")
VERDICT_METRICS = (*AGREEMENT_METRICS, "share_equal")
CONSTRUCTION, CHECKERS = "construction", "checkers"


def chain_verdicts(chains: Sequence[Chain]) -> pd.DataFrame:
    """What construction and checkers say of every requirement, for :func:`verdict_agreement`.

    Args:
        chains: chains with or without machine checks.

    Returns:
        Columns :data:`VERDICT_COLUMNS` and ``type``, one row per judge, response and requirement.
        :data:`CONSTRUCTION` says 1 where the requirement was in the instruction, else 0;
        :data:`CHECKERS` say 1 where the response meets it, NaN where no machine can judge.
    """
    table = drop_outcomes(chains)
    judges = {CONSTRUCTION: table["kept"], CHECKERS: table["holds"]}
    parts = [
        table.assign(
            judge=judge, verdict=verdict.astype("Float64").to_numpy(float, na_value=np.nan)
        )
        for judge, verdict in judges.items()
    ]
    return pd.concat(parts, ignore_index=True)[[*VERDICT_COLUMNS, "type"]]


def verdict_agreement(
    table: pd.DataFrame, *, n_boot: int = 1000, seed: int = 0, confidence: float = 0.95
) -> pd.DataFrame:
    """How far judges agree on which requirements a response meets.

    ==================  ====================================================================
    krippendorff_alpha  nominal alpha; a unit is one requirement of one response
    fleiss_kappa        Fleiss' kappa of the units with the most frequent number of verdicts
    kendall_tau_b       tau-b of two judges over all units, for verdicts of 0 and 1 the same as
                        the phi coefficient; 0 if one of them always says the same, NaN if
                        both do
    share_equal         share of the units on which two judges say the same
    ==================  ====================================================================

    The last two are means over pairs of judges.

    Args:
        table: columns :data:`VERDICT_COLUMNS`; ``verdict`` is 1 (met), 0 (not met) or NaN (no
            verdict). For results by type, give the part of the table with that type.
        n_boot: bootstrap draws over chains; 0 leaves the intervals NaN.
        seed: seed of the draws.
        confidence: coverage of the percentile interval, between 0 and 1.

    Returns:
        Tidy: ``judge_a, judge_b, metric, value, ci_low, ci_high, n_chains, n_items,
        nan_rate``, for each pair of judges, and before them for "all" where there are more than
        two. ``n_items`` counts the units used; ``nan_rate`` is the share of the verdicts that
        these judges do not give.

    Raises:
        WfineError: a column is missing, fewer than two judges, another verdict than 0, 1 or
            NaN, or two verdicts of one judge on the same unit.
    """
    wide = one_row_per_unit(table, VERDICT_COLUMNS, "verdict_agreement")
    if wide.shape[1] < 2 or not wide.isin([0.0, 1.0, np.nan]).all(axis=None):
        odd = sorted({v for v in wide.to_numpy().ravel().tolist() if v == v} - {0.0, 1.0})
        raise WfineError(
            f"verdict_agreement: found {wide.shape[1]} judges and the verdicts {odd[:5]} besides 0 "
            "and 1; expected two judges at least and no verdicts but 0, 1 and NaN."
        )
    judges = list(wide.columns)
    groups = [(a, b, [a, b]) for a, b in combinations(judges, 2)]
    if len(judges) > 2:
        groups.insert(0, ("all", "all", judges))
    rows = []
    for a, b, members in groups:
        verdicts = wide[members]
        n = verdicts.notna().sum(axis=1)
        nan_rate = 1 - n.sum() / verdicts.size
        verdicts, n = verdicts[n > 1], n[n > 1]
        usual = most_frequent(n.tolist())
        statistic = _verdict_statistic(usual)
        by_chain = [part.to_numpy() for _, part in verdicts.groupby(level="chain_id")]
        intervals = bootstrap_chains(
            by_chain, statistic, len(VERDICT_METRICS), n_boot, seed, confidence
        )
        for metric, interval in zip(VERDICT_METRICS, intervals, strict=True):
            used = n[n == usual] if metric == "fleiss_kappa" else n
            n_chains = used.index.get_level_values("chain_id").nunique()
            rows.append((a, b, metric, *interval, n_chains, len(used), nan_rate))
    names = ["judge_a", "judge_b", "metric", "value", "ci_low", "ci_high",
             "n_chains", "n_items", "nan_rate"]  # fmt: skip
    return pd.DataFrame(rows, columns=names)


def _verdict_statistic(usual: int) -> Statistic:
    """:data:`VERDICT_METRICS` of verdicts [units, judges]; kappa of units with ``usual`` many."""

    def statistic(rows: FloatArray) -> list[float]:
        counts = value_counts(rows, np.array([0.0, 1.0]))
        pairs = [
            _two_judges(rows[:, a], rows[:, b]) for a, b in combinations(range(rows.shape[1]), 2)
        ]
        tau, equal = (_mean(column) for column in zip(*pairs, strict=True))
        complete = counts[counts.sum(axis=1) == usual]
        return [krippendorff_alpha(counts, "nominal"), fleiss_kappa(complete), tau, equal]

    return statistic


def _two_judges(x: FloatArray, y: FloatArray) -> tuple[float, float]:
    """Tau-b and share of equal verdicts, both 0 or 1, over the units that both judged."""
    both = ~np.isnan(x) & ~np.isnan(y)
    x, y = x[both], y[both]
    if len(x) == 0:
        return float("nan"), float("nan")
    n, n_x, n_y, n_xy = float(len(x)), x.sum(), y.sum(), x @ y
    square = n_x * (n - n_x) * n_y * (n - n_y)
    if square:
        tau = float((n_xy * n - n_x * n_y) / np.sqrt(square))
    else:
        both_constant = n_x in (0, n) and n_y in (0, n)
        tau = float("nan") if both_constant else 0.0
    return tau, float(np.mean(x == y))


def _mean(values: Sequence[float]) -> float:
    known = [v for v in values if not math.isnan(v)]
    return sum(known) / len(known) if known else float("nan")


UNIT = ["chain_id", "response", "requirement"]


def requirement_verdicts(
    probabilities: pd.DataFrame, chains: Sequence[Chain], *, judge: str
) -> pd.DataFrame:
    """A reward model's probabilities that requirements are met, as verdicts of a judge.

    Args:
        probabilities: ``chain_id, response, requirement, probability``, as the study keeps them in
            ``verdicts.parquet``; more chains than ``chains`` do no harm.
        chains: the chains to judge.
        judge: how tables call the reward model.

    Returns:
        Columns ``verdict_agreement.VERDICT_COLUMNS``, one row per requirement of every response:
        ``verdict`` is 1 from a probability of 0.5 on, as for ``RequirementJudge``, else 0, and NaN
        where the probability is NaN.

    Raises:
        WfineError: a column or a requirement is missing, or a probability is not in [0, 1].
    """
    check_columns(probabilities, [*UNIT, "probability"], "requirement_verdicts")
    known = probabilities.set_index(UNIT)["probability"].astype(float)
    units = pd.MultiIndex.from_frame(_units(chains))
    missing = units.difference(known.index)
    if len(missing) or known.index.has_duplicates or not known.dropna().between(0, 1).all():
        raise WfineError(
            f"requirement_verdicts: {judge}: found no probability for {len(missing)} of "
            f"{len(units)} requirements of responses, {known.index.duplicated().sum()} rows too "
            f"many, and values from {known.min():g} to {known.max():g}; expected exactly one "
            "probability in [0, 1] for each. Give the chains that the model was examined on, and "
            "a model that reads one requirement at a time: one of whole prompts has no verdicts."
        )
    probability = known.loc[units].to_numpy()
    verdict = np.where(np.isnan(probability), np.nan, probability >= 0.5)
    table = units.to_frame(index=False).assign(judge=judge, verdict=verdict)
    return table[list(VERDICT_COLUMNS)]


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
        verdict_tables: of one judge or several each, with the columns
            ``verdict_agreement.VERDICT_COLUMNS`` and any others: of :func:`requirement_verdicts`,
            or of ``RequirementJudge.verdicts``. A requirement without a row has no verdict. A
            critic's marks are no verdicts: say first from which mark on a requirement is met.
        chains: the chains that were judged; rows of others are left out.
        n_boot: bootstrap draws over chains; 0 leaves the intervals NaN.
        seed: seed of the draws.
        confidence: coverage of the percentile interval, between 0 and 1.

    Returns:
        Tidy, one row per two judges and metric of :func:`~wfine_utils.judges.agreement.
        verdict_agreement`: ``judge_a, judge_b, metric, value, ci_low, ci_high, n_chains, n_units,
        nan_rate``. Judges stand in the order given, then construction, then checkers.
        ``n_units`` counts the requirements of responses on which both gave a verdict; ``nan_rate``
        is the share of verdicts that the two do not give.

    Raises:
        WfineError: a column is missing, a name occurs twice or is one of the two above, a
            judge has no verdict on these chains, or a verdict is not 0, 1 or NaN.
    """
    reference = chain_verdicts(chains)
    judges: dict[str, pd.DataFrame] = {}
    for table in verdict_tables:
        check_columns(table, VERDICT_COLUMNS, "judge_table")
        for name, part in table.groupby("judge", sort=False):
            if name in judges or name in (CONSTRUCTION, CHECKERS):
                raise WfineError(
                    f"judge_table: found two judges called {name!r}; expected a name of its own "
                    f"for each, and none called {CONSTRUCTION!r} or {CHECKERS!r}. Give the judge "
                    "another name."
                )
            judges[name] = _of_units(part, chains)
            if judges[name]["verdict"].isna().all():
                raise WfineError(
                    f"judge_table: found no verdict of {name!r} on the {len(chains)} chains given; "
                    "expected one at least. Give the chains that were judged; where they were, see "
                    "judges.count_problems for what was wrong with the replies."
                )
    judges |= {name: reference[reference["judge"] == name] for name in (CONSTRUCTION, CHECKERS)}
    how = {"n_boot": n_boot, "seed": seed, "confidence": confidence}
    found = [
        verdict_agreement(pd.concat([judges[a], judges[b]], ignore_index=True), **how).assign(
            judge_a=a, judge_b=b
        )
        for a, b in combinations(judges, 2)
    ]
    return pd.concat(found, ignore_index=True).rename(columns={"n_items": "n_units"})


def _units(chains: Sequence[Chain]) -> pd.DataFrame:
    """Every requirement of every response, columns :data:`UNIT`."""
    rows = [
        (chain.chain_id, i, j)
        for chain in chains
        for i in range(len(chain.responses))
        for j in range(len(chain.requirements))
    ]
    return pd.DataFrame(rows, columns=UNIT)


def _of_units(table: pd.DataFrame, chains: Sequence[Chain]) -> pd.DataFrame:
    """The verdicts of one judge on these chains alone; NaN for a unit without a row."""
    name = table["judge"].iloc[0]
    part = _units(chains).merge(table[[*UNIT, "verdict"]], how="left", on=UNIT)
    return part.assign(judge=name)
