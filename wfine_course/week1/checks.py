"""What the answers of week 1 are examined for."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
from scipy import stats

from wfine_course.checking import as_number, as_numbers, described, examine_test, expect, is_close
from wfine_course.week1 import lab
from wfine_utils.chains.taxonomy import Chain, Requirement, Response

HELPERS = {"np": np, "itertools": itertools, "math": math}


def tau_b(tau_b: Callable[..., Any]) -> None:
    """Kendall's tau-b: against SciPy on 200 drawn chains, and 0 where a side is all ties."""
    rng = np.random.default_rng(1)
    for _ in range(200):
        gold, score = rng.permutation(5), rng.integers(0, 4, 5)
        wanted = float(stats.kendalltau(gold, score).statistic)
        if math.isnan(wanted):
            continue
        call = f"tau_b({gold.tolist()}, {score.tolist()})"
        got = as_number(tau_b(gold, score), call)
        expect(
            is_close(got, wanted),
            f"`{call}` gives {got:.3f}, and SciPy says {wanted:.3f}. How many of these pairs are "
            "tied, and where do they belong: above the line, below it, nowhere?",
        )
    ties, order = np.ones(5, dtype=int), np.arange(5)
    for gold, score in ((order, ties), (ties, order)):
        call = f"tau_b({gold.tolist()}, {score.tolist()})"
        got = as_number(tau_b(gold, score), call)
        expect(
            got == 0,
            f"`{call}` gives {got}, expected 0: where one side is all ties, nothing was ranked.",
        )


def pairwise_accuracy(pairwise_accuracy: Callable[..., Any]) -> None:
    """The share of pairs in the right order: a tie is half, equal gold is no pair."""
    cases = (
        ([0, 1, 2], [0, 1, 2], 1.0, "every pair is in the right order"),
        ([0, 1, 2], [2, 1, 0], 0.0, "every pair is in the wrong order"),
        ([0, 1, 2, 3, 4], [7, 7, 7, 7, 7], 0.5, "a constant tosses a coin on every pair, and a tie "
         "counts one half"),
        ([0, 0, 1], [5, 1, 9], 1.0, "two responses of equal gold are no pair: nobody knows which "
         "is better"),
        ([0, 1, 2], [0, 0, 1], 5 / 6, "two pairs are right and one is tied: 2.5 of 3"),
        ([1, 0], [0.2, 0.1], 1.0, "gold may stand in any order"),
    )  # fmt: skip
    for gold, score, wanted, reason in cases:
        call = f"pairwise_accuracy({gold}, {score})"
        got = as_number(pairwise_accuracy(np.array(gold), np.array(score)), call)
        expect(is_close(got, wanted), f"`{call}` gives {got:.3f}, expected {wanted:.3f}: {reason}.")


def null_position_consistency(null_position_consistency: Callable[..., Any]) -> None:
    """What a constant and a random scorer get, against all orders of 2 to 6 responses."""
    for n in (2, 3, 4, 5, 6):
        places = np.arange(n)
        orders = np.array([*itertools.permutations(range(n))])
        wanted_random = 1 - np.abs(orders - places).mean() / (n - 1)
        wanted_constant = 1 - np.abs(places - places.mean()).mean() / (n - 1)
        call = f"null_position_consistency({n})"
        constant, random = as_numbers(null_position_consistency(n), call, 2)
        expect(
            is_close(random, wanted_random),
            f"`{call}`, the random scorer: over all {math.factorial(n)} orders the mean is "
            f"{wanted_random:.4f}, and you say {random:.4f}.",
        )
        expect(
            is_close(constant, wanted_constant),
            f"`{call}`, the constant scorer: every response has the mean place {places.mean():g}, "
            f"which makes {wanted_constant:.4f}, and you say {constant:.4f}.",
        )


def _chain(name: str, *texts: str) -> Chain:
    requirements = tuple(Requirement(None, None, f"Requirement {i}.") for i in range(len(texts)))
    responses = tuple(
        Response(text, tuple(j >= i for j in range(len(texts)))) for i, text in enumerate(texts)
    )
    return Chain(name, None, "Write.", requirements, responses)


def QuestionMarks(QuestionMarks: Callable[..., Any]) -> None:
    """A scorer: one array per chain, one number per response, NaN where there is no text."""
    chains = [_chain("a", "Who? Me?", "No.", ""), _chain("b", "a b c d?", "x")]
    scorer = QuestionMarks()
    expect(
        isinstance(getattr(scorer, "name", None), str),
        "a scorer has a `name`, which tables call it by; this one has none.",
    )
    scores = scorer.score(chains)
    expect(scores is not None, "`score(chains)` gives back nothing. Is there a `return`?")
    expect(
        isinstance(scores, list | tuple) and len(scores) == len(chains),
        f"`score(chains)` gives back {described(scores)} for two chains, expected a list with one "
        "array for each chain.",
    )
    first = as_numbers(scores[0], "score(chains)[0]", 3)
    second = as_numbers(scores[1], "score(chains)[1]", 2)
    expect(
        math.isnan(first[2]),
        f"an empty response gets {first[2]}. It cannot be scored, so it gets `np.nan`, which is "
        "counted; a 0 would be a grade like any other.",
    )
    wanted = {"Who? Me?": (first[0], 100), "No.": (first[1], 0), "a b c d?": (second[0], 25)}
    for text, (got, right) in wanted.items():
        expect(
            is_close(got, right),
            f"“{text}” has {text.count('?')} question marks in {len(text.split())} words, which is "
            f"{right} in 100 words; you say {got:g}.",
        )


def mean_tau(mean_tau: Callable[..., Any]) -> None:
    """The mended function of the lab, by the test of the lab."""

    def rows(chain: str, *scores: float) -> list[dict[str, Any]]:
        return [{"chain": chain, "kept": i, "score": x} for i, x in enumerate(scores)]

    up, ties = rows("up", 0, 1, 2, 3, 4), rows("ties", 1, 1, 1, 1, 1)
    tall = rows("tall", 100, 101, 102, 103, 104)
    mixed = [row for both in zip(up, tall, strict=True) for row in both]
    cases = (
        (ties, 0.0, "a judge that gives five texts the same score knows nothing"),
        (up + ties, 0.5, "one chain ranked rightly and one not at all; the second is part of the "
         "mean"),
        (mixed, 1.0, "two chains, each ranked rightly, whose rows stand mixed"),
        (rows("four", 0, 1, 2, 3), 1.0, "a chain of four, ranked rightly"),
        (up + tall, 1.0, "two chains, each ranked rightly; scores of different chains are not "
         "compared"),
    )  # fmt: skip
    for judged, wanted, reason in cases:
        got = as_number(mean_tau(judged), "mean_tau(rows)")
        expect(is_close(got, wanted, 1e-6), f"{reason}: expected {wanted:g}, you say {got:.3f}.")


def my_test(my_test: Callable[..., Any]) -> None:
    """The student's test: passes what is right, fails on what is wrong."""
    examine_test(my_test, lab.RIGHT, lab.WRONG)
