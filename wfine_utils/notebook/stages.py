"""Long jobs that are done once: a folder belongs to what it was made from, or is made anew."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import is_dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel

from wfine_utils.base_model import CARD, folder_fingerprint
from wfine_utils.files import json_text, sha256_file, whole_folder

_STAGE = "stage.json"


def fingerprint(value: Any) -> Any:
    """Plain values that differ where ``value`` would make another result; of a folder, all files
    that loading reads."""
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if hasattr(value, "fingerprint"):  # a base model: its weights, wherever they lie
        return value.fingerprint
    if isinstance(value, Path):
        return folder_fingerprint(value) if value.is_dir() else sha256_file(value)
    if isinstance(value, Mapping):
        return {name: fingerprint(item) for name, item in value.items()}
    if isinstance(value, Sequence) and any(map(is_dataclass, value)):
        return hashlib.sha256(repr(list(value)).encode()).hexdigest()
    return value


def stage(
    folder: Path,
    inputs: Mapping[str, Any],
    compute: Callable[[Path], object],
    needs: Sequence[str] = (),
) -> Literal["computed", "loaded"]:
    """Fill a folder once: leave it if it belongs to the same inputs, else compute it anew.

    Args:
        folder: of the result; ``stage.json`` in it says what it was made from.
        inputs: plain JSON values, everything that the result depends on.
        compute: called with an empty temporary folder, which replaces ``folder`` when it returns.
        needs: files that an older result must hold, beside those that it wrote, to be kept.
    """
    if stage_is_done(folder, inputs, needs):
        return "loaded"
    with whole_folder(folder) as unfinished:
        start = time.perf_counter()
        compute(unfinished)
        seconds = round(time.perf_counter() - start, 3)
        text = json_text({**inputs, "seconds": seconds, "files": _sizes(unfinished)}, folder.name)
        (unfinished / _STAGE).write_text(text, encoding="utf-8")
    return "computed"


def stage_is_done(folder: Path, inputs: Mapping[str, Any], needs: Sequence[str] = ()) -> bool:
    """Whether :func:`stage` with these arguments would have nothing to do."""
    try:
        record = json.loads((folder / _STAGE).read_text(encoding="utf-8"))
        same = all(record[name] == value for name, value in inputs.items())
        sizes = _sizes(folder)
        return same and record["files"].items() <= sizes.items() and sizes.keys() >= set(needs)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return False  # absent or damaged: compute anew


def _sizes(folder: Path) -> dict[str, int]:
    """Bytes of every file but the record itself and cards, which are written anew with numbers."""
    return {
        p.relative_to(folder).as_posix(): p.stat().st_size
        for p in sorted(folder.rglob("*"))
        if p.is_file() and p != folder / _STAGE and p.name != CARD
    }
