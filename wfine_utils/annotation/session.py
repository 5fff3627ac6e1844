"""Annotation: people rank the responses of chains, blind and in random order.

An annotator sees the full instruction and the responses under the letters A, B, C, …; never how
many requirements a response was asked to keep, who wrote it, its place in the chain, or the chain's
id. The letters are dealt by a digest of seed, annotator, chain and text: each annotator has an
order of their own, the same in the next session, in which that of the file cannot show. Chains come
in the order given: annotators who stop early have then ranked the same chains.

:class:`Session` is the logic; the widgets are in :mod:`wfine_utils.annotation.form`. Each annotator
has one file, see :mod:`wfine_utils.annotation.files`, written whole after every chain.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from numbers import Integral
from pathlib import Path
from string import ascii_uppercase

import pandas as pd

from wfine_utils.annotation.files import ANNOTATION_COLUMNS, load_annotations, save_annotations
from wfine_utils.chains.records import short
from wfine_utils.chains.taxonomy import Chain
from wfine_utils.errors import WfineError
from wfine_utils.files import display_path

_PSEUDONYM = re.compile(r"[A-Za-z0-9_-]{1,32}")
_Ranks = dict[str, dict[int, float]]  # chain id: place of the response in its chain: rank


def annotation_path(folder: str | Path, annotator: str) -> Path:
    """The file of one annotator, ``<folder>/annotations_<annotator>.csv``.

    Raises:
        WfineError: ``annotator`` is no pseudonym of 1 to 32 letters, digits, ``_`` and ``-``.
    """
    if not _PSEUDONYM.fullmatch(annotator):
        raise WfineError(
            f"Pseudonym: found {short(annotator)}, expected 1 to 32 of the characters A-Z, a-z, "
            "0-9, _ and -. Choose one that does not tell who you are: it is written into the file."
        )
    return Path(folder) / f"annotations_{annotator}.csv"


def load_folder(folder: str | Path, chains: Sequence[Chain]) -> pd.DataFrame:
    """All files ``annotations_*.csv`` of a folder, which need not exist, joined.

    Args:
        chains: of interest; rankings of others are left out.

    Returns:
        Columns ``annotation.files.ANNOTATION_COLUMNS``; no rows if there are no files.

    Raises:
        WfineError: a file is broken, ranks other responses than the chains have, or two files
            hold the same annotator.
    """
    where: dict[str, Path] = {}
    rows: list[tuple[str, str, int, float]] = []
    wanted = {chain.chain_id for chain in chains}
    for path in sorted(Path(folder).glob("annotations_*.csv")):
        for annotator, part in load_annotations(path).groupby("annotator", sort=True):
            if (other := where.setdefault(str(annotator), path)) != path:
                raise WfineError(
                    f"{display_path(path)}: found annotator {short(annotator)}, who stands in "
                    f"{display_path(other)} too; expected each in one file. If these are two "
                    "people, rename one in the file; if they are copies, remove the older one."
                )
            for chain_id, ranks in _ranks_of(part, chains, path).items():
                if chain_id in wanted:
                    rows += [(str(annotator), chain_id, i, rank) for i, rank in ranks.items()]
    return _table(rows)


def _table(rows: Sequence[tuple[str, str, int, float]]) -> pd.DataFrame:
    table = pd.DataFrame(list(rows), columns=list(ANNOTATION_COLUMNS))
    return table.astype({"response": int, "rank": float})


def _ranks_of(table: pd.DataFrame, chains: Sequence[Chain], path: Path) -> _Ranks:
    """Ranks of one annotator, in the order of the file."""
    by_chain = {
        str(chain_id): dict(zip(part["response"], part["rank"], strict=True))
        for chain_id, part in table.groupby("chain_id", sort=False)
    }
    for chain in chains:
        places = set(by_chain.get(chain.chain_id, range(len(chain.responses))))
        if places != set(range(len(chain.responses))):
            raise WfineError(
                f"{display_path(path)}: found ranks of the responses {sorted(places)} of chain "
                f"{short(chain.chain_id)}, expected 0 to {len(chain.responses) - 1}. The file "
                "belongs to other chains of the same name: choose another folder."
            )
    return by_chain


class Session:
    """One annotator's way through the chains, without any widget.

    Everything saved is in the file; a new session with the same arguments goes on where the last
    one ended. Chains that the file ranks and ``chains`` does not hold stay in the file.

    Args:
        chains: what to rank, in this order; at most 26 responses each.
        annotator: a pseudonym, see :func:`annotation_path`.
        path: the annotator's file; made when the first chain is saved.
        seed: with annotator, chain and text it decides the order of the responses.

    Raises:
        WfineError: no chains, two with the same id, an id that a line of the file cannot hold,
            too many responses, no pseudonym; or the file is broken or of another annotator.
    """

    def __init__(self, chains: Sequence[Chain], annotator: str, path: str | Path, seed: int = 0):
        self.annotator, self.path, self.seed = annotator, Path(path), seed
        self.chains = tuple(chains)
        annotation_path(self.path.parent, annotator)
        self._chains = {chain.chain_id: chain for chain in chains}
        if not chains or len(self._chains) < len(chains):
            raise WfineError(
                f"Session: found {len(chains)} chains with {len(self._chains)} different ids, "
                "expected one chain at least and each once."
            )
        for chain in chains:
            if chain.chain_id.strip().splitlines() != [chain.chain_id]:
                raise WfineError(
                    f"Session: found the chain id {short(chain.chain_id)}, expected one line "
                    "without spaces around it, as an annotation file needs. Rename the chain."
                )
            if len(chain.responses) > len(ascii_uppercase):
                raise WfineError(
                    f"Session: found {len(chain.responses)} responses in chain "
                    f"{short(chain.chain_id)}, expected at most {len(ascii_uppercase)}. Give fewer."
                )
        self._ranks = self._read()
        self._queue = [chain_id for chain_id in self._chains if chain_id not in self._ranks]

    @property
    def current(self) -> Chain | None:
        """The chain to be ranked now; None when all are ranked."""
        return self._chains[self._queue[0]] if self._queue else None

    @property
    def number(self) -> int:
        """The place of the current chain among all, from 1; 0 at the end."""
        return list(self._chains).index(self._queue[0]) + 1 if self._queue else 0

    @property
    def order(self) -> tuple[int, ...]:
        """Places in the current chain, as shown: the first is called A. Empty at the end."""
        if (chain := self.current) is None:
            return ()

        def digest(place: int) -> str:
            # of the text, not of the place: so the order of the file leaves no trace
            key = [self.seed, self.annotator, chain.chain_id, chain.responses[place].text]
            return hashlib.sha256(json.dumps(key).encode()).hexdigest()

        return tuple(sorted(range(len(chain.responses)), key=digest))

    @property
    def letters(self) -> tuple[str, ...]:
        """What the responses of the current chain are called, in the order shown."""
        return tuple(ascii_uppercase[: len(self.order)])

    @property
    def earlier(self) -> tuple[int | None, ...]:
        """Ranks of the current chain in the file, as shown; None where there is no whole rank."""
        saved = self._ranks.get(self._queue[0], {}) if self._queue else {}
        ranks = [saved.get(place, 0.5) for place in self.order]
        whole = all(rank in range(1, len(ranks) + 1) for rank in ranks)
        return tuple(int(rank) if whole else None for rank in ranks)

    @property
    def progress(self) -> tuple[int, int]:
        """How many of the chains are ranked, and how many there are."""
        return sum(chain_id in self._ranks for chain_id in self._chains), len(self._chains)

    def record(self, ranks: Sequence[int | str | None]) -> None:
        """Save the ranks of the current chain and go on to the next.

        Args:
            ranks: one for each response in the order shown, from 1 (best) to the number of
                responses. Equal ranks say that responses are equally good; gaps do not matter.

        Raises:
            WfineError: no chain is left, a rank is missing or out of range, or the file cannot
                be read or written. Nothing has changed then.
        """
        if (chain := self.current) is None:
            raise WfineError(f"Nothing is left to rank: all {len(self._chains)} chains are saved.")
        n, letters = len(chain.responses), self.letters
        if len(ranks) != n:
            raise WfineError(f"Found {len(ranks)} ranks, expected one for each of {n} responses.")
        if missing := [x for x, rank in zip(letters, ranks, strict=True) if rank is None]:
            raise WfineError(
                f"Found no rank for {', '.join(missing)}; expected one for every response. "
                "Responses that are equally good may share a rank."
            )
        by_place: dict[int, float] = {}
        for place, letter, rank in zip(self.order, letters, ranks, strict=True):
            if not isinstance(rank, Integral) or isinstance(rank, bool) or not 1 <= rank <= n:
                expected = f"expected a whole number from 1 (best) to {n}"
                raise WfineError(f"Found the rank {short(rank)} for {letter}, {expected}.")
            by_place[place] = float(rank)
        # the same annotator may have saved in another window since: keep that too
        elsewhere = self._read()
        new = {k: v for k, v in (self._ranks | elsewhere).items() if k != chain.chain_id}
        new[chain.chain_id] = dict(sorted(by_place.items()))  # last, for back()
        self._write(new)
        done = {chain.chain_id, *(elsewhere.keys() - self._ranks.keys())}
        self._ranks = new
        self._queue = [chain_id for chain_id in self._queue if chain_id not in done]

    def skip(self) -> None:
        """Put the current chain last, or, if it is ranked already, leave it as it is."""
        if self._queue:
            chain_id = self._queue.pop(0)
            self._queue += [] if chain_id in self._ranks else [chain_id]

    def back(self) -> bool:
        """Open the chain saved last once more, with its ranks; False if there is none."""
        saved = [x for x in self._ranks if x in self._chains and x not in self._queue]
        self._queue[:0] = saved[-1:]
        return bool(saved)

    def _read(self) -> _Ranks:
        if not self.path.exists():
            return {}
        table = load_annotations(self.path)
        if others := sorted(set(table["annotator"]) - {self.annotator}):
            raise WfineError(
                f"{display_path(self.path)}: found annotator {short(others[0])}, expected "
                f"{short(self.annotator)} alone. Choose another pseudonym or another folder."
            )
        return _ranks_of(table, list(self._chains.values()), self.path)

    def _write(self, ranks: _Ranks) -> None:
        rows = [(self.annotator, c, i, rank) for c, by in ranks.items() for i, rank in by.items()]
        table = _table(rows)
        if (table["rank"] % 1 == 0).all():
            table["rank"] = table["rank"].astype(int)  # 2 and not 2.0 in the file
        save_annotations(table, self.path)
