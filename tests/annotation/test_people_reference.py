"""The kept numbers of docs/people.md, from the writers' rankings again where they are at hand."""

from __future__ import annotations

import json
import re

import pandas as pd
import pytest
from conftest import ROOT

from wfine_utils.annotation.concordance import reader_agreement
from wfine_utils.annotation.readers import evaluate_against_readers
from wfine_utils.weval.baselines import null_baselines
from wfine_utils.weval.scorers import score_all

KEPT = ROOT / "outputs" / "reference" / "people"
RANKINGS = ROOT.parent / "shared" / "data" / "lamp_rankings.jsonl"


@pytest.fixture(scope="module")
def chains() -> list:
    if not RANKINGS.exists():
        pytest.skip("the writers' rankings (lamp_rankings.jsonl) are not at hand")
    from wfine_utils.benchmarks import load_benchmark

    return load_benchmark(RANKINGS, "lamp").chains


def test_agreement_of_the_writers(chains):
    kept = pd.read_csv(KEPT / "reader_agreement.csv", keep_default_na=False)
    again = reader_agreement(chains, n_boot=2000, seed=0)
    pd.testing.assert_frame_equal(again, kept, rtol=1e-9, atol=1e-9, check_dtype=False)


def test_scorers_that_know_nothing_and_another_reader(chains):
    kept = pd.read_csv(KEPT / "against_readers.csv")
    again = evaluate_against_readers(chains, score_all(null_baselines(0), chains), n_boot=2000)
    kept = kept[kept["scorer"].isin(again["scorer"].unique())].reset_index(drop=True)
    pd.testing.assert_frame_equal(again, kept, rtol=1e-9, atol=1e-9, check_dtype=False)


def test_what_is_kept_holds_no_text():
    assert {path.suffix for path in KEPT.iterdir()} == {".csv", ".json", ".png"}
    for path in KEPT.glob("*.csv"):
        words = re.findall(r"[^\W\d]+", path.read_text(encoding="utf-8"))
        longest = max(len(cell) for cell in re.split(r"[,\n]", path.read_text(encoding="utf-8")))
        assert words and longest < 60, path.name
    results = json.loads((KEPT / "results.json").read_text(encoding="utf-8"))
    texts = [
        v for rows in results.values() if isinstance(rows, list) for r in rows for v in r.values()
    ]
    assert max(len(v) for v in texts if isinstance(v, str)) < 60
