"""Controls against closed forms, against SciPy, and on both sides of borders."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from wfine_utils.chains.taxonomy import Chain, Requirement, RequirementType, Response
from wfine_utils.chains.weval_hand import load_weval_hand
from wfine_utils.checks.words import word_count
from wfine_utils.errors import WfineError
from wfine_utils.weval import evaluation
from wfine_utils.weval.baselines import ConstantScorer, LengthScorer, OracleScorer, RandomScorer
from wfine_utils.weval.controls import (
    PAIR_COLUMNS,
    PARTIAL_METRICS,
    by_gap,
    length_matched,
    partial_tau,
)
from wfine_utils.weval.drops import by_type_dropped_first

L, F, S, C = RequirementType
TABLES = (partial_tau, length_matched, by_gap, by_type_dropped_first)


def chain_of(
    kept: Sequence[str],
    n_words: Sequence[int] | None = None,
    chain_id: str = "chain",
    types: Sequence[RequirementType | None] = (L, F, S, C),
) -> Chain:
    """A chain whose responses keep what ``kept`` says, e.g. "1101", in so many words."""
    n_words = n_words or [10] * len(kept)
    requirements = tuple(Requirement(t, None, "Do it.") for t in types)
    responses = [Response("word " * n, tuple(f == "1" for f in k)) for k, n in zip(kept, n_words)]
    return Chain(chain_id, None, "Write.", requirements, tuple(responses))


def nested(n_words: Sequence[int], chain_id: str = "chain") -> Chain:
    """Gold 0, 1, 2, … in so many words."""
    kept = [("1" * k).ljust(4, "0") for k in range(len(n_words))]
    return chain_of(kept, n_words, chain_id)


def random_case(seed: int, n_chains: int = 40):
    rng = np.random.default_rng(seed)
    chains = [nested(rng.integers(8, 13, 5).tolist(), f"c{i}") for i in range(n_chains)]
    return chains, [rng.integers(0, 4, 5).astype(float) for _ in chains]


def values(frame: pd.DataFrame) -> dict[str, float]:
    return dict(zip(frame["metric"], frame["value"]))


def cell(frame: pd.DataFrame, subset: str, metric: str = "pairwise_accuracy") -> pd.Series:
    (row,) = frame[(frame["subset"] == subset) & (frame["metric"] == metric)].itertuples()
    return row


# Length partialled out.


def test_partial_tau_by_hand():
    # Pairs in order 01 02 03 12 13 23. Gold: all rise. Words 1 3 2 4: one pair falls, 4/6.
    # Scores 1 2 4 3: one pair falls, 4/6. Score and words disagree on 12 and 23 only: 2/6.
    found = values(partial_tau([nested([1, 3, 2, 4])], [[1.0, 2.0, 4.0, 3.0]], n_boot=0))
    sg, gc, sc = 4 / 6, 4 / 6, 2 / 6
    expected = (sg - gc * sc) / np.sqrt((1 - gc**2) * (1 - sc**2))
    assert list(found) == list(PARTIAL_METRICS)
    assert found == pytest.approx({
        "kendall_tau_b": sg,
        "tau_b_covariate_score": sc,
        "tau_b_covariate_gold": gc,
        "undefined_rate": 0,
        "kendall_tau_b_where_defined": sg,
        "partial_tau_b": expected,
        "pooled_partial_tau_b": expected,  # one chain: the same thing
    })  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 5), st.integers(0, 4)),
                min_size=3, max_size=8))  # fmt: skip
def test_partial_tau_of_any_chain_follows_from_three_correlations_of_scipy(responses):
    gold, words, score = (np.array(x) for x in zip(*responses))
    chain = chain_of([("1" * k).ljust(4, "0") for k in gold], words.tolist())
    row = values(partial_tau([chain], [score.astype(float)], n_boot=0))
    if len(set(gold)) < 2:
        assert np.isnan(row["kendall_tau_b"]) and np.isnan(row["pooled_partial_tau_b"])
        return

    def tau(x, y):
        return 0.0 if len(set(x)) < 2 or len(set(y)) < 2 else stats.kendalltau(x, y).statistic

    sg, sc, gc = tau(score, gold), tau(score, words), tau(gold, words)
    assert row["tau_b_covariate_score"] == pytest.approx(sc, abs=1e-12)
    assert row["tau_b_covariate_gold"] == pytest.approx(gc, abs=1e-12)
    rest = (1 - sc**2) * (1 - gc**2)
    assert row["undefined_rate"] == float(rest < 1e-9)
    expected = np.nan if rest < 1e-9 else (sg - sc * gc) / np.sqrt(rest)
    assert row["partial_tau_b"] == pytest.approx(expected, abs=1e-9, nan_ok=True)
    assert row["pooled_partial_tau_b"] == pytest.approx(expected, abs=1e-9, nan_ok=True)


def test_equal_lengths_explain_nothing():
    chains = [nested([9] * 5, f"c{i}") for i in range(3)]
    scores = [np.array(s, float) for s in ([0, 1, 2, 3, 4], [0, 2, 1, 3, 4], [1, 1, 0, 2, 2])]
    found = values(partial_tau(chains, scores, n_boot=0))
    plain = evaluation.per_chain(chains, scores)["kendall_tau_b"].mean()
    assert found["partial_tau_b"] == found["kendall_tau_b"] == pytest.approx(plain)


def test_a_length_scorer_is_undefined_everywhere_and_counted():
    chains, _ = random_case(0)
    frame = partial_tau(chains, LengthScorer().score(chains), n_boot=50).set_index("metric")
    assert frame.loc["undefined_rate", "value"] == 1
    assert np.isnan(frame.loc["partial_tau_b", "value"])
    assert frame.loc["partial_tau_b", ["n_chains", "n_pairs"]].tolist() == [0, 0]
    assert frame.loc["kendall_tau_b", ["n_chains", "n_pairs"]].tolist() == [40, 400]


def test_a_constant_scorer_has_partial_tau_zero():
    chains = [nested([9, 8, 7, 9, 8])] * 3
    found = values(partial_tau(chains, ConstantScorer().score(chains), n_boot=0))
    assert found["kendall_tau_b"] == found["partial_tau_b"] == 0


def test_length_in_disguise_falls_and_real_adherence_does_not():
    """Gold goes along with length; one scorer follows length, the other gold, both with noise."""
    rng = np.random.default_rng(0)
    chains, by_length, by_gold = [], [], []
    for i in range(300):
        words = 50 + 10 * np.arange(5) + rng.integers(-12, 13, 5)
        chains.append(nested(words.tolist(), f"c{i}"))
        by_length.append(words + rng.normal(0, 3, 5))
        by_gold.append(np.arange(5) + rng.normal(0, 0.3, 5))
    length = partial_tau(chains, by_length, n_boot=300).set_index("metric")
    gold = partial_tau(chains, by_gold, n_boot=300).set_index("metric")
    assert length.loc["kendall_tau_b", "value"] > 0.65
    assert length.loc["pooled_partial_tau_b", "ci_high"] < 0.3
    assert gold.loc["pooled_partial_tau_b", "ci_low"] > 0.7
    assert gold.loc["pooled_partial_tau_b", "ci_low"] < gold.loc["pooled_partial_tau_b", "value"]


def test_what_remains_of_length_in_disguise_is_what_the_docstring_says():
    """Normal score and gold, independent given the length: tau is 2 / pi times arcsin of rho."""
    rng = np.random.default_rng(0)
    chains, scores, lengths = [], [], []
    rho_sc, rho_gc = (np.sin(np.pi / 2 * tau) for tau in (0.85, 0.75))
    for i in range(4000):
        length = rng.normal(size=5)
        gold = rho_gc * length + np.sqrt(1 - rho_gc**2) * rng.normal(size=5)
        scores.append(rho_sc * length + np.sqrt(1 - rho_sc**2) * rng.normal(size=5))
        lengths.append(length)
        kept = [("1" * int(k)).ljust(4, "0") for k in stats.rankdata(gold) - 1]
        chains.append(chain_of(kept, chain_id=f"c{i}"))
    found = values(partial_tau(chains, scores, lengths, n_boot=0))
    assert found["tau_b_covariate_score"] == pytest.approx(0.85, abs=0.01)
    assert found["tau_b_covariate_gold"] == pytest.approx(0.75, abs=0.01)
    assert found["pooled_partial_tau_b"] == pytest.approx(0.21, abs=0.02)


def test_pooled_counts_each_pair_once_and_bootstraps_over_chains():
    """Two kinds of chains; a draw of n chains has k of the first kind, k binomial."""
    chains = [nested([1, 2, 1], f"a{i}") for i in range(6)]
    chains += [nested([2, 1, 1, 3, 2], f"b{i}") for i in range(4)]
    scores = [[1.0, 2.0, 3.0]] * 6 + [[2.0, 1.0, 3.0, 1.0, 2.0]] * 4
    row = partial_tau(chains, scores, n_boot=4000, seed=1).set_index("metric").iloc[-1]

    def pooled(n_a, n_b):
        sums = np.zeros(6)
        for n, words, score in ((n_a, [1, 2, 1], scores[0]), (n_b, [2, 1, 1, 3, 2], scores[-1])):
            i, j = np.triu_indices(len(words), 1)
            c, s = np.sign(np.subtract.outer(words, words))[i, j], np.sign(np.subtract.outer(
                score, score))[i, j]  # fmt: skip
            g = np.sign(i - j)
            sums += n * np.array([(x * y).sum() for x, y in
                                  ((s, s), (g, g), (c, c), (s, g), (s, c), (g, c))])  # fmt: skip
        ss, gg, cc, sg, sc, gc = sums
        sg, sc, gc = sg / np.sqrt(ss * gg), sc / np.sqrt(ss * cc), gc / np.sqrt(gg * cc)
        return (sg - sc * gc) / np.sqrt((1 - sc**2) * (1 - gc**2))

    assert row["value"] == pytest.approx(pooled(6, 4))
    possible = {k: pooled(k, 10 - k) for k in range(11)}
    ks = sorted(possible, key=possible.get)
    cumulative = np.cumsum([stats.binom.pmf(k, 10, 0.6) for k in ks])
    exact = [possible[ks[np.searchsorted(cumulative, q)]] for q in (0.025, 0.975)]
    assert [row["ci_low"], row["ci_high"]] == pytest.approx(exact)


def test_any_covariate_can_be_partialled_out():
    chains, scores = random_case(1)
    words = [[word_count(r.text) for r in c.responses] for c in chains]
    pd.testing.assert_frame_equal(partial_tau(chains, scores, words), partial_tau(chains, scores))
    words = values(partial_tau(chains, scores))
    other = values(partial_tau(chains, scores, RandomScorer().score(chains)))
    assert other["kendall_tau_b"] == pytest.approx(words["kendall_tau_b"], abs=1e-12)
    assert abs(other["partial_tau_b"] - words["partial_tau_b"]) > 1e-3


@pytest.mark.parametrize("bad", [[[1.0, 2.0]], [[1.0, np.nan, 2.0]], [[1.0, np.inf, 2.0]], [], "x"])
def test_a_covariate_that_does_not_fit_is_refused(bad):
    with pytest.raises(WfineError, match=r"^covariate.*: found .*; expected "):
        partial_tau([nested([1, 2, 3])], [[1.0, 2.0, 3.0]], bad)


def test_unscored_responses_are_left_out_with_their_length():
    whole = partial_tau([nested([1, 3, 2, 4, 99])], [[1.0, 2.0, 4.0, 3.0, np.nan]], n_boot=0)
    part = partial_tau([nested([1, 3, 2, 4])], [[1.0, 2.0, 4.0, 3.0]], n_boot=0)
    assert (whole["nan_rate"] == 0.2).all()
    pd.testing.assert_frame_equal(whole.assign(nan_rate=0.0), part)


# Length matched.


def test_length_matched_by_hand():
    # Gold 0 1 2 3 in 100, 95, 200, 190 words: matched are 0-1 and 2-3.
    frame = length_matched([nested([100, 95, 200, 190])], [[1.0, 0.0, 5.0, 5.0]], n_boot=0)
    matched, unmatched, every = (cell(frame, s) for s in ("matched", "unmatched", "all"))
    assert (matched.value, matched.n_pairs, matched.n_chains) == (0.25, 2, 1)  # wrong, and a tie
    assert (unmatched.value, unmatched.n_pairs) == (1.0, 4)
    assert every.value == pytest.approx(4.5 / 6)
    assert cell(frame, "matched", "tie_rate").value == 0.5
    assert (matched.mean_gap, unmatched.mean_gap, every.mean_gap) == (1, 2, pytest.approx(10 / 6))
    plain = evaluation.per_chain([nested([100, 95, 200, 190])], [[1.0, 0.0, 5.0, 5.0]])
    assert every.value == plain["pairwise_accuracy"].iloc[0]


@pytest.mark.parametrize(
    ("words", "tolerance", "n_pairs"),
    [
        ([95, 100], 0.05, 1),
        ([94, 100], 0.05, 0),
        ([100, 95], 0.05, 1),  # whichever is the longer
        ([100, 105], 0.05, 1),  # 5 of 105: the larger one is the measure
        ([100, 106], 0.05, 0),
        ([100, 100], 0.0, 1),
        ([100, 101], 0.0, 0),
        ([0, 0], 0.0, 1),
        ([0, 1], 0.99, 0),
        ([0, 1], 1.0, 1),
        ([93, 100], 0.07, 1),
        ([43, 50], 0.14, 1),  # 0.14 * 50 is a little more than 7, 0.07 * 100 too
        ([200, 171], 0.145, 1),  # 0.145 * 200 is a little less than 29
    ],
)
def test_borders_of_the_tolerance(words, tolerance, n_pairs):
    frame = length_matched([nested(words)], [[0.0, 1.0]], tolerance, n_boot=0)
    assert cell(frame, "matched").n_pairs == n_pairs
    assert np.isnan(cell(frame, "matched").value) == (n_pairs == 0)
    assert np.isnan(cell(frame, "matched").mean_gap) == (n_pairs == 0)
    assert cell(frame, "unmatched").n_pairs == 1 - n_pairs


def test_matching_takes_away_what_length_gives():
    rng = np.random.default_rng(0)
    chains = [
        nested((100 + 9 * np.arange(5) + rng.integers(-9, 10, 5)).tolist(), f"c{i}")
        for i in range(200)
    ]
    scores = LengthScorer().score(chains)
    narrow, exact = (length_matched(chains, scores, t, n_boot=200) for t in (0.02, 0.0))
    assert cell(narrow, "all").value > 0.85
    assert cell(narrow, "matched").value < 0.7  # a word or two more still tell
    low, high = cell(narrow, "matched").ci_low, cell(narrow, "matched").ci_high
    assert low < cell(narrow, "matched").value < high
    assert cell(exact, "matched").value == 0.5 and cell(exact, "matched").n_pairs > 10


@pytest.mark.parametrize("tolerance", [-0.01, 1.01, float("nan")])
def test_a_tolerance_out_of_range_is_refused(tolerance):
    with pytest.raises(WfineError, match=r"tolerance=.*expected a share from 0"):
        length_matched([nested([1, 2])], [[0.0, 1.0]], tolerance)


# By gap and by type.


def test_by_gap_by_hand():
    chains = [nested([9, 9, 9], "a"), nested([9, 9], "b")]
    frame = by_gap(chains, [[0.0, 2.0, 1.0], [1.0, 1.0]], n_boot=0)
    # Gap 1: in a one right, one wrong; in b a tie. Gap 2: right.
    one, two = cell(frame, "1"), cell(frame, "2")
    assert (one.value, one.n_chains, one.n_pairs) == (0.5, 2, 3)
    assert (two.value, two.n_chains, two.n_pairs) == (1.0, 1, 1)
    assert cell(frame, "1", "tie_rate").value == 0.5
    assert frame["subset"].unique().tolist() == ["1", "2"]


def test_gaps_take_pairs_apart_that_pairwise_accuracy_puts_together():
    chains, scores = random_case(2)
    frame = by_gap(chains, scores, n_boot=0)
    accuracy = frame[frame["metric"] == "pairwise_accuracy"]
    whole = evaluation.per_chain(chains, scores)["pairwise_accuracy"].mean()
    assert accuracy["n_pairs"].tolist() == [160, 120, 80, 40]
    assert np.average(accuracy["value"], weights=accuracy["n_pairs"]) == pytest.approx(whole)


def test_only_the_number_kept_counts_for_the_gap():
    frame = by_gap([chain_of(["1100", "0010", "0011"])], [[3.0, 2.0, 1.0]], n_boot=0)
    assert cell(frame, "1").n_pairs == 2  # not the pair with equal gold
    assert cell(frame, "1").value == 0.5


# All tables.


@pytest.mark.parametrize("table", TABLES)
def test_tables_do_not_depend_on_the_order_of_chains_and_responses(table):
    chains, scores = random_case(3)
    order = np.random.default_rng(0).permutation(len(chains))
    turned = []
    for k in order:
        c = chains[k]
        turned.append(Chain(c.chain_id, None, c.base_task, c.requirements, c.responses[::-1]))
    pd.testing.assert_frame_equal(
        table(chains, scores), table(turned, [scores[k][::-1] for k in order])
    )


@pytest.mark.parametrize("table", TABLES)
def test_an_oracle_is_perfect_under_every_control(table):
    chains = [c for c in load_weval_hand() if all(r.check for r in c.requirements)]
    frame = table(chains, OracleScorer().score(chains), n_boot=50)
    right = ("kendall_tau_b", "partial_tau_b", "pooled_partial_tau_b", "pairwise_accuracy")
    found = frame.loc[frame["metric"].isin(right), ["value", "ci_low", "ci_high"]]
    assert len(found.dropna()) > 1
    np.testing.assert_allclose(found["value"], 1)
    np.testing.assert_allclose(found.dropna(), 1)  # without those of too few chains


@pytest.mark.parametrize("table", TABLES)
def test_intervals_hold_the_value_and_follow_the_seed(table):
    chains, scores = random_case(4)
    frame, again = (table(chains, scores, seed=5) for _ in range(2))
    pd.testing.assert_frame_equal(frame, again)
    known = frame[frame["ci_low"].notna()]
    assert len(known) > 1
    assert (known["ci_low"] <= known["value"]).all() and (known["value"] <= known["ci_high"]).all()
    other = table(chains, scores, seed=6)
    assert other["value"].equals(frame["value"]) and not other["ci_low"].equals(frame["ci_low"])
    narrow = table(chains, scores, seed=5, confidence=0.5)
    assert (narrow["ci_low"] >= frame["ci_low"])[frame["ci_low"].notna()].all()
    assert table(chains, scores, n_boot=0)[["ci_low", "ci_high"]].isna().all(axis=None)
    one = table(chains[:1], scores[:1])
    assert one[["ci_low", "ci_high"]].isna().all(axis=None)  # one chain says nothing of others
    columns = evaluation.COLUMNS if table is by_type_dropped_first else PAIR_COLUMNS
    assert tuple(frame.columns)[: len(columns)] == columns


@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize("settings", [{"n_boot": -1}, {"confidence": 0.0}, {"confidence": 1.0}])
def test_settings_out_of_range_are_refused(table, settings):
    with pytest.raises(WfineError, match=r"^bootstrap: found n_boot="):
        table([nested([1, 2, 3])], [[1.0, 2.0, 3.0]], **settings)


@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize("scores", [[], [[1.0, 2.0]], [[np.nan] * 3], [[1.0, np.inf, 0.0]]])
def test_scores_that_do_not_fit_are_refused_as_in_weval(table, scores):
    with pytest.raises(WfineError, match=r"^weval[:,] "):
        table([nested([1, 2, 3])], scores)


def test_without_any_difference_in_gold_there_is_no_gap():
    chains = [chain_of(["1100", "0011"])]
    with pytest.raises(WfineError, match="no two scored responses with different gold in 1"):
        by_gap(chains, [[1.0, 2.0]])
    assert partial_tau(chains, [[1.0, 2.0]])["value"].isna().all()
    assert length_matched(chains, [[1.0, 2.0]])["value"].isna().all()
