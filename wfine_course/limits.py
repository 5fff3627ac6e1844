"""Somebody else's code under a limit of time and of output, in the process where it lives.

A student's function is an object of the kernel: it uses what other cells have defined, so it cannot
be sent to another process without writing it down as data, which would have to be trusted again.
It runs in a thread beside the main one, which waits so long and no longer. Then an exception is
raised in the thread, again and again, as a bare ``except`` may have swallowed the first. All of
this is plain CPython and the same on Linux, macOS and Windows, which have no common signal.

What it cannot stop is one call into C that never comes back. If that lets other threads run, such
as a sleep of a year, the caller goes on all the same and is told; else the kernel has to be
restarted by hand.
"""

from __future__ import annotations

import _thread
import ctypes
import io
import signal
import threading
import time
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from typing import Any, NamedTuple

MAX_PRINTED = 10_000
"""Characters that a function may print while it is checked."""

PATIENCE = 2.0
"""Seconds in which code that has been told to stop may do so."""


class OutOfTime(BaseException):
    """Raised in code that has run for too long; no ``except Exception`` of its own stops it."""


class TooMuchPrinted(BaseException):
    """Raised in code that prints more than it may, by its ``print``."""


class Outcome(NamedTuple):
    """How a call ended."""

    error: BaseException | None  # what it raised; None: it came back
    printed: str  # what it wrote to standard output and standard error
    is_left_behind: bool = False  # it was told to stop and goes on


class _Paper(io.StringIO):
    """Takes what is printed until it is full."""

    def __init__(self, room: int) -> None:
        super().__init__()
        self.room = room

    def write(self, text: str) -> int:
        self.room -= len(text)
        if self.room < 0:
            raise TooMuchPrinted
        return super().write(text)


def run_limited(
    function: Callable[[], object], *, seconds: float, characters: int = MAX_PRINTED
) -> Outcome:
    """Call a function that may never end, print without end, or raise anything at all.

    Args:
        function: takes nothing; what it returns is not looked at.
        seconds: after which it is stopped.
        characters: after which its next ``print`` stops it.
    """
    paper, raised, ended = _Paper(characters), list[BaseException](), threading.Event()

    def call() -> None:
        try:
            function()
        except BaseException as error:  # SystemExit too: a check survives exit()
            raised.append(error)
        finally:
            ended.set()

    thread = threading.Thread(target=call, daemon=True)
    with redirect_stdout(paper), redirect_stderr(paper):
        thread.start()
        try:
            until = time.monotonic() + seconds
            while not ended.wait(0.1) and time.monotonic() < until:
                pass  # short waits: an interrupt from a thread wakes nobody, and it spoils a join
            is_slow = not ended.is_set()
        except KeyboardInterrupt:  # a click on ■: what is being checked ends with the check
            _stop(thread, ended)
            raise
        if is_slow:
            _stop(thread, ended)
    if is_slow and not (raised and isinstance(raised[0], TooMuchPrinted)):
        raised = [OutOfTime()]
    is_left_behind = is_slow and thread.is_alive()
    return Outcome(raised[0] if raised else None, paper.getvalue(), is_left_behind)


def _stop(thread: threading.Thread, ended: threading.Event) -> None:
    """Raise :class:`OutOfTime` in a thread until it has ended, or patience has."""
    until = time.monotonic() + PATIENCE
    while thread.is_alive() and time.monotonic() < until:
        if not ended.wait(0.002):
            place = ctypes.c_ulong(thread.ident or 0)
            ctypes.pythonapi.PyThreadState_SetAsyncExc(place, ctypes.py_object(OutOfTime))


class _CellWatch:
    """Interrupts a cell of a notebook that runs too long, and says so below it."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.timer: threading.Timer | None = None
        self.has_fired = False

    def begin(self, *_: Any) -> None:
        self.end()
        self.timer = threading.Timer(self.seconds, self._fire)
        self.timer.daemon = True
        self.timer.start()

    def _fire(self) -> None:
        self.has_fired = True
        if hasattr(signal, "pthread_kill"):  # wakes what sleeps, too, as a click on ■ does
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
        else:  # Windows
            _thread.interrupt_main()

    def end(self, *_: Any) -> None:
        if self.timer:
            self.timer.cancel()
        if self.has_fired:
            from IPython.display import Markdown, display

            self.has_fired = False
            display(Markdown(
                f"⏱ This cell ran for more than {self.seconds:g} seconds and was stopped. Is there "
                "a loop in it that never ends? Mend it and run the cell again; the cells below "
                "work without it."
            ))  # fmt: skip


_watches: list[_CellWatch] = []


def stop_cells_after(seconds: float = 120) -> None:
    """From now on, a cell of this notebook that runs longer is interrupted; elsewhere, nothing.

    Args:
        seconds: of one cell. A later call replaces an earlier one.
    """
    from IPython.core.getipython import get_ipython

    if (shell := get_ipython()) is None:
        return
    for watch in _watches:
        shell.events.unregister("pre_run_cell", watch.begin)
        shell.events.unregister("post_run_cell", watch.end)
    _watches[:] = [_CellWatch(seconds)]
    shell.events.register("pre_run_cell", _watches[0].begin)
    shell.events.register("post_run_cell", _watches[0].end)
