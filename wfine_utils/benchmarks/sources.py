"""Where records come from: a file, a folder of files, or a data set of the Hub."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from wfine_utils.chains.records import Problems, check_is_file, read_lines, read_row_values, short
from wfine_utils.errors import WfineError, import_extra
from wfine_utils.files import display_path

_LINES = frozenset({".jsonl", ".json", ".ndjson"})
_ROWS = frozenset({".parquet", ".pq"})
_HUB_ID = re.compile(r"[\w.-]+/[\w.-]+")


class Source(NamedTuple):
    """Records with their places, read one after the other."""

    name: str
    is_file: bool
    problems: Problems  # what is wrong with it, noted while it is read
    rows: Iterator[tuple[int, dict[str, Any]]]


def opened(path_or_hub_id: str | Path, split: str, revision: str, config: str) -> Source:
    """A file if there is one or the name ends like one, else a folder, else a name on the Hub.

    Raises:
        WfineError: nothing of these; or a split, a revision or a config beside a file.
    """
    path = Path(path_or_hub_id)
    is_file = path.is_file() or path.suffix.lower() in _LINES | _ROWS
    if not is_file and (path.is_dir() or _HUB_ID.fullmatch(str(path_or_hub_id))):
        if path.is_dir() and revision:
            raise WfineError(
                f"{display_path(path)}: found revision {revision} beside a folder, expected none: "
                "leave it out, or give the name on the Hub."
            )
        problems = Problems(path, "row ", "auto")
        rows = _dataset_rows(str(path_or_hub_id), split, revision, config)
        return Source(path.resolve().name if path.is_dir() else str(path), False, problems, rows)
    check_is_file(path)
    for name, value in (("split", split), ("revision", revision), ("config", config)):
        if value:
            raise WfineError(
                f"{display_path(path)}: found {name} {value!r} beside a file, expected none: a "
                "file has one part and no versions. Leave it out."
            )
    if path.suffix.lower() not in _LINES | _ROWS:
        raise WfineError(
            f"{display_path(path)}: found the suffix {path.suffix!r}, expected one of "
            f"{', '.join(sorted(_LINES | _ROWS))}. Rename the file."
        )
    problems = Problems(path, "" if _has_lines(path) else "row ", "auto")
    return Source(path.stem, True, problems, file_rows(path, problems))


def _has_lines(path: Path) -> bool:
    """Whether a file has a record on each line; else it is rows, of parquet or of a JSON array."""
    if path.suffix.lower() in _ROWS:
        return False
    with path.open("rb") as file:
        start = file.read(1 << 16).removeprefix(b"\xef\xbb\xbf").lstrip()
    return not start.startswith(b"[")


def file_rows(path: Path, problems: Problems) -> Iterator[tuple[int, dict[str, Any]]]:
    """The records of a JSON-lines file, of a JSON array, or of a parquet file, with their places.

    What is no record is noted in ``problems`` and passed over.
    """
    check_is_file(path)
    if path.suffix.lower() in _ROWS:
        yield from read_row_values(path)
        return
    records = _lines(path, problems) if _has_lines(path) else enumerate(_array(path))
    for place, record in records:
        if isinstance(record, dict):
            yield place, record
        elif record is not _NO_JSON:
            message = f"found {short(record)}, expected one whole JSON object"
            problems.add(place, "whole record", message)


_NO_JSON = object()


def _lines(path: Path, problems: Problems) -> Iterator[tuple[int, Any]]:
    for number, line in read_lines(path, problems):
        try:
            record = json.loads(line)
        except (ValueError, RecursionError) as error:
            record = _NO_JSON
            message = f"found {short(line)}, expected one whole JSON object ({error})"
            problems.add(number, "whole record", message)
        yield number, record


def _array(path: Path) -> list[Any]:
    try:
        return json.loads(path.read_bytes().decode("utf-8-sig"))
    except (ValueError, RecursionError, OSError) as error:
        raise WfineError(
            f"{display_path(path)} cannot be read: {error}. Expected one JSON array of objects in "
            "UTF-8, or an object on every line; it may be cut short: copy it again."
        ) from None


def _dataset_rows(
    name: str, split: str, revision: str, config: str
) -> Iterator[tuple[int, dict[str, Any]]]:
    """The rows of one split, a thousand in memory at a time; nothing of the repository is run."""
    datasets = import_extra("datasets", "train")
    which = {"revision": revision or None}
    try:
        there = datasets.get_dataset_split_names(name, config or None, **which)
        if not split and len(there) > 1:
            raise WfineError(
                f"{name}: found the splits {', '.join(there)}, expected one. Say which: "
                f"load_benchmark({name!r}, split={there[-1]!r})."
            )
        if split and split not in there:
            raise WfineError(
                f"{name}: found the splits {', '.join(there)}, expected {split!r} among them."
            )
        data = datasets.load_dataset(name, config or None, split=split or there[0], **which)
    except (OSError, ValueError, RuntimeError, datasets.exceptions.DatasetsError) as error:
        reason = " ".join(str(error).split())[:300]
        raise WfineError(
            f"{name}: cannot be loaded with the library datasets: {reason}. Expected a data set of "
            "the Hub that can be reached, or a folder of JSON or parquet files. Check the name, "
            "revision and config; or download its file and give the path of that."
        ) from None
    place = 0
    for batch in data.with_format("arrow").iter(batch_size=1000):
        for row in batch.to_pylist():
            yield place, row
            place += 1
