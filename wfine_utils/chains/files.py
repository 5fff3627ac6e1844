"""Chains and queries in files: loading with every problem named, saving.

Our own layout is JSON lines: one :class:`~wfine_utils.chains.taxonomy.Chain` (or ``Query``) per
line, its fields exactly those of the class. The two layouts of the paper's authors are in
:mod:`wfine_utils.chains.released`.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from wfine_utils.chains import released
from wfine_utils.chains.records import Problems, read_columns, read_lines, short, validated
from wfine_utils.chains.taxonomy import Chain, Query
from wfine_utils.errors import WfineError
from wfine_utils.files import atomic_write, display_path

FORMATS = ("auto", "wfine", "released_parquet", "released_eval")
_CHAIN = TypeAdapter(Chain)
_QUERY = TypeAdapter(Query)
_MAY_BE_LEFT_OUT = ("before", "judged")  # so files of plain chains are as they have always been
_CHAIN_FIELDS = frozenset(field.name for field in fields(Chain))
_PARQUET = frozenset({".parquet", ".pq"})
_JSONL = frozenset({".jsonl", ".json", ".ndjson"})


def load_chains(path: str | Path, format: str = "auto") -> list[Chain]:
    """Load chains from our JSON lines, or from either layout of the paper's authors.

    Args:
        path: ``.jsonl``, ``.json``, ``.ndjson``, ``.parquet`` or ``.pq``.
        format: one of ``FORMATS``. "auto" looks at the suffix and at the names of the columns
            (of the first line's fields, in JSON lines).

    Returns:
        The chains in the order of the file. In our own layout ``chain_id`` is unique; the
        authors' chains get "released-0000", "released-0001", ….

    Raises:
        WfineError: anything is wrong with the file. Up to 20 problems at once, each as
            ``file:line: field: what was found, what was expected``; nothing is half-loaded.
    """
    path = Path(path)
    format = _known_format(path, format)
    if format == "released_parquet":
        return released.load_released_parquet(path)
    if format == "released_eval":
        return released.load_released_eval(path)
    return list(_read(_CHAIN, path, format))


def _known_format(path: Path, format: str) -> str:
    """One of ``FORMATS`` but "auto", which is told by suffix and names of columns."""
    if format not in FORMATS:
        raise WfineError(f"format: found {format!r}, expected one of {', '.join(FORMATS)}.")
    if format != "auto":
        return format
    suffix = path.suffix.lower()
    if suffix in _PARQUET:
        names, layouts = set(read_columns(path)), {"released_parquet": released.PARQUET_COLUMNS}
    elif suffix in _JSONL:
        names = _first_fields(path)
        layouts = {"wfine": _CHAIN_FIELDS, "released_eval": released.EVAL_FIELDS}
    else:
        raise WfineError(
            f"{display_path(path)}: found the suffix {suffix!r}, expected one of "
            f"{', '.join(sorted(_PARQUET | _JSONL))}. Rename the file, or say its format: "
            f"load_chains(path, format=...) with one of {', '.join(FORMATS[1:])}."
        )
    # the better fit, so that one column missing is reported as such; no fit at all is an error
    best = max(layouts, key=lambda layout: len(names & layouts[layout]))
    if not names & layouts[best]:
        kinds = (f"{', '.join(sorted(c))} (format {layout!r})" for layout, c in layouts.items())
        expected = " or for ".join(kinds)
        raise WfineError(
            f"{display_path(path)}: found the columns {', '.join(sorted(names)) or '(none)'}; "
            f"looked for {expected}. Rename the columns, or convert the data with Chain(...) and "
            "save_chains to JSON lines."
        )
    return best


def _first_fields(path: Path) -> set[str]:
    problems = Problems(path, "", "auto")
    number, text = next(read_lines(path, problems), (0, ""))
    problems.raise_if_any()
    reason = ""
    try:
        record = json.loads(text)
    except ValueError as error:
        record, reason = None, f" ({error})"
    if not isinstance(record, dict):
        expected = f"expected one whole JSON object{reason}"
        problems.add(number, "whole record", f"found {short(text)}, {expected}")
        problems.raise_if_any()
    return set(record)


def _read(adapter: TypeAdapter[Any], path: Path, format: str) -> Iterator[Any]:
    """The records of a file of JSON lines, one after the other; what is wrong is raised last."""
    problems = Problems(path, "", format)
    first_line: dict[str, int] = {}
    for number, text in read_lines(path, problems):
        record = validated(adapter, text, number, problems)
        if record is None:
            continue
        if not record.requirements and adapter is _QUERY:
            problems.add(number, "requirements", "found 0, expected at least 1")
        first = first_line.setdefault(record.chain_id, number) if adapter is _CHAIN else number
        if first != number:
            problems.add(number, "chain_id", f"found {short(record.chain_id)} again, first at "
                         f"line {first}, expected every id once")  # fmt: skip
        yield record
    problems.raise_if_any()


def save_chains(chains: Sequence[Chain], path: str | Path) -> Path:
    """Save chains as JSON lines; :func:`load_chains` gives back equal ones.

    Args:
        chains: at least one, each ``chain_id`` once. Tuples inside a ``check`` become lists.
        path: ``.jsonl``; written whole or not at all, and returned.

    Raises:
        WfineError: no chains, an id twice, another suffix, a number in a ``check`` that is
            not finite, half a surrogate pair in a text, or a folder that cannot be written.
    """
    path = Path(path)
    repeated = [k for k, n in Counter(chain.chain_id for chain in chains).items() if n > 1]
    if repeated:
        message = f"chain_id: found {repeated[0]!r} twice in the chains, expected every id once."
        raise WfineError(f"{display_path(path)}: {message}")
    if path.suffix.lower() not in _JSONL:
        message = f"found the suffix {path.suffix!r}, expected .jsonl, for JSON lines."
        raise WfineError(f"{display_path(path)}: {message}")
    return _save_lines(_CHAIN, chains, path)


def load_queries(path: str | Path) -> list[Query]:
    """Load queries from JSON lines, one ``Query`` each; errors are those of :func:`load_chains`."""
    return list(_read(_QUERY, Path(path), "queries"))


def save_queries(queries: Sequence[Query], path: str | Path) -> Path:
    """Save queries as JSON lines; :func:`load_queries` gives back equal ones."""
    return _save_lines(_QUERY, queries, Path(path))


def _save_lines(adapter: TypeAdapter[Any], records: Iterable[Any], path: Path) -> Path:
    lines = []
    for record in records:
        value = adapter.dump_python(record)  # not mode="json": NaN would silently become null
        value = {k: v for k, v in value.items() if v or k not in _MAY_BE_LEFT_OUT}
        try:
            lines.append(json.dumps(value, ensure_ascii=False, allow_nan=False) + "\n")
        except ValueError as error:
            message = f"found NaN or infinity in {short(value)}, expected finite numbers."
            raise WfineError(f"{display_path(path)}: {message}") from error
    if not lines:
        raise WfineError(f"{display_path(path)}: found nothing to save, expected a record.")
    text = "".join(lines)
    return atomic_write(path, lambda p: p.write_text(text, encoding="utf-8", newline="\n"))


class ChainFile:
    """A file of chains that is checked when it is opened, and then read as often as one likes.

    Arguments and errors are those of :func:`load_chains`. Our own layout is read chain by chain;
    the authors' two are loaded whole, because in one of them a chain's responses lie far apart.
    """

    def __init__(self, path: str | Path, format: str = "auto") -> None:
        self._path = Path(path)
        format = _known_format(self._path, format)
        self._whole = None if format == "wfine" else load_chains(self._path, format)
        sizes = [len(chain.responses) for chain in self]
        self.n_chains, self.n_responses = len(sizes), sum(sizes)

    def __iter__(self) -> Iterator[Chain]:
        """The chains, in the order of the file."""
        yield from _read(_CHAIN, self._path, "wfine") if self._whole is None else self._whole


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
