"""Queries, chains and a writer as plain as can be: requirement i is to mention ``item<i>``."""

from __future__ import annotations

from wfine_utils.chains.taxonomy import Chain, Query, Requirement, RequirementType, Response

TYPES = list(RequirementType)


def make_query(n: int = 3, topic: str = "bees") -> Query:
    """A query whose requirement i is to mention the word ``item<i>``."""
    requirements = tuple(
        Requirement(
            TYPES[i % 4], None, f"Mention item{i}.", {"kind": "mentions", "terms": [f"item{i}"]}
        )
        for i in range(n)
    )
    return Query(None, f"Write about {topic}.", requirements, topic)


def exact_writer(query: Query, kept, rng) -> str:
    """Meets requirement i exactly when kept[i]; the number makes responses differ."""
    words = [f"item{i}" for i, keep in enumerate(kept) if keep]
    return f"{query.topic} {rng.integers(10**9)} {' '.join(words)}"


def chain_of(texts_and_kept, n: int = 2, chain_id: str = "c") -> Chain:
    query = make_query(n)
    responses = tuple(Response(text, kept) for text, kept in texts_and_kept)
    return Chain(chain_id, None, query.base_task, query.requirements, responses, query.topic)
