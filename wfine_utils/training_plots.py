"""Figures of models: how they learn, what they meet, what 4-bit quantisation does to them.

The house rules are those of :mod:`wfine_utils.plots`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes

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
