"""Simulated readers: at the ends of the error rate, and in between."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from wfine_utils.annotation.agreement import MEAN_RANK, agreement_with_gold, annotator_agreement
from wfine_utils.annotation.files import ANNOTATION_COLUMNS
from wfine_utils.annotation.session import annotation_path
from wfine_utils.annotation.simulated import simulated_class
from wfine_utils.chains.gold import Gold
from wfine_utils.chains.weval_hand import load_weval_hand
from wfine_utils.errors import WfineError

CHAINS = load_weval_hand()


def test_without_errors_it_is_the_gold_and_with_nothing_else_it_is_chance():
    table = simulated_class(CHAINS, [0.0, 1.0], 0)
    assert [*table] == list(ANNOTATION_COLUMNS)
    sure, blind = table["annotator"].unique()
    frame = agreement_with_gold(table, CHAINS, n_boot=0)
    tau = frame[frame["metric"] == "kendall_tau_b"].set_index("annotator")["value"]
    assert tau[sure] == 1
    assert abs(tau[blind]) < 0.25  # of 60 chains of five: four standard errors
    assert tau[blind] < tau[MEAN_RANK] < 1


def test_the_share_of_mistakes_is_the_rate_that_was_stated():
    """Of a text that is mistaken the gold is another one in four cases of five."""
    table = simulated_class(CHAINS, [0.4], 3)
    gold = {c.chain_id: np.array(c.gold) for c in CHAINS}
    moved = []
    for chain_id, part in table.groupby("chain_id"):
        seen = 1 + np.array([(gold[chain_id] > g).sum() for g in gold[chain_id]])
        is_same_order = (part["rank"].to_numpy() == seen).all()
        moved.append(not is_same_order)
    # at least one of five texts is taken for another: 1 - (1 - 0.4 * 0.8) ** 5 = 0.855
    assert np.mean(moved) == pytest.approx(1 - (1 - 0.4 * 0.8) ** 5, abs=4 * np.sqrt(0.124 / 60))


def test_who_errs_less_agrees_more():
    values = [
        annotator_agreement(simulated_class(CHAINS, [e] * 3, 1), n_boot=0)["value"].to_numpy()
        for e in (0.0, 0.3, 0.7)
    ]
    assert (values[0] == pytest.approx(1)) and (np.diff(values, axis=0) < 0).all()


def test_errors_of_a_chain_depend_on_no_other_chain_and_on_the_seed():
    table = simulated_class(CHAINS[:8], [0.5, 0.5], 0)
    turned = simulated_class(CHAINS[7:2:-1], [0.5, 0.5], 0)
    keys = ["annotator", "chain_id", "response"]
    both = table.merge(turned, on=keys)
    assert len(both) == len(turned) and (both["rank_x"] == both["rank_y"]).all()
    assert not table["rank"].equals(simulated_class(CHAINS[:8], [0.5, 0.5], 1)["rank"])
    one, two = (part["rank"].tolist() for _, part in table.groupby("annotator"))
    assert one != two, "readers err apart"


def test_nobody_can_choose_such_a_name(tmp_path):
    for name in simulated_class(CHAINS[:1], [0.1, 1.0], 0)["annotator"].unique():
        assert name.startswith("simulated ")
        with pytest.raises(WfineError, match="Pseudonym"):
            annotation_path(tmp_path, name)


def test_ties_of_gold_are_ties():
    chain = replace(CHAINS[0], judged=Gold({"a": (1, 1, 2, 2, 2)}))
    table = simulated_class([chain], [0.0], 0)
    pd.testing.assert_series_equal(
        table["rank"], pd.Series([4.0, 4.0, 1.0, 1.0, 1.0], name="rank"), check_names=True
    )


@pytest.mark.parametrize(
    ("chains", "rates", "expected"),
    [
        ([], [0.1], "found 0 chains"),
        (CHAINS[:1], [], r"error rates \[\]"),
        (CHAINS[:1], [1.5], r"error rates \[1.5\]"),
        ([replace(CHAINS[0], judged=Gold({"a": (1, 2, None, 3, 4)}))], [0.1], "no gold for a resp"),
    ],
)
def test_what_cannot_be_simulated_is_refused(chains, rates, expected):
    with pytest.raises(WfineError, match=expected):
        simulated_class(chains, rates, 0)
