"""Which layout a file has, what is refused, and what is left when it is."""

from __future__ import annotations

import json

import numpy as np
import pytest
from benchmarks.cases import (
    BEST_OF_FOUR,
    GRAPH,
    LAMP,
    PREFERENCE,
    WRITING,
    ladder,
    loaded,
    save,
    values,
)
from weval.cases import chain_of

from wfine_utils.benchmarks import LAYOUTS, load_benchmark
from wfine_utils.chains.files import save_chains
from wfine_utils.errors import WfineError
from wfine_utils.weval.evaluation import evaluate

ONE_OF_EACH = {
    "lamp": [LAMP],
    "if_rewardbench": [GRAPH],
    "rewardbench2": [BEST_OF_FOUR],
    "writing_preference": [WRITING],
    "preferences": [PREFERENCE],
    "followbench": ladder(),
}


@pytest.mark.parametrize("suffix", [".jsonl", ".json", ".parquet"])
@pytest.mark.parametrize("layout", ONE_OF_EACH)
def test_a_layout_is_told_from_the_first_record(layout, suffix, tmp_path):
    path = save(tmp_path / f"mine{suffix}", ONE_OF_EACH[layout])
    benchmark = load_benchmark(path)
    assert (benchmark.name, benchmark.layout, benchmark.refused) == ("mine", layout, ())
    assert benchmark == load_benchmark(path, layout)
    assert len(benchmark.chains) == 1


def test_every_layout_is_listed():
    assert set(LAYOUTS) == {"chains", *ONE_OF_EACH}


def test_chains_are_loaded_as_ever(tmp_path):
    rng = np.random.default_rng(0)
    chains = [chain_of(rng.permutation(4).tolist(), f"c{i}") for i in range(8)]
    benchmark = load_benchmark(save_chains(chains, tmp_path / "own.jsonl"))
    assert benchmark.layout == "chains" and benchmark.chains == chains
    scores = [rng.normal(size=4) for _ in chains]
    table, own = benchmark.official(scores, seed=3), evaluate(chains, scores, seed=3)
    own = own[own["subset_kind"] == "all"]
    assert table["metric"].tolist() == own["metric"].tolist()
    for column in ("value", "ci_low", "ci_high"):
        np.testing.assert_array_equal(table[column], own[column])


def test_the_official_accuracy_and_ours_differ_by_half_the_ties(tmp_path):
    records = [PREFERENCE | {"prompt": f"Write {i}."} for i in range(8)]
    benchmark = loaded(tmp_path, records)
    scores = [[1, 0]] * 4 + [[0, 0]] * 3 + [[0, 1]]
    official = values(benchmark.official(scores))
    ours = evaluate(benchmark.chains, scores, n_boot=0).set_index("metric")["value"]
    assert official["accuracy", "all"] == 4 / 8 and official["tie_rate", "all"] == 3 / 8
    assert ours["pairwise_accuracy"] == (4 + 3 / 2) / 8


def test_unknown_fields_say_what_was_looked_for(tmp_path):
    with pytest.raises(WfineError) as refused:
        loaded(tmp_path, [{"question": "?", "answer": "!"}])
    message = str(refused.value)
    assert "found the fields question, answer in the first record" in message
    assert all(f"({layout})" in message for layout in LAYOUTS)


BAD = {
    "circle": (
        GRAPH, {"preference_graph": [
            {"chosen": {"response_id": a}, "rejected": {"response_id": b}}
            for a, b in ((10, 11), (11, 10))
        ]},
        "preference_graph: found the circle 0 > 1 > 0, expected an order",
    ),
    "no edges": (GRAPH, {"preference_graph": []}, "preference_graph: found []"),
    "a stranger": (
        GRAPH, {"preference_graph": [
            {"chosen": {"response_id": 10}, "rejected": {"response_id": 99}}]},
        "preference_graph.0.rejected.response_id: found 99, expected that of one of the responses",
    ),
    "a verdict too few": (
        GRAPH, {"responses": [r | {"labels": [1]} for r in GRAPH["responses"]]},
        "responses.0.labels: found [1], expected 2 times 0 or 1",
    ),
    "half ranked": (
        LAMP, {"rankings": LAMP["rankings"] | {"bob": ["human", "AI"]}},
        "rankings.bob: found ['human', 'AI'], expected each of AI, human, both once, best first",
    ),
    "one version": (LAMP, {"responses": {"AI": "One."}}, "responses: found {'AI': 'One.'}"),
    "no prompt": (PREFERENCE, {"prompt": " "}, "prompt: found ' ', expected a text"),
    "no answer": (PREFERENCE, {"rejected": None}, "rejected: found nothing, expected a text, or"),
    "half a pair": (
        PREFERENCE, {"chosen": "\ud800"}, "chosen: found '\\ud800', expected Unicode without half",
    ),
    "itself": (
        PREFERENCE, {"rejected": "good"}, "preference: found a text that is better than itself",
    ),
    "no subset": (BEST_OF_FOUR, {"subset": ""}, "subset: found '', expected a text"),
    "none rejected": (BEST_OF_FOUR, {"rejected": []}, "rejected: found [], expected a list"),
    "no number in ties": (
        BEST_OF_FOUR, {"subset": "Ties"}, "id: found '1', expected ref:<number> or tied:<number>",
    ),
    "no tag": (WRITING, {"tag": None}, "tag: found nothing, expected a text"),
    "grades against it": (
        WRITING, {"rejected": {"response": "bad", "score": 3}},
        "chosen.score: found 3.0, expected more than the 3.0 of the rejected response",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_a_bad_record_refuses_the_file_or_is_left_out_and_named(case, tmp_path):
    good, changes, message = BAD[case]
    record = good | changes
    with pytest.raises(WfineError) as refused:
        loaded(tmp_path, [good, record])
    assert f"bench.jsonl:2: {message}" in str(refused.value)
    assert "skip_refused=True" in str(refused.value)
    benchmark = loaded(tmp_path, [good, record], skip_refused=True)
    assert len(benchmark.chains) == 1 and len(benchmark.refused) == 1
    assert f"bench.jsonl:2: {message}" in benchmark.refused[0]
    with pytest.raises(WfineError, match="No record is left"):
        loaded(tmp_path, [record], layout=benchmark.layout, skip_refused=True)


def test_of_two_rows_that_disagree_neither_is_kept(tmp_path):
    opposite = PREFERENCE | {"chosen": "bad", "rejected": "good"}
    elsewhere = opposite | {"prompt": "Write more."}
    rows = [PREFERENCE, elsewhere, opposite]
    with pytest.raises(WfineError, match=r"(?s)2 problems.*jsonl:1: .*jsonl:3: "):
        loaded(tmp_path, rows)
    benchmark = loaded(tmp_path, rows, skip_refused=True)
    assert [c.base_task for c in benchmark.chains] == ["Write more."]
    first, last = benchmark.refused
    assert "bench.jsonl:1: preference: found the opposite of line 3" in first
    assert "bench.jsonl:3: preference: found the opposite of line 1" in last


def test_all_problems_are_named_at_once_and_lines_that_are_no_json_too(tmp_path):
    rows = [PREFERENCE, "{", "[1]", PREFERENCE | {"prompt": ""}]
    with pytest.raises(WfineError, match=r"(?s)3 problems.*:2: whole record.*:3: .*:4: prompt"):
        loaded(tmp_path, rows)
    assert len(loaded(tmp_path, rows, skip_refused=True).refused) == 3


def test_ids_of_the_file_are_kept_and_made_unique(tmp_path):
    rows = [PREFERENCE | {"prompt": f"Write {i}."} for i in range(3)]
    rows[0]["id"] = rows[2]["id"] = 5
    ids = [c.chain_id for c in loaded(tmp_path, rows).chains]
    assert ids == ["5", "bench-2", "5 (line 3)"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"layout": "mine"}, "layout: found 'mine', expected auto or one of chains, lamp"),
        ({"split": "test"}, "found split 'test' beside a file"),
        ({"revision": "abc"}, "found revision 'abc' beside a file"),
        ({"responses": "x.jsonl"}, "responses: found a file, expected none for the layout pref"),
    ],
)
def test_options_that_do_not_fit(options, message, tmp_path):
    with pytest.raises(WfineError, match=message):
        loaded(tmp_path, [PREFERENCE], **options)


@pytest.mark.parametrize(
    ("scores", "verdicts", "message"),
    [
        (None, None, "found neither scores nor verdicts, expected scores alone"),
        ([[1, 2]], [[[1], [1]]], "found scores and verdicts, expected scores alone"),
        ([[1, 2, 3]], None, "found an array of shape"),
        ([[1, np.inf]], None, "an infinite score"),
    ],
)
def test_scores_that_do_not_fit(scores, verdicts, message, tmp_path):
    with pytest.raises(WfineError, match=message):
        loaded(tmp_path, [PREFERENCE]).official(scores, verdicts=verdicts)


@pytest.mark.parametrize(
    ("verdicts", "message"),
    [
        ([], "those of 0 chains, expected 1"),
        ([[[1, 1], [1], [1, 1]]], r"chain '7': found arrays of the shapes \[\(2,\), \(1,\)"),
        ([[[1, 2], [1, 0], [1, 1]]], "expected for its responses .* between 0 and 1"),
        ([["a", "b", "c"]], "chain '7'"),
    ],
)
def test_verdicts_that_do_not_fit(verdicts, message, tmp_path):
    with pytest.raises(WfineError, match=message):
        loaded(tmp_path, [GRAPH]).official(verdicts=verdicts)


def test_intervals_are_over_chains_and_of_six_or_more(tmp_path):
    few = loaded(tmp_path, [PREFERENCE | {"prompt": f"{i}"} for i in range(5)])
    assert few.official([[1, 0]] * 5)["ci_low"].isna().all()
    many = loaded(tmp_path, [PREFERENCE | {"prompt": f"{i}"} for i in range(400)])
    row = many.official([[1, 0]] * 300 + [[0, 1]] * 100).iloc[0]
    # a mean of 400 draws of 0.75: standard deviation sqrt(0.75 * 0.25 / 400)
    half = 1.96 * np.sqrt(0.75 * 0.25 / 400)
    assert row["n"] == 400 and row["value"] == 0.75
    assert row["ci_low"] == pytest.approx(0.75 - half, abs=0.006)
    assert row["ci_high"] == pytest.approx(0.75 + half, abs=0.006)


def test_a_chain_of_a_benchmark_can_be_saved(tmp_path):
    for i, records in enumerate(ONE_OF_EACH.values()):
        chains = loaded(tmp_path, records).chains
        path = save_chains(chains, tmp_path / f"{i}.jsonl")
        assert load_benchmark(path).chains == chains
        assert json.loads(path.read_text().splitlines()[0])["judged"]
