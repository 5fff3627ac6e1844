"""Agreement against published and hand-computed values, and against itself when relabelled.

The annotations here are made up to test the arithmetic; the project ships none.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from wfine_utils.annotation.agreement import (
    GOLD_METRICS,
    MEAN_RANK,
    agreement_with_gold,
    annotator_agreement,
)
from wfine_utils.annotation.files import ANNOTATION_COLUMNS
from wfine_utils.chains.taxonomy import Chain, Requirement, Response
from wfine_utils.chains.weval_hand import load_weval_hand
from wfine_utils.errors import WfineError
from wfine_utils.weval import evaluation


def ranked(ranks: dict[str, dict[str, Sequence[float]]]) -> pd.DataFrame:
    """A table from {chain: {annotator: ranks of its responses}}."""
    rows = [
        (annotator, chain_id, i, float(rank))
        for chain_id, by in ranks.items()
        for annotator, given in by.items()
        for i, rank in enumerate(given)
    ]
    return pd.DataFrame(rows, columns=list(ANNOTATION_COLUMNS))


def random_ranks(
    seed: int, n_chains: int = 12, annotators: str = "ABC", n: int = 4
) -> dict[str, dict[str, list[int]]]:
    rng = np.random.default_rng(seed)
    return {
        f"c{k:02}": {a: rng.integers(1, n + 1, n).tolist() for a in annotators}
        for k in range(n_chains)
    }


def value(frame: pd.DataFrame, metric: str) -> float:
    (found,) = frame.loc[frame["metric"] == metric, "value"]
    return found


def chain_of(gold: Sequence[int], chain_id: str) -> Chain:
    requirements = tuple(Requirement(None, None, "Do it.") for _ in range(4))
    responses = tuple(Response("text", tuple(j < k for j in range(4))) for k in gold)
    return Chain(chain_id, None, "Write.", requirements, responses)


def test_agreement_by_hand():
    """Two chains of two responses; A and B agree on the first and not on the second."""
    frame = annotator_agreement(
        ranked({"c1": {"A": [1, 2], "B": [1, 2]}, "c2": {"A": [1, 2], "B": [2, 1]}})
    )
    # Pairable ranks: four 1s and four 2s. Observed disagreement: 2 of 4 units; expected: 4 of 7.
    assert value(frame, "krippendorff_alpha") == pytest.approx(1 - (2 / 4) / (4 / 7))
    # Two pairs: agreement 1 and 0, mean 1/2; chance 1/2, because a pair has no first response.
    assert value(frame, "fleiss_kappa") == pytest.approx(0)
    assert value(frame, "kendall_tau_b") == 0
    assert frame["n_chains"].tolist() == [2, 2, 2]
    assert frame["n_items"].tolist() == [4, 2, 2]
    assert frame["n_annotators"].tolist() == [2, 2, 2]
    assert frame[["ci_low", "ci_high"]].isna().all(axis=None)  # from two chains: none


def ordinal_alpha(units: Sequence[Sequence[float]]) -> float:
    """Krippendorff's ordinal alpha by its definition, pair of ranks by pair of ranks."""
    units = [u for u in units if len(u) > 1]
    pooled = [v for u in units for v in u]
    n = {v: pooled.count(v) for v in set(pooled)}

    def distance(a, b):
        a, b = min(a, b), max(a, b)
        return (sum(n[v] for v in n if a <= v <= b) - (n[a] + n[b]) / 2) ** 2

    observed = sum(distance(a, b) / (len(u) - 1) for u in units for a in u for b in u)
    expected = sum(distance(a, b) for a in pooled for b in pooled) / (len(pooled) - 1)
    return 1 - observed / expected


def test_statistics_by_their_definitions():
    given = random_ranks(0, 15)
    del given["c03"]["A"]  # one annotator fewer in one chain
    frame = annotator_agreement(ranked(given), n_boot=0)
    units, taus, shares, n_sides = [], [], [], np.zeros(2)
    for by in given.values():
        mid = [stats.rankdata(r) for r in by.values()]
        units += np.transpose(mid).tolist()
        taus.append(np.mean([stats.kendalltau(x, y).statistic for x, y in combinations(mid, 2)]))
        for i, j in combinations(range(4), 2):
            sides = [np.sign(r[i] - r[j]) for r in mid]
            if len(sides) == 3:  # kappa: only the chains with the usual number of annotators
                shares.append(np.mean([a == b for a, b in combinations(sides, 2)]))
                n_sides += [sides.count(0), 3]
    tied = n_sides[0] / n_sides[1]
    chance = tied**2 + 2 * ((1 - tied) / 2) ** 2
    assert not np.isnan(taus).any()
    assert value(frame, "krippendorff_alpha") == pytest.approx(ordinal_alpha(units))
    assert value(frame, "kendall_tau_b") == pytest.approx(np.mean(taus))
    assert value(frame, "fleiss_kappa") == pytest.approx((np.mean(shares) - chance) / (1 - chance))
    assert frame["n_chains"].tolist() == [15, 14, 15]
    assert frame["n_items"].tolist() == [60, 14 * 6, 14 * 3 + 1]


@settings(max_examples=25, deadline=None)
@given(st.data())
def test_identical_annotators_agree_fully_if_they_say_anything(data):
    n_annotators = data.draw(st.integers(2, 4))
    ranks = data.draw(
        st.lists(st.lists(st.integers(1, 4), min_size=2, max_size=5), min_size=1, max_size=4)
    )
    table = ranked({f"c{k}": dict.fromkeys("ABCD"[:n_annotators], r) for k, r in enumerate(ranks)})
    frame = annotator_agreement(table, n_boot=0)
    any_order = any(len(set(r)) > 1 for r in ranks)
    assert value(frame, "kendall_tau_b") == pytest.approx(1 if any_order else np.nan, nan_ok=True)
    assert value(frame, "fleiss_kappa") == pytest.approx(1 if any_order else np.nan, nan_ok=True)
    one_value = len({x for r in ranks for x in stats.rankdata(r)}) == 1
    expected = np.nan if one_value else 1
    assert value(frame, "krippendorff_alpha") == pytest.approx(expected, nan_ok=True)


def test_independent_annotators_agree_by_chance_only():
    found = []
    for seed in range(20):
        rng = np.random.default_rng(seed)
        given = {f"c{k}": {a: rng.permutation(5) + 1 for a in "ABC"} for k in range(60)}
        found.append(annotator_agreement(ranked(given), n_boot=100)[["value", "ci_low", "ci_high"]])
    values, low, high = np.moveaxis(np.array(found), 2, 0)  # each [seeds, metrics]
    error = values.std(axis=0, ddof=1) / np.sqrt(20)
    assert (np.abs(values.mean(axis=0)) < 4 * error).all()
    assert np.abs(values).max() < 0.15
    assert ((low < 0) & (high > 0)).mean(axis=0).min() >= 0.75  # 0.95 but for luck
    assert (high - low).max() < 0.3


def test_opposite_annotators_disagree_as_far_as_can_be():
    frame = annotator_agreement(
        ranked({f"c{k}": {"A": [1, 2, 3], "B": [3, 2, 1]} for k in range(4)})
    )
    assert value(frame, "kendall_tau_b") == -1
    assert value(frame, "fleiss_kappa") == -1
    assert value(frame, "krippendorff_alpha") < -0.2


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10_000), st.permutations("ABC"), st.permutations(range(4)))
def test_names_order_and_numbering_do_not_matter(seed, names, places):
    given = random_ranks(seed)
    table = ranked(given)
    frame = annotator_agreement(table, n_boot=30)
    other = table.assign(
        annotator=table["annotator"].map(dict(zip("ABC", names))),
        response=table["response"].map(dict(enumerate(places))),
    ).sample(frac=1, random_state=seed)
    pd.testing.assert_frame_equal(annotator_agreement(other, n_boot=30), frame)


def test_only_the_order_of_the_ranks_counts():
    """Competition, dense and average ranks, with gaps or without, say the same."""
    base = random_ranks(1)
    tables = [
        ranked({c: {a: scale(np.array(r)) for a, r in by.items()} for c, by in base.items()})
        for scale in (
            lambda r: r,
            lambda r: stats.rankdata(r, "min"),
            lambda r: stats.rankdata(r, "dense"),
            lambda r: stats.rankdata(r),
            lambda r: 10.0 * r**3 + 1,
        )
    ]
    frames = [annotator_agreement(table, n_boot=20) for table in tables]
    for frame in frames[1:]:
        pd.testing.assert_frame_equal(frame, frames[0])


def test_an_annotator_who_ranks_all_equal():
    flat, up = [1, 1, 1], [1, 2, 3]
    one = annotator_agreement(
        ranked({"c1": {"A": flat, "B": up}, "c2": {"A": up, "B": up}}), n_boot=0
    )
    assert value(one, "kendall_tau_b") == 0.5  # 0 in the first chain, 1 in the second
    both = annotator_agreement(
        ranked({"c1": {"A": flat, "B": flat}, "c2": {"A": up, "B": up}}), n_boot=0
    )
    assert value(both, "kendall_tau_b") == 1  # nothing to compare in the first
    assert both.set_index("metric").loc["kendall_tau_b", "n_chains"] == 1
    nothing = annotator_agreement(ranked({"c1": {"A": flat, "B": flat}}))
    assert nothing["value"].isna().all() and nothing["ci_low"].isna().all()


def test_chains_of_one_annotator_say_nothing_of_agreement():
    given = random_ranks(2)
    table = ranked(given)
    more = ranked({**given, "c99": {"A": [1, 2, 3, 4]}})
    pd.testing.assert_frame_equal(
        annotator_agreement(more, n_boot=20), annotator_agreement(table, n_boot=20)
    )
    with pytest.raises(WfineError, match="no chain that two annotators have ranked"):
        annotator_agreement(ranked({"c1": {"A": [1, 2]}, "c2": {"B": [1, 2]}}))


def test_the_larger_number_of_annotators_where_two_are_as_frequent():
    given = random_ranks(3, 4)
    for c in ("c00", "c01"):
        del given[c]["C"]
    frame = annotator_agreement(ranked(given), n_boot=0).set_index("metric")
    assert frame.loc["fleiss_kappa", ["n_chains", "n_items"]].tolist() == [2, 12]
    three = ranked({c: by for c, by in given.items() if len(by) == 3})
    assert frame.loc["fleiss_kappa", "value"] == value(
        annotator_agreement(three, n_boot=0), "fleiss_kappa"
    )


def test_bootstrap_draws_whole_chains():
    """All of a chain agrees or none does: the interval is that of so many chains, not pairs."""
    up, down = [1, 2, 3, 4, 5], [5, 4, 3, 2, 1]
    given = {f"c{k:02}": {"A": up, "B": up if k < 15 else down} for k in range(20)}
    # 88 %, because the steps of this binomial distribution lie far from its ends
    frame = annotator_agreement(ranked(given), n_boot=4000, confidence=0.88).set_index("metric")
    low, high = (2 * stats.binom.ppf(q, 20, 0.75) / 20 - 1 for q in (0.06, 0.94))
    row = frame.loc["kendall_tau_b"]
    assert (row["value"], row["ci_low"], row["ci_high"]) == pytest.approx((0.5, low, high))
    row = frame.loc["fleiss_kappa"]  # without ties it is 2 * share - 1, the same here
    assert (row["value"], row["ci_low"], row["ci_high"]) == pytest.approx((0.5, low, high))


def test_seed_and_settings():
    table = ranked(random_ranks(4))
    frame = annotator_agreement(table, seed=1, n_boot=100)
    pd.testing.assert_frame_equal(annotator_agreement(table, seed=1, n_boot=100), frame)
    assert not annotator_agreement(table, seed=2, n_boot=100)["ci_low"].equals(frame["ci_low"])
    assert annotator_agreement(table, n_boot=0)[["ci_low", "ci_high"]].isna().all(axis=None)
    one = annotator_agreement(ranked(random_ranks(4, 1)), n_boot=100)
    assert one["value"].notna().all() and one["ci_low"].isna().all()
    for bad in ({"n_boot": -1}, {"confidence": 0.0}, {"confidence": 1.0}):
        with pytest.raises(WfineError, match="found n_boot="):
            annotator_agreement(table, **bad)


@pytest.mark.parametrize("function", [annotator_agreement, lambda t: agreement_with_gold(t, [])])
@pytest.mark.parametrize(
    ("mend", "found"),
    [
        (lambda t: t.drop(columns="rank"), "expected also rank"),
        (lambda t: pd.concat([t, t[:1]]), "found two rows for .*'annotator': 'A'"),
        (lambda t: t[1:], "found 3 ranks by annotator 'A' in chain 'c00'.* 4 responses"),
        (lambda t: t.assign(rank=t["rank"].where(t.index > 0)), "found 3 ranks by annotator 'A'"),
        (lambda t: t.assign(rank=t["rank"].where(t.index > 0, np.inf)), "found 3 ranks by"),
        (lambda t: t.assign(rank="first"), "rank: found text, expected numbers"),
    ],
)
def test_tables_that_are_not_whole_are_refused(function, mend, found):
    with pytest.raises(WfineError, match=found):
        function(mend(ranked(random_ranks(5))))


# Annotators and gold.


def test_agreement_with_gold_by_hand():
    chains = [chain_of([0, 1, 2], "c1"), chain_of([2, 1, 0], "c2"), chain_of([0, 4], "c3")]
    table = ranked({
        "c1": {"A": [3, 2, 1], "B": [1, 2, 3]},  # rank 1 is best: A is right, B is wrong
        "c2": {"A": [1, 2, 3], "B": [1, 1, 2]},  # B: two of three pairs right, one tied
    })  # fmt: skip
    frame = agreement_with_gold(table, chains, n_boot=0)
    assert frame["metric"].unique().tolist() == list(GOLD_METRICS)
    frame = frame.set_index(["annotator", "metric"]).sort_index()
    assert frame.loc[("A", "kendall_tau_b"), "value"] == 1
    half_right = 2 / np.sqrt(3 * 2)
    assert frame.loc[("B", "kendall_tau_b"), "value"] == pytest.approx((half_right - 1) / 2)
    assert frame.loc[("B", "tie_rate"), "value"] == pytest.approx((0 + 1 / 3) / 2)
    assert frame["n_chains"].eq(2).all()  # nobody ranked c3
    # Mean ranks: 2 2 2 in c1, and 1.25 1.75 3 in c2.
    assert frame.loc[(MEAN_RANK, "kendall_tau_b"), "value"] == pytest.approx(0.5)


def test_an_annotator_who_ranks_by_gold_is_right_and_one_at_random_is_not():
    chains = load_weval_hand()
    rng = np.random.default_rng(0)
    given = {
        c.chain_id: {"gold": 5 - np.array(c.gold), "random": rng.permutation(5) + 1} for c in chains
    }
    frame = agreement_with_gold(ranked(given), chains, n_boot=200)
    tau = frame[frame["metric"] == "kendall_tau_b"].set_index("annotator")
    assert tau.loc["gold", ["value", "ci_low", "ci_high"]].tolist() == [1, 1, 1]
    assert abs(tau.loc["random", "value"]) < 0.25  # more than four standard errors
    assert tau.loc["random", "value"] < tau.loc[MEAN_RANK, "value"] < 1


def test_annotators_are_scored_as_any_scorer_on_the_chains_they_ranked():
    chains = [chain_of([0, 1, 2, 3], f"c{k:02}") for k in range(12)]
    given = random_ranks(6)
    del given["c00"]["A"]
    frame = agreement_with_gold(ranked(given), chains, seed=3)
    scores = [-np.array(given[c.chain_id]["A"], float) for c in chains[1:]]
    expected = evaluation.evaluate(chains[1:], scores, seed=3).set_index("metric")
    found = frame[frame["annotator"] == "A"].set_index("metric")
    columns = ["value", "ci_low", "ci_high", "n_chains"]
    pd.testing.assert_frame_equal(found[columns], expected.loc[list(GOLD_METRICS), columns])


def test_names_that_are_numbers_are_names():
    table = ranked({"c1": {"1": [1, 2], "2": [2, 1]}})
    table["annotator"] = table["annotator"].astype(int)
    found = agreement_with_gold(table, [chain_of([1, 0], "c1")], n_boot=0)
    assert found["annotator"].unique().tolist() == ["1", "2", MEAN_RANK]


@pytest.mark.parametrize("chain", [chain_of([0, 1, 2, 3], "other"), chain_of([0, 1, 2], "c00")])
def test_annotations_of_other_chains_are_refused(chain):
    with pytest.raises(WfineError, match=r"found response \d of chain 'c00'"):
        agreement_with_gold(ranked(random_ranks(7, 1)), [chain])
