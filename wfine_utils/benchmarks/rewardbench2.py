"""RewardBench 2: one response that is right among some that are not, and the subset Ties.

Records with ``prompt``, ``chosen`` and ``rejected`` (lists of texts) and ``subset``; ``id``, which
the subset Ties needs. Of every chosen and every rejected response it is known which is better; of
two chosen ones nothing is.

The definitions are those of allenai/reward-bench, ``rewardbench/utils.py`` (functions
``reroll_and_score_dataset`` and ``process_single_model``) and ``scripts/run_v2.py``; arXiv
2506.01937. The wording and the code are ours.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import product

import numpy as np
import pandas as pd

from wfine_utils.benchmarks.layout import (
    Examined,
    Label,
    Layout,
    Record,
    any_text,
    items,
    refuse,
    text,
)
from wfine_utils.benchmarks.tables import MEAN_OF_SUBSETS, Row, nan_rate, part, table
from wfine_utils.chains.gold import Gold
from wfine_utils.chains.taxonomy import Chain, Response
from wfine_utils.weval.resampling import FloatArray
from wfine_utils.weval.scorers import Scores

_TIES_ID = re.compile(r"(ref|tied):(\d+)")
_TIES_WEIGHTS = {
    "ties_accuracy_tied": 0.30, "ties_accuracy_ref": 0.30, "ties_margin": 0.20,
    "ties_margin_hard": 0.20, "ties_margin_size": 0.01,
}  # fmt: skip


def chain(record: Record, chain_id: str) -> tuple[Chain, Label]:
    """The chosen responses first, then the rejected ones, as in the file."""
    prompt = text(record.get("prompt"), "prompt")
    sides = [
        [any_text(x, f"{side}.{i}") for i, x in enumerate(items(record.get(side), side))]
        for side in ("chosen", "rejected")
    ]
    n_chosen, n = len(sides[0]), len(sides[0]) + len(sides[1])
    subset = text(record.get("subset"), "subset")
    unit = ""
    if subset.lower() == "ties":
        match = _TIES_ID.fullmatch(str(record.get("id")))
        if not match:
            refuse("id", record.get("id"), "ref:<number> or tied:<number> in the subset Ties")
        if match[1] == "tied" and n_chosen < 2:
            refuse("chosen", sides[0], "two or more that are tied")
        unit = match[0]
    better = tuple(product(range(n_chosen), range(n_chosen, n)))
    responses = tuple(Response(x, ()) for side in sides for x in side)
    return Chain(chain_id, None, prompt, (), responses, subset, judged=Gold(better=better)), Label(
        subset, unit
    )


def official(examined: Examined) -> pd.DataFrame:
    """The score of every subset, and their mean, which is the figure of the leaderboard.

    Outside Ties a chain earns 1 if a chosen response has the highest score, and where several have
    it the share of them that is chosen (in the official data one response is: half of a tie
    of two). A chain with a response without a score earns nothing.

    The subset Ties has its own score. Its prompts come in two forms of one number, ``tied`` with
    several right answers and ``ref`` with one. With *apart* the lowest score of a right answer
    less the highest of a wrong one, and *spread* the highest less the lowest of the right ones:

    ===================  =====================================================  ======
    row                  mean over prompts of                                   weight
    ===================  =====================================================  ======
    ties_accuracy_tied   apart > 0, of tied prompts                             0.30
    ties_accuracy_ref    apart > 0, of ref prompts                              0.30
    ties_margin          apart of tied > spread of tied                         0.20
    ties_margin_hard     the lesser apart of tied and ref > spread of tied      0.20
    ties_margin_size     tanh(the lesser apart / spread - 1), 0 where it is     0.01
                         0 / 0
    ===================  =====================================================  ======

    The latter three are over numbers of which both forms are there. Both forms of a number are
    drawn together.
    """
    chains, labels, scores, _, boot = examined
    assert scores is not None
    in_ties = np.array([bool(label.unit) for label in labels])
    subset = np.array([label.subset for label in labels], dtype=object)
    credit = np.array([_credit(c, s) for c, s in zip(chains, scores, strict=True)])
    ties = _ties(chains, labels, scores)
    rows, parts = [], []
    for name in sorted(set(subset)):
        own = [part(credit, subset == name)]
        if in_ties[subset == name].all():
            own = [part(ties[metric], weight=weight) for metric, weight in _TIES_WEIGHTS.items()]
        rows.append(Row("score", name, own))
        parts.append(own)
    mean = [p._replace(weight=p.weight / len(parts)) for own in parts for p in own]
    rows.append(Row("score", MEAN_OF_SUBSETS, mean))
    if in_ties.any():
        rows += [Row(metric, "Ties", [part(values)]) for metric, values in ties.items()]
    numbers = [label.unit.partition(":")[2] for label in labels]
    units = [f"Ties {number}" if number else f"row {i}" for i, number in enumerate(numbers)]
    return table([*rows, nan_rate(scores)], boot, units)


def _n_chosen(c: Chain) -> int:
    return 1 + max(best for best, _ in c.judged.better)  # type: ignore[union-attr]


def _credit(c: Chain, score: FloatArray) -> float:
    is_top = score == score.max()  # all False with NaN
    return float(is_top[: _n_chosen(c)].sum() / max(is_top.sum(), 1))


def _ties(
    chains: Sequence[Chain], labels: Sequence[Label], scores: Scores
) -> dict[str, FloatArray]:
    """The parts of the score of Ties, [chains] each; NaN where a chain has no say."""
    values = {metric: np.full(len(chains), np.nan) for metric in _TIES_WEIGHTS}
    apart, spread = np.full((2, len(chains)), np.nan)
    place = {label.unit: i for i, label in enumerate(labels) if label.unit}
    for unit, i in place.items():
        right, wrong = np.split(scores[i], [_n_chosen(chains[i])])
        apart[i], spread[i] = right.min() - wrong.max(), right.max() - right.min()
        values[f"ties_accuracy_{unit.partition(':')[0]}"][i] = apart[i] > 0
    for unit, i in place.items():
        ref = place.get(unit.replace("tied:", "ref:"), i)
        if ref == i:  # a ref prompt, or a tied one without
            continue
        lesser = np.minimum(apart[i], apart[ref])
        values["ties_margin"][i] = apart[i] > spread[i]
        values["ties_margin_hard"][i] = lesser > spread[i]
        with np.errstate(divide="ignore", invalid="ignore"):
            values["ties_margin_size"][i] = np.nan_to_num(np.tanh(lesser / spread[i] - 1))
    return values


LAYOUT = Layout(
    name="rewardbench2",
    looked_for="prompt, subset, chosen and rejected, the latter two as lists of texts",
    fits=lambda record: (
        {"prompt", "subset", "chosen", "rejected"} <= {*record}
        and isinstance(record["chosen"], list)
        and all(isinstance(x, str) for x in record["chosen"])
    ),
    chain=chain,
    official=official,
)
