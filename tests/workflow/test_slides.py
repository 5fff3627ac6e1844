"""Slides of lectures: pages that need no network."""

from __future__ import annotations

import re
from pathlib import Path

import nbformat
import pytest
from conftest import ROOT
from nbconvert import SlidesExporter
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from wfine_utils.errors import WfineError
from wfine_workflow.slides import main, slides_page

LECTURES = sorted((ROOT / "course").glob("*/slides.ipynb"))


def slide(kind: str) -> dict:
    return {"slideshow": {"slide_type": kind}}


def notebook(path: Path, *cells: nbformat.NotebookNode) -> Path:
    nbformat.write(new_notebook(cells=[*cells]), path)
    return path


@pytest.mark.slow
@pytest.mark.parametrize("path", LECTURES, ids=lambda p: p.parent.name)
def test_a_lecture_is_a_page_without_network_and_script(path):
    source = nbformat.read(path, as_version=4)
    n_slides = sum(c.metadata.slideshow.slide_type == "slide" for c in source.cells)
    page = slides_page(path)
    assert page.count("<section>") == n_slides + 1  # and an empty one before the first
    assert "<script" not in page
    assert not re.findall(r"(?:src=|<link[^>]*href=|url\()[\"']?https?:", page)
    assert len(re.findall(r"<img[^>]*data:image/png", page)) == sum(
        "plt.show()" in c.source for c in source.cells
    )
    assert page.count('alt="Figure"') == 0, "a figure has its words below it"
    assert not re.search(r"<code>[^<]*\\(?:frac|sqrt|sum)", page), "a formula was not converted"


@pytest.mark.parametrize("path", LECTURES, ids=lambda p: p.parent.name)
def test_nbconvert_makes_slides_of_it_too(path):
    source = nbformat.read(path, as_version=4)
    n_slides = sum(c.metadata.slideshow.slide_type == "slide" for c in source.cells)
    page, _ = SlidesExporter().from_notebook_node(source)
    assert len(re.findall(r"<section\s*>\s*<section\s*>", page)) == n_slides


def test_what_is_shown_and_what_is_not(tmp_path):
    path = notebook(
        tmp_path / "slides.ipynb",
        new_markdown_cell("# Title", metadata=slide("slide")),
        new_code_cell("import sys\nx = 'seen'\nx", metadata=slide("skip")),
        new_markdown_cell("## Second", metadata=slide("slide")),
        new_code_cell("sys.stderr.write('noise'); y = x", metadata=slide("-")),
        new_code_cell("print(y, 'and computed')", metadata=slide("-") | {"tags": ["hide-input"]}),
    )
    page = slides_page(path)
    assert page.count("<section>") == 3
    body = page[page.index("<main>") :]
    text = re.sub(r"<[^>]+>", "", body)
    assert "seen and computed" in text and "# Title" not in text
    assert "sys.stderr.write" in text, "the input of a cell that does not hide it"
    assert text.count("noise") == 1, "what it writes to standard error is not for the audience"
    assert "import sys" not in text
    assert "and computed&#39;" not in text


def test_a_slide_that_fails_is_told_in_one_paragraph(tmp_path, capsys):
    path = notebook(
        tmp_path / "slides.ipynb",
        new_markdown_cell("# Title", metadata=slide("slide")),
        new_code_cell("1 / 0", metadata=slide("-")),
    )
    assert main([str(path), "--out", str(tmp_path)]) == 2
    said = capsys.readouterr().err
    assert "a cell fails (ZeroDivisionError: division by zero)" in said and "Traceback" not in said
    assert [p.name for p in tmp_path.iterdir()] == ["slides.ipynb"]


def test_no_slides_at_all(tmp_path):
    with pytest.raises(WfineError, match="no cell that begins a slide"):
        slides_page(notebook(tmp_path / "x.ipynb", new_markdown_cell("# Title")))
    with pytest.raises(WfineError, match="does not exist"):
        slides_page(tmp_path / "y.ipynb")
