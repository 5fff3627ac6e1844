"""Reading the results files of other notebooks, and saying which run is missing."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from wfine_utils.errors import WfineError
from wfine_utils.files import display_path


class MissingRun(WfineError):
    """A table cannot be computed yet, because a notebook has not been run."""


def read_results(
    folder: Path, notebook: str, name: str, columns: Mapping[str, type]
) -> pd.DataFrame:
    """Read a CSV of another notebook and check it.

    Args:
        folder: folder of the preset.
        notebook: who writes it.
        name: file name.
        columns: columns that must be there, and ``float`` for those that must be numbers.

    Raises:
        MissingRun: there is no such file; one line says which notebook to run.
        WfineError: the file is no CSV, has no rows, lacks a column or holds text for a number.
    """
    path = folder / notebook / name
    if not path.exists():
        raise MissingRun(
            f"{notebook}/{name} is missing: run notebook {notebook} with preset "
            f"{folder.name!r}, or everything with: make reproduce PRESET={folder.name}"
        )
    try:
        # only an empty cell is a missing value: "none" and "null" are names here
        df = pd.read_csv(path, keep_default_na=False, na_values=[""])
    except (ValueError, OSError) as error:  # pandas' own parser errors are ValueErrors
        raise malformed(path, f"it is no CSV ({str(error).strip()})", "a CSV file") from error
    if absent := [c for c in columns if c not in df]:
        raise malformed(
            path, f"found the columns {', '.join(map(str, df))}", f"also {', '.join(absent)}"
        )
    if df.empty:
        raise malformed(path, "found no rows", "at least one")
    for column, kind in columns.items():
        if kind is float and not pd.api.types.is_numeric_dtype(df[column]):
            bad = df[pd.to_numeric(df[column], errors="coerce").isna() & df[column].notna()]
            row = int(bad.index[0]) if len(bad) else 0
            raise malformed(
                path, f"line {row + 2}: {column}: found {df[column][row]!r}", "a number"
            )
    return df


def malformed(path: Path | str, problem: str, expected: str) -> WfineError:
    """The error for a results file that is there but is not as its notebook writes it."""
    return WfineError(
        f"{display_path(Path(path))}: {problem}, expected {expected}. The file was not written by "
        "this version of its notebook: run that notebook again."
    )
