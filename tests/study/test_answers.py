"""What reward models say to questions 2 to 5: hand-made cells, hand-computed answers."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from study.hand_made_cells import CHAINS, ONE_SEED, SETTINGS, write_cells

from wfine_study.answers import (
    answer,
    answers_in_words,
    chain_values,
    choice_effects,
    dose_response,
    filter_effect,
    generalisation,
    mean_with_interval,
    with_holm,
)
from wfine_study.cells import cells_by_question, clean_cell


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cells")
    write_cells(folder)
    return folder


def test_slopes_are_those_of_the_truth_and_tested_over_seeds(folder):
    curves, answers = dose_response(SETTINGS, folder, n_boot=50)
    slope = answers.set_index("quantity")["value"]
    assert slope["τ-b per 10 % of pairs with length"] == pytest.approx(-0.05)
    assert slope["τ-b per 10 % of pairs with not dropped"] == pytest.approx(-0.02)
    assert slope["τ-b per 10 % of pairs with fluency"] == pytest.approx(0, abs=1e-9)
    assert set(answers["unit"]) == {"training seeds"} and set(answers["n"]) == {3}
    at = curves.set_index(["noise", "share"])["value"]
    assert at["length", 0.5] == pytest.approx(0.801 - 0.25)
    assert len(curves) == 4 * 3


def test_one_seed_gives_intervals_over_chains_and_says_so(folder):
    curves, answers = dose_response(ONE_SEED, folder, n_boot=200)
    assert set(curves["unit"]) == set(answers["unit"]) == {"chains"}
    assert set(answers["n"]) == {len(CHAINS)}
    assert answers["ci_low"].notna().all()


def test_intervals_over_seeds_are_those_of_the_t_test():
    matrix = np.array([[0.1, 0.2, 0.4, 0.1, 0.3, 0.2], [0.3, 0.1, 0.0, 0.2, 0.2, 0.4]])
    row = answer(2, "x", matrix, "chains", n_boot=10, seed=0)
    per_seed = matrix.mean(axis=0)
    test = stats.ttest_1samp(per_seed, 0)
    assert row["value"] == pytest.approx(per_seed.mean())
    assert row["p_value"] == pytest.approx(test.pvalue)
    assert (row["ci_low"], row["ci_high"]) == pytest.approx(tuple(test.confidence_interval(0.95)))
    assert row["cohens_d"] == pytest.approx(per_seed.mean() / per_seed.std(ddof=1))


@pytest.mark.parametrize("n_seeds", [3, 5])
@pytest.mark.parametrize("spread", [0.0, 0.1])
def test_too_few_seeds_give_a_test_and_no_interval(n_seeds, spread):
    matrix = 0.5 + spread * np.arange(n_seeds, dtype=float)[None, :]
    row = answer(2, "x", matrix, "chains", n_boot=10, seed=0) | {"p_holm": 0.01}
    assert (row["n"], row["unit"]) == (n_seeds, "training seeds") and row["p_value"] < 0.05
    assert np.isnan([row["ci_low"], row["ci_high"]]).all()
    (line,) = answers_in_words(pd.DataFrame([row]))
    assert "(no interval from fewer than 6) (n = " in line


def test_pairs_of_answers_to_one_query_are_drawn_together():
    right = np.random.default_rng(0).choice([0.0, 1.0], size=(30, 1))
    once = mean_with_interval(right, "queries", n_boot=200, seed=0)
    members = [f"q{i}" for i in range(30) for _ in range(8)]  # of eight instructions
    together = np.repeat(right, 8, axis=0)
    found = mean_with_interval(together, "queries", members=members, n_boot=200, seed=0)
    ends = ["value", "ci_low", "ci_high", "p_value", "n"]
    assert [found[e] for e in ends] == pytest.approx([once[e] for e in ends])


def test_holm_counts_the_family():
    rows = [{"question": 2, "quantity": str(p), "p_value": p} for p in (0.01, 0.04, 0.03)]
    assert with_holm(rows)["p_holm"].round(2).tolist() == [0.03, 0.06, 0.06]


def test_the_filter_gives_back_what_the_noise_took(folder):
    means, answers = filter_effect(SETTINGS, folder, n_boot=50)
    assert means.set_index("pairs")["value"]["unfiltered"] == pytest.approx(0.501)
    assert answers["value"].tolist() == pytest.approx([0.3, 0.0])
    assert answers.loc[0, "p_holm"] < 0.05


def test_the_effect_of_a_choice_is_its_mean_over_the_others(folder):
    grid, answers = choice_effects(SETTINGS, folder, n_boot=50)
    effect = answers.set_index("quantity")["value"]
    assert effect["τ-b with one requirement at a time minus the whole prompt"] == pytest.approx(0.1)
    assert effect["τ-b with bradley terry minus cross entropy"] == pytest.approx(0.04)
    assert effect["τ-b with both drops minus single drops"] == pytest.approx(0)
    mismatch = answers[answers["quantity"].str.contains("given the whole prompt")].iloc[0]
    assert mismatch["value"] == pytest.approx(-0.2) and mismatch["unit"] == "training seeds"
    assert len(grid) == len({c.slug for c in cells_by_question(SETTINGS)[4]})


def test_what_was_never_seen_is_compared_on_the_same_pairs(folder):
    answers = generalisation(SETTINGS, folder, n_boot=50).set_index("quantity")
    style = answers.loc["pair accuracy with type style never seen minus seen"]
    assert style["value"] == pytest.approx(-0.5)
    assert answers.loc["pair accuracy with 5 sentences never seen minus seen", "value"] == -0.5
    assert answers.loc["pair accuracy on IFEval, all, minus 0.5", "value"] == pytest.approx(0.25)


def test_every_question_is_said_in_one_line(folder):
    clean = clean_cell(SETTINGS, 0)
    assert chain_values(folder, [clean]).shape == (len(CHAINS), 1)
    table = pd.concat([
        dose_response(SETTINGS, folder, n_boot=10)[1],
        generalisation(SETTINGS, folder, n_boot=10),
    ])  # fmt: skip
    lines = answers_in_words(table)
    assert [line[:2] for line in lines] == ["2.", "5."]
    said = "length: -0.050 (no interval from fewer than 6) (n = 3 training seeds"
    assert said in lines[0]
    assert "IFEval, all" in lines[1] and "no_comma" not in lines[1]
