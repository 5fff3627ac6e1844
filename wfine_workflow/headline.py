"""The few numbers to remember of a preset: a table, and the text that a run ends with."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pandas as pd

from wfine_utils.adherence.measure import ALL_MET, MEAN
from wfine_utils.adherence.prompt_sets import TINY
from wfine_utils.chains.units import MIN_UNITS  # from fewer an answer says nothing yet
from wfine_utils.notebook.render import pretty
from wfine_utils.weval.baselines import null_baselines
from wfine_workflow import paper_tables as tables
from wfine_workflow.results import MissingRun

HEADLINE = "07_paper_tables/tables/headline.csv"
"""Where notebook 07 writes the table, seen from the folder of a preset."""

NULL_BASELINES = ["coin flip", *(scorer.name for scorer in null_baselines(seed=0))]
"""Scorers that know nothing of writing; the headline shows only the best of them."""


def headline_numbers(folder: Path) -> pd.DataFrame:
    """The few numbers to remember of a preset in its folder; what is not computed yet is left out.

    Returns:
        ``quantity, value, ci_low, ci_high, n, training_pairs``: Kendall tau-b of every scorer that
        has one, of a reward model with the number of pairs that it has learnt from, of the null
        baselines only the best; the policies' adherence over all types; of the study what noise
        costs, what the filter gives and whether WEval predicts RL; minutes and peak memory of the
        whole run (no interval there, and no n).
    """
    columns = ["quantity", "value", "ci_low", "ci_high", "n", "training_pairs"]
    rows = []
    for part in (_weval, _policies, _study, _cost):
        with suppress(MissingRun):
            rows += part(folder).reindex(columns=columns).to_dict("records")
    # without a value: a scorer that could score nothing, as the oracle on chains without checks
    return pd.DataFrame(rows, columns=columns).dropna(subset=["value"], ignore_index=True)


def headline_table(folder: Path) -> pd.DataFrame:
    """The headline that notebook 07 has written, as a table of texts; no row where none is."""
    path = folder / HEADLINE
    if not path.exists():
        return pd.DataFrame()
    interval = {"ci_low": "value_ci_low", "ci_high": "value_ci_high"}  # shown beside the value
    return pretty(pd.read_csv(path).rename(columns=interval))


def headline_text(folder: Path) -> str:
    """The headline as a text table; a line says where none is."""
    table = headline_table(folder)
    if table.empty:
        return "No headline: notebook 07 has not been run to its end for this preset."
    return table.to_markdown(index=False, tablefmt="simple", disable_numparse=True)


def _weval(folder: Path) -> pd.DataFrame:
    table = tables.table_t2(folder)
    null = table["scorer"].isin(NULL_BASELINES)
    baseline = table[null].head(1)  # the best comes first
    baseline = baseline.assign(scorer=baseline["scorer"] + " (best null baseline)")
    rows = pd.concat([table[~null], baseline])
    rows = rows.assign(quantity="tau-b of " + rows["scorer"], n=rows["n_chains"])
    names = dict(zip(tables.interval("kendall_tau_b"), tables.TIDY, strict=True))
    return rows.rename(columns=names)


def _policies(folder: Path) -> pd.DataFrame:
    df = tables.read_adherence(folder)
    df = df[(df["prompt_set"] == TINY) & df["measure"].isin([MEAN, ALL_MET])]
    return df.assign(quantity="adherence (" + df["measure"] + "), " + df["policy"])


def _study(folder: Path) -> pd.DataFrame:
    df = tables.read_answers(folder, (2, 3, 6))
    df = df[df["question"].str.startswith("2") | ~df.duplicated("question")]
    df = df[df["n"] >= MIN_UNITS]
    return df.rename(columns=dict(zip(tables.interval("value"), tables.TIDY, strict=True)))


def _cost(folder: Path) -> pd.DataFrame:
    table = tables.table_t6(folder)
    names = {"minutes": "minutes, all notebooks", "peak_memory_gib": "peak memory, GiB"}
    whole = table.loc[table["notebook"] == "all", list(names)]
    return whole.rename(columns=names).melt(var_name="quantity")
