"""Whose texts are preferred, by hand."""

from __future__ import annotations

import numpy as np
import pytest

from wfine_utils.annotation.sources import prefers_source
from wfine_utils.chains.gold import Gold
from wfine_utils.chains.taxonomy import Chain, Response
from wfine_utils.errors import WfineError


def chain(chain_id: str, sources: str, **grades: tuple) -> Chain:
    responses = tuple(Response("text", (), source) for source in sources)
    return Chain(chain_id, None, "Write.", (), responses, judged=Gold(grades))


def test_shares_by_hand():
    chains = [
        chain("1", "PMX", ann=(3, 1, 2), bob=(3, 2, 1)),  # P above M for both
        chain("2", "MPX", ann=(3, 1, 2), bob=(1, 2, 3)),  # ann: M above P
        chain("3", "PMX", ann=(2, 2, 1), bob=(None, 2, 3)),  # ann ties, bob left P out
        chain("4", "XX", ann=(1, 2)),  # neither
    ]
    scores = {"s": [[1, 0, 5], [0, 1, 5], [np.nan, 1, 1], [1, 2]], "t": [[1, 1, 1]] * 3 + [[1, 1]]}
    table = prefers_source(chains, scores, "P", "M", n_boot=0).set_index("judge")
    assert table["kind"].tolist() == ["consensus", "reader", "reader", "scorer", "scorer"]
    assert table.loc["ann", ["value", "tie_rate", "n_chains"]].tolist() == [0.5, 1 / 3, 3]
    assert table.loc["bob", ["value", "tie_rate", "n_chains"]].tolist() == [1, 0, 2]
    # P and M in the second: (-1 + 0) / 2 and (1 - 1) / 2; in the third 1/2, of ann alone, and
    # (1/2 - 1) / 2.
    assert table.loc["consensus", ["value", "tie_rate"]].tolist() == pytest.approx([2 / 3, 0])
    assert table.loc["s", ["value", "n_chains"]].tolist() == [1, 2]
    assert table.loc["t", ["value", "tie_rate"]].tolist() == [0.5, 1]


def test_several_texts_of_one_writer_weigh_as_one_chain():
    chains = [chain("1", "PPM", ann=(3, 1, 2)), chain("2", "PM", ann=(2, 1))]
    table = prefers_source(chains, {}, "P", "M", n_boot=0).set_index("judge")
    assert table.loc["ann", "value"] == (0.5 + 1) / 2


def test_an_unknown_source_is_refused():
    with pytest.raises(WfineError, match=r"responses of 'Q' and of 'M'.* \['M', 'P'\]"):
        prefers_source([chain("1", "PM", ann=(1, 2))], {}, "Q", "M")
