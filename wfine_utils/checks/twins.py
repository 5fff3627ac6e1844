"""The one form of a check among those that mean the same: :func:`own_twin`.

Two checks of one meaning are written in several ways: ``sentence_count`` of the tiny world and
``sentences`` of prose, a bound that is None, a default that is spelt out, a least that is implied.
The twin is the form that the compiler of requirements gives, so that two checks can be compared.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from wfine_utils.checks.dispatch import CHECKS, is_missing
from wfine_utils.checks.markdown import seen_text
from wfine_utils.checks.published_wording import published_twin
from wfine_utils.checks.words import normalised
from wfine_utils.errors import WfineError

Check = dict[str, Any]

_SAME_KIND = {
    "bold_term": "bold_terms",
    "figures": "numbers",
    "letter": "letter_layout",
    "questions": "question_count",
    "sentence_count": "sentences",
}
"""Kinds of the tiny world, and the kinds of prose that mean the same."""

_DEFAULTS: dict[str, dict[str, Any]] = {
    "char_count": {"spaces": True},
    "citations": {"style": "author-year"},
    "headings": {"texts": []},
    "list_items": {"marker": "any"},
}
_NAMES_OF_LISTS = ("terms", "fields", "texts")


def _vacuous(kind: str) -> WfineError:
    return WfineError(
        f"check {kind}: found arguments that every text meets, expected a bound or a term that "
        "binds; give one, or drop the requirement."
    )


def _whole(name: str, value: float) -> int:
    """A bound of a count as the whole number that binds alike."""
    return math.floor(value) if name.endswith("high") else math.ceil(value)


def _tidied(check: Mapping[str, Any]) -> Check:
    """No missing arguments, no defaults; whole bounds; terms with single blanks."""
    kind = _SAME_KIND.get(str(check.get("kind")), str(check.get("kind")))
    tidy: Check = {"kind": kind}
    for name, value in check.items():
        if name == "kind" or is_missing(value):
            continue
        if name in _NAMES_OF_LISTS:
            value = [" ".join(normalised(str(term)).split()) for term in value]
        elif name in ("level", "columns", "n") or (
            name.endswith(("low", "high")) and kind != "proportion"
        ):
            value = _whole(name, value)
        if _DEFAULTS.get(kind, {}).get(name) != value:
            tidy[name] = value
    return tidy


def _bound(check: Check, least: int = 0) -> None:
    """Leave out a lower bound that every text meets; `least` is the least that there can be."""
    if "low" in check and check["low"] <= least:
        if "high" not in check:
            raise _vacuous(check["kind"])
        del check["low"]


def _counted(check: Check) -> Check:
    if "low" not in check and "high" not in check:
        check["low"] = 1
    _bound(check)
    return check


def _sentences(check: Check) -> Check:
    if "n" in check:
        check["low"] = check["high"] = check.pop("n")
    return _counted(check)


def _bold_terms(check: Check) -> Check:
    if "term" in check:
        check["terms"] = [" ".join(normalised(str(check.pop("term"))).split())]
    return _with_terms(check)


def _with_terms(check: Check) -> Check:
    if not check.get("terms", check.get("fields")):
        raise _vacuous(check["kind"])
    return check


def _in_order(check: Check) -> Check:
    """One term in order is a mention."""
    _with_terms(check)
    return check if len(check["terms"]) > 1 else {**check, "kind": "mentions"}


def _mentions_some(check: Check) -> Check:
    _with_terms(check)
    _counted(check)
    n_terms = len(check["terms"])
    if check.get("high", 0) >= n_terms:
        del check["high"]
        _counted_needs_low(check)
    if check.get("high") == 0:
        return {"kind": "forbids", "terms": check["terms"]}
    if check.get("low") == n_terms:
        return {"kind": "mentions", "terms": check["terms"]}
    return check


def _counted_needs_low(check: Check) -> None:
    if "low" not in check:
        raise _vacuous(check["kind"])


def _sentence_words(check: Check) -> Check:
    """Every sentence has a word: without a bound, one sentence is all that is asked."""
    if "high" not in check and check.get("low", 0) <= 1:
        return {"kind": "sentences", "low": 1}
    _bound(check, least=1)
    return check


def _paragraphs(check: Check) -> Check:
    for low in ("low", "words_low"):
        if check.get(low, 1) <= 0:
            del check[low]
    if check.get("high") == 0:
        return {"kind": "paragraphs", "high": 0}
    if len(check) == 1:
        raise _vacuous("paragraphs")
    return check


def _table(check: Check) -> Check:
    if check.get("rows_low", 1) <= 0:
        del check["rows_low"]
    return check


def _proportion(check: Check) -> Check:
    if "low" not in check and "high" not in check:
        check["low"] = 1
    for name, limit in (("low", 0.0), ("high", 1.0)):
        if name in check:
            check[name] = float(check[name])
            binds = check[name] > limit if name == "low" else check[name] < limit
            if not binds:
                del check[name]
    if "low" not in check and "high" not in check:
        raise _vacuous("proportion")
    return check


def _headings(check: Check) -> Check:
    texts: Sequence[str] = check.get("texts", ())
    if not texts:
        return _counted(check)
    if "high" in check and check.get("low", 0) < 1:
        raise WfineError(
            "check headings: found texts and high without low, which a text without these "
            "headings meets too; give low."
        )
    if "low" in check and check["low"] <= 0:
        raise _vacuous("headings")
    low = max(check.pop("low", 0), len(texts))
    if "high" in check or low > len(texts):
        check["low"] = low
    return check


def _line_starts(check: Check) -> Check:
    prefix = str(check.get("prefix", ""))
    check["prefix"] = seen_text(prefix).strip() or normalised(prefix).lstrip()
    return _counted(check)


def _anaphora(check: Check) -> Check:
    check["start"] = " ".join(normalised(str(check.get("start", ""))).split())
    return _counted(check)


def _years_in_order(check: Check) -> Check:
    check["low"] = max(check.get("low", 3), 0)
    return check


_TWIN: dict[str, Callable[[Check], Check]] = {
    "anaphora": _anaphora,
    "bold_terms": _bold_terms,
    "forbids": _with_terms,
    "headings": _headings,
    "in_order": _in_order,
    "line_starts": _line_starts,
    "mentions": _with_terms,
    "mentions_some": _mentions_some,
    "paragraphs": _paragraphs,
    "proportion": _proportion,
    "record": _with_terms,
    "sentence_words": _sentence_words,
    "sentences": _sentences,
    "table": _table,
    "years_in_order": _years_in_order,
    **dict.fromkeys(("bullet_list", "exclamations", "heading", "letter_layout", "numbered_list"),
                    lambda check: check),
}  # fmt: skip


def own_twin(check: Mapping[str, Any]) -> Check:
    """The one form of a check among those of the same meaning, with the kinds of prose first.

    Arguments that are None or defaults are left out, bounds of counts are whole numbers, and a
    bound that another implies is left out. Terms keep their order. A published kind that is said
    in the words of an own one is that one.

    >>> own_twin({"kind": "sentence_count", "n": 3})
    {'kind': 'sentences', 'low': 3, 'high': 3}
    >>> own_twin({"kind": "mentions_some", "terms": ["oak", "ash"], "low": 2, "high": None})
    {'kind': 'mentions', 'terms': ['oak', 'ash']}

    Raises:
        WfineError: the kind is unknown, or every text meets the check.
    """
    kind = check.get("kind")
    if str(kind).startswith(("ifeval/", "ifbench/")):
        published = published_twin(check)
        return published if "/" in published["kind"] else own_twin(published)
    if kind not in CHECKS:
        raise WfineError(f"check: kind: found {kind!r}, expected one of {', '.join(CHECKS)}.")
    tidy = _tidied(check)
    return _TWIN.get(tidy["kind"], _counted)(tidy)
