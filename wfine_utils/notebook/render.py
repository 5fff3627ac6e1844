"""How tables and texts look: in a notebook, in Markdown, in LaTeX."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from difflib import SequenceMatcher
from html import escape
from typing import Any

import pandas as pd
from pandas.api.types import is_numeric_dtype
from pandas.io.formats.style import Styler

from wfine_utils.chains.taxonomy import Query
from wfine_utils.notebook.figures import TYPE_COLOURS

ENDS = ("_ci_low", "_ci_high")
"""How the columns of the two ends of an interval end."""


def styled(table: pd.DataFrame, digits: int = 3) -> Styler:
    """A table to be shown: numbers rounded, "–" for none, texts with their line breaks."""
    shown = table.reset_index(drop=True)
    floats = dict.fromkeys(shown.select_dtypes("float"), f"{{:z,.{digits}f}}")  # z: no −0.000
    options = {"precision": digits, "na_rep": "–", "thousands": ",", "escape": "html"}
    style = shown.style.format(floats or None, **options)
    left = [{"selector": "th", "props": [("text-align", "left")]}]  # a head above its column
    style = style.hide().set_table_styles(left)
    return style.set_properties(None, **{"text-align": "left", "white-space": "pre-wrap"})


def highlight_query(query: Query, kept: Sequence[bool] | None = None) -> str:
    """A query as HTML, each requirement marked in the colour of its type and named after it.

    Text is escaped: nothing in a query is taken for HTML.

    Args:
        query: whose text is shown.
        kept: one flag per requirement; dropped ones are struck through. None: all kept.
    """
    kept = (True,) * len(query.requirements) if kept is None else kept
    marks = []
    for requirement, keep in zip(query.requirements, kept, strict=True):
        kind = str(requirement.type or "unlabelled")
        colour = TYPE_COLOURS[kind]
        name = f"{kind}: {requirement.subtype}" if requirement.subtype else kind
        text = escape(requirement.text)
        marks.append(  # translucent, text in the page's own colour: for light and dark pages
            f'<span style="background:{colour}40;border-bottom:3px solid {colour};'
            f'border-radius:3px;padding:1px 4px;opacity:{1 if keep else 0.55}">'
            f"{text if keep else f'<s>{text}</s>'}"
            f'<sub style="padding-left:5px;font-size:75%">{escape(name)}</sub></span>'
        )
    body = " ".join([f"<b>{escape(query.base_task)}</b>", *marks])
    return f'<div style="line-height:2.3;max-width:60em">{body}</div>'


def side_by_side(texts: Mapping[str, str], *, mark: bool = False) -> str:
    """Texts in columns of one table, as HTML, with their line breaks and under their names.

    Args:
        texts: name and text of each column.
        mark: of two texts, mark the words of each that the other has not in this place.
    """
    cells = [escape(text) for text in texts.values()]
    if mark:
        a, b = texts.values()
        cells = [_marked(a, b), _marked(b, a)]
    columns = "".join(
        f'<td style="width:{100 // len(cells)}%;text-align:left;vertical-align:top;'
        f'white-space:pre-wrap;padding-right:2em"><b>{escape(name)}</b>\n\n{cell}</td>'
        for name, cell in zip(texts, cells, strict=True)
    )
    return f'<table style="width:100%"><tr>{columns}</tr></table>'


def _marked(text: str, other: str) -> str:
    ours, theirs = text.replace("\n", " \n").split(" "), other.replace("\n", " \n").split(" ")
    spans = SequenceMatcher(None, theirs, ours, autojunk=False).get_opcodes()
    parts = [(tag, escape(" ".join(ours[i:j]))) for tag, _, _, i, j in spans if i < j]
    return " ".join(part if tag == "equal" else f"<mark>{part}</mark>" for tag, part in parts)


def value_table(table: pd.DataFrame, rows: str, columns: str, digits: int = 3) -> pd.DataFrame:
    """A tidy table of estimates made wide, each cell a value with its 95 % interval.

    Args:
        table: ``rows``, ``columns``, ``value``, ``ci_low``, ``ci_high``; the order is kept.
        rows, columns: columns of ``table`` whose values go down and across.
        digits: decimals.
    """
    named = table.rename(columns={"ci_low": "value_ci_low", "ci_high": "value_ci_high"})
    wide = table[[rows, columns]].assign(text=pretty(named, digits)["value"].to_numpy())
    wide = wide.pivot(index=rows, columns=columns, values="text")
    return wide.reindex(index=table[rows].unique(), columns=table[columns].unique())


def entries(table: pd.DataFrame, columns: Sequence[str]) -> list[dict[Hashable, Any]]:
    """Columns of a table, row by row, for ``results.json``; None for NaN."""
    values = table.reindex(columns=list(columns)).astype(object)
    return values.where(values.notna(), None).to_dict("records")


def pretty(df: pd.DataFrame, digits: int = 3) -> pd.DataFrame:
    """A table of numbers as a table of texts, each value with its interval in one cell.

    >>> df = pd.DataFrame({"x": [0.5], "x_ci_low": [0.4], "x_ci_high": [0.6], "n": [1200]})
    >>> pretty(df, digits=1).to_dict("records")
    [{'x': '0.5 [0.4, 0.6]', 'n': '1,200'}]
    """
    done: dict[str, list[str]] = {}
    for name in _shown_columns(df):
        texts = [_text(name, value, digits) for value in df[name]]
        if f"{name}_ci_low" in df:
            ends = zip(df[f"{name}_ci_low"], df[f"{name}_ci_high"], strict=True)
            texts = [
                t if pd.isna(a) else f"{t} [{_text(name, a, digits)}, {_text(name, b, digits)}]"
                for t, (a, b) in zip(texts, ends, strict=True)
            ]
        done[name.replace("_", " ")] = texts
    return pd.DataFrame(done)


def _text(name: str, value: Any, digits: int) -> str:
    if pd.isna(value):
        return "–"
    if isinstance(value, str):
        return value
    number = float(value)
    if name in ("n", "training_pairs") or name.startswith("n_"):
        return f"{number:,.0f}"
    if name.startswith("p_") and number < 10**-digits:
        return f"<{10**-digits:.{digits}f}"
    return f"{number:z.{digits}f}"


def to_markdown(df: pd.DataFrame, caption: str, digits: int = 3) -> str:
    """A table in Markdown, under its caption; numbers to the right, text to the left."""
    aligned = ["right" if is_numeric_dtype(df[c]) else "left" for c in _shown_columns(df)]
    body = pretty(df, digits).to_markdown(index=False, colalign=aligned, disable_numparse=True)
    return f"{caption}\n\n{body}\n"


def to_latex(df: pd.DataFrame, caption: str, label: str, digits: int = 3) -> str:
    """A table in LaTeX for ``\\usepackage{booktabs}``, special characters escaped."""
    aligned = "".join("r" if is_numeric_dtype(df[c]) else "l" for c in _shown_columns(df))
    text = pretty(df, digits).map(_escaped)
    text.columns = [_escaped(c) for c in text.columns]
    return text.to_latex(index=False, column_format=aligned, caption=_escaped(caption),
                         label=f"tab:{label}", position="htbp")  # fmt: skip


def _escaped(text: str) -> str:
    marks = {"\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_",
             "{": r"\{", "}": r"\}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
             "<": r"$<$", ">": r"$>$", "–": "--", "−": r"$-$", "τ": r"$\tau$", "σ": r"$\sigma$",
             "β": r"$\beta$"}  # fmt: skip
    return "".join(marks.get(character, character) for character in text)


def _shown_columns(df: pd.DataFrame) -> list[str]:
    return [c for c in map(str, df) if not (c.endswith(ENDS) and c.rsplit("_ci_", 1)[0] in df)]
