"""How queries, texts and tables look in a notebook."""

from __future__ import annotations

from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest

from wfine_utils.chains.taxonomy import Query, Requirement, RequirementType
from wfine_utils.notebook.figures import TYPE_COLOURS
from wfine_utils.notebook.render import (
    entries,
    highlight_query,
    pretty,
    side_by_side,
    styled,
    value_table,
)

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
    read = _Reader(highlight_query(QUERY))
    assert read.open == []
    assert set(read.tags) == {"div", "b", "span", "sub"}
    for text in (QUERY.base_task, *(r.text for r in QUERY.requirements)):
        assert text in read.text
    assert "length: word limit or range" in read.text and "unlabelled" in read.text
    assert read.struck == ""


def test_dropped_requirements_are_struck_through():
    html = highlight_query(QUERY, kept=(False, True))
    assert _Reader(html).struck == "Use x < 5 words."
    assert TYPE_COLOURS["length"] in html
    with pytest.raises(ValueError, match="shorter"):
        highlight_query(QUERY, kept=(True,))


def test_the_text_keeps_the_page_colour_so_that_it_is_read_on_dark_pages():
    html = highlight_query(QUERY).replace("background:", "").replace("border-", "")
    assert "color:" not in html


def test_texts_side_by_side_are_escaped_and_keep_their_words():
    read = _Reader(side_by_side({"a <b>": "one & two", "c": "<script>x</script>"}))
    assert read.open == []
    assert set(read.tags) == {"table", "tr", "td", "b"}
    assert read.text == "a <b>\n\none & twoc\n\n<script>x</script>"


def test_marks_stand_on_the_words_that_differ():
    html = side_by_side({"a": "one two three", "b": "one four three"}, mark=True)
    assert "one <mark>two</mark> three" in html and "one <mark>four</mark> three" in html
    assert "<mark>" not in side_by_side({"a": "same", "b": "same"}, mark=True)
    assert "<mark>" not in side_by_side({"a": "one two", "b": "one three"})


def test_a_styled_table_rounds_names_what_is_missing_and_escapes():
    html = styled(pd.DataFrame({"x": [0.12345, np.nan], "t": ["<i>a</i>", "b"]}), 2).to_html()
    assert "0.12" in html and "0.123" not in html
    assert "–" in html and "<i>" not in html


def test_what_rounds_to_nought_has_no_sign():
    table = pd.DataFrame({"lost": [-0.004], "lost_ci_low": [-0.1], "lost_ci_high": [0.1]})
    assert list(pretty(table, digits=2)["lost"]) == ["0.00 [-0.10, 0.10]"]
    shown = styled(pd.DataFrame({"n": [1234], "lost": [-0.0004], "none": [np.nan]})).to_html()
    assert ">0.000<" in shown and "-0.000" not in shown and ">1,234<" in shown and ">–<" in shown


def test_value_table_keeps_the_order_of_both_axes():
    table = pd.DataFrame(
        {
            "scorer": ["b", "b", "a"],
            "metric": ["tau", "rho", "tau"],
            "value": [0.5, 0.25, 0.1],
            "ci_low": [0.4, 0.2, np.nan],
            "ci_high": [0.6, 0.3, np.nan],
        }
    )
    wide = value_table(table, "scorer", "metric", digits=2)
    assert list(wide.index) == ["b", "a"] and list(wide.columns) == ["tau", "rho"]
    assert list(wide["tau"]) == ["0.50 [0.40, 0.60]", "0.10"]
    assert wide.loc["b", "rho"] == "0.25 [0.20, 0.30]" and pd.isna(wide.loc["a", "rho"])


def test_entries_have_none_for_what_is_missing():
    table = pd.DataFrame({"scorer": ["a", "b"], "value": [0.5, np.nan], "other": 1})
    assert entries(table, ["scorer", "value", "ci_low"]) == [
        {"scorer": "a", "value": 0.5, "ci_low": None},
        {"scorer": "b", "value": None, "ci_low": None},
    ]
