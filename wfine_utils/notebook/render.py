"""How a table of numbers looks in Markdown and LaTeX."""

from __future__ import annotations

import pandas as pd
from pandas.api.types import is_numeric_dtype

ENDS = ("_ci_low", "_ci_high")
"""How the columns of the two ends of an interval end."""


def pretty(df: pd.DataFrame, digits: int = 3) -> pd.DataFrame:
    """A table of numbers as a table of texts, each value with its interval in one cell.

    >>> df = pd.DataFrame({"x": [0.5], "x_ci_low": [0.4], "x_ci_high": [0.6], "n": [1200]})
    >>> pretty(df, digits=1).to_dict("records")
    [{'x': '0.5 [0.4, 0.6]', 'n': '1,200'}]
    """
    done: dict[str, list[str]] = {}
    for name in df.columns:
        if name.endswith(ENDS) and name.rsplit("_ci_", 1)[0] in df:
            continue
        texts = [_text(name, value, digits) for value in df[name]]
        if f"{name}_ci_low" in df:
            ends = zip(df[f"{name}_ci_low"], df[f"{name}_ci_high"], strict=True)
            texts = [
                t if pd.isna(a) else f"{t} [{_text(name, a, digits)}, {_text(name, b, digits)}]"
                for t, (a, b) in zip(texts, ends, strict=True)
            ]
        done[name.replace("_", " ")] = texts
    return pd.DataFrame(done)


def _text(name: str, value: object, digits: int) -> str:
    if pd.isna(value):
        return "–"
    if isinstance(value, str):
        return value
    number = float(value)  # type: ignore[arg-type]
    if name == "n" or name.startswith("n_"):
        return f"{number:,.0f}"
    if name.startswith("p_") and number < 10**-digits:
        return f"<{10**-digits:.{digits}f}"
    return f"{number:.{digits}f}"


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
    return [c for c in df if not (c.endswith(ENDS) and c.rsplit("_ci_", 1)[0] in df)]
