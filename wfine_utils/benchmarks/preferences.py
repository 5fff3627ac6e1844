"""Files of preferences: a prompt, a chosen response and a rejected one.

Each of ``prompt, chosen, rejected`` is a text or a list of messages, in every form that TRL
trains on: ``chosen`` may be the response alone, or the whole conversation with it; ``prompt`` may
be missing where both conversations share their beginning. LitBench's ``chosen_story`` and
``rejected_story`` are read too. A system message and earlier turns stay what they are, turns
before the instruction.

Source: huggingface.co/docs/trl, "Dataset formats and types", preference. Accuracy as in LitBench,
arXiv 2507.00769.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from wfine_utils.benchmarks.layout import (
    NO_LABEL,
    Label,
    Layout,
    Record,
    Refusal,
    any_text,
    instruction_of,
    refuse,
    text,
    turns,
)
from wfine_utils.benchmarks.pairs import accuracy, pair_chain
from wfine_utils.chains.taxonomy import Chain, Turn

_SIDES = (("chosen", "rejected"), ("chosen_story", "rejected_story"))


def chain(record: Record, chain_id: str) -> tuple[Chain, Label]:
    """The chosen response first."""
    names = next((pair for pair in _SIDES if pair[0] in record), _SIDES[0])
    prompt, (chosen, rejected) = record.get("prompt"), (record.get(name) for name in names)
    if isinstance(prompt, str) and isinstance(chosen, str) and isinstance(rejected, str):
        a, b = any_text(chosen, names[0]), any_text(rejected, names[1])
        return pair_chain(chain_id, text(prompt, "prompt"), a, b), NO_LABEL
    sides = [_messages(x, f, "assistant") for x, f in zip((chosen, rejected), names, strict=True)]
    given = () if prompt is None else _messages(prompt, "prompt", "user")
    shared = _shared_beginning(*sides)
    n = len(given)
    if n == 0 or (shared and given in (shared[:n], shared[-n:])):
        conversation = shared
    elif shared and given:
        raise Refusal("prompt", "found another prompt than the turns that chosen and rejected "
                      "share, expected the same")  # fmt: skip
    else:
        conversation = given
    if not conversation:
        raise Refusal("prompt", "found nothing, and no turns that chosen and rejected share, "
                      "expected either")  # fmt: skip
    a, b = (_answer(side[len(shared) :], name) for side, name in zip(sides, names, strict=True))
    instruction, before = instruction_of(conversation, "prompt" if given else names[0])
    return pair_chain(chain_id, instruction, a, b, before=before), NO_LABEL


def _messages(value: Any, field: str, role: Any) -> tuple[Turn, ...]:
    if isinstance(value, str):
        return (Turn(role, text(value, field) if role == "user" else any_text(value, field)),)
    if not isinstance(value, list):
        refuse(field, value, "a text, or a list of messages")
    return turns(value, field)


def _shared_beginning(chosen: Sequence[Turn], rejected: Sequence[Turn]) -> tuple[Turn, ...]:
    """The turns that both begin with, without the last turn of either."""
    shared = []
    for one, other in zip(chosen[:-1], rejected[:-1], strict=False):
        if one != other:
            break
        shared.append(one)
    return tuple(shared)


def _answer(own: Sequence[Turn], field: str) -> str:
    if len(own) != 1 or own[0].role != "assistant":
        roles = ", ".join(turn.role for turn in own)
        raise Refusal(field, f"found the turns {roles} after the shared ones, expected one, by the "
                      "assistant")  # fmt: skip
    return own[0].content


LAYOUT = Layout(
    name="preferences",
    looked_for="chosen and rejected (or chosen_story and rejected_story) as texts or messages, "
    "with prompt unless both are conversations",
    fits=lambda record: any(
        all(isinstance(record.get(name), str | list) for name in pair) for pair in _SIDES
    ),
    chain=chain,
    official=accuracy,
)
