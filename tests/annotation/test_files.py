"""Annotation files: what is read, written and refused."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import pytest

from wfine_utils.annotation.files import ANNOTATION_COLUMNS, load_annotations, save_annotations
from wfine_utils.chains.taxonomy import Chain, Requirement, Response
from wfine_utils.errors import WfineError

HEADER = "annotator,chain_id,response,rank\n"
GOOD = HEADER + "A,c1,0,1\nA,c1,1,2\nB,c1,0,2.5\nB,c1,1,1\n"


def ranked(ranks: dict[str, dict[str, Sequence[float]]]) -> pd.DataFrame:
    """A table from {chain: {annotator: ranks of its responses}}."""
    rows = [
        (annotator, chain_id, i, float(rank))
        for chain_id, by in ranks.items()
        for annotator, given in by.items()
        for i, rank in enumerate(given)
    ]
    return pd.DataFrame(rows, columns=list(ANNOTATION_COLUMNS))


def chain_of(gold: Sequence[int], chain_id: str) -> Chain:
    requirements = tuple(Requirement(None, None, "Do it.") for _ in range(4))
    responses = tuple(Response("text", tuple(j < k for j in range(4))) for k in gold)
    return Chain(chain_id, None, "Write.", requirements, responses)


def write(folder: Path, text: str | bytes) -> Path:
    path = folder / "annotations.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_a_file_is_read_as_it_stands(tmp_path):
    found = load_annotations(write(tmp_path, GOOD))
    assert found.to_dict("list") == {
        "annotator": ["A", "A", "B", "B"],
        "chain_id": ["c1"] * 4,
        "response": [0, 1, 0, 1],
        "rank": [1.0, 2.0, 2.5, 1.0],
    }


@pytest.mark.parametrize(
    "text",
    [
        b"\xef\xbb\xbf" + GOOD.replace("\n", "\r\n").encode(),  # as Excel writes
        GOOD.rstrip("\n"),
        GOOD.replace("\n", "\n\n"),
        GOOD.replace(",", " , "),
        GOOD.replace("A,", '"A",'),
        "rank,response,chain_id,annotator\n1,0,c1,A\n2,1,c1,A\n2.5,0,c1,B\n1,1,c1,B\n",
    ],
)
def test_harmless_differences_of_layout_make_none(tmp_path, text):
    expected = load_annotations(write(tmp_path, GOOD))
    pd.testing.assert_frame_equal(load_annotations(write(tmp_path, text)), expected)


BEFORE = "A,c1,0,1\nA,c1,1,2\n"


@pytest.mark.parametrize(
    ("text", "line", "field", "found"),
    [
        ("annotator;chain_id;response;rank\n", 1, "header", "separated by commas"),
        ("annotator,chain_id,rank\n", 1, "header", "expected the columns annotator,chain_id"),
        ("annotator,chain_id,response,rank,rank\n", 1, "header", "each once"),
        ("annotator,chain_id,response,rank,note\n", 1, "header", "each once"),
        (HEADER, 1, "whole file", "header only"),
        (HEADER + BEFORE + "B,c1,0\n", 4, "whole record", "found 3 fields, expected 4"),
        (HEADER + BEFORE + "B,c1,0,2,5\n", 4, "whole record", "found 5 fields, expected 4"),
        (HEADER + BEFORE + 'B,"c1,0,2\n', 4, "whole record", "expected one CSV record"),
        (HEADER + BEFORE + ",c1,0,2\n", 4, "annotator", "found nothing"),
        (HEADER + BEFORE + "B, ,0,2\n", 4, "chain_id", "found nothing"),
        (HEADER + BEFORE + "B,c1,-1,2\n", 4, "response", "found '-1'"),
        (HEADER + BEFORE + "B,c1,0.0,2\n", 4, "response", "found '0.0'"),
        (HEADER + BEFORE + "B,c1,²,2\n", 4, "response", "found '²'"),
        (HEADER + BEFORE + f"B,c1,{'9' * 5000},2\n", 4, "response", "place of the response"),
        (HEADER + BEFORE + "B,c1,0,\n", 4, "rank", "found ''"),
        (HEADER + BEFORE + "B,c1,0,0.99\n", 4, "rank", "at least 1, where 1 is best"),
        (HEADER + BEFORE + "B,c1,0,0\n", 4, "rank", "found '0'"),
        (HEADER + BEFORE + "B,c1,0,nan\n", 4, "rank", "found 'nan'"),
        (HEADER + BEFORE + "B,c1,0,inf\n", 4, "rank", "found 'inf'"),
        (HEADER + BEFORE + "B,c1,0,1e3\n", 4, "rank", "found '1e3'"),
        (HEADER + BEFORE + 'B,c1,0,"2,5"\n', 4, "rank", "found '2,5'"),
        (HEADER + BEFORE + "A,c1,1,1\n", 4, "response", "again, first at line 3"),
        (HEADER + BEFORE + "B,c1,0,1\n", 4, "response", "expected also 1"),
        (HEADER + BEFORE + "B,c2,0,1\n", 4, "response", "expected two at least"),
    ],
)
def test_a_problem_is_named_with_line_and_field(tmp_path, text, line, field, found):
    path = write(tmp_path, text)
    with pytest.raises(WfineError, match="1 problem; nothing was loaded") as error:
        load_annotations(path)
    assert f"{path.name}:{line}: {field}: " in str(error.value)
    assert found in str(error.value)


def test_up_to_twenty_problems_at_once(tmp_path):
    bad = "".join(f"A,c1,{i},0\n" for i in range(25))
    with pytest.raises(WfineError, match="25 problems, the first 20 of which are") as error:
        load_annotations(write(tmp_path, HEADER + bad))
    lines = str(error.value).splitlines()[1:]
    assert len(lines) == 20
    assert ":2: rank: " in lines[0] and ":21: rank: " in lines[-1]


def test_one_line_may_have_two_problems_and_hides_no_false_third(tmp_path):
    text = GOOD + "C,c1,x,0\nC,c1,1,2\n"  # C's other response cannot be read, not missing
    with pytest.raises(WfineError, match="2 problems") as error:
        load_annotations(write(tmp_path, text))
    assert ":6: response: found 'x'" in str(error.value)
    assert ":6: rank: found '0'" in str(error.value)


@pytest.mark.parametrize("text", [b"", b"\n\n", HEADER.encode() + b"\xff,c1,0,1\n"])
def test_files_that_are_no_text_are_refused(tmp_path, text):
    with pytest.raises(WfineError, match=r"is empty|blank lines only|expected UTF-8"):
        load_annotations(write(tmp_path, text))


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(WfineError, match="does not exist"):
        load_annotations(tmp_path / "none.csv")


@pytest.mark.parametrize(
    ("chains", "found"),
    [
        ([chain_of([0, 1], "c1")], None),
        ([chain_of([0, 1], "c1"), chain_of([0, 1], "c2")], None),  # not all need be ranked
        ([chain_of([0, 1], "other")], ":2: chain_id: found 'c1', expected the id of one of the 1"),
        ([chain_of([0, 1, 2], "c1")], ":2: response: found 2 responses .* expected also 2"),
        ([], ":2: chain_id: found 'c1'"),
    ],
)
def test_chains_are_held_against_the_file(tmp_path, chains, found):
    path = write(tmp_path, GOOD)
    if found is None:
        assert len(load_annotations(path, chains)) == 4
    else:
        with pytest.raises(WfineError, match=f"(?s){found}"):
            load_annotations(path, chains)


def test_a_place_outside_the_chain_is_refused(tmp_path):
    path = write(tmp_path, GOOD + "A,c1,2,3\nB,c1,2,3\n")
    load_annotations(path, [chain_of([0, 1, 2], "c1")])
    with pytest.raises(WfineError, match=r":6: response: found 2, expected 0 to 1 in chain 'c1'"):
        load_annotations(path, [chain_of([0, 1], "c1")])


def test_what_is_saved_is_read_back(tmp_path):
    table = ranked({'a "b", c': {"Ärzte, die": [1, 2.5, 2.5], "=SUM": [3, 2, 1]}})
    path = save_annotations(table.assign(note="x"), tmp_path / "new" / "file.csv")
    pd.testing.assert_frame_equal(load_annotations(path), table)
    with pytest.raises(WfineError, match="expected also rank"):
        save_annotations(table.drop(columns="rank"), path)
    pd.testing.assert_frame_equal(load_annotations(path), table)  # as before
