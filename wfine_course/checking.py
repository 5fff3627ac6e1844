"""The check of an exercise: says in one paragraph what is wrong, and never stops a notebook.

What an answer is examined for stands in ``wfine_course/<week>/checks.py``, a function to an
exercise, under the exercise's name. It raises :class:`Refusal` with a reason that helps. It lies
there and not in the notebook, so that nothing a student defines can change it.
"""

from __future__ import annotations

import builtins
import linecache
import math
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wfine_course.limits import MAX_PRINTED, Outcome, OutOfTime, TooMuchPrinted, run_limited
from wfine_utils.errors import WfineError

POINTS = 2
"""What an exercise is worth; a mended function and a test of a lab are an exercise each."""

SECONDS = 10.0
"""How long an answer may be examined; a right one takes a tenth of that at most."""

_OFTEN_HIDDEN = (
    "abs all any dict float int len list map max min range round set sorted str sum tuple zip"
).split()
"""Names of Python that a notebook overwrites by accident."""


class Refusal(Exception):
    """Why an answer is not right yet: one or two sentences for the student."""


def expect(holds: object, reason: str) -> None:
    """Refuse an answer for a reason, unless something holds."""
    if not holds:
        raise Refusal(reason)


@dataclass(frozen=True)
class Grade:
    """What a check says. Shown as a paragraph; its plain text is the number of points.

    nbgrader takes the plain text of a check's output for its points.
    """

    points: float
    of: float
    said: str

    def __repr__(self) -> str:
        return f"{self.points:g}"

    def _repr_markdown_(self) -> str:
        return self.said

    @property
    def is_full(self) -> bool:
        """Whether all points were given."""
        return self.points == self.of


def check(week: str, name: str, namespace: Mapping[str, Any], *, seconds: float = SECONDS) -> Grade:
    """Examine the answer to one exercise.

    Args:
        week: such as ``week1``.
        name: of the function or class that the exercise asks for.
        namespace: where it was defined: ``globals()``.
        seconds: after which the answer is stopped.

    Raises:
        WfineError: there is no such exercise. Nothing that an answer does is raised.
    """
    checks = checks_of(week)
    examine = getattr(checks, name, None)
    if examine is None:
        raise WfineError(
            f"{week}: found no exercise {name!r}, expected one of the functions of "
            f"{checks.__name__}. Copy the cell with the check anew from the exercise notebook."
        )
    if name not in namespace:
        return Grade(0, POINTS, f"✗ `{name}` is not there: run the cell above, and if it stops "
                     "with an error, mend that first.")  # fmt: skip
    answer = namespace[name]
    outcome = run_limited(lambda: examine(answer), seconds=seconds)
    if outcome.error is None:
        return Grade(POINTS, POINTS, f"✓ `{name}` passed.{_printed(outcome)}")
    reason = _reason(name, answer, outcome, seconds)
    hidden = _overwritten(namespace, getattr(checks, "HELPERS", {}))
    return Grade(0, POINTS, f"✗ `{name}` {reason}{hidden}{_printed(outcome)}")


def checks_of(week: str) -> ModuleType:
    """The module with the checks of a week."""
    name = f"wfine_course.{week}.checks"
    try:
        return import_module(name)
    except ModuleNotFoundError as error:
        if error.name not in (name, f"wfine_course.{week}"):
            raise
        raise WfineError(
            f"found no week {week!r} in the course; expected such as 'week1'."
        ) from None


def _reason(name: str, answer: object, outcome: Outcome, seconds: float) -> str:
    error = outcome.error
    if isinstance(error, Refusal):
        return f"is not right yet: {error}"
    if isinstance(error, NotImplementedError):
        line = "`raise NotImplementedError(…)`"
        return f"is not written yet: put your code in place of {line}, then run both cells again."
    if isinstance(error, OutOfTime):
        left = (
            " It could not even be stopped: restart the kernel." if outcome.is_left_behind else ""
        )
        return (f"was stopped after {seconds:g} seconds, and a right answer needs less than one. "
                f"Does every loop in it end?{left}")  # fmt: skip
    if isinstance(error, TooMuchPrinted):
        return (f"prints more than {MAX_PRINTED:,} characters and was stopped. Take `print` out of "
                "its loops.")  # fmt: skip
    if isinstance(error, SystemExit):
        return "calls `exit` or `quit`, which would end the kernel. Use `return`."
    said = " ".join(str(error).split())[:300]
    return f"stops with {type(error).__name__}: {said or 'no message'}.{_line(answer, error)}"


def _line(answer: object, error: BaseException | None) -> str:
    """Which line of the student's code an error came from, if it can be told."""
    members = vars(answer).values() if isinstance(answer, type) else (answer,)
    files = {code.co_filename for m in members if (code := getattr(m, "__code__", None))}
    trace = error.__traceback__ if error else None
    for frame in reversed(traceback.extract_tb(trace)):
        if frame.filename in files:
            line = linecache.getline(frame.filename, frame.lineno or 0).strip()
            return f" It happens in line {frame.lineno} of its cell" + (
                f": `{line}`." if line else "."
            )
    return ""


def _overwritten(namespace: Mapping[str, Any], helpers: Mapping[str, Any]) -> str:
    """A sentence about names that the notebook no longer has as it should."""
    lost = [n for n, value in helpers.items() if n in namespace and namespace[n] is not value]
    hidden = [n for n in _OFTEN_HIDDEN if namespace.get(n, (b := getattr(builtins, n))) is not b]
    said = ""
    if lost:
        said += (f" Also, {_names(lost)} no longer what the setup cell made of it: give your own "
                 "variable another name and run the setup cell again.")  # fmt: skip
    if hidden:
        said += (f" Also, the notebook uses a name that Python needs for something else: "
                 f"{_names(hidden)} overwritten. Rename it and restart the kernel.")  # fmt: skip
    return said


def _names(names: Sequence[str]) -> str:
    return ", ".join(f"`{name}`" for name in names) + (" is" if len(names) == 1 else " are")


def _printed(outcome: Outcome) -> str:
    """What an answer printed, for those who look for a mistake with ``print``."""
    text = outcome.printed.strip()
    if not text:
        return ""
    cut = text if len(text) <= 500 else f"{text[:500]} …"
    fence = "`" * 4
    return f"\n\nIt printed:\n\n{fence}\n{cut.replace(fence, '')}\n{fence}"


def as_number(value: object, call: str) -> float:
    """A number that an answer returned; anything else is refused by name.

    Args:
        value: what was returned.
        call: how the answer was called, for the message.
    """
    if value is None:
        raise Refusal(f"`{call}` gives back nothing. Is there a `return`?")
    if isinstance(value, bool | np.bool_ | str) or (not np.isscalar(value) and np.ndim(value)):  # type: ignore[arg-type]
        raise Refusal(f"`{call}` gives back {described(value)}, expected a number.")
    try:
        return float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        raise Refusal(f"`{call}` gives back {described(value)}, expected a number.") from None


def as_numbers(value: object, call: str, n: int) -> NDArray[np.float64]:
    """``n`` numbers in a row that an answer returned; anything else is refused by name."""
    if value is None:
        raise Refusal(f"`{call}` gives back nothing. Is there a `return`?")
    try:
        array = np.asarray(value, dtype=float)
    except (TypeError, ValueError):
        array = np.empty(0)
    if isinstance(value, str) or array.shape != (n,):
        raise Refusal(f"`{call}` gives back {described(value)}, expected {n} numbers in a row.")
    return array


def described(value: object) -> str:
    """A value in a few words: its kind, and how it looks, cut short."""
    look = repr(value[:80] if isinstance(value, str | bytes) else value)
    look = " ".join(look.split())
    look = look if len(look) <= 60 else f"{look[:59]}…"
    kinds: dict[type, str] = {str: "the text ", list: "the list ", tuple: "the tuple "}
    if isinstance(value, np.ndarray):
        return f"an array of shape {value.shape}"
    return kinds.get(type(value), "") + look


def is_close(a: float, b: float, tolerance: float = 1e-9) -> bool:
    """Whether two numbers agree; NaN agrees with none."""
    return math.isfinite(a) and abs(a - b) <= tolerance


def examine_test(
    test: Callable[[Callable[..., Any]], object],
    right: Sequence[Callable[..., Any]],
    wrong: Sequence[tuple[Callable[..., Any], str]],
) -> None:
    """Refuse a student's test that fails on a right version or passes a wrong one.

    Args:
        test: takes a version of a function and says no by ``assert``.
        right: versions on which it has to pass.
        wrong: versions on which it has to fail, each with a hint where to look.
    """
    for version in right:
        try:
            returned = test(_without_name(version))
        except NotImplementedError:
            raise
        except AssertionError as error:
            first = str(error).partition("\n")[0][:200]
            said = f"“{first}”" if first else "an `assert` without a text"
            raise Refusal(f"your test fails on a right version: {said}.") from None
        expect(
            returned is None,
            f"your test gives back {described(returned)}; a test says no by `assert`.",
        )
    for place, (version, hint) in enumerate(wrong, start=1):
        try:
            test(_without_name(version))
        except Exception:  # by assert, or because the version broke down
            continue
        raise Refusal(f"wrong version {place} of {len(wrong)} slips through. {hint}")


def _without_name(version: Callable[..., Any]) -> Callable[..., Any]:
    """The same function, which does not say by its name which it is."""
    return lambda *args, **options: version(*args, **options)
