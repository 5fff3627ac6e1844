"""Chains and sessions that the tests of annotation share."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from wfine_utils.annotation.files import load_annotations
from wfine_utils.annotation.session import Session
from wfine_utils.chains.gold import Gold
from wfine_utils.chains.taxonomy import Chain, Requirement, Response

EVIL = '<img src=x onerror="window.hit=1"><script>window.hit=2</script>&amp;</div>'
SECRETS = ("secret-id", "secret-model", "secret-topic", "gold", "kept", "level", "source")


def chain(name: str = "secret-id-1", n: int = 4, *, text: str = "Tale number {} of {}.") -> Chain:
    """A chain of ``n`` responses, best first, each with a text of its own."""
    wanted = tuple(Requirement(None, None, f"Name wish {k}.") for k in range(n - 1))
    kept = [tuple(k < n - 1 - i for k in range(n - 1)) for i in range(n)]
    responses = tuple(Response(text.format(i, name[-1]), kept[i], "secret-model") for i in range(n))
    return Chain(name, None, f"Tell tale {name[-1]}.", wanted, responses, "secret-topic")


CHAINS = [chain(f"secret-id-{k}", n) for k, n in enumerate((4, 2, 5))]


def session(path: Path, chains: Sequence[Chain] = CHAINS, annotator: str = "ann") -> Session:
    return Session(chains, annotator, path)


def gold_ranks(of: Session) -> list[int]:
    """Ranks that agree with the order of the file, which is best first."""
    return [place + 1 for place in of.order]


def saved(path: Path) -> dict[str, list[float]]:
    table = load_annotations(path)
    return {k: part["rank"].tolist() for k, part in table.groupby("chain_id", sort=False)}


def graded(chain_id: str, **grades: tuple) -> Chain:
    n = len(next(iter(grades.values())))
    responses = tuple(Response(f"text {i}", ()) for i in range(n))
    return Chain(chain_id, None, "Write.", (), responses, judged=Gold(grades))


def random_chains(
    seed: int, n: int = 20, names: str = "abc", size: int = 4, *, levels: int = 0
) -> list[Chain]:
    """Rankings without ties, or grades of so many levels."""
    rng = np.random.default_rng(seed)
    draw = (lambda: rng.integers(0, levels, size)) if levels else (lambda: rng.permutation(size))
    return [graded(f"c{k:02}", **{x: tuple(map(float, draw())) for x in names}) for k in range(n)]
