"""What the cells of the study are trained on and examined on.

The examination is the same for every cell and made from one seed, on test topics: nested chains
for WEval, clean pairs of every requirement type, pairs about sentence counts (one of which some
cells never saw asked for), and pairs about instructions of IFEval, which no cell ever saw.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from itertools import count, islice
from typing import Any, Literal, NamedTuple

import numpy as np

from wfine_study.cells import RewardCell, StudySettings
from wfine_study.noisy_pairs import StudyPair, dirty_pairs, filtered
from wfine_utils.chains.dropping import build_chains
from wfine_utils.chains.pairs import PreferencePair
from wfine_utils.chains.taxonomy import Chain, Query, Requirement
from wfine_utils.checks.ifeval import ifeval_check
from wfine_utils.errors import WfineError
from wfine_utils.seeds import rng_for
from wfine_utils.tiny_world.vocabulary import THINGS, TOPICS
from wfine_utils.tiny_world.writer import MAX_SENTENCES, MIN_SENTENCES, sample_query, write

Granularity = Literal["prompt", "requirement"]
_MIN_QUERIES, _ANSWERS, _ROUNDS = 100, 12, 20  # to find pairs about IFEval's instructions among


class ExamPair(NamedTuple):
    """A test pair and what it is counted under.

    ``kind`` and ``subset`` are "pairs" and the type of what was dropped, "sentence count" and the
    count that was asked for, or "ifeval" and the id of an instruction.
    """

    kind: str
    subset: str
    category: str
    pair: PreferencePair


class Exam(NamedTuple):
    """What a reward model is examined on."""

    chains: list[Chain]
    pairs: list[ExamPair]


# --- training ---------------------------------------------------------------------------


def training_pairs(cell: RewardCell) -> list[StudyPair]:
    """The training pairs of a cell; they depend on the cell alone.

    A filtered cell draws as many pairs as it takes for ``n_pairs`` to pass the checkers.
    """
    n = cell.n_pairs
    while True:
        pairs = dirty_pairs(
            queries(n, "train", seed=cell.seed, wanted=lambda q: not _held_out(q, cell)),
            cell.dirt,
            cell.share,
            n=n,
            granularity=cell.granularity,
            seed=cell.seed,
            source=cell.source,
            droppable=lambda requirement: requirement.type != cell.hold_out_type,
        )
        pairs = filtered(pairs) if cell.filtered else pairs
        if len(pairs) >= cell.n_pairs:
            return pairs[: cell.n_pairs]
        n = max(n + 1, round(n * cell.n_pairs / max(1, len(pairs))) + 1)


def validation_pairs(cell: RewardCell, n: int) -> list[PreferencePair]:
    """``n`` clean pairs on validation topics, the same for every cell of one input."""
    pool = queries(n, "validation", seed=0)
    pairs = dirty_pairs(pool, None, 0, n=n, granularity=cell.granularity, seed=0)
    return [p.pair for p in pairs]


def queries(
    n: int, split: str, *, seed: int, wanted: Callable[[Query], bool] = lambda query: True
) -> list[Query]:
    """``n`` queries on the topics of a split that are wanted; the first do not depend on ``n``."""
    drawn = (sample_query(rng_for(seed, "queries", split, k), TOPICS[split]) for k in count())
    return list(islice(filter(wanted, drawn), n))


def _held_out(query: Query, cell: RewardCell) -> bool:
    counts = {_sentence_count(r) for r in query.requirements}
    return query.category == cell.hold_out_category or not counts.isdisjoint(cell.hold_out_values)


def _sentence_count(requirement: Requirement) -> int | None:
    check = requirement.check or {}
    return check["n"] if check.get("kind") == "sentence_count" else None


# --- examination ------------------------------------------------------------------------


def exam(settings: StudySettings, granularity: Granularity) -> Exam:
    """Chains and pairs for a reward model with that input, all from ``settings.seed``."""
    chains = exam_chains(settings.n_test_chains, settings.seed)
    n, seed = settings.n_test_pairs, settings.seed
    pairs = _exam_pairs(n, settings.n_ifeval_pairs, granularity, seed)
    return Exam(chains, pairs)


@cache
def exam_chains(n: int, seed: int) -> list[Chain]:
    """Nested chains on test topics, the same for every cell; drop orders are balanced."""
    pool = queries(n, "test", seed=seed)
    return build_chains(pool, "balanced", write, seed, prefix="study-test")


@cache
def _exam_pairs(n: int, n_ifeval: int, granularity: Granularity, seed: int) -> list[ExamPair]:
    pool = queries(n, "test", seed=seed)
    about = [
        ("pairs", p) for p in dirty_pairs(pool, None, 0, n=n, granularity=granularity, seed=seed)
    ]
    for n_sentences in range(MIN_SENTENCES, MAX_SENTENCES + 1):
        part = count_pairs(n_sentences, max(1, n // 4), granularity, seed)
        about += [("sentence count", p) for p in part]
    found = []
    for kind, p in about:
        asked = p.pair.requirement_type
        subset = asked if kind == "pairs" else _dropped_count(p)
        found.append(ExamPair(kind, str(subset), str(p.query.category), p.pair))
    return found + [
        ExamPair("ifeval", instruction_id, str(query.category), pair)
        for instruction_id in IFEVAL
        for query, pair in ifeval_pairs(instruction_id, n_ifeval, granularity, seed)
    ]


def count_pairs(n_sentences: int, n: int, granularity: Granularity, seed: int) -> list[StudyPair]:
    """``n`` clean pairs on test topics that drop "exactly ``n_sentences`` sentences"."""

    def asks(requirement: Requirement) -> bool:
        return _sentence_count(requirement) == n_sentences

    pool = queries(n, "test", seed=seed, wanted=lambda query: any(map(asks, query.requirements)))
    return dirty_pairs(
        pool, None, 0, n=n, granularity=granularity, seed=seed + n_sentences, droppable=asks
    )


def _dropped_count(p: StudyPair) -> int | None:
    return next(filter(None, map(_sentence_count, p.query.requirements)))


def ifeval_pairs(
    instruction_id: str, n: int, granularity: Granularity, seed: int
) -> list[tuple[Query, PreferencePair]]:
    """``n`` pairs of tiny-world texts, the first of which meets an instruction of IFEval.

    The two texts of a pair answer one query and were asked to meet the same requirements, so that
    nothing but the instruction tells systematically which is better.

    Args:
        instruction_id: one of :data:`IFEVAL`.
        n: number of pairs.
        granularity: the instruction alone, or behind the base task of the query.
        seed: of everything; the arguments of the instruction are drawn for each pair.

    Raises:
        WfineError: the texts do not give as many pairs.
    """
    rng = rng_for(seed, "ifeval pairs", instruction_id)
    found: list[tuple[Query, PreferencePair]] = []
    for _ in range(_ROUNDS):
        for query, texts in _answers(max(n, _MIN_QUERIES), seed):
            if len(found) == n:
                return found
            thing = str(rng.choice(THINGS[query.topic]))
            arguments, asked = IFEVAL[instruction_id](rng, thing)
            meets = [ifeval_check(instruction_id, arguments, text) for text in texts]
            if all(meets) or not any(meets):
                continue
            text = asked if granularity == "requirement" else f"{query.base_task} {asked}"
            chosen, rejected = texts[meets.index(True)], texts[meets.index(False)]
            chain_id = f"{instruction_id}-{len(found):04d}"
            pair = PreferencePair(chain_id, query.topic, None, text, chosen, rejected, 0)
            found.append((query, pair))
    raise WfineError(
        f"study: found {len(found)} pairs about {instruction_id}, expected {n}; lower "
        "n_ifeval_pairs."
    )


@cache
def _answers(n: int, seed: int) -> list[tuple[Query, list[str]]]:
    """Queries on test topics with some answers each, all to the same kept requirements."""
    found = []
    for k, query in enumerate(queries(n, "test", seed=seed)):
        rng = rng_for(seed, "ifeval answers", k)
        kept = tuple((rng.random(len(query.requirements)) < 0.5).tolist())
        found.append((query, [write(query, kept, rng) for _ in range(_ANSWERS)]))
    return found


Rng = np.random.Generator

Asked = tuple[dict[str, Any], str]
"""The arguments of an IFEval instruction, and the text that asks for it."""


def _bound(rng: Rng, low: int, high: int) -> tuple[str, int]:
    return ("at least", "less than")[int(rng.integers(2))], int(rng.integers(low, high + 1))


def _keyword(rng: Rng, thing: str) -> Asked:
    return {"keywords": [thing]}, f"The keyword {thing} has to occur."


def _forbidden(rng: Rng, thing: str) -> Asked:
    return {"forbidden_words": [thing]}, f"Avoid the word {thing} altogether."


def _letter(rng: Rng, thing: str) -> Asked:
    relation, n = _bound(rng, 8, 15)
    arguments = {"letter": "o", "let_frequency": n, "let_relation": relation}
    return arguments, f"The letter o is to occur {relation} {n} times."


def _sentences(rng: Rng, thing: str) -> Asked:
    relation, n = _bound(rng, 4, 6)
    return {"num_sentences": n, "relation": relation}, f"Answer in {relation} {n} sentences."


def _words(rng: Rng, thing: str) -> Asked:
    relation, n = _bound(rng, 24, 36)
    return {"num_words": n, "relation": relation}, f"Answer in {relation} {n} words."


def _bullets(rng: Rng, thing: str) -> Asked:
    n = int(rng.integers(MIN_SENTENCES, MAX_SENTENCES + 1))
    return {"num_bullets": n}, f"Give exactly {n} points with a dash before each."


def _highlights(rng: Rng, thing: str) -> Asked:
    return {"num_highlights": 1}, "Set at least one part off with asterisks."


def _commas(rng: Rng, thing: str) -> Asked:
    return {}, "Do without commas."


IFEVAL: dict[str, Callable[[Rng, str], Asked]] = {
    "keywords:existence": _keyword,
    "keywords:forbidden_words": _forbidden,
    "keywords:letter_frequency": _letter,
    "length_constraints:number_sentences": _sentences,
    "length_constraints:number_words": _words,
    "detectable_format:number_bullet_lists": _bullets,
    "detectable_format:number_highlighted_sections": _highlights,
    "punctuation:no_comma": _commas,
}
"""The instructions of IFEval that some texts of the tiny world meet and others do not."""
