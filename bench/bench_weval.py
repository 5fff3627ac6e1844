"""How much faster is ``weval.evaluate`` than a loop over ``scipy.stats.kendalltau``?

Both get the same 20,000 chains of five responses. The loop computes one metric, without an
interval; ``evaluate`` computes eight metrics for every category and requirement type, with
1,000 bootstrap draws each. Run by ``make bench``; fails if the values differ by more than 1e-12.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.stats import kendalltau

from wfine_utils.chains.taxonomy import Chain, Requirement, RequirementType, Response, TaskCategory
from wfine_utils.weval.evaluation import evaluate, per_chain

N_CHAINS, N_BOOT, REPEATS = 20_000, 1_000, 5


def make_chains(n_chains: int, rng: np.random.Generator) -> list[Chain]:
    """Labelled five-level chains with four requirements, dropped in random order."""
    categories, types = list(TaskCategory), list(RequirementType)
    texts = [f"Meet requirement {k}." for k in range(4)]
    chains = []
    for i in range(n_chains):
        order = rng.permutation(4)
        requirements = tuple(
            Requirement(types[k], None, text) for k, text in zip(rng.permutation(4), texts)
        )
        levels = [tuple(bool(order[k] < level) for k in range(4)) for level in range(5)]
        responses = tuple(Response("text", levels[k]) for k in rng.permutation(5))
        category = categories[i % len(categories)]
        chains.append(Chain(f"chain-{i}", category, "Write.", requirements, responses))
    return chains


def timed(work: Callable[[], Any], repeats: int) -> tuple[float, Any]:
    """Median seconds of ``repeats`` runs, and the last result."""
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        result = work()
        seconds.append(time.perf_counter() - start)
    return float(np.median(seconds)), result


def main() -> int:
    """Print both times, their ratio and the largest difference; 1 if values disagree."""
    rng = np.random.default_rng(0)
    chains = make_chains(N_CHAINS, rng)
    noise = rng.normal(size=(N_CHAINS, 5)) + 0.3 * np.array([c.gold for c in chains])
    worst = 0.0
    for name, table in (("continuous scores", noise), ("scores 1-5, many ties", noise.round())):
        scores = list(table)
        loop_s, by_loop = timed(
            lambda s=scores: [
                kendalltau(c.gold, x).statistic for c, x in zip(chains, s, strict=True)
            ],
            1,
        )
        point_s, by_chain = timed(lambda s=scores: per_chain(chains, s), REPEATS)
        full_s, frame = timed(lambda s=scores: evaluate(chains, s, n_boot=N_BOOT), REPEATS)
        expected = np.nan_to_num(np.array(by_loop))  # NaN is SciPy's answer for equal scores
        error = np.abs(by_chain["kendall_tau_b"].to_numpy() - expected).max()
        mean_error = abs(frame["value"].iloc[0] - expected.mean())
        worst = max(worst, error, mean_error)
        print(f"{N_CHAINS} five-level chains, {name}")
        print(f"  {'loop over scipy.stats.kendalltau':38}{loop_s:8.3f} s")
        for what, seconds in (
            ("weval.per_chain, eight metrics", point_s),
            (f"weval.evaluate, {N_BOOT} bootstrap draws", full_s),
        ):
            print(f"  {what:38}{seconds:8.3f} s   {loop_s / seconds:5.0f} x")
        print(f"  {'largest difference of tau-b':38}{max(error, mean_error):8.1e}")
    return int(worst > 1e-12)


if __name__ == "__main__":
    sys.exit(main())
