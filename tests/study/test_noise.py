"""Noisy pairs: exact shares, what the checkers say of each noise, and common random numbers."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wfine_study.noise import NOISE_KINDS, PURE_NOISE, SHORTER_BY, noisy_pairs, only_true_labels
from wfine_utils.chains.taxonomy import RequirementType
from wfine_utils.checks.dispatch import verdicts
from wfine_utils.checks.words import word_count
from wfine_utils.errors import WfineError
from wfine_utils.tiny_world import vocabulary, writer

QUERIES = writer.sample_queries(60, vocabulary.TOPICS["train"], seed=0)


def make(noise, share, n=40, seed=0, **more):
    return noisy_pairs(QUERIES, noise=noise, share=share, n=n, seed=seed, **more)


def verdicts_on(p):
    """The checkers' verdicts on both texts."""
    return tuple(verdicts(p.query.requirements, text) for text in (p.pair.chosen, p.pair.rejected))


def n_differing(a, b):
    return sum(x != y for x, y in zip(a, b))


@settings(max_examples=15, deadline=None)
@given(
    noise=st.sampled_from(NOISE_KINDS),
    share=st.floats(0, 1),
    n=st.integers(1, 12),
    seed=st.integers(0, 2**32 - 1),
    plan=st.sampled_from(["neighbours", "single", "nested", "both"]),
)
def test_the_share_is_exact_and_chosen_always_clean(noise, share, n, seed, plan):
    pairs = make(noise, share, n, seed, plan=plan)
    assert len(pairs) == n and sum(p.is_noisy for p in pairs) == round(share * n)
    for p in pairs:
        assert verdicts_on(p)[0] == p.chosen_kept
        assert p.pair.chosen != p.pair.rejected
        if not p.is_noisy:
            assert verdicts_on(p)[1] == p.rejected_kept


@pytest.mark.parametrize("noise", PURE_NOISE)
def test_each_kind_is_what_it_says_and_nothing_else(noise):
    pairs = make(noise, 1, n=60)
    assert all(p.is_noisy for p in pairs)
    for p in pairs:
        chosen, rejected = verdicts_on(p)
        if noise == "not_dropped":
            assert rejected == chosen == p.chosen_kept
        elif noise == "others_broken":
            assert n_differing(rejected, p.rejected_kept) == 1
            assert n_differing(rejected, chosen) == 2 and sum(rejected) == sum(chosen) - 2
        else:
            assert rejected == p.rejected_kept and n_differing(rejected, chosen) == 1
        shorter = word_count(p.pair.chosen) - word_count(p.pair.rejected)
        assert noise != "length" or shorter >= SHORTER_BY


def test_clean_pairs_are_not_confounded_with_length():
    """So that what the length noise adds is the noise's."""
    shorter = [word_count(p.pair.rejected) < word_count(p.pair.chosen) for p in make(None, 0, 200)]
    assert 0.35 < sum(shorter) / len(shorter) < 0.65


def test_fluency_is_damage_to_the_rejected_text_of_the_clean_pair():
    clean, noisy = make(None, 0), make("fluency", 1)
    assert all(d.attempt == 0 for d in noisy)
    for c, d in zip(clean, noisy):
        assert c.pair.chosen == d.pair.chosen and c.pair.rejected != d.pair.rejected
        assert c.pair.rejected.count("\n") == d.pair.rejected.count("\n")


def test_sloppy_is_a_mixture_of_two_kinds():
    broken = [verdicts_on(p)[1] != p.chosen_kept for p in make("sloppy", 1, n=60)]
    assert 0.2 < sum(broken) / len(broken) < 0.8


@pytest.mark.parametrize("noise", NOISE_KINDS)
def test_common_random_numbers(noise):
    clean, some, more = (make(noise if share else None, share) for share in (0, 0.25, 0.5))
    for c, s, m in zip(clean, some, more):
        assert s.is_noisy or s == c
        assert m.is_noisy or m == c
        assert not s.is_noisy or s == m  # noisy pairs stay so, and stay the same, at larger shares


def test_pairs_depend_on_the_seed_and_not_on_the_granularity():
    one, again, other = make("length", 0.5), make("length", 0.5), make("length", 0.5, seed=1)
    assert one == again != other
    prompts = make("length", 0.5, granularity="prompt")
    assert [p.pair.rejected for p in prompts] == [p.pair.rejected for p in one]
    assert all(p.pair.instruction == p.query.prompt() for p in prompts)
    for p in one:
        dropped = [
            r.text for r, c, x in zip(p.query.requirements, p.chosen_kept, p.rejected_kept) if c > x
        ]
        assert p.pair.instruction in dropped and p.pair.n_dropped == len(dropped)


def test_plans():
    single, near, nested = (make(None, 0, 100, plan=s) for s in ("single", "neighbours", "nested"))
    assert all(all(p.chosen_kept) and p.pair.n_dropped == 1 for p in single)
    assert {sum(p.chosen_kept) for p in near} == {1, 2, 3, 4}
    assert {p.pair.n_dropped for p in near} == {1}
    assert {p.pair.n_dropped for p in nested} == {1, 2, 3, 4}
    kept_all = [all(p.chosen_kept) for p in make(None, 0, 100, plan="both")]
    assert 0.4 < sum(kept_all) / 100 < 0.9  # half of them single, and some nested ones too


@pytest.mark.parametrize("plan", ["neighbours", "single", "nested", "both"])
def test_what_is_not_droppable_is_never_dropped(plan):
    pairs = make(
        "others_broken", 0.5, plan=plan,
        droppable=lambda requirement: requirement.type != RequirementType.STYLE,
    )  # fmt: skip
    for p in pairs:
        i = [r.type for r in p.query.requirements].index(RequirementType.STYLE)
        assert p.chosen_kept[i] == p.rejected_kept[i]
        assert p.query.requirements[i].text != p.pair.instruction
    if plan == "neighbours":
        assert len({p.chosen_kept for p in pairs}) > 4


class TestOnlyTrueLabels:
    def test_it_takes_out_exactly_the_pairs_that_are_not_real(self):
        pairs = make("sloppy", 0.4)
        assert only_true_labels(pairs) == [p for p in pairs if not p.is_noisy]

    @pytest.mark.parametrize("noise", ["length", "fluency"])
    def test_it_does_not_see_confounds(self, noise):
        pairs = make(noise, 0.4)
        assert only_true_labels(pairs) == pairs


class TestErrors:
    @pytest.mark.parametrize(
        ("queries", "noise", "share", "n"),
        [([], None, 0, 1), (QUERIES, "length", 1.01, 1), (QUERIES, "length", -0.01, 1),
         (QUERIES, None, 0.5, 1), (QUERIES, None, 0, 0)],
    )  # fmt: skip
    def test_arguments(self, queries, noise, share, n):
        with pytest.raises(WfineError, match=r"expected noise of .* at least one query"):
            noisy_pairs(queries, noise=noise, share=share, n=n, seed=0)

    def test_unknown_kind(self):
        with pytest.raises(WfineError, match=r"found noise 'mud'.*expected noise of not_dropped"):
            make("mud", 0.5)

    def test_what_cannot_be_had(self):
        with pytest.raises(WfineError, match="pair 0 with noise None could not be had"):
            make(None, 0, droppable=lambda requirement: False)
        only = RequirementType.LENGTH
        at_most = [
            q
            for q in QUERIES
            for r in q.requirements
            if r.type == only and (r.check or {}).get("high")
        ][:3]
        with pytest.raises(WfineError, match="with noise 'length' could not be had"):
            noisy_pairs(
                at_most, noise="length", share=1, n=1, seed=0, droppable=lambda r: r.type == only
            )
