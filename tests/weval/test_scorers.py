"""What a scorer has to be, and tables of scores."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit

from wfine_utils.chains.taxonomy import Chain, Requirement, Response
from wfine_utils.errors import WfineError
from wfine_utils.weval.baselines import LengthScorer, RandomScorer
from wfine_utils.weval.scorers import saturated_rate, score_all, scores_from_table, scores_table


def chain_of(texts: list[str], requirement: str = "Be brief.", chain_id: str = "a") -> Chain:
    responses = tuple(Response(text, (i > 0,)) for i, text in enumerate(texts))
    return Chain(chain_id, None, "Write.", (Requirement(None, None, requirement),), responses)


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
    told = ["cut_rate", "saturated_rate", "compiled_rate"]
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
    name, n_cut, saturated_rate, compiled_rate = "cuts", 0, 0.25, 0.75

    def score(self, chains):
        self.n_cut = 1
        return [[1, 2] for _ in chains]


def test_what_a_scorer_says_of_its_scores_goes_along_with_them():
    chains = [chain_of(["x", "y"], chain_id=f"c{i}") for i in range(2)]
    scores = score_all([_Cuts(), _Bad([[1, 2]] * 2)], chains)
    assert (scores["cuts"].cut_rate, scores["cuts"].saturated_rate) == (0.25, 0.25)
    assert np.isnan([scores["bad"].cut_rate, scores["bad"].saturated_rate]).all()
    back = scores_from_table(scores_table(scores, chains), chains)
    assert back["cuts"].told() == scores["cuts"].told()
    assert np.isnan([*back["bad"].told().values()]).all()


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
