"""Best of four, and the score of the subset Ties."""

from __future__ import annotations

import numpy as np
import pytest
from benchmarks.cases import BEST_OF_FOUR, loaded, values


def four(number: int, subset: str = "Factuality") -> dict:
    return BEST_OF_FOUR | {"id": f"{number}", "prompt": f"{number}?", "subset": subset}


def ties(form: str, number: int, n_chosen: int, n_rejected: int) -> dict:
    return {
        "id": f"{form}:{number}", "prompt": f"{form} {number}?", "subset": "Ties",
        "chosen": [f"right {i}" for i in range(n_chosen)],
        "rejected": [f"wrong {i}" for i in range(n_rejected)],
    }  # fmt: skip


def test_a_tie_shares_its_credit_and_nothing_is_known_among_the_chosen(tmp_path):
    benchmark = loaded(tmp_path, [four(i) for i in range(5)] + [ties("tied", 1, 2, 1)])
    assert benchmark.chains[0].judged.better == ((0, 1), (0, 2), (0, 3))
    assert benchmark.chains[-1].judged.better == ((0, 2), (1, 2))
    scores = [[3, 2, 1, 0], [3, 3, 1, 0], [1, 1, 1, 1], [0, 1, 1, 1], [np.nan, 0, 0, 0], [1, 1, 0]]
    table = values(benchmark.official(scores))
    assert table["score", "Factuality"] == pytest.approx((1 + 1 / 2 + 1 / 4 + 0 + 0) / 5)
    assert table["nan_rate", "all"] == pytest.approx(1 / 23)


def test_ties_by_hand(tmp_path):
    rows = [
        four(0), four(1, "Math"),
        ties("ref", 1, 1, 2), ties("tied", 1, 2, 1), ties("ref", 2, 1, 2), ties("tied", 2, 2, 1),
    ]  # fmt: skip
    scores = [
        [1, 1, 0, 0], [0, 1, 2, 3],
        [3, 1, 0],  # apart 2
        [3, 2.5, 1],  # apart 1.5, spread 0.5
        [1, 2, 0],  # apart -1
        [5, 1, 0],  # apart 1, spread 4
    ]  # fmt: skip
    table = values(loaded(tmp_path, rows).official(scores))
    size = (np.tanh(1.5 / 0.5 - 1) + np.tanh(-1 / 4 - 1)) / 2
    assert table["ties_accuracy_tied", "Ties"] == 1
    assert table["ties_accuracy_ref", "Ties"] == 0.5
    assert table["ties_margin", "Ties"] == 0.5  # 1.5 > 0.5, but not 1 > 4
    assert table["ties_margin_hard", "Ties"] == 0.5
    assert table["ties_margin_size", "Ties"] == pytest.approx(size)
    score = 0.3 * 1 + 0.3 * 0.5 + 0.2 * 0.5 + 0.2 * 0.5 + 0.01 * size
    assert table["score", "Ties"] == pytest.approx(score)
    assert table["score", "mean of subsets"] == pytest.approx((0.5 + 0 + score) / 3)


def test_equal_scores_earn_nothing_in_ties_but_the_quarter_elsewhere(tmp_path):
    rows = [four(0), ties("ref", 1, 1, 2), ties("tied", 1, 2, 1)]
    table = values(loaded(tmp_path, rows).official([[1] * 4, [1] * 3, [1] * 3]))
    assert table["score", "Factuality"] == 0.25 and table["score", "Ties"] == 0


def test_both_forms_of_a_prompt_are_one_unit(tmp_path):
    rows = [ties(form, i, 2 if form == "tied" else 1, 2) for i in range(8) for form in
            ("ref", "tied")]  # fmt: skip
    rng = np.random.default_rng(0)
    benchmark = loaded(tmp_path, rows)
    table = benchmark.official([rng.normal(size=len(c.responses)) for c in benchmark.chains])
    assert table.set_index("metric")["n"]["ties_margin_hard"] == 8
    assert table[table["subset"] == "Ties"]["n"].tolist() == [8] * 6
    assert table["ci_low"].notna().all()


def test_without_the_other_form_the_score_of_ties_is_unknown(tmp_path):
    table = values(loaded(tmp_path, [ties("tied", 1, 2, 1)]).official([[2, 2, 1]]))
    assert table["ties_accuracy_tied", "Ties"] == 1
    assert np.isnan(table["score", "Ties"]) and np.isnan(table["score", "mean of subsets"])
