"""Scorers against readers, and readers against each other: by hand and by other formulas."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from wfine_utils.annotation.agreement import annotator_agreement
from wfine_utils.annotation.files import ANNOTATION_COLUMNS
from wfine_utils.annotation.readers import (
    AGREEMENT_METRICS,
    ALL_BUT_ONE,
    ANOTHER_READER,
    CONSENSUS,
    READER_METRICS,
    compare_with_another_reader,
    evaluate_against_readers,
    reader_agreement,
)
from wfine_utils.chains.gold import Gold
from wfine_utils.chains.taxonomy import Chain, Response
from wfine_utils.errors import WfineError
from wfine_utils.weval.agreement import kendall_w
from wfine_utils.weval.evaluation import evaluate
from wfine_utils.weval.resampling import holm


def graded(chain_id: str, **grades: tuple) -> Chain:
    n = len(next(iter(grades.values())))
    responses = tuple(Response(f"text {i}", ()) for i in range(n))
    return Chain(chain_id, None, "Write.", (), responses, judged=Gold(grades))


def random_chains(
    seed: int, n: int = 20, names: str = "abc", size: int = 4, *, levels: int = 0
) -> list[Chain]:
    """Rankings without ties, or grades of so many levels."""
    rng = np.random.default_rng(seed)
    draw = (lambda: rng.integers(0, levels, size)) if levels else (lambda: rng.permutation(size))
    return [graded(f"c{k:02}", **{x: tuple(map(float, draw())) for x in names}) for k in range(n)]


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


class TestAgreement:
    def test_by_hand(self):
        """Six sets of two texts; in half of them c turns the order of a and b round."""
        chains = [
            graded(f"c{k}", a=(1, 2), b=(1, 2), c=(1, 2) if k < 3 else (2, 1)) for k in range(6)
        ]
        table = reader_agreement(chains, n_boot=50).set_index("metric")
        assert [*table.index] == list(AGREEMENT_METRICS)
        # Rank sums 3 and 6, or 4 and 5: W is 1, or (1/2) / (9/2).
        assert table.loc["kendall_w", "value"] == pytest.approx((1 + 1 / 9) / 2)
        # Of three pairs of readers all agree, or one: tau-b is 1, or (1 - 1 - 1) / 3.
        assert table.loc["kendall_tau_b", "value"] == pytest.approx((1 - 1 / 3) / 2)
        assert table.loc["share_equal", "value"] == pytest.approx((1 + 1 / 3) / 2)
        assert table.loc["unanimous", "value"] == 0.5
        chance = table["chance"].tolist()
        assert chance == pytest.approx([1 / 3, 0, 0, 0, 1 / 2, 1 / 4])
        assert table["n_chains"].eq(6).all() and table["n_readers"].eq(3).all()
        assert table["n_items"].tolist() == [12, 12, 6, 18, 18, 6]
        assert table["ci_low"].notna().all()

    @pytest.mark.parametrize("levels", [0, 3])
    def test_what_annotators_agree_on_readers_do(self, levels):
        chains = random_chains(13, 15, levels=levels)
        rows = [
            (name, chain.chain_id, i, -grade)
            for chain in chains
            for name, row in chain.judged.grades.items()
            for i, grade in enumerate(row)
        ]
        annotations = pd.DataFrame(rows, columns=list(ANNOTATION_COLUMNS))
        other = annotator_agreement(annotations, n_boot=20)
        own = reader_agreement(chains, n_boot=20).set_index("metric")
        for row in other.itertuples():
            assert own.loc[row.metric, "value"] == pytest.approx(row.value)
            assert own.loc[row.metric, ["n_chains", "n_items"]].tolist() == [
                row.n_chains,
                row.n_items,
            ]
        w = [kendall_w(-chain.judged.table()) for chain in chains]
        assert own.loc["kendall_w", "value"] == pytest.approx(np.nanmean(w))

    def test_chance_is_what_shuffled_readers_give(self):
        """The formula against readers who deal the same ranks out at random, ties and all."""
        rng = np.random.default_rng(14)
        habits = {"a": [1, 1, 2, 3], "b": [1, 2, 3, 4], "c": [1, 1, 1, 2]}

        def shuffled() -> dict[str, tuple]:
            return {x: tuple(map(float, rng.permutation(row))) for x, row in habits.items()}

        chains = [graded(f"c{k}", **shuffled()) for k in range(1500)]
        table = reader_agreement(chains, n_boot=0).set_index("metric")
        table = table.loc[["kendall_w", "kendall_tau_b", "share_equal", "unanimous"]]
        gap = table["value"] - table["chance"]
        assert gap.abs().max() < 0.02

    def test_a_reader_of_a_part_is_counted_named_and_used_where_that_can_be_done(self):
        chains = random_chains(15, 10)
        whole = reader_agreement(chains, n_boot=0).set_index("metric")
        a, b = (chains[0].judged.grades[x] for x in "ab")
        part = graded("c00", a=a, b=b, late=(1, 2, None, None))
        table = reader_agreement([part, *chains[1:]], n_boot=0).set_index("metric")
        of_whole = ["kendall_w", "krippendorff_alpha", "fleiss_kappa"]
        assert table.loc[of_whole, "n_incomplete"].eq(1).all()
        assert table.loc[of_whole, "incomplete"].eq("late").all()
        assert table.drop(of_whole)["n_incomplete"].eq(0).all()
        assert table["n_readers"].eq(4).all() and whole["n_incomplete"].eq(0).all()
        # nine chains of three readers, one of two: kappa takes those of three
        assert table.loc["kendall_w", "n_chains"] == 10
        assert table.loc["fleiss_kappa", "n_chains"] == 9
        assert table.loc["share_equal", "n_items"] == 9 * 18 + 6 + 2
        equal = []
        for x, y in combinations([a, b, (1, 2, None, None)], 2):
            for i, j in combinations(range(4), 2):
                if None not in (x[i], x[j], y[i], y[j]):
                    equal.append(np.sign(x[i] - x[j]) == np.sign(y[i] - y[j]))
        others = reader_agreement(chains[1:], n_boot=0).set_index("metric")
        expected = (9 * others.loc["share_equal", "value"] + np.mean(equal)) / 10
        assert table.loc["share_equal", "value"] == pytest.approx(expected)

    def test_readers_of_parts_alone(self):
        chains = [graded(f"c{k}", a=(1, 2, None), b=(1, 2, None)) for k in range(6)]
        table = reader_agreement(chains, n_boot=20).set_index("metric")
        assert table["value"].isna().tolist() == [True] * 3 + [False] * 3
        assert table["n_chains"].tolist() == [0, 0, 0, 6, 6, 6]
        assert table["n_incomplete"].tolist() == [12, 12, 12, 0, 0, 0]
        assert table.loc["kendall_w", "incomplete"] == "a, b"

    def test_nothing_shared_is_refused(self):
        with pytest.raises(WfineError, match="no chain of which two readers"):
            reader_agreement([graded("x", a=(1, 2, None, None), b=(None, None, 1, 2))])
