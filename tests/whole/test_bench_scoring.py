"""The benchmark of scoring, on tiny models: every way gives the same scores. No times here."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import ROOT

from wfine_utils.models import devices

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def bench_scoring(bench_script):
    return bench_script("bench_scoring")


@pytest.mark.parametrize("kind", ["decoder", "encoder"])
def test_all_ways_agree(kind, bench_scoring, tmp_path):
    args = bench_scoring.arguments(["--quick", "--kind", kind, "--threads", "1"])
    (bench,) = bench_scoring.benches(args, tmp_path)
    left_out = set() if kind == "decoder" else {"shared"}
    left_out |= set() if devices.compute_dtype("auto") == torch.bfloat16 else {"half"}
    assert set(bench.scores) == set(bench.seconds) == set(bench_scoring.WAYS) - left_out
    for way, scores in bench.scores.items():
        if way != "half":
            np.testing.assert_allclose(scores, bench.scores["alone"], rtol=0, atol=1e-4)
    assert bench.largest_difference(half=True) < 0.05
    assert bench.largest_difference() < 1e-4 < np.ptp(bench.scores["alone"])
    real = {way: counts[0] for way, counts in bench.counts.items()}
    assert real["server"] == real["alone"] == real["batched"] == real["sorted"]
    assert bench.counts["alone"][0] == bench.counts["alone"][1]  # nothing to pad
    if kind == "decoder":
        assert len(bench.texts) == 5 * 5 and real["shared"] < 0.5 * real["alone"]


def test_what_the_scorer_cuts_the_server_cuts_too(bench_scoring, tmp_path):
    args = bench_scoring.arguments(["--quick", "--kind", "decoder", "--threads", "1"])
    args.max_tokens = 48
    (bench,) = bench_scoring.benches(args, tmp_path)
    n_tokens, n_padded = bench.counts["server"]
    cut = [len(bench.scorer._cut(bench.scorer._encode(*x), *x)["input_ids"]) for x in bench.texts]
    assert n_tokens == n_padded == bench.counts["alone"][0] == sum(cut)
    assert min(cut) > 45 and max(cut) <= 48  # at round places
    assert bench.largest_difference() < 1e-4


@pytest.mark.slow
def test_it_prints_a_table_and_fails_if_scores_differ(bench_scoring, capsys, monkeypatch):
    given = ["--quick", "--kind", "decoder", "--threads", "1"]
    assert bench_scoring.main(given) == 0
    printed = capsys.readouterr().out
    has_bf16 = devices.compute_dtype("auto") == torch.bfloat16
    for way, words in bench_scoring.WAYS.items():
        assert (words in printed) == (has_bf16 or way != "half")
    assert "of peak" in printed and "largest difference of a score" in printed
    server = bench_scoring.Bench._server
    monkeypatch.setattr(bench_scoring.Bench, "_server", lambda self: server(self) + 1)
    assert bench_scoring.main(given) == 1


def test_chains_of_yours(bench_scoring, tmp_path):
    path: Path = ROOT / "wfine_utils" / "data" / "weval_hand.jsonl"
    args = bench_scoring.arguments(["--chains-file", str(path), "--chains", "3"])
    assert args.chains_file == path and args.hidden == 512
    with pytest.raises(SystemExit):
        bench_scoring.arguments(["--kind", "neither"])
