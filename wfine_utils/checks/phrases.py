"""Checks in words: :func:`phrase` says a requirement as a person might, in one of many ways.

Every wording says its check exactly, and :func:`wfine_utils.checks.compile.compile_requirement`
reads it back.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from wfine_utils.checks.amounts import pick
from wfine_utils.checks.phrase_tables import CITATIONS, COUNTED, ITEMS, LENGTHS, PLAIN
from wfine_utils.checks.phrases_of_length import (
    bounds,
    characters,
    counted,
    length,
    paragraphs,
    sentence_words,
)
from wfine_utils.checks.phrases_of_terms import (
    anaphora,
    bold_terms,
    forbids,
    headings,
    in_order,
    line_starts,
    mentions,
    mentions_some,
    proportion,
    record,
    table,
    years_in_order,
)
from wfine_utils.checks.published_wording import phrase_published
from wfine_utils.checks.twins import Check, own_twin
from wfine_utils.errors import WfineError

__all__ = ["own_twin", "phrase"]

_Rng = np.random.Generator

_SAYERS: dict[str, Callable[[Check, _Rng], str]] = {
    "anaphora": anaphora,
    "bold_terms": bold_terms,
    "char_count": characters,
    "forbids": forbids,
    "headings": headings,
    "in_order": in_order,
    "line_starts": line_starts,
    "mentions": mentions,
    "mentions_some": mentions_some,
    "paragraphs": paragraphs,
    "proportion": proportion,
    "record": record,
    "sentence_words": sentence_words,
    "table": table,
    "years_in_order": years_in_order,
    "list_items": lambda check, rng: counted(check, ITEMS[check.get("marker", "any")], rng),
    "citations": lambda check, rng: counted(
        check, CITATIONS[check.get("style", "author-year")], rng
    ),
}


def phrase(check: Mapping[str, Any], rng: np.random.Generator) -> str:
    """A check in words, in one of many ways; English, one sentence, no demand besides it.

    Args:
        check: of any kind; its :func:`own_twin` is what is said.
        rng: decides the wording.

    Raises:
        WfineError: the kind is unknown, no text or every text meets the check, or a term cannot be
            put in quotation marks.

    >>> phrase({"kind": "word_count", "low": 50, "high": 60}, np.random.default_rng(0))
    'The text has to have from fifty to sixty words.'
    """
    twin = own_twin(check)
    if "/" in twin["kind"]:
        return phrase_published(twin, rng)
    kind, (low, high) = twin["kind"], bounds(twin)
    if low is not None and high is not None and low > high:
        raise WfineError(f"phrase: found low {low} above high {high} of {kind}; swap them.")
    if kind in PLAIN:
        said = pick(rng, PLAIN[kind])
    elif kind in COUNTED:
        said = counted(twin, COUNTED[kind], rng)
    elif kind in LENGTHS:
        said = length(twin, LENGTHS[kind], rng)
    else:
        said = _SAYERS[kind](twin, rng)
    return said[0].upper() + said[1:] if said[0].isalpha() else said
