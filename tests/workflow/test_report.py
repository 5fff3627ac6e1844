"""The pages of the report."""

from __future__ import annotations

import nbformat
import pytest
from nbformat.v4 import new_markdown_cell, new_notebook

from wfine_utils.errors import WfineError
from wfine_workflow.report import build, notebook_page


def test_page_has_formulas_links_and_progress_without_scripts(run_folder):
    title, page = notebook_page(run_folder / "notebooks" / "00_first.ipynb")
    assert title == "00 First"
    assert page.count("<math") == 2
    assert "<mfrac>" in page
    assert 'href="01_second.html"' in page
    assert "100% 5/5" in page
    assert "<script" not in page


def test_formula_that_cannot_be_converted_stays_readable(run_folder):
    path = run_folder / "notebooks" / "00_first.ipynb"
    nbformat.write(new_notebook(cells=[new_markdown_cell("# A\n\n$\\frac{$")]), path)
    assert "<code>\\frac{</code>" in notebook_page(path)[1]


@pytest.mark.parametrize("environment", ["aligned", "align*", "cases"])
def test_formulas_in_rows(run_folder, environment):
    path = run_folder / "notebooks" / "00_first.ipynb"
    body = rf"$$\begin{{{environment}}} a &= b \\ c &= d \end{{{environment}}}$$"
    nbformat.write(new_notebook(cells=[new_markdown_cell(f"# A\n\n{body}")]), path)
    page = notebook_page(path)[1]
    assert page.count("<mtr>") == 2
    assert "<mi>&amp;</mi>" not in page


def test_index(run_folder):
    page = build(run_folder).read_text(encoding="utf-8")
    assert "tau-b of x  0.912 [0.900, 0.950]  300" in page
    assert "a &lt;b&gt;" in page
    assert "<td>None</td>" in page
    assert page.count("<tr>") == 3 + 3  # notebooks, T1; the headline is a text
    assert not (run_folder / ".partial-report").exists()


def test_report_replaces_the_old_one_as_a_whole(run_folder):
    build(run_folder)
    (run_folder / "report" / "old.html").touch()
    build(run_folder)
    assert not (run_folder / "report" / "old.html").exists()


def test_report_of_nothing(tmp_path):
    with pytest.raises(WfineError, match="no executed notebook"):
        build(tmp_path)
