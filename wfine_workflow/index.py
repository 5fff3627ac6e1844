"""The first page of a report, with its tables and figures, and the folder around all pages."""

from __future__ import annotations

import base64
import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import nbformat
import pandas as pd
from pandas.api.types import is_numeric_dtype

from wfine_utils.errors import WfineError
from wfine_utils.files import display_path, whole_folder
from wfine_utils.notebook.render import pretty
from wfine_workflow.headline import HEADLINE, headline_table
from wfine_workflow.html_pages import table_cells, template
from wfine_workflow.pages import caption, has_picture, notebook_page
from wfine_workflow.paper_tables import TABLES, benchmark, table_t6
from wfine_workflow.results import MissingRun


def build(folder: Path, report: Path | None = None) -> Path:
    """Write the report of a run: ``index.html`` and one page per executed notebook, all or nothing.

    Args:
        folder: ``<output_root>/<preset>``.
        report: the folder to make; None: ``report`` in ``folder``.

    Returns:
        The path of the index.

    Raises:
        WfineError: there is no executed notebook in ``<folder>/notebooks``.
    """
    books = sorted((folder / "notebooks").glob("*.ipynb"))
    if not books:
        raise WfineError(
            f"{display_path(folder / 'notebooks')} holds no executed notebook, so there is nothing "
            f"to report. Run: make reproduce PRESET={folder.name}"
        )
    tables = sorted({*(folder / HEADLINE).parent.glob("*.csv")} - {folder / HEADLINE})
    names = [book.stem for book in books]
    costs = _costs(folder)
    report = report or folder / "report"
    with whole_folder(report) as partial:
        rows = []
        for book in books:
            title, page = notebook_page(book, names)
            (partial / f"{book.stem}.html").write_text(page, encoding="utf-8")
            cost = costs.get(book.stem, {})
            rows.append({"page": f"{book.stem}.html", "title": title, **cost})
        index = template("index.html.j2").render(
            preset=folder.name,
            headline=table_cells(headline_table(folder), ["n", "training pairs"]),
            notebooks=rows,
            total=costs.get("all"),
            tables=[_table(path, folder) for path in tables],
            figures=_figures(folder),
            stamp=_made_with(folder),
        )
        (partial / "index.html").write_text(index, encoding="utf-8")
    return report / "index.html"


def _costs(folder: Path) -> dict[str, dict[str, str]]:
    """Minutes and peak memory of each notebook, and of ``all``, as T6 counts them.

    T6 leaves out notebook 07, in which it is computed; of that there is the time of its own.
    """
    costs: dict[str, dict[str, float]] = {}
    with suppress(MissingRun):
        table = table_t6(folder).query("stage == 'all'").set_index("notebook")
        costs = table[["minutes", "peak_memory_gib"]].to_dict("index")
    for path in folder.glob("benchmarks/07*.tsv"):
        costs[path.stem] = benchmark(path)
    digits = {"minutes": 1, "peak_memory_gib": 2}
    return {
        notebook: {name: f"{x:.{digits[name]}f}" for name, x in cost.items() if pd.notna(x)}
        for notebook, cost in costs.items()
    }


def _table(path: Path, folder: Path) -> dict[str, Any]:
    frame = pd.read_csv(path, keep_default_na=False, na_values=[""])
    captions = {table.name: f": {table.caption}" for table in TABLES}
    return {
        "title": _title(path) + captions.get(path.stem, ""),
        "source": path.relative_to(folder).as_posix(),
        **table_cells(pretty(frame), [name for name in frame if is_numeric_dtype(frame[name])]),
    }


def _figures(folder: Path) -> list[dict[str, str]]:
    """Every figure of notebook 07, with the caption that stands below it there."""
    figures = []
    for path in sorted(folder.glob("07_paper_tables/figures/*.png")):
        text = _title(path)
        for book in folder.glob("notebooks/07*.ipynb"):
            notebook = nbformat.read(book, as_version=4)
            makes = [
                place
                for place, cell in enumerate(notebook.cells)
                if f'"{path.stem}"' in cell.source
                and any(map(has_picture, cell.get("outputs", ())))
            ]
            text = caption(notebook, makes[0]) if makes else text
        data = base64.b64encode(path.read_bytes()).decode("ascii")
        uri = f"data:image/png;base64,{data}"
        figures.append({"title": _title(path), "caption": text, "uri": uri})
    return figures


def _title(path: Path) -> str:
    words = path.stem.replace("_", " ")
    return words[:1].upper() + words[1:]


def _made_with(folder: Path) -> str:
    stamps = sorted(folder.glob("0*/stamp.json"))
    if not stamps:
        return ""
    stamp = json.loads(stamps[-1].read_text(encoding="utf-8"))
    versions = ", ".join(f"{k} {v}" for k, v in stamp.get("versions", {}).items())
    simd = f" ({', '.join(stamp['cpu_simd'])})" if stamp.get("cpu_simd") else ""
    return f"{versions}; {stamp.get('cpu', '')}{simd}, {stamp.get('cpu_cores', '?')} cores"
