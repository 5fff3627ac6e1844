"""WEval-Hand: sixty chains of natural prose, drafted by a language model and revised.

The texts, their datasheet and their licence (CC-BY-4.0) are in ``wfine_utils/weval_hand/``.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Literal

from wfine_utils.chains.files import load_chains
from wfine_utils.chains.taxonomy import Chain

FOLDER = Path(__file__).parents[1] / "weval_hand"
WEVAL_HAND_CHAINS = FOLDER / "weval_hand.jsonl"
WEVAL_HAND_SPLIT = FOLDER / "weval_hand_split.json"


def load_weval_hand(split: Literal["dev", "test"] | None = None) -> list[Chain]:
    """The chains of WEval-Hand, their responses best first.

    Args:
        split: "dev" (20 chains, to look at and to tune on), "test" (40, for results alone), or
            None for all of them. No split shares a topic with another.
    """
    chains = load_chains(WEVAL_HAND_CHAINS)
    if split is None:
        return chains
    wanted = set(json.loads(WEVAL_HAND_SPLIT.read_text(encoding="utf-8"))[split])
    return [chain for chain in chains if chain.chain_id in wanted]
