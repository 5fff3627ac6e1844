"""What commands share: a text that is read, and an answer on standard output, which is a text for
people or, with ``--json``, one object."""

from __future__ import annotations

import argparse
import contextlib
import json
import math
import sys
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from wfine_utils.errors import WfineError
from wfine_utils.files import display_path


def text_of(path: Path) -> str:
    """The text in a file, which may be empty.

    Raises:
        WfineError: it cannot be read as UTF-8.
    """
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise WfineError(
            f"{display_path(path)}: cannot be read: {reason}. Expected a file with a text in UTF-8."
        ) from None


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
