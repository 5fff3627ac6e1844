"""What the layouts of two responses share: the chain of a pair, and accuracy with ties told."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from wfine_utils.benchmarks.layout import Label
from wfine_utils.benchmarks.tables import Row, by_subset, nan_rate, part
from wfine_utils.chains.gold import Gold
from wfine_utils.chains.taxonomy import Chain, Response, Turn
from wfine_utils.weval.scorers import Scores

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


def accuracy_rows(labels: Sequence[Label], scores: Scores) -> list[Row]:
    """Strict accuracy of pairs: a tie is wrong, and so is a pair with a response without a score.

    With the shares of ties and of responses without a score beside it.
    """
    chosen, rejected = np.stack(scores).T
    right = (chosen > rejected).astype(float)
    subsets = by_subset("accuracy", right, labels)[:-1]  # no benchmark of pairs takes their mean
    tied = Row("tie_rate", "all", [part((chosen == rejected).astype(float))])
    return [Row("accuracy", "all", [part(right)]), *subsets, tied, nan_rate(scores)]
