"""Chains and queries in files: loading with every problem named, saving.

Our own layout has one :class:`~wfine_utils.chains.taxonomy.Chain` per line (JSON lines) or row
(parquet); its fields are exactly those of the class. In parquet, ``requirements`` and
``responses`` are lists of structs and a requirement's ``check`` is a JSON text in its struct,
because its keys differ from kind to kind.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import TypeAdapter

from wfine_utils.chains.records import (
    Problems,
    read_columns,
    read_lines,
    record_json,
    short,
    stream_lines,
    stream_rows,
    validated,
)
from wfine_utils.chains.released import (
    EVAL_FIELDS,
    PARQUET_COLUMNS,
    load_released_eval,
    load_released_parquet,
)
from wfine_utils.chains.taxonomy import Chain, Query
from wfine_utils.errors import WfineError
from wfine_utils.files import atomic_write, display_path

FORMATS = ("auto", "wfine", "released_parquet", "released_eval")
_CHAIN = TypeAdapter(Chain)
_QUERY = TypeAdapter(Query)
_CHAIN_FIELDS = frozenset(field.name for field in fields(Chain))
_PARQUET = frozenset({".parquet", ".pq"})
_JSONL = frozenset({".jsonl", ".json", ".ndjson"})

_REQUIREMENT = {"type": pa.string(), "subtype": pa.string(), "text": pa.string(),
                "check": pa.string(), "rubric": pa.string()}  # fmt: skip

_RESPONSE = {"text": pa.string(), "kept": pa.list_(pa.bool_()), "source": pa.string()}

_SCHEMA = pa.schema({
    "chain_id": pa.string(),
    "category": pa.string(),
    "base_task": pa.string(),
    "requirements": pa.list_(pa.struct(list(_REQUIREMENT.items()))),
    "responses": pa.list_(pa.struct(list(_RESPONSE.items()))),
    "topic": pa.string(),
})  # fmt: skip


def load_chains(path: str | Path, format: str = "auto") -> list[Chain]:
    """Load chains from our JSONL or parquet, or from either layout of the paper's authors.

    Args:
        path: the file; ``.jsonl``, ``.json``, ``.ndjson``, ``.parquet`` or ``.pq``.
        format: one of ``FORMATS``. "auto" looks at the suffix and at the names of the
            columns (of the first line's fields, in JSONL).

    Returns:
        The chains in the order of the file. In our own layout ``chain_id`` is unique; the
        authors' chains get "released-0000", "released-0001", ….

    Raises:
        WfineError: anything is wrong with the file. Up to 20 problems at once, each as
            ``file:line: field: what was found, what was expected``; nothing is half-loaded.
    """
    path = Path(path)
    if format not in FORMATS:
        raise WfineError(f"format: found {format!r}, expected one of {', '.join(FORMATS)}.")
    if format == "auto":
        format = detect_format(path)
    if format == "released_parquet":
        return load_released_parquet(path)
    if format == "released_eval":
        return load_released_eval(path)
    return _load_wfine(path)


def detect_format(path: Path) -> str:
    """One of ``FORMATS`` but "auto", by the file's suffix and the names of its columns."""
    suffix = path.suffix.lower()
    if suffix in _PARQUET:
        names = set(read_columns(path))
        theirs, columns = "released_parquet", PARQUET_COLUMNS
    elif suffix in _JSONL:
        names = _first_fields(path)
        theirs, columns = "released_eval", EVAL_FIELDS
    else:
        raise WfineError(
            f"{display_path(path)}: found the suffix {suffix!r}, expected one of "
            f"{', '.join(sorted(_PARQUET | _JSONL))}. Rename the file, or say its format: "
            f"load_chains(path, format=...) with one of {', '.join(FORMATS[1:])}."
        )
    # the better fit, so that one column missing is reported as such; a tie of nothing is an error
    ours, others = len(names & _CHAIN_FIELDS), len(names & columns)
    if ours == others == 0:
        raise WfineError(
            f"{display_path(path)}: found the columns {', '.join(sorted(names)) or '(none)'}; looked "
            f"for {', '.join(sorted(_CHAIN_FIELDS))} (format 'wfine') or for "
            f"{', '.join(sorted(columns))} (format {theirs!r}). Rename the columns, or convert "
            "the data with Chain(...) and save_chains."
        )
    return "wfine" if ours >= others else theirs


def _first_fields(path: Path) -> set[str]:
    problems = Problems(path, "", "auto")
    first = next(stream_lines(path, problems), None)
    problems.raise_if_any()
    number, text = first
    try:
        record = json.loads(text)
    except ValueError as error:
        record = None
        reason = f" ({error})"
    else:
        reason = ""
    if not isinstance(record, dict):
        problems.add(number, "whole record",
                     f"found {short(text)}, expected one whole JSON object{reason}")  # fmt: skip
        problems.raise_if_any()
    return set(record)


def _load_wfine(path: Path) -> list[Chain]:
    problems = Problems(path, "row " if path.suffix.lower() in _PARQUET else "", "wfine")
    chains = list(stream_chains(path, problems))
    problems.raise_if_any()
    return chains


def stream_chains(path: Path, problems: Problems) -> Iterator[Chain]:
    """The chains of a file in our layout, read one after the other.

    Args:
        path: the file; see :func:`load_chains`.
        problems: where what is wrong is noted; such chains are passed over.

    Raises:
        WfineError: there is no such file, or it has no record or not our columns.
    """
    if path.suffix.lower() in _PARQUET:
        rows = stream_rows(path, _CHAIN_FIELDS - {"topic"}, frozenset({"topic"}), problems)
        records = _row_records(rows, problems)
    else:
        records = stream_lines(path, problems)
    return _checked(_CHAIN, records, problems, identity=lambda chain: chain.chain_id)


def _row_records(rows: Iterable[dict[str, Any]], problems: Problems) -> Iterator[tuple[int, str]]:
    """Parquet rows as JSON, the ``check`` texts in them turned back into objects."""
    for place, row in enumerate(rows):
        n_problems = len(problems.lines)
        for i, requirement in enumerate(row["requirements"] or ()):
            check = requirement.get("check") if isinstance(requirement, dict) else None
            if isinstance(check, str):
                try:
                    requirement["check"] = json.loads(check)
                except ValueError:
                    problems.add(place, f"requirements.{i}.check",
                                 f"found {short(check)}, expected a JSON object")  # fmt: skip
        if len(problems.lines) == n_problems:
            yield place, record_json(row)


def _checked(
    adapter: TypeAdapter[Any],
    records: Iterable[tuple[int, str]],
    problems: Problems,
    identity: Callable[[Any], Hashable] | None = None,
) -> Iterator[Any]:
    first_place: dict[Hashable, int] = {}
    for place, text in records:
        record = validated(adapter, text, place, problems)
        if record is None:
            continue
        if identity is not None:
            first = first_place.setdefault(identity(record), place)
            if first != place:
                problems.add(
                    place, "chain_id",
                    f"found {short(identity(record))} again, first at "
                    f"{problems.unit or 'line '}{first}, expected every id once",
                )  # fmt: skip
        yield record


def save_chains(chains: Sequence[Chain], path: str | Path) -> Path:
    """Save chains in our layout; :func:`load_chains` gives back equal ones.

    Args:
        chains: at least one, each ``chain_id`` once. Tuples inside a ``check`` come back as
            lists.
        path: ``.jsonl`` or ``.parquet``; written whole or not at all.

    Returns:
        ``path``.

    Raises:
        WfineError: no chains, an id twice, another suffix, a number in a ``check`` that is
            not finite, half a surrogate pair in a text, or a folder that cannot be written.
    """
    path = Path(path)
    seen: set[str] = set()
    for chain in chains:
        if chain.chain_id in seen:
            raise WfineError(
                f"{display_path(path)}: chain_id: found {chain.chain_id!r} twice in the chains to save, "
                "expected every id once; give them ids of their own."
            )
        seen.add(chain.chain_id)
    if path.suffix.lower() in _JSONL:
        return _save_lines(_CHAIN, chains, path)
    if path.suffix.lower() not in _PARQUET:
        raise WfineError(f"{display_path(path)}: found the suffix {path.suffix!r}, expected .jsonl or "
                         ".parquet.")  # fmt: skip
    rows = _plain(_CHAIN, chains, path)
    for row in rows:
        for requirement in row["requirements"]:
            if requirement["check"] is not None:
                requirement["check"] = _dumps(requirement["check"], path)
    return atomic_write(
        path, lambda p: pq.write_table(pa.Table.from_pylist(rows, schema=_SCHEMA), p)
    )


def load_queries(path: str | Path) -> list[Query]:
    """Load queries from JSON lines, one :class:`~wfine_utils.chains.taxonomy.Query` each.

    Raises:
        WfineError: as :func:`load_chains`.
    """
    path = Path(path)
    problems = Problems(path, "", "queries")
    queries = list(_checked(_QUERY, read_lines(path, "queries").items(), problems))
    problems.raise_if_any()
    return queries


def save_queries(queries: Sequence[Query], path: str | Path) -> Path:
    """Save queries as JSON lines; :func:`load_queries` gives back equal ones.

    Raises:
        WfineError: as :func:`save_chains`.
    """
    return _save_lines(_QUERY, queries, Path(path))


def _plain(adapter: TypeAdapter[Any], records: Iterable[Any], path: Path) -> list[dict[str, Any]]:
    # not mode="json", which would turn NaN into null without a word
    rows = [adapter.dump_python(record) for record in records]
    if not rows:
        raise WfineError(
            f"{display_path(path)}: found nothing to save, expected at least one record."
        )
    return rows


def _save_lines(adapter: TypeAdapter[Any], records: Iterable[Any], path: Path) -> Path:
    lines = [_dumps(row, path) + "\n" for row in _plain(adapter, records, path)]
    return atomic_write(
        path, lambda p: p.write_text("".join(lines), encoding="utf-8", newline="\n")
    )


def _dumps(value: Any, path: Path) -> str:
    try:
        return json.dumps(value, ensure_ascii=False, allow_nan=False)
    except ValueError as error:
        raise WfineError(f"{display_path(path)}: found NaN or infinity in {short(value)}, expected "
                         "finite numbers.") from error  # fmt: skip


class ChainFile:
    """A file of chains that is checked when it is opened, and then read as often as one likes.

    Our own layout is read chain by chain. The authors' two layouts are loaded whole, because in
    one of them the responses of a chain lie far apart.

    Args:
        path: the file; see :func:`wfine_utils.chains.files.load_chains`.
        format: one of ``FORMATS``.

    Attributes:
        n_chains: number of chains.
        n_responses: number of responses.

    Raises:
        WfineError: as :func:`wfine_utils.chains.files.load_chains`.
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
