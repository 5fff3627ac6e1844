"""Reading the results files of other notebooks, and saying which run is missing."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from wfine_utils.errors import WfineError
from wfine_utils.files import display_path


class MissingRun(WfineError):
    """A table cannot be computed yet, because a notebook has not been run."""


def read_results(
    folder: Path, notebook: str, name: str, texts: Sequence[str], numbers: Sequence[str]
) -> pd.DataFrame:
    """Read a CSV that another notebook has written into a preset's folder, and check it.

    Args:
        texts, numbers: columns that must be there.

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
    if absent := ", ".join(c for c in (*texts, *numbers) if c not in df):
        raise malformed(path, f"found the columns {', '.join(map(str, df))}", f"also {absent}")
    if df.empty:
        raise malformed(path, "found no rows", "at least one")
    for column in numbers:
        values = df[column]
        if not pd.api.types.is_numeric_dtype(values):
            bad = pd.to_numeric(values, errors="coerce").isna() & values.notna()
            row = int(bad.argmax())
            raise malformed(path, f"line {row + 2}: {column}: found {values[row]!r}", "a number")
    return df


def malformed(path: Path | str, problem: str, expected: str) -> WfineError:
    """The error for a results file that is there but is not as its notebook writes it."""
    return WfineError(
        f"{display_path(Path(path))}: {problem}, expected {expected}. The file was not written by "
        "this version of its notebook: run that notebook again."
    )
