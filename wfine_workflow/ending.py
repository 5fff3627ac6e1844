"""Ending a run: all that it has started ends with it, whatever has become of the parents.

A run starts Snakemake, that a shell, that papermill, and that a kernel in a session of its own. Who
is told to end a run knows only its first process, and one in the middle may be killed by itself.
So every process of a run carries the run's name in its environment, and is found by it.
"""

from __future__ import annotations

import os
import re
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path

import psutil

from wfine_utils.files import LOCK

SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
"""What tells a run to end: a scheduler or an editor, Ctrl-C, a terminal that is closed."""

RUN = "WFINE_RUN"
"""Variable of the environment that holds the name of the run."""


def new_name() -> str:
    """A name for the run of this process that no other run has had."""
    return f"process {os.getpid()} since {datetime.now().isoformat()}"


@contextmanager
def interrupted_by_signals() -> Iterator[None]:
    """Inside, each of :data:`SIGNALS` raises KeyboardInterrupt with its number, and only the first.

    A signal that is ignored, as SIGHUP is under ``nohup``, stays ignored.
    """

    def interrupt(number: int, _: object) -> None:
        for each in SIGNALS:  # a second one, which a parent has passed on, must not disturb the end
            signal.signal(each, signal.SIG_IGN)
        raise KeyboardInterrupt(number)

    before = {each: signal.getsignal(each) for each in SIGNALS}
    for each, handler in before.items():
        if handler is not signal.SIG_IGN:
            signal.signal(each, interrupt)
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


class Caller:
    """The process that called us, if it waits for us: GNU make.

    Of the signals that end it, make passes on SIGTERM alone; after another it waits until we end by
    ourselves. But it no longer catches that signal then, and Linux lets us see this.
    """

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.caught = self._signals_caught()

    def is_ending(self) -> bool:
        """Whether it is gone, or was told to end."""
        return os.getppid() != self.pid or bool(self.caught & ~self._signals_caught())

    def _signals_caught(self) -> int:
        """One bit for each signal that it has a handler for; 0 where that cannot be seen."""
        with suppress(OSError):
            status = Path(f"/proc/{self.pid}/status").read_text(encoding="utf-8")
            if match := re.search(r"^SigCgt:\s*(\w+)", status, re.MULTILINE):
                return int(match[1], 16)
        return 0


@contextmanager
def ending_with(pid: int | None) -> Iterator[None]:
    """Inside, the end of a :class:`Caller` is a SIGTERM to ourselves, whatever we are doing.

    Args:
        pid: of the caller; None where there is none to end with.

    Raises:
        KeyboardInterrupt: the caller is gone already; its argument is SIGTERM.
    """
    if pid is None:
        yield
        return
    caller, done = Caller(pid), threading.Event()
    if caller.is_ending():
        raise KeyboardInterrupt(signal.SIGTERM)

    def watch() -> None:
        while not done.wait(0.25):
            if caller.is_ending():
                os.kill(os.getpid(), signal.SIGTERM)
                return

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def end_all(name: str, patience: float = 5.0) -> None:
    """Kill every process of a run; what is half-written is not seen by the next one.

    Args:
        name: of the run, see :func:`new_name`.
        patience: seconds to wait for a process that a file system does not let go.
    """
    until = time.monotonic() + patience
    members: set[psutil.Process] = set()
    # One that is ending has no environment any more, but its files, such as the lock, for a while.
    while members := {p for p in psutil.process_iter(["environ"]) if _run_of(p) == name} | {
        p for p in members if _is_alive(p.pid)
    }:
        for member in members:  # all stand still first: else one could complain of another's end
            with suppress(psutil.Error):
                member.suspend()
        for member in members:
            with suppress(psutil.Error):
                member.kill()
        if time.monotonic() > until:
            return
        time.sleep(0.02)


def _run_of(process: psutil.Process) -> str | None:
    return (process.info["environ"] or {}).get(RUN)  # None: of another user, or ended


def end_left_over(folder: Path) -> None:
    """End what was started by a run in this folder that was itself killed outright."""
    try:
        name = (folder / LOCK).read_text(encoding="utf-8")
    except OSError:  # none, or one that whoever takes the lock will complain of
        return
    if (match := re.match(r"process (\d+) since ", name)) and not _is_alive(int(match[1])):
        end_all(name)


def _is_alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def has_siblings() -> bool:
    """Whether the shell that has started us still runs another command, as that of a pipe."""
    with suppress(psutil.Error):
        others = {p.pid for p in psutil.Process(os.getppid()).children()} - {os.getpid()}
        return any(map(_is_alive, others))
    return True
