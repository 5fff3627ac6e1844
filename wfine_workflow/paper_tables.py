"""The tables of the project, computed from results files alone.

Every function takes the folder of a preset (``outputs/mini``), reads CSV and JSON that the
other notebooks have written there, and returns a DataFrame of plain numbers. A value with an
interval has three columns, ``x``, ``x_ci_low`` and ``x_ci_high``; ``rendering.pretty`` makes
one text of them. No model is loaded and nothing is estimated anew.

A result that is not there raises ``readers.MissingRun``; one that is there but is not as it
should be raises another ``WfineError``.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from wfine_study.answers import QUESTIONS
from wfine_utils.chains.taxonomy import RequirementType
from wfine_utils.errors import WfineError
from wfine_utils.files import display_path
from wfine_utils.weval.metrics import METRICS

DROPPING, WEVAL, POLICY = "02_requirement_dropping", "05_weval_correlation", "04_wrl_policy"
STUDY = "06_validity_and_ablations"

INTERVAL = ("", "_ci_low", "_ci_high")
"""How the columns of a value and of the ends of its interval end."""

_TIDY = ["value", "ci_low", "ci_high"]
_MIB_PER_GIB = 1024


class Table(NamedTuple):
    """One table: its file name, its caption, and how it is computed from a preset's folder."""

    name: str
    caption: str
    compute: Callable[[Path], pd.DataFrame]


def _wide(df: pd.DataFrame, rows: list[str], column: str, path: str) -> pd.DataFrame:
    """From tidy to one row per ``rows``; the order of rows and columns is that of the file."""
    if (twice := df.duplicated([*rows, column])).any():
        found = ", ".join(map(str, df.loc[twice, [*rows, column]].iloc[0]))
        raise WfineError(
            f"{path}: found two rows for {found}, expected one. The file was not written by "
            "this version of its notebook: run that notebook again."
        )
    wide = df[rows].drop_duplicates()
    for name in df[column].unique():
        new = dict(zip(_TIDY, [f"{name}{end}" for end in INTERVAL], strict=True))
        part = df.loc[df[column] == name, [*rows, *_TIDY]].rename(columns=new)
        wide = wide.merge(part, on=rows, how="left")
    return wide


# --- T1: data -----------------------------------------------------------------------------------

_QUANTITIES = {"drop is real": "drop_is_real", "kept requirement holds": "kept_holds"}

_RATES = {"type": str, "quantity": str, "n": float, "value": float, "ci_low": float,
          "ci_high": float}  # fmt: skip


def _both_rates(rates: pd.DataFrame, by: list[str], path: str) -> pd.DataFrame:
    """Rates of real drops and of kept requirements that hold, side by side."""
    if unknown := sorted(set(rates["quantity"]) - set(_QUANTITIES)):
        raise WfineError(
            f"{path}: quantity: found {unknown[0]!r}, expected one of {', '.join(_QUANTITIES)}. "
            f"Run notebook {DROPPING} again."
        )
    rates = rates.assign(quantity=rates["quantity"].map(_QUANTITIES))
    rates = rates.sort_values("quantity", kind="stable")  # real drops to the left
    keys = [*by, "type"]
    counts = rates.groupby(keys, as_index=False, sort=False)["n"].sum()
    wide = _wide(rates, keys, "quantity", path)
    return wide.merge(counts.rename(columns={"n": "n_verdicts"}), on=keys, how="left")


def table_t1(folder: Path) -> pd.DataFrame:
    """T1: chains, responses, topics, pairs and verdicts of each set; are its labels true?"""
    counts = ["n_chains", "n_responses", "n_topics", "n_pairs"]
    summary = read_results(folder, DROPPING, "chains_summary.csv",
                           {"split": str, "plan": str} | dict.fromkeys(counts, float))  # fmt: skip
    rates = read_results(folder, DROPPING, "drop_is_real.csv",
                         {"split": str, "plan": str} | _RATES)  # fmt: skip
    rates = rates[rates["type"] == "all"]
    both = _both_rates(rates, ["split", "plan"], f"{DROPPING}/drop_is_real.csv")
    summary = summary[["split", "plan", *counts]]
    return summary.merge(both.drop(columns="type"), on=["split", "plan"], how="left")


def table_t1_types(folder: Path) -> pd.DataFrame:
    """T1 by requirement type: how often a drop is real and a kept requirement holds."""
    rates = read_results(folder, DROPPING, "drop_is_real.csv",
                         {"split": str, "plan": str} | _RATES)  # fmt: skip
    rates = rates.assign(chains=rates["split"] + ", " + rates["plan"])
    tables = [_both_rates(rates, ["chains"], f"{DROPPING}/drop_is_real.csv")]
    name = "drop_is_real_sloppy.csv"
    sloppy = read_results(folder, DROPPING, name, {"writer": str} | _RATES)
    sloppy = sloppy.assign(chains=sloppy["writer"] + " writer")
    tables.append(_both_rates(sloppy, ["chains"], f"{DROPPING}/{name}"))
    return pd.concat(tables, ignore_index=True)


# --- T2: WEval ----------------------------------------------------------------------------------


def read_weval(folder: Path) -> pd.DataFrame:
    """The tidy table of notebook 05: ``scorer`` and the columns of ``weval.evaluate``."""
    columns = {"scorer": str, "metric": str, "subset_kind": str, "subset": str,
               "value": float, "ci_low": float, "ci_high": float, "n_chains": float}  # fmt: skip
    return read_results(folder, WEVAL, "weval.csv", columns)


def table_t2(folder: Path) -> pd.DataFrame:
    """T2: every metric of every scorer over all chains, best Kendall tau-b first."""
    df = read_weval(folder)
    df = df[df["subset_kind"] == "all"]
    path = f"{WEVAL}/weval.csv"
    if absent := sorted(set(METRICS) - set(df["metric"])):
        raise WfineError(f"{path}: found no rows for {', '.join(absent)}, expected every metric "
                         "over all chains; run the notebook again.")  # fmt: skip
    wide = _wide(df, ["scorer"], "metric", path)
    # how often a scorer ties or fails is counted, not estimated
    counted = [f"{m}{s}" for m in ("tie_rate", "nan_rate") for s in INTERVAL[1:]]
    columns = [f"{m}{s}" for m in METRICS for s in INTERVAL]
    n_chains = df.drop_duplicates("scorer").set_index("scorer")["n_chains"]
    wide = wide.assign(n_chains=n_chains.reindex(wide["scorer"]).to_numpy())
    wide = wide[["scorer", "n_chains", *[c for c in columns if c not in counted]]]
    return wide.sort_values("kendall_tau_b", ascending=False, kind="stable", ignore_index=True)


def _t2_subsets(folder: Path, kind: str, metric: str) -> pd.DataFrame:
    df = read_weval(folder)
    df = df[(df["subset_kind"] == kind) & (df["metric"] == metric)]
    if df.empty:
        raise MissingRun(
            f"{WEVAL}/weval.csv has no {metric} by {kind}: its chains are not labelled with a "
            f"{kind}. Run notebook {WEVAL} on chains that are."
        )
    first = table_t2(folder)["scorer"]
    wide = _wide(df, ["scorer"], "subset", f"{WEVAL}/weval.csv")
    return wide.set_index("scorer").reindex(first).reset_index()


def table_t2_types(folder: Path) -> pd.DataFrame:
    """T2 by requirement type: pairwise accuracy over pairs that differ by one dropped one."""
    return _t2_subsets(folder, "type", "pairwise_accuracy")


def table_t2_categories(folder: Path) -> pd.DataFrame:
    """T2 by task category: Kendall tau-b."""
    return _t2_subsets(folder, "category", "kendall_tau_b")


def _comparisons(folder: Path, notebook: str, sides: tuple[str, str], n: str) -> pd.DataFrame:
    numbers = ["difference", "ci_low", "ci_high", "p_value", n]
    strings = dict.fromkeys([*sides, "metric"], str)
    df = read_results(folder, notebook, "comparisons.csv", strings | dict.fromkeys(numbers, float))
    df = df.rename(columns={"ci_low": "difference_ci_low", "ci_high": "difference_ci_high"})
    first = [*sides, "metric", *[f"difference{s}" for s in INTERVAL], "p_value", n]
    return df[[*first, *[c for c in df if c not in first]]]


def table_t2_comparisons(folder: Path) -> pd.DataFrame:
    """T2, paired differences, reference minus scorer, on the same chains."""
    return _comparisons(folder, WEVAL, ("reference", "scorer"), "n_chains")


# --- T3: policies -------------------------------------------------------------------------------


def read_adherence(folder: Path) -> pd.DataFrame:
    """The tidy table of notebook 04: ``policy, type, metric, value, ci_low, ci_high, n``.

    Where the column ``metric`` is absent, everything is adherence.
    """
    columns = {"policy": str, "type": str, "value": float, "ci_low": float, "ci_high": float,
               "n": float}  # fmt: skip
    df = read_results(folder, POLICY, "adherence.csv", columns)
    return df if "metric" in df else df.assign(metric="adherence")


def table_t3(folder: Path) -> pd.DataFrame:
    """T3: what each policy does on the same prompts, one column per policy."""
    return _wide(read_adherence(folder), ["metric", "type"], "policy", f"{POLICY}/adherence.csv")


def table_t3_comparisons(folder: Path) -> pd.DataFrame:
    """T3, paired differences between policies on the same prompts."""
    return _comparisons(folder, POLICY, ("policy_a", "policy_b"), "n")


# --- T4 and T5: the study -----------------------------------------------------------------------


def read_answers(folder: Path, asked: tuple[int, ...]) -> pd.DataFrame:
    """The answers of notebook 06 to some of its questions, by number, with the question's title.

    Returns:
        ``question, quantity, value`` with its interval, ``p_holm, cohens_d, n, unit``.
    """
    numbers = ["question", "value", "ci_low", "ci_high", "p_holm", "cohens_d", "n"]
    columns = dict.fromkeys(["quantity", "unit"], str) | dict.fromkeys(numbers, float)
    df = read_results(folder, STUDY, "answers.csv", columns)
    df = df[df["question"].isin(asked)]
    if df.empty:
        raise MissingRun(
            f"{STUDY}/answers.csv has no answer to questions {', '.join(map(str, asked))}: name "
            "them in the parameter study of that notebook and run it again."
        )
    df = df.rename(columns={"ci_low": "value_ci_low", "ci_high": "value_ci_high"})
    first = ["question", "quantity", *[f"value{end}" for end in INTERVAL]]
    names = {number: f"{number} {title}" for number, title in QUESTIONS.items()}
    df = df.assign(question=df["question"].map(names))
    return df[[*first, "p_holm", "cohens_d", "n", "unit"]].reset_index(drop=True)


def table_t4(folder: Path) -> pd.DataFrame:
    """T4: ablations, questions 3 to 5 of notebook 06: paired differences between recipes."""
    return read_answers(folder, (3, 4, 5))


def table_t5(folder: Path) -> pd.DataFrame:
    """T5: validity, questions 1, 2, 6 and 7: drops, dirt, WEval against RL, a bias for length."""
    return read_answers(folder, (1, 2, 6, 7))


# --- T6: cost -----------------------------------------------------------------------------------


def table_t6(folder: Path) -> pd.DataFrame:
    """T6: time and peak memory of every notebook, time of every stage in it.

    From Snakemake's benchmark files (``s``: seconds; ``max_rss``: MiB) and from
    ``stage.json``. A notebook run by hand has no benchmark file and so no memory. One that
    was repeated on finished stages took less time than they did; their time is added, so that
    it is charged what its results cost (its peak memory is that of the repetition). The cells of
    the study are one stage of notebook 06, from its ``cells.csv``: seconds × threads / cores of
    the machine, which is wall-clock time if all cores were kept busy. These are the only numbers
    of all the tables that differ from run to run.
    """
    rows = []
    for path in sorted((folder / "benchmarks").glob("*.tsv")):
        if not path.stem.startswith("07"):  # its own is not finished yet
            rows.append({"notebook": path.stem, "stage": "all"} | _benchmark(path))
    for path in sorted(folder.glob("*/[!.]*/stage.json")):  # not of one cut short
        rows.append(
            {"notebook": path.parts[-3], "stage": path.parts[-2], "minutes": _seconds(path) / 60}
        )
    if (folder / STUDY / "cells.csv").exists():
        rows.append({"notebook": STUDY, "stage": "cells", "minutes": _cells_minutes(folder)})
    if not rows:
        raise MissingRun(
            f"benchmarks/*.tsv and */*/stage.json are missing: run the notebooks of preset "
            f"{folder.name!r} with: make reproduce PRESET={folder.name}"
        )
    columns = ["notebook", "stage", "minutes", "peak_memory_gib"]
    table = pd.DataFrame(rows, columns=columns).astype({"minutes": float, "peak_memory_gib": float})
    table = table.sort_values("notebook", kind="stable", ignore_index=True)
    stages = table[table["stage"] != "all"].groupby("notebook")["minutes"].sum()
    staged = table["notebook"].map(stages).fillna(0.0)
    repeated = (table["stage"] == "all") & (table["minutes"] < staged)
    table.loc[repeated, "minutes"] += staged[repeated]
    whole = table[table["stage"] == "all"]
    if not whole.empty:
        total = {"notebook": "all", "stage": "all", "minutes": whole["minutes"].sum(),
                 "peak_memory_gib": whole["peak_memory_gib"].max()}  # fmt: skip
        table = pd.concat([table, pd.DataFrame([total])], ignore_index=True)
    return table


def _benchmark(path: Path) -> dict[str, float]:
    try:
        found = pd.read_csv(path, sep="\t", na_values=["-", "NA"])
        seconds, mib = float(found["s"].iloc[-1]), float(found["max_rss"].iloc[-1])
    except (ValueError, KeyError, IndexError, TypeError) as error:
        raise malformed(path, f"unreadable ({error})", "columns s and max_rss") from error
    return {"minutes": seconds / 60, "peak_memory_gib": mib / _MIB_PER_GIB}


def _cells_minutes(folder: Path) -> float:
    numbers = dict.fromkeys(["seconds", "threads", "cpu_cores"], float)
    cells = read_results(folder, STUDY, "cells.csv", numbers)
    return float((cells["seconds"] * cells["threads"] / cells["cpu_cores"]).sum() / 60)


def _seconds(path: Path) -> float:
    try:
        return float(json.loads(path.read_text(encoding="utf-8"))["seconds"])
    except (ValueError, KeyError, TypeError) as error:
        raise malformed(path, f"unreadable ({error!r})", "a number for seconds") from error


TABLES: tuple[Table, ...] = (
    Table("T1_data", "The chains, and how often their labels are true of the texts.", table_t1),
    Table("T1_types", "Real drops and kept requirements by requirement type.", table_t1_types),
    Table("T2_weval", "WEval: agreement with the gold ranking, over all chains.", table_t2),
    Table("T2_types", "WEval: pairwise accuracy by requirement type, one requirement dropped.",
          table_t2_types),
    Table("T2_categories", "WEval: Kendall tau-b by task category.", table_t2_categories),
    Table("T2_comparisons", "WEval: paired differences, reference minus scorer.",
          table_t2_comparisons),
    Table("T3_policies", "Policies on the same prompts, before and after WRL.", table_t3),
    Table("T3_comparisons", "Paired differences, policy a minus policy b.", table_t3_comparisons),
    Table("T4_ablations", "Ablations: filter, choices of the recipe, generalisation.", table_t4),
    Table("T5_validity", "Validity: drops, dirt, WEval against RL, a bias for length.", table_t5),
    Table("T6_cost", "Time and peak memory.", table_t6),
)  # fmt: skip
"""Every table of notebook 07, in order."""

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


class MissingRun(WfineError):
    """A table cannot be computed yet, because a notebook has not been run."""


def read_results(folder: Path, notebook: str, name: str, columns: dict[str, type]) -> pd.DataFrame:
    """Read a CSV of another notebook and check it.

    Args:
        folder: folder of the preset.
        notebook: who writes it.
        name: file name.
        columns: columns that must be there, and ``float`` for those that must be numbers.

    Raises:
        MissingRun: there is no such file; one line says which notebook to run.
        WfineError: the file is no CSV, has no rows, lacks a column or holds text for a number.
    """
    path = folder / notebook / name
    if not path.exists():
        raise MissingRun(
            f"{notebook}/{name} is missing: run notebook {notebook} with preset "
            f"{folder.name!r}, or everything with: make reproduce PRESET={folder.name}"
        )
    try:
        # only an empty cell is a missing value: "none" and "null" are names here
        df = pd.read_csv(path, keep_default_na=False, na_values=[""])
    except (ValueError, OSError) as error:  # pandas' own parser errors are ValueErrors
        raise malformed(path, f"it is no CSV ({str(error).strip()})", "a CSV file") from error
    if absent := [c for c in columns if c not in df]:
        raise malformed(path, f"found the columns {', '.join(df)}", f"also {', '.join(absent)}")
    if df.empty:
        raise malformed(path, "found no rows", "at least one")
    for column, kind in columns.items():
        if kind is float and not pd.api.types.is_numeric_dtype(df[column]):
            bad = df[pd.to_numeric(df[column], errors="coerce").isna() & df[column].notna()]
            row = int(bad.index[0]) if len(bad) else 0
            raise malformed(
                path, f"line {row + 2}: {column}: found {df[column][row]!r}", "a number"
            )
    return df


def malformed(path: Path, found: str, expected: str) -> WfineError:
    """The error for a results file that is there but is not as its notebook writes it."""
    return WfineError(
        f"{display_path(path)}: {found}, expected {expected}. The file was not written by this version "
        "of its notebook: run that notebook again."
    )
