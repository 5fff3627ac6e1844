"""Writing files of chains, and reading what is said of them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from wfine_utils.chains.files import load_chains
from wfine_utils.errors import WfineError


def write_lines(path: Path, *records: object) -> Path:
    lines = [r if isinstance(r, str) else json.dumps(r, ensure_ascii=False) for r in records]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def message(path: Path | str, **kwargs: str) -> str:
    with pytest.raises(WfineError) as error:
        load_chains(path, **kwargs)
    return str(error.value)
