"""What notebooks 01 and 02 show: the highlighted query, and figures of hand-made tables."""

from __future__ import annotations

from html.parser import HTMLParser

import matplotlib
import pandas as pd
import pytest
from matplotlib.figure import Figure

from wfine_utils.chains.taxonomy import Query, Requirement, RequirementType, TaskCategory
from wfine_utils.checks.drop_validity import REAL_DROP
from wfine_utils.notebook import figures

QUERY = Query(
    None,
    "Compare <b>a</b> & b.",
    (
        Requirement(RequirementType.LENGTH, "word limit or range", "Use x < 5 words."),
        Requirement(None, None, "</span><script>alert(1)</script>"),
    ),
)


class _Reader(HTMLParser):
    """Collects the text, the tags, and the text that is struck through."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.text = self.struck = ""
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.open.append(tag)
        self.tags.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag, "tags are not nested"

    def handle_data(self, data):
        self.text += data
        self.struck += data if "s" in self.open else ""


def test_a_highlighted_query_shows_its_texts_and_nothing_of_them_becomes_html():
    read = _Reader(figures.highlight_query(QUERY))
    assert read.open == []
    assert set(read.tags) == {"div", "b", "span", "sub"}
    for text in (QUERY.base_task, *(r.text for r in QUERY.requirements)):
        assert text in read.text
    assert "length: word limit or range" in read.text and "unlabelled" in read.text
    assert read.struck == ""


def test_dropped_requirements_are_struck_through():
    html = figures.highlight_query(QUERY, kept=(False, True))
    assert _Reader(html).struck == "Use x < 5 words."
    assert figures.TYPE_COLOURS["length"] in html
    with pytest.raises(ValueError, match="shorter"):
        figures.highlight_query(QUERY, kept=(True,))


def test_the_text_keeps_the_page_colour_so_that_it_is_read_on_dark_pages():
    html = figures.highlight_query(QUERY).replace("background:", "").replace("border-", "")
    assert "color:" not in html


def test_type_colours_differ_also_in_grey():
    greys = []
    for kind in RequirementType:
        red, green, blue = matplotlib.colors.to_rgb(figures.TYPE_COLOURS[kind])
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
    ax = figures.count_heatmap(table, "category", "type", Figure().subplots(), label="n")
    assert [t.get_text() for t in ax.get_xticklabels()] == ["length", "style"]
    assert [t.get_text() for t in ax.get_yticklabels()] == [
        str(TaskCategory.CREATIVE), str(TaskCategory.PRACTICAL),
    ]  # fmt: skip
    assert [t.get_text() for t in ax.texts] == ["2", "1", "0", "3"]


def test_count_bars_show_the_gaps():
    ax = figures.count_bars(pd.Series({2: 5, 4: 1}), Figure().subplots(), xlabel="x", ylabel="y")
    assert [bar.get_height() for bar in ax.patches] == [5, 0, 1]


def test_drop_rate_plot_puts_values_and_intervals_where_they_belong():
    rates = pd.DataFrame(
        {
            "writer": ["a", "a", "b", "b"],
            "type": ["all", "length"] * 2,
            "quantity": REAL_DROP,
            "n": 10,
            "value": [0.5, 0.6, 0.7, 0.8],
            "ci_low": [0.4, 0.5, 0.6, 0.7],
            "ci_high": [0.6, 0.7, 0.8, 0.9],
        }
    )
    ax = figures.drop_rate_plot(rates, Figure().subplots(), group="writer")
    assert [t.get_text() for t in ax.get_yticklabels()] == ["length", "all"]
    drawn = [xy for points in ax.collections if len(points.get_offsets()) == 2
             for xy in points.get_offsets()[:, 0]]  # fmt: skip
    assert [x for x in drawn if x in {0.5, 0.6, 0.7, 0.8}] == [0.6, 0.5, 0.8, 0.7]


def test_length_by_kept_draws_the_mean_of_each_level():
    table = pd.DataFrame({"gold": [0, 0, 1, 1], "n_words": [10, 20, 30, 50]})
    ax = figures.length_by_kept(table, Figure().subplots())
    means = next(line for line in ax.lines if line.get_marker() == "D")
    assert list(means.get_ydata()) == [15, 40]


def test_length_by_kept_draws_another_measure_and_leaves_out_what_has_no_value():
    table = pd.DataFrame({"gold": [0, 0, 0, 1, 1], "ease": [1.0, 2.0, float("nan"), 3.0, 5.0]})
    ax = figures.length_by_kept(table, Figure().subplots(), measure="ease", ylabel="ease in points")
    means = next(line for line in ax.lines if line.get_marker() == "D")
    assert list(means.get_ydata()) == [1.5, 4]
    assert [t.get_text() for t in ax.get_xticklabels()] == ["0\nn = 2", "1\nn = 2"]
    assert ax.get_ylabel() == "ease in points"


def test_subtype_bars_keep_the_order_of_the_table_from_the_top():
    table = pd.DataFrame(
        {"type": ["length", "style"], "subtype": ["character limit", "tone"], "n": [0, 4]}
    )
    ax = figures.subtype_bars(table, Figure().subplots())
    assert [bar.get_width() for bar in ax.patches] == [0, 4]
    assert ax.get_ylim()[0] > ax.get_ylim()[1]
