"""Drop plans, chains and pairs against hand-made values; the audit against a known writer."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.stats.proportion import proportion_confint

from wfine_utils.chains.dropping import (
    build_chain,
    build_chains,
    drop_orders,
    nested_drops,
    single_drops,
)
from wfine_utils.chains.pairs import coarse_pairs, n_identical, preference_pairs
from wfine_utils.chains.taxonomy import Chain, Query, Requirement, RequirementType, Response
from wfine_utils.checks.drop_validity import KEPT_HOLDS, REAL_DROP, drop_outcomes, drop_rates, only_true_labels
from wfine_utils.tiny_world.writer import sloppy_writer

TYPES = list(RequirementType)


def make_query(n: int = 3, topic: str = "bees") -> Query:
    """A query whose requirement i is to mention the word ``item<i>``."""
    requirements = tuple(
        Requirement(
            TYPES[i % 4], None, f"Mention item{i}.", {"kind": "mentions", "terms": [f"item{i}"]}
        )
        for i in range(n)
    )
    return Query(None, f"Write about {topic}.", requirements, topic)


def exact_writer(query: Query, kept, rng) -> str:
    """Meets requirement i exactly when kept[i]; the number makes responses differ."""
    words = [f"item{i}" for i, keep in enumerate(kept) if keep]
    return f"{query.topic} {rng.integers(10**9)} {' '.join(words)}"


def chain_of(texts_and_kept, n: int = 2, chain_id: str = "c") -> Chain:
    query = make_query(n)
    responses = tuple(Response(text, kept) for text, kept in texts_and_kept)
    return Chain(chain_id, None, query.base_task, query.requirements, responses, query.topic)


# --- plans ---


def test_single_drops_of_three():
    assert single_drops(3) == [
        (True, True, True), (False, True, True), (True, False, True), (True, True, False),
    ]  # fmt: skip


def test_nested_drops_follow_the_order():
    assert nested_drops((2, 0, 1)) == [
        (True, True, True), (True, True, False), (False, True, False), (False, False, False),
    ]  # fmt: skip


@pytest.mark.parametrize("order", [(0, 0), (1, 2), (0, 1, 3)])
def test_nested_drops_refuse_what_is_no_permutation(order):
    with pytest.raises(ValueError, match="not a permutation"):
        nested_drops(order)


@given(n=st.integers(1, 6), n_chains=st.integers(0, 40), seed=st.integers(0, 2**32 - 1))
def test_balanced_orders_put_every_requirement_everywhere_equally_often(n, n_chains, seed):
    orders = drop_orders(n, n_chains, plan="balanced", seed=seed)
    assert len(orders) == n_chains
    assert all(sorted(order) == list(range(n)) for order in orders)
    for step in range(n):
        counts = Counter(order[step] for order in orders)
        per_requirement = [counts[i] for i in range(n)]
        assert max(per_requirement) - min(per_requirement) <= 1


def test_orders_do_not_depend_on_how_many_are_asked_for():
    for plan in ("random", "balanced"):
        long = drop_orders(4, 20, plan=plan, seed=7)
        assert drop_orders(4, 6, plan=plan, seed=7) == long[:6]
        assert drop_orders(4, 20, plan=plan, seed=8) != long


def test_random_orders_reach_all_permutations_about_equally():
    counts = Counter(drop_orders(3, 1200, plan="random", seed=0))
    assert len(counts) == 6
    assert min(counts.values()) > 140 and max(counts.values()) < 260  # 200 ± 4 sd


def test_unknown_order_plan_is_refused():
    with pytest.raises(ValueError, match="unknown plan"):
        drop_orders(3, 2, plan="alphabetical", seed=0)


# --- chains ---


def test_build_chain_records_what_was_asked():
    chain = build_chain(
        "c1", make_query(2), nested_drops((1, 0)), exact_writer, np.random.default_rng(0), "stub"
    )
    assert chain.gold == (2, 1, 0)
    assert [r.source for r in chain.responses] == ["stub"] * 3
    assert "item1" not in chain.responses[1].text and "item0" in chain.responses[1].text


def test_a_chain_does_not_depend_on_the_chains_after_it():
    queries = [make_query(3), make_query(2), make_query(3), make_query(4)]
    for plan in ("single", "random", "balanced"):
        long = build_chains(queries, plan, exact_writer, 3)
        assert build_chains(queries[:2], plan, exact_writer, 3) == long[:2]
        assert build_chains(queries, plan, exact_writer, 4) != long
        assert [len(c.responses) for c in long] == [4, 3, 4, 5]
        assert [c.chain_id for c in long] == [f"chain-0000{i}" for i in range(4)]


def dropped_types(chain: Chain) -> list[str]:
    """Types in the order in which a nested chain drops them."""
    steps = zip(chain.responses, chain.responses[1:], strict=False)
    differ = [[a != b for a, b in zip(h.kept, w.kept, strict=True)] for h, w in steps]
    return [chain.requirements[flags.index(True)].type for flags in differ]


def test_balanced_chains_balance_types_wherever_they_stand_in_the_prompt():
    query = make_query(4)
    rng = np.random.default_rng(0)
    queries = [
        Query(None, "Write.", tuple(query.requirements[i] for i in rng.permutation(4)))
        for _ in range(8)
    ]
    chains = build_chains(queries, "balanced", exact_writer, 0)
    for step in range(4):
        assert Counter(dropped_types(c)[step] for c in chains) == {t: 2 for t in TYPES}


def test_an_exact_writer_gives_only_real_drops_and_a_sloppy_one_the_rates_asked_for():
    queries = [make_query(4)] * 400
    clean = drop_rates(drop_outcomes(build_chains(queries, "balanced", exact_writer, 0)))
    assert (clean["value"] == 1).all() and (clean["ci_high"] == 1).all()
    chains = build_chains(queries, "balanced", sloppy_writer(exact_writer, 0.1, 0.3), 0)
    rates = drop_rates(drop_outcomes(chains)).query("type == 'all'").set_index("quantity")
    assert rates.loc[REAL_DROP, "n"] == rates.loc[KEPT_HOLDS, "n"] == 400 * 10
    assert rates.loc[REAL_DROP, "value"] == pytest.approx(0.7, abs=0.03)
    assert rates.loc[KEPT_HOLDS, "value"] == pytest.approx(0.9, abs=0.02)


# --- pairs ---


def test_pairs_of_a_nested_chain_by_hand():
    chain = chain_of([("ab", (True, True)), ("a", (True, False)), ("none", (False, False))])
    near = preference_pairs([chain], granularity="requirement")
    assert [(p.instruction, p.chosen, p.rejected, p.n_dropped) for p in near] == [
        ("Mention item1.", "ab", "a", 1),
        ("Mention item0.", "a", "none", 1),
    ]
    assert [p.requirement_type for p in near] == [TYPES[1], TYPES[0]]
    whole = preference_pairs([chain], granularity="prompt", max_drop_distance=2)
    assert {p.instruction for p in whole} == {"Write about bees. Mention item0. Mention item1."}
    assert [(p.chosen, p.rejected, p.n_dropped, p.requirement_type) for p in whole] == [
        ("ab", "a", 1, TYPES[1]),
        ("ab", "none", 2, None),
        ("a", "none", 1, TYPES[0]),
    ]
    far = preference_pairs([chain], granularity="requirement", max_drop_distance=2)
    assert sum(p.chosen == "ab" and p.rejected == "none" for p in far) == 2


def test_responses_that_dropped_different_requirements_make_no_pair():
    chain = chain_of([("a", (True, False)), ("b", (False, True))])
    assert preference_pairs([chain], granularity="prompt", max_drop_distance=2) == []


def test_identical_texts_make_no_pair_and_are_counted():
    chain = chain_of([("same", (True, True)), ("same", (True, False)), ("other", (False, True))])
    assert [p.rejected for p in preference_pairs([chain], granularity="prompt")] == ["other"]
    assert n_identical([chain]) == 1


def test_unknown_granularity_is_refused():
    chain = chain_of([("ab", (True, True)), ("a", (True, False))])
    with pytest.raises(ValueError, match="unknown granularity"):
        preference_pairs([chain], granularity="word")


def test_coarse_pairs_damage_the_full_response_only():
    full = chain_of([("a", (True, False)), ("ab", (True, True))], chain_id="full")
    partial = chain_of([("a", (True, False)), ("n", (False, False))], chain_id="partial")
    same = chain_of([("keep", (True, True)), ("n", (False, False))], chain_id="same")

    def damage(text, rng):
        return text if text == "keep" else f"{text}{rng.integers(10**9)}"

    pairs = coarse_pairs([full, partial, same], damage, seed=0)
    assert [p.chain_id for p in pairs] == ["full"]
    assert pairs[0].chosen == "ab" and pairs[0].rejected.startswith("ab")
    assert pairs[0].instruction == full.prompt()
    assert (pairs[0].requirement_type, pairs[0].n_dropped) == (None, 0)
    assert coarse_pairs([same, full], damage, seed=0) == pairs
    assert coarse_pairs([full], damage, seed=1) != pairs


# --- audit ---

MIXED = [
    ("item0 item1", (True, True)),  # valid
    ("item0 item1", (True, False)),  # the dropped one is met
    ("nothing", (True, False)),  # the kept one is broken
    ("item0", (False, True)),  # both
    ("item1", (False, True)),  # valid
]


def test_audit_by_hand():
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
        "split", "plan", "type", "quantity", "n", "value", "ci_low", "ci_high",
    ]  # fmt: skip
    rows = rates.set_index(["type", "quantity"])
    # dropped: r1 (met), r1 (real), r0 (met), r0 (real)
    assert rows.loc[("all", REAL_DROP), ["n", "value"]].tolist() == [4, 0.5]
    # kept: r0 r1 | r0 | r0 (broken) | r1 (broken) | r1
    assert rows.loc[("all", KEPT_HOLDS), ["n", "value"]].tolist() == [6, pytest.approx(4 / 6)]
    assert rows.loc[("format", KEPT_HOLDS), "value"] == pytest.approx(2 / 3)
    low, high = proportion_confint(4, 6, method="wilson")
    assert rows.loc[("all", KEPT_HOLDS), ["ci_low", "ci_high"]].tolist() == [
        pytest.approx(low), pytest.approx(high),
    ]  # fmt: skip


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


def test_audit_and_rates_of_nothing_are_empty_tables():
    assert drop_outcomes([]).empty
    assert drop_rates(drop_outcomes([])).empty


def test_validated_by_hand():
    chain = chain_of(MIXED)
    kept, report = only_true_labels([chain])
    assert [r.text for r in kept[0].responses] == ["item0 item1", "item1"]
    counts = report.set_index(["unit", "outcome"])["n"]
    assert counts["response"].to_dict() == {
        "valid": 2, "a dropped one is met": 1, "a kept one is broken": 1, "both": 1,
    }  # fmt: skip
    assert counts["chain"].to_dict() == {
        "valid": 1, "a response failed": 0, "fewer than two responses left": 0,
    }  # fmt: skip
    assert only_true_labels([chain], whole_chains=True)[0] == []
    short, report = only_true_labels([chain_of(MIXED[:2])])
    assert short == [] and report.query("outcome.str.startswith('fewer')")["n"].item() == 1


def test_validated_leaves_only_real_drops():
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


# --- the tiny world ---


def test_drops_in_the_tiny_world_are_real():
    from wfine_utils.tiny_world.vocabulary import TOPICS
    from wfine_utils.tiny_world.writer import damage, sample_query, write

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
