"""Pairs whose labels are checks: the chosen text meets the requirement, the rejected does not."""

from collections import Counter

import numpy as np
import pytest

from wfine_utils.chains.pairs import PreferencePair
from wfine_utils.chains.weval_hand import load_weval_hand
from wfine_utils.checks.compile import compile_requirement
from wfine_utils.checks.contrast import (
    COUNTED,
    KINDS,
    SIMILAR,
    contrast_pairs,
    cross_pairs,
    mixed_pairs,
)
from wfine_utils.checks.dispatch import check, measure
from wfine_utils.checks.words import word_count
from wfine_utils.errors import WfineError

CHAINS = load_weval_hand("dev")
WITHOUT_HEADINGS = [
    chain
    for chain in CHAINS
    if not any(measure({"kind": "headings"}, response.text) for response in chain.responses)
]
DROPS = [PreferencePair("a", "bees", None, "Be kind.", f"Yes {i}.", "No.", 1) for i in range(50)]


@pytest.fixture(scope="module")
def contrast():
    return contrast_pairs(CHAINS, 300, seed=0)


@pytest.fixture(scope="module")
def cross():
    return cross_pairs(CHAINS, 150, seed=0)


def test_contrast_pairs_are_one_text_that_meets_one_requirement_and_violates_the_other(contrast):
    for pair in contrast:
        met, violated = map(compile_requirement, pair.instructions)
        assert pair.chosen == pair.rejected
        assert check(met, pair.chosen) and not check(violated, pair.rejected)
        assert met["kind"] == violated["kind"] == pair.check_kind
        assert pair.requirement_type == KINDS[pair.check_kind]


def test_bounds_are_near_misses(contrast):
    counts = [p for p in contrast if p.check_kind == "word_count"]
    assert len(counts) >= 15
    for pair in counts:
        violated = compile_requirement(pair.instructions[1])
        n = measure({"kind": "word_count"}, pair.chosen)
        low, high = violated.get("low", -np.inf), violated.get("high", np.inf)
        assert 0 < max(low - n, n - high) <= 0.75 * n + 1  # a range is moved by its own width


def test_the_requirement_alone_does_not_tell_which_is_met(contrast):
    """A scorer that reads no text: it likes lax bounds, bounds of one side, or large numbers."""
    counted = [p for p in contrast_pairs(CHAINS, 900, seed=1) if p.check_kind in COUNTED]
    specs = [tuple(map(compile_requirement, pair.instructions)) for pair in counted]
    assert len(specs) > 400

    def lax(spec):
        return -spec["low"] if "high" not in spec else spec["high"] if "low" not in spec else 0

    for likes in (
        lax,
        lambda spec: "low" in spec,
        lambda spec: max(spec.get("low", 0), spec.get("high", 0)),
    ):
        right = np.mean(
            [(likes(met) > likes(no)) + 0.5 * (likes(met) == likes(no)) for met, no in specs]
        )
        assert 0.4 < right < 0.6


def test_cross_pairs_are_one_requirement_and_two_texts_of_similar_length(cross):
    topic = {r.text: c.topic or c.base_task for c in CHAINS for r in c.responses}
    for pair in cross:
        spec = compile_requirement(pair.instruction)
        assert pair.rejected_instruction is None
        assert check(spec, pair.chosen) and not check(spec, pair.rejected)
        lengths = sorted(map(word_count, (pair.chosen, pair.rejected)))
        assert lengths[0] >= (1 - SIMILAR) * lengths[1]
        assert topic[pair.chosen] != topic[pair.rejected]


def test_kinds_take_turns(contrast):
    counts = Counter(pair.check_kind for pair in contrast)
    assert set(counts) <= set(KINDS) and len(counts) >= 12
    assert max(counts.values()) - min(counts.values()) <= 1


def test_pairs_depend_on_the_seed_alone_and_a_longer_list_begins_alike(contrast):
    assert contrast_pairs(CHAINS, 40, seed=0) == contrast[:40]
    assert contrast_pairs(CHAINS, 40, seed=1) != contrast[:40]
    assert len(set(contrast)) == len(contrast)


def test_kinds_can_be_chosen():
    pairs = contrast_pairs(CHAINS, 20, seed=0, kinds=["mentions", "forbids"])
    assert {pair.check_kind for pair in pairs} == {"mentions", "forbids"}


def test_mixed_pairs_have_their_shares():
    pairs = mixed_pairs(DROPS, CHAINS, 40, contrast_share=0.5, cross_share=0.25, seed=0)
    plans = Counter(
        "drop"
        if p.check_kind is None
        else "cross"
        if p.rejected_instruction is None
        else "contrast"
        for p in pairs
    )
    assert plans == {"drop": 10, "contrast": 20, "cross": 10}
    assert len(mixed_pairs(DROPS, CHAINS, 30, seed=0)) == 30
    assert all(pair in DROPS for pair in mixed_pairs(DROPS, CHAINS, 30, seed=0))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: contrast_pairs(CHAINS, 5, seed=0, kinds=["rhyme"]), r"kinds: found \['rhyme'\]"),
        (lambda: contrast_pairs(CHAINS[:1], 5, seed=0), "fewer than two topics in 1 chains"),
        (lambda: contrast_pairs(WITHOUT_HEADINGS, 5, seed=0, kinds=["headings"]), "found 0 that"),
        (lambda: mixed_pairs(DROPS, CHAINS, 9, contrast_share=0.8, cross_share=0.3, seed=0),
         r"found \(0.8, 0.3, 0.0\)"),
    ],
)  # fmt: skip
def test_what_cannot_be_made_is_refused(call, message):
    with pytest.raises(WfineError, match=message):
        call()
