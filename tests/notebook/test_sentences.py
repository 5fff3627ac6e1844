"""Sentences say what their tables say, and no more."""

from __future__ import annotations

import numpy as np
import pandas as pd

from wfine_utils.notebook.sentences import ends, signs

TABLE = pd.DataFrame(
    {
        "scorer": ["low", "open", "kendall_tau_b", "bare"],
        "value": [-0.4, 0.001, 0.5, 0.3],
        "ci_low": [-0.5, -0.1, 0.4, np.nan],
        "ci_high": [-0.3, 0.1, 0.6, np.nan],
        "n_chains": 1200,
    }
)


def test_signs_sort_rows_by_what_their_intervals_show():
    title, sentence = signs(TABLE, "τ-b")
    assert title == (
        "τ-b: 1 of 4 above 0, 1 of 4 below 0, 1 of 4 not shown to differ from 0, "
        "1 of 4 without an interval"
    )
    assert sentence == (
        "τ-b, n = 1,200 chains. Above 0: Kendall's τ-b 0.50 [0.40, 0.60]. "
        "Below 0: low -0.40 [-0.50, -0.30]. Not shown to differ from 0: open 0.00 [-0.10, 0.10]. "
        "Without an interval: bare 0.30. "
        "An interval that includes 0 means *not shown*, not *none*."
    )


def test_models_of_unequal_trainings_are_named_with_their_pairs():
    table = TABLE.iloc[[0, 2]].assign(training_pairs=[4000, 16000])
    assert "Above 0: Kendall's τ-b, 16,000 pairs 0.50 [" in signs(table, "τ-b").sentence
    assert "lowest for low, 4,000 pairs: -0.40" in ends(table, "τ-b").sentence
    equal = signs(table.assign(training_pairs=4000), "τ-b")  # of one model, by subset
    assert "pairs" not in equal.sentence


def test_signs_around_another_null_with_a_size_for_every_row():
    table = TABLE.assign(n_chains=[1, 2, 3, 4]).iloc[[0, 2]]
    title, sentence = signs(table, "accuracy", null=0.5, unit="pairs")
    assert title == "accuracy: 1 of 2 below 0.5, 1 of 2 not shown to differ from 0.5"
    assert "low -0.40 [-0.50, -0.30] (n = 1 pairs)" in sentence


def test_a_corrected_p_value_has_to_agree_with_the_interval():
    table = TABLE.iloc[[0, 2]].assign(p_holm=[0.2, 0.01])
    title, sentence = signs(table, "τ-b")
    assert title == "τ-b: 1 of 2 above 0, 1 of 2 not shown to differ from 0"
    assert "Not shown to differ from 0: low" in sentence
    assert sentence.endswith("or a corrected p of 0.05 or more, means *not shown*, not *none*.")


def test_an_interval_that_touches_the_null_shows_nothing():
    table = pd.DataFrame(
        {"scorer": ["constant"], "value": 0.0, "ci_low": 0.0, "ci_high": 0.0, "n_chains": 3}
    )
    assert (
        signs(table, "τ-b").title == "τ-b: constant 0.00 [0.00, 0.00], not shown to differ from 0"
    )


def test_signs_and_ends_of_nothing():
    assert signs(TABLE.iloc[:0], "τ-b").title == "τ-b: no value"
    assert ends(TABLE.iloc[:0], "τ-b").title == "τ-b: no value"


def test_ends_name_the_highest_and_the_lowest():
    title, sentence = ends(TABLE, "τ-b")
    assert title == "τ-b: from -0.40 (low) to 0.50 (Kendall's τ-b)"
    assert sentence == (
        "τ-b is highest for Kendall's τ-b: 0.50 [0.40, 0.60] (n = 1,200 chains), and lowest for "
        "low: -0.40 [-0.50, -0.30] (n = 1,200 chains)."
    )


def test_signs_say_why_there_is_no_interval():
    rule = "There is no interval from fewer than 6 of what was sampled."
    few = TABLE.assign(n_chains=[1200, 1200, 1200, 5])
    assert signs(few, "τ-b").sentence.endswith(rule)
    of_pairs = few.assign(n=1200)  # pairs, but of five chains
    assert signs(of_pairs, "τ-b", n="n", unit="pairs").sentence.endswith(rule)
    assert rule not in signs(TABLE, "τ-b").sentence  # left out for another reason
