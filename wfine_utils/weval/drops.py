"""What a single dropped requirement does: to any number of a text, and to a scorer, by type."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import permutations

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from wfine_utils.chains.taxonomy import Chain, Requirement, RequirementType, Response
from wfine_utils.weval.evaluation import mean_table, per_chain, told
from wfine_utils.weval.metrics import METRICS
from wfine_utils.weval.resampling import Bootstrap, paired_difference

UNDETERMINED = "undetermined"


def drop_shifts(
    chains: Sequence[Chain], values: Sequence[ArrayLike], *, n_boot: int = 1000, seed: int = 0
) -> pd.DataFrame:
    """By how much a number changes from a response to one that drops one requirement more.

    Args:
        values: [chains][responses], such as words or a log-likelihood; NaN where there is none.
        n_boot, seed: as in :class:`Bootstrap`, over chains, and of the sign flips.

    Returns:
        One row per type of the dropped requirement, "unlabelled" where it has none, and for "all":
        ``type, value`` (mean of dropped minus kept), ``ci_low, ci_high, p_value, cohens_d, n``
        steps, ``n_chains``. The steps of a chain are drawn, and their signs flipped, together.
    """
    steps = [
        (i, str(dropped.type or "unlabelled"), worse_value, better_value)
        for i, (chain, numbers) in enumerate(zip(chains, values, strict=True))
        for (better, better_value), (worse, worse_value) in permutations(
            zip(chain.responses, np.asarray(numbers, dtype=float), strict=True), 2
        )
        if better.gold > worse.gold and (dropped := _only_difference(chain, better, worse))
    ]
    table = pd.DataFrame(steps, columns=["chain", "type", "dropped", "kept"])
    rows = []
    for name in [*sorted(table["type"].unique()), "all"]:
        part = table if name == "all" else table[table["type"] == name]
        shift = paired_difference(
            part["dropped"], part["kept"], units=part["chain"], n_boot=n_boot, seed=seed
        )
        sizes = {"value": shift.difference, "n": len(part.dropna()), "n_chains": shift.n}
        rows.append({"type": name} | shift._asdict() | sizes)
    columns = ["type", "value", "ci_low", "ci_high", "p_value", "cohens_d", "n", "n_chains"]
    return pd.DataFrame(rows)[columns]


def by_type_dropped_first(
    chains: Sequence[Chain],
    scores: Sequence[ArrayLike],
    *,
    n_boot: int = 1000,
    seed: int = 0,
    confidence: float = 0.95,
) -> pd.DataFrame:
    """WEval by the type of the requirement that a chain drops first.

    Returns:
        As ``weval.evaluate``, whose arguments and errors these are, for the subsets ("type dropped
        first", type). A chain belongs to a type if its best responses keep one requirement of this
        type more than those of the second gold rank, and differ in nothing else; all others are in
        the subset "undetermined".
    """
    boot = Bootstrap(n_boot, seed, confidence)
    values = per_chain(chains, scores).to_numpy()
    kinds = pd.Series([type_dropped_first(chain) or UNDETERMINED for chain in chains], dtype=str)
    tables = []
    for name in [*map(str, RequirementType), UNDETERMINED]:
        if (part := kinds == name).any():
            beside = told(scores, values[part, -1])
            columns = values[part], METRICS, "type dropped first", name, beside
            tables.append(mean_table(boot, *columns))
    return pd.concat(tables, ignore_index=True)


def type_dropped_first(chain: Chain) -> RequirementType | None:
    """Type of the only requirement between the two highest gold ranks; None if there is none."""
    levels = sorted(set(chain.gold), reverse=True)[:2]
    best, second = ([r for r in chain.responses if r.gold == k] for k in (*levels, -1)[:2])
    dropped = [_only_difference(chain, better, worse) for better in best for worse in second]
    types = {requirement.type if requirement else None for requirement in dropped}
    return types.pop() if len(types) == 1 else None


def _only_difference(chain: Chain, a: Response, b: Response) -> Requirement | None:
    """The one requirement that only one of two responses keeps; None if there is not just one."""
    flags = zip(chain.requirements, a.kept, b.kept, strict=True)
    differ = [requirement for requirement, in_a, in_b in flags if in_a != in_b]
    return differ[0] if len(differ) == 1 else None
