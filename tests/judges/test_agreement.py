"""Agreement of judges against published and hand-computed values, when relabelled, side by side."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from wfine_utils.chains.taxonomy import Chain, Requirement, Response
from wfine_utils.chains.weval_hand import load_weval_hand
from wfine_utils.errors import WfineError
from wfine_utils.judges.agreement import (
    CHECKERS,
    CONSTRUCTION,
    VERDICT_METRICS,
    chain_verdicts,
    judge_table,
    requirement_verdicts,
    verdict_agreement,
)


def judged(verdicts: dict[str, Sequence[float]], n_chains: int = 1) -> pd.DataFrame:
    """A table from {judge: verdicts of all units}, dealt out to chains in turn."""
    rows = [
        (judge, f"c{i % n_chains}", i // n_chains, 0, verdict)
        for judge, values in verdicts.items()
        for i, verdict in enumerate(values)
    ]
    columns = ["judge", "chain_id", "response", "requirement", "verdict"]
    return pd.DataFrame(rows, columns=columns)


def value(frame: pd.DataFrame, metric: str) -> float:
    (number,) = frame.loc[frame["metric"] == metric, "value"]
    return number


def test_verdicts_by_hand():
    a = [1, 1, 1, 0, 0, 0, 1, 0, 1, 1]
    b = [1, 1, 0, 0, 0, 1, 1, 0, 1, 1]
    frame = verdict_agreement(judged({"A": a, "B": b}), n_boot=0)
    # 8 of 10 equal; of the 20 verdicts 12 are 1.
    chance = 0.6**2 + 0.4**2
    disagreement = 2 * 12 * 8 / (20 * 19)
    assert frame["metric"].tolist() == list(VERDICT_METRICS)
    assert frame["judge_a"].eq("A").all() and frame["judge_b"].eq("B").all()
    assert value(frame, "share_equal") == 0.8
    assert value(frame, "fleiss_kappa") == pytest.approx((0.8 - chance) / (1 - chance))
    assert value(frame, "krippendorff_alpha") == pytest.approx(1 - 0.2 / disagreement)
    assert value(frame, "kendall_tau_b") == pytest.approx(stats.kendalltau(a, b).statistic)
    assert frame["n_units"].eq(10).all() and frame["nan_rate"].eq(0).all()


def test_a_published_example_of_krippendorff():
    """Two judges, ten units, yes or no: alpha 0.095 (Krippendorff, Computing alpha, 2011)."""
    a = [0, 1, 0, 0, 0, 0, 0, 0, 1, 0]
    b = [1, 1, 1, 0, 0, 1, 0, 0, 0, 0]
    frame = verdict_agreement(judged({"Meg": a, "Owen": b}), n_boot=0)
    assert round(value(frame, "krippendorff_alpha"), 3) == 0.095


def test_three_judges_with_missing_verdicts():
    nan = np.nan
    verdicts = {
        "A": [1, 0, 1, 0, nan, 1, 1],
        "B": [1, 0, 0, 0, 1, nan, nan],
        "C": [1, 0, 1, 1, 1, nan, 0],
    }
    table = judged(verdicts)
    frame = verdict_agreement(table, n_boot=0)
    pairs = frame[["judge_a", "judge_b"]].drop_duplicates().to_numpy().tolist()
    assert pairs == [["A", "B"], ["A", "C"], ["B", "C"]]
    pair = frame.set_index(["judge_a", "judge_b", "metric"]).sort_index().loc[("A", "B")]
    assert pair.loc["share_equal", ["value", "n_units"]].tolist() == [0.75, 4]
    assert pair["nan_rate"].tolist() == [pytest.approx(3 / 14)] * 4
    complete = verdict_agreement(judged({j: verdicts[j][:4] for j in "AB"}), n_boot=0)
    for metric in VERDICT_METRICS:  # what only one of the two judged does not count
        assert pair.loc[metric, "value"] == value(complete, metric)
    named = verdict_agreement(table, judges=["C", "A"], n_boot=0)
    assert named[["judge_a", "judge_b"]].drop_duplicates().to_numpy().tolist() == [["C", "A"]]
    other = frame[(frame["judge_a"] == "A") & (frame["judge_b"] == "C")]
    assert named["value"].tolist() == pytest.approx(other["value"].tolist())


def test_a_judge_who_always_says_yes():
    frame = verdict_agreement(judged({"A": [1, 1, 1, 1], "B": [1, 0, 1, 0]}), n_boot=0)
    assert value(frame, "kendall_tau_b") == 0
    assert value(frame, "share_equal") == 0.5
    both = verdict_agreement(judged({"A": [1, 1, 1], "B": [1, 1, 1]}, 3), n_boot=20)
    assert value(both, "share_equal") == 1
    assert both.loc[both["metric"] != "share_equal", "value"].isna().all()


def test_judges_with_no_unit_in_common():
    nan = np.nan
    frame = verdict_agreement(judged({"A": [1, 0, nan, nan], "B": [nan, nan, 1, 0]}, 2))
    assert frame["value"].isna().all() and frame["n_units"].eq(0).all()
    assert frame["n_chains"].eq(0).all() and frame["nan_rate"].eq(0.5).all()


def test_independent_and_identical_judges():
    rng = np.random.default_rng(1)
    a, b = rng.integers(0, 2, (2, 2000))
    frame = verdict_agreement(judged({"A": a, "B": b, "C": a}, 40), n_boot=100)
    rows = frame.set_index(["judge_a", "judge_b", "metric"]).sort_index()
    chance = rows.loc[("A", "B")].drop(index="share_equal")
    assert chance["value"].abs().max() < 0.05
    assert (chance["ci_low"] < 0.02).all() and (chance["ci_high"] > -0.02).all()
    assert rows.loc[("A", "C"), ["value", "ci_low", "ci_high"]].eq(1).all(axis=None)
    assert rows["n_chains"].eq(40).all()


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10_000))
def test_rows_of_verdicts_in_any_order(seed):
    rng = np.random.default_rng(seed)
    verdicts = {j: rng.choice([0, 1, np.nan], 30, p=[0.4, 0.4, 0.2]) for j in "ABC"}
    table = judged(verdicts, 5)
    frame = verdict_agreement(table, n_boot=20)
    turned = table.sample(frac=1, random_state=seed)
    pd.testing.assert_frame_equal(verdict_agreement(turned, n_boot=20), frame)
    renamed = table.assign(judge=table["judge"].map({"A": "C", "B": "B", "C": "A"}))
    other = verdict_agreement(renamed, n_boot=20)
    part = frame.columns.drop(["judge_a", "judge_b"])
    pair, same = frame[part][:4], other[part][8:12]  # A with B is now B with C
    pd.testing.assert_frame_equal(pair, same.set_axis(pair.index))
    missing = table[table["verdict"].notna()]  # no row says as much as NaN
    absent = verdict_agreement(missing, n_boot=20)
    pd.testing.assert_frame_equal(absent.drop(columns="nan_rate"), frame.drop(columns="nan_rate"))


@pytest.mark.parametrize("dtype", ["bool", "boolean", "int64", "Int64", "object"])
def test_verdicts_of_any_type_of_column(dtype):
    table = judged({"A": [1, 0, 1, 1], "B": [1, 0, 0, 1]})
    typed = table.assign(verdict=table["verdict"].astype(bool).astype(dtype))
    pd.testing.assert_frame_equal(verdict_agreement(typed), verdict_agreement(table))


@pytest.mark.parametrize(
    ("mend", "message"),
    [
        (lambda t: t[t["judge"] == "A"], "found 1 judges"),
        (lambda t: t.assign(verdict=0.5), r"the verdicts \[0.5\]"),
        (lambda t: t.assign(verdict=2), r"the verdicts \[2.0\]"),
        (lambda t: t.assign(verdict="yes"), "verdict: found text, expected numbers"),
        (lambda t: pd.concat([t, t[:1]]), "found two rows for"),
        (lambda t: t.drop(columns="requirement"), "expected also requirement"),
    ],
)
def test_tables_of_verdicts_that_do_not_fit_are_refused(mend, message):
    with pytest.raises(WfineError, match=message):
        verdict_agreement(mend(judged({"A": [1, 0], "B": [1, 1]})))


def test_construction_against_checkers_on_the_chains_of_the_package():
    chains = load_weval_hand()
    table = chain_verdicts(chains)
    n_units = sum(len(c.responses) * len(c.requirements) for c in chains)
    assert table["judge"].value_counts().to_dict() == {CONSTRUCTION: n_units, CHECKERS: n_units}
    without = sum(len(c.responses) for c in chains for r in c.requirements if r.check is None)
    assert table["verdict"].isna().sum() == without > 0
    frame = verdict_agreement(table, n_boot=10)  # the rules of WEval-Hand: labels are checked
    assert frame["value"].eq(1).all() and frame["n_units"].eq(n_units - without).all()
    broken = table.copy()
    lies = broken.index[(broken["judge"] == CHECKERS) & broken["verdict"].notna()][::10]
    broken.loc[lies, "verdict"] = 1 - broken.loc[lies, "verdict"]
    share = value(verdict_agreement(broken, n_boot=0), "share_equal")
    assert share == pytest.approx(1 - len(lies) / (n_units - without))


def test_checkers_that_find_a_drop_unreal_disagree_with_the_construction():
    check = {"kind": "word_count", "low": 2, "high": 3}
    requirement = Requirement(None, None, "Two or three words.", check)
    responses = (Response("one two", (True,)), Response("one two three", (False,)))
    table = chain_verdicts([Chain("c", None, "Write.", (requirement,), responses)])
    assert table.set_index(["judge", "response"])["verdict"].to_dict() == {
        (CONSTRUCTION, 0): 1, (CONSTRUCTION, 1): 0, (CHECKERS, 0): 1, (CHECKERS, 1): 1,
    }  # fmt: skip
    assert value(verdict_agreement(table), "share_equal") == 0.5


# Two chains of two responses. The first requirement has a check, the second has none.
REQUIREMENTS = (
    Requirement(None, None, "Two words.", {"kind": "word_count", "low": 2, "high": 2}),
    Requirement(None, None, "Be kind."),
)
CHAINS = [
    Chain(name, None, "Write.", REQUIREMENTS, (
        Response("dear friend", (True, True)),
        Response("dear old friend", (False, False)),
    ))
    for name in ("a", "b")
]  # fmt: skip
UNITS = [(c.chain_id, i, j) for c in CHAINS for i in (0, 1) for j in (0, 1)]
TRUTH = [1, 1, 0, 0] * 2


def probabilities(values) -> pd.DataFrame:
    table = pd.DataFrame(UNITS, columns=["chain_id", "response", "requirement"])
    return table.assign(probability=values)


def said(judge: str, verdicts) -> pd.DataFrame:
    """Verdicts on all units, in the words of a reward model."""
    return requirement_verdicts(probabilities(verdicts), CHAINS, judge=judge)


def pair(table: pd.DataFrame, a: str, b: str) -> pd.DataFrame:
    return table[(table["judge_a"] == a) & (table["judge_b"] == b)].set_index("metric")


def test_a_probability_of_a_half_is_a_yes():
    values = probabilities([0.5, 0.4999, 0.0, 1.0, np.nan, 0.51, 0.2, 0.9])
    table = requirement_verdicts(values.sample(frac=1, random_state=0), CHAINS, judge="mine")
    assert list(table) == ["judge", "chain_id", "response", "requirement", "verdict"]
    assert table["judge"].eq("mine").all()
    assert list(zip(table["chain_id"], table["response"], table["requirement"])) == UNITS
    np.testing.assert_array_equal(table["verdict"], [1, 0, 0, 1, np.nan, 1, 0, 1])
    part = requirement_verdicts(values, CHAINS[1:], judge="mine")  # fewer chains than were examined
    np.testing.assert_array_equal(part["verdict"], [np.nan, 1, 0, 1])


@pytest.mark.parametrize(
    ("mend", "message"),
    [
        (lambda t: t[1:], "no probability for 1 of 8"),
        (lambda t: t[:0], "no probability for 8 of 8.*reads one requirement at a time"),
        (lambda t: pd.concat([t, t[:2]]), "2 rows too many"),
        (lambda t: t.assign(probability=-3.5), r"values from -3\.5 to -3\.5"),
        (lambda t: t.drop(columns="probability"), "expected also probability"),
    ],
)
def test_probabilities_that_are_not_of_these_chains_are_refused(mend, message):
    with pytest.raises(WfineError, match=message):
        requirement_verdicts(mend(probabilities(np.full(8, 0.5))), CHAINS, judge="mine")


def test_judges_by_hand():
    good, odd = said("good", TRUTH), said("odd", [1, 1, 0, 1, 1, 0, 1, 0])
    table = judge_table([good, odd], CHAINS, n_boot=50)
    columns = "judge_a judge_b metric value ci_low ci_high n_chains n_units nan_rate"
    assert list(table) == columns.split()
    pairs = list(dict.fromkeys(zip(table["judge_a"], table["judge_b"])))
    assert pairs == [
        ("good", "odd"), ("good", CONSTRUCTION), ("good", CHECKERS), ("odd", CONSTRUCTION),
        ("odd", CHECKERS), (CONSTRUCTION, CHECKERS),
    ]  # fmt: skip
    assert len(table) == len(pairs) * len(VERDICT_METRICS)

    together = pair(table, "odd", CONSTRUCTION)
    assert together["n_units"].eq(8).all() and together["n_chains"].eq(2).all()
    assert together.loc["share_equal", "value"] == 5 / 8
    # odd says 1 five times, construction four times, both three times, of eight
    tau = (3 * 8 - 5 * 4) / np.sqrt(5 * 3 * 4 * 4)
    assert together.loc["kendall_tau_b", "value"] == pytest.approx(tau)
    chance = (9 / 16) ** 2 + (7 / 16) ** 2
    kappa = (5 / 8 - chance) / (1 - chance)
    assert together.loc["fleiss_kappa", "value"] == pytest.approx(kappa)
    alpha = 1 - (3 / 8) / (2 * 9 * 7 / (16 * 15))
    assert together.loc["krippendorff_alpha", "value"] == pytest.approx(alpha)
    assert together[["ci_low", "ci_high"]].isna().all(axis=None)  # from two chains: none

    checked = pair(table, "odd", CHECKERS)  # on the requirement with a check: 1 0 1 1 for 1 0 1 0
    assert checked["n_units"].eq(4).all() and checked["nan_rate"].eq(0.25).all()
    assert checked.loc["share_equal", "value"] == 3 / 4
    assert pair(table, "good", CHECKERS)["value"].eq(1).all()
    assert pair(table, "good", "odd")["value"].tolist() == together["value"].tolist()


def test_what_was_not_said_is_counted_and_other_chains_are_left_out():
    nan = np.nan
    silent = said("silent", [1, nan, 0, 0, nan, nan, nan, nan])
    brief = silent[silent["verdict"].notna()]
    other = said("silent", TRUTH).assign(chain_id="another")
    for table in (silent, brief, pd.concat([other, brief])):
        together = pair(judge_table([table], CHAINS, n_boot=0), "silent", CONSTRUCTION)
        assert together["n_units"].eq(3).all() and together["n_chains"].eq(1).all()
        assert together["nan_rate"].eq(5 / 16).all() and together["ci_low"].isna().all()
        assert together.loc["share_equal", "value"] == 1
    first = judge_table([silent], CHAINS[:1], n_boot=0)
    assert pair(first, "silent", CONSTRUCTION)["nan_rate"].eq(1 / 8).all()


def test_several_judges_in_one_table_are_as_one_each():
    judges = [said("good", TRUTH), said("odd", [1, 1, 0, 1, 1, 0, 1, 0])]
    apart = judge_table(judges, CHAINS, n_boot=20)
    pd.testing.assert_frame_equal(judge_table([pd.concat(judges)], CHAINS, n_boot=20), apart)
    reference = judge_table([], CHAINS, n_boot=20)  # none: construction against the checkers
    assert set(reference["judge_a"]) == {CONSTRUCTION} and len(reference) == len(VERDICT_METRICS)


@pytest.mark.parametrize(
    ("tables", "message"),
    [
        ([said("x", TRUTH), said("x", TRUTH)], "two judges called 'x'"),
        ([said(CHECKERS, TRUTH)], "two judges called 'checkers'"),
        ([said("x", TRUTH).assign(chain_id="another")], "no verdict of 'x' on the 2 chains"),
        ([said("x", [np.nan] * 8)], "no verdict of 'x'.*count_problems"),
        ([said("x", TRUTH).assign(verdict=7)], r"the verdicts \[7.0\]"),
        ([said("x", TRUTH).drop(columns="judge")], "expected also judge"),
        ([pd.concat([said("x", TRUTH)] * 2)], "found two rows"),
    ],
)
def test_tables_that_cannot_be_compared_are_refused(tables, message):
    with pytest.raises(WfineError, match=message):
        judge_table(tables, CHAINS, n_boot=0)
