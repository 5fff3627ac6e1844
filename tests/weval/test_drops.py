"""What changes with a single dropped requirement: by hand, and over WEval-Hand."""

from __future__ import annotations

import numpy as np
import pytest

from wfine_utils.chains.taxonomy import Chain, Requirement, RequirementType, Response
from wfine_utils.chains.weval_hand import load_weval_hand
from wfine_utils.weval import evaluation
from wfine_utils.weval.baselines import LengthScorer
from wfine_utils.weval.drops import UNDETERMINED, by_type_dropped_first, drop_shifts

L, F, S, C = RequirementType
LENGTH = Requirement(RequirementType.LENGTH, None, "Be brief.")
STYLE = Requirement(RequirementType.STYLE, None, "Be warm.")


def chain(name, *kept):
    return Chain(name, None, "Write.", (LENGTH, STYLE), tuple(Response("x", k) for k in kept))


def test_by_hand():
    chains = [
        chain("a", (True, True), (False, True), (False, False)),
        chain("b", (True, True), (True, False), (False, False)),
    ]
    table = drop_shifts(chains, [[5, 7, 8], [4, 4, 7]]).set_index("type")
    assert table.loc["length", "value"] == pytest.approx((2 + 3) / 2)
    assert table.loc["style", "value"] == pytest.approx((1 + 0) / 2)
    assert table.loc["all", "value"] == pytest.approx(6 / 4)
    assert table["n"].to_dict() == {"length": 2, "style": 2, "all": 4}
    assert (table["n_chains"] == 2).all()


def test_steps_of_one_chain_are_drawn_together():
    """All steps of a chain change alike: the interval is that of twelve chains, not of 24 steps."""
    chains = [chain(f"c{i}", (True, True), (False, True), (False, False)) for i in range(12)]
    slopes = np.random.default_rng(0).choice([-1.0, 0.0, 1.0], size=12)
    table = drop_shifts(chains, np.outer(slopes, [0, 1, 2]), n_boot=4000).set_index("type")
    together, one_type = table.loc["all"], table.loc["length"]  # one step of every chain
    ends = ["value", "ci_low", "ci_high", "p_value", "n_chains"]
    assert together[ends].tolist() == pytest.approx(one_type[ends].tolist())
    assert (together["n"], one_type["n"]) == (24, 12)
    few = drop_shifts(chains[:5], np.outer(slopes[:5], [0, 1, 2]))
    assert few[["ci_low", "ci_high"]].isna().all(axis=None) and few["p_value"].notna().all()


def test_steps_of_more_than_one_requirement_and_missing_values_are_left_out():
    far = chain("a", (True, True), (False, False))
    crossed = chain("b", (True, False), (False, True))
    missing = chain("c", (True, True), (False, True))
    table = drop_shifts([far, crossed, missing], [[1, 2], [1, 2], [1, np.nan]]).set_index("type")
    assert table["n"].to_dict() == {"length": 0, "all": 0}
    assert np.isnan(table.loc["all", "value"])


def test_unlabelled_requirements_have_a_row():
    bare = Requirement(None, None, "Rhyme.")
    one = Chain("a", None, "Write.", (bare,), (Response("x", (True,)), Response("y", (False,))))
    assert drop_shifts([one], [[1, 3]])["type"].tolist() == ["unlabelled", "all"]


@pytest.mark.parametrize(
    ("kept", "types", "expected"),
    [
        (["1111", "1110", "1100"], (L, F, S, C), "content"),
        (["1100", "0111", "1111"], (L, F, S, C), "length"),  # order does not matter
        (["1111", "1100"], (L, F, S, C), UNDETERMINED),  # two at once
        (["1111", "1110", "1101"], (L, F, S, C), UNDETERMINED),  # two of second rank
        (["1111", "1110", "1101"], (L, F, C, C), "content"),  # of the same type
        (["1111", "1111", "1011"], (L, F, S, C), "format"),  # two best
        (["1100", "1010"], (L, F, S, C), UNDETERMINED),  # equal gold
        (["1100", "0001"], (L, F, S, C), UNDETERMINED),  # not nested
        (["1111", "1110"], (L, F, S, None), UNDETERMINED),
        (["1111", "1110"], (None, None, None, C), "content"),
    ],
)
def test_type_dropped_first(kept, types, expected):
    requirements = tuple(Requirement(t, None, "Do it.") for t in types)
    responses = tuple(Response("x", tuple(flag == "1" for flag in flags)) for flags in kept)
    chain = Chain("a", None, "Write.", requirements, responses)
    frame = by_type_dropped_first([chain], [np.arange(len(kept)) * 1.0], n_boot=0)
    assert frame["subset"].unique().tolist() == [expected]


def test_types_dropped_first_share_out_the_chains_of_weval():
    chains = load_weval_hand()
    scores = LengthScorer().score(chains)
    frame = by_type_dropped_first(chains, scores, n_boot=200)
    tau = frame[frame["metric"] == "kendall_tau_b"]
    assert tau["subset"].tolist() == ["length", "format", "style", "content"]
    assert tau["n_chains"].sum() == len(chains)
    whole = evaluation.per_chain(chains, scores)["kendall_tau_b"].mean()
    assert np.average(tau["value"], weights=tau["n_chains"]) == pytest.approx(whole)
    assert tuple(frame.columns) == evaluation.COLUMNS
    assert tau["ci_low"].lt(tau["value"]).all() and tau["ci_high"].gt(tau["value"]).all()
