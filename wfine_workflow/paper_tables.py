"""The tables of the project, computed from results files alone.

Every function takes the folder of a preset (``outputs/mini``), reads what the other notebooks have
written there, and returns plain numbers. A value with an interval has three columns, ``x``,
``x_ci_low`` and ``x_ci_high``. A result that is not there raises ``results.MissingRun``; one that
is there but is not as it should be, another ``WfineError``.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from wfine_study.answers import QUESTIONS
from wfine_utils.weval.evaluation import SHARES
from wfine_utils.weval.metrics import METRICS
from wfine_workflow.results import MissingRun, malformed, read_results

DROPPING, WEVAL, POLICY = "02_requirement_dropping", "05_weval_correlation", "04_wrl_policy"
STUDY = "06_validity_and_ablations"

TIDY = ["value", "ci_low", "ci_high"]
"""Columns of a value and of the ends of its interval in a tidy table."""


class Table(NamedTuple):
    """One table: its file name, its caption, and how it is computed from a preset's folder."""

    name: str
    caption: str
    compute: Callable[[Path], pd.DataFrame]


def interval(name: str) -> list[str]:
    """Columns of a value called ``name`` and of the ends of its interval."""
    return [name, f"{name}_ci_low", f"{name}_ci_high"]


def _named(df: pd.DataFrame, name: str) -> pd.DataFrame:
    return df.rename(columns=dict(zip(TIDY, interval(name), strict=True)))


def _wide(df: pd.DataFrame, rows: list[str], column: str, path: str) -> pd.DataFrame:
    """From tidy to one row per ``rows``; the order of rows and columns is that of the file."""
    if (twice := df.duplicated([*rows, column])).any():
        names = ", ".join(map(str, df.loc[twice, [*rows, column]].iloc[0]))
        raise malformed(path, f"found two rows for {names}", "one")
    wide = df[rows].drop_duplicates()
    for name in df[column].unique():
        part = _named(df.loc[df[column] == name, [*rows, *TIDY]], name)
        wide = wide.merge(part, on=rows, how="left")
    return wide


# --- T1: data -----------------------------------------------------------------------------------

_QUANTITIES = {"drop is real": "drop_is_real", "kept requirement holds": "kept_holds"}


def _label_rates(folder: Path, name: str, source: list[str]) -> pd.DataFrame:
    """Rates of real drops and of kept requirements that hold, side by side, by source and type."""
    keys, path = [*source, "type"], f"{DROPPING}/{name}"
    rates = read_results(folder, DROPPING, name, [*keys, "quantity"], ["n", *TIDY])
    if unknown := sorted(set(rates["quantity"]) - set(_QUANTITIES)):
        one_of = f"one of {', '.join(_QUANTITIES)}"
        raise malformed(path, f"quantity: found {unknown[0]!r}", one_of)
    rates["quantity"] = rates["quantity"].map(_QUANTITIES)
    rates = rates.sort_values("quantity", kind="stable")  # real drops to the left
    counts = rates.groupby(keys, as_index=False, sort=False).agg(n_verdicts=("n", "sum"))
    return _wide(rates, keys, "quantity", path).merge(counts, on=keys, how="left")


def table_t1(folder: Path) -> pd.DataFrame:
    """T1: chains, responses, topics, pairs and verdicts of each set; are its labels true?"""
    source, counts = ["split", "plan"], ["n_chains", "n_responses", "n_topics", "n_pairs"]
    summary = read_results(folder, DROPPING, "chains_summary.csv", source, counts)
    rates = _label_rates(folder, "drop_is_real.csv", source)
    rates = rates[rates["type"] == "all"].drop(columns="type")
    return summary[[*source, *counts]].merge(rates, on=source, how="left")


def table_t1_types(folder: Path) -> pd.DataFrame:
    """T1 by requirement type: how often a drop is real and a kept requirement holds."""
    rates = _label_rates(folder, "drop_is_real.csv", ["split", "plan"])
    rates.insert(0, "chains", rates.pop("split") + ", " + rates.pop("plan"))
    sloppy = _label_rates(folder, "drop_is_real_sloppy.csv", ["writer"])
    sloppy.insert(0, "chains", sloppy.pop("writer") + " writer")
    return pd.concat([rates, sloppy], ignore_index=True)


# --- T2: WEval ----------------------------------------------------------------------------------


_LATEST = "compiled_rate"
"""The share that WEval has told last: a run that was kept before does not tell it."""


def read_weval(folder: Path, name: str = "weval.csv") -> pd.DataFrame:
    """A tidy table of notebook 05: ``scorer, training_pairs``, the columns of ``evaluate``."""
    texts = ["scorer", "metric", "subset_kind", "subset"]
    numbers = [*TIDY, "n_chains", "training_pairs", *(x for x in SHARES if x != _LATEST)]
    return read_results(folder, WEVAL, name, texts, numbers)


def table_t2(folder: Path) -> pd.DataFrame:
    """T2: every metric of every scorer over all chains, best Kendall tau-b first."""
    df = read_weval(folder)
    df = df[df["subset_kind"] == "all"]
    path = f"{WEVAL}/weval.csv"
    if absent := sorted(set(METRICS) - set(df["metric"])):
        raise malformed(path, f"found no rows for {', '.join(absent)}", "every metric")
    counted = ("tie_rate", "nan_rate")  # and not estimated: they need no interval
    columns = [x for m in METRICS for x in (interval(m)[:1] if m in counted else interval(m))]
    # What bends a value; ties and NaN are among the metrics.
    told = [x for x in SHARES if x not in counted and x in df]
    counts = df[["scorer", "n_chains", "training_pairs", *told]].drop_duplicates("scorer")
    wide = _wide(df, ["scorer"], "metric", path).merge(counts, on="scorer")
    wide = wide[[*counts, *columns]]
    return wide.sort_values("kendall_tau_b", ascending=False, kind="stable", ignore_index=True)


def _t2_subsets(folder: Path, kind: str, metric: str) -> pd.DataFrame:
    df = read_weval(folder)
    df = df[(df["subset_kind"] == kind) & (df["metric"] == metric)]
    if df.empty:
        raise MissingRun(
            f"{WEVAL}/weval.csv has no {metric} by {kind}: its chains are not labelled with a "
            f"{kind}. Run notebook {WEVAL} on chains that are."
        )
    overall = table_t2(folder).set_index("scorer")  # best first
    first = overall[[x for x in SHARES if x in overall]]
    wide = _wide(df, ["scorer"], "subset", f"{WEVAL}/weval.csv").set_index("scorer")
    return first.join(wide)[[*wide, *first]].reset_index()


def table_t2_types(folder: Path) -> pd.DataFrame:
    """T2 by requirement type: pairwise accuracy over pairs that differ by one dropped one."""
    return _t2_subsets(folder, "type", "pairwise_accuracy")


def table_t2_categories(folder: Path) -> pd.DataFrame:
    """T2 by task category: Kendall tau-b."""
    return _t2_subsets(folder, "category", "kendall_tau_b")


def _comparisons(folder: Path, notebook: str, keys: list[str], n: str) -> pd.DataFrame:
    numbers = ["difference", *TIDY[1:], "p_value", n]
    df = _named(read_results(folder, notebook, "comparisons.csv", keys, numbers), "difference")
    first = [*keys, *interval("difference"), "p_value", n]
    return df[[*first, *df.columns.difference(first, sort=False)]]


def table_t2_comparisons(folder: Path) -> pd.DataFrame:
    """T2, paired differences, reference minus scorer, on the same chains."""
    return _comparisons(folder, WEVAL, ["reference", "scorer", "metric"], "n_chains")


# --- T3: policies -------------------------------------------------------------------------------


def read_adherence(folder: Path) -> pd.DataFrame:
    """What each policy does on each set of prompts, from notebook 04's ``adherence.csv``, tidy."""
    texts = ["prompt_set", "policy", "measure"]
    numbers = [*TIDY, "n", "n_unreadable", "share_cut"]
    return read_results(folder, POLICY, "adherence.csv", texts, numbers)


def table_t3(folder: Path) -> pd.DataFrame:
    """T3: what each policy does on the same prompts, one column per policy.

    Beside its value stand ``<policy>_n_unreadable`` and ``<policy>_share_cut``.
    """
    keys, df = ["prompt_set", "measure"], read_adherence(folder)
    wide = _wide(df, keys, "policy", f"{POLICY}/adherence.csv")
    for policy, part in df.groupby("policy", sort=False):
        told = part.set_index(keys)[["n_unreadable", "share_cut"]].add_prefix(f"{policy}_")
        wide = wide.merge(told, on=keys, how="left")
    return wide


def table_t3_comparisons(folder: Path) -> pd.DataFrame:
    """T3, paired differences between policies on the same prompts."""
    return _comparisons(folder, POLICY, ["prompt_set", "policy_a", "policy_b", "measure"], "n")


# --- T4 and T5: the study -----------------------------------------------------------------------


def read_answers(folder: Path, questions: tuple[int, ...]) -> pd.DataFrame:
    """The answers of notebook 06 to some of its questions, named by number and title."""
    numbers = ["question", *TIDY, "p_holm", "cohens_d", "n"]
    df = read_results(folder, STUDY, "answers.csv", ["quantity", "unit"], numbers)
    df = df[df["question"].isin(questions)]
    if df.empty:
        raise MissingRun(
            f"{STUDY}/answers.csv has no answer to questions {', '.join(map(str, questions))}: "
            "name them in the parameter study of that notebook and run it again."
        )
    names = {number: f"{number} {title}" for number, title in QUESTIONS.items()}
    df = _named(df, "value").assign(question=df["question"].map(names))
    columns = ["question", "quantity", *interval("value"), "p_holm", "cohens_d", "n", "unit"]
    return df[columns].reset_index(drop=True)


def table_t4(folder: Path) -> pd.DataFrame:
    """T4: ablations, questions 3 to 5 of notebook 06: paired differences between recipes."""
    return read_answers(folder, (3, 4, 5))


def table_t5(folder: Path) -> pd.DataFrame:
    """T5: validity, questions 1, 2, 6 and 7: drops, noise, WEval against RL, a bias for length."""
    return read_answers(folder, (1, 2, 6, 7))


# --- T6: cost -----------------------------------------------------------------------------------


def table_t6(folder: Path) -> pd.DataFrame:
    """T6: time and peak memory of every notebook, time of every stage in it.

    From Snakemake's benchmark files and ``stage.json``. A notebook run by hand has no benchmark
    file and so no memory. One repeated on finished stages took less time than the longest of them
    (they may have run side by side); the time of all is added, so that it is charged what its
    results cost. The study's cells are one stage of notebook 06: seconds × threads / cores,
    wall-clock time if all cores were kept busy.
    """
    rows = [
        {"notebook": path.stem, "stage": "all"} | benchmark(path)
        for path in sorted((folder / "benchmarks").glob("*.tsv"))
        if not path.stem.startswith("07")  # its own is not finished yet
    ]
    for path in sorted(folder.glob("*/[!.]*/stage.json")):  # not of one cut short
        notebook, stage = path.parts[-3:-1]
        rows.append({"notebook": notebook, "stage": stage, "minutes": _seconds(path) / 60})
    if (folder / STUDY / "cells.csv").exists():
        cells = read_results(folder, STUDY, "cells.csv", [], ["seconds", "threads", "cpu_cores"])
        seconds = (cells["seconds"] * cells["threads"] / cells["cpu_cores"]).sum()
        rows.append({"notebook": STUDY, "stage": "cells", "minutes": seconds / 60})
    if not rows:
        raise MissingRun(
            f"benchmarks/*.tsv and */*/stage.json are missing: run the notebooks of preset "
            f"{folder.name!r} with: make reproduce PRESET={folder.name}"
        )
    numbers = {"minutes": float, "peak_memory_gib": float}
    table = pd.DataFrame(rows, columns=["notebook", "stage", *numbers]).astype(numbers)
    table = table.sort_values("notebook", kind="stable", ignore_index=True)
    is_whole = table["stage"] == "all"
    stages = table[~is_whole].groupby("notebook")["minutes"].agg(["sum", "max"])
    staged = stages.reindex(table["notebook"]).fillna(0.0).set_axis(table.index)
    is_repeated = is_whole & (table["minutes"] < staged["max"])
    table["minutes"] += staged["sum"].where(is_repeated, 0.0)
    if is_whole.any():
        total = table[is_whole].agg({"minutes": "sum", "peak_memory_gib": "max"})
        table.loc[len(table)] = {"notebook": "all", "stage": "all", **total}
    return table


def benchmark(path: Path) -> dict[str, float]:
    """Minutes and peak memory in GiB (NaN if not measured) of Snakemake's benchmark file."""
    try:
        cost = pd.read_csv(path, sep="\t", na_values=["-", "NA"])
        seconds, mib = float(cost["s"].iloc[-1]), float(cost["max_rss"].iloc[-1])
    except (ValueError, KeyError, IndexError, TypeError) as error:
        raise malformed(path, f"unreadable ({error})", "columns s and max_rss") from error
    return {"minutes": seconds / 60, "peak_memory_gib": mib / 1024}


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
    Table("T5_validity", "Validity: drops, noise, WEval against RL, a bias for length.", table_t5),
    Table("T6_cost", "Time and peak memory.", table_t6),
)  # fmt: skip
"""Every table of notebook 07, in order."""
