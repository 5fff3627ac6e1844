"""Random numbers: one generator per item, told apart by name."""

from __future__ import annotations

import hashlib
import json

import numpy as np


def rng_for(seed: int, *names: str | int) -> np.random.Generator:
    """A random generator for one item; items with different names share no numbers.

    What an item draws depends on the seed and its names alone: not on other items, their order,
    or the process (Python's ``hash`` of a text differs from process to process).

    Args:
        seed: of the run, 0 or more.
        names: what the numbers are for, e.g. ``"pairs", chain_id``. ``1`` and ``"1"`` differ.

    >>> int(rng_for(0, "pairs", "chain-7").integers(1000))
    365
    """
    digest = hashlib.sha256(json.dumps(names).encode()).digest()
    return np.random.default_rng([seed, *digest])
