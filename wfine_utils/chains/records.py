"""Reading files record by record: lines and rows with their place, and all that is wrong at once,
so that a user mends a file in one go and never works with half of it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import TypeAdapter, ValidationError

from wfine_utils.errors import WfineError
from wfine_utils.files import display_path

MAX_SHOWN = 20


def short(value: Any, width: int = 60) -> str:
    """``repr(value)``, cut to ``width`` characters, fit for a message."""
    # cut before repr too: a value may be a text of megabytes
    text = repr(value[: 2 * width] if isinstance(value, str | bytes) else value)
    return text if len(text) <= width else f"{text[: width - 1]}…"


class Problems:
    """What is wrong with one file, as ``file:line: field: what was found, what was expected``.

    Args:
        unit: "" for line numbers, which count from 1; "row " for rows, which count from 0.
        format: name of the format that the file was read as.
    """

    def __init__(self, path: Path, unit: str, format: str) -> None:
        self.path, self.unit, self.format = path, unit, format
        self.lines: list[str] = []

    def add(self, place: int, field: str, message: str) -> None:
        """Note one problem at a line or row."""
        self.lines.append(f"{display_path(self.path)}:{self.unit}{place}: {field}: {message}")

    def raise_if_any(self, advice: str = "Mend the file and load it again.") -> None:
        """Raise what was noted, at most 20 of it, as one :class:`WfineError`."""
        if not self.lines:
            return
        n = len(self.lines)
        shown = f", the first {MAX_SHOWN} of which are" if n > MAX_SHOWN else ""
        count = f"{n} problem{'s' * (n > 1)}{shown}"
        rows = " (rows count from 0)" if self.unit else ""
        raise WfineError(
            f"{display_path(self.path)}, read as format {self.format!r}: {count}{rows}; nothing "
            f"was loaded. {advice}\n" + "\n".join(self.lines[:MAX_SHOWN])
        )


def _found_and_expected(e: Mapping[str, Any]) -> str:
    kind, context = e["type"], e.get("ctx", {})
    if kind == "missing":
        return "found nothing, expected this field"
    if kind in {"unexpected_keyword_argument", "extra_forbidden"}:
        return f"found {short(e['input'])}, expected no field of this name"
    if kind == "too_short":
        return f"found {context['actual_length']}, expected at least {context['min_length']}"
    if kind == "string_too_short":
        return "found an empty text, expected at least one character"
    if kind == "json_invalid":
        return f"found {short(e['input'])}, expected one whole JSON object ({context['error']})"
    return f"found {short(e['input'])}, expected {e['msg'].removeprefix('Input should be ')}"


def validated(adapter: TypeAdapter[Any], text: str, place: int, problems: Problems) -> Any | None:
    """One JSON record as a checked object, or None and its problems noted."""
    try:
        return adapter.validate_json(text, strict=True)
    except ValidationError as error:
        for field, message in explained_fields(error):
            problems.add(place, field, message)
        return None


def explained_fields(error: ValidationError) -> Iterator[tuple[str, str]]:
    """Every field that is wrong, and what was found there and expected."""
    for e in error.errors(include_url=False):
        field = ".".join(map(str, e["loc"]))
        if e["type"] != "value_error":
            yield field or "whole record", _found_and_expected(e)
        else:  # from the validators of taxonomy: the text is ours, and may name the field
            message = str(e["ctx"]["error"])
            own_field, _, rest = message.partition(" ")
            yield field or own_field, message if field else rest


def check_is_file(path: Path) -> None:
    """Refuse what is missing, empty or a folder, with a message that says which."""
    if path.is_dir():
        raise WfineError(f"{display_path(path)} is a folder, expected a file inside it.")
    if not path.exists():
        raise WfineError(f"{display_path(path)} does not exist; expected a file. Check the path.")
    if path.stat().st_size == 0:
        raise WfineError(f"{display_path(path)} is empty; expected at least one record in it.")


def read_lines(path: Path, problems: Problems) -> Iterator[tuple[int, str]]:
    """Number (from 1) and text of every line that is not blank, read one after the other.

    A byte order mark at the start is skipped. Only a line feed ends a line: the other characters
    that Unicode calls line ends may stand inside a JSON string. Lines that are not UTF-8 are
    noted in ``problems`` and passed over.

    Raises:
        WfineError: the file is missing, a folder, empty, blank or unreadable.
    """
    check_is_file(path)
    is_blank = True
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, start=1):
                line = line.removesuffix(b"\n")
                if number == 1:
                    line = line.removeprefix(b"\xef\xbb\xbf")
                if not line.strip():
                    continue
                is_blank = False
                try:
                    text = line.decode("utf-8")
                except UnicodeDecodeError as error:
                    byte = f"byte 0x{line[error.start]:02x} at position {error.start + 1}"
                    problems.add(number, "encoding", f"found {byte} of the line, expected UTF-8")
                else:
                    yield number, text
    except OSError as error:
        raise WfineError(f"{display_path(path)} cannot be read: {error.strerror}.") from error
    if is_blank:
        raise WfineError(f"{display_path(path)} has blank lines only; expected a record.")


def read_columns(path: Path) -> list[str]:
    """Names of the columns of a parquet file, without reading the rows."""
    check_is_file(path)
    try:
        return list(pq.read_schema(path).names)
    except (pa.ArrowException, OSError) as error:
        raise _not_parquet(path, error) from error


def read_rows(
    path: Path, required: frozenset[str], optional: frozenset[str], problems: Problems
) -> Iterator[tuple[int, str]]:
    """Number (from 0) and JSON text of every row, so that rows and lines pass the same checks.

    Some hundred rows are in memory at a time. Columns besides ``required`` and ``optional`` are
    refused.
    """
    columns, name = set(read_columns(path)), display_path(path)
    for column in sorted(required - columns):
        problems.lines.append(f"{name}: {column}: found no such column, expected it")
    for column in sorted(columns - required - optional):
        known = ", ".join(sorted(required | optional))
        problems.lines.append(f"{name}: {column}: found this column, expected only: {known}")
    problems.raise_if_any()
    for place, row in read_row_values(path):
        yield place, json.dumps(row, ensure_ascii=False, default=repr)


def read_row_values(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Number (from 0) and values by column of every row of a parquet file, some hundred at a time.

    Raises:
        WfineError: the file is missing, no parquet, cut short or without rows.
    """
    check_is_file(path)
    n_rows = 0
    try:
        # one file, not pq.read_table, which would take folder names for columns
        with pq.ParquetFile(path, buffer_size=1 << 20) as file:
            for batch in file.iter_batches(batch_size=256):
                batch.validate(full=True)  # finds text that is not UTF-8
                for row in batch.to_pylist():
                    yield n_rows, row
                    n_rows += 1
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise _not_parquet(path, error) from error
    if not n_rows:
        raise WfineError(f"{display_path(path)} has no rows; expected at least one.")


def _not_parquet(path: Path, error: Exception) -> WfineError:
    reason = " ".join(str(error).split())[:200]
    return WfineError(
        f"{display_path(path)} cannot be read as parquet: {reason}. Expected a whole parquet file "
        "with UTF-8 text; it may be cut short or of another kind: copy or make it again."
    )
