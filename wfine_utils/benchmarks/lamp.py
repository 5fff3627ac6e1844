"""LAMP: three versions of a paragraph, each ranked by professional writers.

One record per instruction: ``instruction``, ``responses`` (text by version, such as "AI-generated"
and "Human-edited") and ``rankings`` (the versions by writer, best first); ``genre`` and ``id`` may
be there. Gold are the rankings of all writers, the source of a response is its version.

Source: salesforce/creativity_eval, folder Writing_Alignment/preference_ranking, BSD-3-Clause;
Chakrabarty, Laban and Wu, "Can AI writing be salvaged?", arXiv 2409.14509. The rankings of one
instruction lie in several files there, and are brought together for this layout.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations

import numpy as np
import pandas as pd
from scipy.stats import kendalltau

from wfine_utils.benchmarks.layout import (
    NO_LABEL,
    Examined,
    Label,
    Layout,
    Record,
    any_text,
    items,
    refuse,
    text,
)
from wfine_utils.benchmarks.tables import Row, nan_rate, part, table
from wfine_utils.chains.gold import Gold
from wfine_utils.chains.readers import reader_names
from wfine_utils.chains.taxonomy import Chain, Response
from wfine_utils.weval.agreement import kendall_w


def chain(record: Record, chain_id: str) -> tuple[Chain, Label]:
    """Every writer ranks every version exactly once, or the record is refused."""
    versions = _without_gaps(record, "responses", at_least=2)
    names = list(versions)
    ranks = {}
    for writer, value in _without_gaps(record, "rankings", at_least=1).items():
        field = f"rankings.{writer}"
        ranking = items(value, field)
        if sorted(map(str, ranking)) != sorted(names):
            refuse(field, ranking, f"each of {', '.join(names)} once, best first")
        ranks[writer] = [ranking.index(name) + 1 for name in names]
    responses = tuple(Response(any_text(versions[v], f"responses.{v}"), (), v) for v in names)
    genre = record.get("genre")
    topic = genre if isinstance(genre, str) else ""
    instruction = text(record.get("instruction"), "instruction")
    return Chain(
        chain_id, None, instruction, (), responses, topic, judged=Gold.from_ranks(ranks)
    ), NO_LABEL


def _without_gaps(record: Record, field: str, at_least: int) -> Mapping[str, object]:
    """A mapping; a table that has a column for every writer has None for those who are not here."""
    value = record.get(field)
    there = value if isinstance(value, Mapping) else {}
    there = {k: v for k, v in there.items() if v is not None}
    if len(there) < at_least:
        refuse(field, value, f"{at_least} or more by name")
    return there


def official(examined: Examined) -> pd.DataFrame:
    """Kendall's W of a set's writers, mean over sets; of two at a time; and with the scorer.

    ``mean_pair_tau`` is the mean of tau-b over the pairs of a set's writers: what the function of
    the authors' script computes that is called Kendall's W there. W is about 1 / m of m unrelated
    rankings, tau is about 0: the two must not be held against each other.
    """
    chains, _, scores, _, boot = examined
    orders = [_orders(c) for c in chains]
    every = [np.array([*order.values()]) for order in orders]
    rows = [
        Row("kendall_w", "writers", [part([kendall_w(x) for x in every])]),
        Row("mean_pair_tau", "writers", [part([_mean_tau(x) for x in every])]),
    ]
    if scores is not None:
        joined = [np.vstack([x, s]) for x, s in zip(every, scores, strict=True)]
        rows.append(Row("kendall_w", "writers and scorer", [part([kendall_w(x) for x in joined])]))
    for pair in combinations(reader_names(chains), 2):
        together = [
            kendall_w(np.array([order[w] for w in pair])) if {*pair} <= {*order} else np.nan
            for order in orders
        ]
        if not np.isnan(together).all():
            rows.append(Row("kendall_w", ", ".join(pair), [part(together)]))
    return table(rows if scores is None else [*rows, nan_rate(scores)], boot)


def _orders(c: Chain) -> dict[str, np.ndarray]:
    """By writer, higher is better: [versions]."""
    return {w: np.array(grades, dtype=float) for w, grades in c.judged.grades.items()}  # type: ignore[union-attr]


def _mean_tau(orders: np.ndarray) -> float:
    taus = [kendalltau(a, b).statistic for a, b in combinations(orders, 2)]
    return float(np.mean(taus)) if taus else np.nan


LAYOUT = Layout(
    name="lamp",
    looked_for="instruction, responses and rankings, the latter two by name",
    fits=lambda record: (
        isinstance(record.get("rankings"), Mapping)
        and isinstance(record.get("responses"), Mapping)
        and "instruction" in record
    ),
    chain=chain,
    official=official,
    needs="",
)
