"""How much of a query a text meets, type by type."""

from __future__ import annotations

import numpy as np

from wfine_utils.adherence.measure import adherence
from wfine_utils.tiny_world import vocabulary, writer


def test_a_text_that_meets_everything_and_an_empty_one():
    query = writer.sample_queries(1, vocabulary.TOPICS["train"], seed=0)[0]
    good = writer.write(query, (True,) * 4, np.random.default_rng(0))
    table = adherence([query, query], [good, ""])
    assert table.loc[0].tolist() == [1.0] * 6
    assert table.loc[1, "all met"] == 0 and table.loc[1, "mean"] < 0.5
