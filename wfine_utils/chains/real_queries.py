"""Writing tasks with one to four requirements each, for policies to write to.

The texts, their datasheet and their licence (CC-BY-4.0) are in ``wfine_utils/real_queries/``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from wfine_utils.chains.files import load_queries
from wfine_utils.chains.taxonomy import Query

REAL_QUERIES = Path(__file__).parents[1] / "real_queries"
Split = Literal["train", "validation", "test"]


def load_real_queries(split: Split) -> list[Query]:
    """The real queries of a split; each has a topic that no other query has.

    Args:
        split: "train" (440, to train a policy on), "validation" (60, to choose settings by) or
            "test" (180, for results alone).
    """
    return load_queries(REAL_QUERIES / f"{split}.jsonl")
