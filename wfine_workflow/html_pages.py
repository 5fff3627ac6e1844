"""What the HTML pages share: the templates, and a table of texts as they want it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jinja2
import pandas as pd

TEMPLATES = str(Path(__file__).parent / "templates")


def template(name: str) -> jinja2.Template:
    """A template that escapes whatever is put into it."""
    loader = jinja2.FileSystemLoader(TEMPLATES)
    return jinja2.Environment(autoescape=True, trim_blocks=True, loader=loader).get_template(name)


def table_cells(
    texts: pd.DataFrame, numeric: Sequence[str], shaded: Sequence[bool] = ()
) -> dict[str, list[Any]]:
    """A table of texts as the templates want it.

    Args:
        numeric: names of columns, with or without underscores, that stand to the right.
        shaded: of each row, whether it is set apart; none: no row is.
    """
    right = {name.replace("_", " ") for name in numeric}
    styles = {name: " class=n" if name in right else "" for name in texts}
    columns = [{"name": name, "style": style} for name, style in styles.items()]
    marks = [" class=null" if mark else "" for mark in shaded] or [""] * len(texts)
    rows = list(zip(texts.to_numpy().tolist(), marks, strict=True))
    return {"columns": columns, "rows": rows}
