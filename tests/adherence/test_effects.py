"""What a policy's texts have become, against counts by hand."""

from __future__ import annotations

import numpy as np
import pytest

from wfine_utils.adherence.effects import DISTINCT, FLUENCY, OWN, side_effects


def test_distinct_bigrams_and_those_of_a_text_alone():
    texts = ["the net the net the net", "The net waits.", "Rain", ""]
    table = side_effects(texts)
    assert table[DISTINCT].tolist() == pytest.approx([2 / 5, 1, np.nan, np.nan], nan_ok=True)
    assert table[OWN].tolist() == pytest.approx([1 / 2, 1 / 2, np.nan, np.nan], nan_ok=True)
    assert FLUENCY not in table


def test_a_policy_that_writes_the_same_everywhere_has_nothing_of_its_own():
    assert (side_effects(["A calm harbour."] * 3)[OWN] == 0).all()


def test_fluency_is_asked_about_all_texts_at_once():
    asked_about = []

    def fluency(texts):
        asked_about.append(list(texts))
        return -np.arange(len(texts), dtype=float)

    table = side_effects(["A net.", "A lamp."], fluency)
    assert asked_about == [["A net.", "A lamp."]]
    assert table[FLUENCY].tolist() == [0, -1]
