"""The benchmark of scoring a file: it scores what it says, and prints what it took."""

from __future__ import annotations

import pytest


@pytest.mark.slow
def test_scores_a_file_in_a_process_of_its_own(bench_script, capsys):
    assert bench_script("bench_score_file").main(["--responses", "20", "--max-tokens", "32"]) == 0
    heading, line = capsys.readouterr().out.splitlines()
    assert heading.split()[0] == "responses" and line.split()[0] == "20"
    assert 0.05 < float(line.split()[-1]) < 8  # GiB: torch is loaded
