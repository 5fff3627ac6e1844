"""What a figure shows, said in words: numbers, intervals and n come from the figure's table."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import compress
from typing import Any, NamedTuple, TypeAlias

import pandas as pd

from wfine_utils.chains.units import MIN_UNITS
from wfine_utils.notebook.figures import with_pairs

ALPHA = 0.05
"""Below it, a p-value that was corrected for the number of comparisons counts as shown."""

Row: TypeAlias = Mapping[Any, Any] | pd.Series


class Finding(NamedTuple):
    """What was found: a short form for a figure's title, and a sentence to stand below it."""

    title: str
    sentence: str


def estimate(
    row: Row, *, value: str = "value", n: str = "", unit: str = "", digits: int = 2
) -> str:
    """A value with its 95 % interval (``ci_low``, ``ci_high``) and its size, where there are any.

    Args:
        row: of a table.
        value, n: names of the value and of the size; "" leaves the size out.
        unit: what the size counts.
        digits: decimals.

    >>> estimate({"value": 0.5, "ci_low": 0.4, "ci_high": 0.6, "n": 1200}, n="n", unit="pairs")
    '0.50 [0.40, 0.60] (n = 1,200 pairs)'
    """
    text = f"{row[value]:z.{digits}f}"
    if pd.notna(row.get("ci_low")):
        text += f" [{row['ci_low']:z.{digits}f}, {row['ci_high']:z.{digits}f}]"
    return f"{text} (n = {row[n]:,.0f} {unit or row.get('unit', '')})" if n else text


def span(values: pd.Series) -> str:
    """From the smallest to the largest of some counts.

    >>> span(pd.Series([7, 8, 7])), span(pd.Series([4, 4]))
    ('7 to 8', '4')
    """
    low, high = values.min(), values.max()
    return f"{low:,.0f}" if low == high else f"{low:,.0f} to {high:,.0f}"


def signs(
    table: pd.DataFrame,
    what: str,
    *,
    label: str = "scorer",
    value: str = "value",
    n: str = "n_chains",
    unit: str = "chains",
    null: float = 0.0,
    digits: int = 2,
) -> Finding:
    """Which rows are shown to lie above ``null``, which below, and for which nothing is shown.

    Args:
        table: one row per estimate: ``label``, ``value``, ``ci_low``, ``ci_high``, ``n``. Where
            there is a column ``p_holm``, it has to be below :data:`ALPHA` too; where rows differ in
            ``training_pairs``, a name says from how many its model has learnt.
        what: is estimated.
        label, value, n: columns of the rows' names, estimates and sizes.
        unit: what the sizes count; "" takes the table's column ``unit``.
        null: what would be no effect.
        digits: decimals.
    """
    table = _highest_first(table, value)
    shared = table[n].nunique() == 1 and bool(unit)
    size = {"n": "" if shared else n, "unit": unit}
    rows = table.to_dict("records")
    values = [estimate(row, value=value, digits=digits, **size) for row in rows]
    names = [f"{name} {text}" for name, text in zip(_names(table, label), values, strict=True)]
    corrected = "p_holm" in table
    certain = table["p_holm"] < ALPHA if corrected else pd.Series(True, index=table.index)
    above, below = (table["ci_low"] > null) & certain, (table["ci_high"] < null) & certain
    unknown = table["ci_low"].isna()
    open_ = ~(above | below | unknown)
    groups = {
        f"above {null:g}": above,
        f"below {null:g}": below,
        f"not shown to differ from {null:g}": open_,
        "without an interval": unknown,
    }
    groups = {words: part for words, part in groups.items() if part.any()}
    title = ", ".join(f"{part.sum()} of {len(table)} {words}" for words, part in groups.items())
    if len(table) == 1:
        title = f"{names[0]}, {title.removeprefix('1 of 1 ')}"
    said = [
        f"{words.capitalize()}: {'; '.join(compress(names, part))}."
        for words, part in groups.items()
    ]
    if open_.any():
        rule = f"An interval that includes {null:g}"
        rule += f", or a corrected p of {ALPHA} or more," if corrected else ""
        said.append(f"{rule} means *not shown*, not *none*.")
    if (unknown & (table.get("n_chains", table[n]) < MIN_UNITS)).any():
        said.append(f"There is no interval from fewer than {MIN_UNITS} of what was sampled.")
    per = f", n = {table[n].iloc[0]:,.0f} {unit}" if shared else ""
    return Finding(f"{what}: {title or 'no value'}", f"{what}{per}. {' '.join(said)}")


def ends(
    table: pd.DataFrame,
    what: str,
    *,
    label: str = "scorer",
    value: str = "value",
    n: str = "n_chains",
    unit: str = "chains",
    digits: int = 2,
) -> Finding:
    """The highest and the lowest row of a table; arguments as in :func:`signs`."""
    table = _highest_first(table, value)
    if table.empty:
        return Finding(f"{what}: no value", f"{what}: there is no value to show.")
    rows = [table.iloc[0], table.iloc[-1]]
    named = _names(table, label)
    names = [named[0], named[-1]]
    values = [estimate(row, value=value, n=n, unit=unit, digits=digits) for row in rows]
    short = [f"{row[value]:z.{digits}f}" for row in rows]
    return Finding(
        f"{what}: from {short[1]} ({names[1]}) to {short[0]} ({names[0]})",
        f"{what} is highest for {names[0]}: {values[0]}, and lowest for {names[1]}: {values[1]}.",
    )


def _names(table: pd.DataFrame, label: str) -> list[str]:
    """Of the rows; with the number of training pairs, where models differ in it."""
    pairs = table.get("training_pairs", pd.Series(dtype=float))
    return with_pairs(table if pairs.nunique(dropna=False) > 1 else table[[label]], label)


def _highest_first(table: pd.DataFrame, value: str) -> pd.DataFrame:
    return table.dropna(subset=[value]).sort_values(value, ascending=False, kind="stable")
