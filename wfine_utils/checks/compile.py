"""From a requirement's words to its check, or to nothing: :func:`compile_requirement`.

Deterministic, without a model, for English. Most rules read a whole sentence, so that no part of
it goes unread. Where none of them knows the sentence, the clause rules find the amount or the terms
first; every word that is left must then be one that takes nothing back. A check is given only where
all rules that read the requirement agree. What is not sure is no check:

* a second demand, a condition, a wish ("ideally"), a permission, a sentence of two sentences;
* "about 100 words", and a plain number where it may be meant roughly or as a least: "200 words",
  "two questions". A plain number of sentences, paragraphs, headings, list items and bold phrases is
  exact;
* a requirement that contradicts itself, such as "at least 200 and at most 100 words".

"In the first person", without a number, is read as four words of it at least, as in WEval-Hand
(:data:`wfine_utils.checks.rules_content.VOICE`).

An aim that is said together with its means is read by its means: "Keep the tone formal, without a
single contraction" is no contraction.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any, NamedTuple

from wfine_utils.checks import (
    clause_amounts,
    clause_layout,
    clause_lengths,
    clause_terms,
    rules_content,
    rules_counted,
    rules_format,
    rules_length,
)
from wfine_utils.checks.contradictions import contradiction
from wfine_utils.checks.ifeval import identify_language
from wfine_utils.checks.published_wording import compile_published
from wfine_utils.checks.twins import Check, own_twin
from wfine_utils.checks.wording import Wording, read_wording
from wfine_utils.errors import WfineError

Rule = Callable[[Wording], Iterator[Check]]

_RULES = (*rules_counted.RULES, *rules_length.RULES, *rules_format.RULES, *rules_content.RULES)
_LOOSER = (*clause_amounts.RULES, *clause_lengths.RULES, *clause_layout.RULES, *clause_terms.RULES)
"""Asked where the others find nothing."""


class Compiled(NamedTuple):
    """What the words of a requirement say.

    Args:
        check: ``{"kind": …, **arguments}`` in the form of :func:`own_twin`; None if it is not sure.
        reason: why there is no check: "no rule", "two readings: …", "contradicts itself: …", "asks
            for nothing", "not English", "unreadable quotation marks or too long", "empty"; "" with
            a check.
    """

    check: Check | None
    reason: str = ""


def compile_requirement(text: str) -> Check | None:
    """The check that the words of a requirement ask for; None where it is not sure.

    >>> compile_requirement("Please write no more than a hundred and twenty words.")
    {'kind': 'word_count', 'high': 120}
    >>> compile_requirement("Write a gripping story.") is None
    True
    """
    return compiled(text).check


def compiled(text: str) -> Compiled:
    """The check that the words of a requirement ask for, or why there is none."""
    if not isinstance(text, str):
        raise WfineError(f"compile: found {text!r}, expected the text of a requirement.")
    if not text.strip():
        return Compiled(None, "empty")
    check, reason = _compiled(text)
    return Compiled(None if check is None else json.loads(check), reason)


@lru_cache(maxsize=4096)
def _compiled(text: str) -> tuple[str | None, str]:
    """As :func:`compiled`, the check as JSON so that the cache hands out no shared dict."""
    wording = read_wording(text)
    if wording is None:
        return None, "unreadable quotation marks or too long"
    readings, reason = _readings(_RULES, wording)
    published = compile_published(text)
    if published is not None:
        twin = own_twin(published)
        readings[json.dumps(twin, sort_keys=True)] = twin
    if not readings and not reason:
        readings, reason = _readings(_LOOSER, wording)
        readings = _fullest(readings)
    if len(readings) > 1:
        return None, "two readings: " + " or ".join(readings)
    if not readings:
        return None, reason or _why_none(text)
    twin = next(iter(readings.values()))
    if clash := contradiction(twin):
        return None, f"contradicts itself: {clash}"
    return json.dumps(twin), ""


def _readings(rules: Iterable[Rule], wording: Wording) -> tuple[dict[str, Check], str]:
    """Every check that a rule reads, by its JSON; and why a reading is none."""
    readings: dict[str, Check] = {}
    reason = ""
    for rule in rules:
        for reading in rule(wording):
            try:
                twin = own_twin(reading)
            except WfineError:
                reason = "asks for nothing"
                continue
            readings[json.dumps(twin, sort_keys=True)] = twin
    return readings, reason


def _fullest(readings: Mapping[str, Check]) -> dict[str, Check]:
    """The readings without those that are a part of another: three headings, named or not."""

    def is_part(one: Check, other: Check) -> bool:
        return one != other and all(
            name in other
            and (other[name] == value or (isinstance(value, list) and set(value) < {*other[name]}))
            for name, value in one.items()
        )

    checks = readings.values()
    return {
        name: check
        for name, check in readings.items()
        if not any(is_part(check, other) for other in checks)
    }


def _why_none(text: str) -> str:
    language: Any = identify_language(text)
    return "no rule" if language in ("en", "und", None) else "not English"
