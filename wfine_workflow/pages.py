"""An executed notebook as one HTML page that needs no network, no kernel and no script."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from html import unescape
from pathlib import Path
from typing import Any

import jinja2
import nbformat
from latex2mathml.converter import convert as latex_to_mathml
from markupsafe import escape
from nbconvert import HTMLExporter
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath

from wfine_workflow.html_pages import TEMPLATES

WIDGET = "application/vnd.jupyter.widget-view+json"
WIDGET_STATE = "application/vnd.jupyter.widget-state+json"
CONTENTS = '<nav id="contents"></nav>'


class _MathMLRenderer(IPythonRenderer):
    """Markdown to HTML with formulas as MathML, which browsers draw by themselves.

    Links to other notebooks lead to their pages; what is no page of the report has no link in it.
    """

    def __init__(self, pages: Collection[str], **options: Any) -> None:
        super().__init__(**options)
        self.pages = pages

    def link(self, text: str, url: str, title: str | None = None) -> str:
        if "://" in url or url.startswith("#"):
            return super().link(text, url, title)
        page, _, place = url.removeprefix("./").partition("#")
        page = page.removesuffix(".ipynb")
        link = f"{page}.html#{place}".removesuffix("#")
        return super().link(text, link, title) if page in self.pages else text

    def block_math(self, body: str) -> str:
        return mathml(body, "block")

    def inline_math(self, body: str) -> str:
        return mathml(body, "inline")

    def latex_environment(self, name: str, body: str) -> str:
        return mathml(rf"\begin{{{name}}}{body}\end{{{name}}}", "block")


def mathml(latex: str, display: str) -> str:
    """A formula as MathML; as the source in a ``<code>`` where it cannot be had.

    Args:
        display: "inline" or "block".
    """
    # latex2mathml knows align* but not aligned, which JupyterLab wants inside $$
    source = re.sub(r"\{(aligned|split|gathered)\}", "{align*}", latex.strip())
    try:
        formula = latex_to_mathml(source, display=display)
    except Exception:  # any of a dozen kinds; the source is readable, a missing page is not
        return f"<code>{escape(latex)}</code>"
    return formula if "<mi>&</mi>" not in formula else f"<code>{escape(latex)}</code>"


class _Exporter(HTMLExporter):
    """Notebook to one HTML file that needs no network."""

    def __init__(self, pages: Collection[str], template: str) -> None:
        super().__init__(
            extra_template_paths=[TEMPLATES], template_file=template, embed_images=True
        )
        self.pages = pages

    def default_filters(self) -> Any:
        yield from super().default_filters()
        yield "markdown2html", self.with_mathml

    @jinja2.pass_context
    def with_mathml(self, context: Any, source: str) -> str:
        pictures = context.get("cell", {}).get("attachments", {})
        path = context.get("resources", {}).get("metadata", {}).get("path", "")
        renderer = _MathMLRenderer(
            self.pages, escape=False, attachments=pictures, embed_images=True, path=path,
            anchor_link_text="",
        )  # fmt: skip
        return MarkdownWithMath(renderer=renderer).render(source)


def notebook_page(path: Path, pages: Collection[str] = ()) -> tuple[str, str]:
    """Title and HTML page of an executed notebook, as :func:`quiet` leaves it, with contents.

    Args:
        pages: names of the notebooks that have a page; links elsewhere become plain text.
    """
    return executed_page(nbformat.read(path, as_version=4), path, pages)


def executed_page(
    notebook: nbformat.NotebookNode,
    path: Path,
    pages: Collection[str] = (),
    template: str = "notebook.html.j2",
) -> tuple[str, str]:
    """As :func:`notebook_page`, of a notebook in memory that belongs to a path.

    Args:
        template: of the page, a file in the folder ``templates``.
    """
    notebook = quiet(notebook, path)
    title = notebook.metadata["title"]
    resources = {"metadata": {"path": str(path.parent), "name": path.stem}}
    page, _ = _Exporter(pages, template).from_notebook_node(notebook, resources)
    sections = re.findall(r'<h2 id="([^"]+)">(.*?)<a class="anchor-link"', page)
    items = "".join(f'<li><a href="#{name}">{text}</a></li>' for name, text in sections)
    return title, page.replace(CONTENTS, f"<nav><ul>{items}</ul></nav>" if items else "")


def quiet(notebook: nbformat.NotebookNode, path: Path) -> nbformat.NotebookNode:
    """The notebook of a path, changed so that its outputs need neither a kernel nor a script.

    Progress bars are replaced by their last text. Pictures are described by the caption below
    them, ``metadata["image/png"]["alt"]`` of their output; the first heading, else the name of the
    file, is ``metadata["title"]`` of the notebook.
    """
    widgets = notebook.metadata.pop("widgets", {}).get(WIDGET_STATE, {}).get("state", {})
    for place, cell in enumerate(notebook.cells):
        for output in list(cell.get("outputs", [])):
            if view := output.get("data", {}).pop(WIDGET, None):
                text = _last_text(widgets, view.get("model_id"))
                if widgets and text is None:
                    cell.outputs.remove(output)  # a bar that was to vanish when it was full
                output.data["text/plain"] = text or output.data.get("text/plain", "")
            if has_picture(output):
                output.metadata["image/png"] = {"alt": caption(notebook, place)}
    heading = re.search(r"^#\s+(.+)$", notebook.cells[0].source, re.MULTILINE)
    notebook.metadata["title"] = heading[1].strip() if heading else path.stem
    return notebook


def _last_text(widgets: Mapping[str, Any], model_id: str | None) -> str | None:
    """What a progress bar of tqdm said last: the texts to the left and right of it."""
    if (box := widgets.get(model_id or "")) is None:
        return None
    parts = [
        widgets.get(x.removeprefix("IPY_MODEL_"), {}) for x in box["state"].get("children", ())
    ]
    texts = [part.get("state", {}).get("value") for part in parts]
    return " ".join(unescape(text).strip() for text in texts if isinstance(text, str)) or None


def has_picture(output: nbformat.NotebookNode) -> bool:
    """Whether an output of a cell is a picture."""
    return "image/png" in output.get("data", {})


def caption(notebook: nbformat.NotebookNode, place: int) -> str:
    """What a picture shows: the ``*Figure: …*`` below its cell, else what was found in it."""
    below = next((c.source for c in notebook.cells[place + 1 :] if c.cell_type == "markdown"), "")
    match = re.search(r"\*Figure[:,]?\s*(.+?)\*", below, re.DOTALL)
    texts = (
        output.get("data", {}).get("text/markdown") for output in notebook.cells[place].outputs
    )
    text = match[1] if match else next(filter(None, texts), "Figure")
    return " ".join(re.sub(r"[$`*\\]", "", text).split())
