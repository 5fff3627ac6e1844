"""The split that was not: versions of a loader of training, validation and test chains.

After https://github.com/ContentWise/contentwise-impressions/issues/5 (mended in pull request 6),
where validation and test were exchanged, and https://github.com/JJGO/shrinkbench/pull/7, where the
training set was used for validation. Written anew for the course; no code of theirs is copied.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from wfine_utils.chains.dropping import build_chains
from wfine_utils.chains.taxonomy import Chain
from wfine_utils.seeds import rng_for
from wfine_utils.tiny_world.vocabulary import TOPICS
from wfine_utils.tiny_world.writer import sample_query, write

Files = Mapping[str, Sequence[Chain]]
"""Chains by the name of their file: ``chains_train``, ``chains_validation``, ``chains_test``."""

SPLITS = ("train", "validation", "test")


def example_files(n: int = 12, seed: int = 0) -> dict[str, list[Chain]]:
    """Chains of the tiny world in three files, ``n`` of training and half as many of the others."""
    files = {}
    for split in SPLITS:
        rng = rng_for(seed, "lab of week 2", split)
        size = n if split == "train" else n // 2
        queries = [sample_query(rng, TOPICS[split]) for _ in range(size)]
        files[f"chains_{split}"] = build_chains(queries, "balanced", write, seed, prefix=split)
    return files


def as_named(files: Files, split: str) -> Sequence[Chain]:
    """Right: the file of the name."""
    return files[f"chains_{split}"]


def as_a_list(files: Files, split: str) -> Sequence[Chain]:
    """Right: a copy, found by the end of the name."""
    return [chain for name in files if name.endswith(f"_{split}") for chain in files[name]]


def exchanged(files: Files, split: str) -> Sequence[Chain]:
    """Wrong: validation and test change places; the lab shows its behaviour, not its code."""
    other = {"validation": "test", "test": "validation"}
    return files[f"chains_{other.get(split, split)}"]


def train_again(files: Files, split: str) -> Sequence[Chain]:
    """Wrong: what is called validation is the training set."""
    return files["chains_train" if split == "validation" else f"chains_{split}"]


def by_first_letter(files: Files, split: str) -> Sequence[Chain]:
    """Wrong: the first file with that letter, and test begins like train."""
    return next(chains for name, chains in files.items() if name.split("_")[1][0] == split[0])


def with_a_leak(files: Files, split: str) -> Sequence[Chain]:
    """Wrong: one training chain has found its way into the test set."""
    chains = list(files[f"chains_{split}"])
    return [*chains, files["chains_train"][0]] if split == "test" else chains


def cut_short(files: Files, split: str) -> Sequence[Chain]:
    """Wrong: the last chain is lost."""
    return files[f"chains_{split}"][:-1]


RIGHT = (as_named, as_a_list)
WRONG = (
    (exchanged, "Two sets can be disjoint and still be each other's. Which topics should it have?"),
    (train_again, "Does your test look at validation as well?"),
    (by_first_letter, "Does your test look at every one of the three names?"),
    (with_a_leak, "One chain is enough to leak. Is any topic shared between two splits?"),
    (cut_short, "Is everything still there? Count the chains."),
)
