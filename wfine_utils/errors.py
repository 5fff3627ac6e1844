"""The one kind of error that is meant for the user rather than for a developer."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from importlib import import_module
from typing import Any, ParamSpec

P = ParamSpec("P")


class WfineError(Exception):
    """Something the user can put right: a missing file, a misspelt parameter, a bad row.

    The message is one paragraph: what was found, what was expected, what to do next. Notebooks and
    command lines show it without a traceback: where our code noticed the problem mends nothing.
    """

    def _render_traceback_(self) -> list[str]:
        """Called by IPython (and so by Jupyter and papermill) instead of its own traceback."""
        return [f"{type(self).__name__}: {self}"]


def explained(main: Callable[P, int]) -> Callable[P, int]:
    """A command whose :class:`WfineError` is one paragraph on standard error, and status 2."""

    @functools.wraps(main)
    def command(*args: P.args, **kwargs: P.kwargs) -> int:
        try:
            return main(*args, **kwargs)
        except WfineError as error:
            sys.stderr.write(f"{error}\n")
            return 2

    return command


def import_extra(module: str, extra: str) -> Any:
    """A module that an extra of this package brings; a :class:`WfineError` names a missing one."""
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        if error.name != module:
            raise
        raise WfineError(
            f"{module}: found no such module, expected it for this step. Install the extra: "
            f"pip install 'wfine[{extra}]', or in a clone pip install -e '.[{extra}]'."
        ) from None
