"""Agreement of judges against published and hand-computed values, and when relabelled."""

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
    verdict_agreement,
)


def judged(verdicts: dict[str, Sequence[float]], n_chains: int = 1) -> pd.DataFrame:
    """A table from {judge: verdicts of all units}, dealt out to chains in turn."""
    rows = [
        (judge, f"c{i % n_chains}", i // n_chains, 0, verdict)
        for judge, given in verdicts.items()
        for i, verdict in enumerate(given)
    ]
    columns = ["judge", "chain_id", "response", "requirement", "verdict"]
    return pd.DataFrame(rows, columns=columns)


def value(frame: pd.DataFrame, metric: str) -> float:
    (found,) = frame.loc[frame["metric"] == metric, "value"]
    return found


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
    assert frame["n_items"].eq(10).all() and frame["nan_rate"].eq(0).all()


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
    frame = verdict_agreement(judged(verdicts), n_boot=0)
    groups = frame[["judge_a", "judge_b"]].drop_duplicates().to_numpy().tolist()
    assert groups == [["all", "all"], ["A", "B"], ["A", "C"], ["B", "C"]]
    rows = frame.set_index(["judge_a", "judge_b", "metric"]).sort_index()
    every, pair = rows.loc[("all", "all")], rows.loc[("A", "B")]
    assert pair.loc["share_equal", ["value", "n_items"]].tolist() == [0.75, 4]
    assert pair["nan_rate"].tolist() == [pytest.approx(3 / 14)] * 4
    assert every["nan_rate"].tolist() == [pytest.approx(4 / 21)] * 4
    pairs = rows["value"].unstack("metric").drop(index=("all", "all"))
    for metric in ("share_equal", "kendall_tau_b"):
        assert every.loc[metric, "value"] == pytest.approx(pairs[metric].mean())
    assert every.loc["krippendorff_alpha", "n_items"] == 6  # one unit has one verdict
    assert every.loc["fleiss_kappa", "n_items"] == 4  # four units have all three
    complete = {judge: v[:4] for judge, v in verdicts.items()}
    again = verdict_agreement(judged(complete), n_boot=0)
    assert every.loc["fleiss_kappa", "value"] == again.loc[1, "value"]


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
    assert frame["value"].isna().all() and frame["n_items"].eq(0).all()
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
    pd.testing.assert_frame_equal(other[part][:4], frame[part][:4])  # all judges together
    pair, same = frame[part][4:8], other[part][12:16]  # A with B is now B with C
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
    ("mend", "found"),
    [
        (lambda t: t[t["judge"] == "A"], "found 1 judges"),
        (lambda t: t.assign(verdict=0.5), r"the verdicts \[0.5\]"),
        (lambda t: t.assign(verdict=2), r"the verdicts \[2.0\]"),
        (lambda t: t.assign(verdict="yes"), "verdict: found text, expected numbers"),
        (lambda t: pd.concat([t, t[:1]]), "found two rows for"),
        (lambda t: t.drop(columns="requirement"), "expected also requirement"),
    ],
)
def test_tables_of_verdicts_that_do_not_fit_are_refused(mend, found):
    with pytest.raises(WfineError, match=found):
        verdict_agreement(mend(judged({"A": [1, 0], "B": [1, 1]})))


def test_construction_against_checkers_on_the_chains_of_the_package():
    chains = load_weval_hand()
    table = chain_verdicts(chains)
    n_units = sum(len(c.responses) * len(c.requirements) for c in chains)
    assert table["judge"].value_counts().to_dict() == {CONSTRUCTION: n_units, CHECKERS: n_units}
    without = sum(len(c.responses) for c in chains for r in c.requirements if r.check is None)
    assert table["verdict"].isna().sum() == without > 0
    frame = verdict_agreement(table, n_boot=10)  # the rules of WEval-Hand: labels are checked
    assert frame["value"].eq(1).all() and frame["n_items"].eq(n_units - without).all()
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
