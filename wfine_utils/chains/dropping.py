"""Requirement dropping: drop plans, and chains of responses written to them.

Dropping requirements from the instruction and writing to what is left gives a response that
should be worse on exactly what was dropped. Chains of such responses rank themselves (WEval), and
two responses that differ by one dropped requirement make a preference pair (WRL).

Source: arXiv 2604.27453, sections on WEval and WRL. Differences from it: the drop order can be
balanced instead of random, so that no requirement type is dropped first more often than another;
chains go down to no requirement; whether a drop is one is checked (``checks.drop_validity``).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Literal

import numpy as np
from tqdm.auto import tqdm

from wfine_utils.chains.taxonomy import Chain, Query, Response
from wfine_utils.seeds import rng_for

Writer = Callable[[Query, Sequence[bool], np.random.Generator], str]
"""Anything that answers a query with only the kept requirements in the instruction."""

MIN_FOR_PROGRESS_BAR = 200
"""With fewer chains to build there is no progress bar: it would be gone in a moment."""

KeptSet = tuple[bool, ...]
OrderPlan = Literal["random", "balanced"]
Plan = Literal["single"] | OrderPlan


def single_drops(n_requirements: int) -> list[KeptSet]:
    """Everything kept, then each requirement dropped alone.

    >>> single_drops(2)
    [(True, True), (False, True), (True, False)]
    """
    keep_all = [(True,) * n_requirements]
    return keep_all + [tuple(j != i for j in range(n_requirements)) for i in range(n_requirements)]


def nested_drops(order: Sequence[int]) -> list[KeptSet]:
    """Everything kept, then one more requirement dropped at each step, down to none.

    Args:
        order: a permutation of the requirement indices; ``order[0]`` is dropped first.

    Raises:
        ValueError: ``order`` is not a permutation of 0 … n−1.

    >>> nested_drops([1, 0])
    [(True, True), (True, False), (False, False)]
    """
    n = len(order)
    if sorted(order) != list(range(n)):
        raise ValueError(f"order {list(order)} is not a permutation of 0 to {n - 1}")
    return [tuple(i not in order[:level] for i in range(n)) for level in range(n + 1)]


def drop_orders(
    n_requirements: int, n_chains: int, *, plan: OrderPlan, seed: int
) -> list[tuple[int, ...]]:
    """In which order each chain drops its requirements.

    ``random`` draws every order by itself. ``balanced`` goes in blocks of ``n_requirements``
    chains: a block is the cyclic Latin square of a freshly drawn order, its rows shuffled, so that
    in it every requirement is dropped exactly once at every step. Over the whole list the counts
    of any two requirements at one step differ by at most one.

    Args:
        n_requirements: per query, at least 1.
        seed: order k depends on the seed and k alone, not on ``n_chains``.

    Returns:
        ``n_chains`` permutations of 0 … n_requirements−1.
    """
    if plan == "random":
        rngs = (rng_for(seed, "drop order", k) for k in range(n_chains))
        return [tuple(rng.permutation(n_requirements).tolist()) for rng in rngs]
    if plan != "balanced":
        raise ValueError(f"unknown plan {plan!r}; known: 'random', 'balanced'")
    orders: list[tuple[int, ...]] = []
    for block in range(-(-n_chains // n_requirements)):
        rng = rng_for(seed, "drop orders", block)
        base, shifts = rng.permutation(n_requirements), rng.permutation(n_requirements)
        orders += [tuple(np.roll(base, shift).tolist()) for shift in shifts]
    return orders[:n_chains]


def build_chain(
    chain_id: str,
    query: Query,
    kept_sets: Sequence[Sequence[bool]],
    writer: Writer,
    rng: np.random.Generator,
    source: str = "",
) -> Chain:
    """One chain: the writer answers the query once for each kept set, in the order given."""
    flags = (tuple(kept) for kept in kept_sets)
    responses = tuple(Response(writer(query, kept, rng), kept, source) for kept in flags)
    return Chain(
        chain_id, query.category, query.base_task, query.requirements, responses, query.topic
    )


def build_chains(
    queries: Sequence[Query],
    plan: Plan,
    writer: Writer,
    seed: int,
    *,
    prefix: str = "chain",
    source: str = "",
) -> list[Chain]:
    """Chains for many queries, with a progress bar if they are many.

    Each chain has a generator of its own, drawn from ``(seed, prefix, index)``, so a chain does not
    change when others are added behind it or are written in another order.

    Args:
        plan: ``"single"`` (:func:`single_drops`), or nested drops in ``"random"`` or ``"balanced"``
            order (:func:`drop_orders`). Balanced are the requirement *types*, wherever they stand
            in the prompt, among the queries that carry the same types; unlabelled requirements are
            balanced by their place in the prompt.
        seed: of the drop orders and of the writer.
        prefix: chain ids are ``prefix-00000``, ``prefix-00001``, …
        source: recorded with every response, e.g. the writer's name.

    Returns:
        One chain per query, in the order of ``queries``.
    """
    if plan == "single":
        plans = [single_drops(len(query.requirements)) for query in queries]
    else:
        plans = _nested_plans(queries, plan, seed)
    bar = tqdm(
        zip(queries, plans, strict=True), f"{prefix} ({plan})", len(queries),
        leave=False, disable=len(queries) < MIN_FOR_PROGRESS_BAR,
    )  # fmt: skip
    return [
        build_chain(
            f"{prefix}-{k:05d}", query, kept_sets, writer, rng_for(seed, "chain", prefix, k), source
        )
        for k, (query, kept_sets) in enumerate(bar)
    ]


def _nested_plans(queries: Sequence[Query], plan: OrderPlan, seed: int) -> list[list[KeptSet]]:
    """Nested drops whose orders are drawn among the queries that carry the same types."""
    # Types and places of a query's requirements, by type, and of one type as in the prompt.
    typed = [
        sorted((str(r.type or ""), place) for place, r in enumerate(query.requirements))
        for query in queries
    ]
    carried = [tuple(type_ for type_, _ in pairs) for pairs in typed]
    orders = {
        types: iter(drop_orders(len(types), n, plan=plan, seed=seed))
        for types, n in Counter(carried).items()
    }
    return [
        nested_drops([pairs[step][1] for step in next(orders[types])])
        for types, pairs in zip(carried, typed, strict=True)
    ]
