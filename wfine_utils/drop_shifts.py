"""What else changes when a requirement is dropped: length, fluency, or any number per response."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from wfine_utils.resampling import paired_difference
from wfine_utils.taxonomy import Chain


def drop_shifts(
    chains: Sequence[Chain], values: Sequence[ArrayLike], *, n_boot: int = 1000, seed: int = 0
) -> pd.DataFrame:
    """By how much a number changes from a response to one that drops one requirement more.

    Args:
        chains: any.
        values: shape [chains][responses], such as words or a log-likelihood; NaN where there is
            none.
        n_boot: bootstrap draws.
        seed: of the draws and of the sign flips.

    Returns:
        One row per type of the dropped requirement, "unlabelled" where it has none, and one for
        "all": ``type, value`` (mean of dropped minus kept), ``ci_low, ci_high, p_value, cohens_d,
        n`` steps. Steps of one chain are taken as independent of each other.
    """
    steps = [
        (str(chain.requirements[differ[0]].type or "unlabelled"), float(v[j]) - float(v[i]))
        for chain, given in zip(chains, values, strict=True)
        for v in [np.asarray(given, dtype=float)]
        for i, better in enumerate(chain.responses)
        for j, worse in enumerate(chain.responses)
        if better.gold == worse.gold + 1
        for differ in [[k for k, (a, b) in enumerate(zip(better.kept, worse.kept, strict=True))
                        if a != b]]
        if len(differ) == 1
    ]  # fmt: skip
    table = pd.DataFrame(steps, columns=["type", "shift"])
    rows = []
    for name in [*sorted(table["type"].unique()), "all"]:
        part = table if name == "all" else table[table["type"] == name]
        shift = part["shift"].to_numpy(dtype=float)
        found = paired_difference(shift, np.zeros(len(shift)), n_boot=n_boot, seed=seed)
        rows.append({
            "type": name, "value": found.difference, "ci_low": found.ci_low,
            "ci_high": found.ci_high, "p_value": found.p_value, "cohens_d": found.cohens_d,
            "n": found.n,
        })  # fmt: skip
    return pd.DataFrame(rows)
