"""Checks of IFEval and IFBench in words: said by :func:`phrase_published`, read by
:func:`compile_published`.

Both use the same templates, so that what is said can be read back with all its arguments. Some
published types mean what a check of prose means, and no wording tells them apart: see
:func:`published_twin`. These are said in plain words and left to the compiler of that check.

A text is read only if a template knows every word of it, besides such fillers as "Please" and "in
your response". So a condition, a doubt, a second demand or a quotation of a demand is not read.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple, get_type_hints

import numpy as np

from wfine_utils.checks.dispatch import CHECKS, is_missing
from wfine_utils.checks.dispatch import check as judge
from wfine_utils.checks.ifbench_wording import IFBENCH
from wfine_utils.checks.ifeval_wording import IFEVAL, Said
from wfine_utils.checks.wording_grammar import Template, pattern_of
from wfine_utils.checks.wording_quotes import Unquoted, unquoted
from wfine_utils.checks.words import normalised
from wfine_utils.errors import WfineError

Check = dict[str, Any]


class _Wording(NamedTuple):
    template: Template
    fixed: Mapping[str, Any]  # arguments that every sentence of the template has


def _wordings() -> dict[str, list[_Wording]]:
    def wording(said: Said) -> _Wording:
        template, fixed = (said, {}) if isinstance(said, str) else said
        return _Wording(Template(template), fixed)

    families = {"ifeval": IFEVAL, "ifbench": IFBENCH}
    return {
        f"{family}/{name}": [wording(said) for said in templates]
        for family, types in families.items()
        for name, templates in types.items()
    }


_WORDINGS = _wordings()


def _relative(kind: str, number: str) -> Callable[[Check], Check]:
    """To bounds of a count, from a number and the relation "at least" or "less than"."""

    def twin(check: Check) -> Check:
        n = check[number]
        if check["relation"] == "less than":
            return {"kind": kind, "high": n - 1}
        if n == 0:
            raise WfineError(
                f"check {check['kind']}: found at least 0, which every text meets; expected a "
                "number from 1."
            )
        return {"kind": kind, "low": n}

    return twin


def _exact(kind: str, number: str, **arguments: Any) -> Callable[[Check], Check]:
    return lambda check: {"kind": kind, **arguments, "low": check[number], "high": check[number]}


def _terms(kind: str, name: str) -> Callable[[Check], Check]:
    def twin(check: Check) -> Check:
        terms = [" ".join(normalised(term).split()) for term in check[name]]
        return {"kind": kind, "terms": terms}

    return twin


def _frequency(check: Check) -> Check:
    """At least once is a mention, less than once is none."""
    if check["frequency"] != 1:
        return check
    kind = "mentions" if check["relation"] == "at least" else "forbids"
    return _terms(kind, "keywords")({"keywords": [check["keyword"]]})


def _word_range(check: Check) -> Check:
    low = {"low": check["min_words"]} if check["min_words"] else {}
    return {"kind": "word_count", **low, "high": check["max_words"]}


_TWINS: dict[str, Callable[[Check], Check]] = {
    "ifeval/keywords:existence": _terms("mentions", "keywords"),
    "ifeval/keywords:forbidden_words": _terms("forbids", "forbidden_words"),
    "ifeval/keywords:frequency": _frequency,
    "ifeval/length_constraints:number_words": _relative("word_count", "num_words"),
    "ifeval/length_constraints:number_sentences": _relative("sentences", "num_sentences"),
    "ifeval/detectable_format:number_bullet_lists": _exact(
        "list_items", "num_bullets", marker="bullet"
    ),
    "ifbench/count:word_count_range": _word_range,
    "ifbench/count:numbers": _exact("numbers", "N"),
}

TWIN_KINDS = frozenset(_TWINS) - {"ifeval/keywords:frequency"}
"""Published kinds that are said in plain words, which a compiler of own kinds has to read."""


def _canonical(check: Mapping[str, Any]) -> Check:
    """A check with its arguments as it takes them, in the order of its parameters."""
    kind = check.get("kind")
    if kind not in _WORDINGS:
        raise WfineError(
            f"check: kind: found {kind!r}, expected a published one, ifeval/… or ifbench/…"
        )
    judge(dict(check), "")  # refuses arguments that are wrong, or that no text can meet
    hints = get_type_hints(inspect.unwrap(CHECKS[kind]), include_extras=True)
    kinds = {name: hint.__metadata__[0] for name, hint in hints.items() if name in check}
    given = {name: kind for name, kind in kinds.items() if not is_missing(check[name])}
    return {"kind": kind, **{name: kind.read(check[name]) for name, kind in given.items()}}


def published_twin(check: Mapping[str, Any]) -> Check:
    """The check that the words of a published check are read as.

    Where a check of prose is asked for in the same words it is that check, although the two may
    differ in detail: "don't" is two words in IFEval, and a keyword may stand within a longer word.

    Args:
        check: of a kind ``ifeval/…`` or ``ifbench/…``, with all its arguments.

    Returns:
        A check of prose, or the same check with its arguments as it takes them.

    Raises:
        WfineError: the kind is no published one, an argument is wrong, or every text meets it.

    >>> published_twin({"kind": "ifeval/length_constraints:number_words",
    ...                 "num_words": 300.0, "relation": "less than"})
    {'kind': 'word_count', 'high': 299}
    """
    canonical = _canonical(check)
    return _TWINS.get(canonical["kind"], lambda same: same)(canonical)


def phrase_published(check: Mapping[str, Any], rng: np.random.Generator) -> str:
    """A published check in words, in one of several ways: one English sentence, all arguments said.

    Args:
        check: of a kind ``ifeval/…`` or ``ifbench/…``.
        rng: decides the wording.

    Raises:
        WfineError: as of :func:`published_twin`.

    >>> phrase_published({"kind": "ifeval/punctuation:no_comma"}, np.random.default_rng(1))
    'No comma is allowed.'
    """
    published_twin(check)  # refuses what every text meets
    canonical = _canonical(check)
    arguments = {name: value for name, value in canonical.items() if name != "kind"}
    fitting = [
        wording.template
        for wording in _WORDINGS[canonical["kind"]]
        if wording.template.is_said and wording.fixed.items() <= arguments.items()
    ]
    for i in rng.permutation(len(fitting)):
        if (said := fitting[i].says(arguments, rng)) is not None:
            end = "" if re.search(r"[.][\"”]$", said) else "."
            return f"{said[:1].upper()}{said[1:]}{end}"
    raise WfineError(f"check {canonical}: found no words for these arguments; report this, please.")


_REPLY = pattern_of("@reply")
_SUBJECT = r"(?:you|your|the|this|there|no|it|that)"
_BEFORE = re.compile(
    r"(?:please|and|also|additionally|finally|in addition|in particular|basically|\d+[.)]|"
    rf"(?:in|throughout|within) {_REPLY}|"
    r"(?:be sure|make sure|remember|don't forget|do not forget) to(?! not\b)|"
    r"(?:you (?:must|should|need to)|i want you to)(?! not\b)|"
    rf"(?P<sure>(?:make sure|ensure|be sure)(?: that)?)(?= {_SUBJECT}\b)|"
    r"(?P<refrain>(?:make sure|be sure) not to)),? ",
    re.IGNORECASE,
)
_STATED = re.compile(r"\b(is|are|(?:only )?contains|has|includes|uses|appears|occurs|shows up)\b")
_DEMANDED = {"is": "be", "are": "be", "has": "have", "shows up": "show up"}
_AFTER = re.compile(
    rf",? (?:(?:anywhere |somewhere )?(?:in|throughout|within|across) {_REPLY}|please)$",
    re.IGNORECASE,
)


_MOST_FILLERS = 9  # before a demand; a text with more of them is none


def _demanded(stated: re.Match[str]) -> str:
    """What is stated as a demand: (make sure that it) "is" becomes "should be"."""
    return f"should {_DEMANDED.get(stated[1], stated[1].removesuffix('s'))}"


def _without_fillers(text: str) -> Iterator[str]:
    """The text, and what is left of it when fillers are taken off, one after another."""
    text = re.sub(r"\s*[.!]$", "", text)
    yield text
    for _ in range(_MOST_FILLERS):
        if (match := _BEFORE.match(text)) is None:
            break
        text = ("do not " if match["refrain"] else "") + text[match.end() :]
        if match["sure"]:
            text = _STATED.sub(_demanded, text, count=1)
        yield text
    if match := _AFTER.search(text):
        yield text[: match.start()]


def compile_published(text: str) -> Check | None:
    """Read a requirement as a published check, or as the check of prose that means the same.

    Args:
        text: one requirement in English, as written: quotation marks tell what is quoted.

    Returns:
        The :func:`published_twin` of the check that the text asks for; None if no template knows
        the text, or two of them read it differently.

    >>> compile_published('Please use the word "war" at least 8 times.')
    {'kind': 'ifeval/keywords:frequency', 'keyword': 'war', 'frequency': 8, 'relation': 'at least'}
    """
    aside = unquoted(text)
    if aside is None:
        return None
    for rest in _without_fillers(aside.text):
        checks: list[Check] = []
        for check in _readings(Unquoted(rest, aside.quotes)):
            if check not in checks:
                checks.append(check)
        if checks:
            return checks[0] if len(checks) == 1 else None
    return None


def _readings(aside: Unquoted) -> Iterator[Check]:
    for kind, wordings in _WORDINGS.items():
        if kind in TWIN_KINDS:
            continue
        for template, fixed in wordings:
            arguments = template.reads_unquoted(aside)
            if arguments is None:
                continue
            try:
                yield published_twin({"kind": kind, **arguments, **fixed})
            except WfineError:  # "the last of 0 paragraphs"
                continue
