"""What a judge is asked, and how its reply is read.

A template is a versioned text with slots; ours lie in the folder ``prompts``. Its hash stands in
every row of results, so that numbers from two wordings are never mixed up. What fills a slot was
written by others and may try to pass for a part of the question: it stands between marks that it
cannot contain. No template ends in a verdict, so a model that only repeats its prompt gives none.

Replies are read strictly. What is not exactly a verdict is NaN with a reason, and never 0: a
judge whose replies cannot be parsed must not look like a judge that found everything bad.
"""

from __future__ import annotations

import json
import re
import string
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Annotated, NamedTuple

from pydantic import BaseModel, Field, StringConstraints, ValidationError

from wfine_utils.errors import WfineError

NAN = float("nan")


@dataclass(frozen=True)
class Template:
    """The wording of a question, with slots such as ``$response``.

    Args:
        name: what it asks for; lower case with hyphens.
        version: raised by one whenever the text changes.
        text: in the syntax of ``string.Template``; a plain dollar sign is written ``$$``.
        options: for answers read from log-probabilities: the token for yes, the token for no.

    Raises:
        WfineError: the text has a dollar sign that begins no slot.
    """

    name: str
    version: int
    text: str
    options: tuple[str, str] | None = None

    def __post_init__(self) -> None:
        if not string.Template(self.text).is_valid():
            raise WfineError(
                f"template {self.name}: found a dollar sign that begins no slot; expected slots "
                "like $response only. Write a plain dollar sign as $$."
            )

    @property
    def label(self) -> str:
        """Name and version, such as ``requirement-text/1``."""
        return f"{self.name}/{self.version}"

    @property
    def hash(self) -> str:
        """sha256 of the text, 64 hexadecimal digits."""
        return sha256(self.text.encode()).hexdigest()

    def fill(self, **parts: str) -> str:
        """The prompt, each part between two marks with a code that occurs in no part.

        A code depends on its part alone, unless a part contains it: prompts with the same first
        parts begin alike, as caches like.

        Raises:
            WfineError: the template has a slot that is not among the parts.
        """
        text = string.Template(self.text)
        unknown = sorted(set(text.get_identifiers()) - set(parts))
        if unknown:
            raise WfineError(
                f"template {self.name}: found the slots {unknown}; expected only {sorted(parts)}. "
                "Remove them from the text of the template."
            )
        return text.substitute({slot: _between_marks(slot, parts) for slot in parts})


def _between_marks(slot: str, parts: dict[str, str]) -> str:
    label, salt = slot.replace("_", " "), 0
    while True:
        seed = f"{label}\0{salt}\0{parts[slot]}"
        code = sha256(seed.encode("utf-8", "surrogatepass")).hexdigest()[:8]
        if not any(code in part for part in parts.values()):
            return f"<<{label} {code}>>\n{parts[slot]}\n<<end of {label} {code}>>"
        salt += 1  # somebody worked the code out and wrote it into a part


def _own(name: str, version: int, options: tuple[str, str] | None = None) -> Template:
    text = (Path(__file__).parent / "prompts" / f"{name}.txt").read_text(encoding="utf-8")
    return Template(name, version, text.removesuffix("\n"), options)


REQUIREMENT_TEXT = _own("requirement-text", 1)
REQUIREMENT_LOGITS = _own("requirement-logits", 1, options=("1", "0"))  # one token everywhere
CRITIC = _own("critic", 1)
CHECKLIST = _own("checklist", 1)
PAIRWISE = _own("pairwise", 1)
"""Whole responses on the paper's five criteria."""

PREFERENCES = {"a much better": 2, "a better": 1, "tie": 0, "b better": -1, "b much better": -2}
"""The five verdicts on a pair, from the view of the response that was shown first."""


class Reading(NamedTuple):
    """What a reply says: a value, or NaN and the problem; and the critic's reason."""

    value: float
    problem: str | None = None
    reason: str | None = None


def read_verdict(reply: str) -> Reading:
    """1 or 0 for a reply that ends in ``[[1]]`` or ``[[0]]``; white space may follow.

    >>> read_verdict("It names the heron. [[1]]").value
    1.0
    """
    readings = {"[[1]]": Reading(1.0), "[[0]]": Reading(0.0)}
    return readings.get(reply.rstrip()[-5:], Reading(NAN, "does not end in [[1]] or [[0]]"))


def read_preference(reply: str) -> Reading:
    """-2 … 2 for a reply that ends in one of :data:`PREFERENCES` in double brackets.

    >>> read_preference("Both are fine, but A has the letter. [[A better]]").value
    1.0
    """
    end = reply.rstrip()[-32:].lower()
    for words, value in PREFERENCES.items():
        if end.endswith(f"[[{words}]]"):
            return Reading(float(value))
    return Reading(NAN, "does not end in one of the five verdicts")


class _Review(BaseModel):
    score: Annotated[int, Field(strict=True, ge=1, le=10)]
    reason: Annotated[str, StringConstraints(strict=True, strip_whitespace=True, min_length=1)]


_FENCED = re.compile(r"```(?:json)?(.*)```", re.DOTALL | re.IGNORECASE)


def read_review(reply: str) -> Reading:
    """The score 1 … 10 and the reason of a reply that is one JSON object, or one in a code fence.

    >>> read_review('```json\\n{"reason": "No close.", "score": 4}\\n```')
    Reading(value=4.0, problem=None, reason='No close.')
    """
    text = reply.strip()
    fenced = _FENCED.fullmatch(text)
    try:
        value = json.loads(fenced[1] if fenced else text)
    except (ValueError, RecursionError):  # the latter for ten thousand brackets
        return Reading(NAN, "is not JSON")
    try:
        review = _Review.model_validate(value)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or "the whole"
        return Reading(NAN, f"{place}: {first['msg']}")
    return Reading(float(review.score), None, review.reason)
