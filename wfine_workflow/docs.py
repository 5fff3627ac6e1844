"""Write the numbers of README.md and docs/ from the kept runs: ``wfine docs``.

A number stands between two comments of Markdown. The first says where it comes from, so that what
lies between them can be written anew at any time, by ``make docs``::

    <!-- headline mini: tau-b of coarse RM -->0.19 [0.14, 0.24]<!-- end -->

``headline RUN: NAME`` is a row of the run's headline table; ``seeds CELL: SCORER`` the mean tau-b
over training seeds of a scorer in the grid workflow/seeds.yaml; ``number FILE; column=value`` a row
of a CSV or JSON file; ``table FILE; column=value; Head: column; Head: value low high`` some rows
and the columns to show; ``minutes RUN/NOTEBOOK`` how long it took (``all`` is the sum); ``answers
RUN`` a table for each of the seven questions. Files are those of outputs/reference; ``value=NAME``,
``interval=LOW HIGH`` and ``digits=N`` say what is shown, and how; ``longest=N`` cuts the texts of a
table, on one line each, after so many characters.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from textwrap import shorten
from typing import Any

import pandas as pd

from wfine_study.answers import QUESTIONS
from wfine_utils.errors import WfineError, explained
from wfine_utils.files import atomic_write, display_path, project_root
from wfine_utils.notebook.sentences import estimate
from wfine_workflow.headline import HEADLINE

MARKED = re.compile(
    r"(<!-- (headline|seeds|number|table|minutes|answers) (.+?) -->).*?<!-- end -->", re.S
)
_SEEDS = "seeds/over_seeds.csv; metric=kendall_tau_b"
_COST = "07_paper_tables/tables/T6_cost.csv"
_ANSWERS = "06_validity_and_ablations/answers.csv"
_ANSWER_COLUMNS = {"what": "quantity", "value": "value ci_low ci_high", "n": "n", "of": "unit",
                   "p": "p_holm"}  # fmt: skip


def pages() -> list[Path]:
    """README.md and every other page whose numbers are written here."""
    root = project_root()
    folders = ("docs", "params", "bench", "outputs/reference", "wfine_utils/weval_hand")
    return [root / "README.md", *sorted(p for x in folders for p in (root / x).glob("*.md"))]


def written_anew(text: str, reference: Path) -> str:
    """A page with what stands between its marks written from the kept runs, a folder each.

    Raises:
        WfineError: a mark names a file or row that is not there, or more than one row.
    """

    def content(match: re.Match[str]) -> str:
        start, kind, spec = match.groups()
        try:
            return f"{start}{_content(kind, spec, reference)}<!-- end -->"
        except (WfineError, OSError, KeyError, ValueError) as error:
            raise WfineError(
                f"The mark {start} could not be filled from {display_path(reference)}: {error}. "
                "Mend the mark, or keep the run that it names with `make reference`."
            ) from error

    return MARKED.sub(content, text)


def _content(kind: str, spec: str, reference: Path) -> str:
    if kind == "answers":
        answers = _rows(reference / spec / _ANSWERS).groupby("question")
        tables = [f"\n\n## {n}. {QUESTIONS[int(str(n))]}{_table(x)}" for n, x in answers]
        return "".join(tables) + "\n\n"
    if kind == "headline":
        run, name = spec.split(": ", 1)
        spec = f"{run}/{HEADLINE}; quantity={name}"
    elif kind == "seeds":
        cell, scorer = spec.split(": ", 1)
        spec = f"{_SEEDS}; grid_scorer={cell}; scorer={scorer}"
    elif kind == "minutes":
        run, notebook = spec.split("/")
        spec = f"{run}/{_COST}; notebook={notebook}; stage=all; value=minutes; digits=1"
    file, *parts = spec.split("; ")
    options = dict(part.split("=", 1) for part in parts if "=" in part)
    value, longest = options.pop("value", "value"), int(options.pop("longest", 0))
    digits = int(options.pop("digits", 0 if kind == "table" else 2))
    ends = options.pop("interval", "ci_low ci_high").split()
    rows = _rows(reference / file)
    for column, wanted in options.items():
        rows = rows[rows[column].astype(str) == wanted]
    if kind == "table":
        if rows.empty:
            raise WfineError(f"found no such row in {file}")
        columns = dict(part.split(": ", 1) for part in parts if "=" not in part)
        return _table(rows, columns, digits, longest) + "\n\n"
    if len(rows) != 1:
        raise WfineError(f"found {len(rows)} such rows in {file}, expected one")
    row = rows.iloc[0].to_dict()
    row |= {end: row.get(x) for end, x in zip(("ci_low", "ci_high"), ends, strict=True)}
    return _minus(estimate(row, value=value, digits=digits) if digits else f"{row[value]:,.0f}")


def _rows(path: Path) -> pd.DataFrame:
    if path.suffix == ".json":  # one row; nested names are joined by dots
        return pd.json_normalize(json.loads(path.read_text(encoding="utf-8")))
    return pd.read_csv(path)


def _table(
    rows: pd.DataFrame,
    columns: Mapping[str, str] = _ANSWER_COLUMNS,
    digits: int = 0,
    longest: int = 0,
) -> str:
    names = [[x] if x in rows else x.split(" ") for x in columns.values()]
    cells = [[_cell(r, digits, longest, *x) for x in names] for r in rows.to_dict("records")]
    lines = [columns, ["---"] * len(columns), *cells]
    return "\n\n" + "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _cell(row: Mapping[Any, Any], digits: int, longest: int, name: str, *interval: str) -> str:
    value = row[name]
    if isinstance(value, str):
        return shorten(value, longest, placeholder=" …").replace("|", "\\|") if longest else value
    if pd.isna(value):
        return ""
    if name.startswith("p_"):
        return "< 0.001" if value < 0.001 else f"{value:.2g}"
    if not interval:
        return _minus(f"{value:z,.{digits}f}")
    ends = {end: row[column] for end, column in zip(("ci_low", "ci_high"), interval, strict=True)}
    return _minus(estimate(ends | {"value": value}, digits=3))


def _minus(number: str) -> str:
    return number.replace("-", "−")


@explained
def main(args: Sequence[str] | None = None) -> int:
    """Write every page anew, and name those that changed."""
    summary = "Write the numbers of README.md and docs/ anew."
    argparse.ArgumentParser(prog="wfine docs", description=summary).parse_args(args)
    for page in pages():
        text = page.read_text(encoding="utf-8")
        if (new := written_anew(text, project_root() / "outputs" / "reference")) != text:
            atomic_write(page, partial(Path.write_text, data=new, encoding="utf-8"))
            sys.stdout.write(f"{display_path(page)}: numbers written anew\n")
    return 0
