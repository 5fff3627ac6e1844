"""Machine checks of requirements: did this text do what was asked?

A check is plain data, ``{"kind": "sentence_count", "n": 3}``, so that it travels with a
requirement through JSON. ``check`` looks the kind up in :data:`CHECKS` and calls it. A check
reads the response alone and never raises on any text.

The checks in this module are those of the tiny world, simple and fast; those for natural prose
and Markdown are in :mod:`wfine_utils.checks.prose`. Words are runs of letters, digits and inner
apostrophes or hyphens; here, sentences end with ``.``, ``!`` or ``?`` before white space or the
end. List markers, heading marks and bold marks belong to the layout, not to the words.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any

from wfine_utils.chains.taxonomy import Requirement
from wfine_utils.checks.prose import PROSE_CHECKS
from wfine_utils.checks.simple import (
    bold_term,
    bullet_list,
    exclamations,
    figures,
    heading,
    in_order,
    letter,
    mentions,
    numbered_list,
    questions,
    sentence_count,
    word_count,
    words,
)
from wfine_utils.errors import WfineError

CHECKS: dict[str, Callable[..., bool]] = {
    function.__name__: function
    for function in (
        sentence_count,
        word_count,
        bullet_list,
        numbered_list,
        heading,
        letter,
        bold_term,
        mentions,
        in_order,
        figures,
        exclamations,
        questions,
    )
} | PROSE_CHECKS
"""Every kind of check, by the name that stands in ``Requirement.check["kind"]``."""


def check(spec: dict[str, Any], text: str) -> bool:
    """Whether a text meets one machine-checkable requirement.

    Args:
        spec: ``{"kind": <a key of CHECKS>, **arguments of that check}``.
        text: the response; any string, of any length.

    Raises:
        WfineError: the kind is unknown, or its arguments do not fit.
    """
    arguments = {key: value for key, value in spec.items() if key != "kind"}
    function = CHECKS.get(spec.get("kind", ""))
    if function is None:
        raise WfineError(
            f"check: kind: found {spec.get('kind')!r}, expected one of {', '.join(CHECKS)}."
        )
    try:
        inspect.signature(function).bind(text, **arguments)
    except TypeError as error:
        raise WfineError(
            f"check {spec['kind']}: {error}; it takes "
            f"{', '.join(list(inspect.signature(function).parameters)[1:]) or 'no arguments'}."
        ) from None
    return function(text, **arguments)


def measure(spec: dict[str, Any], text: str) -> float | None:
    """What a check counts in a text before it compares with its bounds; None if it counts nothing.

    Args:
        spec: as in :func:`check`.
        text: the response.
    """
    if spec["kind"] == "word_count":
        return len(words(text))
    count = getattr(CHECKS[spec["kind"]], "measure", None)
    arguments = {k: v for k, v in spec.items() if k not in ("kind", "low", "high")}
    return None if count is None else count(text, **arguments)


def verdicts(requirements: Sequence[Requirement], text: str) -> tuple[bool | None, ...]:
    """The verdict on every requirement of a query; None where no machine can judge."""
    return tuple(None if r.check is None else check(r.check, text) for r in requirements)
