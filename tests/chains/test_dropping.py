"""Drop plans and chains against hand-made values."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mention_chains import TYPES, exact_writer, make_query

from wfine_utils.chains.dropping import (
    build_chain,
    build_chains,
    drop_orders,
    nested_drops,
    single_drops,
)
from wfine_utils.chains.taxonomy import Chain, Query

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
