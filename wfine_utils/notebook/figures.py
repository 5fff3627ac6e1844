"""Figures of data, chains and scorers, and a query shown as HTML.

A plot function takes a tidy table and an ``ax`` and returns the ``ax``; sizes, titles of
whole figures and saving are the notebook's business. Colours are those of Okabe and Ito,
which people with any of the common kinds of colour blindness can tell apart.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from textwrap import fill

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from wfine_utils.chains.taxonomy import Query, RequirementType, TaskCategory

TYPE_COLOURS: dict[str, str] = {
    RequirementType.LENGTH: "#0072B2",
    RequirementType.FORMAT: "#E69F00",
    RequirementType.STYLE: "#CC79A7",
    RequirementType.CONTENT: "#009E73",
    "unlabelled": "#888888",
    "all": "#555555",
}
"""One colour per requirement type, the same in every figure of the project."""


def highlight_query(query: Query, kept: Sequence[bool] | None = None) -> str:
    """A query as HTML, each requirement marked in the colour of its type and named after it.

    The marks are translucent and the text keeps the page's own colour, so that it can be read
    on a light and on a dark page. Text is escaped: nothing in a query is taken for HTML.

    Args:
        query: the query.
        kept: one flag per requirement; dropped ones are struck through. None: all kept.

    Returns:
        HTML for ``IPython.display.HTML``.
    """
    if kept is None:
        kept = (True,) * len(query.requirements)
    marks = []
    for requirement, keep in zip(query.requirements, kept, strict=True):
        kind = str(requirement.type or "unlabelled")
        colour = TYPE_COLOURS[kind]
        name = f"{kind}: {requirement.subtype}" if requirement.subtype else kind
        text = escape(requirement.text)
        text = text if keep else f"<s>{text}</s>"
        opacity = "1" if keep else "0.55"
        marks.append(
            f'<span style="background:{colour}40;border-bottom:3px solid {colour};'
            f'border-radius:3px;padding:1px 4px;opacity:{opacity}">{text}'
            f'<sub style="padding-left:5px;font-size:75%">{escape(name)}</sub></span>'
        )
    body = " ".join([f"<b>{escape(query.base_task)}</b>", *marks])
    return f'<div style="line-height:2.3;max-width:60em">{body}</div>'


def count_heatmap(
    table: pd.DataFrame, rows: str, columns: str, ax: Axes, *, label: str, vmax: float | None = None
) -> Axes:
    """Counts of two labels against each other, each cell with its number.

    Args:
        table: tidy, one row per cell, counts in column ``n``; cells that are absent count 0.
            Categories and types are put in the order of the taxonomy, other labels sorted.
        rows: column of ``table`` along the y axis.
        columns: column of ``table`` along the x axis.
        ax: where to draw.
        label: what is counted, for the colour bar.
        vmax: upper end of the colours, to share them among figures; None: the largest count.
    """
    wide = table.pivot_table(
        index=rows, columns=columns, values="n", aggfunc="sum", fill_value=0
    ).reindex(index=_in_order(table[rows]), columns=_in_order(table[columns]))
    sns.heatmap(
        wide, ax=ax, annot=True, fmt=",.0f", cmap="crest", vmin=0, vmax=vmax,
        linewidths=1, cbar_kws={"label": label},
    )  # fmt: skip
    ax.set(xlabel=columns, ylabel=rows)
    ax.tick_params(axis="both", rotation=0, length=0)
    return ax


def _in_order(labels: pd.Series) -> list:
    known = [*TaskCategory, *TYPE_COLOURS]
    return sorted(set(labels), key=lambda x: (known.index(x) if x in known else -1, x))


def count_bars(counts: pd.Series, ax: Axes, *, xlabel: str, ylabel: str) -> Axes:
    """A bar with its number for each value of an integer, gaps included.

    Args:
        counts: index: the integer, values: how many.
        ax: where to draw.
        xlabel: what the integer is.
        ylabel: what is counted.
    """
    full = counts.reindex(range(int(counts.index.min()), int(counts.index.max()) + 1), fill_value=0)
    bars = ax.bar(full.index, full.to_numpy(), color=TYPE_COLOURS["length"], width=0.8)
    ax.bar_label(bars, labels=[f"{v:,}" if v else "" for v in full], padding=2)
    ax.set_xticks(full.index)
    ax.set(xlabel=xlabel, ylabel=ylabel, xlim=(full.index[0] - 1, full.index[-1] + 1))
    ax.margins(y=0.12)
    sns.despine(ax=ax)
    return ax


def drop_rate_plot(rates: pd.DataFrame, ax: Axes, *, group: str) -> Axes:
    """How often drops are real or kept requirements hold, by type, with 95 % intervals.

    Args:
        rates: rows of one quantity from ``audit.drop_rates``.
        ax: where to draw; x is the share, each requirement type has a row.
        group: column of ``rates`` whose values are drawn side by side in a row.
    """
    types = [t for t in TYPE_COLOURS if t in set(rates["type"])]
    groups = list(dict.fromkeys(rates[group]))
    offsets = np.linspace(-0.18, 0.18, len(groups)) if len(groups) > 1 else [0.0]
    for name, offset, marker in zip(groups, offsets, "osD^v", strict=False):
        part = rates[rates[group] == name].set_index("type").reindex(types)
        y = np.arange(len(types)) + offset
        errors = [part["value"] - part["ci_low"], part["ci_high"] - part["value"]]
        ax.errorbar(
            part["value"], y, xerr=np.clip(errors, 0, None), fmt="none", ecolor="#555555", capsize=3
        )
        ax.scatter(
            part["value"], y, marker=marker, s=45, zorder=3, edgecolor="black", linewidth=0.5,
            color=[TYPE_COLOURS[t] for t in types],
        )  # fmt: skip
        n = f"n = {part['n'].min():,.0f} to {part['n'].max():,.0f}"
        ax.plot([], [], marker, color="white", markeredgecolor="black", label=f"{name} ({n})")
    ax.set_yticks(np.arange(len(types)), types)
    ax.set(xlabel=f"share of verdicts: {rates['quantity'].iloc[0]}", ylabel="requirement type")
    ax.set_ylim(len(types) - 0.5, -0.5)
    ax.legend(frameon=False, loc="lower left", bbox_to_anchor=(0, 1))
    ax.grid(axis="x", alpha=0.3)
    sns.despine(ax=ax)
    return ax


def length_by_kept(
    table: pd.DataFrame, ax: Axes, *, measure: str = "n_words", ylabel: str = "length in words"
) -> Axes:
    """Response length against the number of requirements kept: quartiles, and the mean.

    Args:
        table: one row per response with ``gold`` and the measure; rows without a value (NaN)
            are left out.
        ax: where to draw. The mean has a 95 % interval (normal approximation).
        measure: column of ``table``, the length or another number per response.
        ylabel: what the measure is, with its unit.
    """
    groups = table.dropna(subset=[measure]).groupby("gold")[measure]
    mean, half = groups.mean(), 1.96 * groups.sem()
    x = np.arange(len(mean))
    ax.boxplot(
        [values.to_numpy() for _, values in groups], positions=x, widths=0.6, patch_artist=True,
        boxprops={"facecolor": "#9ecae1"}, medianprops={"color": "black"},
        flierprops={"markersize": 2},
    )  # fmt: skip
    ax.errorbar(
        x, mean, yerr=half, fmt="D", color="#D55E00", capsize=4, markersize=5,
        label="mean, 95 % interval", zorder=5,
    )  # fmt: skip
    ax.set_xticks(x, [f"{gold}\nn = {n:,}" for gold, n in groups.size().items()])
    ax.set(xlabel="requirements kept", ylabel=ylabel)
    ax.legend(frameon=False, loc="lower left", bbox_to_anchor=(0, 1))
    sns.despine(ax=ax)
    return ax


def subtype_bars(table: pd.DataFrame, ax: Axes) -> Axes:
    """How often each subtype occurs, in the colour of its type, zeros included.

    Args:
        table: tidy, columns ``type``, ``subtype``, ``n``; drawn from top to bottom.
        ax: where to draw.
    """
    y = np.arange(len(table))
    bars = ax.barh(y, table["n"], color=table["type"].map(TYPE_COLOURS))
    ax.bar_label(bars, fmt="{:,.0f}", padding=3)
    ax.set_yticks(y, table["subtype"])
    ax.set_ylim(len(table) - 0.5, -0.5)
    ax.margins(x=0.1)
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.set(xlabel="requirements", ylabel="subtype")
    types = table["type"].unique()
    handles = [Patch(color=TYPE_COLOURS[kind], label=kind) for kind in types]
    ax.legend(handles=handles, frameon=False, loc="lower left", bbox_to_anchor=(0, 1), ncols=5)
    sns.despine(ax=ax)
    return ax


def forest_plot(
    frame: pd.DataFrame,
    ax: Axes,
    *,
    value: str = "value",
    rows: str = "scorer",
    xlabel: str,
    highlight: str | None = None,
) -> Axes:
    """One estimate with its interval per row, first row on top, with a line at zero.

    Args:
        frame: one row per estimate: ``rows``, ``value``, ``ci_low``, ``ci_high``, ``n_chains``.
            An interval of NaN is not drawn. The number of chains stands in the label of the x
            axis if all rows share it, else behind each row's name.
        ax: where to draw.
        value: column of the estimates.
        rows: column of the names.
        xlabel: what is estimated, and what the interval is.
        highlight: name of the row drawn in the second colour.
    """
    y = np.arange(len(frame))
    names, sizes = frame[rows].astype(str), frame["n_chains"]
    colours = np.where(names == highlight, "#D55E00", "#0072B2")
    low, high = frame[value] - frame["ci_low"], frame["ci_high"] - frame[value]
    ax.axvline(0, color="#555555", linewidth=1, zorder=0)
    for k in y:
        if np.isfinite(low.iloc[k]):
            widths = [[max(0, low.iloc[k])], [max(0, high.iloc[k])]]
            ax.errorbar(
                frame[value].iloc[k], k, xerr=widths, fmt="none", ecolor=colours[k],
                elinewidth=2, capsize=4,
            )  # fmt: skip
    ax.scatter(frame[value], y, color=colours, s=40, zorder=3)
    if sizes.nunique() == 1:
        ax.set_yticks(y, names)
        xlabel = f"{xlabel}, n = {sizes.iloc[0]:,} chains"
    else:
        ax.set_yticks(y, [f"{name} (n = {n:,})" for name, n in zip(names, sizes, strict=True)])
    ax.set_ylim(len(frame) - 0.5, -0.5)
    ax.set(xlabel=xlabel, ylabel=rows)
    ax.grid(axis="x", alpha=0.3)
    sns.despine(ax=ax)
    return ax


def metric_heatmap(
    frame: pd.DataFrame,
    ax: Axes,
    *,
    rows: str = "scorer",
    columns: str = "subset",
    label: str,
    centre: float = 0.0,
    reach: float = 1.0,
) -> Axes:
    """A metric by scorer and subset, each cell with its number, in the order of the table.

    Args:
        frame: tidy, one row per cell: ``rows``, ``columns``, ``value`` and ``n_chains``.
        ax: where to draw.
        rows: column of ``frame`` along the y axis.
        columns: column of ``frame`` along the x axis; its labels are wrapped.
        label: what is shown, for the colour bar.
        centre: value of the neutral colour: what a scorer that knows nothing would get.
        reach: distance from ``centre`` at which the colours end.
    """
    order = {axis: list(dict.fromkeys(frame[axis])) for axis in (rows, columns)}
    wide = frame.pivot(index=rows, columns=columns, values="value")
    wide = wide.reindex(index=order[rows], columns=order[columns])
    sizes = frame.groupby(columns)["n_chains"].max()
    sns.heatmap(
        wide, ax=ax, annot=True, fmt=".2f", cmap="vlag_r", center=centre, vmin=centre - reach,
        vmax=centre + reach, linewidths=1, cbar_kws={"label": label},
    )  # fmt: skip
    labels = [f"{fill(str(name), 18)}\nn = {sizes[name]:,}" for name in order[columns]]
    ax.set_xticks(np.arange(len(labels)) + 0.5, labels)
    ax.set(xlabel="", ylabel=rows)
    ax.tick_params(axis="both", rotation=0, length=0)
    return ax


POLICY_COLOURS = ("#555555", "#D55E00", "#0072B2", "#009E73")
"""For lines and marks of models side by side, told apart by dashes and markers as well."""


def curve_plot(
    table: pd.DataFrame, ax: Axes, *, y: str, label: str, hue: str | None = None
) -> Axes:
    """A quantity along training, one line per ``hue``.

    Args:
        table: tidy, one row per logged step: ``step``, ``y`` and ``hue``.
        ax: where to draw.
        y: column to draw.
        label: what it is, with its unit.
        hue: column whose values get a line each; None draws a single line.
    """
    n_lines = table[hue].nunique() if hue else 1
    sns.lineplot(
        table, x="step", y=y, hue=hue, style=hue, ax=ax, errorbar=None,
        palette=POLICY_COLOURS[1 : 1 + n_lines] if hue else None,
    )  # fmt: skip
    ax.set(xlabel="optimiser step", ylabel=label)
    ax.grid(axis="y", alpha=0.3)
    if hue:
        ax.legend(title=None, frameon=False)
    sns.despine(ax=ax)
    return ax


def adherence_plot(table: pd.DataFrame, ax: Axes) -> Axes:
    """Share of requirements met, by type, policies side by side, with 95 % intervals.

    Args:
        table: from ``adherence.adherence_table``, with a column ``policy``.
        ax: where to draw; x is the share, each type has a row.
    """
    types, policies = list(dict.fromkeys(table["type"])), list(dict.fromkeys(table["policy"]))
    offsets = np.linspace(-0.2, 0.2, len(policies)) if len(policies) > 1 else [0.0]
    for policy, offset, marker, colour in zip(
        policies, offsets, "osD^", POLICY_COLOURS, strict=False
    ):
        part = table[table["policy"] == policy].set_index("type").reindex(types)
        ends = [part["value"] - part["ci_low"], part["ci_high"] - part["value"]]
        ax.errorbar(
            part["value"], np.arange(len(types)) + offset, xerr=np.clip(ends, 0, None),
            fmt=marker, color=colour, capsize=3, label=policy,
        )  # fmt: skip
    ax.set_yticks(np.arange(len(types)), types)
    ax.set_ylim(len(types) - 0.5, -0.5)
    ax.set(xlim=(0, 1), xlabel=f"share met, 95 % interval, n = {int(table['n'].max()):,} queries")
    ax.grid(axis="x", alpha=0.3)
    if len(policies) > 1:
        ax.legend(title=None, frameon=False, bbox_to_anchor=(1, 1), loc="upper left")
    sns.despine(ax=ax)
    return ax


def type_accuracy_plot(table: pd.DataFrame, ax: Axes) -> Axes:
    """Accuracy on pairs by type of the dropped requirement, models side by side.

    Args:
        table: from ``reward_model.accuracy_by_type``, with a column ``model``.
        ax: where to draw; the dotted line is a coin.
    """
    ax = adherence_plot(table.rename(columns={"model": "policy"}), ax)
    sizes = table.groupby("type")["n"].max()
    names = [label.get_text() for label in ax.get_yticklabels()]
    ax.set_yticks(ax.get_yticks(), [f"{name} (n = {sizes[name]:,})" for name in names])
    ax.axvline(0.5, color="#555555", linestyle=":", zorder=0)
    ax.set_xlabel("pairwise accuracy on held-out topics, 95 % interval")
    return ax


def nf4_plot(
    levels: np.ndarray, weights: np.ndarray, restored: np.ndarray, axes: Sequence[Axes]
) -> Sequence[Axes]:
    """What 4-bit NF4 does to weights: where its levels lie, and the staircase they make.

    Args:
        levels: the 16 levels, in [-1, 1].
        weights: shape [n], n a multiple of 64.
        restored: shape [n], the same weights after quantisation and back.
        axes: two.
    """
    block = np.abs(weights.reshape(-1, 64)).max(axis=1, keepdims=True)
    scaled, back = (x.reshape(-1, 64) / block for x in (weights, restored))
    axes[0].hist(scaled.ravel(), bins=80, color="#9ecae1")
    for level in levels:
        axes[0].axvline(level, color="#D55E00", linewidth=1)
    axes[0].set(xlabel="weight / largest of its block of 64", ylabel="weights")
    axes[1].plot([-1, 1], [-1, 1], color="#555555", linestyle=":", label="no quantisation")
    axes[1].scatter(scaled, back, s=3, color="#0072B2", label="NF4")
    axes[1].set(xlabel="weight / largest of its block", ylabel="after NF4 and back")
    axes[1].legend(frameon=False)
    for ax in axes:
        sns.despine(ax=ax)
    return axes
