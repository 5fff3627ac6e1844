"""Preference pairs against hand-made values."""

from __future__ import annotations

import pytest
from mention_chains import TYPES, chain_of

from wfine_utils.chains.pairs import coarse_pairs, draw_pairs, n_identical, preference_pairs


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


def test_drawn_pairs_are_some_of_them_in_random_order():
    chain = chain_of([("ab", (True, True)), ("a", (True, False)), ("none", (False, False))])
    pairs = preference_pairs([chain] * 20, granularity="requirement")
    drawn = draw_pairs(pairs, 8, seed=0)
    assert len(drawn) == 8 and set(drawn) <= set(pairs)
    assert drawn == draw_pairs(pairs, 40, seed=0)[:8] != draw_pairs(pairs, 8, seed=1)
    assert sorted(map(str, draw_pairs(pairs, 99, seed=0))) == sorted(map(str, pairs))
