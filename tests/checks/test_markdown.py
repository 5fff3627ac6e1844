"""What a reader of the rendered text sees, by kind of block, in Markdown and in HTML."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wfine_utils.checks.markdown import MAX_CHARACTERS, parse, seen_text

ITEMS = [  # text, number of bulleted and of numbered items
    ("1. **Plan ahead**\n\n   Make a list.\n\n2. **Pack light**\n\n   Bring one bag.", 0, 2),
    ("- ```\n  code\n  ```\n- two", 2, 0),
    ("- > quoted\n- two", 2, 0),
    ("- # Title\n- two", 2, 0),
    ("- | a |\n  |---|\n  | 1 |\n- two", 2, 0),
    ("- ![a boat](boat.png)\n- two", 2, 0),
    ("- one\n\n  - two\n\n    more\n\n  still one\n- three", 3, 0),
    ("1. one\n   - two\n   - three\n2. four", 2, 2),
    ("<ul><li>one<li>two</ul>\n\n<ol>\n<li><p>three</p><p>more</p></li>\n</ol>", 2, 1),
    ("Bring:\n• one\n• two", 2, 0),
    ("•one\n·two\n\n⁃ three\n\n▸ four\n☐ five\n✓ six", 6, 0),
    ("● Rating\n●●○", 1, 0),
    ("<menu><li>one</menu>", 1, 0),
    ("- one\n-\n- ", 1, 0),
    ("1986. It rained.", 0, 0),
    ("<li>lost</li>", 0, 0),
]


@pytest.mark.parametrize(("text", "bullets", "numbered"), ITEMS, ids=[case[0] for case in ITEMS])
def test_every_item_counts_once(text, bullets, numbered):
    kinds = [kind for kind, _ in parse(text).items]
    assert (kinds.count("bullet"), kinds.count("numbered")) == (bullets, numbered)


@pytest.mark.parametrize(
    ("text", "bold"),
    [
        ("The **slow\ncooker** is on.", ["slow cooker"]),
        ("**slow  \ncooker** and **slow\\\ncooker**", ["slow cooker", "slow cooker"]),
        ("**slow<br>cooker**", ["slow cooker"]),
        ("<b>slow cooker</b> and <strong>hot</strong>", ["slow cooker", "hot"]),
        ("***very** hot* and __a `b` &amp; c__", ["very", "a b & c"]),
        ("**one <b>two</b>**", ["one two"]),
        ("<b>open\n\nnot bold", ["open"]),
        ("<b></b> is <b> </b>", []),
        ("<p><b>in HTML</b></p>", ["in HTML"]),
    ],
)
def test_bold(text, bold):
    assert parse(text).bold == bold


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("<div>One two.</div>", "One two."),
        (
            "<details><summary>More</summary>\n\nHidden *words*.\n\n</details>",
            "More\n\nHidden words.",
        ),
        ("one<br>two<br/>three", "one\ntwo\nthree"),
        ("H<sub>2</sub>O &mdash; <u>a</u> &lt;b&gt;", "H2O — a <b>"),
        ("Dear <your name>,", "Dear <your name>,"),
        ("a <!-- not this --> b<script>nor()</script>", "a b"),
        ("<style>\np {}\n</style>\n\nyes", "yes"),
        ("[a site](https://example.org) and ![a boat](x.png)", "a site and a boat"),
        ("~~old~~ new\\*", "old new*"),
        ("one</br>two", "one\ntwo"),
        ('<html><head><meta charset="x"><link rel="y"><title>t</title></head><p>a</p>', "a"),
        ("<hgroup><h1>A</h1></hgroup><template>x</template><dialog>b</dialog>", "A\n\nb"),
        ("<select><option>a</option></select> <nobr>b</nobr> <noscript>c</noscript>", "a b c"),
        ("# A `b`\n\n> quote\n\n1. one", "A b\n\nquote\n\none"),
        ("| a | b |\n|---|---|\n| c<br>d | e |", "a | b\n\nc d | e"),
        ("ｗｅ\u00a0 can’t\tgo", "we can't go"),
        ("snake_case _stays_", "snake_case stays"),
        ("1986. It rained.", "1986. It rained."),
    ],
)
def test_what_a_reader_sees(text, seen):
    assert seen_text(text) == seen


def test_html_blocks_are_blocks():
    document = parse("<h2>Plan</h2>\n<p>One\ntwo.</p>\n<p>Three.\n\nFour.")
    assert document.headings == [(2, "Plan")]
    assert document.paragraphs == document.blocks == ["One\ntwo.", "Three.", "Four."]
    assert document.sections == {"Plan": document.blocks}
    assert parse("<blockquote>a</blockquote>").n_block_quotes == 1


@pytest.mark.parametrize(
    "text",
    [
        "| a | b |\n|---|---|\n| 1<br>2 |  |",
        "<table><tr><th>a</th><th>b</th></tr><tr><td>1<br>2</td><td></td></tr></table>",
        "<table><tr><th>a<th>b<tr><td><p>1</p><p>2</p><td></table>",
    ],
)
def test_tables(text):
    assert parse(text).tables == [[["a", "b"], ["1\n2", ""]]]


def test_a_section_holds_its_subsections():
    sections = parse("# A\n\none\n\n## B\n\ntwo\n\n### B\n\nthree\n\n# C\n\nfour").sections
    assert sections == {"A": ["one", "two", "three"], "B": ["two", "three"], "C": ["four"]}


def test_what_lies_beyond_the_limit_is_seen_as_it_stands():
    text = "*one* " * (MAX_CHARACTERS // 6) + " _two_"
    assert seen_text(text).endswith("_two_") and seen_text(text).startswith("one one")


TAGS = (
    "<p> </p> <li> <ul> </ul> <table> </table> <tr> <td> </td> <b> </b> <x <![x[ <!-- --> <script>"
)
PIECES = st.lists(st.sampled_from([*TAGS.split(), "word", " ", "\n", "\n\n", "- ", "**", "| a |"]))


@settings(deadline=None)
@given(PIECES.map("".join))
def test_no_html_raises(text):
    assert isinstance(seen_text(text), str)


@pytest.mark.parametrize("unit", ["<div>", "<b>", "<p><!--", "<p <", "<td><table>", "<![x", "</p>"])
def test_huge_html(unit):
    assert isinstance(parse(unit * (MAX_CHARACTERS // len(unit))).text, str)
