"""The benchmark of how cost grows: every work is done in three sizes."""

from __future__ import annotations

import pytest


@pytest.mark.slow
def test_every_work_is_measured_in_three_sizes(bench_script, capsys):
    assert bench_script("bench_growth").main(["--quick"]) == 0
    heading, *lines = capsys.readouterr().out.splitlines()
    assert heading.split() == ["what", "n", "cpu_seconds", "times"]
    works = [line.split()[:-3] for line in lines]
    assert len(works) == 15 and all(works.count(work) == 3 for work in works)
    numbers = [line.split()[-3:] for line in lines]
    for smallest, double, fourfold in zip(*[iter(numbers)] * 3, strict=True):
        n = int(smallest[0])
        assert [int(double[0]), int(fourfold[0])] == [2 * n, 4 * n] and smallest[2] == "1.00"
