"""Loading and saving chains; every way a file can be wrong."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from conftest import ROOT
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from wfine_utils.chains.files import load_chains, load_queries, save_chains, save_queries
from wfine_utils.chains.taxonomy import (
    SUBTYPES,
    Chain,
    Query,
    Requirement,
    RequirementType,
    Response,
    TaskCategory,
)
from wfine_utils.errors import WfineError

RELEASED = ROOT.parent / "shared" / "data" / "released_chains_dev.parquet"


def chain(chain_id: str = "a", text: str = "One. Two.", topic: str = "tea") -> Chain:
    return Chain(
        chain_id=chain_id,
        category=TaskCategory.CREATIVE,
        base_task=f"Write about {topic or chain_id}.",
        requirements=(
            Requirement(RequirementType.LENGTH, "exact sentence count", "Use two sentences.",
                        {"kind": "sentences", "n": 2}),
            Requirement(None, None, "Be kind."),
        ),
        responses=(Response(text, (True, True), "hand"), Response("", (False, True))),
        topic=topic,
    )  # fmt: skip


def write_lines(path: Path, *records: object) -> Path:
    lines = [r if isinstance(r, str) else json.dumps(r, ensure_ascii=False) for r in records]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def record(**changes: object) -> dict:
    return json.loads(json.dumps(asdict(chain()))) | changes


def message(path: Path | str, **kwargs: str) -> str:
    with pytest.raises(WfineError) as error:
        load_chains(path, **kwargs)
    return str(error.value)


# --- round trips ------------------------------------------------------------------------------

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
SOME = TEXT.filter(bool)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | TEXT
    | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)  # fmt: skip


@st.composite
def chains(draw: st.DrawFn) -> Chain:
    requirements = []
    for _ in range(draw(st.integers(1, 4))):
        type_ = draw(st.none() | st.sampled_from(RequirementType))
        subtype = draw(st.none() | st.sampled_from(SUBTYPES[type_])) if type_ else None
        check = draw(st.none() | st.dictionaries(TEXT, JSON, max_size=3))
        requirements.append(Requirement(type_, subtype, draw(SOME), check))
    kept = st.tuples(*[st.booleans()] * len(requirements))
    responses = draw(st.lists(st.builds(Response, TEXT, kept, TEXT), min_size=2, max_size=4))
    category = draw(st.none() | st.sampled_from(TaskCategory))
    return Chain(draw(SOME), category, draw(SOME), tuple(requirements), tuple(responses),
                 draw(TEXT))  # fmt: skip


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.lists(chains(), min_size=1, max_size=4, unique_by=lambda c: c.chain_id))
def test_saved_chains_come_back_equal(tmp_path, data):
    path = save_chains(data, tmp_path / "a.jsonl")
    loaded = load_chains(path)
    assert loaded == data
    # 1 == 1.0 == True in Python, so compare the types of the check's values too
    assert [repr(c) for c in loaded] == [repr(c) for c in data]


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.lists(chains(), min_size=1, max_size=4))
def test_saved_queries_come_back_equal(tmp_path, data):
    queries = [c.query for c in data]
    assert load_queries(save_queries(queries, tmp_path / "q.jsonl")) == queries


def test_saving_twice_gives_the_same_bytes(tmp_path):
    first = save_chains([chain()], tmp_path / "a.jsonl").read_bytes()
    assert save_chains([chain()], tmp_path / "a.jsonl").read_bytes() == first


def test_half_a_surrogate_pair_cannot_be_saved(tmp_path):
    with pytest.raises(WfineError, match="surrogate"):
        save_chains([chain(text="bad \ud800")], tmp_path / "a.jsonl")
    assert list(tmp_path.iterdir()) == []


def test_half_a_surrogate_pair_cannot_be_loaded(tmp_path):
    path = write_lines(tmp_path / "a.jsonl", json.dumps(record(base_task="\ud800")))
    assert "a.jsonl:1: whole record: found" in message(path)
    assert "surrogate" in message(path)


def test_what_cannot_be_saved(tmp_path):
    path = tmp_path / "a.jsonl"
    odd = replace(chain(), requirements=(
        Requirement(None, None, "x", {"a": float("nan")}), Requirement(None, None, "y")
    ))  # fmt: skip
    for bad, match in (
        ([odd], "NaN or infinity"),
        ([], "nothing to save"),
        ([chain("a"), chain("a")], "'a' twice"),
    ):
        with pytest.raises(WfineError, match=match):
            save_chains(bad, path)
    for suffix in ("csv", "parquet"):
        with pytest.raises(WfineError, match=rf"suffix '\.{suffix}', expected \.jsonl; chains are"):
            save_chains([chain()], tmp_path / f"a.{suffix}")
    (tmp_path / "file").write_text("")
    with pytest.raises(WfineError, match="cannot be written"):
        save_chains([chain()], tmp_path / "file" / "a.jsonl")


# --- files that are no files, or hardly ---------------------------------------------------------


@pytest.mark.parametrize("suffix", ["jsonl", "parquet"])
def test_missing_folder_empty(tmp_path, suffix):
    path = tmp_path / f"a.{suffix}"
    assert "does not exist" in message(path)
    path.touch()
    assert "is empty" in message(path)
    path.unlink()
    path.mkdir()
    assert "is a folder, expected a file" in message(path)


def test_blank_lines_and_byte_order_mark(tmp_path):
    path = tmp_path / "a.jsonl"
    save_chains([chain("a"), chain("b")], path)
    lines = path.read_bytes().split(b"\n")
    path.write_bytes(b"\xef\xbb\xbf\n" + b"\r\n  \n".join(lines))
    assert load_chains(path) == [chain("a"), chain("b")]
    path.write_bytes(b"\n \n")
    assert "blank lines only" in message(path)


def test_blank_lines_count_as_lines(tmp_path):
    path = write_lines(tmp_path / "a.jsonl", record(), "", "", record(topic=3))
    assert "a.jsonl:4: topic: found 3, expected a valid string" in message(path)


def test_truncated_json(tmp_path):
    whole = json.dumps(record())
    path = write_lines(tmp_path / "a.jsonl", record(chain_id="b"), whole[:-30])
    assert 'a.jsonl:2: whole record: found \'{"chain_id"' in message(path)
    assert "expected one whole JSON object (EOF" in message(path)
    path = write_lines(tmp_path / "b.jsonl", whole[:-30])
    assert "b.jsonl:1: whole record" in message(path)
    path = write_lines(tmp_path / "c.jsonl", "[1, 2]")
    assert "c.jsonl:1: whole record: found '[1, 2]', expected one whole JSON object" in message(
        path
    )


def test_truncated_parquet(tmp_path):
    path = released(tmp_path, released_rows())
    path.write_bytes(path.read_bytes()[:-40])
    assert "cannot be read as parquet" in message(path)
    assert "cut short" in message(path)
    # the footer whole, the pages damaged
    path = released(tmp_path, released_rows(tasks=[f"Task {i}" for i in range(500)]))
    raw = bytearray(path.read_bytes())
    raw[100:3000] = bytes(2900)
    path.write_bytes(raw)
    assert "released.parquet" in message(path)


def test_not_utf8(tmp_path):
    path = write_lines(tmp_path / "a.jsonl", record(), record(chain_id="ü"))
    path.write_bytes(path.read_bytes().replace("ü".encode(), b"\xfc"))
    assert "a.jsonl:2: encoding: found byte 0xfc at position 15 of the line" in message(path)


def test_parquet_text_that_is_not_utf8(tmp_path):
    # Arrow trusts the buffers it is given, as other writers of parquet may
    text = pa.Array.from_buffers(
        pa.string(), 1, [None, pa.py_buffer(b"\0\0\0\0\1\0\0\0"), pa.py_buffer(b"\xfc")]
    )
    path = released(tmp_path, released_rows()[:1])
    table = pq.read_table(path)
    pq.write_table(table.set_column(table.column_names.index("response"), "response", text), path)
    assert "Invalid UTF8" in message(path)


def test_two_megabytes_in_one_response(tmp_path):
    big = chain(text="tea " * 500_000)
    assert load_chains(save_chains([big], tmp_path / "a.jsonl")) == [big]
    # a long text must not end up in the message either
    path = write_lines(tmp_path / "b.jsonl", record(topic=["x" * 2_000_000]))
    assert len(message(path)) < 500


# --- fields -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"base_task": None}, "base_task: found None, expected a valid string"),
        ({"base_task": ""}, "base_task: found an empty text, expected at least one character"),
        ({"extra": 1}, "extra: found 1, expected no field of this name"),
        ({"category": "Novel"}, "category: found 'Novel', expected 'Creative Writing & Narr"),
        ({"requirements": []}, "requirements: found 0, expected at least 1"),
        ({"responses": asdict(chain())["responses"][:1]},
         "responses: found 1, expected at least 2"),
        ({"responses": "many"}, "responses: found 'many', expected a valid array"),
    ],
)  # fmt: skip
def test_wrong_fields(tmp_path, changes, expected):
    path = write_lines(tmp_path / "a.jsonl", record(chain_id="first"), record(**changes))
    assert f"a.jsonl:2: {expected}" in message(path)


def test_missing_field(tmp_path):
    bad = record()
    del bad["base_task"]
    path = write_lines(tmp_path / "a.jsonl", bad)
    assert "a.jsonl:1: base_task: found nothing, expected this field" in message(path)


@pytest.mark.parametrize(
    ("where", "key", "value", "expected"),
    [
        ("responses", "text", float("nan"), "found nan, expected a valid string"),
        ("responses", "text", None, "found None, expected a valid string"),
        ("responses", "kept", [True], "has 1 flags, expected one for each of the 2 requirements"),
        ("responses", "kept", [True] * 3, "has 3 flags, expected one for each of the 2"),
        ("responses", "gold", 2, "found 2, expected no field of this name"),
        ("requirements", "type", "tone", "found 'tone', expected 'length', 'format', 'style' or"),
        ("requirements", "subtype", "tone", "subtype 'tone' is not a subtype of length"),
    ],
)
def test_wrong_fields_inside(tmp_path, where, key, value, expected):
    bad = record(chain_id="b")
    bad[where][0][key] = value
    path = write_lines(tmp_path / "a.jsonl", record(), bad)
    text = message(path)
    assert f"a.jsonl:2: {where}.0" in text
    assert expected in text


def test_kept_flags_are_not_guessed_from_numbers(tmp_path):
    bad = record()
    bad["responses"][0]["kept"] = [1, 0]
    assert "responses.0.kept.0: found 1, expected a valid boolean" in message(
        write_lines(tmp_path / "a.jsonl", bad)
    )


def test_duplicated_ids_name_both_places(tmp_path):
    path = write_lines(tmp_path / "a.jsonl", record(), record(chain_id="b"), "", record())
    assert "a.jsonl:4: chain_id: found 'a' again, first at line 1" in message(path)


def test_up_to_twenty_problems_at_once(tmp_path):
    path = write_lines(tmp_path / "a.jsonl", *[record(chain_id=str(i), topic=i) for i in range(33)])
    text = message(path)
    assert "33 problems, the first 20 of which are; nothing was loaded" in text
    assert text.count(": topic: found ") == 20


def test_chains_as_rows_of_parquet_are_no_layout_of_ours(tmp_path):
    pd.DataFrame([record()]).to_parquet(tmp_path / "a.parquet")
    text = message(tmp_path / "a.parquet")
    assert "found the columns base_task, category, chain_id" in text
    assert "(format 'released_parquet')" in text and "save_chains to JSON lines" in text


def test_released_parquet_without_rows(tmp_path):
    pq.write_table(pa.Table.from_pylist(released_rows()).slice(0, 0), tmp_path / "a.parquet")
    assert "has no rows" in message(tmp_path / "a.parquet")


# --- formats ------------------------------------------------------------------------------------


def test_unknown_format_and_unknown_suffix(tmp_path):
    path = write_lines(tmp_path / "a.txt", record())
    assert "format: found 'csv', expected one of auto, wfine" in message(path, format="csv")
    assert "found the suffix '.txt'" in message(path)
    assert load_chains(path, format="wfine") == [chain()]


@pytest.mark.parametrize("suffix", ["jsonl", "parquet"])
def test_columns_of_no_known_format(tmp_path, suffix):
    path = tmp_path / f"a.{suffix}"
    if suffix == "jsonl":
        write_lines(path, {"question": "q", "answer": "a"})
    else:
        pd.DataFrame({"question": ["q"], "answer": ["a"]}).to_parquet(path)
    text = message(path)
    assert "found the columns answer, question; looked for " in text
    assert "released_" in text


REQUIREMENTS = [f"Rule {i}." for i in range(5)]
TASKS = ["Write a song", "Plan a week.", "Argue.\n\nTwice:"]


def released_rows(levels=(1, 2, 3), tasks=TASKS, **changes) -> list[dict]:
    return [
        {
            "prompt": " ".join([task, *REQUIREMENTS[:k]]),
            "instruction_id_list": ["soft"] * k,
            "constraint": REQUIREMENTS[:k],
            "response": f"{task} {k}",
            "kwargs": [{"num_bullets": None}] * k,
        }
        for k in levels
        for task in tasks
    ]


def released(tmp_path: Path, rows: list[dict]) -> Path:
    path = tmp_path / "released.parquet"
    pq.write_table(pa.Table.from_pylist(rows), path)
    return path


@pytest.mark.parametrize("levels", [(1, 2, 3), (5, 1, 3), (1, 2, 3, 4, 5)])
def test_released_parquet(tmp_path, levels):
    loaded = load_chains(released(tmp_path, released_rows(levels)))
    assert [c.chain_id for c in loaded] == ["released-0000", "released-0001", "released-0002"]
    for c, task in zip(loaded, TASKS, strict=True):
        assert (c.base_task, c.category, c.topic) == (task, None, "")
        assert c.gold == levels
        assert [r.text for r in c.requirements] == REQUIREMENTS[: max(levels)]
        assert {(r.type, r.subtype, r.check) for r in c.requirements} == {(None, None, None)}
        assert [r.text for r in c.responses] == [f"{task} {k}" for k in levels]
        assert c.responses[levels.index(3)].kept == (True, True, True, False, False)[: max(levels)]
        assert {r.source for r in c.responses} == {"released"}


def test_released_parquet_that_does_not_hold(tmp_path):
    def broken(place: int, **changes: object) -> str:
        rows = released_rows()
        rows[place] |= changes
        return message(released(tmp_path, rows))

    at = "released.parquet:row 4: "
    assert at + "response: found None, expected a valid string" in broken(4, response=None)
    assert at + "instruction_id_list: found 1 entries, expected one for each of the 2" in broken(
        4, instruction_id_list=["soft"]
    )
    assert at + "constraint: found ['Rule 0.', 'Other.'], expected the first 2 entries" in broken(
        4, constraint=["Rule 0.", "Other."]
    )
    assert at + "prompt: found no 'Rule 1.' in it" in broken(4, prompt="Plan a week. Rule 0.")
    assert at + "prompt: found 'Plan a day.' besides the requirements, expected" in broken(
        4, prompt="Plan a day. Rule 0. Rule 1."
    )
    rows = released_rows()
    assert "row 6: constraint: found a level of 2 rows (3 requirements), expected 3" in message(
        released(tmp_path, rows[:-1])
    )
    assert "requirements again after the level that begins at row 0" in message(
        released(tmp_path, sorted(rows, key=lambda row: row["prompt"]))
    )
    assert "each chain has one response, expected at least two levels" in message(
        released(tmp_path, rows[:3])
    )
    assert "found nothing besides the requirements" in message(
        released(tmp_path, released_rows(tasks=[""]))
    )
    assert "extra: found this column" in message(
        released(tmp_path, [row | {"extra": 1} for row in rows])
    )
    assert "response: found no such column" in message(
        released(tmp_path, [{k: v for k, v in row.items() if k != "response"} for row in rows])
    )
    rows = [row | {"response": float("nan")} for row in rows]
    assert "row 0: response: found nan, expected a valid string" in message(
        released(tmp_path, rows)
    )


def eval_lines(whole_list: bool = True) -> list[dict]:
    return [
        {
            "prompt": " ".join([task, *(REQUIREMENTS if whole_list else REQUIREMENTS[:k])]),
            "chosen": f"{task} {k}",
            "constraint": REQUIREMENTS if whole_list else REQUIREMENTS[:k],
            "instruction_id_list": ["soft"] * k,
            "score": 0.5,
        }
        for task in TASKS
        for k in (3, 1, 5, 4, 2)
    ]


@pytest.mark.parametrize("whole_list", [True, False])
def test_released_eval(tmp_path, whole_list):
    path = write_lines(tmp_path / "eval.jsonl", *eval_lines(whole_list))
    loaded = load_chains(path)
    assert loaded == load_chains(path, format="released_eval")
    assert [c.base_task for c in loaded] == TASKS
    assert all(c.gold == (3, 1, 5, 4, 2) for c in loaded)
    assert loaded[1].responses[1] == Response("Plan a week. 1", (True,) + (False,) * 4, "released")
    assert [r.text for r in loaded[2].requirements] == REQUIREMENTS


def test_released_eval_that_does_not_hold(tmp_path):
    def broken(place: int, **changes: object) -> str:
        lines = eval_lines()
        lines[place] |= changes
        return message(write_lines(tmp_path / "eval.jsonl", *lines))

    assert "eval.jsonl:7: chosen: found None, expected a valid string" in broken(6, chosen=None)
    assert "eval.jsonl:7: instruction_id_list: found 6 entries, expected at most the 5" in broken(
        6, instruction_id_list=["soft"] * 6
    )
    assert "eval.jsonl:7: constraint: found" in broken(6, constraint=REQUIREMENTS[:3])
    assert "eval.jsonl:7: prompt: found 'Write a song' besides the requirements, exp" in broken(
        6, prompt=eval_lines()[0]["prompt"]
    )
    path = write_lines(tmp_path / "eval.jsonl", *eval_lines()[:-2])
    assert "eval.jsonl:11: whole record: found 3 lines left for the last chain" in message(path)


def test_the_authors_own_file():
    if not RELEASED.exists():
        pytest.skip(f"development data absent: {RELEASED.name}")
    rows = pd.read_parquet(RELEASED)
    loaded = load_chains(RELEASED)
    assert len(loaded) == 356
    assert {c.gold for c in loaded} == {(1, 2, 3, 4, 5)}
    assert loaded[7].chain_id == "released-0007"
    for i, c in enumerate(loaded):
        for k in range(5):
            kept = tuple(j <= k for j in range(5))
            assert c.prompt(kept) == rows.prompt[356 * k + i]
            assert c.responses[k] == Response(rows.response[356 * k + i], kept, "released")


# --- queries ------------------------------------------------------------------------------------


def test_queries_with_problems(tmp_path):
    path = write_lines(tmp_path / "q.jsonl", record())
    with pytest.raises(WfineError, match=r"q\.jsonl:1: chain_id: found 'a', expected no field"):
        load_queries(path)
    query = Query(None, "Write.", (Requirement(None, None, "Briefly."),))
    assert load_queries(save_queries([query, query], path)) == [query, query]
