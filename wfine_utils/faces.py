"""Faces: what a room is known for can be imported from the room, and is loaded when it is used.

The ``__init__.py`` of a room names its face ``if TYPE_CHECKING``: there people, editors and mypy
read it, and Python passes over it. So ``wfine train-reward --help`` answers at once, and
whoever imports one name of a room waits for that one alone.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any


def on_demand(room: str) -> Callable[[str], Any]:
    """The ``__getattr__`` of a room (PEP 562), which imports the names of its face.

    A name that is also that of a module in the room cannot be one of them, because Python would
    give the module to whoever comes after its import: the face imports such a name at once.

    Args:
        room: ``__name__`` of the room.

    Raises:
        AttributeError: the face has no such name.
    """
    source = Path(str(sys.modules[room].__file__)).read_text(encoding="utf-8")
    modules = {
        alias.name: statement.module
        for block in ast.parse(source).body
        if isinstance(block, ast.If)  # TYPE_CHECKING
        for statement in block.body
        if isinstance(statement, ast.ImportFrom) and statement.module
        for alias in statement.names
    }

    def load(name: str) -> Any:
        if name not in modules:
            raise AttributeError(f"module {room!r} has no attribute {name!r}")
        value = getattr(import_module(modules[name]), name)
        setattr(sys.modules[room], name, value)  # asked for once only
        return value

    return load
