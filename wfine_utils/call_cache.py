"""A file that remembers what a model answered, so that no question is asked twice.

One SQLite file holds the answers of any number of models. SQLite does what is hard: an answer is
there as a whole or not at all, whenever the process is killed, and several processes can use one
file at a time.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from wfine_utils.errors import WfineError
from wfine_utils.files import shown

_BUSY_S = 60.0  # how long to wait for another process that is writing


def call_digest(key: Mapping[str, Any]) -> str:
    """Hexadecimal SHA-256 of all that an answer depends on, whatever the order of its entries.

    >>> call_digest({"a": 1, "b": "x"}) == call_digest({"b": "x", "a": 1})
    True
    """
    text = json.dumps(key, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode("ascii")).hexdigest()


class CallCache:
    """Answers on disk, each under the digest of what it depends on.

    A connection is opened for each use and closed after it, so that an object can be shared by
    threads, and with forked processes. The journal is SQLite's older, slower kind, because the
    newer one (WAL) does not work on the network file systems of clusters.

    Args:
        path: the file; made, with its folders, where it is missing.

    Raises:
        WfineError: the file is no SQLite database, or cannot be read or written.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        with self._database() as database:
            database.execute(
                "CREATE TABLE IF NOT EXISTS calls (digest TEXT PRIMARY KEY, value TEXT NOT NULL)"
            )

    def get_many(self, keys: Sequence[Mapping[str, Any]]) -> list[Any | None]:
        """What is kept under each key, in the order of the keys; None where nothing is.

        Args:
            keys: JSON values: strings, whole numbers, finite floats, lists, mappings.
        """
        with self._database() as database:
            rows = [
                database.execute(
                    "SELECT value FROM calls WHERE digest = ?", (call_digest(key),)
                ).fetchone()
                for key in keys
            ]
        return [None if row is None else json.loads(row[0]) for row in rows]

    def put_many(self, items: Iterable[tuple[Mapping[str, Any], Any]]) -> None:
        """Keep a value under each key, all of them or, if it is killed, none.

        Args:
            items: pairs of key and value. A value is JSON, with NaN and infinite numbers, and
                not None, which would read as missing. It replaces what was kept before.
        """
        # A half of a surrogate pair in a text becomes an escape here, which SQLite can store.
        rows = [(call_digest(key), json.dumps(value)) for key, value in items]
        with self._database() as database:
            database.executemany("INSERT OR REPLACE INTO calls VALUES (?, ?)", rows)

    def __len__(self) -> int:
        """How many answers are kept."""
        with self._database() as database:
            return database.execute("SELECT count(*) FROM calls").fetchone()[0]

    @contextmanager
    def _database(self) -> Iterator[sqlite3.Connection]:
        """A connection and one transaction, kept on success and undone on an error."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with closing(sqlite3.connect(self.path, timeout=_BUSY_S)) as database, database:
                yield database
        except (sqlite3.Error, OSError) as error:
            raise WfineError(
                f"{shown(self.path)}: cannot be used as a cache of model calls: {error}. Expected "
                "a file written by an earlier run, or none, in a folder with write permission "
                "and free space; move the file away, or name another one."
            ) from error
