"""The tiny world: writing queries and responses whose truth is known.

A query asks for a short text about a topic and carries four requirements, one of each type. A
response is composed sentence by sentence so that it meets exactly what it was told to meet; the
machine checks verify every text before it is returned.

The language is small on purpose: a transformer of two million parameters, trained from scratch on a
laptop, can write it, and still has to attend to the instruction to do well.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

import numpy as np
from numpy.random import Generator

from wfine_utils.chains.dropping import Writer
from wfine_utils.chains.taxonomy import Query, Requirement, RequirementType, TaskCategory
from wfine_utils.checks.dispatch import verdicts
from wfine_utils.tiny_world import vocabulary

T = TypeVar("T")

MIN_SENTENCES, MAX_SENTENCES = 3, 6
"""Three sentences hold any three features that need a sentence of their own."""

OF_PARTS = ("order", "letter", "bullet_list", "numbered_list", "exclamations")
"""Features of several parts, which can be half done: a letter without its closing."""

P_HALF, P_OTHER = 0.5, 0.4
"""Where a feature was dropped, it is half done, or else another of its kind takes its place."""


def pick(rng: Generator, options: Sequence[T]) -> T:
    """One of the options, all equally likely."""
    return options[int(rng.integers(len(options)))]


def _length_requirement(rng: Generator) -> Requirement:
    """An exact number of sentences, or a word limit from above or below."""
    kind = pick(rng, ("sentences", "sentences", "at most", "at least"))
    if kind == "sentences":
        n = int(rng.integers(MIN_SENTENCES, MAX_SENTENCES + 1))
        phrase = pick(rng, ("Write exactly {} sentences.", "Use {} sentences, no more, no less."))
        check: dict[str, Any] = {"kind": "sentence_count", "n": n}
        return Requirement(RequirementType.LENGTH, "exact sentence count", phrase.format(n), check)
    bound, limit = {"at most": ("high", 28), "at least": ("low", 32)}[kind]
    text = pick(rng, ("Write {} {} words.", "Use {} {} words.")).format(kind, limit)
    check = {"kind": "word_count", bound: limit}
    return Requirement(RequirementType.LENGTH, "word limit or range", text, check)


def _requirement(
    rng: Generator, type_: RequirementType, feature: vocabulary.Feature, x: str
) -> Requirement:
    about_x: dict[str, dict[str, Any]] = {
        "bold_term": {"kind": "bold_term", "term": x},
        "thing": {"kind": "mentions", "terms": [x]},
    }
    check = (vocabulary.CHECKS | about_x).get(feature.name, {"kind": feature.name})
    return Requirement(type_, feature.subtype, pick(rng, feature.phrases).format(x=x), check)


def sample_query(rng: Generator, topics: Sequence[str] = vocabulary.TOPICS["train"]) -> Query:
    """A random query: one requirement of each type, in random order, which can all be met at once.

    Args:
        topics: to choose from, keys of ``vocabulary.THINGS``.
    """
    topic, category = pick(rng, topics), pick(rng, list(TaskCategory))
    contents = vocabulary.CONTENTS
    content = contents[int(rng.choice(len(contents), p=vocabulary.CONTENT_WEIGHTS))]
    requirements = [
        _length_requirement(rng),
        _requirement(rng, RequirementType.FORMAT, pick(rng, vocabulary.FORMATS), topic),
        _requirement(rng, RequirementType.STYLE, pick(rng, vocabulary.STYLES), ""),
        _requirement(rng, RequirementType.CONTENT, content, pick(rng, vocabulary.THINGS[topic])),
    ]
    order = rng.permutation(4)
    task = f"Write a {pick(rng, vocabulary.GENRES[category])} about the {topic}."
    return Query(category, task, tuple(requirements[i] for i in order), topic)


def sample_queries(n: int, topics: Sequence[str], *, seed: int) -> list[Query]:
    """``n`` independent queries from :func:`sample_query`."""
    rng = np.random.default_rng(seed)
    return [sample_query(rng, topics) for _ in range(n)]


def _feature_of(requirement: Requirement) -> str:
    """Name of the feature behind a requirement of this world."""
    check = requirement.check or {}
    names = (name for name, spec in vocabulary.CHECKS.items() if spec == check)
    return next(names, "thing" if check["kind"] == "mentions" else check["kind"])


def _sentence(rng: Generator, topic: str, thing: str, feature: str | None, bold: str | None) -> str:
    """One sentence without its final full stop or exclamation mark."""
    act, where = pick(rng, vocabulary.ACTS), pick(rng, vocabulary.WHERE)
    adjective = pick(rng, vocabulary.ADJECTIVES)
    if bold:
        return f"The **{bold}** is {adjective} and the {thing} {act}"
    if feature == "questions":
        return f"Who can forget the {thing} {where}?"
    if feature == "simile":
        return f"The {thing} is like a {pick(rng, vocabulary.IMAGES)} {where}"
    if feature == "first_person":
        return f"I {pick(rng, ('saw', 'liked', 'found'))} the {thing} {where}"
    if feature == "address":
        return f"You will {pick(rng, ('see', 'like', 'find'))} the {thing} {where}"
    if feature == "figures":
        number = 10 * int(rng.integers(1, 10))
        return f"The {thing} is {number} {pick(rng, ('years old', 'steps away'))}"
    if feature == "counter":
        return f"However, the {thing} is not always {adjective}"
    plain = (
        f"The {thing} {act} {where}",
        f"The {thing} in the {topic} {act}",
        f"People call the {thing} {adjective}",
    )
    return pick(rng, plain)


def _lay_out(rng: Generator, sentences: list[str], layout: str, whole: bool, topic: str) -> str:
    """The sentences in a layout; if not ``whole``, with one of its marks left out."""
    lines = [" ".join(sentences)]
    if layout in ("bullet_list", "numbered_list"):
        item = "{0}. {1}" if layout == "numbered_list" else "- {1}"
        lines = [item.format(i, sentence) for i, sentence in enumerate(sentences, 1)]
        if not whole:
            bare = int(rng.integers(len(lines)))
            lines[bare] = sentences[bare]
    elif layout == "heading":
        lines.insert(0, f"# The {topic}")
    elif layout == "letter":
        greeting, closing = ("Dear friend,", "Dear reader,"), ("Yours truly", "Regards")
        lines = [pick(rng, greeting), *lines, pick(rng, closing)]
        if not whole:
            del lines[pick(rng, (0, -1))]
    return "\n".join(lines)


def _draft(query: Query, kept: Sequence[bool], rng: Generator) -> str:
    """One attempt at a text that meets exactly the kept requirements."""
    topic = query.topic
    want = {
        r.type: (r.check or {}, _feature_of(r), keep)
        for r, keep in zip(query.requirements, kept, strict=True)
    }
    length, _, length_kept = want[RequirementType.LENGTH]
    is_exact = length_kept and "n" in length
    n = length["n"] if is_exact else int(rng.integers(MIN_SENTENCES, MAX_SENTENCES + 1))

    def chosen(type_: RequirementType, features: Sequence[vocabulary.Feature]) -> tuple[str, bool]:
        """A feature, and whether to do it wholly: as asked; if dropped, another one or half."""
        _, name, keep = want[type_]
        if keep or (name in OF_PARTS and rng.random() < P_HALF):
            return name, keep
        others = [f.name for f in features if f.name not in (name, "thing")]
        return (pick(rng, others) if rng.random() < P_OTHER else ""), True

    layout, layout_whole = chosen(RequirementType.FORMAT, vocabulary.FORMATS)
    style, style_whole = chosen(RequirementType.STYLE, vocabulary.STYLES)
    content, content_whole = chosen(RequirementType.CONTENT, vocabulary.CONTENTS)
    content_check, content_name, content_kept = want[RequirementType.CONTENT]
    # A text is mostly about one of the topic's things, the one asked for where that is kept.
    things = list(rng.permutation(vocabulary.THINGS[topic]))
    if content_name == "thing":
        wanted = content_check["terms"][0]
        things.remove(wanted)
        things = [wanted, *things] if content_kept else things
    subject, aside = things[:2]
    slots: list[str | None] = [None] * n
    order = [int(i) for i in rng.permutation(n)]
    for special in (style, content if content != "order" else ""):
        if special and special not in ("exclamations", "thing") and order:
            slots[order.pop()] = special
    bold_at = order.pop() if layout == "bold_term" and order else None
    openers = {0: "First, ", 1: "Then ", n - 1: "Finally, "} if content == "order" else {}
    if not content_whole:
        for i in rng.choice(list(openers), size=int(rng.integers(1, 3)), replace=False):
            del openers[i]
    calm = int(rng.integers(n)) if not style_whole else None
    sentences = []
    for i, feature in enumerate(slots):
        thing = aside if rng.random() < 0.25 else subject
        sentence = _sentence(rng, topic, thing, feature, topic if i == bold_at else None)
        if i in openers and not sentence.startswith("I "):
            sentence = sentence[0].lower() + sentence[1:]
        if style == "exclamations" and i != calm:
            sentence = sentence.rstrip("?") + "!"
        elif not sentence.endswith("?"):
            sentence += "."
        sentences.append(openers.get(i, "") + sentence)
    return _lay_out(rng, sentences, layout, layout_whole, topic)


def write(query: Query, kept: Sequence[bool], rng: Generator) -> str:
    """A text that meets requirement ``i`` of a tiny-world query if and only if ``kept[i]``.

    Args:
        query: from :func:`sample_query`.
        kept: one flag per requirement, in the order of ``query.requirements``.

    Returns:
        About 10 to 50 words; the checkers' verdicts on them equal ``kept``.

    Raises:
        RuntimeError: no such text was found in 500 attempts (the query contradicts itself).
    """
    kept = tuple(kept)
    for _ in range(500):
        text = _draft(query, kept, rng)
        if verdicts(query.requirements, text) == kept:
            return text
    raise RuntimeError(f"no text found for {query.prompt()!r} with kept={kept}")


def damage(text: str, rng: Generator) -> str:
    """Generally worse writing: in every line of five words or more, some out of order or doubled.

    It stands for what a general preference data set rejects. It has nothing to do with any one
    requirement, and leaves length, layout and vocabulary much as they were.
    """
    lines = text.split("\n")
    for i, line in enumerate(lines):
        if len(line.split()) <= 4:
            continue
        tokens = line.split(" ")
        for _ in range(max(1, len(tokens) // 6)):
            start = int(rng.integers(1, max(2, len(tokens) - 2)))
            if rng.random() < 0.5:
                window = tokens[start : start + 3]
                tokens[start : start + 3] = window[::-1]
            else:
                tokens[start + 1 : start + 2] = [tokens[start]]
        lines[i] = " ".join(tokens)
    return "\n".join(lines)


def sloppy_writer(writer: Writer, p_broken: float, p_chance: float) -> Writer:
    """A writer that does not always do as told, like a language model.

    Args:
        p_broken: probability that a kept requirement is broken all the same, 0 to 1.
        p_chance: probability that a dropped requirement is met all the same, 0 to 1; every
            requirement slips independently of the others.
    """

    def write_sloppily(query: Query, kept: Sequence[bool], rng: Generator) -> str:
        flags = np.asarray(kept, dtype=bool)
        slips = rng.random(len(flags)) < np.where(flags, p_broken, p_chance)
        return writer(query, tuple((flags ^ slips).tolist()), rng)

    return write_sloppily
