"""The tiny world: writing queries and responses whose truth is known.

A query asks for a short text about a topic and carries four requirements, one of each type.
A response is composed sentence by sentence so that it meets exactly the requirements it was
told to meet; every text is verified by :mod:`wfine_utils.checkers` before it is returned.
Topics are split once and for all into training, validation and test topics, and each topic
has things of its own, so held-out topics are about things never seen in training.

The language is small on purpose: a transformer of two million parameters, trained from
scratch on a laptop, can write it, and still has to attend to the instruction to do well.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from wfine_utils.checkers import verdicts
from wfine_utils.taxonomy import Query, Requirement, RequirementType, TaskCategory

GENRES: dict[TaskCategory, tuple[str, ...]] = {
    TaskCategory.CREATIVE: ("story", "poem", "scene"),
    TaskCategory.FRAMEWORKS: ("plan", "outline", "schedule"),
    TaskCategory.ACADEMIC: ("essay", "report", "review"),
    TaskCategory.DISCUSSION: ("reply", "speech", "comment"),
    TaskCategory.PRACTICAL: ("notice", "guide", "summary"),
}

THINGS: dict[str, tuple[str, ...]] = {
    "harbour": ("ferry", "anchor", "net", "lighthouse", "sailor", "crane"),
    "bakery": ("oven", "loaf", "flour", "baker", "cake", "apron"),
    "forest": ("oak", "fox", "path", "fern", "owl", "stream"),
    "library": ("shelf", "novel", "reader", "lamp", "atlas", "desk"),
    "school": ("teacher", "pupil", "chalk", "bell", "lesson", "ruler"),
    "hospital": ("nurse", "doctor", "ward", "patient", "bandage", "chart"),
    "farm": ("tractor", "barn", "cow", "wheat", "farmer", "fence"),
    "museum": ("statue", "guard", "vase", "painter", "ticket", "mask"),
    "station": ("train", "porter", "platform", "clock", "signal", "bench"),
    "garden": ("rose", "spade", "hedge", "bee", "pond", "seed"),
    "castle": ("tower", "knight", "gate", "banner", "queen", "shield"),
    "theatre": ("stage", "actor", "curtain", "script", "mirror", "balcony"),
    "market": ("stall", "trader", "basket", "cheese", "coin", "scale"),
    "mountain": ("peak", "climber", "rope", "snow", "eagle", "hut"),
    "kitchen": ("pan", "cook", "spoon", "kettle", "recipe", "stove"),
    "orchestra": ("violin", "drum", "conductor", "flute", "score", "hall"),
    "circus": ("clown", "tent", "juggler", "lion", "trapeze", "crowd"),
    "desert": ("camel", "dune", "oasis", "cactus", "nomad", "storm"),
    "island": ("palm", "shell", "reef", "fisher", "canoe", "parrot"),
    "laboratory": ("flask", "chemist", "microscope", "sample", "burner", "notebook"),
    "stadium": ("runner", "coach", "whistle", "medal", "track", "flag"),
    "airport": ("pilot", "runway", "suitcase", "passport", "radar", "hangar"),
    "river": ("bridge", "otter", "raft", "mill", "heron", "reed"),
    "workshop": ("hammer", "carpenter", "saw", "plank", "nail", "drill"),
    "village": ("chapel", "mayor", "fountain", "cottage", "cart", "dog"),
    "cafe": ("waiter", "cup", "menu", "guest", "teapot", "napkin"),
    "park": ("swing", "duck", "sandpit", "jogger", "kite", "lawn"),
    "observatory": ("telescope", "comet", "dome", "astronomer", "lens", "star"),
    "vineyard": ("grape", "cellar", "barrel", "grower", "bottle", "slope"),
    "factory": ("engine", "worker", "belt", "boiler", "crate", "switch"),
    "winter": ("sledge", "icicle", "scarf", "skater", "frost", "glove"),
    "hotel": ("lobby", "key", "pillow", "maid", "lift", "towel"),
    "zoo": ("tiger", "keeper", "cage", "monkey", "zebra", "bucket"),
    "beach": ("wave", "surfer", "umbrella", "crab", "sandal", "pier"),
    "mine": ("shaft", "miner", "helmet", "wagon", "lantern", "pick"),
    "studio": ("easel", "brush", "potter", "canvas", "sculptor", "clay"),
}
"""Each topic, and the things that are talked about there and nowhere else."""

_NAMES = tuple(THINGS)
TOPICS: dict[str, tuple[str, ...]] = {
    "train": _NAMES[:24],
    "validation": _NAMES[24:30],
    "test": _NAMES[30:],
}
"""Topics by split; no topic is in two splits."""

_ACTS = (
    "stands", "waits", "rests", "looks fine", "seems old", "is ready", "remains quiet",
    "is well known", "looks small", "stays useful",
)  # fmt: skip
_WHERE = (
    "in the morning", "at noon", "every day", "in the evening", "for a while", "all year",
    "near the door", "in the centre", "behind the wall", "under the roof",
)  # fmt: skip
_IMAGES = ("mountain lake", "silver moon", "quiet song", "warm fire", "sleeping cat")
_ADJECTIVES = ("good", "calm", "bright", "simple", "pleasant")


class _Feature(NamedTuple):
    """One way to ask for something: phrases with a slot ``{x}``, and the check."""

    name: str
    subtype: str
    phrases: tuple[str, ...]


_FORMATS = (
    _Feature("bullet_list", "customised structure",
             ("Use a bullet list.", "Write it as bullet points.")),
    _Feature("numbered_list", "customised structure",
             ("Use a numbered list.", "Number every line.")),
    _Feature("heading", "customised structure",
             ("Begin with a heading.", "Put a heading on top.")),
    _Feature("letter", "professional standard",
             ("Use the layout of a letter.", "Write it as a letter.")),
    _Feature("bold_term", "emphasis rules",
             ("Put the word {x} in bold.", "Mark the word {x} in bold.")),
)  # fmt: skip
_STYLES = (
    _Feature("exclamations", "tone",
             ("Sound excited in every sentence.", "Keep an excited tone throughout.")),
    _Feature("questions", "rhetorical devices",
             ("Ask a rhetorical question.", "Include one question to the reader.")),
    _Feature("simile", "rhetorical devices",
             ("Use a simile.", "Compare something by a simile.")),
    _Feature("first_person", "identity or voice",
             ("Speak in the first person.", "Write as somebody who was there.")),
    _Feature("address", "audience and culture",
             ("Speak to the reader directly.", "Address the audience.")),
)  # fmt: skip
_CONTENTS = (
    _Feature("thing", "required entities",
             ("Mention the {x}.", "Say something about the {x}.", "Include the {x}.")),
    _Feature("figures", "required data or statistics",
             ("Give a number.", "Include a figure in digits.")),
    _Feature("order", "chronological order",
             ("Tell it in the order of events.", "Go through the steps in time.")),
    _Feature("counter", "counter-arguments",
             ("Raise an objection.", "Include a counter-argument.")),
)  # fmt: skip
_CONTENT_WEIGHTS = (0.4, 0.2, 0.2, 0.2)
_CHECKS = {
    "simile": {"kind": "mentions", "terms": ["like a"]},
    "first_person": {"kind": "mentions", "terms": ["I"]},
    "address": {"kind": "mentions", "terms": ["you"]},
    "order": {"kind": "in_order", "terms": ["first", "then", "finally"]},
    "counter": {"kind": "mentions", "terms": ["however"]},
}
MIN_SENTENCES, MAX_SENTENCES = 3, 6
"""Three sentences hold any three features that need a sentence of their own."""


def _pick(rng: np.random.Generator, options: Sequence):
    return options[int(rng.integers(len(options)))]


def _length_requirement(rng: np.random.Generator) -> Requirement:
    """An exact number of sentences, or a word limit from above or below."""
    kind = _pick(rng, ("sentences", "sentences", "at most", "at least"))
    if kind == "sentences":
        n = int(rng.integers(MIN_SENTENCES, MAX_SENTENCES + 1))
        phrase = _pick(rng, ("Write exactly {} sentences.", "Use {} sentences, no more, no less."))
        text, check = phrase.format(n), {"kind": "sentence_count", "n": n}
        return Requirement(RequirementType.LENGTH, "exact sentence count", text, check)
    limit = {"at most": 28, "at least": 32}[kind]
    phrase = _pick(rng, ("Write {} {} words.", "Use {} {} words."))
    bound = {"high": limit} if kind == "at most" else {"low": limit}
    return Requirement(
        RequirementType.LENGTH,
        "word limit or range",
        phrase.format(kind, limit),
        {"kind": "word_count", **bound},
    )


def _requirement(
    rng: np.random.Generator, type_: RequirementType, feature: _Feature, x: str
) -> Requirement:
    arguments = {"bold_term": {"term": x}, "thing": {"kind": "mentions", "terms": [x]}}
    check = {"kind": feature.name, **_CHECKS.get(feature.name, arguments.get(feature.name, {}))}
    return Requirement(type_, feature.subtype, _pick(rng, feature.phrases).format(x=x), check)


def sample_query(rng: np.random.Generator, topics: Sequence[str] = TOPICS["train"]) -> Query:
    """A random query of the tiny world: one requirement of each type, in random order.

    Args:
        rng: source of all randomness.
        topics: topics to choose from, keys of :data:`THINGS`.

    Returns:
        A query that can be met: the requirements never contradict each other.
    """
    topic = _pick(rng, topics)
    category = _pick(rng, list(TaskCategory))
    content = _CONTENTS[int(rng.choice(len(_CONTENTS), p=_CONTENT_WEIGHTS))]
    requirements = [
        _length_requirement(rng),
        _requirement(rng, RequirementType.FORMAT, _pick(rng, _FORMATS), topic),
        _requirement(rng, RequirementType.STYLE, _pick(rng, _STYLES), ""),
        _requirement(rng, RequirementType.CONTENT, content, _pick(rng, THINGS[topic])),
    ]
    requirements = [requirements[i] for i in rng.permutation(4)]
    task = f"Write a {_pick(rng, GENRES[category])} about the {topic}."
    return Query(category, task, tuple(requirements), topic)


def sample_queries(n: int, topics: Sequence[str], *, seed: int) -> list[Query]:
    """``n`` independent queries from :func:`sample_query`."""
    rng = np.random.default_rng(seed)
    return [sample_query(rng, topics) for _ in range(n)]


def _feature_of(requirement: Requirement) -> str:
    """Name of the feature behind a requirement of this world."""
    check = requirement.check or {}
    for name, spec in _CHECKS.items():
        if check == spec:
            return name
    return "thing" if check["kind"] == "mentions" else check["kind"]


def _sentence(
    rng: np.random.Generator, topic: str, thing: str, feature: str | None, bold: str | None
) -> str:
    """One sentence without its final full stop or exclamation mark."""
    act, where, adjective = _pick(rng, _ACTS), _pick(rng, _WHERE), _pick(rng, _ADJECTIVES)
    if bold:
        return f"The **{bold}** is {adjective} and the {thing} {act}"
    if feature == "questions":
        return f"Who can forget the {thing} {where}?"
    if feature == "simile":
        return f"The {thing} is like a {_pick(rng, _IMAGES)} {where}"
    if feature == "first_person":
        return f"I {_pick(rng, ('saw', 'liked', 'found'))} the {thing} {where}"
    if feature == "address":
        return f"You will {_pick(rng, ('see', 'like', 'find'))} the {thing} {where}"
    if feature == "figures":
        number = 10 * int(rng.integers(1, 10))
        return f"The {thing} is {number} {_pick(rng, ('years old', 'steps away'))}"
    if feature == "counter":
        return f"However, the {thing} is not always {adjective}"
    return _pick(
        rng,
        (
            f"The {thing} {act} {where}",
            f"The {thing} in the {topic} {act}",
            f"People call the {thing} {adjective}",
        ),
    )


def _lay_out(rng: np.random.Generator, sentences: list[str], layout: str, topic: str) -> str:
    if layout == "bullet_list":
        return "\n".join(f"- {s}" for s in sentences)
    if layout == "numbered_list":
        return "\n".join(f"{i}. {s}" for i, s in enumerate(sentences, start=1))
    body = " ".join(sentences)
    if layout == "heading":
        return f"# The {topic}\n{body}"
    if layout == "letter":
        greeting = _pick(rng, ("Dear friend,", "Dear reader,"))
        return f"{greeting}\n{body}\n{_pick(rng, ('Yours truly', 'Regards'))}"
    return body


def _draft(query: Query, kept: Sequence[bool], rng: np.random.Generator) -> str:
    """One attempt at a text that meets exactly the kept requirements."""
    topic = query.topic
    want = {
        r.type: (r, _feature_of(r), keep) for r, keep in zip(query.requirements, kept, strict=True)
    }
    length, length_kind, length_kept = want[RequirementType.LENGTH]
    if length_kind == "sentence_count" and length_kept:
        n = length.check["n"]
    else:
        n = int(rng.integers(MIN_SENTENCES, MAX_SENTENCES + 1))

    def chosen(type_: RequirementType, features: Sequence[_Feature], p_other: float) -> str:
        """The feature asked for; where it was dropped, some other one or none."""
        _, name, keep = want[type_]
        if keep:
            return name
        others = [f.name for f in features if f.name not in (name, "thing")]
        return _pick(rng, others) if rng.random() < p_other else ""

    layout = chosen(RequirementType.FORMAT, _FORMATS, 0.4)
    style = chosen(RequirementType.STYLE, _STYLES, 0.4)
    content = chosen(RequirementType.CONTENT, _CONTENTS, 0.4)
    content_requirement, content_name, content_kept = want[RequirementType.CONTENT]
    # A text is mostly about one of the topic's things, the one asked for where that is kept.
    things = list(rng.permutation(THINGS[topic]))
    if content_name == "thing":
        asked_for = content_requirement.check["terms"][0]
        things.remove(asked_for)
        things = [asked_for, *things] if content_kept else things
    subject, aside = things[:2]
    slots: list[str | None] = [None] * n
    order = [int(i) for i in rng.permutation(n)]
    for special in (style, content if content != "order" else ""):
        if special and special not in ("exclamations", "thing") and order:
            slots[order.pop()] = special
    bold_at = order.pop() if layout == "bold_term" and order else None
    sentences = []
    for i, feature in enumerate(slots):
        thing = aside if rng.random() < 0.25 else subject
        sentence = _sentence(rng, topic, thing, feature, topic if i == bold_at else None)
        if content == "order":
            opener = {0: "First, ", 1: "Then "}.get(i, "Finally, " if i == n - 1 else "")
            if opener and not sentence.startswith("I "):
                sentence = sentence[0].lower() + sentence[1:]
            sentence = opener + sentence
        if style == "exclamations":
            sentence = sentence.rstrip("?") + "!"
        elif not sentence.endswith("?"):
            sentence += "."
        sentences.append(sentence)
    return _lay_out(rng, sentences, layout, topic)


def write(query: Query, kept: Sequence[bool], rng: np.random.Generator) -> str:
    """A text that meets requirement ``i`` of a tiny-world query if and only if ``kept[i]``.

    Args:
        query: a query from :func:`sample_query`.
        kept: one flag per requirement, in the order of ``query.requirements``.
        rng: source of all randomness.

    Returns:
        The text, about 10 to 50 words; the checkers' verdicts on it equal ``kept``.

    Raises:
        RuntimeError: no such text was found in 500 attempts (the query contradicts itself).
    """
    kept = tuple(kept)
    for _ in range(500):
        text = _draft(query, kept, rng)
        if verdicts(query.requirements, text) == kept:
            return text
    raise RuntimeError(f"no text found for {query.prompt()!r} with kept={kept}")


def damage(text: str, rng: np.random.Generator) -> str:
    """Generally worse writing: the words of some sentences out of order, or said twice.

    It stands for what a general preference data set rejects. It has nothing to do with any
    one requirement, and leaves length, layout and vocabulary much as they were.

    Args:
        text: a well-written response.
        rng: source of all randomness.

    Returns:
        A text that differs from ``text`` wherever it has three words in a row to damage.
    """
    lines = text.split("\n")
    candidates = [i for i, line in enumerate(lines) if len(line.split()) > 4]
    for i in candidates:
        tokens = lines[i].split(" ")
        for _ in range(max(1, len(tokens) // 6)):
            start = int(rng.integers(1, max(2, len(tokens) - 2)))
            if rng.random() < 0.5:
                window = tokens[start : start + 3]
                tokens[start : start + 3] = window[::-1]
            else:
                tokens[start + 1 : start + 2] = [tokens[start]]
        lines[i] = " ".join(tokens)
    return "\n".join(lines)
