"""A file of chains too large for memory, read chain by chain as often as one likes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from wfine_utils.data import detect_format, load_chains, stream_chains
from wfine_utils.readers import Problems
from wfine_utils.taxonomy import Chain


class ChainFile:
    """A file of chains that is checked when it is opened, and then read as often as one likes.

    Our own layout is read chain by chain. The authors' two layouts are loaded whole, because in
    one of them the responses of a chain lie far apart.

    Args:
        path: the file; see :func:`wfine_utils.data.load_chains`.
        format: one of ``FORMATS``.

    Attributes:
        n_chains: number of chains.
        n_responses: number of responses.

    Raises:
        WfineError: as :func:`wfine_utils.data.load_chains`.
    """

    def __init__(self, path: str | Path, format: str = "auto") -> None:
        self._path, self._whole = Path(path), None
        if format == "auto":
            format = detect_format(self._path)
        if format != "wfine":
            self._whole = load_chains(self._path, format)
        sizes = [len(chain.responses) for chain in self]
        self.n_chains, self.n_responses = len(sizes), sum(sizes)

    def __iter__(self) -> Iterator[Chain]:
        """The chains, in the order of the file."""
        if self._whole is not None:
            yield from self._whole
            return
        unit = "row " if self._path.suffix.lower() in (".parquet", ".pq") else ""
        problems = Problems(self._path, unit, "wfine")
        yield from stream_chains(self._path, problems)
        problems.raise_if_any()


def portions(chains: Iterable[Chain], n_responses: int) -> Iterator[list[Chain]]:
    """Cut a stream of chains into lists of at most so many responses, and of one chain at least."""
    current: list[Chain] = []
    n_current = 0
    for chain in chains:
        if current and n_current + len(chain.responses) > n_responses:
            yield current
            current, n_current = [], 0
        current.append(chain)
        n_current += len(chain.responses)
    if current:
        yield current
