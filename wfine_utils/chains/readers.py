"""Chains that people have graded: who they are, and the gold of each by itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from wfine_utils.chains.taxonomy import Chain
from wfine_utils.errors import WfineError


def reader_names(chains: Sequence[Chain]) -> list[str]:
    """The names of all who have graded a response of these chains, sorted."""
    return sorted({name for chain in chains if chain.judged for name in chain.judged.grades})


def of_reader(chains: Sequence[Chain], reader: str) -> list[Chain]:
    """The chains in which a reader graded two responses or more, with this reader's gold alone.

    Raises:
        WfineError: there is no such chain.
    """
    own = [
        replace(chain, judged=chain.judged.of(reader))
        for chain in chains
        if chain.judged and sum(g is not None for g in chain.judged.grades.get(reader, ())) > 1
    ]
    if not own:
        raise WfineError(
            f"readers: found no chain of which {reader!r} has graded two responses, expected one "
            f"of the readers {', '.join(reader_names(chains)) or '(none)'}."
        )
    return own
