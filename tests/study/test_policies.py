"""What policies say to questions 6 and 7: hand-made cells, hand-computed answers."""

from __future__ import annotations

import pandas as pd
import pytest
from scipy import stats
from study.hand_made_cells import SETTINGS, tau, write_cells

from wfine_study.cells import PolicyCell, cells_by_question, clean_cell
from wfine_study.policies import length_hacking, policy_gains, policy_table, weval_against_adherence


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cells")
    write_cells(folder)
    return folder


def test_policies_and_what_would_have_warned(folder):
    table = policy_table(SETTINGS, folder).set_index("label")
    assert len(table) == len({c for q in (6, 7) for c in cells_by_question(SETTINGS)[q]
                              if isinstance(c, PolicyCell)})  # fmt: skip
    assert table.loc["length 100%", "tau_with_length"] == pytest.approx(1)
    assert table.loc["clean, 12 pairs", "adherence_after"] == pytest.approx(0.6)
    answers = length_hacking(SETTINGS, folder, n_boot=50).set_index("quantity")["value"]
    assert answers["words of the policy, length-biased minus clean reward"] == 9
    assert answers["τ of scores with length, length-biased minus clean"] > 0


def test_the_gain_of_a_policy_is_paired_by_query(folder):
    gains = policy_gains(SETTINGS, folder, n_boot=50).set_index("quantity")["value"]
    assert gains["adherence after RL minus before, reward model clean, 12 pairs"] == pytest.approx(
        tau(clean_cell(SETTINGS, 0)) / 2
    )


def test_correlation_over_reward_models_is_scipys(folder):
    table = policy_table(SETTINGS, folder)
    answers = weval_against_adherence(table, n_boot=100)
    expected = stats.pearsonr(table["kendall_tau_b"], table["adherence_after"]).statistic
    assert answers.loc[0, "value"] == pytest.approx(expected)
    spearman = stats.spearmanr(table["kendall_tau_b"], table["adherence_after"]).statistic
    assert answers.loc[1, "value"] == pytest.approx(spearman)
    assert (answers["ci_low"] <= answers["value"]).all()
    assert (answers["value"] <= answers["ci_high"]).all()
    assert set(answers["n"]) == {len(table)} and set(answers["unit"]) == {"reward models"}
    table["n_pairs"] = [99, *[12] * (len(table) - 1)]
    both = weval_against_adherence(table, at_most=12, n_boot=100)
    smaller = table[1:]
    expected = stats.pearsonr(smaller["kendall_tau_b"], smaller["adherence_after"]).statistic
    assert both["value"].tolist()[:2] == answers["value"].tolist()
    assert both.loc[2, "value"] == pytest.approx(expected) and both.loc[2, "n"] == len(smaller)
    assert both.loc[2, "quantity"].endswith(", up to 12 pairs")


def test_policies_that_are_all_alike_are_predicted_by_nothing():
    table = pd.DataFrame({"kendall_tau_b": [0.1, 0.2, 0.3], "adherence_after": [0.5] * 3})
    answers = weval_against_adherence(table)
    assert answers["value"].tolist() == [0, 0] and answers["p_holm"].tolist() == [1, 1]


@pytest.mark.parametrize("n", [3, 5, 6])
def test_few_reward_models_give_a_correlation_and_no_interval(n):
    table = pd.DataFrame({"kendall_tau_b": [0.1, 0.3, 0.2, 0.5, 0.4, 0.7][:n], "n_pairs": 12,
                          "adherence_after": [0.2, 0.3, 0.4, 0.5, 0.3, 0.6][:n]})  # fmt: skip
    answers = weval_against_adherence(table, n_boot=200)
    assert answers["value"].between(0, 1).all() and answers["p_value"].notna().all()
    assert answers[["ci_low", "ci_high"]].isna().all(axis=None) == (n < 6)
    assert answers[["ci_low", "ci_high"]].notna().all(axis=None) == (n == 6)
