"""Gold from readers: what is refused, what several of them say together, and files of it."""

from __future__ import annotations

import json
from itertools import pairwise

import numpy as np
import pytest
from pydantic import ValidationError

from wfine_utils.chains.files import load_chains, load_queries, save_chains
from wfine_utils.chains.gold import Gold
from wfine_utils.chains.readers import reader_names
from wfine_utils.chains.taxonomy import Chain, Query, Requirement, Response, Turn
from wfine_utils.errors import WfineError


def judged(gold: Gold, n: int = 3, chain_id: str = "c") -> Chain:
    responses = tuple(Response(f"text {i}", ()) for i in range(n))
    return Chain(chain_id, None, "Write.", (), responses, judged=gold)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({}, "neither grades nor better"),
        ({"grades": {"a": (1, 2)}, "better": ((0, 1),)}, "both grades and better"),
        ({"grades": {"a": (None, None)}}, "grades of 'a' has no number"),
        ({"grades": {"a": (1, 2), "b": (1, 2, 3)}}, "different lengths"),
        ({"grades": {"a": (1, float("nan"))}}, "finite number"),
        ({"grades": {"": (1, 2)}}, "at least 1 character"),
        ({"better": ((1, 1),)}, r"better has \[1, 1\]"),
        ({"better": ((-1, 1),)}, r"better has \[-1, 1\]"),
        ({"better": ((0, 1), (0, 1))}, "a pair twice"),
        ({"better": ((0, 1), (1, 2), (2, 0))}, "circle"),
        ({"better": ((0, 1), (1, 0))}, "circle"),
    ],
)
def test_what_is_no_gold_is_refused(values, expected):
    with pytest.raises(ValidationError, match=expected):
        Gold(**values)


def test_a_circle_is_named_from_better_to_worse():
    with pytest.raises(ValidationError) as refused:
        Gold(better=((4, 2), (2, 7), (7, 4), (0, 1)))
    circle = str(refused.value).split("circle ")[1].split(",")[0].split(" > ")
    edges = {(int(a), int(b)) for a, b in pairwise(circle)}
    assert edges == {(4, 2), (2, 7), (7, 4)}


@pytest.mark.parametrize(
    ("gold", "expected"),
    [
        (Gold(grades={"a": (1, 2)}), "judged.grades of 'a' has 2 numbers, expected one for each"),
        (Gold(better=((0, 3),)), "judged.better has the place 3, expected places of the 3"),
    ],
)
def test_gold_that_does_not_fit_the_responses_is_refused(gold, expected):
    with pytest.raises(ValidationError, match=expected):
        judged(gold)


def test_a_chain_without_requirements_needs_another_gold():
    with pytest.raises(ValidationError, match="requirements found 0, expected at least 1"):
        Chain("c", None, "Write.", (), (Response("a", ()), Response("b", ())))


def test_one_reader_is_taken_at_their_word_and_a_gap_stays_one():
    chain = judged(Gold(grades={"a": (2.5, None, 4)}))
    assert chain.gold[::2] == (2.5, 4.0) and np.isnan(chain.gold[1])


def test_consensus_of_complete_rankings_is_the_order_of_the_mean_rank():
    rng = np.random.default_rng(0)
    for _ in range(50):
        ranks = {name: tuple(rng.permutation(5) + 1.0) for name in "abc"}
        numbers = Gold.from_ranks(ranks).numbers(5)
        mean_rank = np.mean([*ranks.values()], axis=0)
        np.testing.assert_allclose(numbers, (3 - mean_rank) / 2)  # 1 first of all, -1 last


def test_a_reader_who_left_something_out_is_neither_strict_nor_mild():
    """The mean rank would put 2 last: its only reader graded five responses, the others two."""
    gold = Gold.from_ranks({"a": (1, 2, None), "b": (None, 2, 1)})
    assert gold.numbers(3).tolist() == [1.0, -1.0, 1.0]


def test_ties_are_ties_in_the_consensus_too():
    gold = Gold.from_ranks({"a": (1, 1, 3), "b": (1, 2, 3)})
    assert gold.numbers(3).tolist() == [0.75, 0.25, -1.0]
    order = Gold.from_ranks({"a": (1, 2), "b": (2, 1)})
    assert order.numbers(2).tolist() == [0.0, 0.0]


def test_known_pairs():
    gold = Gold(better=((0, 1), (0, 2)))
    assert gold.relation(4).tolist() == [[0, 1, 1, 0], [-1, 0, 0, 0], [-1, 0, 0, 0], [0, 0, 0, 0]]
    assert judged(gold, n=4).gold == (2.0, -1.0, -1.0, 0.0)


def test_readers_apart_and_without_one():
    chains = [
        judged(Gold(grades={"b": (1, 2, 3), "a": (3, 2, 1)}), chain_id="both"),
        judged(Gold(grades={"b": (1, None, None)}), chain_id="one grade"),
        judged(Gold(better=((0, 1),)), chain_id="pairs"),
    ]
    assert reader_names(chains) == ["a", "b"]
    assert chains[0].judged.of("b") == Gold(grades={"b": (1, 2, 3)})
    assert chains[0].judged.without("a") == Gold(grades={"b": (1, 2, 3)})
    with pytest.raises(ValueError, match="found b, expected 'b' and another"):
        chains[1].judged.without("b")


def test_files_keep_gold_and_turns_and_plain_ones_are_as_before(tmp_path):
    plain = Chain(
        "plain", None, "Write.", (Requirement(None, None, "Short."),),
        (Response("a", (True,)), Response("b", (False,))),
    )  # fmt: skip
    turns = (Turn("system", "Be brief."), Turn("user", "Hello."), Turn("assistant", "Hi."))
    asked = Chain(
        "asked", None, "Write.", (), (Response("a", ()), Response("b", ())), "", turns,
        Gold(grades={"a": (1.5, None), "b": (2, 1)}),
    )  # fmt: skip
    graph = judged(Gold(better=((0, 1), (2, 1))), chain_id="graph")
    path = save_chains([plain, asked, graph], tmp_path / "chains.jsonl")
    assert load_chains(path) == [plain, asked, graph]
    first = json.loads(path.read_text().splitlines()[0])
    assert [*first] == "chain_id category base_task requirements responses topic".split()


def test_a_bad_gold_in_a_file_is_named_by_its_line(tmp_path):
    path = tmp_path / "chains.jsonl"
    save_chains([judged(Gold(better=((0, 1),)))], path)
    text = path.read_text()
    path.write_text(text + text.replace('"c"', '"d"').replace("[[0, 1]]", "[[0, 1], [1, 0]]"))
    with pytest.raises(WfineError, match=r"chains.jsonl:2: judged: better has the circle"):
        load_chains(path)


def test_without_requirements_the_instruction_is_what_is_wanted():
    query = Query(None, "Write a note.", ())
    assert [r.text for r in query.wanted] == ["Write a note."]
    named = Query(None, "Write a note.", (Requirement(None, None, "Be kind."),))
    assert [r.text for r in named.wanted] == ["Be kind."]
    assert named.conversation() == "Write a note. Be kind."
    turns = (Turn("system", "Be brief."),)
    after = Query(None, "Write a note.", (), "", turns)
    assert after.conversation() == (*turns, Turn("user", "Write a note."))


def test_a_file_of_queries_still_needs_requirements(tmp_path):
    path = tmp_path / "queries.jsonl"
    path.write_text(json.dumps({"category": None, "base_task": "Write.", "requirements": []}))
    with pytest.raises(WfineError, match="requirements: found 0, expected at least 1"):
        load_queries(path)
