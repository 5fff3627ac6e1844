"""What a command answers on standard output: a text for people, or with ``--json`` one object."""

from __future__ import annotations

import argparse
import contextlib
import json
import math
import sys
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any


def add_json(parser: argparse.ArgumentParser) -> None:
    """Give a command the option ``--json``."""
    parser.add_argument("--json", action="store_true", help="answer with one JSON object")


def nothing_else_on_stdout() -> AbstractContextManager[Any]:
    """Inside, what libraries print goes to standard error: standard output is the answer's."""
    return contextlib.redirect_stdout(sys.stderr)


def answer(text: str, value: Mapping[str, Any], *, as_json: bool) -> None:
    """Write the text, or else the value, in which NaN becomes null."""
    if as_json:
        text = json.dumps(_finite(value), indent=2, ensure_ascii=False)
    sys.stdout.write(f"{text}\n" if text else "")


def _finite(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _finite(each) for key, each in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_finite(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
