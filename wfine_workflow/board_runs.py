"""The tables of WEval in the folders of runs, checked: what a board is made from."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any, NamedTuple

import pandas as pd

from wfine_utils.chains.records import MAX_SHOWN, short
from wfine_utils.errors import WfineError
from wfine_utils.files import display_path, sha256_file
from wfine_workflow.paper_tables import DROPPING, WEVAL

TABLE, HAND, STAMP = "weval.csv", "weval_hand.csv", "stamp.json"

TEXTS = ("scorer", "metric", "subset_kind", "subset")
NUMBERS = ("value", "ci_low", "ci_high", "n_chains", "tie_rate", "nan_rate")
"""Columns that a table has to have; ``training_pairs`` is shown where it has them."""

SUBSET_KINDS = ("all", "category", "type")
BOUNDS = {"kendall_tau_b": (-1, 1), "released_rule_tau": (-1, 1), "pairwise_accuracy": (0, 1)}
"""What the metrics that are shown lie between, by their definitions."""

_ROUNDING = 1e-9


class Data(NamedTuple):
    """A set of chains: rows are comparable where ``key`` is the same.

    Args:
        name: for people.
        digest: hexadecimal SHA-256 of it; "" where none is recorded, so that the name has to do.
        of: what the digest is of: the file, or the chains as they were read.
    """

    name: str
    digest: str = ""
    of: str = "file"

    @property
    def key(self) -> str:
        """Equal for equal data: the digest, else the name."""
        return f"{self.of} {self.digest}" if self.digest else f"name {self.name}"


class Measured(NamedTuple):
    """One table of a run: ``scorer`` and the columns of ``weval.evaluate``."""

    run: str
    run_id: str
    data: Data
    table: pd.DataFrame


class BoardRun(NamedTuple):
    """A run: its name on the board, what its stamp says, its tables."""

    name: str
    id: str
    stamp: dict[str, Any]
    measured: list[Measured]


def read_runs(folders: Sequence[Path]) -> list[BoardRun]:
    """The runs in these folders, in this order.

    Returns:
        Each with a name that no other has. Absolute paths in its stamp are cut to their last part.

    Raises:
        WfineError: a folder holds no tables, has no stamp, comes twice, or a table is not as
            ``weval.evaluate_all`` makes it; with all problems of all folders, 20 at most.
    """
    problems: list[str] = []
    runs = []
    names = _names(folders, problems)
    for number, (folder, name) in enumerate(zip(folders, names, strict=True), start=1):
        place = folder / WEVAL if (folder / WEVAL / TABLE).is_file() else folder
        if not (place / TABLE).is_file():
            problems.append(
                f"{display_path(folder)}: found neither {WEVAL}/{TABLE} nor {TABLE}, expected the "
                "results of a preset whose notebook 05 has been run, or what `wfine weval --out` "
                "has written"
            )
            continue
        stamp = _stamp(place / STAMP, problems)
        measured = []
        for file in (TABLE, HAND):
            path = place / file
            if path.is_file() and (table := _table(path, problems)) is not None:
                data = _data(folder, place, name, file, stamp)
                measured.append(Measured(name, f"stamp-{number}", data, table))
        runs.append(BoardRun(name, f"stamp-{number}", _without_folders(stamp), measured))
    if problems:
        n = len(problems)
        shown = f", the first {MAX_SHOWN} of which are" if n > MAX_SHOWN else ""
        raise WfineError(
            f"board: {n} problem{'s' * (n > 1)}{shown} in the runs; nothing was written. Mend them "
            "or leave these runs out.\n" + "\n".join(problems[:MAX_SHOWN])
        )
    return runs


def _names(folders: Sequence[Path], problems: list[str]) -> list[str]:
    """The last part of each path, or as much of it as it takes to tell two runs apart."""
    resolved = [folder.resolve() for folder in folders]
    for folder in dict.fromkeys(x for x in resolved if resolved.count(x) > 1):
        problems.append(f"{display_path(folder)}: found this folder twice, expected it once")
    names = [folder.name for folder in resolved]
    for depth in range(2, 9):
        if len(set(names)) == len(names):
            break
        names = [
            "/".join(folder.parts[-depth:]) if names.count(name) > 1 else name
            for folder, name in zip(resolved, names, strict=True)
        ]
    return names


def _stamp(path: Path, problems: list[str]) -> dict[str, Any]:
    try:
        stamp = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        problems.append(
            f"{display_path(path)}: found no such file, expected the stamp that says with which "
            "versions, seeds and data the table was made"
        )
        return {}
    except (OSError, ValueError) as error:
        problems.append(f"{display_path(path)}: found no JSON ({error}), expected a stamp")
        return {}
    if not isinstance(stamp, dict):
        problems.append(f"{display_path(path)}: found {short(stamp)}, expected one JSON object")
        return {}
    return stamp


def _table(path: Path, problems: list[str]) -> pd.DataFrame | None:
    """A checked table; None, and what is wrong noted."""
    where, before = display_path(path), len(problems)
    try:
        # only an empty cell is a missing value: "none" and "null" may be names of scorers
        table = pd.read_csv(path, keep_default_na=False, na_values=[""], dtype=str)
    except (ValueError, OSError) as error:  # pandas' own parser errors are ValueErrors
        problems.append(f"{where}: found no CSV ({str(error).strip()}), expected a CSV file")
        return None
    if absent := [column for column in (*TEXTS, *NUMBERS) if column not in table]:
        problems.append(
            f"{where}: found the columns {', '.join(map(str, table))}, expected also "
            f"{', '.join(absent)}, as weval.evaluate_all makes them"
        )
        return None
    if table.empty:
        problems.append(f"{where}: found no rows, expected one at least")
        return None

    def note(row: int, column: str, expected: str) -> None:
        value = table[column].iloc[row]
        there = "nothing" if pd.isna(value) else short(value)
        # line 1 has the names
        problems.append(f"{where}:{row + 2}: {column}: found {there}, expected {expected}")

    numbers = table.reindex(columns=[*NUMBERS, "training_pairs"])
    numbers = numbers.apply(pd.to_numeric, errors="coerce")
    for column in numbers.columns.intersection(table.columns):
        for row in (numbers[column].isna() & table[column].notna()).to_numpy().nonzero()[0]:
            note(row, column, "a number or nothing")
    for column in TEXTS:
        for row in table[column].isna().to_numpy().nonzero()[0]:
            note(row, column, "a name")
    for row in (~table["subset_kind"].isin(SUBSET_KINDS)).to_numpy().nonzero()[0]:
        note(row, "subset_kind", f"one of {', '.join(SUBSET_KINDS)}")
    for row in table.duplicated([*TEXTS]).to_numpy().nonzero()[0]:
        note(row, "metric", "one row for each scorer, metric and subset")
    for row, n in enumerate(numbers["n_chains"]):
        if not (n >= 0 and n % 1 == 0):
            note(row, "n_chains", "the number of chains, 0 or more")
    for metric, (low, high) in BOUNDS.items():
        for row in (table["metric"] == metric).to_numpy().nonzero()[0]:
            entries = numbers.loc[row, ["value", "ci_low", "ci_high"]]
            for column, value in entries.items():
                if not pd.isna(value) and not low - _ROUNDING <= value <= high + _ROUNDING:
                    note(row, str(column), f"a number between {low} and {high}")
            if entries["ci_low"] > entries["ci_high"]:
                note(row, "ci_low", "no more than ci_high")
    for column in ("tie_rate", "nan_rate"):
        for row in ((numbers[column] < 0) | (numbers[column] > 1)).to_numpy().nonzero()[0]:
            note(row, column, "a share between 0 and 1")
    main = table[(table["subset_kind"] == "all") & (table["metric"] == "kendall_tau_b")]
    if absent := sorted(set(table["scorer"].dropna()) - set(main["scorer"])):
        problems.append(
            f"{where}: found no kendall_tau_b over all chains for {short(absent)}, expected one "
            "row of each scorer"
        )
    return None if len(problems) > before else table[[*TEXTS]].join(numbers)


# --- which chains ---------------------------------------------------------------------------------


def _data(folder: Path, place: Path, name: str, file: str, stamp: Mapping[str, Any]) -> Data:
    """Which chains a table is about, by what the run has recorded; nothing outside it is read."""
    if file == HAND:
        digest = _scored_chains(place / "model_scores_hand")
        return Data("WEval-Hand (test)", digest, "chains as read")
    if place == folder:
        return _said(stamp, name)
    path = dict(stamp.get("parameters") or {}).get("chains_path")
    if path:
        return Data(_last(str(path)), _scored_chains(place / "model_scores"), "chains as read")
    chains = folder / DROPPING / "chains_test.jsonl"
    digest = sha256_file(chains) if chains.is_file() else ""
    return Data(f"test chains of preset {folder.resolve().name}", digest)


def _scored_chains(stage: Path) -> str:
    """The digest of the chains that notebook 05's models have scored, "" where none is kept."""
    try:
        return str(json.loads((stage / "stage.json").read_text("utf-8"))["key"]["chains"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def _said(stamp: Mapping[str, Any], run: str) -> Data:
    """The data that the stamp of ``wfine weval`` names: by their file, else by what was read."""
    data = stamp.get("data")
    data = data if isinstance(data, Mapping) else {}
    name = _last(str(data.get("name") or "")) or f"data of run {run}"
    if data.get("sha256"):
        return Data(name, str(data["sha256"]))
    return Data(name, str(data.get("chains_sha256") or ""), "chains as read")


def _last(path: str) -> str:
    return PurePosixPath(PureWindowsPath(path).as_posix()).name


def _without_folders(value: Any) -> Any:
    """The same, absolute paths cut to their last part: a page that is passed on names no folder."""
    if isinstance(value, Mapping):
        return {str(k): _without_folders(v) for k, v in value.items()}
    if isinstance(value, list):
        return [_without_folders(v) for v in value]
    if isinstance(value, str) and re.match(r"/[^/\n]+/|[A-Za-z]:[\\/]|~[\\/]", value):
        return _last(value)
    return value
