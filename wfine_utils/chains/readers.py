"""The people who have graded chains."""

from __future__ import annotations

from collections.abc import Sequence

from wfine_utils.chains.taxonomy import Chain


def reader_names(chains: Sequence[Chain]) -> list[str]:
    """The names of all who have graded a response of these chains, sorted."""
    return sorted({name for chain in chains if chain.judged for name in chain.judged.grades})
