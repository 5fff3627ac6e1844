"""What the study's cells say: hand-made cells, hand-computed answers."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from study.small_study import SMALL

from wfine_study.answers import (
    answer,
    answers_in_words,
    chain_values,
    choice_effects,
    dose_response,
    filter_effect,
    generalisation,
    with_holm,
)
from wfine_study.cells import (
    PolicyCell,
    RewardCell,
    StudySettings,
    all_cells,
    cells_by_question,
    clean_cell,
)
from wfine_study.exam import IFEVAL, exam_chains
from wfine_study.policies import length_hacking, policy_gains, policy_table, weval_against_adherence
from wfine_utils.chains.taxonomy import RequirementType
from wfine_utils.checks.words import word_count

SETTINGS = StudySettings(**SMALL | {"seeds": [0, 1, 2], "n_choice_seeds": 1})
ONE_SEED = SETTINGS.model_copy(update={"seeds": [0], "n_generalisation_seeds": 1})
CHAINS = ("a", "b", "c", "d")


def tau(cell: RewardCell) -> float:
    """A made-up truth: what each choice and each 10 % of noise does to τ-b."""
    loss = {"not_dropped": 0.02, "length": 0.05}.get(cell.noise or "", 0.0) * 10 * cell.share
    if cell.is_filtered:
        loss = 0.0
    elif cell.noise == "sloppy":
        loss = 0.3
    loss += 0.1 * (cell.granularity == "prompt") + 0.04 * (cell.loss == "cross_entropy")
    return 0.8 - loss - 0.01 * (cell.n_pairs < 12) + 0.001 * cell.seed


def write_cell(folder, cell: RewardCell) -> None:
    place = folder / cell.slug
    place.mkdir(parents=True)
    values = tau(cell) + np.array([0.1, -0.1, 0.05, -0.05])
    used = {"as trained": values, "whole prompt": values - 0.2}
    pd.concat(
        pd.DataFrame({"chain_id": CHAINS, "kendall_tau_b": v, "used": name})
        for name, v in used.items()
    ).to_parquet(place / "per_chain.parquet")
    rows = [
        {"pair_id": f"p{i}", "kind": "pairs", "subset": str(t), "category": str(c)}
        for c in {x.hold_out_category for x in all_cells(SETTINGS) if isinstance(x, RewardCell)}
        for t in RequirementType
        for i in range(4)
    ]
    rows += [{"pair_id": f"s{i}", "kind": "sentence count", "subset": "5", "category": ""}
             for i in range(4)]  # fmt: skip
    rows += [{"pair_id": f"i{i}", "kind": "ifeval", "subset": name, "category": ""}
             for name in IFEVAL for i in range(4)]  # fmt: skip
    table = pd.DataFrame(rows)
    unseen = table["subset"] == str(cell.hold_out_type)
    unseen |= (table["subset"] == "5") & (5 in cell.hold_out_values)
    number = table["pair_id"].str[1:].astype(int)
    right = np.where(unseen, number < 2, (table["kind"] != "ifeval") | (number < 3))
    table["margin"] = np.where(right, 1.0, -1.0)
    table.to_parquet(place / "pairs.parquet")
    bias = 1.0 if cell.noise == "length" and cell.share == 1 else 0.0
    chains = exam_chains(SETTINGS.n_test_chains, SETTINGS.seed)
    pd.DataFrame(
        {"used": "as trained", "chain_id": c.chain_id, "response": i,
         "score": bias * word_count(r.text) + (1 - bias) * r.gold}
        for c in chains for i, r in enumerate(c.responses)
    ).to_parquet(place / "scores.parquet")  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cells")
    for cell in all_cells(SETTINGS):
        if isinstance(cell, RewardCell):
            write_cell(folder, cell)
            continue
        (folder / cell.slug).mkdir()
        gain = tau(cell.reward_cell) / 2
        longer = 9.0 if cell.reward_cell.share == 1 else 0.0
        pd.DataFrame(
            {"query": q, "policy": p, "mean": 0.2 + g, "all met": float(g > 0), "n_words": 30 + w,
             "reward": 1.0, "kl": 0.1}
            for p, g, w in (("before", 0.0, 0.0), ("after", gain, longer)) for q in range(3)
        ).to_parquet(folder / cell.slug / "per_query.parquet")  # fmt: skip
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
    assert set(answers["n"]) == {4}


def test_intervals_over_seeds_are_those_of_the_t_test():
    matrix = np.array([[0.1, 0.2, 0.4], [0.3, 0.1, 0.0]])
    row = answer(2, "x", matrix, "chains", n_boot=10, seed=0)
    per_seed = matrix.mean(axis=0)
    test = stats.ttest_1samp(per_seed, 0)
    assert row["value"] == pytest.approx(per_seed.mean())
    assert row["p_value"] == pytest.approx(test.pvalue)
    assert (row["ci_low"], row["ci_high"]) == pytest.approx(tuple(test.confidence_interval(0.95)))
    assert row["cohens_d"] == pytest.approx(per_seed.mean() / per_seed.std(ddof=1))


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


def test_every_question_is_said_in_one_line(folder):
    clean = clean_cell(SETTINGS, 0)
    assert chain_values(folder, [clean]).shape == (4, 1)
    table = pd.concat([
        dose_response(SETTINGS, folder, n_boot=10)[1],
        generalisation(SETTINGS, folder, n_boot=10),
    ])  # fmt: skip
    lines = answers_in_words(table)
    assert [line[:2] for line in lines] == ["2.", "5."]
    assert "length: -0.050 [" in lines[0] and "n = 3 training seeds" in lines[0]
    assert "IFEval, all" in lines[1] and "no_comma" not in lines[1]


def test_policies_that_are_all_alike_are_predicted_by_nothing():
    table = pd.DataFrame({"kendall_tau_b": [0.1, 0.2, 0.3], "adherence_after": [0.5] * 3})
    answers = weval_against_adherence(table)
    assert answers["value"].tolist() == [0, 0] and answers["p_holm"].tolist() == [1, 1]
