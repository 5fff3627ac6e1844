"""WEval where the gold is what readers say: grades, rankings with gaps, known pairs."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from weval.cases import random_case

from wfine_utils.chains.gold import Gold
from wfine_utils.chains.taxonomy import Chain, Response
from wfine_utils.errors import WfineError
from wfine_utils.weval.baselines import ConstantScorer, null_baselines
from wfine_utils.weval.controls import by_gap, length_matched, partial_tau, response_pairs
from wfine_utils.weval.evaluation import compare, evaluate, per_chain
from wfine_utils.weval.metrics import METRICS
from wfine_utils.weval.scorers import score_all, scores_from_table, scores_table


def judged(gold: Gold, n: int, chain_id: str = "c") -> Chain:
    responses = tuple(Response("word " * (i + 1), ()) for i in range(n))
    return Chain(chain_id, None, "Write.", (), responses, judged=gold)


def graded_like(chain: Chain) -> Chain:
    """The same chain with its gold as the grades of a reader."""
    grades = {"reader": tuple(map(float, chain.gold))}
    return Chain(chain.chain_id, chain.category, chain.base_task, chain.requirements,
                 chain.responses, judged=Gold(grades=grades))  # fmt: skip


def test_grades_give_what_kept_requirements_give():
    chains, scores = random_case(3, nan=True)
    graded = [graded_like(chain) for chain in chains]
    pd.testing.assert_frame_equal(per_chain(chains, scores), per_chain(graded, scores))
    mixed = [c if i % 2 else g for i, (c, g) in enumerate(zip(chains, graded, strict=True))]
    pd.testing.assert_frame_equal(per_chain(chains, scores), per_chain(mixed, scores))
    own = evaluate(chains, scores, n_boot=20).query("subset_kind != 'type'")
    pd.testing.assert_frame_equal(own, evaluate(graded, scores, n_boot=20))  # no pairs by type


def test_a_complete_graph_gives_what_its_order_gives():
    rng = np.random.default_rng(0)
    for _ in range(30):
        order = rng.permutation(5)
        pairs = tuple((int(a), int(b)) for i, a in enumerate(order) for b in order[i + 1 :])
        ranks = np.empty(5)
        ranks[order] = np.arange(5) + 1
        graph = judged(Gold(better=pairs), 5)
        ranked = judged(Gold.from_ranks({"a": ranks.tolist()}), 5)
        score = [rng.integers(0, 4, 5).astype(float)]
        one, other = per_chain([graph], score), per_chain([ranked], score)
        assert np.isnan(one.pop("position_consistency").item())
        pd.testing.assert_frame_equal(one, other.drop(columns="position_consistency"))
        assert one["kendall_tau_b"].item() == pytest.approx(
            stats.kendalltau(-ranks, score[0]).statistic if len(set(score[0])) > 1 else 0
        )


def test_only_known_pairs_count():
    """0 > 1 and 0 > 2 are known; what is said of 1 and 2, or of 3, changes nothing."""
    graph = judged(Gold(better=((0, 1), (0, 2))), 4)
    for score in ([5, 1, 4, 9], [5, 4, 1, 0], [5, 2, 2, 5]):
        row = per_chain([graph], [score]).iloc[0]
        assert row[["kendall_tau_b", "pairwise_accuracy", "exact_match"]].tolist() == [1, 1, 1]
    row = per_chain([graph], [[5, 9, 5, 0]]).iloc[0]  # one wrong, one tied
    assert row["kendall_tau_b"] == pytest.approx(-1 / np.sqrt(2 * 1))
    assert row["pairwise_accuracy"] == 0.25 and row["tie_rate"] == 0.5
    assert per_chain([graph], ConstantScorer().score([graph]))["kendall_tau_b"].item() == 0


def test_a_response_that_nobody_graded_is_not_there():
    gap = judged(Gold(grades={"a": (3, None, 1, 2)}), 4)
    whole = judged(Gold(grades={"a": (3, 1, 2)}), 3)
    for score in ([1, 7, 3, 2], [2, np.nan, 2, 1]):
        without = [score[i] for i in (0, 2, 3)]
        pd.testing.assert_frame_equal(per_chain([gap], [score]), per_chain([whole], [without]))
    assert per_chain([gap], [[1, np.nan, 2, 3]])["nan_rate"].item() == 0


def test_nothing_known_and_nothing_scored_is_refused():
    chain = judged(Gold(grades={"a": (1, None)}), 2)
    with pytest.raises(WfineError, match=r"every score .* is NaN"):
        evaluate([chain], [[np.nan, 1.0]])
    table = evaluate([chain], [[1.0, 2.0]], n_boot=0)
    assert np.isnan(table.set_index("metric").loc["kendall_tau_b", "value"])


def test_comparisons_and_controls_on_every_kind_of_gold():
    rng = np.random.default_rng(1)
    chains, scores = [], []
    for i in range(24):
        ranks = {name: (rng.permutation(4) + 1).tolist() for name in "ab"}
        ranks["a"][i % 4] = None
        gold = Gold.from_ranks(ranks) if i % 2 else Gold(better=((0, 1), (0, 3), (2, 3)))
        chains.append(judged(gold, 4, f"c{i}"))
        scores.append(rng.normal(size=4))
    table = compare(chains, scores, ConstantScorer().score(chains), n_boot=20, n_permutations=20)
    tau = per_chain(chains, scores)["kendall_tau_b"].mean()
    assert table.set_index("metric").loc["kendall_tau_b", "difference"] == pytest.approx(tau)
    pairs = response_pairs(chains, scores)
    graphs = pairs[pairs["chain"] % 2 == 0]
    assert (graphs.groupby("chain").size() == 3).all() and set(graphs["gap"]) == {1.0}
    partial = partial_tau(chains, scores, n_boot=20).set_index("metric")
    assert partial.loc["kendall_tau_b", "value"] == pytest.approx(tau)
    gaps = by_gap([chains[0]], [scores[0]], n_boot=0).set_index("metric")
    one = per_chain([chains[0]], [scores[0]])
    assert gaps.loc["pairwise_accuracy", "value"] == one["pairwise_accuracy"].item()
    assert len(length_matched(chains, scores, n_boot=0))


def test_baselines_and_tables_know_chains_without_requirements():
    gold = Gold(grades={"a": (3, None, 1)})
    chains = [judged(gold, 3, f"c{i}") for i in range(2)]
    scores = score_all(null_baselines(0), chains)
    again = scores_from_table(scores_table(scores, chains), chains)
    assert again.keys() == scores.keys()
    table = scores_table(scores, chains)
    table["gold"] = table["gold"].fillna(7.0)
    with pytest.raises(WfineError, match=r"response 1 of chain 'c0' with gold 7\.0, expected nan"):
        scores_from_table(table, chains)
    assert list(evaluate(chains, scores["length"], n_boot=0)["metric"]) == list(METRICS)
