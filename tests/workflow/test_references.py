"""The committed reference runs: every table again from the committed results files."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from conftest import ROOT

from wfine_workflow.headline import headline_numbers
from wfine_workflow.paper_tables import TABLES
from wfine_workflow.results import MissingRun

REFERENCES = ROOT / "outputs" / "reference"
# The tables are sums, ratios and selections of committed numbers; nothing but the last digits of
# float64 may differ between machines.
TOLERANCE = 1e-9
PRESETS = ("mini", "study", "encoder")

pytestmark = pytest.mark.parametrize("folder", [REFERENCES / p for p in PRESETS], ids=PRESETS)


def committed(folder: Path) -> Path:
    return folder / "07_paper_tables" / "tables"


def same(recomputed: pd.DataFrame, path: Path) -> None:
    there = pd.read_csv(path, keep_default_na=False, na_values=[""])
    pd.testing.assert_frame_equal(
        recomputed, there, rtol=TOLERANCE, atol=TOLERANCE, check_dtype=False
    )


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_table(folder, table):
    path = committed(folder) / f"{table.name}.csv"
    if path.exists():
        same(table.compute(folder), path)
        return
    with pytest.raises(MissingRun) as missing:
        table.compute(folder)
    assert str(missing.value) in path.with_suffix(".md").read_text(encoding="utf-8")


def test_headline(folder):
    same(headline_numbers(folder), committed(folder) / "headline.csv")


def test_every_committed_table_is_tested(folder):
    known = {table.name for table in TABLES} | {"headline"}
    assert {path.stem for path in committed(folder).iterdir()} == known
