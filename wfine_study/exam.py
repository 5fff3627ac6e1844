"""What the cells of the study are trained on, and the examination that they all sit.

The examination is the same for every cell and made from one seed, on test topics: nested chains
for WEval, clean pairs of every requirement type, pairs about sentence counts (one of which some
cells never saw asked for), and pairs about instructions of IFEval, which no cell ever saw.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from itertools import count, islice
from typing import Any, NamedTuple

from numpy.random import Generator

from wfine_study.cells import RewardCell, StudySettings
from wfine_study.noise import StudyPair, noisy_pairs, only_true_labels
from wfine_utils.chains.dropping import build_chains
from wfine_utils.chains.pairs import PreferencePair
from wfine_utils.chains.taxonomy import Chain, Query, Requirement
from wfine_utils.checks.dispatch import check
from wfine_utils.errors import WfineError
from wfine_utils.seeds import rng_for
from wfine_utils.settings import Granularity
from wfine_utils.tiny_world.vocabulary import THINGS, TOPICS
from wfine_utils.tiny_world.writer import MAX_SENTENCES, MIN_SENTENCES, pick, sample_query, write

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
        pairs = noisy_pairs(
            study_queries(n, "train", seed=cell.seed, wanted=lambda q: not _held_out(q, cell)),
            n=n, seed=cell.seed, noise=cell.noise, share=cell.share, granularity=cell.granularity,
            plan=cell.pair_plan, droppable=lambda r: r.type != cell.hold_out_type,
        )  # fmt: skip
        pairs = only_true_labels(pairs) if cell.is_filtered else pairs
        if len(pairs) >= cell.n_pairs:
            return pairs[: cell.n_pairs]
        n = max(n + 1, round(n * cell.n_pairs / max(1, len(pairs))) + 1)


def validation_pairs(cell: RewardCell, n: int) -> list[PreferencePair]:
    """``n`` clean pairs on validation topics, the same for every cell of one input."""
    queries = study_queries(n, "validation", seed=0)
    return [p.pair for p in noisy_pairs(queries, n=n, seed=0, granularity=cell.granularity)]


def study_queries(
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


def make_exam(settings: StudySettings, granularity: Granularity) -> Exam:
    """Chains and pairs for a reward model with that input, all from ``settings.seed``."""
    s = settings
    pairs = _exam_pairs(s.n_test_pairs, s.n_ifeval_pairs, granularity, s.seed)
    return Exam(exam_chains(s.n_test_chains, s.seed), pairs)


@cache
def exam_chains(n: int, seed: int) -> list[Chain]:
    """Nested chains on test topics, the same for every cell; drop orders are balanced."""
    queries = study_queries(n, "test", seed=seed)
    return build_chains(queries, "balanced", write, seed, prefix="study-test")


@cache
def _exam_pairs(n: int, n_ifeval: int, granularity: Granularity, seed: int) -> list[ExamPair]:
    queries = study_queries(n, "test", seed=seed)
    clean = noisy_pairs(queries, n=n, seed=seed, granularity=granularity)
    pairs = [("pairs", str(p.pair.requirement_type), p.query, p.pair) for p in clean]
    for n_sentences in range(MIN_SENTENCES, MAX_SENTENCES + 1):
        about = _count_pairs(n_sentences, max(1, n // 4), granularity, seed)
        pairs += [("sentence count", str(n_sentences), p.query, p.pair) for p in about]
    for name in IFEVAL:
        pairs += [("ifeval", name, *p) for p in ifeval_pairs(name, n_ifeval, granularity, seed)]
    return [ExamPair(kind, subset, str(query.category), p) for kind, subset, query, p in pairs]


def _count_pairs(n_sentences: int, n: int, granularity: Granularity, seed: int) -> list[StudyPair]:
    """``n`` clean pairs on test topics that drop "exactly ``n_sentences`` sentences"."""

    def asks(requirement: Requirement) -> bool:
        return _sentence_count(requirement) == n_sentences

    queries = study_queries(n, "test", seed=seed, wanted=lambda q: any(map(asks, q.requirements)))
    seed += n_sentences
    return noisy_pairs(queries, n=n, seed=seed, granularity=granularity, droppable=asks)


def ifeval_pairs(
    instruction_id: str, n: int, granularity: Granularity, seed: int
) -> list[tuple[Query, PreferencePair]]:
    """``n`` pairs of tiny-world texts, the first of which meets an instruction of IFEval.

    The two texts of a pair answer one query and were asked to meet the same requirements, so that
    nothing but the instruction tells systematically which is better.

    Pairs of one ``chain_id`` are of answers to one query, also those about other instructions.

    Args:
        instruction_id: one of :data:`IFEVAL`; its arguments are drawn for each pair.
        granularity: the instruction alone, or behind the base task of the query.

    Raises:
        WfineError: the texts do not give as many pairs.
    """
    rng = rng_for(seed, "ifeval pairs", instruction_id)
    pairs: list[tuple[Query, PreferencePair]] = []
    answers = _answers(max(n, _MIN_QUERIES), seed)
    for k, (query, texts) in enumerate(answers * _ROUNDS):
        if len(pairs) == n:
            return pairs
        thing = str(rng.choice(THINGS[query.topic]))
        arguments, instruction = IFEVAL[instruction_id](rng, thing)
        spec = {"kind": f"ifeval/{instruction_id}", **arguments}
        meets = [check(spec, text) for text in texts]
        if all(meets) or not any(meets):
            continue
        if granularity == "prompt":
            instruction = f"{query.base_task} {instruction}"
        pair = PreferencePair(
            chain_id=f"ifeval-{k % len(answers):04d}", topic=query.topic,
            requirement_type=None, n_dropped=0, instruction=instruction,
            chosen=texts[meets.index(True)], rejected=texts[meets.index(False)],
        )  # fmt: skip
        pairs.append((query, pair))
    problem = f"found {len(pairs)} pairs about {instruction_id}, expected {n}"
    raise WfineError(f"study: {problem}; lower n_ifeval_pairs.")


@cache
def _answers(n: int, seed: int) -> list[tuple[Query, list[str]]]:
    """Queries on test topics with some answers each, all to the same kept requirements."""
    answers = []
    for k, query in enumerate(study_queries(n, "test", seed=seed)):
        rng = rng_for(seed, "ifeval answers", k)
        kept = tuple((rng.random(len(query.requirements)) < 0.5).tolist())
        answers.append((query, [write(query, kept, rng) for _ in range(_ANSWERS)]))
    return answers


Instruction = tuple[dict[str, Any], str]
"""The arguments of an IFEval instruction, and the text that asks for it."""


def _bounded(
    rng: Generator, low: int, high: int, text: str, n: str, relation: str, **arguments: str
) -> Instruction:
    """An instruction with a bound; ``n`` and ``relation`` are the names of its arguments."""
    word, bound = pick(rng, ("at least", "less than")), int(rng.integers(low, high + 1))
    return {**arguments, n: bound, relation: word}, text.format(f"{word} {bound}")


def _bullets(rng: Generator, thing: str) -> Instruction:
    n = int(rng.integers(MIN_SENTENCES, MAX_SENTENCES + 1))
    return {"num_bullets": n}, f"Give exactly {n} points with a dash before each."


IFEVAL: dict[str, Callable[[Generator, str], Instruction]] = {
    "keywords:existence": lambda rng, thing: (
        {"keywords": [thing]}, f"The keyword {thing} has to occur."
    ),
    "keywords:forbidden_words": lambda rng, thing: (
        {"forbidden_words": [thing]}, f"Avoid the word {thing} altogether."
    ),
    "keywords:letter_frequency": lambda rng, thing: _bounded(
        rng, 8, 15, "The letter o is to occur {} times.",
        "let_frequency", "let_relation", letter="o",
    ),
    "length_constraints:number_sentences": lambda rng, thing: _bounded(
        rng, 4, 6, "Answer in {} sentences.", "num_sentences", "relation"
    ),
    "length_constraints:number_words": lambda rng, thing: _bounded(
        rng, 24, 36, "Answer in {} words.", "num_words", "relation"
    ),
    "detectable_format:number_bullet_lists": _bullets,
    "detectable_format:number_highlighted_sections": lambda rng, thing: (
        {"num_highlights": 1}, "Set at least one part off with asterisks."
    ),
    "punctuation:no_comma": lambda rng, thing: ({}, "Do without commas."),
}  # fmt: skip
"""The instructions of IFEval that some texts of the tiny world meet and others do not: functions of
a generator and a thing of the topic."""
