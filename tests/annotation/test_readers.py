"""Scorers against readers: by hand and by other formulas."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from annotation.cases import graded, random_chains
from scipy import stats

from wfine_utils.annotation.readers import (
    ALL_BUT_ONE,
    ANOTHER_READER,
    CONSENSUS,
    READER_METRICS,
    compare_with_another_reader,
    evaluate_against_readers,
)
from wfine_utils.chains.gold import Gold
from wfine_utils.chains.taxonomy import Chain
from wfine_utils.errors import WfineError
from wfine_utils.weval.evaluation import evaluate
from wfine_utils.weval.resampling import holm


def at(table: pd.DataFrame, **where: str) -> pd.Series:
    for column, wanted in where.items():
        table = table[table[column] == wanted]
    (row,) = table.to_dict("records")
    return pd.Series(row)


class TestAgainstReaders:
    def test_by_hand(self):
        """One set: a and b say 3 > 2 > 1, c turns it round; the scorer is with a and b."""
        chain = graded("x", a=(3, 2, 1), b=(3, 2, 1), c=(1, 2, 3))
        table = evaluate_against_readers([chain], {"up": [[9, 5, 0]]}, n_boot=0)
        tau = table[table["metric"] == "kendall_tau_b"]
        assert at(tau, scorer="up", gold=CONSENSUS)["value"] == 1  # two of three
        assert at(tau, scorer="up", gold="a")["value"] == 1
        assert at(tau, scorer="up", gold="c")["value"] == -1
        # Without a: b and c are even, and nothing is known. Without c: a and b are of one mind.
        assert at(tau, scorer="up", gold=ALL_BUT_ONE)["value"] == 1
        assert at(tau, scorer=ANOTHER_READER, gold=ALL_BUT_ONE)["value"] == -1  # c alone counts
        assert tau["n_chains"].eq(1).all() and tau["ci_low"].isna().all()

    def test_left_out_one_by_one_as_the_mean_rank_of_the_others_has_it(self):
        chains = random_chains(0, 12)
        rng = np.random.default_rng(1)
        scores = [rng.normal(size=4) for _ in chains]
        table = evaluate_against_readers(chains, {"s": scores}, n_boot=0)
        of_scorer, of_reader = [], []
        for chain, score in zip(chains, scores):
            rows = {k: np.array(v) for k, v in chain.judged.grades.items()}
            pairs = [(sum(v for k, v in rows.items() if k != left), rows[left]) for left in rows]
            pairs = [(others, own) for others, own in pairs if len(set(others)) > 1]
            of_scorer.append(np.mean([stats.kendalltau(o, score).statistic for o, _ in pairs]))
            of_reader.append(np.mean([stats.kendalltau(o, own).statistic for o, own in pairs]))
        rows = table[(table["metric"] == "kendall_tau_b") & (table["gold"] == ALL_BUT_ONE)]
        assert at(rows, scorer="s")["value"] == pytest.approx(np.mean(of_scorer))
        assert at(rows, scorer=ANOTHER_READER)["value"] == pytest.approx(np.mean(of_reader))

    def test_consensus_and_each_reader_are_the_golds_of_weval(self):
        chains = random_chains(2, levels=3)
        del chains[0].judged.grades["b"]
        rng = np.random.default_rng(3)
        scores = [rng.normal(size=4) for _ in chains]
        scores[4][1] = np.nan
        table = evaluate_against_readers(chains, {"s": scores}, n_boot=0)
        whole = evaluate(chains, scores, n_boot=0).set_index("metric")
        alone = [Chain(c.chain_id, None, "W.", (), c.responses, judged=c.judged.of("b"))
                 for c in chains[1:]]  # fmt: skip
        of_b = evaluate(alone, scores[1:], n_boot=0).set_index("metric")
        for metric in READER_METRICS:
            for gold, expected in ((CONSENSUS, whole), ("b", of_b)):
                row = at(table, scorer="s", gold=gold, metric=metric)
                assert row["value"] == pytest.approx(expected.loc[metric, "value"]), metric
                assert row["n_chains"] == expected.loc[metric, "n_chains"]

    def test_the_one_left_out_and_the_scorer_are_held_against_the_same_responses(self):
        """c graded two of four; the scorer is wrong about the others, which is not asked here."""
        chain = graded("x", a=(4, 3, 2, 1), b=(4, 3, 2, 1), c=(None, 3, 2, None))
        table = evaluate_against_readers([chain], {"s": [[0, 3, 2, 9]]}, n_boot=0)
        tau = table[table["metric"] == "kendall_tau_b"]
        order = stats.kendalltau([4, 3, 2, 1], [0, 3, 2, 9]).statistic
        expected = np.mean([order, order, 1])  # without a, without b, without c
        assert at(tau, scorer="s", gold=ALL_BUT_ONE)["value"] == pytest.approx(expected)
        assert at(tau, scorer=ANOTHER_READER, gold=ALL_BUT_ONE)["value"] == 1
        nan_rate = table[(table["metric"] == "nan_rate")]
        assert nan_rate["value"].eq(0).all(), "what a reader left out is no failure of a scorer"

    def test_what_cannot_be_scored_is_counted(self):
        chains = random_chains(4, 8)
        scores = [np.array([1.0, 2, 3, np.nan]) for _ in chains]
        table = evaluate_against_readers(chains, {"s": scores}, n_boot=0)
        rates = table[(table["metric"] == "nan_rate") & (table["scorer"] == "s")]
        assert rates["value"].eq(0.25).all() and {*rates["gold"]} == {
            CONSENSUS,
            ALL_BUT_ONE,
            *"abc",
        }

    def test_one_reader_is_gold_and_no_ceiling(self):
        chains = [graded("x", a=(1, 2)), graded("y", a=(2, 1))]
        table = evaluate_against_readers(chains, {"s": [[1, 2], [1, 2]]}, n_boot=0)
        assert {*table["gold"]} == {CONSENSUS, "a"} and {*table["scorer"]} == {"s"}
        with pytest.raises(WfineError, match="found no scores and no chain with two readers"):
            evaluate_against_readers(chains, {})
        with pytest.raises(WfineError, match="no chain of which two readers"):
            compare_with_another_reader(chains, {"s": [[1, 2], [1, 2]]})

    def test_order_and_names_do_not_matter_and_intervals_hold_the_value(self):
        chains = random_chains(5, 20)
        rng = np.random.default_rng(6)
        scores = {"s": [rng.normal(size=4) for _ in chains]}
        table = evaluate_against_readers(chains, scores, n_boot=200)
        turned = evaluate_against_readers(chains[::-1], {"s": scores["s"][::-1]}, n_boot=200)
        pd.testing.assert_frame_equal(table, turned)
        assert (table["ci_low"] <= table["value"]).all() and (
            table["value"] <= table["ci_high"]
        ).all()

    def test_names_that_are_taken_and_chains_without_readers_are_refused(self):
        chains = random_chains(7, 2)
        scores = [np.arange(4.0)] * 2
        with pytest.raises(WfineError, match="a scorer called 'another reader'"):
            evaluate_against_readers(chains, {ANOTHER_READER: scores})
        with pytest.raises(WfineError, match="a reader called 'consensus'"):
            evaluate_against_readers([graded("x", consensus=(1, 2))], {})
        graph = Chain("g", None, "W.", (), chains[0].responses, judged=Gold(better=((0, 1),)))
        with pytest.raises(WfineError, match="no grades of a reader in the 1 chains"):
            evaluate_against_readers([graph], {"s": [np.arange(4.0)]})
        table = evaluate_against_readers([*chains, graph], {"s": [*scores, scores[0]]}, n_boot=0)
        assert table["n_chains"].max() == 2


class TestMinusAnotherReader:
    def test_differences_are_paired_and_corrected(self):
        chains = random_chains(8, 24)
        rng = np.random.default_rng(9)
        scores = {name: [rng.normal(size=4) for _ in chains] for name in ("s", "t")}
        scores["copy of a"] = [np.array(c.judged.grades["a"]) for c in chains]
        table = compare_with_another_reader(chains, scores, n_boot=50, n_permutations=200)
        against = evaluate_against_readers(chains, scores, n_boot=0)
        tau = against[(against["metric"] == "kendall_tau_b") & (against["gold"] == ALL_BUT_ONE)]
        rows = table[table["metric"] == "kendall_tau_b"].set_index("scorer")
        for name, row in rows.iterrows():
            assert row["value"] == pytest.approx(at(tau, scorer=name)["value"])
            assert row["another_reader"] == pytest.approx(at(tau, scorer=ANOTHER_READER)["value"])
            assert row["difference"] == pytest.approx(row["value"] - row["another_reader"])
            assert row["cohens_d"] == pytest.approx(row["difference"] / row["sd"])
        assert rows["p_holm"].tolist() == pytest.approx(holm(rows["p_value"]).tolist())

    def test_a_scorer_that_does_as_the_one_left_out_differs_in_nothing(self):
        """Two readers: left out is b where a is gold, and the scorer says what both say."""
        rng = np.random.default_rng(10)
        orders = [tuple(map(float, rng.permutation(4))) for _ in range(8)]
        chains = [graded(f"c{k}", a=x, b=x) for k, x in enumerate(orders)]
        table = compare_with_another_reader(chains, {"s": [np.array(x) for x in orders]}, n_boot=20)
        assert table["difference"].eq(0).all() and table["p_value"].eq(1).all()

    def test_only_where_both_have_a_value(self):
        chains = random_chains(11, 10)
        scores = [np.full(4, np.nan) for _ in chains]
        for k in range(4):
            scores[k] = np.arange(4.0)
        table = compare_with_another_reader(chains, {"s": scores}, n_boot=0, n_permutations=50)
        few = compare_with_another_reader(
            chains[:4], {"s": scores[:4]}, n_boot=0, n_permutations=50
        )
        assert table["n_chains"].eq(4).all()
        pd.testing.assert_frame_equal(table, few)

    def test_an_unknown_metric_is_refused(self):
        with pytest.raises(WfineError, match=r"found the metrics \['mae'\]"):
            compare_with_another_reader(random_chains(0, 2), {}, metrics=["mae"])
