"""Adherence by kind of check and by how much is asked, against counts by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd

from wfine_utils.adherence.by_kind import met_by_difficulty, met_by_kind
from wfine_utils.chains.taxonomy import Query, Requirement, RequirementType

TWO_SENTENCES = {"kind": "sentences", "low": 2, "high": 2}
A_LAMP, A_NET = ({"kind": "mentions", "terms": [term]} for term in ("lamp", "net"))


def query(*checks) -> Query:
    return Query(None, "Write.", tuple(
        Requirement(RequirementType.CONTENT, None, "Do it.", check=check) for check in checks
    ))  # fmt: skip


QUERIES = [query(TWO_SENTENCES), query(A_LAMP, A_NET), query(A_LAMP, None, TWO_SENTENCES),
           query(None)]  # fmt: skip
TEXTS = ["A lamp. A net.", "A lamp.", "A net.", "A lamp."]


def test_by_kind():
    nan = np.nan
    expected = pd.DataFrame({"mentions": [nan, 0.5, 0, nan], "sentences": [1, nan, 0, nan]})
    pd.testing.assert_frame_equal(met_by_kind(QUERIES, TEXTS), expected, check_names=False)


def test_by_difficulty_counts_what_has_a_check():
    nan = np.nan
    expected = pd.DataFrame({"1 asked": [1, nan, nan, nan], "2 asked": [nan, 0.5, 0, nan]})
    pd.testing.assert_frame_equal(met_by_difficulty(QUERIES, TEXTS), expected, check_names=False)


def test_columns_are_the_same_whatever_the_texts_are():
    other = met_by_kind(QUERIES, [""] * 4)
    assert other.columns.tolist() == met_by_kind(QUERIES, TEXTS).columns.tolist()
    assert len(other) == 4 and (other.fillna(0) == 0).all(axis=None)
