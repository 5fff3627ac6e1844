"""The few numbers to remember of a preset, from its tables."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from wfine_utils.readers import MissingRun
from wfine_utils.tables import read_adherence, read_answers, table_t2, table_t6
from wfine_utils.taxonomy import RequirementType

NULL_BASELINES = ("constant", "random", "coin flip", "length", "minus length", "word overlap")
"""Scorers that know nothing of writing; the headline shows only the best of them."""


def headline(folder: Path) -> pd.DataFrame:
    """The few numbers to remember of a preset; what is not computed yet is left out.

    Args:
        folder: folder of the preset, ``outputs/<preset>``.

    Returns:
        ``quantity, value, ci_low, ci_high, n``: Kendall tau-b of every scorer but the null
        baselines and of the best null baseline; the policies' adherence over all types; of the
        study what dirt costs, what the filter gives and whether WEval predicts RL; minutes and
        peak memory of the whole run (no interval there, and no n). A scorer without a value is
        left out.
    """
    rows: list[dict[str, object]] = []
    for part in (_headline_weval, _headline_policies, _headline_study, _headline_cost):
        try:
            rows += part(folder)
        except MissingRun:
            continue
    table = pd.DataFrame(rows, columns=["quantity", "value", "ci_low", "ci_high", "n"])
    # a scorer that could score nothing, as the oracle on chains without checks
    return table.dropna(subset=["value"], ignore_index=True)


def _headline_weval(folder: Path) -> list[dict[str, object]]:
    table = table_t2(folder)
    null = table["scorer"].isin(NULL_BASELINES)
    shown_rows = pd.concat([table[~null], table[null].head(1)])
    return [
        {
            "quantity": f"tau-b of {row.scorer}"
            + (" (best null baseline)" if row.scorer in NULL_BASELINES else ""),
            "value": row.kendall_tau_b,
            "ci_low": row.kendall_tau_b_ci_low,
            "ci_high": row.kendall_tau_b_ci_high,
            "n": row.n_chains,
        }
        for row in shown_rows.itertuples()
    ]


def _headline_policies(folder: Path) -> list[dict[str, object]]:
    df = read_adherence(folder)
    over_all = ~df["type"].isin(list(RequirementType))
    df = df[over_all & df["metric"].str.contains("adherence")]
    return [
        {"quantity": f"{row.metric} ({row.type}), {row.policy}", "value": row.value,
         "ci_low": row.ci_low, "ci_high": row.ci_high, "n": row.n}
        for row in df.itertuples()
    ]  # fmt: skip


def _headline_study(folder: Path) -> list[dict[str, object]]:
    df = read_answers(folder, (2, 3, 6))
    first = df[df["question"].str.startswith("2") | ~df.duplicated("question")]
    names = {"value_ci_low": "ci_low", "value_ci_high": "ci_high"}
    columns = ["quantity", "value", "ci_low", "ci_high", "n"]
    return first.rename(columns=names)[columns].to_dict("records")


def _headline_cost(folder: Path) -> list[dict[str, object]]:
    table = table_t6(folder)
    whole = table[table["notebook"] == "all"]
    return [
        {"quantity": name, "value": value}
        for row in whole.itertuples()
        for name, value in (
            ("minutes, all notebooks", row.minutes),
            ("peak memory, GiB", row.peak_memory_gib),
        )
    ]
