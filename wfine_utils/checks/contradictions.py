"""Checks that no text can meet: one alone (:func:`contradiction`), or two of one query
(:func:`conflicts`).

What is reported is certain for texts of words; not every conflict is found. What a check measures
is bounded by what others measure: a text has no more sentences than words, and no more words than
fit into its characters.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from typing import Any, NamedTuple

from wfine_utils.checks import english
from wfine_utils.checks.dispatch import CHECKS
from wfine_utils.checks.dispatch import check as judge
from wfine_utils.checks.twins import own_twin
from wfine_utils.checks.words import mentioned
from wfine_utils.errors import WfineError

_Check = Mapping[str, Any]
_NAMES_OF_TERMS = ("terms", "fields", "texts", "start", "prefix")


def contradiction(check: _Check) -> str | None:
    """Why no text can meet a check; None if one may.

    Args:
        check: of any kind; its arguments as :func:`wfine_utils.checks.dispatch.check` takes them.

    >>> contradiction({"kind": "word_count", "low": 200, "high": 100})
    'at least 200 and at most 100'

    Raises:
        WfineError: the kind is unknown.
    """
    kind = check.get("kind")
    if kind not in CHECKS:
        raise WfineError(f"check: kind: found {kind!r}, expected one of {', '.join(CHECKS)}.")
    if "/" in kind:
        return _refusal(check)
    for prefix in ("", "words_", "rows_"):
        low, high = check.get(f"{prefix}low"), check.get(f"{prefix}high")
        if low is not None and high is not None and low > high:
            return f"at least {_number(low)} and at most {_number(high)}"
    return _empty_argument(check) or _out_of_reach(check)


def _number(n: float) -> str:
    return f"{n:g}" if isinstance(n, float) else str(n)


def _refusal(check: _Check) -> str | None:
    """What a published check says to arguments that no text can meet."""
    try:
        judge(dict(check), "")
    except WfineError as error:
        return str(error)
    return None


def _empty_argument(check: _Check) -> str | None:
    for name in _NAMES_OF_TERMS:
        terms = check.get(name, ())
        for term in [terms] if isinstance(terms, str) else terms:
            if not str(term).strip():
                return f"an empty text among {name}"
            if check["kind"] == "record" and not str(term).strip(" :*_#"):
                return f"a field without a name, {term!r}"
    return None


def _out_of_reach(check: _Check) -> str | None:
    """Bounds beyond what the kind can measure."""
    kind, low, high = check["kind"], check.get("low"), check.get("high")
    if high is not None and (high < 0 or (high < 1 and kind == "sentence_words")):
        return f"at most {_number(high)}"
    if kind == "proportion" and ((low or 0) > 1 or (high is not None and high <= 0)):
        return "a share beyond what a part that is there can have"
    if kind == "mentions_some" and (low or 0) > len(check["terms"]):
        return f"at least {low} of {len(check['terms'])} terms"
    if kind == "headings" and check.get("level") not in (None, 1, 2, 3, 4, 5, 6):
        return f"headings of level {check['level']}"
    if kind == "headings" and high is not None and 0 < len(check.get("texts", ())) > high:
        return f"{len(check['texts'])} headings by name and at most {high}"
    if kind == "table" and check.get("columns", 1) < 1:
        return f"a table of {check['columns']} columns"
    return None


class _Bound(NamedTuple):
    """What check `place` says of one measure."""

    place: int
    low: float
    high: float


_SMALLER = (
    ("sentences", "word_count"), ("question_count", "sentences"),
    ("exclamation_sentences", "sentences"), ("bullet", "list items"), ("numbered", "list items"),
    ("percentages", "numbers"), ("paragraphs", "sentences"),
    ("characters without blanks", "characters"), ("bullet", "sentences"),
    ("numbered", "sentences"), *((f"headings of level {i}", "headings") for i in range(1, 7)),
)  # fmt: skip
"""Measures of which the first is never above the second."""

_ANY = math.inf
_IMPLIED: dict[str, tuple[tuple[str, float, float], ...]] = {
    "bullet_list": (("bullet", 2, _ANY), ("list items", 2, _ANY), ("paragraphs", 0, 0)),
    "numbered_list": (("numbered", 2, _ANY), ("list items", 2, _ANY), ("paragraphs", 0, 0)),
    "heading": (("headings", 1, _ANY),),
    "exclamations": (("exclamation_sentences", 1, _ANY),),
    "bold_terms": (("bold_count", 1, _ANY),),
    "sentence_words": (("sentences", 1, _ANY),),
}
_NAMES = {
    "word_count": "words", "bold_count": "bold phrases", "question_count": "questions",
    "exclamation_sentences": "exclamations", "first_person": "words of the first person",
    "second_person": "words of the second person", "bullet": "bullet points",
    "numbered": "numbered items",
}  # fmt: skip
_NEVER_TOGETHER = (
    {"bullet_list", "numbered_list"},
    {"bullet_list", "heading"},
    {"numbered_list", "heading"},
    {"bullet_list", "letter_layout"},
    {"numbered_list", "letter_layout"},
    {"ifeval/change_case:english_capital", "ifeval/change_case:english_lowercase"},
)


def _measure_of(check: _Check) -> str:
    """A name for what a check measures; checks of one name share their bounds."""
    kind = check["kind"]
    if kind == "list_items":
        marker = str(check.get("marker", "any"))
        return "list items" if marker == "any" else marker
    if kind == "headings":
        return f"headings of level {check['level']}" if "level" in check else "headings"
    if kind == "char_count":
        return "characters" if check.get("spaces", True) else "characters without blanks"
    named = {k: v for k, v in check.items() if k not in ("kind", "low", "high") and "_" not in k}
    return kind + (f" {named}" if named else "")


def _bounds_of(place: int, check: _Check) -> Iterator[tuple[str, _Bound]]:
    for name, low, high in _IMPLIED.get(check["kind"], ()):
        yield name, _Bound(place, low, high)
    if check["kind"] == "headings" and check.get("texts"):
        yield _measure_of({**check}), _Bound(place, len(check["texts"]), math.inf)
        yield "headings", _Bound(place, len(check["texts"]), math.inf)
    if "low" in check or "high" in check:
        name = _measure_of({k: v for k, v in check.items() if k != "texts"})
        yield name, _Bound(place, check.get("low", 0), check.get("high", math.inf))


def conflicts(checks: Sequence[_Check]) -> list[tuple[int, int, str]]:
    """Pairs of checks of one query that cannot both be met, and why.

    Args:
        checks: none of them a :func:`contradiction` by itself.

    Returns:
        For each pair the places of its checks, the smaller one first, and the reason; in order.
        Where three clash, as 50 words, 5 sentences and 40 words to a sentence, the two that name
        the same unit.

    >>> conflicts([{"kind": "sentence_count", "n": 9}, {"kind": "word_count", "high": 5}])
    [(0, 1, 'at least 9 sentences and at most 5 words')]

    Raises:
        WfineError: as of :func:`wfine_utils.checks.twins.own_twin`.
    """
    twins = [own_twin(check) for check in checks]
    bounds: dict[str, list[_Bound]] = defaultdict(list)
    for place, check in enumerate(twins):
        for name, bound in _bounds_of(place, check):
            bounds[name].append(bound)
    reasons: dict[tuple[int, int], str] = {}
    for a, b, reason in (*_of_bounds(bounds), *_of_words(twins, bounds), *_of_terms(twins)):
        if a != b:
            reasons.setdefault((min(a, b), max(a, b)), reason)
    return [(a, b, reason) for (a, b), reason in sorted(reasons.items())]


def _clash(low: _Bound, high: _Bound, of_low: str, of_high: str) -> tuple[int, int, str]:
    least, most = (_NAMES.get(name, name) for name in (of_low, of_high))
    reason = f"at least {_number(low.low)} {least} and at most {_number(high.high)} {most}"
    return low.place, high.place, reason


def _of_bounds(bounds: Mapping[str, Sequence[_Bound]]) -> Iterator[tuple[int, int, str]]:
    """Least and most of one measure, or of two of which one is never above the other."""
    for name in bounds:
        for low in bounds[name]:
            yield from (_clash(low, b, name, name) for b in bounds[name] if low.low > b.high)
    for small, large in _SMALLER:
        for low in bounds.get(small, ()):
            highs = (b for b in bounds.get(large, ()) if low.low > b.high)
            yield from (_clash(low, b, small, large) for b in highs)
    for characters, per_word in (("characters", 2), ("characters without blanks", 1)):
        for low in bounds.get("word_count", ()):
            for b in bounds.get(characters, ()):
                if per_word * low.low - (per_word - 1) > b.high:
                    yield _clash(low, b, "word_count", characters)


def _of_words(
    twins: Sequence[_Check], bounds: Mapping[str, Sequence[_Bound]]
) -> Iterator[tuple[int, int, str]]:
    """Words of every sentence or paragraph against the words of the text."""
    n_sentences = max((b.low for b in bounds.get("sentences", ())), default=1)
    most_sentences = min((b.high for b in bounds.get("sentences", ())), default=math.inf)
    has_headings = any(b.low > 0 for name in bounds if "headings" in name for b in bounds[name])
    for place, check in enumerate(twins):
        if check["kind"] == "sentence_words":
            least, unit, n = check.get("low", 1), "sentences", n_sentences
            most = most_sentences * check.get("high", math.inf)
        elif check["kind"] == "paragraphs":
            least, unit, n = check.get("words_low", 0), "paragraphs", check.get("low", 0)
            most = math.inf
        else:
            continue
        for b in bounds.get("word_count", ()):
            if least * n > b.high:
                yield (
                    place,
                    b.place,
                    (f"at least {n} {unit} of at least {least} words, and at most {b.high} words"),
                )
            if most < b.low and not has_headings:
                yield (
                    place,
                    b.place,
                    (
                        f"sentences of at most {_number(most)} words together, and at least "
                        f"{b.low} words"
                    ),
                )


def _required(check: _Check) -> list[str]:
    """Terms that stand in every text which meets the check."""
    if check["kind"] in ("mentions", "in_order", "bold_terms", "record", "headings"):
        return [*check.get("terms", check.get("fields", check.get("texts", ())))]
    if check["kind"] in ("anaphora", "line_starts") and check.get("low", 0) > 0:
        return [check.get("start", check.get("prefix"))]
    return []


def _of_terms(twins: Sequence[_Check]) -> Iterator[tuple[int, int, str]]:
    """Terms asked for and forbidden, and kinds that exclude each other."""
    for (a, one), (b, other) in combinations(enumerate(twins), 2):
        if {one["kind"], other["kind"]} in _NEVER_TOGETHER:
            yield a, b, f"{one['kind']} and {other['kind']} exclude each other"
        for wanted, unwanted in ((one, other), (other, one)):
            if reason := _forbidden(wanted, unwanted):
                yield a, b, reason


_SURE_PRONOUNS = (english.FIRST_PERSON | english.SECOND_PERSON) - {"i", "us", "mine"}


def _forbidden(wanted: _Check, unwanted: _Check) -> str | None:
    terms = _required(wanted)
    if unwanted["kind"] == "ifeval/punctuation:no_comma" and any("," in term for term in terms):
        return "a term with a comma, and no comma"
    if unwanted["kind"] in ("first_person", "second_person") and unwanted.get("high") == 0:
        group = {"first_person": english.FIRST_PERSON, "second_person": english.SECOND_PERSON}
        for term in terms:
            if term.lower() in group[unwanted["kind"]] & _SURE_PRONOUNS:
                return f"{term!r} is asked for, and no pronoun of its person"
    if unwanted["kind"] != "forbids":
        return None
    for term in terms:
        for taboo in unwanted["terms"]:
            if mentioned(term, taboo):
                return f"{term!r} is asked for, and {taboo!r} is forbidden"
    if wanted["kind"] == "mentions_some":
        left = [t for t in wanted["terms"] if not any(mentioned(t, x) for x in unwanted["terms"])]
        if wanted.get("low", 0) > len(left):
            return f"at least {wanted['low']} of terms of which {len(left)} are not forbidden"
    return None
