"""The rules of WEval-Hand, so that contributors can check chains of their own.

A minimal chain has five responses, one more requirement dropped at each level, every machine check
in agreement with the label, and nothing else that changes along with it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import pairwise

from wfine_utils.chains.taxonomy import Chain, RequirementType, Response
from wfine_utils.checks.dispatch import check, measure
from wfine_utils.checks.sentences import split_sentences
from wfine_utils.checks.words import word_count, words
from wfine_utils.errors import WfineError

MIN_WORDS, MAX_WORDS = 60, 220

LENGTH_SLACK = 0.10
"""Neighbouring levels differ in length by no more, unless the length requirement falls."""

ALWAYS_CHECKED = (RequirementType.LENGTH, RequirementType.FORMAT)
"""Requirements of these types have a machine check, never only a rubric."""


def problems(chains: Sequence[Chain]) -> list[str]:
    """Every breach of the rules, as one line that names chain, level and requirement.

    Such as ``x-01, level 3, length: word_count low=110 high=130: measured 142, …``. A level is
    the number of requirements kept; responses may stand in any order.
    """
    own = [f"{chain.chain_id}, {line}" for chain in chains for line in _of_chain(chain)]
    return own + _shared_sentences(chains)


def _of_chain(chain: Chain) -> Iterator[str]:
    types = sorted(str(r.type) for r in chain.requirements)
    if types != sorted(map(str, RequirementType)):
        yield f"requirements: found types {types}, expected one of each type"
        return
    for requirement in chain.requirements:
        if requirement.check is None and requirement.type in ALWAYS_CHECKED:
            yield f"{requirement.type}: found no check, expected a machine check"
        elif requirement.check is None and requirement.rubric is None:
            yield f"{requirement.type}: found neither check nor rubric, expected one of them"
    levels = sorted(chain.responses, key=lambda r: -r.gold)
    kept = [response.gold for response in levels]
    if kept != [4, 3, 2, 1, 0]:
        yield f"responses: found {kept} requirements kept, expected 4, 3, 2, 1, 0"
        return
    for response in levels:
        yield from _of_response(chain, response)
    for upper, lower in pairwise(levels):
        yield from _of_step(chain, upper, lower)


def _of_response(chain: Chain, response: Response) -> Iterator[str]:
    level = f"level {response.gold}"
    n = word_count(response.text)
    if not MIN_WORDS <= n <= MAX_WORDS:
        yield f"{level}: measured {n} words, expected {MIN_WORDS} to {MAX_WORDS}"
    for requirement, kept in zip(chain.requirements, response.kept, strict=True):
        spec = requirement.check
        if spec is None:
            continue
        try:
            verdict = check(spec, response.text)
        except WfineError as error:
            yield f"{requirement.type}: {error}"
            return
        if verdict != kept:
            arguments = " ".join(f"{k}={v!r}" for k, v in spec.items() if k != "kind")
            number = measure(spec, response.text)
            measured = "" if number is None else f"measured {number:g}, "
            yield (
                f"{level}, {requirement.type}: {spec['kind']} {arguments}: {measured}which "
                f"{'meets' if verdict else 'does not meet'} it, expected it "
                f"{'kept' if kept else 'dropped'}"
            )


def _of_step(chain: Chain, upper: Response, lower: Response) -> Iterator[str]:
    level = f"level {lower.gold}"
    flags = zip(chain.requirements, upper.kept, lower.kept, strict=True)
    dropped = [str(r.type) for r, before, after in flags if before and not after]
    if len(dropped) != 1:
        yield f"{level}: found {dropped} dropped since level {upper.gold}, expected exactly one"
        return
    ratio = word_count(lower.text) / max(1, word_count(upper.text))
    is_same = 1 - LENGTH_SLACK <= ratio <= 1 / (1 - LENGTH_SLACK)
    if is_same == (dropped[0] == RequirementType.LENGTH):
        expected = "a clear change" if is_same else f"at most {LENGTH_SLACK:.0%} of change"
        yield (
            f"{level}, {dropped[0]} dropped: measured {ratio:.2f} times the words of level "
            f"{upper.gold}, expected {expected}"
        )
    elif upper.text == lower.text:
        yield f"{level}: found the text of level {upper.gold}"


def _shared_sentences(chains: Sequence[Chain]) -> list[str]:
    """Sentences of five words and more that stand in two chains."""
    places: defaultdict[tuple[str, ...], set[str]] = defaultdict(set)
    for chain in chains:
        for response in chain.responses:
            for line in response.text.split("\n"):
                for sentence in split_sentences(line):
                    places[tuple(word.lower() for word in words(sentence))].add(chain.chain_id)
    return [
        f"{', '.join(sorted(ids))}: found the sentence {' '.join(sentence)!r} in {len(ids)} chains,"
        " expected each in one"
        for sentence, ids in places.items()
        if len(ids) > 1 and len(sentence) >= 5
    ]
