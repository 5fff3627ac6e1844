"""What of a finished run is kept in the repository."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from wfine_utils.errors import WfineError
from wfine_workflow.index import build
from wfine_workflow.keep_reference import keep_reference


@pytest.fixture
def at_home(run_folder, monkeypatch) -> Path:
    """The project of ``run_folder``, finished, as working directory."""
    project = run_folder.parents[1]
    (project / "pyproject.toml").write_text('[project]\nname = "wfine"\n')
    monkeypatch.chdir(project)
    build(run_folder)
    return project


def test_reference_keeps_small_files_alone(at_home, run_folder):
    left_out = (
        "03/stage/model/config.json",
        "00/minilm-l6/config.json",
        "00/minilm-l6/data_config.json",
        "03/x.safetensors",
        "logs/00_first.ipynb",
        "06_validity_and_ablations/cells/rm-a-s0/result.json",
        "06_validity_and_ablations/done/a.md",
        "benchmarks/cells/rm-a-s0.tsv",
    )
    for name in left_out:
        (run_folder / name).parent.mkdir(parents=True, exist_ok=True)
        (run_folder / name).write_text("{}")
    (run_folder / "big.parquet").write_bytes(bytes(1_000_001))
    kept = {str(p.relative_to(at_home)) for p in keep_reference("toy", at_home / "outputs")}
    assert kept == {
        f"outputs/reference/toy/{name}"
        for name in (
            "07_paper_tables/tables/T1_data.csv",
            "07_paper_tables/tables/headline.csv",
            "notebooks/00_first.ipynb",
            "notebooks/01_second.ipynb",
        )
    }


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ({"chains_path": "", "prompt_sets": ["tiny", "weval_hand"]}, True),
        ({"chains_path": "mine.jsonl"}, False),
        ({"released_path": "theirs.parquet"}, False),
        ({"prompt_sets": ["tiny", "mine.jsonl"]}, False),
    ],
)
def test_reference_does_not_pass_on_texts_that_are_not_ours(given, kept, at_home, run_folder):
    folder = run_folder / "01_second"
    folder.mkdir()
    (folder / "stamp.json").write_text(json.dumps({"parameters": given}))
    for name in ("weval.csv", "completions.parquet", "chains.jsonl"):
        (folder / name).write_text("x")
    copies = keep_reference("toy", at_home / "outputs")
    names = {str(p.relative_to(at_home / "outputs/reference/toy")) for p in copies}
    assert {"01_second/weval.csv", "notebooks/00_first.ipynb"} <= names
    with_texts = {
        "notebooks/01_second.ipynb", "01_second/completions.parquet", "01_second/chains.jsonl"
    }  # fmt: skip
    assert names & with_texts == (with_texts if kept else set())


def test_reference_refuses_large_notebooks_and_private_paths(at_home, run_folder):
    path = run_folder / "notebooks" / "00_first.ipynb"
    book = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps(book | {"metadata": {"x": str(at_home)}}))
    with pytest.raises(WfineError, match=r"00_first\.ipynb names a folder of this machine"):
        keep_reference("toy", at_home / "outputs")
    path.write_text(json.dumps(book | {"metadata": {"x": "y" * 1_000_000}}))
    with pytest.raises(WfineError, match=r"expected fewer than 1,000,000"):
        keep_reference("toy", at_home / "outputs")
    assert not (at_home / "outputs" / "reference").exists()


def test_reference_of_an_unfinished_run(at_home):
    with pytest.raises(WfineError, match="holds no finished run"):
        keep_reference("other", at_home / "outputs")
