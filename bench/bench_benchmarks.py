"""How long do 100,000 pairs of a preference file take: to load, to evaluate, and in memory?

``weval.evaluate`` computes eight metrics with 1,000 bootstrap draws each; the loop over
``scipy.stats.kendalltau`` one metric, without an interval. Loop and ``evaluate`` take turns over
tenths of the pairs, so that whatever else the machine does falls on both, and ``evaluate`` has all
pairs besides. Run by ``make bench``; fails if the values differ by more than 1e-12, or if
``evaluate`` takes more than a fifth of the loop.
"""

from __future__ import annotations

import json
import resource
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from scipy.stats import kendalltau

from wfine_utils.benchmarks import load_benchmark
from wfine_utils.weval.evaluation import evaluate

N_PAIRS, N_BOOT, N_PARTS = 100_000, 1_000, 10


def peak_mib() -> float:
    """Most memory that this process has had, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def save_pairs(path: Path, n_pairs: int) -> None:
    """Pairs of texts of some hundred characters, prompts all different."""
    story = "Once upon a time there was a lighthouse that nobody kept. " * 5
    with path.open("w", encoding="utf-8") as file:
        for i in range(n_pairs):
            row = {"prompt": f"Write story {i}.", "chosen": f"{story}{i}", "rejected": story}
            file.write(json.dumps(row) + "\n")


def main() -> int:
    """Print times, ratio and memory; 1 if values disagree or it is slower than promised."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "pairs.jsonl"
        save_pairs(path, N_PAIRS)
        start = time.perf_counter()
        benchmark = load_benchmark(path)
        load_s = time.perf_counter() - start
    table = np.random.default_rng(0).normal(size=(N_PAIRS, 2)).round(1)  # some are tied
    scores, loaded_mib = list(table), peak_mib()
    start = time.perf_counter()
    frame = evaluate(benchmark.chains, scores, n_boot=N_BOOT)
    whole_s, more_mib = time.perf_counter() - start, peak_mib() - loaded_mib
    start = time.perf_counter()
    official = benchmark.official(scores, n_boot=N_BOOT)
    official_s = time.perf_counter() - start

    taus: list[float] = []
    loop_s = parts_s = 0.0
    for places in np.array_split(np.arange(N_PAIRS), N_PARTS):
        chains, own = [benchmark.chains[i] for i in places], [scores[i] for i in places]
        start = time.perf_counter()
        taus += [kendalltau((1, 0), x).statistic for x in own]
        middle = time.perf_counter()
        evaluate(chains, own, n_boot=N_BOOT)
        loop_s, parts_s = loop_s + middle - start, parts_s + time.perf_counter() - middle
    expected = np.nan_to_num(np.array(taus)).mean()  # NaN is SciPy's answer for equal scores
    error = abs(frame["value"].iloc[0] - expected)
    right = float(np.mean(table[:, 0] > table[:, 1]))
    error = max(error, abs(official["value"].iloc[0] - right))
    print(f"{N_PAIRS} pairs of a preference file")
    for what, seconds in (
        ("load_benchmark", load_s),
        ("loop over scipy.stats.kendalltau", loop_s),
        (f"weval.evaluate, {N_BOOT} draws, by tenths in turn", parts_s),
        (f"weval.evaluate, {N_BOOT} draws, all at once", whole_s),
        ("official accuracy", official_s),
    ):
        print(f"  {what:48}{seconds:8.2f} s   {seconds / loop_s:7.3f} of the loop")
    print(f"  {'memory: pairs loaded':48}{loaded_mib:8.0f} MiB")
    print(f"  {'memory: more at the peak of evaluate':48}{more_mib:8.0f} MiB")
    print(f"  {'largest difference':48}{error:8.1e}")
    return int(error > 1e-12 or parts_s > loop_s / 5)


if __name__ == "__main__":
    sys.exit(main())
