"""Files and paths: where relative paths start, and writing so that nothing is half-written.

:mod:`wfine_utils.results` builds on this and gives the same names to its callers.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import tomllib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from wfine_utils.errors import WfineError

PARTIAL = ".partial-"
"""How the name of every file and folder begins while it is being written."""


def project_root() -> Path:
    """The nearest folder upwards of the working directory with our ``pyproject.toml``.

    Returns:
        That folder, or the working directory where there is none.
    """
    here = Path.cwd()
    for folder in (here, *here.parents):
        try:
            project = tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            continue
        if project.get("project", {}).get("name") == "wfine":
            return folder
    return here


def resolve(path: str | Path) -> Path:
    """Take a relative path of the parameters from the project root.

    JupyterLab starts a notebook in ``notebooks/`` and papermill in the project root; with
    this both find the same files.

    Args:
        path: as written in the parameters; ``~`` is expanded, absolute paths stay.
    """
    return project_root() / Path(path).expanduser()


def shown(path: Path) -> str:
    """``path`` as messages and tables show it: from the project root where it lies below."""
    root = project_root()
    return str(path.relative_to(root)) if path.is_relative_to(root) else str(path)


def sha256_file(path: str | Path) -> str:
    """Hexadecimal SHA-256 of the bytes of a file."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def atomic_write(path: str | Path, writer: Callable[[Path], object]) -> Path:
    """Write a file so that it is never seen half-written.

    Args:
        path: the file; missing parent folders are made, an old file is replaced.
        writer: called with a temporary path in the same folder and with the same suffix.

    Returns:
        ``path``.

    Raises:
        WfineError: the file cannot be written (permissions, full disk, a file in the place
            of a folder), or a text in it is not valid Unicode.
    """
    path = Path(path)
    partial = path.with_name(f"{PARTIAL}{os.getpid()}-{path.name}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        writer(partial)
        os.replace(partial, path)
    except OSError as error:
        raise WfineError(
            f"{shown(path)}: cannot be written: {error.strerror or error}. Expected a folder "
            "with write permission and free space; mend that, or set output_root to another."
        ) from error
    except UnicodeEncodeError as error:
        raise WfineError(
            f"{shown(path)}: a text holds {error.object[error.start]!r}, which is half of a "
            "surrogate pair and no character of its own; remove it from the data."
        ) from error
    finally:
        if path.parent.is_dir():
            partial.unlink(missing_ok=True)
    return path


def plain(value: Any, where: str = "value") -> Any:
    """Turn numpy scalars, arrays, tuples, mappings and paths into plain JSON values.

    Args:
        value: what is to be written as JSON.
        where: name of the value, for the message.

    Raises:
        WfineError: a number is NaN or infinite; the message names its key.
    """
    if isinstance(value, np.generic | np.ndarray):
        value = value.tolist()
    if isinstance(value, Path):
        return value.as_posix()
    if isinstance(value, Mapping):
        return {str(k): plain(v, f"{where}.{k}") for k, v in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [plain(v, f"{where}.{i}") for i, v in enumerate(value)]
    if isinstance(value, float) and not math.isfinite(value):
        raise WfineError(
            f"{where} is {value}, expected a finite number. A run that went wrong must not "
            "leave results that look right: find the step that made it, or leave the key out."
        )
    return value


def json_text(value: Any, where: str) -> str:
    """The JSON text of ``value``, keys sorted, so that equal values give equal bytes."""
    return json.dumps(plain(value, where), sort_keys=True, indent=2, ensure_ascii=False) + "\n"
