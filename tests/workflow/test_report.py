"""The pages of the report."""

from __future__ import annotations

import re
from pathlib import Path

import nbformat
import pytest
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from wfine_utils.errors import WfineError
from wfine_workflow.index import build
from wfine_workflow.pages import WIDGET as VIEW
from wfine_workflow.pages import notebook_page


def test_page_has_formulas_links_and_progress_without_scripts(run_folder):
    title, page = notebook_page(run_folder / "notebooks" / "00_first.ipynb", ["01_second"])
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
    assert "<td>tau-b of x</td><td>0.912 [0.900, 0.950]</td><td class=n>300</td>" in page
    assert "a &lt;b&gt;" in page
    assert "<td>None</td>" in page
    assert page.count("<tr>") == 3 + 3 + 3  # headline, notebooks, T1
    assert not (run_folder / ".partial-report").exists()


def test_report_replaces_the_old_one_as_a_whole(run_folder):
    build(run_folder)
    (run_folder / "report" / "old.html").touch()
    build(run_folder)
    assert not (run_folder / "report" / "old.html").exists()


def test_report_of_nothing(tmp_path):
    with pytest.raises(WfineError, match="no executed notebook"):
        build(tmp_path)


def page_of(run_folder: Path, *cells: NotebookNode, pages: tuple[str, ...] = (), **metadata) -> str:
    path = run_folder / "notebooks" / "00_first.ipynb"
    nbformat.write(new_notebook(cells=list(cells), metadata=metadata), path)
    return notebook_page(path, pages)[1]


@pytest.mark.parametrize(
    ("url", "link"),
    [
        ("01_second.ipynb", "01_second.html"),
        ("./01_second.ipynb#Part-2", "01_second.html#Part-2"),
        ("#Here", "#Here"),
        ("https://arxiv.org/abs/1", "https://arxiv.org/abs/1"),
        ("08_annotation.ipynb", None),  # no page of this report
        ("start.ipynb", None),
        ("../docs/references.bib", None),  # the report can be mailed: there is no project around it
        ("../outputs/reference/study", None),
    ],
)
def test_every_link_leads_somewhere(run_folder, url, link):
    page = page_of(run_folder, new_markdown_cell(f"# A\n\nSee [it]({url})."), pages=("01_second",))
    links = [x for x in re.findall(r'<a href="([^"]+)"', page) if x != "index.html"]
    assert links == ([link] if link else [])
    assert "it" in page


PIXEL = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR4nGNgYGBgAAAABQABXvMqOgAAAABJRU5ErkJg"
    "gg=="
)


@pytest.mark.parametrize(
    ("below", "alt"),
    [
        ("*Figure: loss by $\\tau_b$,\nfalling.* Then.", "loss by tau_b, falling."),
        ("*Figure, if labelled: a map.* Then.", "if labelled: a map."),
        ("No caption here.", "It falls by 2."),
    ],
)
def test_every_picture_is_described(run_folder, below, alt):
    picture = new_output("display_data", data={"image/png": PIXEL, "text/plain": "<Figure>"})
    finding = new_output("display_data", data={"text/markdown": "It *falls* by `2`."})
    cell = new_code_cell("plot()", outputs=[picture, finding])
    page = page_of(run_folder, new_markdown_cell("# A"), cell, new_markdown_cell(below))
    assert re.findall(r'alt="([^"]*)"', page) == [alt]


def test_a_progress_bar_shows_its_last_text(run_folder):
    """tqdm keeps the text of its first moment as plain text; the last is in the widgets' state."""

    def bar(model: str) -> NotebookNode:
        first = {"text/plain": "fit:   0%|   | 0/5", VIEW: {"model_id": model}}
        return new_code_cell("fit()", outputs=[new_output("display_data", data=first)])

    parts = {"l": "fit: 100%", "m": 5, "r": " 5/5 [00:01&lt;00:00]"}
    state = {k: {"state": {"value": v}} for k, v in parts.items()}
    state["bar"] = {"state": {"children": [f"IPY_MODEL_{k}" for k in parts]}}
    widgets = {"application/vnd.jupyter.widget-state+json": {"state": state}}
    page = page_of(run_folder, new_markdown_cell("# A"), bar("bar"), bar("gone"), widgets=widgets)
    assert "fit: 100% 5/5 [00:01&lt;00:00]" in page
    assert "0%|" not in page, "one that was to vanish is not shown"


def test_a_page_has_its_contents_on_top_and_follows_the_dark(run_folder):
    page = page_of(run_folder, new_markdown_cell("# A\n\n## 1 Why\n\nx\n\n## 2 `how`"))
    places = re.findall(r'<li><a href="#([^"]+)">(.*?)</a></li>', page)
    assert [text for _, text in places] == ["1 Why", "2 <code>how</code>"]
    assert all(page.count(f'id="{place}"') == 1 for place, _ in places)
    assert '<style media="(prefers-color-scheme: dark)">' in page


def test_costs_of_the_index_are_those_of_t6(run_folder):
    """With the time of the study's cells, which may be jobs of their own; the sum is T6's."""
    for name, seconds in (
        ("00_first", 60),
        ("06_validity_and_ablations", 18),
        ("07_paper_tables", 6),
    ):
        book = run_folder / "notebooks" / f"{name}.ipynb"
        book.write_bytes((run_folder / "notebooks" / "00_first.ipynb").read_bytes())
        tsv = run_folder / "benchmarks" / f"{name}.tsv"
        tsv.parent.mkdir(exist_ok=True)
        tsv.write_text(f"s\tmax_rss\n{seconds}\t1024\n")
    study = run_folder / "06_validity_and_ablations"
    study.mkdir()
    (study / "cells.csv").write_text("seconds,threads,cpu_cores\n480,1,2\n")
    page = build(run_folder).read_text(encoding="utf-8")
    minutes = re.findall(r'<td class="n">([\d.]*)</td>\s*<td class="n">', page)
    assert minutes == ["1.0", "", "4.3", "0.1", "5.3"], "00, 01, 06, 07, and all before 07"
