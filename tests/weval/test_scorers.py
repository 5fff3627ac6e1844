"""The scorers that need no model: values by hand, and independence of order and batching."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit

from wfine_utils.chains.taxonomy import Chain, Requirement, Response
from wfine_utils.errors import WfineError
from wfine_utils.tiny_world.vocabulary import TOPICS
from wfine_utils.tiny_world.writer import sample_query, write
from wfine_utils.weval.scorers import (
    ConstantScorer,
    LengthScorer,
    OracleScorer,
    OverlapScorer,
    RandomScorer,
    Scorer,
    saturated_rate,
    score_all,
    scores_from_table,
    scores_table,
)

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


class _Bad:
    name = "bad"

    def __init__(self, answer):
        self.answer = answer

    def score(self, chains):
        return self.answer


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ([], "0 arrays of scores for 1 chains"),
        (None, "a NoneType for 1 chains"),
        ([[1.0]], "'a': found an array of shape (1,)"),
        ([["x", "y"]], "'a': found a list that does not hold numbers"),
        ([[1.0, float("inf")]], "'a': found an infinite score"),
    ],
)
def test_a_scorer_that_breaks_the_protocol_is_named(answer, words):
    with pytest.raises(WfineError) as caught:
        score_all([_Bad(answer)], [chain_of(["x", "y"])])
    assert "'bad'" in str(caught.value) and words in str(caught.value)


class _Raises:
    name = "broken"

    def score(self, chains):
        raise KeyError("text")


class _Nameless:
    def score(self, chains):
        return [[1.0, 2.0]]


def test_a_scorer_that_raises_is_named_with_its_error():
    with pytest.raises(WfineError, match=r"'broken'.*KeyError \('text'\) on 1 chains") as caught:
        score_all([_Raises()], [chain_of(["x", "y"])])
    assert isinstance(caught.value.__cause__, KeyError)


@pytest.mark.parametrize("thing", [_Nameless(), "length", LengthScorer().score])
def test_what_is_no_scorer_is_refused(thing):
    with pytest.raises(WfineError, match="no scorer; expected an object with a text `name`"):
        score_all([thing], [chain_of(["x", "y"])])


def test_two_scorers_of_one_name_are_refused():
    with pytest.raises(WfineError, match="each name once"):
        score_all([RandomScorer(1), RandomScorer(2)], [chain_of(["x", "y"])])


def test_lists_of_integers_are_scores_too():
    (scores,) = score_all([_Bad([[1, 2]])], [chain_of(["x", "y"])])["bad"]
    assert scores.dtype == np.float64 and scores.tolist() == [1, 2]


def test_scores_survive_the_table_in_any_row_order(tmp_path):
    chains = [chain_of(["x"] * n, chain_id=f"c{n}") for n in (2, 4, 3)]
    scores = score_all([RandomScorer(0), LengthScorer()], chains)
    scores["length"][1][2] = np.nan
    table = scores_table(scores, chains)
    told = ["cut_rate", "saturated_rate"]
    assert list(table) == ["scorer", "chain_id", "response", "gold", "score", *told]
    assert table["gold"].head(6).tolist() == [0, 1, 0, 1, 1, 1]
    table.sample(frac=1, random_state=0).to_parquet(tmp_path / "scores.parquet")
    back = scores_from_table(pd.read_parquet(tmp_path / "scores.parquet"), chains[::-1])
    assert set(back) == {"random", "length"}
    for name, arrays in back.items():
        assert (arrays.cut_rate, arrays.saturated_rate) == (0, 0)
        for a, b in zip(arrays[::-1], scores[name], strict=True):
            np.testing.assert_array_equal(a, b)
    (unknown,) = scores_from_table(table, [chain_of(["x", "y"], chain_id="new")])["length"]
    assert np.isnan(unknown).all()


@pytest.mark.parametrize("scores", [(1.0, 0.0), (1.0, 1.0)])  # stale, or only written twice
def test_two_rows_of_one_response_are_refused_by_name(scores):
    chains = [chain_of(["x", "y"], chain_id="c1")]
    table = scores_table({"mine": [np.array([1.0, 2.0])]}, chains)
    stale = table.iloc[[1]].assign(score=scores[1])
    with pytest.raises(WfineError, match=r"2 rows of scorer 'mine' for response 1 of chain 'c1'"):
        scores_from_table(pd.concat([stale, table]), chains)
    twice = scores_table({"mine": [np.array([1.0, 2.0])] * 2}, chains * 2)  # one id, two chains
    with pytest.raises(WfineError, match=r"expected one\. Delete those of earlier runs, or give"):
        scores_from_table(twice, chains * 2)
    with pytest.raises(WfineError, match="expected also scorer, response"):
        scores_from_table(table.drop(columns=["scorer", "response"]), chains)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"response": [0, 2]}, r"row for response 2 of chain '17' with gold 1, expected no such"),
        ({"response": ["a", "b"]}, "a response or a score that is no number"),
        ({"score": ["high", "low"]}, "a response or a score that is no number"),
        ({"response": [0.5, 1]}, "a response or a score that is no number"),
        ({"gold": [1, 0]}, r"response 0 of chain '17' with gold 1, expected 0: .* other chains"),
    ],
)
def test_a_table_of_other_chains_is_refused(changes, words):
    chains = [chain_of(["x", "y"], chain_id="17")]
    table = scores_table({"mine": [np.array([1.0, 2.0])]}, chains)
    assert table["gold"].tolist() == [0, 1]
    with pytest.raises(WfineError, match=words):
        scores_from_table(table.assign(**changes), chains)


@pytest.mark.parametrize("kind", [int, float, str])
def test_ids_and_places_may_have_become_numbers_or_texts(kind):
    chains = [chain_of(["x", "y"], chain_id="17")]
    table = scores_table({"mine": [np.array([1.0, 2.0])]}, chains).astype({"response": kind})
    table["chain_id"] = table["chain_id"].astype(int)  # as pd.read_csv gives them
    (scores,) = scores_from_table(table, chains)["mine"]
    assert scores.tolist() == [1.0, 2.0]


class _Cuts:
    name, n_cut, saturated_rate = "cuts", 0, 0.25

    def score(self, chains):
        self.n_cut = 1
        return [[1, 2] for _ in chains]


def test_what_a_scorer_says_of_its_scores_goes_along_with_them():
    chains = [chain_of(["x", "y"], chain_id=f"c{i}") for i in range(2)]
    scores = score_all([_Cuts(), _Bad([[1, 2]] * 2)], chains)
    assert (scores["cuts"].cut_rate, scores["cuts"].saturated_rate) == (0.25, 0.25)
    assert np.isnan([scores["bad"].cut_rate, scores["bad"].saturated_rate]).all()
    back = scores_from_table(scores_table(scores, chains), chains)
    assert vars(back["cuts"]) == vars(scores["cuts"])
    assert np.isnan([*vars(back["bad"]).values()]).all()


def test_ties_that_rounding_makes_are_told_apart_from_real_ones():
    requirement = Requirement(None, None, "Do it.")
    kept = [(True, True), (True, False), (False, True), (False, False)]
    chain = Chain("a", None, "Write.", (requirement,) * 2, tuple(Response("x", k) for k in kept))
    logits = np.array([[60.0, 50.0], [55.0, 50.0], [1.0, 1.0], [1.0, 1.0]])  # pairs: 01, 23
    scores = [expit(logits).mean(axis=1)]
    assert scores[0].tolist() == [1, 1, expit(1), expit(1)]
    assert saturated_rate([chain], scores, logits.ravel()) == pytest.approx(1 / 5)  # of five pairs
    assert saturated_rate([chain], [logits.sum(axis=1)], logits.ravel()) == 0
    assert np.isnan(saturated_rate([], [], []))
