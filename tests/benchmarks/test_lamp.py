"""Writers' rankings: by hand, and those that were published."""

from __future__ import annotations

import json
from itertools import combinations

import numpy as np
import pytest
from benchmarks.cases import LAMP, loaded, values
from conftest import ROOT
from scipy.stats import friedmanchisquare

from wfine_utils.benchmarks import load_benchmark

PUBLISHED = ROOT.parent / "shared" / "data" / "lamp_rankings.jsonl"
needs_rankings = pytest.mark.skipif(
    not PUBLISHED.exists(), reason="the writers' rankings are not part of the repository"
)


def test_what_a_chain_holds(tmp_path):
    (chain,) = loaded(tmp_path, [LAMP]).chains
    assert (chain.chain_id, chain.base_task, chain.topic) == ("set-1", "Write a paragraph.",
                                                              "Fiction")  # fmt: skip
    assert [r.source for r in chain.responses] == ["AI", "human", "both"]
    assert chain.judged.grades == {"ann": (-3, -1, -2), "bob": (-2, -1, -3)}
    assert chain.gold == (-0.5, 1, -0.5)


def test_agreement_by_hand(tmp_path):
    turned = LAMP | {"id": "set-2", "rankings": {"ann": ["AI", "both", "human"],
                     "cid": ["human", "both", "AI"]}}  # fmt: skip
    table = values(loaded(tmp_path, [LAMP, turned]).official())
    # set 1: sums of ranks 5, 2, 5, so 12 * 6 / (4 * 24); set 2: opposite orders, so 0
    assert table["kendall_w", "writers"] == pytest.approx((0.75 + 0) / 2)
    assert table["kendall_w", "ann, bob"] == pytest.approx(0.75)
    assert table["kendall_w", "ann, cid"] == pytest.approx(0)
    assert ("kendall_w", "bob, cid") not in table  # they share no set
    assert table["mean_pair_tau", "writers"] == pytest.approx((1 / 3 - 1) / 2)


def test_with_the_scorer_as_one_more(tmp_path):
    benchmark = loaded(tmp_path, [LAMP])
    agrees = values(benchmark.official([[1, 3, 2]]))  # as ann: sums of ranks 8, 3, 7
    assert agrees["kendall_w", "writers and scorer"] == pytest.approx(12 * 14 / (9 * 24))
    constant = values(benchmark.official([[1, 1, 1]]))  # 7, 4, 7, and one group of three ties
    assert constant["kendall_w", "writers and scorer"] == pytest.approx(12 * 6 / (9 * 24 - 3 * 24))
    unscored = values(benchmark.official([[1, np.nan, 2]]))
    assert np.isnan(unscored["kendall_w", "writers and scorer"])
    assert unscored["nan_rate", "all"] == pytest.approx(1 / 3)


@needs_rankings
def test_the_published_rankings_agree_as_scipy_computes_it():
    """No W is compared with the paper: what its script prints under that name is a mean tau-b."""
    benchmark = load_benchmark(PUBLISHED)
    assert (benchmark.layout, len(benchmark.chains), benchmark.refused) == ("lamp", 169, ())
    records = [json.loads(line) for line in PUBLISHED.read_text(encoding="utf-8").splitlines()]
    by_chi_square, by_pair = [], {}
    for record in records:
        names = sorted(record["responses"])
        ranks = {w: [order.index(x) for x in names] for w, order in record["rankings"].items()}
        by_chi_square.append(friedmanchisquare(*zip(*ranks.values())).statistic / (3 * 2))
        for pair in combinations(sorted(ranks), 2):
            # W of two untied rankings is (1 + Spearman's rho) / 2
            rho = np.corrcoef(ranks[pair[0]], ranks[pair[1]])[0, 1]
            by_pair.setdefault(", ".join(pair), []).append((1 + rho) / 2)
    table = benchmark.official().set_index(["metric", "subset"])
    row = table.loc[("kendall_w", "writers")]
    assert row["value"] == pytest.approx(np.mean(by_chi_square)) and row["n"] == 169
    assert 1 / 3 < row["ci_low"] < row["value"] < row["ci_high"] < 1
    pairs = table.drop(index="writers", level="subset")
    assert set(pairs.index.get_level_values("subset")) == set(by_pair)
    for pair, expected in by_pair.items():
        found = table.loc[("kendall_w", pair)]
        assert found["value"] == pytest.approx(np.mean(expected)) and found["n"] == len(expected)


@needs_rankings
def test_writers_prefer_what_a_writer_edited():
    """The finding of the paper, as the mean gold of each version."""
    gold: dict[str, list[float]] = {}
    for chain in load_benchmark(PUBLISHED).chains:
        for response, g in zip(chain.responses, chain.gold, strict=True):
            gold.setdefault(response.source, []).append(g)
    means = {source: np.mean(g) for source, g in gold.items()}
    assert means["Human-edited"] > means["AI-edited"] > means["AI-generated"]
