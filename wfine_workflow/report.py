"""The report of a run: ``python -m wfine_workflow.report outputs/mini``.

One folder of HTML that can be mailed, opened from a stick, and read on a phone and without a
network: pictures are inside the pages, formulas are MathML, nothing is fetched from elsewhere.
"""

from __future__ import annotations

import argparse
import base64
import json
import math
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jinja2
import nbformat
import pandas as pd
from latex2mathml.converter import convert as latex_to_mathml
from markupsafe import escape
from nbconvert import HTMLExporter
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath
from pandas.api.types import is_numeric_dtype

from wfine_utils.errors import WfineError, explained
from wfine_utils.files import display_path, whole_folder
from wfine_utils.notebook.render import pretty
from wfine_workflow.headline import HEADLINE, headline_text
from wfine_workflow.paper_tables import TABLES, benchmark

WIDGET = "application/vnd.jupyter.widget-view+json"
TEMPLATES = str(Path(__file__).parent / "templates")


class _MathMLRenderer(IPythonRenderer):
    """Markdown to HTML with formulas as MathML, which browsers draw by themselves."""

    def block_math(self, body: str) -> str:
        return _mathml(body, "block")

    def inline_math(self, body: str) -> str:
        return _mathml(body, "inline")

    def latex_environment(self, name: str, body: str) -> str:
        return _mathml(rf"\begin{{{name}}}{body}\end{{{name}}}", "block")


def _mathml(latex: str, display: str) -> str:
    # latex2mathml knows align* but not aligned, which JupyterLab wants inside $$
    source = re.sub(r"\{(aligned|split|gathered)\}", "{align*}", latex.strip())
    try:
        mathml = latex_to_mathml(source, display=display)
    except Exception:  # any of a dozen kinds; the source is readable, a missing page is not
        return f"<code>{escape(latex)}</code>"
    return mathml if "<mi>&</mi>" not in mathml else f"<code>{escape(latex)}</code>"


class _Exporter(HTMLExporter):
    """Notebook to one HTML file that needs no network."""

    def __init__(self) -> None:
        super().__init__(
            extra_template_paths=[TEMPLATES], template_file="notebook.html.j2", embed_images=True
        )

    def default_filters(self) -> Any:
        yield from super().default_filters()
        yield "markdown2html", self.with_mathml

    @jinja2.pass_context
    def with_mathml(self, context: Any, source: str) -> str:
        pictures = context.get("cell", {}).get("attachments", {})
        path = context.get("resources", {}).get("metadata", {}).get("path", "")
        renderer = _MathMLRenderer(
            escape=False, attachments=pictures, embed_images=True, path=path, anchor_link_text=""
        )
        return MarkdownWithMath(renderer=renderer).render(source)


def notebook_page(path: Path) -> tuple[str, str]:
    """Title (first heading) and HTML page of an executed notebook.

    Links to other notebooks lead to their pages; progress bars, which need a running kernel, are
    replaced by their last text.
    """
    notebook = nbformat.read(path, as_version=4)
    notebook.metadata.pop("widgets", None)
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            output.get("data", {}).pop(WIDGET, None)
        if cell.cell_type == "markdown":
            cell.source = re.sub(r"\]\((?:\./)?(\d\d_\w+)\.ipynb", r"](\1.html", cell.source)
    heading = re.search(r"^#\s+(.+)$", notebook.cells[0].source, re.MULTILINE)
    title = heading[1].strip() if heading else path.stem
    notebook.metadata["title"] = title
    resources = {"metadata": {"path": str(path.parent), "name": path.stem}}
    page, _ = _Exporter().from_notebook_node(notebook, resources)
    return title, page


def build(folder: Path) -> Path:
    """Write the report of a run: ``index.html`` and one page per executed notebook, all or nothing.

    Args:
        folder: ``<output_root>/<preset>``, which gets the folder ``report``.

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
    templates = jinja2.FileSystemLoader(TEMPLATES)
    environment = jinja2.Environment(autoescape=True, trim_blocks=True, loader=templates)
    with whole_folder(folder / "report") as report:
        rows = []
        for book in books:
            title, page = notebook_page(book)
            (report / f"{book.stem}.html").write_text(page, encoding="utf-8")
            rows.append({"page": f"{book.stem}.html", "title": title, **_cost(folder, book.stem)})
        index = environment.get_template("index.html.j2").render(
            preset=folder.name,
            headline=headline_text(folder),
            notebooks=rows,
            tables=[_table(path, folder) for path in tables],
            figures=[_figure(p) for p in sorted(folder.glob("07_paper_tables/figures/*.png"))],
            stamp=_made_with(folder),
        )
        (report / "index.html").write_text(index, encoding="utf-8")
    return folder / "report" / "index.html"


def _cost(folder: Path, notebook: str) -> dict[str, str]:
    path = folder / "benchmarks" / f"{notebook}.tsv"
    cost = benchmark(path) if path.exists() else {}
    digits = {"minutes": 1, "peak_memory_gib": 2}
    return {name: f"{x:.{digits[name]}f}" for name, x in cost.items() if not math.isnan(x)}


def _table(path: Path, folder: Path) -> dict[str, Any]:
    frame = pd.read_csv(path, keep_default_na=False, na_values=[""])
    numeric = {str(name).replace("_", " ") for name in frame if is_numeric_dtype(frame[name])}
    texts = pretty(frame)
    styles = {name: " class=n" if name in numeric else "" for name in texts}
    captions = {table.name: f": {table.caption}" for table in TABLES}
    return {
        "title": _title(path) + captions.get(path.stem, ""),
        "columns": [{"name": name, "style": style} for name, style in styles.items()],
        "rows": texts.to_numpy().tolist(),
        "source": path.relative_to(folder).as_posix(),
    }


def _figure(path: Path) -> dict[str, str]:
    data = base64.b64encode(path.read_bytes()).decode("ascii")
    return {"title": _title(path), "uri": f"data:image/png;base64,{data}"}


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


@explained
def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; see ``python -m wfine_workflow.report --help``."""
    parser = argparse.ArgumentParser(prog="python -m wfine_workflow.report", description=__doc__)
    parser.add_argument("folder", type=Path, help="outputs/<preset> of a run")
    build(parser.parse_args(arguments).folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
