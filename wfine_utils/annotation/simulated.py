"""A class of readers who do not exist, to see what agreement looks like before anybody ranks."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy.stats import rankdata

from wfine_utils.annotation.files import ANNOTATION_COLUMNS
from wfine_utils.chains.taxonomy import Chain
from wfine_utils.errors import WfineError
from wfine_utils.seeds import rng_for


def simulated_class(
    chains: Sequence[Chain], error_rates: Sequence[float], seed: int
) -> pd.DataFrame:
    """Rankings of simulated readers, who know the gold and sometimes mistake a text for another.

    With a probability of its error rate a reader sees, in place of the gold of a response, that of
    a response of the same chain drawn at random; what looks equal gets equal ranks. With the rate 0
    a reader ranks by gold, with 1 as if blind.

    Args:
        chains: with a known gold of every response.
        error_rates: one per reader, between 0 and 1.
        seed: of the errors; those of a reader in a chain depend on neither the others nor the order
            of the chains.

    Returns:
        Columns :data:`~wfine_utils.annotation.files.ANNOTATION_COLUMNS`, as of real annotations.
        The readers are called "simulated 1 (10 % errors)" and so on, which no pseudonym can be.

    Raises:
        WfineError: no chains, no rates, a rate outside 0 to 1, or a response of unknown gold.

    >>> from wfine_utils.chains import load_weval_hand
    >>> simulated_class(load_weval_hand("dev")[:1], [0.0], seed=0)["rank"].tolist()
    [1.0, 2.0, 3.0, 4.0, 5.0]
    """
    if not chains or not error_rates or not all(0 <= rate <= 1 for rate in error_rates):
        raise WfineError(
            f"simulated_class: found {len(chains)} chains and the error rates "
            f"{list(error_rates)}; expected a chain and a rate at least, rates between 0 and 1."
        )
    rows = []
    for number, rate in enumerate(error_rates, start=1):
        name = f"simulated {number} ({rate:.0%} errors)".replace("%", " %")
        for chain in chains:
            gold = np.array(chain.gold, dtype=float)
            if np.isnan(gold).any():
                raise WfineError(
                    f"simulated_class: found no gold for a response of chain {chain.chain_id!r}, "
                    "expected one for each. Leave the chain out."
                )
            rng = rng_for(seed, "simulated class", number, chain.chain_id)
            is_wrong = rng.random(len(gold)) < rate
            seen = np.where(is_wrong, rng.choice(gold, len(gold)), gold)
            ranks = rankdata(-seen, "min").astype(float).tolist()
            rows += [(name, chain.chain_id, i, rank) for i, rank in enumerate(ranks)]
    return pd.DataFrame(rows, columns=list(ANNOTATION_COLUMNS))
