"""The whole pipeline at smoke size, by the command that users type; and what goes wrong."""

from __future__ import annotations

import json
import math
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import nbformat
import pandas as pd
import psutil
import pytest
import yaml
from conftest import copy_project

from wfine_utils.errors import WfineError
from wfine_utils.files import LOCK
from wfine_utils.notebook.params import merged
from wfine_workflow.cards import card
from wfine_workflow.paper_tables import TABLES
from wfine_workflow.presets import NOTEBOOKS, load_preset, preset_notebooks

OUT = Path("outputs/smoke")
COSTS = {"T6_cost.csv", "headline.csv", "cells.csv"}  # minutes and memory: never the same twice

whole_run = [pytest.mark.slow, pytest.mark.timeout(2400)]


def command(project: Path, preset: str = "smoke", *options: str) -> list[str]:
    """`make reproduce` with the environment that runs the tests, whatever its stamp says."""
    ready = f"{sys.prefix}/.installed"
    return ["make", "-s", "-C", str(project), "-o", ready, f"VENV={sys.prefix}", "reproduce",
            f"PRESET={preset}", *options]  # fmt: skip


def reproduce(project: Path, preset: str = "smoke", *options: str) -> subprocess.CompletedProcess:
    return subprocess.run(command(project, preset, *options), capture_output=True, text=True)


@pytest.fixture(scope="session")
def first(tmp_path_factory) -> tuple[Path, subprocess.CompletedProcess]:
    """One undisturbed run: the project folder and what the command said."""
    project = copy_project(tmp_path_factory.mktemp("first") / "wfine")
    return project, reproduce(project)


@pytest.fixture(scope="session")
def finished(first) -> Path:
    """The results of the undisturbed run."""
    project, done = first
    assert done.returncode == 0, done.stdout + done.stderr
    return project / OUT


def files(folder: Path) -> Iterator[Path]:
    """All but the lock, in which every run notes its process."""
    return (p for p in sorted(folder.rglob("*")) if p.is_file() and p.name != LOCK)


@contextmanager
def changed_cell(path: Path, **changes: object) -> Iterator[None]:
    """A notebook whose last cell with code is changed, for a while."""
    before = path.read_text(encoding="utf-8")
    notebook = json.loads(before)
    [c for c in notebook["cells"] if c["cell_type"] == "code"][-1].update(changes)
    path.write_text(json.dumps(notebook), encoding="utf-8")
    yield
    path.write_text(before, encoding="utf-8")


def tables(folder: Path) -> dict[str, bytes]:
    """Every CSV of a run, by its path; without the lines that tell the cost."""
    found = {
        str(p.relative_to(folder)): p.read_bytes()
        for p in files(folder)
        if p.suffix == ".csv" and p.name not in COSTS and p.parent.name != "benchmarks"
    }
    top = pd.read_csv(folder / "07_paper_tables" / "tables" / "headline.csv")
    return found | {"headline": top[top["n"].notna()].to_csv().encode()}


class TestWholeRun:
    pytestmark = whole_run

    @pytest.mark.parametrize("name", NOTEBOOKS)
    def test_notebook_is_executed_and_writes_its_results(self, finished, name):
        notebook = nbformat.read(finished / "notebooks" / f"{name}.ipynb", as_version=4)
        cells = [c for c in notebook.cells if c.cell_type == "code" and c.source.strip()]
        assert [c.execution_count for c in cells] == list(range(1, len(cells) + 1))
        assert not [o for c in cells for o in c.outputs if o.output_type == "error"]
        results = json.loads((finished / name / "results.json").read_text(encoding="utf-8"))
        assert numbers(results)
        assert all(math.isfinite(x) for x in numbers(results))
        stamp = json.loads((finished / name / "stamp.json").read_text(encoding="utf-8"))
        assert (stamp["notebook"], stamp["preset"]) == (name, "smoke")

    def test_the_command_writes_the_cards_that_the_notebooks_wrote(self, finished):
        paths = [*finished.glob("0[34]*/*/README.md")]
        assert len(paths) == 5
        for path in paths:
            by_notebook = path.read_bytes()
            assert b"model-index" in by_notebook, "measured"
            assert card(path.parent).read_bytes() == by_notebook

    def test_nothing_is_left_half_written(self, finished):
        assert not [p for p in finished.rglob("*") if ".partial-" in p.name]

    def test_executed_notebooks_name_no_folder_of_this_machine(self, finished, first):
        for path in files(finished / "notebooks"):
            text = path.read_text(encoding="utf-8")
            assert str(first[0]) not in text, path.name
            assert path.stat().st_size < 1_000_000, path.name

    def test_run_ends_with_headline_and_report(self, first):
        lines = first[1].stdout.strip().splitlines()
        assert lines[-1] == "Report: outputs/smoke/report/index.html"
        assert any("tau-b of oracle" in line for line in lines)
        places = [re.match(r"\[(\d)/8\] (\w+) .* min$", line) for line in lines]
        assert [p[2] for p in places if p] == list(NOTEBOOKS), "one line for each notebook"

    def test_report_needs_no_network(self, finished):
        for path in files(finished / "report"):
            page = path.read_text(encoding="utf-8")
            assert not re.search(r"<(script|img|iframe|source)[^>]* src=.?(https?:)?//", page)
            assert "<link" not in page
            assert "@import" not in page
        index = (finished / "report" / "index.html").read_text(encoding="utf-8")
        for target in re.findall(r'href="([^"]+)"', index):
            assert (finished / "report" / target).exists()
        assert len(re.findall('<img src="data:image/png', index)) == len(
            list((finished / "07_paper_tables" / "figures").glob("*.png"))
        )

    def test_second_run_does_nothing_and_says_so(self, finished, first):
        project, done = first
        (project / "README.md").touch()
        (project / "wfine_utils" / "weval" / "metrics.py").touch()  # touched, but the same
        with changed_cell(project / "notebooks" / "03_reward_model.ipynb", execution_count=1):
            self.assert_nothing_to_do(project, finished, done)

    def test_a_changed_cell_is_run_again(self, finished, first):
        project, _ = first
        with changed_cell(project / "notebooks" / "07_paper_tables.ipynb", source="1 + 1"):
            done = subprocess.run(
                [sys.executable, "-m", "snakemake", "--config", "preset=smoke", "--dry-run",
                 "--rerun-triggers", "mtime", "params", "input"],
                cwd=project, check=True, capture_output=True, text=True,
            )  # fmt: skip
        assert set(re.findall(r"notebook_\w+", done.stdout)) == {"notebook_07_paper_tables"}

    @staticmethod
    def assert_nothing_to_do(project, finished, done):
        before = {p: p.stat().st_mtime_ns for p in files(finished)}
        again = reproduce(project)
        assert again.returncode == 0, again.stderr
        said = again.stdout.splitlines()
        assert said[0] == "Nothing to do: every notebook's results are up to date."
        assert said[1:] == done.stdout.splitlines()[-len(said) + 1 :], "the same headline"
        assert {p: p.stat().st_mtime_ns for p in files(finished)} == before

    def test_tables_can_be_recomputed_from_what_the_reference_keeps(self, finished, first):
        project, _ = first
        subprocess.run(
            [sys.executable, "-m", "wfine_workflow.command", "keep-reference", "smoke"],
            cwd=project, check=True, capture_output=True,
        )  # fmt: skip
        kept = project / "outputs" / "reference" / "smoke"
        assert not list(kept.rglob("*.safetensors"))
        assert max(p.stat().st_size for p in files(kept)) < 1_000_000
        made = [t for t in TABLES if (finished / f"07_paper_tables/tables/{t.name}.csv").exists()]
        assert {t.name[:2] for t in made} == {"T1", "T2", "T3", "T4", "T5", "T6"}
        for table in made:
            path = kept / "07_paper_tables" / "tables" / f"{table.name}.csv"
            there = pd.read_csv(path, keep_default_na=False, na_values=[""])
            pd.testing.assert_frame_equal(table.compute(kept), there, check_dtype=False)


def numbers(value: object) -> list[float]:
    if isinstance(value, dict):
        return [x for v in value.values() for x in numbers(v)]
    if isinstance(value, list):
        return [x for v in value for x in numbers(v)]
    return [value] if isinstance(value, int | float) else []


def stages(project: Path, notebook: str) -> list[Path]:
    """Finished stages; one that is being computed lies in a .partial- folder."""
    return [
        p
        for p in (project / OUT / notebook).glob("*/stage.json")
        if not p.parent.name.startswith(".partial-")
    ]


def wait_for(what: Callable[[], object], process: subprocess.Popen) -> None:
    while not what():
        assert process.poll() is None, "the run ended before this was finished"
        time.sleep(0.05)


def kill_all(process: subprocess.Popen) -> None:
    """kill -9 of a command and of everything that it started, at once."""
    parent = psutil.Process(process.pid)
    family = [parent, *parent.children(recursive=True)]
    for member in family:
        member.suspend()  # else a parent could still tidy up after its child
    for member in family:
        member.kill()
    process.wait()
    psutil.wait_procs(family, timeout=30)


@pytest.mark.slow
@pytest.mark.timeout(2400)
def test_killed_in_03_and_started_again_gives_the_same_tables(finished, tmp_path):
    """A second run elsewhere, with the same seed, shot down after the first stage of 03."""
    project = copy_project(tmp_path / "wfine")
    process = subprocess.Popen(command(project), stdout=subprocess.DEVNULL)
    wait_for(lambda: stages(project, "00_base_model"), process)
    # Here, as a second call waits some seconds for a run that is just ending, and 03 is short.
    second = reproduce(project)
    assert second.returncode != 0 and "outputs/smoke: found another process" in second.stderr
    wait_for(lambda: stages(project, "03_reward_model"), process)
    kill_all(process)
    before = {p: p.stat().st_mtime_ns for p in stages(project, "03_reward_model")}
    early = {p: p.stat().st_mtime_ns for p in files(project / OUT / "00_base_model")}
    assert not (project / OUT / "notebooks" / "03_reward_model.ipynb").exists()
    assert not (project / OUT / "03_reward_model" / "results.json").exists()

    again = reproduce(project)
    assert again.returncode == 0, again.stdout + again.stderr
    assert "[1/8]" not in again.stdout, "a finished notebook was repeated"
    assert {p: p.stat().st_mtime_ns for p in before} == before, "a finished stage was repeated"
    assert {p: p.stat().st_mtime_ns for p in early} == early
    assert not [p for p in (project / OUT).rglob("*") if ".partial-" in p.name]
    expected, found = tables(finished), tables(project / OUT)
    assert list(found) == list(expected)
    assert [name for name in expected if found[name] != expected[name]] == []


# --- bad input: one paragraph, an exit status, nothing written ------------------------------------


def edit(project: Path, name: str, **changes: object) -> None:
    path = project / "params" / "smoke" / f"{name}.yaml"
    values = merged(yaml.safe_load(path.read_text(encoding="utf-8")), changes)
    path.write_text(yaml.safe_dump(values), encoding="utf-8")


def refused(project: Path, *expected: str, preset: str = "smoke", options: tuple = ()) -> None:
    done = reproduce(project, preset, *options)
    said = "\n".join(x for x in done.stderr.splitlines() if not x.startswith("make: ***"))
    assert done.returncode != 0
    for text in expected:
        assert text in said
    assert "Traceback" not in said
    assert "\n\n" not in said, "one paragraph"
    assert done.stdout == ""
    assert not list((project / "outputs").rglob("*.json"))


@pytest.mark.slow
def test_unknown_preset(project):
    refused(
        project, "no preset 'smokey'", "mini, qwen0.5b", "Did you mean 'smoke'?", preset="smokey"
    )


@pytest.mark.slow
def test_misspelt_parameter(project):
    edit(project, "04_wrl_policy", temprature=1.0)
    refused(project, "params/smoke/04_wrl_policy.yaml", "temprature: Extra inputs", "temperature")


@pytest.mark.slow
def test_bad_value(project):
    edit(project, "00_base_model", keep_probability=1.5)
    refused(project, "params/smoke/00_base_model.yaml", "keep_probability", "less than or equal")


@pytest.mark.slow
def test_broken_yaml(project):
    (project / "params" / "smoke" / "00_base_model.yaml").write_text("preset: smoke\nseed: [1")
    refused(project, "params/smoke/00_base_model.yaml:", "not YAML")


@pytest.mark.slow
def test_missing_parameter_file(project):
    (project / "params" / "smoke" / "05_weval_correlation.yaml").unlink()
    refused(project, "params/smoke/05_weval_correlation.yaml is missing")


@pytest.mark.slow
def test_file_that_no_notebook_reads(project):
    (project / "params" / "smoke" / "06_other.yaml").touch()
    refused(project, "06_other.yaml", "no notebook of this preset reads")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("notebooks: [00_base_model, 06_other]", "found 00_base_model, 06_other, expected some of"),
        ("notebooks: [02_requirement_dropping, 00_base_model]", "in this order, each once"),
        ("notebooks: [00_base_model, 03_reward_model]", "without 02_requirement_dropping"),
        ("notebooks: []", "notebooks: List should have at least 1 item"),
        ("notebook: [00_base_model]", "notebook: Extra inputs"),
    ],
)
def test_choice_of_notebooks_that_does_not_hold(project, content, expected):
    (project / "params" / "smoke" / "preset.yaml").write_text(content)
    refused(project, "params/smoke/preset.yaml: ", expected)


@pytest.mark.slow
def test_study_that_has_no_grid(project):
    edit(project, "06_validity_and_ablations", study={"n_policy_models": 99})
    refused(project, "params/smoke/06_validity_and_ablations.yaml: study: n_policy_models", "99")


def test_a_preset_may_leave_notebooks_out(project, monkeypatch):
    monkeypatch.chdir(project)
    folder = project / "params" / "smoke"
    chosen = ["00_base_model", "02_requirement_dropping", "07_paper_tables"]
    (folder / "preset.yaml").write_text(f"notebooks: [{', '.join(chosen)}]")
    with pytest.raises(WfineError, match=r"03_reward_model.yaml, .*no notebook of this preset"):
        load_preset("smoke")
    for path in folder.glob("0*.yaml"):
        if path.stem not in chosen:
            path.unlink()  # that of a notebook which needs a person too
    assert list(load_preset("smoke")) == chosen
    assert preset_notebooks("smoke")["07_paper_tables"] == tuple(chosen[:2])


@pytest.mark.slow
def test_parameters_of_another_preset(project):
    edit(project, "02_requirement_dropping", preset="mini")
    refused(project, "02_requirement_dropping.yaml", "written over those of another preset")


@pytest.mark.slow
def test_output_root_that_differs(project):
    edit(project, "02_requirement_dropping", output_root="elsewhere")
    refused(project, "output_root: found elsewhere, expected outputs")


@pytest.mark.slow
def test_output_folder_that_cannot_be_written(project):
    (project / "a_file").touch()  # permissions do not stop the superuser, a file does
    refused(project, "a_file/smoke", "cannot be written", options=("OUTPUT_ROOT=a_file",))


@pytest.mark.slow
@pytest.mark.parametrize("notebook", ["03_reward_model", "05_weval_correlation"])
@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (None, "does not exist"),
        (b"", "mine.jsonl"),
        (b'{"chain_id": "a", "category": "crea', "mine.jsonl:1"),
        (b'{"chain_id": "a"}\n', "mine.jsonl:1"),
        (b"\xff\xfe\x00", "mine.jsonl"),
    ],
    ids=["missing", "empty", "truncated", "fields missing", "not UTF-8"],
)
def test_bad_chains_file_is_refused_before_anything_runs(project, notebook, content, expected):
    if content is not None:
        (project / "mine.jsonl").write_bytes(content)
    edit(project, notebook, chains_path="mine.jsonl")
    refused(project, f"params/smoke/{notebook}.yaml: chains_path", expected)


def papermill(project: Path, name: str, *options: str) -> tuple[str, str]:
    """Execute one notebook plainly; what papermill said of the error, and the notebook kept."""
    done = subprocess.run(
        [sys.executable, "-m", "papermill", f"notebooks/{name}.ipynb", "out.ipynb", "-f",
         f"params/smoke/{name}.yaml", "--no-progress-bar", *options],
        cwd=project, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode != 0
    assert not re.search(r"wfine_\w+/[\w/]+\.py", done.stderr), "a frame of ours"
    assert not (project / OUT / name / "results.json").exists()
    return done.stderr, (project / "out.ipynb").read_text(encoding="utf-8")


@pytest.mark.slow
def test_plain_papermill_with_a_parameter_that_the_notebook_does_not_have(project):
    said, _ = papermill(project, "01_data_taxonomy", "-p", "n_chainz", "3")
    assert "WfineError" in said
    assert "n_chainz" in said
    assert "Known parameters: " in said


@pytest.mark.slow
def test_plain_papermill_without_the_notebooks_before(project):
    said, _ = papermill(project, "05_weval_correlation")
    assert "which this one reads. Run them first" in said
    assert "make reproduce PRESET=smoke" in said


@pytest.mark.slow
def test_plain_papermill_on_a_truncated_chains_file(project):
    (project / "mine.jsonl").write_bytes(b'{"chain_id": "a", "category": "crea')
    said, _ = papermill(project, "01_data_taxonomy", "-p", "chains_path", "mine.jsonl")
    assert "mine.jsonl:1" in said
