"""What the answers of week 2 are examined for."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
from scipy import stats

from wfine_course.checking import (
    Refusal,
    as_number,
    as_numbers,
    described,
    examine_test,
    expect,
    is_close,
)  # fmt: skip
from wfine_course.week2 import lab

HELPERS = {"np": np, "math": math}


def nested_kept(nested_kept: Callable[..., Any]) -> None:
    """Kept flags of a nested chain, for every order of two to four requirements."""
    for n in (4, 2, 3):
        for order in itertools.permutations(range(n)):
            call = f"nested_kept({order})"
            flags = _flags(nested_kept(order), call, n)
            expect(
                all(flags[0]),
                f"`{call}` begins with {flags[0]}; the best response comes first, and it keeps "
                "every requirement.",
            )
            counts = [sum(row) for row in flags]
            expect(
                counts == [*range(n, -1, -1)],
                f"`{call}` keeps {counts} requirements from step to step, expected "
                f"{[*range(n, -1, -1)]}: what was dropped stays dropped, and one more is.",
            )
            for step in range(n):
                dropped = {i for i in range(n) if not flags[step + 1][i]}
                expect(
                    dropped == set(order[: step + 1]),
                    f"`{call}`, step {step + 1}: {sorted(dropped)} are dropped, expected "
                    f"{sorted(order[: step + 1])}.",
                )


def _flags(value: object, call: str, n: int) -> list[tuple[bool, ...]]:
    try:
        rows = [tuple(map(bool, row)) for row in value]  # type: ignore[attr-defined]
    except TypeError:
        raise Refusal(f"`{call}` gives back {described(value)}, expected rows of flags.") from None
    expect(
        len(rows) == n + 1 and {len(row) for row in rows} == {n},
        f"`{call}` gives back {len(rows)} rows of {sorted({len(row) for row in rows})} flags, "
        f"expected {n + 1} rows, one a response, of {n} flags, one a requirement.",
    )
    return rows


def balanced_orders(balanced_orders: Callable[..., Any]) -> None:
    """A Latin square: every requirement at every step exactly once."""
    for n in (2, 4, 5):
        call = f"balanced_orders({n})"
        try:
            orders = [tuple(map(int, order)) for order in balanced_orders(n)]
        except TypeError:
            raise Refusal(f"`{call}` does not give back a list of orders.") from None
        expect(len(orders) == n, f"`{call}` gives back {len(orders)} orders, expected {n}.")
        for order in orders:
            expect(
                sorted(order) == [*range(n)],
                f"`{call}` has the order {order}, expected each of 0 to {n - 1} once.",
            )
        for step in range(n):
            here = sorted(order[step] for order in orders)
            expect(
                here == [*range(n)],
                f"`{call}`: at step {step + 1} the requirements {here} are dropped, expected each "
                f"of {[*range(n)]} once. Look at the orders as rows of a table, and read a column.",
            )


def wilson(wilson: Callable[..., Any]) -> None:
    """Wilson's interval, against SciPy."""
    for k, n in ((25, 40), (556, 556), (0, 30), (1, 2), (9, 10)):
        known = stats.binomtest(k, n).proportion_ci(method="wilson")
        call = f"wilson({k}, {n})"
        low, high = as_numbers(wilson(k, n), call, 2)
        hint = "Is the centre where it should be, and is the half-width divided as well?"
        if low == high:
            hint = "An interval without width says that more of them would have taught nothing."
        expect(
            is_close(low, float(known.low), 1e-4) and is_close(high, float(known.high), 1e-4),
            f"`{call}` gives [{low:.4f}, {high:.4f}], and SciPy "
            f"[{known.low:.4f}, {known.high:.4f}]. {hint}",
        )


def pair_yield(pair_yield: Callable[..., Any]) -> None:
    """The share of pairs that survive the filter, against 200,000 simulated pairs."""
    rng = np.random.default_rng(0)
    for n, broken, chance in ((4, 0.1, 0.2), (4, 0.1, 0.5), (2, 0.3, 0.1)):
        chosen = (rng.random((200_000, n)) > broken).all(axis=1)
        kept = (rng.random((200_000, n - 1)) > broken).all(axis=1)
        seen = float((chosen & kept & (rng.random(200_000) > chance)).mean())
        call = f"pair_yield({n}, {broken}, {chance})"
        got = as_number(pair_yield(n, broken, chance), call)
        expect(
            abs(got - seen) < 0.006,
            f"`{call}` gives {got:.3f}, and of 200,000 simulated pairs {seen:.3f} are as their "
            "labels say. A pair has two sides: what has to go well in each?",
        )


def load_split(load_split: Callable[..., Any]) -> None:
    """The mended loader of the lab."""
    files = lab.example_files()
    for split in lab.SPLITS:
        call = f'load_split(files, "{split}")'
        got = load_split(files, split)
        expect(got is not None, f"`{call}` gives back nothing. Is there a `return`?")
        try:
            ids = [chain.chain_id for chain in got]
        except (TypeError, AttributeError):
            raise Refusal(f"`{call}` gives back {described(got)}, expected chains.") from None
        wanted = [chain.chain_id for chain in files[f"chains_{split}"]]
        strangers = sorted({x.split("-")[0] for x in ids} - {split})
        expect(not strangers, f"`{call}` gives back chains of {', '.join(strangers)}.")
        expect(
            sorted(ids) == sorted(wanted),
            f"`{call}` gives back {len(ids)} chains, expected all {len(wanted)} of that file.",
        )


def my_test(my_test: Callable[..., Any]) -> None:
    """The student's test: passes what is right, fails on what is wrong."""
    examine_test(my_test, lab.RIGHT, lab.WRONG)
