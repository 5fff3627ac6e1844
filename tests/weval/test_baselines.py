"""The scorers that need no model: values by hand, and independence of order and batching."""

from __future__ import annotations

import numpy as np
import pytest

from wfine_utils.chains.taxonomy import Chain, Requirement, Response
from wfine_utils.tiny_world.vocabulary import TOPICS
from wfine_utils.tiny_world.writer import sample_query, write
from wfine_utils.weval.baselines import (
    ConstantScorer,
    LengthScorer,
    OracleScorer,
    OverlapScorer,
    RandomScorer,
)
from wfine_utils.weval.scorers import Scorer, score_all

SCORERS = [ConstantScorer(), RandomScorer(3), RandomScorer(3, levels=2, name="coin"),
           LengthScorer(), LengthScorer(-1), OverlapScorer(), OracleScorer()]  # fmt: skip


def chain_of(texts: list[str], requirement: str = "Be brief.", chain_id: str = "a") -> Chain:
    responses = tuple(Response(text, (i > 0,)) for i, text in enumerate(texts))
    return Chain(chain_id, None, "Write.", (Requirement(None, None, requirement),), responses)


def test_names_and_protocol():
    assert all(isinstance(scorer, Scorer) for scorer in SCORERS)
    assert [scorer.name for scorer in SCORERS] == [
        "constant", "random", "coin", "length", "minus length", "word overlap",
        "oracle (checkers)",
    ]  # fmt: skip


def test_length_counts_words():
    chain = chain_of(["one two  three\nfour", "", "un"])
    assert LengthScorer().score([chain])[0].tolist() == [4, 0, 1]
    assert LengthScorer(-1).score([chain])[0].tolist() == [-4, 0, -1]


def test_overlap_is_the_share_of_distinct_content_words():
    chain = chain_of(
        ["A heron stood.", "No birds here.", "Herons, a RIVER and the heron's mate: heron."],
        "Mention the heron and the river, and the heron again.",
    )
    # Content words: mention, heron, river, again.
    assert OverlapScorer().score([chain])[0].tolist() == [0.25, 0, 0.5]


def test_overlap_of_texts_without_blanks_is_counted_by_character():
    chain = chain_of(["市场很大。", "天气好。"], "写市场。")
    assert OverlapScorer().score([chain])[0].tolist() == pytest.approx([2 / 3, 0])


def test_overlap_without_content_words_is_not_a_score():
    assert np.isnan(OverlapScorer().score([chain_of(["x", "y"], "And so on.")])[0]).all()


def test_random_noise_is_uniform_and_a_coin_is_fair():
    chains = [chain_of(["x"] * 5, chain_id=f"c{i}") for i in range(400)]
    noise = np.concatenate(RandomScorer(1).score(chains))
    assert len(set(noise)) == 2000 and noise.min() >= 0 and noise.max() < 1
    assert noise.mean() == pytest.approx(0.5, abs=0.03)
    coin = np.concatenate(RandomScorer(1, levels=2).score(chains))
    assert set(coin) == {0, 1} and coin.mean() == pytest.approx(0.5, abs=0.05)
    assert not np.array_equal(noise, np.concatenate(RandomScorer(2).score(chains)))


@pytest.mark.parametrize("scorer", SCORERS, ids=lambda s: s.name)
def test_scores_do_not_depend_on_the_order_or_batching_of_chains(scorer):
    rng = np.random.default_rng(0)
    chains = []
    for i in range(6):
        query = sample_query(rng, TOPICS["test"])
        n = len(query.requirements)
        kept_sets = [tuple(j < k for j in range(n)) for k in range(n + 1)]
        responses = tuple(Response(write(query, kept, rng), kept) for kept in kept_sets)
        chains.append(
            Chain(f"c{i}", query.category, query.base_task, query.requirements, responses)
        )
    together = scorer.score(chains)
    backwards = scorer.score(chains[::-1])[::-1]
    alone = [scorer.score([chain])[0] for chain in chains]
    for a, b, c, chain in zip(together, backwards, alone, chains, strict=True):
        assert a.shape == (len(chain.responses),) and a.dtype == np.float64
        np.testing.assert_array_equal(a, b)
        np.testing.assert_array_equal(a, c)
        if isinstance(scorer, OracleScorer):
            assert a.tolist() == list(chain.gold)


def test_oracle_does_not_guess_without_a_check():
    checked = Requirement(None, None, "Two sentences.", {"kind": "sentence_count", "n": 2})
    unchecked = Requirement(None, None, "Be kind.")
    responses = (Response("One. Two.", (True, True)), Response("One.", (False, True)))
    half = Chain("half", None, "Write.", (checked, unchecked), responses)
    assert np.isnan(OracleScorer().score([half])[0]).all()
    whole = Chain("whole", None, "Write.", (checked, checked), responses)
    assert OracleScorer().score([whole])[0].tolist() == [2, 0]


@pytest.mark.parametrize("text", ["word " * 400_000, "a" * 2_000_000, "'" * 2_000_000])
def test_two_megabytes_of_repetition_do_no_harm(text):
    check = {"kind": "sentence_count", "n": 2}
    chain = Chain("big", None, "Write.", (Requirement(None, None, "Two words.", check),),
                  (Response(text, (True,)), Response("two", (False,))))  # fmt: skip
    for name, (scores,) in score_all(SCORERS, [chain]).items():
        assert np.isfinite(scores).all(), name
