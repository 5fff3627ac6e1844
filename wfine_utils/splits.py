"""Chains split into train, validation and test, with no topic in two parts."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from wfine_utils.errors import WfineError
from wfine_utils.taxonomy import Chain

SPLITS = ("train", "validation", "test")


def split_chains(
    chains: Sequence[Chain], fractions: Sequence[float], seed: int
) -> dict[str, list[Chain]]:
    """Split chains so that no topic is in two parts.

    The unit that stays together is the topic; where topics are not labelled it is the base
    task (without regard to case and spaces), so that a repeated task cannot leak.

    Args:
        chains: the chains.
        fractions: shares of the *units* for train, validation and test; they sum to 1. Each
            part with a share above 0 gets at least one unit.
        seed: seed of the draw. The draw does not depend on the order of ``chains``.

    Returns:
        ``{"train": …, "validation": …, "test": …}``, each in the order of ``chains``.

    Raises:
        WfineError: the fractions are not three shares, or there are fewer units than parts.
    """
    shares = np.asarray(fractions, dtype=float)
    if shares.shape != (3,) or not (shares >= 0).all() or abs(shares.sum() - 1) > 1e-9:
        raise WfineError(
            f"fractions: found {list(fractions)}, expected three shares from 0 to 1 that sum to "
            "1, for train, validation and test."
        )
    by_topic = all(chain.topic for chain in chains)
    units = [c.topic if by_topic else " ".join(c.base_task.casefold().split()) for c in chains]
    names = sorted(set(units))
    parts = int((shares > 0).sum())
    if len(names) < parts:
        raise WfineError(
            f"fractions: found {len(names)} different {'topics' if by_topic else 'base tasks'} in "
            f"{len(chains)} chains, expected at least {parts}, one for each part; load more "
            "chains or set a share to 0."
        )
    counts = (shares > 0).astype(int)
    for _ in range(len(names) - parts):  # each next unit to the part that lacks most
        counts[np.argmax(shares * len(names) - counts)] += 1
    order = np.random.default_rng(seed).permutation(len(names))
    labels = np.repeat(np.arange(3), counts)
    part_of = {names[i]: SPLITS[label] for i, label in zip(order, labels, strict=True)}
    split: dict[str, list[Chain]] = {name: [] for name in SPLITS}
    for chain, unit in zip(chains, units, strict=True):
        split[part_of[unit]].append(chain)
    return split
