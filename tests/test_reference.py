"""The committed reference run: every table again from the committed results files."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from wfine_utils.readers import MissingRun
from wfine_utils.tables import TABLES, headline

REFERENCE = Path(__file__).parents[1] / "outputs" / "reference" / "mini"
COMMITTED = REFERENCE / "07_paper_tables" / "tables"
# The tables are sums, ratios and selections of committed numbers; nothing but the last digits of
# float64 may differ between machines.
TOLERANCE = 1e-9

pytestmark = pytest.mark.skipif(
    not COMMITTED.exists(),
    reason="no reference run: outputs/reference/mini/07_paper_tables/tables does not exist",
)


def same(recomputed: pd.DataFrame, name: str) -> None:
    committed = pd.read_csv(COMMITTED / f"{name}.csv", keep_default_na=False, na_values=[""])
    pd.testing.assert_frame_equal(
        recomputed, committed, rtol=TOLERANCE, atol=TOLERANCE, check_dtype=False
    )


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_table(table):
    if (COMMITTED / f"{table.name}.csv").exists():
        same(table.compute(REFERENCE), table.name)
        return
    with pytest.raises(MissingRun) as missing:
        table.compute(REFERENCE)
    text = (COMMITTED / f"{table.name}.md").read_text(encoding="utf-8")
    assert str(missing.value) in text


def test_headline():
    same(headline(REFERENCE), "headline")


def test_every_committed_table_is_tested():
    known = {table.name for table in TABLES} | {"headline"}
    assert {path.stem for path in COMMITTED.iterdir()} == known
