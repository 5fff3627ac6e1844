"""Code that never ends, never stops printing, or ends Python."""

from __future__ import annotations

import _thread
import sys
import threading
import time

import pytest

from wfine_course.limits import OutOfTime, TooMuchPrinted, run_limited


def endless():
    while True:
        pass


def endless_and_deaf():
    while True:
        try:  # noqa: SIM105
            sum(range(10))
        except:  # noqa: E722 -- what students write
            pass


class TestRunLimited:
    def test_what_comes_back_has_no_error(self):
        outcome = run_limited(lambda: print("hello"), seconds=5)
        assert outcome == (None, "hello\n", False)

    def test_an_endless_loop_is_stopped(self):
        begun, n_threads = time.monotonic(), threading.active_count()
        outcome = run_limited(endless, seconds=0.2)
        assert isinstance(outcome.error, OutOfTime) and not outcome.is_left_behind
        assert time.monotonic() - begun < 2
        assert threading.active_count() == n_threads

    def test_one_that_swallows_exceptions_is_stopped(self):
        outcome = run_limited(endless_and_deaf, seconds=0.2)
        assert isinstance(outcome.error, OutOfTime) and not outcome.is_left_behind

    def test_what_cannot_be_stopped_is_left_behind_and_said(self, monkeypatch):
        monkeypatch.setattr("wfine_course.limits.PATIENCE", 0.1)
        outcome = run_limited(lambda: time.sleep(1), seconds=0.1)
        assert isinstance(outcome.error, OutOfTime) and outcome.is_left_behind
        time.sleep(1.2)  # so that no test after this one has it beside it

    def test_a_megabyte_is_cut(self, capsys):
        def loud():
            for _ in range(1000):
                print("x" * 1000)

        outcome = run_limited(loud, seconds=5, characters=5000)
        assert isinstance(outcome.error, TooMuchPrinted)
        assert len(outcome.printed) <= 5000
        assert capsys.readouterr().out == ""

    def test_standard_error_is_output_too_and_the_streams_come_back(self):
        before = sys.stdout, sys.stderr
        outcome = run_limited(lambda: sys.stderr.write("a warning"), seconds=5)
        assert outcome.printed == "a warning"
        assert (sys.stdout, sys.stderr) == before

    def test_exit_is_caught(self):
        assert isinstance(run_limited(sys.exit, seconds=5).error, SystemExit)

    def test_an_interrupt_ends_what_is_being_checked(self):
        """A click on the kernel's stop button while a check waits."""
        n_threads = threading.active_count()
        timer = threading.Timer(0.2, _thread.interrupt_main)
        timer.start()
        with pytest.raises(KeyboardInterrupt):
            run_limited(endless, seconds=20)
        timer.join()
        assert threading.active_count() == n_threads
