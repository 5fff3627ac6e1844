"""Machine checks of requirements: did this text do what was asked?

A check is plain data, ``{"kind": "sentences", "low": 3, "high": 3}``, so that it travels with a
requirement through JSON. It reads the response alone and never raises on any text.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any

import pandas as pd

from wfine_utils.chains.taxonomy import Requirement
from wfine_utils.checks import ifbench, ifbench_layout, ifeval
from wfine_utils.checks.prose import PROSE_CHECKS
from wfine_utils.checks.simple import TINY_CHECKS
from wfine_utils.errors import WfineError

CHECKS: dict[str, Callable[..., bool]] = {
    **TINY_CHECKS,
    **PROSE_CHECKS,
    **{f"ifeval/{name}": function for name, function in ifeval.INSTRUCTIONS.items()},
    **{
        f"ifbench/{name}": function
        for part in (ifbench, ifbench_layout)
        for name, function in part.INSTRUCTIONS.items()
    },
}
"""Every kind of check: of the tiny world, of natural prose and Markdown, and of IFEval and IFBench,
whose kinds are the published ids behind ``ifeval/`` and ``ifbench/``."""


def instruction_kind(instruction_id: str) -> str:
    """The kind of check of an instruction type, by its public id; IFEval's if there is none."""
    kind = f"ifbench/{instruction_id}"
    return kind if kind in CHECKS else f"ifeval/{instruction_id}"


def is_missing(value: Any) -> bool:
    """Whether a table's cell or an argument is none: None, NaN (a gap in pandas) and their like."""
    return bool(pd.api.types.is_scalar(value) and pd.isna(value))


def check(spec: dict[str, Any], text: str) -> bool:
    """Whether a text meets one machine-checkable requirement.

    Args:
        spec: ``{"kind": <a key of CHECKS>, **arguments of that check}``; arguments that are
            None, or NaN as in tables, are left out.

    Raises:
        WfineError: the kind is unknown, its arguments do not fit, or the text is none.

    >>> check({"kind": "ifeval/punctuation:no_comma"}, "Short and plain.")
    True
    """
    kind = spec.get("kind")
    arguments = {name: v for name, v in spec.items() if name != "kind" and not is_missing(v)}
    function = CHECKS.get(str(kind))
    if function is None:
        raise WfineError(f"check: kind: found {kind!r}, expected one of {', '.join(CHECKS)}.")
    if not isinstance(text, str):
        raise WfineError(f"check {kind}: text: found {text!r}, expected a text.")
    signature = inspect.signature(function)
    try:
        signature.bind(text, **arguments)
    except TypeError as error:
        takes = ", ".join([*signature.parameters][1:]) or "no arguments"
        raise WfineError(f"check {kind}: {error}; it takes {takes}.") from None
    try:
        return function(text, **arguments)
    except WfineError as error:
        raise WfineError(f"check {kind}: {error}") from None


def measure(spec: dict[str, Any], text: str) -> float | None:
    """What a :func:`check` counts before it compares with its bounds; None if it counts nothing."""
    count = getattr(CHECKS[spec["kind"]], "measure", None)
    arguments = {k: v for k, v in spec.items() if k not in ("kind", "low", "high")}
    return None if count is None else count(text, **arguments)


def verdicts(requirements: Sequence[Requirement], text: str) -> tuple[bool | None, ...]:
    """The verdict on every requirement of a query; None where no machine can judge."""
    return tuple(None if r.check is None else check(r.check, text) for r in requirements)
