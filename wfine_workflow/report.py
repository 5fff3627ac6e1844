"""The report of a run: ``python -m wfine_workflow.report outputs/mini``.

One folder of HTML that can be mailed, opened from a stick, and read on a phone and without a
network: pictures are inside the pages, formulas are MathML, nothing is fetched from elsewhere.
"""

from __future__ import annotations

import argparse
import base64
import json
import re
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jinja2
import nbformat
import pandas as pd
from latex2mathml.converter import convert as latex_to_mathml
from markupsafe import Markup, escape
from nbconvert import HTMLExporter
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath
from pandas.api.types import is_numeric_dtype

from wfine_utils.errors import WfineError
from wfine_utils.files import PARTIAL, display_path
from wfine_utils.notebook.render import pretty
from wfine_workflow.paper_tables import TABLES as TABLE_LIST
from wfine_workflow.run import HEADLINE, headline

WIDGET = "application/vnd.jupyter.widget-view+json"
TABLES, FIGURES = "07_paper_tables/tables", "07_paper_tables/figures"

_PAGE = """
{%- extends 'lab/index.html.j2' -%}
{%- block html_head_js -%}{%- endblock -%}
{%- block jupyter_widgets -%}{%- endblock -%}
{%- block html_head_js_mathjax -%}{%- endblock -%}
{%- block html_head_js_mermaidjs -%}{%- endblock -%}
{%- block html_head_css -%}
<style>
main { max-width: 60rem; margin: 0 auto; }
math[display=block] { overflow: auto hidden; margin: .8em 0; }
.jp-OutputArea-output, .jp-RenderedMarkdown { overflow-x: auto; }
.wfine-home { font: 14px system-ui, sans-serif; padding: .5rem; }
@media (max-width: 40rem) { .jp-InputPrompt, .jp-OutputPrompt { display: none; } }
</style>
{%- endblock -%}
{%- block body_header -%}
{{ super() }}<p class="wfine-home"><a href="index.html">← all notebooks, tables and figures</a></p>
{%- endblock -%}
"""

_INDEX = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>wfine: {{ preset }}</title>
<style>
:root { color-scheme: light dark; --line: #8885; --accent: #0072b2; }
@media (prefers-color-scheme: dark) { :root { --accent: #56b4e9; } }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 0 auto;
       padding: 1rem 1rem 4rem; }
h1 { margin-bottom: 0; } h2 { margin-top: 2.5rem; } a { color: var(--accent); }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-size: .9rem; font-variant-numeric: tabular-nums; }
th, td { padding: .3rem .7rem; border-bottom: 1px solid var(--line); text-align: left;
         vertical-align: top; }
td.n { text-align: right; white-space: nowrap; } th.n { text-align: right; }
tbody tr:hover { background: #8882; }
figure { margin: 1rem 0; } figcaption, .small { font-size: .85rem; opacity: .8; }
img { max-width: 100%; height: auto; background: white; border-radius: 4px; }
pre { overflow-x: auto; padding: .8rem 1rem; border: 1px solid var(--line); border-radius: 6px;
      font-size: .85rem; }
summary { cursor: pointer; font-weight: 600; padding: .4rem 0; }
</style>
</head>
<body>
<h1>wfine</h1>
<p>Fine-grained reward modelling for writing, preset <b>{{ preset }}</b>.</p>
<h2>In short</h2>
<pre>{{ headline }}</pre>
<h2>Notebooks</h2>
<div class="scroll"><table>
<thead><tr><th>notebook</th><th class="n">minutes</th><th class="n">peak GiB</th></tr></thead>
<tbody>
{%- for book in notebooks %}
<tr><td><a href="{{ book.page }}">{{ book.title }}</a></td>
<td class="n">{{ book.minutes }}</td><td class="n">{{ book.memory }}</td></tr>
{%- endfor %}
</tbody></table></div>
<h2>Tables</h2>
{%- for table in tables %}
<details {{ 'open' if loop.first }}><summary>{{ table.title }}</summary>
<div class="scroll">{{ table.html }}</div>
<p class="small">{{ table.source }}</p></details>
{%- else %}<p>None: notebook 07 has written no table.</p>{%- endfor %}
<h2>Figures</h2>
{%- for figure in figures %}
<figure><img src="{{ figure.uri }}" alt="{{ figure.title }}" loading="lazy">
<figcaption>{{ figure.title }}</figcaption></figure>
{%- else %}<p>None: notebook 07 has written no figure.</p>{%- endfor %}
{%- if stamp %}
<h2>Made with</h2>
<p class="small">{{ stamp }}</p>{%- endif %}
</body>
</html>
"""


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
        found = latex_to_mathml(source, display=display)
    except Exception:  # any of a dozen kinds; the source is readable, a missing page is not
        return f"<code>{escape(latex)}</code>"
    return found if "<mi>&</mi>" not in found else f"<code>{escape(latex)}</code>"


class _Exporter(HTMLExporter):
    """Notebook to one HTML file that needs no network."""

    def __init__(self) -> None:
        super().__init__(
            extra_loaders=[jinja2.DictLoader({"wfine.html.j2": _PAGE})],
            template_file="wfine.html.j2",
            embed_images=True,
        )

    def default_filters(self) -> Any:
        yield from super().default_filters()
        yield "markdown2html", self.with_mathml

    @jinja2.pass_context
    def with_mathml(self, context: Any, source: str) -> str:
        renderer = _MathMLRenderer(
            escape=False,
            attachments=context.get("cell", {}).get("attachments", {}),
            embed_images=True,
            path=context.get("resources", {}).get("metadata", {}).get("path", ""),
            anchor_link_text="",
        )
        return MarkdownWithMath(renderer=renderer).render(source)


def notebook_page(path: Path) -> tuple[str, str]:
    """Turn an executed notebook into a page.

    Args:
        path: the executed notebook.

    Returns:
        Its title (first heading) and the HTML. Links to other notebooks lead to their pages;
        progress bars, which need a running kernel, are replaced by their last text.
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
    page, _ = _Exporter().from_notebook_node(
        notebook, {"metadata": {"path": str(path.parent), "name": path.stem}}
    )
    return title, page


def build(folder: Path) -> Path:
    """Write ``<folder>/report``: ``index.html`` and one page per executed notebook.

    Args:
        folder: ``<output_root>/<preset>`` of a run.

    Returns:
        The path of the index. The report appears as a whole or not at all.

    Raises:
        WfineError: there is no executed notebook in ``<folder>/notebooks``.
    """
    books = sorted((folder / "notebooks").glob("*.ipynb"))
    if not books:
        raise WfineError(
            f"{display_path(folder / 'notebooks')} holds no executed notebook, so there is nothing to "
            f"report. Run: make reproduce PRESET={folder.name}"
        )
    final, partial = folder / "report", folder / f"{PARTIAL}report"
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    rows = []
    for book in books:
        title, page = notebook_page(book)
        (partial / f"{book.stem}.html").write_text(page, encoding="utf-8")
        rows.append({"page": f"{book.stem}.html", "title": title, **_cost(folder, book.stem)})
    paths = [p for p in sorted((folder / TABLES).glob("*.csv")) if p != folder / HEADLINE]
    tables = [_table(path, folder) for path in paths]
    figures = [_figure(path) for path in sorted((folder / FIGURES).glob("*.png"))]
    environment = jinja2.Environment(autoescape=True, trim_blocks=True)
    index = environment.from_string(_INDEX).render(
        preset=folder.name,
        headline=headline(folder),
        notebooks=rows,
        tables=tables,
        figures=figures,
        stamp=_made_with(folder),
    )
    (partial / "index.html").write_text(index, encoding="utf-8")
    shutil.rmtree(final, ignore_errors=True)
    partial.replace(final)
    return final / "index.html"


def _cost(folder: Path, notebook: str) -> dict[str, str]:
    path = folder / "benchmarks" / f"{notebook}.tsv"
    if not path.exists():
        return {"minutes": "", "memory": ""}
    cost = pd.read_csv(path, sep="\t", na_values="-").iloc[0]
    memory = "" if pd.isna(cost["max_rss"]) else f"{cost['max_rss'] / 1024:.2f}"
    return {"minutes": f"{cost['s'] / 60:.1f}", "memory": memory}


def _read(path: Path) -> pd.DataFrame:
    return pd.read_csv(path, keep_default_na=False, na_values=[""])


def _table(path: Path, folder: Path) -> dict[str, Any]:
    frame = _read(path)
    numeric = {name.replace("_", " ") for name in frame if is_numeric_dtype(frame[name])}
    texts = pretty(frame)

    def row(tag: str, values: Sequence[str]) -> str:
        cells = zip(texts, values, strict=True)
        return "".join(
            f"<{tag}{' class=n' if name in numeric else ''}>{escape(text)}</{tag}>"
            for name, text in cells
        )

    body = "".join(f"<tr>{row('td', values)}</tr>" for values in texts.to_numpy())
    head = row("th", list(texts))
    return {
        "title": {table.name: f"{_title(path)}: {table.caption}" for table in TABLE_LIST}.get(
            path.stem, _title(path)
        ),
        "html": Markup(f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"),
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


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; see ``python -m wfine_workflow.report --help``."""
    parser = argparse.ArgumentParser(prog="python -m wfine_workflow.report", description=__doc__)
    parser.add_argument("folder", type=Path, help="outputs/<preset> of a run")
    try:
        build(parser.parse_args(arguments).folder)
    except WfineError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
