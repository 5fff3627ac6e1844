"""Figures draw what their tables say."""

from __future__ import annotations

import matplotlib
import numpy as np
import pandas as pd
import pytest
from matplotlib.collections import PathCollection
from matplotlib.figure import Figure

from wfine_utils.chains.taxonomy import RequirementType, TaskCategory
from wfine_utils.notebook.figures import (
    TYPE_COLOURS,
    bar_plot,
    count_heatmap,
    forest_plot,
    group_plot,
    length_by_kept,
    metric_heatmap,
)


@pytest.fixture
def ax():
    return Figure().subplots()


def table(**changes) -> pd.DataFrame:
    columns = {
        "scorer": ["b", "a", "c"],
        "value": [0.5, 0.1, -0.2],
        "ci_low": [0.4, np.nan, -0.3],
        "ci_high": [0.7, np.nan, -0.1],
        "n_chains": [300, 300, 300],
    }
    return pd.DataFrame(columns | changes)


def labels(axis) -> list[str]:
    return [label.get_text() for label in axis.get_ticklabels()]


def test_forest_keeps_the_order_and_draws_only_known_intervals(ax):
    assert forest_plot(table(), ax, xlabel="tau", highlight="a") is ax
    assert labels(ax.yaxis) == ["b", "a", "c"]
    assert ax.get_ylim()[0] > ax.get_ylim()[1]  # first row on top
    plain, lit = (c for c in ax.collections if isinstance(c, PathCollection))
    np.testing.assert_allclose(plain.get_offsets(), [[0.5, 0], [-0.2, 2]])
    np.testing.assert_allclose(lit.get_offsets(), [[0.1, 1]])
    assert (plain.get_facecolor() != lit.get_facecolor()).any()
    drawn = [s for c in ax.containers for s in c.lines[2][0].get_segments()]
    known = [s for s in drawn if len(s) and np.isfinite(s).all()]
    np.testing.assert_allclose(known, [[[0.4, 0], [0.7, 0]], [[-0.3, 2], [-0.1, 2]]])
    assert ax.get_xlabel() == "tau, 95 % interval, n = 300 chains"


def test_names_of_trained_scorers_say_from_how_many_pairs(ax):
    """Trainings in one picture that saw unequal numbers of pairs are not to look equal."""
    forest_plot(table(training_pairs=[16000, np.nan, 1500]), ax, xlabel="tau")
    assert labels(ax.yaxis) == ["b, 16,000 pairs", "a", "c, 1,500 pairs"]
    ax = Figure().subplots()
    cells = table(subset="length", training_pairs=[16000, np.nan, 1500])
    metric_heatmap(cells, ax, label="accuracy")
    assert labels(ax.yaxis) == ["b, 16,000 pairs", "a", "c, 1,500 pairs"]


def test_forest_names_the_size_of_every_row_if_they_differ(ax):
    forest_plot(table(n_chains=[1300, 20, 3]), ax, xlabel="tau")
    assert labels(ax.yaxis) == ["b (n = 1,300 chains)", "a (n = 20 chains)", "c (n = 3 chains)"]
    assert ax.get_xlabel() == "tau, 95 % interval"


def test_forest_takes_other_columns_and_units_row_by_row(ax):
    other = table().rename(columns={"scorer": "quantity", "value": "difference", "n_chains": "n"})
    other["unit"] = ["chains", "pairs", "chains"]
    names = {"label": "quantity", "value": "difference", "n": "n", "unit": ""}
    forest_plot(other, ax, xlabel="difference", null=0.5, **names)
    assert labels(ax.yaxis) == ["b (n = 300 chains)", "a (n = 300 pairs)", "c (n = 300 chains)"]
    assert ax.lines[0].get_xdata()[0] == 0.5


def test_heat_map_keeps_the_order_and_leaves_missing_cells_empty(ax):
    frame = pd.concat([table().assign(subset="two"), table().iloc[:2].assign(subset="one")])
    assert metric_heatmap(frame, ax, label="tau", centre=0.5, reach=0.5) is ax
    assert labels(ax.yaxis) == ["b", "a", "c"]
    assert labels(ax.xaxis) == ["two\nn = 300", "one\nn = 300"]
    assert [text.get_text() for text in ax.texts] == ["0.50", "0.50", "0.10", "0.10", "-0.20"]
    assert ax.collections[0].get_clim() == (0, 1)


def test_type_colours_differ_also_in_grey():
    greys = []
    for kind in RequirementType:
        red, green, blue = matplotlib.colors.to_rgb(TYPE_COLOURS[kind])
        greys.append(0.299 * red + 0.587 * green + 0.114 * blue)
    assert len({round(g, 2) for g in greys}) == len(RequirementType)


def test_count_heatmap_is_in_the_order_of_the_taxonomy_and_fills_gaps_with_zero():
    table = pd.DataFrame(
        [
            (str(TaskCategory.PRACTICAL), "style", 3),
            (str(TaskCategory.CREATIVE), "length", 2),
            (str(TaskCategory.CREATIVE), "style", 1),
        ],
        columns=["category", "type", "n"],
    )
    ax = count_heatmap(table, "category", "type", Figure().subplots(), label="n")
    assert [t.get_text() for t in ax.get_xticklabels()] == ["length", "style"]
    assert [t.get_text() for t in ax.get_yticklabels()] == [
        str(TaskCategory.CREATIVE), str(TaskCategory.PRACTICAL),
    ]  # fmt: skip
    assert [t.get_text() for t in ax.texts] == ["2", "1", "0", "3"]


def test_group_plot_puts_values_and_intervals_where_they_belong():
    rates = pd.DataFrame(
        {
            "writer": ["a", "a", "b", "b"],
            "type": ["length", "all"] * 2,
            "n": [10, 1200, 10, 1200],
            "value": [0.5, 0.6, 0.7, 0.8],
            "ci_low": [0.4, 0.5, 0.6, 0.7],
            "ci_high": [0.6, 0.7, 0.8, 0.9],
        }
    )
    ax = group_plot(rates, Figure().subplots(), xlabel="share", group="writer", unit="verdicts")
    assert labels(ax.yaxis) == ["length", "all"]
    dots = [points for points in ax.collections if isinstance(points, PathCollection)]
    np.testing.assert_allclose(dots[0].get_offsets(), [[0.5, -0.2], [0.6, 0.8]])
    np.testing.assert_allclose(dots[1].get_offsets(), [[0.7, 0.2], [0.8, 1.2]])
    ends = [s.tolist() for c in ax.containers for s in c.lines[2][0].get_segments()]
    np.testing.assert_allclose(ends[0], [[0.4, -0.2], [0.6, -0.2]])
    legend = [text.get_text() for text in ax.get_legend().get_texts()]
    assert legend == ["a (n = 10 to 1,200 verdicts)", "b (n = 10 to 1,200 verdicts)"]


def test_names_of_tables_are_readable_in_figures():
    table = pd.DataFrame(
        {"policy": ["base", "wrl_requirement"], "type": "mean", "n": 5, "value": [0.1, 0.2],
         "ci_low": [0.0, 0.1], "ci_high": [0.2, 0.3]}
    )  # fmt: skip
    ax = group_plot(table, Figure().subplots(), xlabel="share")
    legend = [text.get_text() for text in ax.get_legend().get_texts()]
    assert legend == ["base model (n = 5 queries)", "WRL, one requirement (n = 5 queries)"]


def test_length_by_kept_draws_the_mean_of_each_level():
    table = pd.DataFrame({"gold": [0, 0, 1, 1], "n_words": [10, 20, 30, 50]})
    ax = length_by_kept(table, Figure().subplots())
    means = next(line for line in ax.lines if line.get_marker() == "D")
    assert list(means.get_ydata()) == [15, 40]


def test_length_by_kept_draws_another_measure_and_leaves_out_what_has_no_value():
    table = pd.DataFrame({"gold": [0, 0, 0, 1, 1], "ease": [1.0, 2.0, float("nan"), 3.0, 5.0]})
    ax = length_by_kept(table, Figure().subplots(), measure="ease", ylabel="ease in points")
    means = next(line for line in ax.lines if line.get_marker() == "D")
    assert list(means.get_ydata()) == [1.5, 4]
    assert [t.get_text() for t in ax.get_xticklabels()] == ["0\nn = 2", "1\nn = 2"]
    assert ax.get_ylabel() == "ease in points"


def test_length_by_kept_has_an_interval_over_chains_where_there_are_enough():
    table = pd.DataFrame({"gold": 0, "n_words": [10, 20, 30, 50, 20, 40] * 2})
    for ids, n_alone in ((range(12), 12), ([*range(6)] * 2, 6), ([*range(5)] * 2 + [0, 1], None)):
        ax = length_by_kept(table.assign(chain_id=ids), Figure().subplots())
        (bar,) = ax.containers[0].lines[2]
        heights = [np.ptp(segment[:, 1]) for segment in bar.get_segments() if len(segment)]
        error = table["n_words"][:n_alone].sem() if n_alone else float("nan")
        assert heights in ([], [pytest.approx(2 * 1.96 * error, nan_ok=True)])
        assert bool(heights) or n_alone is None


def test_bars_keep_the_order_of_the_table_from_the_top_and_show_zeros():
    table = pd.DataFrame(
        {"type": ["length", "style"], "subtype": ["character limit", "tone"], "n": [0, 4000]}
    )
    ax = bar_plot(table, Figure().subplots(), label="subtype", xlabel="requirements", types="type")
    assert [bar.get_width() for bar in ax.patches] == [0, 4000]
    assert [t.get_text() for t in ax.texts] == ["0", "4,000"]
    assert labels(ax.yaxis) == ["character limit", "tone"]
    assert ax.get_ylim()[0] > ax.get_ylim()[1]
