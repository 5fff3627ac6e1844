"""Slides of a lecture as one page: ``wfine slides course/week1/slides.ipynb``.

The notebook is run, and its cells are put on slides by their ``slide_type``, as ``jupyter nbconvert
--to slides`` does. That one fetches its pages' script from a server; ours has none and is read
without a network: a slide fills the window, Page Down goes to the next, and printing gives a PDF.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from wfine_utils.errors import WfineError, explained
from wfine_utils.files import atomic_write, display_path, resolve


def slides_page(path: Path) -> str:
    """Run a notebook of slides and return its HTML page.

    Args:
        path: a notebook whose cells have a ``slide_type`` in their metadata: ``slide`` begins one,
            ``skip`` is run and not shown, anything else belongs to the slide before. Of a cell with
            the tag ``hide-input`` only the result is shown.

    Raises:
        WfineError: there is no notebook, a cell of it fails, or no cell begins a slide.
    """
    import nbformat
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError

    from wfine_workflow.pages import executed_page

    if not path.is_file():
        raise WfineError(f"{display_path(path)} does not exist; expected a notebook of slides.")
    notebook = nbformat.read(path, as_version=4)
    types = [cell.metadata.get("slideshow", {}).get("slide_type", "-") for cell in notebook.cells]
    if "slide" not in types:
        raise WfineError(f"{display_path(path)}: found no cell that begins a slide, expected some.")
    resources = {"metadata": {"path": str(path.parent)}}
    try:
        NotebookClient(notebook, timeout=300, resources=resources).execute()
    except CellExecutionError as error:
        said = f"{error.ename}: {error.evalue}"
        raise WfineError(f"{display_path(path)}: a cell fails ({said}). Mend it first.") from None
    for cell, kind in zip(notebook.cells, types, strict=True):
        cell.metadata["begins_slide"] = kind == "slide"
        if "hide-input" in cell.metadata.get("tags", []):
            cell.metadata["transient"] = {"remove_source": True}
        if "outputs" in cell:  # progress bars and warnings are not for the audience
            cell.outputs = [x for x in cell.outputs if x.get("name") != "stderr"]
    both = zip(notebook.cells, types, strict=True)
    notebook.cells = [cell for cell, kind in both if kind != "skip"]
    return executed_page(notebook, path, template="slides.html.j2")[1]


@explained
def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; see ``wfine slides --help``."""
    parser = argparse.ArgumentParser(prog="wfine slides", description=__doc__)
    parser.add_argument("notebooks", type=Path, nargs="+", help="such as course/week1/slides.ipynb")
    parser.add_argument("--out", type=Path, default=Path("outputs/course"), help="folder of pages")
    options = parser.parse_args(arguments)
    for path in options.notebooks:
        page = slides_page(path)
        to = resolve(options.out) / f"{path.resolve().parent.name}.html"

        def write(file: Path, page: str = page) -> None:
            file.write_text(page, encoding="utf-8")

        sys.stdout.write(f"{display_path(atomic_write(to, write))}\n")
    return 0
