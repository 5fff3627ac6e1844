"""What the batch run shows and says, and the pages of the report."""

from __future__ import annotations

import io
import json
import os
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from wfine_utils.errors import WfineError
from wfine_workflow.keep_reference import keep_reference
from wfine_workflow.report import build, notebook_page
from wfine_workflow.run import EXPLAINED, cell, explain, headline, watch


def run_watch(talk: bytes, executed: Path) -> tuple[int, str]:
    reading, writing = os.pipe()
    os.write(writing, talk)
    os.close(writing)
    out = io.StringIO()
    try:
        return watch("mini", "03_reward_model", executed, reading, out), out.getvalue()
    finally:
        os.close(reading)


def failed_notebook(path: Path, ename: str, evalue: str) -> Path:
    error = new_output("error", ename=ename, evalue=evalue, traceback=["long"])
    cell = new_code_cell("x", execution_count=7, outputs=[error])
    nbformat.write(new_notebook(cells=[cell]), path)
    return path


def test_watch_shows_one_line_and_hides_the_rest(tmp_path):
    talk = (
        "Input Notebook:  a.ipynb\nsome warning\n"
        "Executing:   0%|          | 0/12 [00:00<?, ?cell/s]\r"
        "Executing: 100%|██████████| 12/12 [00:07<00:00,  1.70cell/s]\n"
    )
    status, said = run_watch(talk.encode(), tmp_path / "none.ipynb")
    assert status == 0
    assert said.splitlines()[0] == "[4/8] 03_reward_model ..."
    assert "12 of 12 cells" in said
    assert "warning" not in said


def test_watch_explains_a_user_error_in_its_own_words(tmp_path):
    executed = failed_notebook(tmp_path / "log.ipynb", "WfineError", "x.csv:3: found a, expected b")
    talk = b"Executing:  20%| | 2/12 [00:01<00:01]\nTraceback (most recent call last):\n  File x\n"
    status, said = run_watch(talk, executed)
    assert status == EXPLAINED
    assert said.endswith(f"x.csv:3: found a, expected b\nExecuted so far: {executed}\n")
    assert "Traceback" not in said


def test_other_errors_name_cell_and_kind(tmp_path):
    executed = failed_notebook(tmp_path / "log.ipynb", "ValueError", "no")
    assert explain(executed).startswith("Cell [7] stopped with ValueError: no")


def test_failure_outside_a_cell_shows_papermills_last_line(tmp_path):
    said = explain(tmp_path / "none.ipynb", ["Traceback", "DeadKernelError: Kernel died", ""])
    assert "DeadKernelError: Kernel died" in said


def run_cell(folder: Path, said: str, *, seconds: float = 65.4) -> tuple[int, str]:
    log, result, out = folder / "log.txt", folder / "rm-a-s0" / "result.json", io.StringIO()
    log.write_text(said)
    result.parent.mkdir()
    result.write_text(json.dumps({"seconds": {"total": seconds}}))
    return cell(log, result, out), out.getvalue()


@pytest.mark.parametrize(("how", "cost"), [("computed", "1:05 min"), ("loaded", "loaded")])
def test_a_finished_cell_is_one_line(tmp_path, how, cost):
    status, said = run_cell(tmp_path, f"{{'loss': 1}}\n  0%|  \r 100%|##\nrm-a-s0: {how}\n")
    assert status == 0
    assert said.count("\n") == 1
    assert said.split()[:2] == ["rm-a-s0", how]
    assert said.endswith(f"{cost}\n")


@pytest.mark.parametrize(
    ("talk", "reason"),
    [
        ("10%|#\rstudy: n: found a, expected b\n\n", "study: n: found a, expected b"),
        ("rm-b-s0: computed\nTraceback\n  File x\nValueError: no\n", "ValueError: no"),
        ("", "it was ended before it said anything"),
    ],
)
def test_a_cell_that_failed_is_one_paragraph(tmp_path, talk, reason):
    status, said = run_cell(tmp_path, talk)
    assert status == EXPLAINED
    assert said == (
        f"\nCell rm-a-s0 of the study could not be computed: {reason}\n"
        f"All that it said: {tmp_path / 'log.txt'}\n"
    )


@pytest.fixture
def run_folder(tmp_path) -> Path:
    """A run with two executed notebooks, one table, one stamp."""
    folder = tmp_path / "outputs" / "toy"
    (folder / "notebooks").mkdir(parents=True)
    tables = folder / "07_paper_tables" / "tables"
    tables.mkdir(parents=True)
    (tables / "T1_data.csv").write_text("split,n,value\na <b>,3,0.5\nNone,4,\n")
    (tables / "headline.csv").write_text(
        "quantity,value,ci_low,ci_high,n\ntau-b of x,0.91234,0.9,0.95,300\nminutes,3.5,,,\n"
    )
    text = "# 00 First\n\n$\\frac{a}{b}$ and `$HOME` [next](01_second.ipynb)\n\n$$\\sigma(x)$$"
    widget = {"application/vnd.jupyter.widget-view+json": {}, "text/plain": "100% 5/5"}
    cell = new_code_cell("1", outputs=[new_output("display_data", data=widget)])
    for name in ("00_first", "01_second"):
        book = new_notebook(cells=[new_markdown_cell(text), cell], metadata={"widgets": {}})
        nbformat.write(book, folder / "notebooks" / f"{name}.ipynb")
    return folder


def test_page_has_formulas_links_and_progress_without_scripts(run_folder):
    title, page = notebook_page(run_folder / "notebooks" / "00_first.ipynb")
    assert title == "00 First"
    assert page.count("<math") == 2
    assert "<mfrac>" in page
    assert 'href="01_second.html"' in page
    assert "100% 5/5" in page
    assert "<script" not in page


def test_formula_that_cannot_be_converted_stays_readable(run_folder):
    path = run_folder / "notebooks" / "00_first.ipynb"
    nbformat.write(new_notebook(cells=[new_markdown_cell("# A\n\n$\\frac{$")]), path)
    assert "<code>\\frac{</code>" in notebook_page(path)[1]


@pytest.mark.parametrize("environment", ["aligned", "align*", "cases"])
def test_formulas_in_rows(run_folder, environment):
    path = run_folder / "notebooks" / "00_first.ipynb"
    body = rf"$$\begin{{{environment}}} a &= b \\ c &= d \end{{{environment}}}$$"
    nbformat.write(new_notebook(cells=[new_markdown_cell(f"# A\n\n{body}")]), path)
    page = notebook_page(path)[1]
    assert page.count("<mtr>") == 2
    assert "<mi>&amp;</mi>" not in page


def test_index(run_folder):
    page = build(run_folder).read_text(encoding="utf-8")
    assert "tau-b of x  0.912 [0.900, 0.950]  300" in page
    assert "a &lt;b&gt;" in page
    assert "<td>None</td>" in page
    assert page.count("<tr>") == 3 + 3  # notebooks, T1; the headline is a text
    assert not (run_folder / ".partial-report").exists()


def test_report_replaces_the_old_one_as_a_whole(run_folder):
    build(run_folder)
    (run_folder / "report" / "old.html").touch()
    build(run_folder)
    assert not (run_folder / "report" / "old.html").exists()


def test_report_of_nothing(tmp_path):
    with pytest.raises(WfineError, match="no executed notebook"):
        build(tmp_path)


def test_headline_says_when_there_is_none(tmp_path):
    assert "07 has not been run" in headline(tmp_path)


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
