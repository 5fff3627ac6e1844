"""The page of ``wfine weval``: one HTML file that needs no network, for a phone as for a screen."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping, Sequence
from textwrap import fill
from typing import Any

import matplotlib as mpl
import pandas as pd
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from wfine_utils.notebook.figures import forest_plot
from wfine_utils.notebook.render import pretty, value_table
from wfine_utils.notebook.sentences import Finding, signs
from wfine_workflow.html_pages import table_cells, template
from wfine_workflow.weval import Scored, Tables

TAU, RELEASED = "kendall_tau_b", "released_rule_tau"


def summary(scored: Sequence[Scored], tables: Tables) -> pd.DataFrame:
    """One row per scorer, the best τ-b first, those without any score last.

    Returns:
        ``scorer, training_pairs``; ``kendall_tau_b`` with ``_ci_low, _ci_high``; ``n_chains``;
        ``tie_rate``; ``n_nan`` and ``n_chains_with_nan``, responses without a score and the chains
        that have some; ``released_rule_tau`` with its interval; ``is_null``.
    """
    overall = tables.weval[tables.weval["subset_kind"] == "all"]
    wide = {
        metric: overall[overall["metric"] == metric].set_index("scorer")
        for metric in (TAU, RELEASED)
    }
    rows = []
    for each in scored:
        name, row = each.scorer.name, dict[str, Any](scorer=each.scorer.name)
        row["training_pairs"] = each.scorer.training_pairs
        for metric, table in wide.items():
            entry = table.loc[name] if name in table.index else pd.Series(dtype=float)
            ends = {f"{metric}_{end}": entry.get(end) for end in ("ci_low", "ci_high")}
            row |= {metric: entry.get("value"), **ends}
            if metric == TAU:
                row |= {"n_chains": entry.get("n_chains", 0), "tie_rate": entry.get("tie_rate")}
                row |= {"n_nan": each.n_nan, "n_chains_with_nan": each.n_chains_with_nan}
        rows.append(row | {"is_null": each.scorer.is_null})
    table = pd.DataFrame(rows)
    numeric = [c for c in table if c not in ("scorer", "is_null")]
    table[numeric] = table[numeric].apply(pd.to_numeric).astype(float)
    counts = ["n_chains", "n_nan", "n_chains_with_nan"]
    table[counts] = table[counts].astype(int)
    return table.sort_values(TAU, ascending=False, kind="stable", ignore_index=True)


def unscored(scored: Sequence[Scored]) -> list[str]:
    """A sentence for every scorer that refused something."""
    sentences = []
    for each in scored:
        if each.n_nan:
            n, n_chains = sum(map(len, each.scores)), len(each.scores)
            sentence = (
                f"{each.scorer.name}: {each.n_nan:,} of {n:,} responses could not be scored, in "
                f"{each.n_chains_with_nan:,} of {n_chains:,} chains"
            )
            left_out = "" if each.has_scores else "; it is in no table but that of the scores"
            sentences.append(f"{sentence}{left_out}.")
    return sentences


def page(
    title: str, about: Mapping[str, Any], scored: Sequence[Scored], tables: Tables, stamp: str
) -> str:
    """The page, as HTML.

    Args:
        title: what was measured on.
        about: facts of the chains, to be shown as they are.
        stamp: what it was made with, and how to make it again.
    """
    rows = summary(scored, tables)
    is_null = rows.pop("is_null").tolist()
    if rows["training_pairs"].isna().all():
        rows = rows.drop(columns="training_pairs")
    forest, finding = _forest(tables.weval)
    by_type = "Accuracy on pairs that differ by one requirement, by its type (chance is 0.5)"
    parts = {"category": (TAU, "τ-b by task category"), "type": ("pairwise_accuracy", by_type)}
    differences = tables.comparisons.drop(columns=_shares(tables))
    return template("weval.html.j2").render(
        title=title,
        about=about,
        main=_cells(rows, shaded=is_null),
        unscored=unscored(scored),
        forest=forest,
        finding=finding.sentence.replace("*", ""),  # no Markdown here
        details=[
            {"title": heading, **_by_subset(tables.weval, kind, metric)}
            for kind, (metric, heading) in parts.items()
            if (tables.weval["subset_kind"] == kind).any()
        ],
        comparisons=_cells(_with_ends(differences, "difference")),
        official=_cells(_with_ends(tables.official, "value")),
        against_readers=_cells(_with_ends(tables.against_readers, "value")),
        stamp=stamp,
    )


def _shares(tables: Tables) -> list[str]:
    """Columns of the comparisons that only the CSV file shows."""
    return [c for c in tables.comparisons if re.search(r"_rate_[ab]$", c)]


def _with_ends(table: pd.DataFrame, value: str) -> pd.DataFrame:
    return table.rename(columns={end: f"{value}_{end}" for end in ("ci_low", "ci_high")})


def _cells(table: pd.DataFrame, shaded: Sequence[bool] = ()) -> dict[str, list[Any]]:
    numeric = [c for c in table if pd.api.types.is_numeric_dtype(table[c])]
    return table_cells(pretty(table) if len(table) else table, numeric, shaded)


def _by_subset(weval: pd.DataFrame, kind: str, metric: str) -> dict[str, list[Any]]:
    part = weval[(weval["subset_kind"] == kind) & (weval["metric"] == metric)]
    wide = value_table(part, "scorer", "subset").fillna("–").reset_index()
    wide.columns.name = None
    return table_cells(wide, [c for c in wide if c != "scorer"])


def _forest(weval: pd.DataFrame) -> tuple[str, Finding]:
    """The forest plot of τ-b as SVG, equal for equal tables, and what it shows."""
    tau = weval[(weval["subset_kind"] == "all") & (weval["metric"] == TAU)]
    tau = tau.sort_values("value", ascending=False, kind="stable")
    finding = signs(tau, "Kendall's τ-b")
    fig = Figure(figsize=(8, 0.38 * len(tau) + 1.7))
    FigureCanvasAgg(fig)
    forest_plot(tau, fig.subplots(), xlabel="Kendall's τ-b, mean over chains")
    fig.suptitle(fill(finding.title, 80), fontsize="medium")
    fig.tight_layout()
    out = io.StringIO()
    with mpl.rc_context({"svg.hashsalt": "wfine"}):
        fig.savefig(out, format="svg", metadata={"Date": None}, bbox_inches="tight")
    return out.getvalue()[out.getvalue().index("<svg") :], finding
