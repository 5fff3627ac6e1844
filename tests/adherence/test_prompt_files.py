"""Files of prompts: which layout they have, and every problem named with its place."""

from __future__ import annotations

import json

import pytest
from prompt_rows import NO_COMMA, ROWS, ifeval_row, jsonl, parquet, writingbench_row

from wfine_utils.adherence.prompt_files import layout, load_ifeval, load_writingbench
from wfine_utils.adherence.prompt_sets import load_prompt_sets
from wfine_utils.errors import WfineError

FIRST = "length_constraints:nth_paragraph_first_word"


def test_layouts_are_told_apart(tmp_path):
    assert layout(jsonl(tmp_path / "a.jsonl", [ifeval_row(1, NO_COMMA)])) == "ifeval"
    assert layout(parquet(tmp_path / "a.parquet", ROWS)) == "ifeval"
    assert layout(jsonl(tmp_path / "b.jsonl", ["[1]", writingbench_row(1)])) == "writingbench"
    released = {"prompt": "", "instruction_id_list": [], "constraint": [], "chosen": ""}
    assert layout(jsonl(tmp_path / "c.jsonl", [released])) == "chains"


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (None, "does not exist"),
        ("", "is empty"),
        ("[1]\nnothing\n", "no line that is a JSON object"),
        ('{"text": "a"}\n', "looked for"),
    ],
    ids=["missing", "empty", "no objects", "other fields"],
)
def test_a_file_that_is_no_prompt_set(tmp_path, content, expected):
    path = tmp_path / "mine.jsonl"
    if content is not None:
        path.write_text(content)
    with pytest.raises(WfineError, match=expected):
        load_prompt_sets([str(path)])


@pytest.mark.parametrize("suffix", ["parquet", "jsonl"])
def test_bad_rows_are_named_all_at_once(tmp_path, suffix):
    rows = [
        ifeval_row(1, NO_COMMA),
        ifeval_row(2, ("length_constraints:number_words", {"num_words": 2.5})),
        ifeval_row(3, NO_COMMA) | {"kwargs": []},
        ifeval_row(1, NO_COMMA),
        ifeval_row(4, NO_COMMA) | {"prompt": ""},
        ifeval_row(5, (FIRST, {"num_paragraphs": 2, "nth_paragraph": 3, "first_word": "elm"})),
        ifeval_row(6, (FIRST, {"num_paragraphs": 2, "nth_paragraph": 1, "first_word": " elm"})),
        ifeval_row(7, NO_COMMA) | {"kwargs": [None]},
    ]
    path = {"parquet": parquet, "jsonl": jsonl}[suffix](tmp_path / f"bad.{suffix}", rows)
    with pytest.raises(WfineError) as caught:
        load_ifeval(path)
    said = str(caught.value)
    first = 0 if suffix == "parquet" else 1
    place = f"bad.{suffix}:{'row ' if suffix == 'parquet' else ''}"
    assert "7 problems" in said
    assert f"{place}{first + 1}: kwargs.0: check ifeval/length_constraints:number_words" in said
    assert f"{place}{first + 2}: kwargs: found 0 sets of arguments, expected 1" in said
    assert f"{place}{first + 3}: key: found 1 again, first at" in said
    assert f"{place}{first + 4}: prompt: found an empty text" in said
    assert (
        f"{place}{first + 5}: kwargs.0: check ifeval/{FIRST}: argument nth_paragraph: found 3"
        in said
    )
    assert (
        f"{place}{first + 6}: kwargs.0: check ifeval/{FIRST}: argument first_word: found ' elm'"
        in said
    )
    assert f"{place}{first + 7}: kwargs.0: found None, expected" in said


def test_a_column_that_is_missing(tmp_path):
    rows = [{k: v for k, v in row.items() if k != "kwargs"} for row in ROWS]
    path = parquet(tmp_path / "half.parquet", rows)
    with pytest.raises(WfineError, match=r"kwargs: found no such column, expected it"):
        load_prompt_sets([str(path)])


def test_bad_lines_are_named_with_line_and_field(tmp_path):
    no_mark = writingbench_row(2)
    del no_mark["checklist"][1]["9-10"]
    rows = [
        '{"index": 0, "query',
        writingbench_row(1),
        no_mark,
        writingbench_row(3) | {"checklist": []},
        writingbench_row(1),
        writingbench_row(5) | {"domain1": 5, "prompt": "x"},
    ]
    with pytest.raises(WfineError) as caught:
        load_prompt_sets([str(jsonl(tmp_path / "bad.jsonl", rows))])
    said = str(caught.value)
    assert "6 problems" in said and "nothing was loaded" in said
    for text in (
        "bad.jsonl:1: whole record: found",
        "bad.jsonl:3: checklist.1.9-10: found nothing, expected this field",
        "bad.jsonl:4: checklist: found 0, expected at least 1",
        "bad.jsonl:5: index: found 1 again, first at line 2",
        "bad.jsonl:6: domain1: found 5",
        "bad.jsonl:6: prompt: found 'x', expected no field of this name",
    ):
        assert text in said


def test_twenty_problems_at_most(tmp_path):
    rows = [writingbench_row(i) | {"query": ""} for i in range(30)]
    with pytest.raises(WfineError, match="30 problems, the first 20 of which are") as caught:
        load_writingbench(jsonl(tmp_path / "bad.jsonl", rows))
    assert str(caught.value).count("bad.jsonl:") == 20


def from_datasets(folder, rows):
    """The parquet file that datasets makes of JSON lines; objects of unlike keys become texts."""
    from datasets import disable_progress_bars, load_dataset

    disable_progress_bars()
    path = str(jsonl(folder / "rows.jsonl", rows))
    data = load_dataset("json", data_files=path, split="train", cache_dir=str(folder / "cache"))
    data.to_parquet(folder / "rows.parquet")
    return folder / "rows.parquet"


def as_texts(value):
    """Every object as JSON text, at any depth of a list."""
    return [as_texts(v) for v in value] if isinstance(value, list) else json.dumps(value)


@pytest.mark.parametrize("make", [
    from_datasets,
    lambda folder, rows: parquet(
        folder / "a.parquet", [row | {"kwargs": as_texts(row["kwargs"])} for row in rows]
    ),
    lambda folder, rows: parquet(
        folder / "a.parquet", [row | {"kwargs": json.dumps(row["kwargs"])} for row in rows]
    ),
    lambda folder, rows: jsonl(
        folder / "a.jsonl", [row | {"kwargs": as_texts(row["kwargs"])} for row in rows]
    ),
], ids=["datasets", "parquet", "whole column", "lines"])  # fmt: skip
def test_arguments_may_be_json_texts(tmp_path, make):
    expected = load_ifeval(jsonl(tmp_path / "expected.jsonl", ROWS))
    path = make(tmp_path, ROWS)
    assert layout(path) == "ifeval" and load_ifeval(path) == expected


def test_checklists_may_be_json_texts(tmp_path):
    rows = [writingbench_row(1), writingbench_row(2)]
    expected = load_writingbench(jsonl(tmp_path / "a.jsonl", rows))
    texts = [row | {"checklist": as_texts(row["checklist"])} for row in rows]
    assert load_writingbench(parquet(tmp_path / "a.parquet", texts)) == expected


def test_a_text_that_is_no_json_is_named_as_it_stands(tmp_path):
    rows = [ifeval_row(1, NO_COMMA) | {"kwargs": ["{no"]}]
    with pytest.raises(WfineError, match=r"row 0: kwargs\.0: found '{no', expected a"):
        load_ifeval(parquet(tmp_path / "a.parquet", rows))
