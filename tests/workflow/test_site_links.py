"""The check of a folder of pages finds each kind of fault, and nothing in a sound folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from wfine_workflow.site.links import check

HEAD = '<html><head><link rel="stylesheet" href="_static/a.css"></head><body>'
SOUND = (
    HEAD + '<a href="docs/b.html#here">b</a> <a href="#">up</a> <a href="https://x.org">x</a>'
    '<a href="mailto:a@b.c">mail</a> <img src="_static/p%20q.png?v=1" alt="a picture">'
    '<img src="data:image/png;base64,AA" alt="inside"><style>p{background:url(#mask)}</style>'
)


@pytest.fixture
def pages(tmp_path) -> Path:
    folder = tmp_path / "site"
    (folder / "docs").mkdir(parents=True)
    (folder / "_static").mkdir()
    (folder / "_static" / "a.css").write_text("p{background:url('p q.png')} b{src:url(data:x)}")
    (folder / "_static" / "p q.png").touch()
    (folder / "docs" / "b.html").write_text('<h2 id="here">B</h2><a href="../">home</a>')
    (folder / "index.html").write_text(SOUND)
    (tmp_path / "beside.html").touch()
    return folder


def test_a_sound_folder(pages):
    checked = check(pages)
    assert checked.faults == ()
    # a.css, b.html, #, p q.png, data:, url(#mask) not; ../ of b.html; two of the style sheet
    assert (checked.n_pages, checked.n_links, checked.n_elsewhere) == (2, 8, 2)


@pytest.mark.parametrize(
    ("html", "fault"),
    [
        ('<a href="gone.html">x</a>', "index.html: leads to no file: gone.html"),
        ('<a href="docs/b.html#gone">x</a>', "index.html: no such anchor: docs/b.html#gone"),
        ('<a href="#gone">x</a>', "index.html: no such anchor: #gone"),
        ('<a href="../beside.html">x</a>', "index.html: leads out of the folder: ../beside.html"),
        ('<a href="docs">x</a>', "index.html: leads to no file: docs"),
        ('<script src="https://cdn.x/m.js"></script>',
         "index.html: fetched from elsewhere: https://cdn.x/m.js"),
        ('<script src="//x/m.js"></script>', "index.html: fetched from elsewhere: //x/m.js"),
        ('<link rel="stylesheet" href="http://x/a.css">',
         "index.html: fetched from elsewhere: http://x/a.css"),
        ('<img src="https://x/p.png" alt="a">', "index.html: fetched from elsewhere: https://x/p.png"),
        ('<img srcset="_static/a.css 1x, https://x/2.png 2x" alt="a">',
         "index.html: fetched from elsewhere: https://x/2.png"),
        ('<style>@import "https://x/f.css";</style>',
         "index.html: fetched from elsewhere: https://x/f.css"),
        ('<p style="background: url(https://x/b.png)">',
         "index.html: fetched from elsewhere: https://x/b.png"),
        ('<iframe src="https://x/v"></iframe>', "index.html: fetched from elsewhere: https://x/v"),
        ('<object data="gone.svg"></object>', "index.html: leads to no file: gone.svg"),
        ('<img src="_static/p%20q.png">', "index.html: a picture without words: _static/p%20q.png"),
        ('<p id="one"></p><p id="one"></p>', "index.html: two elements have the id one"),
    ],
)  # fmt: skip
def test_each_kind_of_fault_is_named(pages, html, fault):
    (pages / "index.html").write_text(SOUND + html)
    assert check(pages).faults == (fault,)


def test_a_style_sheet_that_fetches_a_font(pages):
    (pages / "_static" / "a.css").write_text('@font-face{src:url("https://fonts.x/f.woff2")}')
    fault = "_static/a.css: fetched from elsewhere: https://fonts.x/f.woff2"
    assert check(pages).faults == (fault,)
