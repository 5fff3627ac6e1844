"""Every form in which a pair is written down gives the same chain."""

from __future__ import annotations

import numpy as np
import pytest
from benchmarks.cases import loaded, values

from wfine_utils.chains.taxonomy import Turn
from wfine_utils.errors import WfineError


def turns(*contents: str) -> list[dict[str, str]]:
    """A conversation: user and assistant in turn."""
    roles = ("user", "assistant")
    return [{"role": roles[i % 2], "content": content} for i, content in enumerate(contents)]


ANSWERS = {"chosen": [{"role": "assistant", "content": "good"}],
           "rejected": [{"role": "assistant", "content": "bad"}]}  # fmt: skip
PLAIN = {
    "texts": {"prompt": "Write.", "chosen": "good", "rejected": "bad"},
    "stories": {"prompt": "Write.", "chosen_story": "good", "rejected_story": "bad"},
    "a prompt of one turn": {"prompt": turns("Write."), "chosen": "good", "rejected": "bad"},
    "answers as messages": {"prompt": "Write.", **ANSWERS},
    "whole conversations": {
        "prompt": "Write.", "chosen": turns("Write.", "good"), "rejected": turns("Write.", "bad"),
    },
    "no prompt": {"chosen": turns("Write.", "good"), "rejected": turns("Write.", "bad")},
}  # fmt: skip
LONG = [{"role": "system", "content": "Be brief."}, *turns("Hello.", "Hi.", "Write.")]
TALK = {
    "a prompt of turns": {"prompt": LONG, **ANSWERS},
    "turns and texts": {"prompt": LONG, "chosen": "good", "rejected": "bad"},
    "no prompt": {side: LONG + ANSWERS[side] for side in ANSWERS},
    "the prompt again": {"prompt": LONG, **{side: LONG + ANSWERS[side] for side in ANSWERS}},
    "its last turn again": {
        "prompt": "Write.", **{side: LONG + ANSWERS[side] for side in ANSWERS},
    },
}  # fmt: skip


@pytest.mark.parametrize("form", PLAIN)
def test_one_turn(form, tmp_path):
    (chain,) = loaded(tmp_path, [PLAIN[form]]).chains
    assert (chain.base_task, chain.before) == ("Write.", ())
    assert [r.text for r in chain.responses] == ["good", "bad"] and chain.gold == (1, -1)


@pytest.mark.parametrize("form", TALK)
def test_earlier_turns_are_not_flattened(form, tmp_path):
    (chain,) = loaded(tmp_path, [TALK[form]]).chains
    assert chain.base_task == "Write."
    assert chain.before == (
        Turn("system", "Be brief."), Turn("user", "Hello."), Turn("assistant", "Hi."),
    )  # fmt: skip
    assert [r.text for r in chain.responses] == ["good", "bad"]


@pytest.mark.parametrize(
    ("record", "message"),
    [
        ({"chosen": "a", "rejected": "b"}, "prompt: found nothing, and no turns that chosen"),
        ({"chosen": turns("A.", "a"), "rejected": turns("B.", "b")}, "prompt: found nothing"),
        (
            {"prompt": "Write.", "chosen": turns("Sing.", "a"), "rejected": turns("Sing.", "b")},
            "prompt: found another prompt",
        ),
        (
            {"chosen": turns("A.", "a", "B.", "b"), "rejected": turns("A.", "c", "C.", "d")},
            "chosen: found the turns assistant, user, assistant after the shared ones",
        ),
        (
            {"prompt": turns("Write.", "Yes."), "chosen": "a", "rejected": "b"},
            "prompt.1.role: found 'assistant', expected user",
        ),
        ({"prompt": "W.", "chosen": [{"role": "bot", "content": "a"}], "rejected": "b"},
         "chosen.0.role: found 'bot'"),
        ({"prompt": "W.", "chosen": ["a"], "rejected": "b"}, "chosen.0: found 'a'"),
    ],
)  # fmt: skip
def test_what_is_no_pair(record, message, tmp_path):
    with pytest.raises(WfineError, match=message):
        loaded(tmp_path, [record])


def test_accuracy_by_hand(tmp_path):
    """Right, wrong, tied, and without a score on either side."""
    rows = [{"prompt": f"{i}", "chosen": "good", "rejected": "bad"} for i in range(5)]
    scores = [[2, 1], [1, 2], [1, 1], [np.nan, 1], [1, np.nan]]
    table = values(loaded(tmp_path, rows).official(scores))
    assert table == {("accuracy", "all"): 0.2, ("tie_rate", "all"): 0.2, ("nan_rate", "all"): 0.2}
