"""IF-RewardBench: preference graphs over responses to instructions with a checklist.

A JSON array; of each record we read ``messages`` (the last is the instruction, the others are
turns before it), ``checklist`` (texts), ``constraint_type`` (for each item its categories),
``responses`` (``response_id, response, labels``: one verdict per item of the checklist) and
``preference_graph`` (pairs ``chosen, rejected`` with a ``response_id``); ``instruction_type`` is
its subset. The requirements of a chain are the checklist. They say again what the instruction
says, so that its prompt, base task and requirements, says it twice.

Source: github.com/thu-coai/IF-RewardBench, README and folder metrics. The definitions are theirs,
the code is ours.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from wfine_utils.benchmarks.layout import (
    Examined,
    Label,
    Layout,
    Record,
    Verdicts,
    any_text,
    gold,
    instruction_of,
    items,
    refuse,
    text,
    turns,
)
from wfine_utils.benchmarks.tables import (
    Part,
    Row,
    by_subset,
    nan_rate,
    part,
    table,
    undecided_rate,
)
from wfine_utils.chains.taxonomy import Chain, Requirement, Response
from wfine_utils.weval.resampling import FloatArray


def chain(record: Record, chain_id: str) -> tuple[Chain, Label]:
    """The graph is an order in part: a circle is refused, a pair told twice is one pair."""
    instruction, before = instruction_of(turns(record.get("messages"), "messages"), "messages")
    checklist = [
        text(item, f"checklist.{i}")
        for i, item in enumerate(items(record.get("checklist"), "checklist"))
    ]
    place, texts, met = {}, [], []
    for i, response in enumerate(items(record.get("responses"), "responses", at_least=2)):
        field = f"responses.{i}"
        if not isinstance(response, Mapping):
            refuse(field, response, "response_id, response and labels")
        place[_id(response, field)] = i
        texts.append(any_text(response.get("response"), f"{field}.response"))
        met.append(_labels(response.get("labels"), f"{field}.labels", len(checklist)))
    if len(place) < len(texts):
        refuse("responses", [*place], "a response_id of its own for each")
    better = []
    for i, edge in enumerate(items(record.get("preference_graph"), "preference_graph")):
        field = f"preference_graph.{i}"
        better.append((_end(edge, "chosen", field, place), _end(edge, "rejected", field, place)))
    known = gold("preference_graph", better=tuple(dict.fromkeys(better)))
    requirements = tuple(Requirement(None, None, item) for item in checklist)
    kept = (True,) * len(requirements)
    responses = tuple(Response(x, kept) for x in texts)
    label = Label(
        subset=str(record.get("instruction_type") or ""), met=tuple(met),
        kinds=_kinds(record, checklist),
    )  # fmt: skip
    return Chain(
        chain_id, None, instruction, requirements, responses, before=before, judged=known
    ), label


def _labels(value: Any, field: str, n: int) -> tuple[bool, ...]:
    if not isinstance(value, list) or len(value) != n or any(x not in (0, 1) for x in value):
        refuse(field, value, f"{n} times 0 or 1, one for each item of the checklist")
    return tuple(map(bool, value))


def _id(value: Any, field: str) -> int | str:
    response_id = value.get("response_id") if isinstance(value, Mapping) else None
    if not isinstance(response_id, int | str):
        refuse(f"{field}.response_id", response_id, "a number or a text")
    return response_id


def _end(edge: Any, side: str, field: str, place: Mapping[Any, int]) -> int:
    end = _id(edge.get(side) if isinstance(edge, Mapping) else None, f"{field}.{side}")
    if end not in place:
        refuse(f"{field}.{side}.response_id", end, "that of one of the responses")
    return place[end]


def _kinds(record: Record, checklist: Sequence[str]) -> tuple[tuple[str, ...], ...]:
    """For each item the categories that ``constraint_type`` names for it, if any."""
    named = {}
    for entry in record.get("constraint_type") or ():
        if isinstance(entry, Mapping):
            kinds = [f"constraint: {x}" for x in entry.get("constraint_categories") or ()]
            kinds += [f"composition: {x}" for x in entry.get("constraint_composition_types") or ()]
            named[str(entry.get("item")).strip()] = tuple(kinds)
    return tuple(named.get(item.strip(), ()) for item in checklist)


def official(examined: Examined) -> pd.DataFrame:
    """Of scores, accuracy and tau-b of each graph; of verdicts, F1 of met and of not met.

    With C pairs of the graph in the right order, D in the wrong one and T tied, ``accuracy`` is
    C / (C + D + T) and ``kendall_tau_b`` is (C - D) / sqrt((C + D) (C + D + T)), 0 if nothing but
    ties. A response without a score is tied with all. Without scores, the share of a response's
    items that a verdict calls met is its score.

    ``positive_f1`` takes "met" for what is to be found, ``negative_f1`` "not met": of each graph
    over responses and items, 0 where there is none and none is found; and of the categories of
    constraints over all their items at once. An undecided verdict is a wrong one.

    The official figure is the mean of the subsets, which are the types of instruction; "all" is the
    mean over graphs.
    """
    chains, labels, scores, verdicts, boot = examined
    rows: list[Row] = []
    if scores is None and verdicts is not None:
        scores = [np.array([np.mean(v) for v in responses]) for responses in verdicts]
    if scores is not None:
        pairs = np.array([_graph(c, s) for c, s in zip(chains, scores, strict=True)], dtype=float)
        right, wrong, tied = pairs.T
        n = right + wrong + tied
        tau = (right - wrong) / np.sqrt(np.maximum(right + wrong, 1) * n)
        for metric, values in (("accuracy", right / n), ("kendall_tau_b", tau)):
            rows += [Row(metric, "all", [part(values)]), *by_subset(metric, values, labels)]
        rows.append(Row("tie_rate", "all", [part(tied / n)]))
        rows.append(nan_rate(scores))
    if verdicts is not None:
        rows += [*_f1_rows(labels, verdicts), undecided_rate(verdicts)]
    return table(rows, boot)


def _graph(c: Chain, score: FloatArray) -> tuple[int, int, int]:
    """Pairs of the graph in the right order, in the wrong one, and tied."""
    best, worse = np.array(c.judged.better).T  # type: ignore[union-attr]
    right, wrong = (score[best] > score[worse]).sum(), (score[best] < score[worse]).sum()
    return right, wrong, len(best) - right - wrong


def _f1_rows(labels: Sequence[Label], verdicts: Verdicts) -> list[Row]:
    rows: list[Row] = []
    for metric, wanted in (("positive_f1", True), ("negative_f1", False)):
        by_item = [_found(label, v, wanted) for label, v in zip(labels, verdicts, strict=True)]
        sums = np.array([x.sum(axis=1) for x in by_item], dtype=float)  # [chains, 2]
        values = np.divide(sums[:, 0], sums[:, 1], out=np.zeros(len(sums)), where=sums[:, 1] > 0)
        rows += [Row(metric, "all", [part(values)]), *by_subset(metric, values, labels)]
        for kind in sorted({kind for label in labels for kinds in label.kinds for kind in kinds}):
            has = [np.array([kind in kinds for kinds in label.kinds]) for label in labels]
            of_kind = np.array([x[:, h].sum(axis=1) for x, h in zip(by_item, has, strict=True)])
            rows.append(Row(metric, kind, [Part(*of_kind.astype(float).T)]))
    return rows


def _found(label: Label, verdict: Sequence[Any], wanted: bool) -> np.ndarray:
    """Twice the true positives, and these with both kinds of error: int [2, items]."""
    truth = np.array(label.met) == wanted  # [responses, items]
    said = np.asarray(verdict, dtype=float)
    said_so = np.where(np.isnan(said), ~truth, (said >= 0.5) == wanted)
    hits = 2 * (truth & said_so).sum(axis=0)
    return np.stack([hits, hits + (truth ^ said_so).sum(axis=0)])


LAYOUT = Layout(
    name="if_rewardbench",
    looked_for="messages, checklist, responses and preference_graph",
    fits=lambda record: {"messages", "checklist", "responses", "preference_graph"} <= {*record},
    chain=chain,
    official=official,
    needs="either",
)
