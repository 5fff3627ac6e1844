"""The two figures of WEval draw what the table says."""

from __future__ import annotations

import matplotlib
import numpy as np
import pandas as pd
import pytest

from wfine_utils.notebook.figures import forest_plot, metric_heatmap

matplotlib.use("Agg")
import matplotlib.pyplot as plt


@pytest.fixture
def ax():
    fig, ax = plt.subplots()
    yield ax
    plt.close(fig)


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
    points = ax.collections[-1]
    np.testing.assert_allclose(points.get_offsets(), [[0.5, 0], [0.1, 1], [-0.2, 2]])
    drawn = [c.lines[2][0].get_segments()[0] for c in ax.containers]
    np.testing.assert_allclose(drawn, [[[0.4, 0], [0.7, 0]], [[-0.3, 2], [-0.1, 2]]])
    colours = points.get_facecolors()
    assert (colours[0] == colours[2]).all() and (colours[0] != colours[1]).any()
    assert ax.get_xlabel() == "tau, n = 300 chains"


def test_forest_names_the_size_of_every_row_if_they_differ(ax):
    forest_plot(table(n_chains=[1300, 20, 3]), ax, xlabel="tau")
    assert labels(ax.yaxis) == ["b (n = 1,300)", "a (n = 20)", "c (n = 3)"]
    assert ax.get_xlabel() == "tau"


def test_heat_map_keeps_the_order_and_leaves_missing_cells_empty(ax):
    frame = pd.concat([table().assign(subset="two"), table().iloc[:2].assign(subset="one")])
    assert metric_heatmap(frame, ax, label="tau", centre=0.5, reach=0.5) is ax
    assert labels(ax.yaxis) == ["b", "a", "c"]
    assert labels(ax.xaxis) == ["two\nn = 300", "one\nn = 300"]
    assert [text.get_text() for text in ax.texts] == ["0.50", "0.50", "0.10", "0.10", "-0.20"]
    assert ax.collections[0].get_clim() == (0, 1)
