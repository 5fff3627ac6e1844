"""Loading and saving chains; every way a file can be wrong."""

from __future__ import annotations

import json
from dataclasses import asdict, replace

import pandas as pd
import pytest
from chain_files import message, write_lines
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


def record(**changes: object) -> dict:
    return json.loads(json.dumps(asdict(chain()))) | changes


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
        with pytest.raises(
            WfineError, match=rf"suffix '\.{suffix}', expected \.jsonl, for JSON lines"
        ):
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


def test_not_utf8(tmp_path):
    path = write_lines(tmp_path / "a.jsonl", record(), record(chain_id="ü"))
    path.write_bytes(path.read_bytes().replace("ü".encode(), b"\xfc"))
    assert "a.jsonl:2: encoding: found byte 0xfc at position 15 of the line" in message(path)


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
    assert "found the columns base_task, before, category, chain_id" in text
    assert "(format 'released_parquet')" in text and "save_chains to JSON lines" in text


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


# --- queries ------------------------------------------------------------------------------------


def test_queries_with_problems(tmp_path):
    path = write_lines(tmp_path / "q.jsonl", record())
    with pytest.raises(WfineError, match=r"q\.jsonl:1: chain_id: found 'a', expected no field"):
        load_queries(path)
    query = Query(None, "Write.", (Requirement(None, None, "Briefly."),))
    assert load_queries(save_queries([query, query], path)) == [query, query]
