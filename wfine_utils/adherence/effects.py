"""What else a policy's texts have become: less varied, less fluent, all alike.

A policy that is trained for one thing pays with others. These measures know nothing of
requirements, and no policy is trained for them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from wfine_utils.checks.words import words

DISTINCT, OWN = "distinct bigrams (share)", "bigrams in no other text (share)"
FLUENCY = "fluency (nats)"

Fluency = Callable[[Sequence[str]], NDArray[np.float64]]
"""Mean log-likelihood of n texts under a language model that reads no prompt, float64 [n]."""


def side_effects(texts: Sequence[str], fluency: Fluency | None = None) -> pd.DataFrame:
    """How varied and how fluent a policy's texts are.

    Args:
        texts: n texts of one policy, to different prompts.
        fluency: of a language model that none of the policies is; None leaves the measure out.

    Returns:
        n rows. ``DISTINCT``: different bigrams of words as a share of the text's bigrams, 1 where
        none comes twice (distinct-2); ``OWN``: the share of its different bigrams that none of the
        other texts has, which falls when a policy writes the same to every prompt. NaN for texts of
        fewer than two words. ``FLUENCY``, where it is asked for.
    """
    pairs = [_bigrams(text) for text in texts]
    in_texts = Counter(bigram for own in pairs for bigram in set(own))
    table = pd.DataFrame({
        DISTINCT: [_share(len(set(own)), len(own)) for own in pairs],
        OWN: [_share(sum(in_texts[x] == 1 for x in set(own)), len(set(own))) for own in pairs],
    })  # fmt: skip
    return table if fluency is None else table.assign(**{FLUENCY: fluency(texts)})


def _bigrams(text: str) -> list[tuple[str, str]]:
    spoken = [word.lower() for word in words(text)]
    return list(pairwise(spoken))


def _share(part: int, whole: int) -> float:
    return part / whole if whole else float("nan")
