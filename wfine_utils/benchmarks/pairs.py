"""What the layouts of two responses share: the chain of a pair, and accuracy with ties told."""

from __future__ import annotations

import numpy as np
import pandas as pd

from wfine_utils.benchmarks.layout import Examined
from wfine_utils.benchmarks.tables import Row, by_subset, nan_rate, part, table
from wfine_utils.chains.gold import Gold
from wfine_utils.chains.taxonomy import Chain, Response, Turn

_FIRST_IS_BETTER = Gold(better=((0, 1),))  # one object for all pairs


def pair_chain(
    chain_id: str,
    instruction: str,
    chosen: str,
    rejected: str,
    topic: str = "",
    before: tuple[Turn, ...] = (),
) -> Chain:
    """The chain of two responses of which the first is better."""
    responses = (Response(chosen, ()), Response(rejected, ()))
    return Chain(chain_id, None, instruction, (), responses, topic, before, judged=_FIRST_IS_BETTER)


def accuracy(examined: Examined) -> pd.DataFrame:
    """Official metric: the share of the pairs whose chosen response has the higher score.

    Of all pairs and of those of each subset. A tie is wrong, and so is a pair with a response
    without a score; the shares of both stand beside it.
    """
    _, labels, scores, _, boot = examined
    assert scores is not None
    chosen, rejected = np.stack(scores).T
    right = (chosen > rejected).astype(float)
    subsets = by_subset("accuracy", right, labels)[:-1]  # no benchmark of pairs takes their mean
    tied = Row("tie_rate", "all", [part((chosen == rejected).astype(float))])
    return table([Row("accuracy", "all", [part(right)]), *subsets, tied, nan_rate(scores)], boot)
