"""The words of the tiny world: its topics, the things in them, and ways to ask for something.

Held-out topics have things of their own, so that a model which does well there has not just
learnt which words go together.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from wfine_utils.chains.taxonomy import TaskCategory

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

ACTS = (
    "stands", "waits", "rests", "looks fine", "seems old", "is ready", "remains quiet",
    "is well known", "looks small", "stays useful",
)  # fmt: skip

WHERE = (
    "in the morning", "at noon", "every day", "in the evening", "for a while", "all year",
    "near the door", "in the centre", "behind the wall", "under the roof",
)  # fmt: skip

IMAGES = ("mountain lake", "silver moon", "quiet song", "warm fire", "sleeping cat")
ADJECTIVES = ("good", "calm", "bright", "simple", "pleasant")


class Feature(NamedTuple):
    """What can be asked for, and phrases that ask for it, some with a slot ``{x}``."""

    name: str
    subtype: str
    phrases: tuple[str, ...]


FORMATS = (
    Feature("bullet_list", "customised structure",
             ("Use a bullet list.", "Write it as bullet points.")),
    Feature("numbered_list", "customised structure",
             ("Use a numbered list.", "Number every line.")),
    Feature("heading", "customised structure", ("Begin with a heading.", "Put a heading on top.")),
    Feature("letter", "professional standard",
             ("Use the layout of a letter.", "Write it as a letter.")),
    Feature("bold_term", "emphasis rules",
             ("Put the word {x} in bold.", "Mark the word {x} in bold.")),
)  # fmt: skip

STYLES = (
    Feature("exclamations", "tone",
             ("Sound excited in every sentence.", "Keep an excited tone throughout.")),
    Feature("questions", "rhetorical devices",
             ("Ask a rhetorical question.", "Include one question to the reader.")),
    Feature("simile", "rhetorical devices", ("Use a simile.", "Compare something by a simile.")),
    Feature("first_person", "identity or voice",
             ("Speak in the first person.", "Write as somebody who was there.")),
    Feature("address", "audience and culture",
             ("Speak to the reader directly.", "Address the audience.")),
)  # fmt: skip

CONTENTS = (
    Feature("thing", "required entities",
             ("Mention the {x}.", "Say something about the {x}.", "Include the {x}.")),
    Feature("figures", "required data or statistics",
             ("Give a number.", "Include a figure in digits.")),
    Feature("order", "chronological order",
             ("Tell it in the order of events.", "Go through the steps in time.")),
    Feature("counter", "counter-arguments", ("Raise an objection.", "Include a counter-argument.")),
)  # fmt: skip

CONTENT_WEIGHTS = (0.4, 0.2, 0.2, 0.2)

CHECKS: dict[str, dict[str, Any]] = {
    "simile": {"kind": "mentions", "terms": ["like a"]},
    "first_person": {"kind": "mentions", "terms": ["I"]},
    "address": {"kind": "mentions", "terms": ["you"]},
    "order": {"kind": "in_order", "terms": ["first", "then", "finally"]},
    "counter": {"kind": "mentions", "terms": ["however"]},
}
"""The checks of features by name; those of the others are named like the feature."""
