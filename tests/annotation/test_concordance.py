"""Readers against each other: by hand and by other formulas."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from annotation.cases import graded, random_chains

from wfine_utils.annotation.agreement import annotator_agreement
from wfine_utils.annotation.concordance import AGREEMENT_METRICS, reader_agreement
from wfine_utils.annotation.files import ANNOTATION_COLUMNS
from wfine_utils.errors import WfineError
from wfine_utils.weval.agreement import kendall_w


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
