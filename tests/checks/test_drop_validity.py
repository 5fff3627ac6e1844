"""Whether drops are real: against hand-made values, and against a writer of known faults."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from mention_chains import chain_of, exact_writer, make_query
from statsmodels.stats.proportion import proportion_confint

from wfine_utils.chains.dropping import build_chains
from wfine_utils.chains.pairs import coarse_pairs, n_identical, preference_pairs
from wfine_utils.chains.taxonomy import Chain, Query, Requirement, RequirementType, Response
from wfine_utils.checks.drop_validity import (
    KEPT_HOLDS,
    REAL_DROP,
    drop_outcomes,
    drop_rates,
    only_true_labels,
)
from wfine_utils.tiny_world.vocabulary import TOPICS
from wfine_utils.tiny_world.writer import damage, sample_query, sloppy_writer, write

MIXED = [
    ("item0 item1", (True, True)),  # valid
    ("item0 item1", (True, False)),  # the dropped one is met
    ("nothing", (True, False)),  # the kept one is broken
    ("item0", (False, True)),  # both
    ("item1", (False, True)),  # valid
]


def test_outcomes_by_hand():
    table = drop_outcomes([chain_of(MIXED)], split="train", plan="single")
    assert list(table.columns[:2]) == ["split", "plan"]
    assert len(table) == 10
    second = table.query("response == 1").set_index("requirement")
    assert list(second["kept"]) == [True, False]
    assert list(second["holds"]) == [True, True]
    assert (second["gold"] == 1).all() and (second["n_words"] == 2).all()


def test_drop_rates_by_hand():
    rates = drop_rates(drop_outcomes([chain_of(MIXED)], split="train", plan="single"))
    assert list(rates.columns) == [
        "split", "plan", "type", "quantity", "n", "n_chains", "value", "ci_low", "ci_high",
    ]  # fmt: skip
    rows = rates.set_index(["type", "quantity"])
    # dropped: r1 (met), r1 (real), r0 (met), r0 (real)
    assert rows.loc[("all", REAL_DROP), ["n", "value"]].tolist() == [4, 0.5]
    # kept: r0 r1 | r0 | r0 (broken) | r1 (broken) | r1
    assert rows.loc[("all", KEPT_HOLDS), ["n", "value"]].tolist() == [6, pytest.approx(4 / 6)]
    assert rows.loc[("format", KEPT_HOLDS), "value"] == pytest.approx(2 / 3)
    assert rows[["ci_low", "ci_high"]].isna().all(axis=None)  # one chain says nothing of others


@pytest.mark.parametrize("n_verdicts", [1, 4])  # of each chain, all alike
def test_verdicts_that_go_together_count_once(n_verdicts):
    rows = [(f"c{i}", "style", False, i >= 12) for i in range(20) for _ in range(n_verdicts)]
    outcomes = pd.DataFrame(rows, columns=["chain_id", "type", "kept", "holds"])
    row = drop_rates(outcomes.astype({"holds": "boolean"})).iloc[0]
    assert row[["n", "n_chains", "value"]].tolist() == [20 * n_verdicts, 20, 0.6]
    n = 20 * 19 / 20  # the standard error over 20 chains has 19 in the denominator
    expected = proportion_confint(0.6 * n, n, method="wilson")
    assert row[["ci_low", "ci_high"]].tolist() == pytest.approx(expected)
    row = drop_rates(outcomes.assign(holds=False).astype({"holds": "boolean"})).iloc[0]
    low, _ = proportion_confint(20, 20, method="wilson")  # whatever the verdicts of a chain
    assert row[["ci_low", "ci_high"]].tolist() == [pytest.approx(low), 1]


def test_requirements_without_a_check_are_not_judged():
    unlabelled = Requirement(None, None, "Make it sing.")
    query = Query(None, "Write.", (unlabelled, make_query(1).requirements[0]))
    chain = Chain(
        "c", None, query.base_task, query.requirements,
        (Response("item0", (True, True)), Response("x", (False, False))),
    )  # fmt: skip
    table = drop_outcomes([chain])
    assert table["holds"].isna().sum() == 2
    assert set(table["type"]) == {"unlabelled", "length"}
    assert set(drop_rates(table)["type"]) == {"all", "length"}
    assert only_true_labels([chain])[0] == [chain]


def test_outcomes_and_rates_of_nothing_are_empty_tables():
    assert drop_outcomes([]).empty
    assert drop_rates(drop_outcomes([])).empty


def test_only_true_labels_by_hand():
    chain = chain_of(MIXED)
    kept, report = only_true_labels([chain])
    assert [r.text for r in kept[0].responses] == ["item0 item1", "item1"]
    counts = report.set_index(["unit", "outcome"])["n"]
    assert counts["response"].to_dict() == {
        "valid": 2, "a dropped one is met": 1, "a kept one is broken": 1, "both": 1,
    }  # fmt: skip
    assert counts["chain"].to_dict() == {
        "valid": 1, "fewer than two responses left": 0,
    }  # fmt: skip
    short, report = only_true_labels([chain_of(MIXED[:2])])
    assert short == [] and report.query("outcome.str.startswith('fewer')")["n"].item() == 1


def test_true_labels_are_only_real_drops():
    writer = sloppy_writer(exact_writer, 0.1, 0.1)
    chains = build_chains([make_query(4)] * 60, "single", writer, 0)
    left, report = only_true_labels(chains)
    assert (drop_rates(drop_outcomes(left))["value"] == 1).all()
    totals = report.groupby("unit")["n"].sum()
    assert totals.to_dict() == {"chain": 60, "response": 300}
    # a response is valid with probability 0.9 ** 4 = 0.656
    assert report.query("unit == 'response' and outcome == 'valid'")["n"].item() / 300 == (
        pytest.approx(0.656, abs=0.09)
    )


def test_an_exact_writer_gives_only_real_drops_and_a_sloppy_one_the_rates_asked_for():
    queries = [make_query(4)] * 400
    clean = drop_rates(drop_outcomes(build_chains(queries, "balanced", exact_writer, 0)))
    assert (clean["value"] == 1).all() and (clean["ci_high"] == 1).all()
    chains = build_chains(queries, "balanced", sloppy_writer(exact_writer, 0.1, 0.3), 0)
    rates = drop_rates(drop_outcomes(chains)).query("type == 'all'").set_index("quantity")
    assert rates.loc[REAL_DROP, "n"] == rates.loc[KEPT_HOLDS, "n"] == 400 * 10
    assert rates.loc[REAL_DROP, "value"] == pytest.approx(0.7, abs=0.03)
    assert rates.loc[KEPT_HOLDS, "value"] == pytest.approx(0.9, abs=0.02)


def test_drops_in_the_tiny_world_are_real():
    rng = np.random.default_rng(0)
    queries = [sample_query(rng, TOPICS["train"]) for _ in range(30)]
    for plan in ("single", "balanced"):
        chains = build_chains(queries, plan, write, 0)
        rates = drop_rates(drop_outcomes(chains, plan=plan))
        assert (rates["value"] == 1).all()
        pairs = preference_pairs(chains, granularity="requirement")
        assert len(pairs) + n_identical(chains) == 30 * 4
        assert {p.requirement_type for p in pairs} == set(RequirementType)
    assert len(coarse_pairs(chains, damage, seed=0)) == 30
