"""Figures of data, chains, training and scorers.

A plot function takes a tidy table and an ``ax`` and returns the ``ax``; layout, titles and saving
are :meth:`wfine_utils.notebook.run.Run.save_figure`. Colours are those of Okabe and Ito, which
people with any of the common kinds of colour blindness can tell apart; groups differ in their
markers or dashes as well.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import cycle
from textwrap import fill

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from wfine_utils.chains.taxonomy import RequirementType, TaskCategory
from wfine_utils.chains.units import mean_interval

TYPE_COLOURS: dict[str, str] = {
    RequirementType.LENGTH: "#0072B2",
    RequirementType.FORMAT: "#E69F00",
    RequirementType.STYLE: "#CC79A7",
    RequirementType.CONTENT: "#009E73",
    "unlabelled": "#888888",
    "all": "#555555",
}
"""One colour per requirement type, the same in every figure of the project."""

_TYPE_ORDER = {str(kind): place for place, kind in enumerate(TYPE_COLOURS)}

GROUP_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#555555", "#CC79A7", "#E69F00", "#56B4E9")
_DASHES = ("", (4, 1.5), (1, 1), (3, 1.25, 1.5, 1.25), (5, 1, 1, 1), (2, 1, 4, 1), (7, 2))
"""For models, policies and kinds of chains side by side."""

LABELS = {
    "kendall_tau_b": "Kendall's τ-b",
    "spearman_rho": "Spearman's ρ",
    "released_rule_tau": "τ by the released rule",
    "kendall_w": "Kendall's W",
    "krippendorff_alpha": "Krippendorff's α",
    "fleiss_kappa": "Fleiss' κ",
    "wrl_prompt": "WRL, whole prompt",
    "wrl_requirement": "WRL, one requirement",
    "base": "base model",
    "bradley_terry": "Bradley–Terry",
    "bradley_terry_margin": "Bradley–Terry with margin",
    "cross_entropy": "cross-entropy",
}
"""How metrics, models and losses are called in figures; see :func:`readable`."""


def readable(name: object) -> str:
    """A name of a table as a figure shows it.

    >>> readable("kendall_tau_b"), readable("not_dropped")
    ("Kendall's τ-b", 'not dropped')
    """
    return LABELS.get(str(name), str(name).replace("_", " "))


def forest_plot(
    table: pd.DataFrame,
    ax: Axes,
    *,
    xlabel: str,
    label: str = "scorer",
    value: str = "value",
    n: str = "n_chains",
    unit: str = "chains",
    highlight: str | None = None,
    null: float = 0.0,
) -> Axes:
    """One estimate with its interval per row, first row on top, with a line at ``null``.

    Args:
        table: one row per estimate: ``label``, ``value``, ``ci_low``, ``ci_high``, ``n``. An
            interval of NaN is not drawn. Where it has a column ``training_pairs``, a name says from
            how many pairs its model has learnt, so that nobody compares unequal trainings unawares.
        ax: where to draw.
        xlabel: what is estimated.
        label, value, n: columns of the rows' names, estimates and sizes. The size stands in the
            label of the x axis if all rows share it, else behind each row's name.
        unit: what ``n`` counts; with "" the table's column ``unit`` says so for each row.
        highlight: name of the row drawn in the second colour.
        null: where the line stands.
    """
    names = with_pairs(table, label)
    units = table["unit"] if not unit else pd.Series(unit, index=table.index)
    sizes = [f"n = {size:,.0f} {of}".strip() for size, of in zip(table[n], units, strict=True)]
    xlabel = f"{xlabel}, 95 % interval"
    if len(set(sizes)) == 1:
        xlabel += f", {sizes[0]}"
    else:
        names = [f"{name} ({size})" for name, size in zip(names, sizes, strict=True)]
    ax.axvline(null, color="#555555", linewidth=1, zorder=0)
    for lit in (False, True):
        part = (table[label] == highlight).to_numpy() == lit
        _dots(table[part], ax, np.flatnonzero(part), value, GROUP_COLOURS[lit])
    return _rows(ax, names, xlabel)


def group_plot(
    table: pd.DataFrame,
    ax: Axes,
    *,
    xlabel: str,
    rows: str = "type",
    group: str = "policy",
    n: str = "n",
    unit: str = "queries",
    null: float | None = None,
) -> Axes:
    """Estimates with their intervals, groups side by side in each row.

    Args:
        table: tidy: ``rows``, ``group``, ``value``, ``ci_low``, ``ci_high``, ``n``.
        ax: where to draw.
        xlabel: what is estimated.
        rows: column along the y axis, first one on top; requirement types in the usual order.
        group: column whose values get a colour and a marker each.
        n, unit: the column of sizes, and what it counts.
        null: where a dotted line stands; None: nowhere.
    """
    names = sorted(dict.fromkeys(table[rows]), key=lambda name: _TYPE_ORDER.get(name, 9))
    groups = list(dict.fromkeys(table[group]))
    step = 0.4 / max(1, len(groups) - 1)
    looks = zip(groups, cycle(GROUP_COLOURS), cycle("osD^vPX"), strict=False)
    for k, (name, colour, marker) in enumerate(looks):
        part = table[table[group] == name].set_index(rows).reindex(names)
        y = np.arange(len(names)) + (k * step - 0.2 if len(groups) > 1 else 0)
        _dots(part, ax, y, "value", colour, marker, f"{readable(name)} ({_size(part[n], unit)})")
    if null is not None:
        ax.axvline(null, color="#555555", linestyle=":", zorder=0)
    ax.legend(frameon=False, loc="lower left", bbox_to_anchor=(0, 1))
    return _rows(ax, [readable(name) for name in names], f"{xlabel}, 95 % interval")


def with_pairs(table: pd.DataFrame, label: str) -> list[str]:
    """Readable names of rows, those of trained models with the number of their training pairs."""
    pairs = table.get("training_pairs", pd.Series(pd.NA, index=table.index))
    return [
        readable(name) if pd.isna(n) else f"{readable(name)}, {n:,.0f} pairs"
        for name, n in zip(table[label], pairs, strict=True)
    ]


def _size(n: pd.Series, unit: str) -> str:
    low, high = n.min(), n.max()
    return f"n = {low:,.0f} {unit}" if low == high else f"n = {low:,.0f} to {high:,.0f} {unit}"


def _dots(part: pd.DataFrame, ax: Axes, y, value: str, colour: str, marker="o", label=None) -> None:
    ends = [part[value] - part["ci_low"], part["ci_high"] - part[value]]
    ax.errorbar(
        part[value], y, xerr=np.clip(ends, 0, None), fmt="none", ecolor=colour, elinewidth=2,
        capsize=4,
    )  # fmt: skip
    ax.scatter(part[value], y, color=colour, marker=marker, s=40, zorder=3, label=label)


def _rows(ax: Axes, names: Sequence[str], xlabel: str) -> Axes:
    ax.set_yticks(np.arange(len(names)), names)
    ax.set_ylim(len(names) - 0.5, -0.5)  # the first row on top
    ax.set(xlabel=xlabel, ylabel="")
    ax.grid(axis="x", alpha=0.3)
    sns.despine(ax=ax)
    return ax


def count_heatmap(
    table: pd.DataFrame, rows: str, columns: str, ax: Axes, *, label: str, vmax: float | None = None
) -> Axes:
    """Counts of two labels against each other, each cell with its number.

    Args:
        table: tidy, one row per cell, counts in column ``n``; cells that are absent count 0.
        rows, columns: columns of ``table`` along the y and x axis; categories and types come in the
            order of the taxonomy, other labels sorted.
        ax: where to draw.
        label: what is counted, for the colour bar.
        vmax: upper end of the colours, to share them among figures; None: the largest count.
    """
    known = [*TaskCategory, *TYPE_COLOURS]
    order = [
        sorted(set(table[axis]), key=lambda x: (known.index(x) if x in known else -1, x))
        for axis in (rows, columns)
    ]
    wide = table.pivot_table(index=rows, columns=columns, values="n", aggfunc="sum", fill_value=0)
    sns.heatmap(
        wide.reindex(index=order[0], columns=order[1]), ax=ax, annot=True, fmt=",.0f",
        cmap="crest", vmin=0, vmax=vmax, linewidths=1, cbar_kws={"label": label},
    )  # fmt: skip
    ax.set(xlabel=columns, ylabel=rows)
    ax.tick_params(axis="both", rotation=0, length=0)
    return ax


def metric_heatmap(
    table: pd.DataFrame,
    ax: Axes,
    *,
    label: str,
    rows: str = "scorer",
    columns: str = "subset",
    centre: float = 0.0,
    reach: float = 1.0,
) -> Axes:
    """A metric by scorer and subset, each cell with its number, in the order of the table.

    Args:
        table: tidy, one row per cell: ``rows``, ``columns``, ``value`` and ``n_chains``;
            ``training_pairs``, where there is such a column, stand beside the names of the rows.
        ax: where to draw.
        label: what is shown, for the colour bar.
        rows, columns: columns of ``table`` along the y and x axis.
        centre: value of the neutral colour: what a scorer that knows nothing would get.
        reach: distance from ``centre`` at which the colours end.
    """
    order = [list(dict.fromkeys(table[axis])) for axis in (rows, columns)]
    wide = table.pivot(index=rows, columns=columns, values="value")
    sns.heatmap(
        wide.reindex(index=order[0], columns=order[1]), ax=ax, annot=True, fmt=".2f",
        cmap="vlag_r", center=centre, vmin=centre - reach, vmax=centre + reach, linewidths=1,
        cbar_kws={"label": label},
    )  # fmt: skip
    ax.set_yticks(np.arange(len(wide)) + 0.5, with_pairs(table.drop_duplicates(rows), rows))
    sizes = table.groupby(columns)["n_chains"].max()
    names = [f"{fill(str(name), 18)}\nn = {sizes[name]:,.0f}" for name in order[1]]
    ax.set_xticks(np.arange(len(names)) + 0.5, names)
    ax.set(xlabel="", ylabel="")
    ax.tick_params(axis="both", rotation=0, length=0)
    return ax


def bar_plot(
    table: pd.DataFrame,
    ax: Axes,
    *,
    label: str,
    xlabel: str,
    value: str = "n",
    types: str | None = None,
    digits: int = 0,
) -> Axes:
    """A bar with its number per row, first row on top, zeros included.

    Args:
        table: columns ``label`` and ``value``.
        ax: where to draw.
        label, value: columns of the bars' names and lengths.
        xlabel: what the bars measure.
        types: column of requirement types, which colour the bars; None: one colour.
        digits: decimals of the numbers; with 0 they are taken for counts.
    """
    colours = table[types].map(TYPE_COLOURS) if types else GROUP_COLOURS[0]
    bars = ax.barh(np.arange(len(table)), table[value], color=colours)
    ax.bar_label(bars, fmt=f"{{:,.{digits}f}}", padding=3)
    _rows(ax, [readable(name) for name in table[label]], xlabel)
    ax.margins(x=0.12)
    if not digits:
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    if types:
        handles = [Patch(color=TYPE_COLOURS[kind], label=kind) for kind in table[types].unique()]
        ax.legend(handles=handles, frameon=False, loc="lower left", bbox_to_anchor=(0, 1), ncols=5)
    return ax


def length_by_kept(
    table: pd.DataFrame, ax: Axes, *, measure: str = "n_words", ylabel: str = "length in words"
) -> Axes:
    """Response length against the number of requirements kept: quartiles, and the mean.

    Args:
        table: one row per response with ``gold`` and the measure, and ``chain_id`` where a chain
            has several responses of one level; rows without a value (NaN) are left out.
        ax: where to draw. The mean has a 95 % interval (normal approximation) over chains; none
            where they are too few (:mod:`wfine_utils.chains.units`).
        measure: column of ``table``, the length or another number per response.
        ylabel: what the measure is, with its unit.
    """
    levels = table.dropna(subset=[measure]).reset_index(drop=True).groupby("gold")
    groups = levels[measure]
    means = np.array([mean_interval(t[measure], t.get("chain_id")) for _, t in levels])
    x = np.arange(groups.ngroups)
    ax.boxplot(
        [values.to_numpy() for _, values in groups], positions=x, widths=0.6, patch_artist=True,
        boxprops={"facecolor": "#9ecae1"}, medianprops={"color": "black"},
        flierprops={"markersize": 2},
    )  # fmt: skip
    ax.errorbar(
        x, means[:, 0], yerr=means[:, 2] - means[:, 0], fmt="D", color="#D55E00", capsize=4,
        markersize=5, label="mean, 95 % interval", zorder=5,
    )  # fmt: skip
    ax.set_xticks(x, [f"{gold}\nn = {n:,}" for gold, n in groups.size().items()])
    ax.set(xlabel="requirements kept", ylabel=ylabel)
    ax.legend(frameon=False, loc="lower left", bbox_to_anchor=(0, 1))
    sns.despine(ax=ax)
    return ax


def curve_plot(
    table: pd.DataFrame,
    ax: Axes,
    *,
    y: str,
    label: str,
    hue: str | None = None,
    order: Sequence[str] = (),
) -> Axes:
    """A quantity along training, one line per ``hue``.

    Args:
        table: tidy, one row per logged step: ``step``, ``y`` and ``hue``.
        ax: where to draw.
        y: column to draw.
        label: what it is, with its unit.
        hue: column whose values get a line each, of at most seven; None draws a single line.
        order: all values of ``hue``, where panels with some of them each are to show a value by the
            same colour and dashes; none: those of the table.
    """
    looks = {}
    if hue:
        table = table.assign(**{hue: table[hue].map(readable)})
        names = dict.fromkeys(map(readable, order or table[hue]))
        looks = {
            "palette": dict(zip(names, GROUP_COLOURS, strict=False)),
            "dashes": dict(zip(names, _DASHES, strict=False)),
        }
    sns.lineplot(table, x="step", y=y, hue=hue, style=hue, ax=ax, errorbar=None, **looks)
    ax.set(xlabel="optimiser step", ylabel=label)
    ax.grid(axis="y", alpha=0.3)
    if hue:
        ax.legend(title=None, frameon=False, loc="lower left", bbox_to_anchor=(0, 1))
    sns.despine(ax=ax)
    return ax
