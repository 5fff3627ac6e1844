"""What several tests of the workflow need."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output


@pytest.fixture
def run_folder(tmp_path) -> Path:
    """A run with two executed notebooks, one table, one stamp."""
    folder = tmp_path / "outputs" / "toy"
    (folder / "notebooks").mkdir(parents=True)
    tables = folder / "07_paper_tables" / "tables"
    tables.mkdir(parents=True)
    (tables / "T1_data.csv").write_text("split,n,value\na <b>,3,0.5\nNone,4,\n")
    (tables / "headline.csv").write_text(
        "quantity,value,ci_low,ci_high,n\ntau-b of x,0.91234,0.9,0.95,300\nminutes,3.5,,,\n"
    )
    text = "# 00 First\n\n$\\frac{a}{b}$ and `$HOME` [next](01_second.ipynb)\n\n$$\\sigma(x)$$"
    widget = {"application/vnd.jupyter.widget-view+json": {}, "text/plain": "100% 5/5"}
    cell = new_code_cell("1", outputs=[new_output("display_data", data=widget)])
    for name in ("00_first", "01_second"):
        book = new_notebook(cells=[new_markdown_cell(text), cell], metadata={"widgets": {}})
        nbformat.write(book, folder / "notebooks" / f"{name}.ipynb")
    return folder
