"""Which chains are learnt from and which are tested on, and a control for the test.

Splits and folds keep the chains of a topic together, so that nothing about it leaks.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from wfine_utils.chains.taxonomy import Chain
from wfine_utils.errors import WfineError

SPLITS = ("train", "validation", "test")


def split_chains(
    chains: Sequence[Chain], fractions: Sequence[float], seed: int
) -> dict[str, list[Chain]]:
    """Split chains so that no topic is in two parts.

    The unit that stays together is the topic. A chain without one is kept together with those of
    the same base task, so that a repeated task cannot leak: with their topic, where one of them has
    one. Case, spaces and the coding of accents make no difference.

    Args:
        fractions: shares of the *units* for train, validation and test, 1 in all; a part with a
            share above 0 gets at least one unit.
        seed: of the draw, which does not depend on the order of ``chains``.

    Returns:
        ``{"train": …, "validation": …, "test": …}``, each in the order of ``chains``.

    Raises:
        WfineError: the fractions are not three shares, or there are fewer units than parts.
    """
    shares = np.asarray(fractions, dtype=float)
    if shares.shape != (3,) or not (shares >= 0).all() or abs(shares.sum() - 1) > 1e-9:
        raise WfineError(
            f"fractions: found {list(fractions)}, expected three shares from 0 to 1 that sum to 1."
        )
    units = _units(chains)
    names = sorted(set(units))
    parts = int((shares > 0).sum())
    if len(names) < parts:
        raise WfineError(
            f"fractions: found {len(names)} different topics (or base tasks of chains without a "
            f"topic) in {len(chains)} chains, expected at least {parts}, one for each part; load "
            "more chains or set a share to 0."
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


def _units(chains: Sequence[Chain]) -> list[str]:
    """What keeps each chain together with others: its topic, or else its base task."""
    topics = [_same_text(chain.topic) for chain in chains]
    tasks = [_same_text(chain.base_task) for chain in chains]
    known = sorted(zip(tasks, topics, strict=True), reverse=True)  # the first topic comes last
    topic_of = {task: topic for task, topic in known if topic}
    pairs = zip(topics, tasks, strict=True)
    return [topic or topic_of.get(task, task) for topic, task in pairs]


def _same_text(text: str) -> str:
    """One spelling of texts that differ in case, spaces, or how an accent is coded."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def folds(chains: Sequence[Chain], n_folds: int, seed: int) -> list[list[Chain]]:
    """The chains in ``n_folds`` parts of about equal size, no topic in two of them.

    Args:
        n_folds: at least 2.
        seed: of the draw, which does not depend on the order of the chains.

    Raises:
        WfineError: fewer than two folds, or fewer topics (or base tasks, as above) than folds.
    """
    if n_folds < 2:
        raise WfineError(f"n_folds: found {n_folds}, expected 2 or more.")
    parts, rest = [], list(chains)
    for n_left in range(n_folds, 1, -1):
        split = split_chains(rest, (1 - 1 / n_left, 0, 1 / n_left), seed)
        parts.append(split["test"])
        rest = split["train"]
    return [*parts, rest]


def swap_requirements(chains: Sequence[Chain]) -> list[Chain]:
    """Each chain's responses with the requirements of the next chain, in the order of the chains.

    A control: a reward model that reads the requirement should rank these responses worse. If it
    does not, it sees in the response alone how much was to be met, or all chains are alike.

    Args:
        chains: at least two, all with the same number of requirements.

    Raises:
        WfineError: fewer chains, or different numbers of requirements.
    """
    sizes = {len(chain.requirements) for chain in chains}
    if len(chains) < 2 or len(sizes) > 1:
        raise WfineError(
            f"chains: found {len(chains)} with {sorted(sizes)} requirements, expected two or more "
            "that have the same number, to swap requirements between them."
        )
    pairs = zip(chains, [*chains[1:], chains[0]], strict=True)
    return [replace(chain, requirements=other.requirements) for chain, other in pairs]
