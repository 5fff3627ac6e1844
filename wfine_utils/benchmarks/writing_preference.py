"""WritingPreferenceBench: pairs of texts that differ in how well they are written.

Records with ``prompt``, ``tag`` (the genre) and ``chosen`` and ``rejected``, each with
``response`` and, where readers graded them, ``score``.

Source: huggingface.co/datasets/m-a-p/Writing-Preference-Bench, ODC-BY; its figure is the share of
the pairs in which the chosen response has the higher score.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from wfine_utils.benchmarks.layout import Label, Layout, Record, Refusal, any_text, refuse, text
from wfine_utils.benchmarks.pairs import accuracy, pair_chain
from wfine_utils.chains.taxonomy import Chain


def chain(record: Record, chain_id: str) -> tuple[Chain, Label]:
    """The chosen response first; grades that contradict the choice are refused."""
    prompt, tag = text(record.get("prompt"), "prompt"), text(record.get("tag"), "tag")
    texts, grades = [], []
    for side in ("chosen", "rejected"):
        value = record.get(side)
        if not isinstance(value, Mapping):
            refuse(side, value, "response and score")
        texts.append(any_text(value.get("response"), f"{side}.response"))
        grades.append(_grade(value.get("score"), f"{side}.score"))
    better, worse = grades
    if better is not None and worse is not None and not better > worse:
        raise Refusal("chosen.score", f"found {better}, expected more than the {worse} of the "
                      "rejected response")  # fmt: skip
    return pair_chain(chain_id, prompt, texts[0], texts[1], tag), Label(tag)


def _grade(value: Any, field: str) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        refuse(field, value, "a number, or nothing")
    return float(value)


LAYOUT = Layout(
    name="writing_preference",
    looked_for="prompt, tag, chosen.response and rejected.response",
    fits=lambda record: (
        {"prompt", "tag"} <= {*record}
        and isinstance(record.get("chosen"), Mapping)
        and "response" in record["chosen"]
    ),
    chain=chain,
    official=accuracy,
)
