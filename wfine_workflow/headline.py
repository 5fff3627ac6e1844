"""The few numbers to remember of a preset: a table, and the text that a run ends with."""

from __future__ import annotations

from collections.abc import Hashable
from pathlib import Path
from typing import Any

import pandas as pd

from wfine_utils.adherence.measure import ALL_MET, MEAN
from wfine_utils.adherence.prompt_sets import TINY
from wfine_utils.notebook.render import pretty
from wfine_utils.weval.scorers import null_baselines
from wfine_workflow.paper_tables import read_adherence, read_answers, table_t2, table_t6
from wfine_workflow.results import MissingRun

HEADLINE = "07_paper_tables/tables/headline.csv"
"""Where notebook 07 writes the table, seen from the folder of a preset."""

NULL_BASELINES = ["coin flip", *(scorer.name for scorer in null_baselines(seed=0))]
"""Scorers that know nothing of writing; the headline shows only the best of them."""


def headline(folder: Path) -> pd.DataFrame:
    """The few numbers to remember of a preset; what is not computed yet is left out.

    Args:
        folder: folder of the preset, ``outputs/<preset>``.

    Returns:
        ``quantity, value, ci_low, ci_high, n``: Kendall tau-b of every scorer but the null
        baselines and of the best null baseline; the policies' adherence over all types; of the
        study what noise costs, what the filter gives and whether WEval predicts RL; minutes and
        peak memory of the whole run (no interval there, and no n). A scorer without a value is
        left out.
    """
    rows: list[dict[Hashable, Any]] = []
    for part in (_headline_weval, _headline_policies, _headline_study, _headline_cost):
        try:
            rows += part(folder)
        except MissingRun:
            continue
    table = pd.DataFrame(rows, columns=["quantity", "value", "ci_low", "ci_high", "n"])
    # a scorer that could score nothing, as the oracle on chains without checks
    return table.dropna(subset=["value"], ignore_index=True)


def headline_text(folder: Path) -> str:
    """What notebook 07 has written as the headline of a run, as a text table.

    Args:
        folder: ``<output_root>/<preset>``.

    Returns:
        The table; a line that says so where there is none.
    """
    path = folder / HEADLINE
    if not path.exists():
        return "No headline: notebook 07 has not been run to its end for this preset."
    interval = {"ci_low": "value_ci_low", "ci_high": "value_ci_high"}  # shown beside the value
    table = pretty(pd.read_csv(path).rename(columns=interval))
    return table.to_markdown(index=False, tablefmt="simple", disable_numparse=True)


def _headline_weval(folder: Path) -> list[dict[Hashable, Any]]:
    table = table_t2(folder)
    null = table["scorer"].isin(NULL_BASELINES)
    baseline = table[null].head(1)  # the best comes first
    baseline = baseline.assign(scorer=baseline["scorer"] + " (best null baseline)")
    return [
        {"quantity": f"tau-b of {row.scorer}", "value": row.kendall_tau_b,
         "ci_low": row.kendall_tau_b_ci_low, "ci_high": row.kendall_tau_b_ci_high,
         "n": row.n_chains}
        for row in pd.concat([table[~null], baseline]).itertuples()
    ]  # fmt: skip


def _headline_policies(folder: Path) -> list[dict[Hashable, Any]]:
    df = read_adherence(folder)
    df = df[(df["prompt_set"] == TINY) & df["measure"].isin([MEAN, ALL_MET])]
    return [
        {"quantity": f"adherence ({row.measure}), {row.policy}", "value": row.value,
         "ci_low": row.ci_low, "ci_high": row.ci_high, "n": row.n}
        for row in df.itertuples()
    ]  # fmt: skip


def _headline_study(folder: Path) -> list[dict[Hashable, Any]]:
    df = read_answers(folder, (2, 3, 6))
    first = df[df["question"].str.startswith("2") | ~df.duplicated("question")]
    names = {"value_ci_low": "ci_low", "value_ci_high": "ci_high"}
    columns = ["quantity", "value", "ci_low", "ci_high", "n"]
    return first.rename(columns=names)[columns].to_dict("records")


def _headline_cost(folder: Path) -> list[dict[Hashable, Any]]:
    table = table_t6(folder)
    names = {"minutes": "minutes, all notebooks", "peak_memory_gib": "peak memory, GiB"}
    whole = table.loc[table["notebook"] == "all", list(names)]
    return [
        {"quantity": names[column], "value": row[column]}
        for row in whole.to_dict("records")
        for column in names
    ]
