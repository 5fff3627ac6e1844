"""Files and paths: where relative paths start, and writing so that nothing is half-written."""

from __future__ import annotations

import hashlib
import json
import math
import os
import shutil
import time
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

import numpy as np
import yaml

from wfine_utils.errors import WfineError

PARTIAL = ".partial-"
"""How the name of every file and folder begins while it is being written."""

LOCK = ".lock"
"""File in a folder that one process at a time may write to."""


def project_root() -> Path:
    """The nearest folder upwards with our ``pyproject.toml``; the working directory if none."""
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
    """A path of the parameters, from the project root; ``~`` is expanded, absolute paths stay."""
    # JupyterLab starts a notebook in notebooks/, papermill in the project root
    return project_root() / Path(path).expanduser()


def display_path(path: Path) -> str:
    """``path`` as messages and tables show it: from the project root where it lies below."""
    root = project_root()
    return str(path.relative_to(root)) if path.is_relative_to(root) else str(path)


def sha256_file(path: str | Path) -> str:
    """Hexadecimal SHA-256 of the bytes of a file."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def atomic_write(path: str | Path, writer: Callable[[Path], object]) -> Path:
    """Write a file so that it is never seen half-written, and return its path.

    Args:
        path: missing parent folders are made, an old file is replaced.
        writer: called with a temporary path in the same folder and with the same suffix.

    Raises:
        WfineError: the file cannot be written, or a text in it is not valid Unicode.
    """
    path = Path(path)
    partial = path.with_name(f"{PARTIAL}{os.getpid()}-{path.name}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        writer(partial)
        os.replace(partial, path)
    except OSError as error:
        raise _cannot_write(path, error) from error
    except UnicodeEncodeError as error:
        raise WfineError(
            f"{display_path(path)}: a text holds {error.object[error.start]!r}, which is half of a "
            "surrogate pair and no character of its own; remove it from the data."
        ) from error
    finally:
        if path.parent.is_dir():
            partial.unlink(missing_ok=True)
    return path


@contextmanager
def whole_folder(path: str | Path) -> Iterator[Path]:
    """Make a folder, and missing parents, so that it is never seen half-made.

    Inside the ``with`` block stands an empty temporary folder beside ``path``. It becomes ``path``,
    in place of an older one, if the block ends well; if the block raises or is killed, the older
    one stays, and what was half-made is removed by the next call for the same path.

    Raises:
        WfineError: the folder cannot be made.
    """
    path = Path(path)
    partial, old = partial_path(path), path.with_name(f"{PARTIAL}old-{path.name}")
    try:
        for left_over in (partial, old):
            shutil.rmtree(left_over, ignore_errors=True)
        partial.mkdir(parents=True)
    except OSError as error:
        raise _cannot_write(path, error) from error
    yield partial
    if path.exists():  # a folder cannot replace a full one: set the old one aside first
        os.replace(path, old)
    os.replace(partial, path)
    shutil.rmtree(old, ignore_errors=True)


def partial_path(folder: Path) -> Path:
    """Where :func:`whole_folder` makes a folder before that has its name."""
    return folder.with_name(f"{PARTIAL}{folder.name}")


@contextmanager
def alone_in(folder: Path, patience: float = 0.0) -> Iterator[TextIO]:
    """Keep other processes out of a folder, which is made where it is not there.

    Yields the open lock file: what is written to it is shown to who comes later. The lock ends with
    the process, also if that is killed, or with the last process that inherits the file.

    Args:
        patience: seconds to wait for a process that is in there, as it may be ending.

    Raises:
        WfineError: another process is in there, or the folder cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = open(folder / LOCK, "a+")  # noqa: SIM115
    except OSError as error:
        raise _cannot_write(folder, error) from error
    until = time.monotonic() + patience
    with lock:
        while not _is_locked(lock):
            if time.monotonic() > until:
                lock.seek(0)
                raise WfineError(
                    f"{display_path(folder)}: found another process that is writing here "
                    f"({lock.read() or 'unknown'}, or what it has started), expected none. Wait "
                    "until it has finished, end it, or write to another folder."
                )
            time.sleep(0.1)
        yield lock


def _is_locked(file: TextIO) -> bool:
    """Whether this process has the lock of a file now."""
    import fcntl  # Windows has none, and no other need of it

    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _cannot_write(path: Path, error: OSError) -> WfineError:
    return WfineError(
        f"{display_path(path)}: cannot be written: {error.strerror or error}. Expected a folder "
        "with write permission and free space; mend that, or write elsewhere (output_root, --out)."
    )


def plain(value: Any, where: str = "value") -> Any:
    """Turn numpy scalars, arrays, tuples, mappings and paths into plain JSON values.

    Raises:
        WfineError: a number is NaN or infinite; the message names its key, below ``where``.
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


def write_json(path: Path, value: Any) -> Path:
    """Write ``value`` as JSON, never seen half-written; see :func:`plain` and :func:`json_text`."""
    text = json_text(value, path.name)
    return atomic_write(path, lambda to: to.write_text(text, encoding="utf-8", newline="\n"))


def read_yaml(path: Path) -> dict[str, Any]:
    """Read a parameter file as papermill reads it: one mapping of names to values.

    Raises:
        WfineError: the file is missing, not UTF-8, not YAML, or not a mapping.
    """
    name, expected = display_path(path), "expected lines of the form name: value"
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise WfineError(
            f"{name} is missing. A preset has one parameter file per notebook, with a line such as "
            "preset: mini and what differs from the notebook's parameters cell."
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise WfineError(f"{name} cannot be read as UTF-8 text: {error}.") from None
    except yaml.YAMLError as error:
        mark, problem = (getattr(error, x, None) for x in ("problem_mark", "problem"))
        line = f":{mark.line + 1}" if mark else ""
        raise WfineError(f"{name}{line}: not YAML: {problem or error}; {expected}") from None
    if not isinstance(values, dict):
        raise WfineError(f"{name}: found {type(values).__name__}, {expected}")
    return values
