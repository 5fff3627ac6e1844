"""Random generators told apart by names."""

from __future__ import annotations

import pytest

from wfine_utils.seeds import rng_for


def first(seed, *names) -> float:
    return rng_for(seed, *names).random()


def test_what_an_item_draws_depends_on_its_seed_and_names_alone():
    assert first(3, "pairs", "a") == first(3, "pairs", "a")
    names = [(), ("pairs",), ("pairs", "a"), ("pairs", "b"), ("a", "pairs"), ("pairs", 1),
             ("pairs", "1"), ("pairs", 1, 1), ("pairs", 11), ("pairsa",)]  # fmt: skip
    values = {first(seed, *n) for seed in (0, 1) for n in names}
    assert len(values) == 2 * len(names)


def test_numbers_stay_the_same_from_one_process_and_version_to_the_next():
    assert int(rng_for(0, "pairs", "chain-7").integers(1000)) == 365


def test_a_name_that_is_neither_text_nor_number_is_refused():
    with pytest.raises(TypeError):
        rng_for(0, object())
