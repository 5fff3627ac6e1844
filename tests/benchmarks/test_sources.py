"""Folders and data sets of the Hub, which are read with the library datasets."""

from __future__ import annotations

import builtins
import sys

import pytest
from benchmarks.cases import BEST_OF_FOUR, PREFERENCE, save

from wfine_utils.benchmarks import load_benchmark
from wfine_utils.errors import WfineError

datasets = pytest.importorskip("datasets", reason="datasets is part of the extra train")


@pytest.fixture(autouse=True)
def _cache(tmp_path, monkeypatch):
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")


def folder(tmp_path, **splits):
    path = tmp_path / "my-bench"
    path.mkdir()
    for split, records in splits.items():
        save(path / f"{split}.jsonl", records)
    return path


def test_a_folder_with_one_split(tmp_path):
    path = folder(tmp_path, test=[BEST_OF_FOUR, BEST_OF_FOUR | {"id": "2", "subset": "Math"}])
    benchmark = load_benchmark(path)
    assert (benchmark.name, benchmark.layout) == ("my-bench", "rewardbench2")
    assert [c.topic for c in benchmark.chains] == ["Factuality", "Math"]
    assert [r.text for r in benchmark.chains[0].responses] == ["right", "wrong", "worse", "worst"]


def test_a_split_must_be_named_where_there_are_two(tmp_path):
    path = folder(tmp_path, train=[PREFERENCE], test=[PREFERENCE | {"prompt": "Test."}])
    with pytest.raises(WfineError, match="splits train, test, expected one"):
        load_benchmark(path)
    with pytest.raises(WfineError, match="expected 'dev' among them"):
        load_benchmark(path, split="dev")
    assert load_benchmark(path, split="test").chains[0].base_task == "Test."


def test_rows_of_a_data_set_are_named_by_their_number(tmp_path):
    path = folder(tmp_path, test=[PREFERENCE, PREFERENCE | {"prompt": ""}])
    with pytest.raises(WfineError, match="my-bench:row 1: prompt: found ''"):
        load_benchmark(path)


def test_a_name_on_the_hub_that_cannot_be_reached(tmp_path):
    with pytest.raises(WfineError, match=r"no-such-set: cannot be loaded .* Check the name"):
        load_benchmark("somebody/no-such-set")


def test_without_the_library_the_extra_is_named(tmp_path, monkeypatch):
    monkeypatch.delitem(sys.modules, "datasets")
    real = builtins.__import__

    def without(name, *args, **kwargs):
        if name == "datasets":
            raise ModuleNotFoundError("No module named 'datasets'", name="datasets")
        return real(name, *args, **kwargs)

    monkeypatch.setitem(sys.modules, "datasets", None)
    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(WfineError, match=r"pip install 'wfine\[train\]'"):
        load_benchmark("somebody/some-set")


def test_code_in_a_folder_is_not_run(tmp_path):
    path = tmp_path / "hostile"
    path.mkdir()
    (path / "hostile.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')")
    with pytest.raises(WfineError, match="cannot be loaded"):
        load_benchmark(path)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("none.jsonl", "does not exist"),
        ("plain", "does not exist"),
        ("table.csv", "found the suffix '.csv', expected one of"),
    ],
)
def test_what_is_no_source(name, message, tmp_path):
    (tmp_path / "table.csv").write_text("prompt,chosen\n")
    with pytest.raises(WfineError, match=message):
        load_benchmark(tmp_path / name)


def test_a_revision_of_a_folder(tmp_path):
    with pytest.raises(WfineError, match="found revision abc beside a folder"):
        load_benchmark(folder(tmp_path, test=[PREFERENCE]), revision="abc")


def test_a_json_array_cut_short(tmp_path):
    path = tmp_path / "cut.json"
    path.write_text('[{"prompt": "Wri')
    with pytest.raises(WfineError, match="Expected one JSON array of objects"):
        load_benchmark(path)
