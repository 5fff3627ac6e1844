"""Notebooks, parameter files and package, read but not run."""

from __future__ import annotations

import ast
import json
import re
import statistics
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import nbformat
import pytest
from conftest import ROOT

import wfine_utils.notebook.params
from wfine_utils.checks.sentences import split_sentences
from wfine_workflow.presets import BY_HAND, NOTEBOOKS

FILES = sorted((ROOT / "notebooks").glob("[0-9]*.ipynb"))
MODULES = sorted(ROOT.glob("wfine_*/**/*.py"))

# Rooms that promise to be free of torch: reading, checking, evaluating, annotating start at once.
LIGHT = (
    "wfine_utils", "wfine_utils.chains", "wfine_utils.checks", "wfine_utils.tiny_world",
    "wfine_utils.weval", "wfine_utils.annotation", "wfine_utils.adherence", "wfine_utils.notebook",
    "wfine_utils.benchmarks", "wfine_utils.judges", "wfine_study", "wfine_workflow", "wfine_course",
)  # fmt: skip


@cache
def notebook(path: Path) -> nbformat.NotebookNode:
    return nbformat.read(path, as_version=4)


def code_cells(path: Path) -> list[nbformat.NotebookNode]:
    return [cell for cell in notebook(path).cells if cell.cell_type == "code"]


def tagged(path: Path, tag: str) -> list[nbformat.NotebookNode]:
    return [c for c in notebook(path).cells if tag in c.metadata.get("tags", [])]


def literals(path: Path) -> dict[str, Any]:
    """The parameters cell as a mapping; fails if anything in it is not a plain literal."""
    (cell,) = tagged(path, "parameters")
    values = {}
    for node in ast.parse(cell.source).body:
        assert isinstance(node, ast.AnnAssign), "a parameter is written name: type = literal"
        assert isinstance(node.target, ast.Name)
        values[node.target.id] = ast.literal_eval(node.value)
    return values


def models() -> dict[str, type[wfine_utils.notebook.params.NotebookParams]]:
    todo, known = [wfine_utils.notebook.params.NotebookParams], {}
    while todo:
        for model in todo.pop().__subclasses__():
            todo.append(model)
            if "notebook" in vars(model) and model.__module__.startswith("wfine_"):
                assert model.notebook not in known, "two models for one notebook"
                known[model.notebook] = model
    return known


def test_the_batch_run_knows_every_notebook_and_only_earlier_ones_feed_later():
    assert sorted([*NOTEBOOKS, *BY_HAND]) == [path.stem for path in FILES]
    for name, previous in NOTEBOOKS.items():
        assert all(other < name for other in previous), name


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.stem)
class TestNotebook:
    def test_format(self, path):
        raw = json.loads(path.read_text(encoding="utf-8"))
        assert (raw["nbformat"], raw["nbformat_minor"]) == (4, 5)
        nbformat.validate(notebook(path))
        ids = [cell.id for cell in notebook(path).cells]
        assert len(ids) == len(set(ids))
        assert not [x for x in ids if re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f-]+)?", x)], "random id"
        assert notebook(path).metadata.kernelspec.name == "python3"

    def test_no_outputs(self, path):
        for cell in code_cells(path):
            assert cell.outputs == []
            assert cell.execution_count is None
        assert "widgets" not in notebook(path).metadata
        assert "papermill" not in notebook(path).metadata

    def test_size(self, path):
        """A cell is read at once; one that writes an idea out, or parameters, may be longer."""
        lines = []
        for cell in code_cells(path):
            lines.append(len(re.findall(r"^.*\S", cell.source, re.M)))
            is_import = re.match(r"(from|import) ", cell.source)
            limit = 40 if {"idea", "parameters"} & {*cell.metadata.get("tags", [])} else 25
            assert is_import or lines[-1] <= limit, f"{cell.id}: {lines[-1]} lines"
        assert statistics.median(lines) <= 10

    def test_ideas_are_written_out(self, path):
        exempt = ("00", "01", "07", "08")  # the corpus, the data, tables, a form: no algorithm
        assert path.stem[:2] in exempt or tagged(path, "idea")

    def test_at_most_eight_imports_of_ours_from_faces(self, path):
        cells = [cell for cell in code_cells(path) if cell.id != "check"]
        nodes = [n for cell in cells for n in ast.parse(cell.source).body]
        ours = [
            n.module for n in nodes if isinstance(n, ast.ImportFrom) and n.module[:6] == "wfine_"
        ]
        assert not [n for n in nodes if isinstance(n, ast.Import) and "wfine_" in ast.unparse(n)]
        assert len(ours) <= 8
        assert len(ours) == len(set(ours)), "one statement for each room"
        ground = {"wfine_utils.base_model", "wfine_utils.seeds", "wfine_utils.settings"}
        faces = {
            ".".join(p.parent.relative_to(ROOT).parts) for p in MODULES if p.stem == "__init__"
        }
        assert set(ours) <= ground | faces

    def test_every_figure_says_what_was_found(self, path):
        for cell in code_cells(path):
            for node in ast.walk(ast.parse(cell.source)):
                if isinstance(node, ast.Call) and ast.unparse(node.func) == "run.save_figure":
                    assert len(node.args) == 3, f"{cell.id}: run.save_figure(fig, name, finding)"

    def test_tags(self, path):
        assert len(tagged(path, "parameters")) == len(tagged(path, "results")) == 1
        (results,) = tagged(path, "results")
        assert "assert " in results.source
        assert "write_results(" in results.source

    def test_no_tricks(self, path):
        for cell in code_cells(path):
            bad = re.search(
                r"^\s*[!%]|sys\.path|os\.chdir|if False|if 0:|yaml|['\"](/|~/|[A-Z]:\\)\w",
                cell.source,
                re.MULTILINE,
            )
            assert not bad, f"{cell.id}: {bad[0]!r}"
            ast.parse(cell.source)

    def test_imports_stand_in_one_cell(self, path):
        cells = [
            cell.id
            for cell in code_cells(path)
            if any(isinstance(n, ast.Import | ast.ImportFrom) for n in ast.parse(cell.source).body)
        ]
        assert [cell for cell in cells if cell != "check"] == ["imports"]

    def test_what_earlier_notebooks_must_have_written_is_checked_before_the_long_imports(
        self, path
    ):
        ids = [cell.id for cell in code_cells(path)]
        reads = any("run.previous(" in cell.source for cell in code_cells(path))
        if reads:
            assert ids[:3] == ["parameters", "check", "imports"]
            (check,) = [cell.source for cell in code_cells(path) if cell.id == "check"]
            named = set(re.findall(r"\"(\d\d_\w+)\"", check))
            source = "".join(cell.source for cell in code_cells(path))
            assert named == set(re.findall(r"run\.previous\(\s*\"(\d\d_\w+)\"", source))

    def test_story(self, path):
        cells = notebook(path).cells
        prose = "\n\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
        assert re.match(rf"# {path.stem.partition('_')[0]} \S", cells[0].source)
        assert re.search(r"^#+ .*Recap", prose, re.MULTILINE)
        assert "Differences from the paper" in prose
        assert "<details>" in prose, "exercises have hints"

    def test_references_are_in_the_list(self, path):
        listed = (ROOT / "docs" / "references.bib").read_text(encoding="utf-8")
        for cell in notebook(path).cells:
            if cell.id == "references":
                known = re.findall(r"(?:arxiv\.org/abs|doi\.org)/([^)\s]+)", cell.source)
                assert known and all(f"{{{number}}}" in listed for number in known)

    def test_links_lead_somewhere(self, path):
        for cell in notebook(path).cells:
            if cell.cell_type != "markdown":
                continue
            prose = re.sub(r"`[^`]*`", "", cell.source)
            for target in re.findall(r"\]\(([^)#\s]+)", prose):
                if not re.match(r"https?://", target):
                    assert (path.parent / target).exists(), f"{cell.id}: {target}"

    def test_parameters_cell_and_model_agree(self, path):
        cell, model = literals(path), models()[path.stem]
        assert set(cell) == set(model.model_fields)
        (source,) = [c.source for c in tagged(path, "parameters")]
        for line in source.splitlines():
            assert "  # " in line, f"a comment that teaches is missing: {line}"


@pytest.mark.parametrize(
    "path", [*FILES, ROOT / "notebooks" / "start.ipynb", ROOT / "README.md"], ids=lambda p: p.stem
)
def test_who_wrote_weval_hand_is_said_where_it_is_introduced(path):
    prose = path.read_text(encoding="utf-8")
    if path.suffix == ".ipynb":
        prose = "\n".join(c.source for c in notebook(path).cells if c.cell_type == "markdown")
    if "WEval-Hand" in prose:
        assert "drafted" in prose and "language model" in prose
    assert "written one by one" not in prose


def test_what_an_exercise_counts_sentences_with_counts_sentences():
    """A pattern that stood here once gave 1 for the first text, another 4 for the second."""
    (hint,) = (c.source for c in notebook(ROOT / "notebooks" / "05_weval_correlation.ipynb").cells
               if c.id == "exercises")  # fmt: skip
    assert "`len(split_sentences(text))`" in hint
    assert len(split_sentences("One. Two! Three? Four.")) == 4
    assert len(split_sentences("1. The harbour is calm.\n2. A ferry waits.")) == 2


def test_imports_go_downhill():
    """The order of rooms stands in pyproject.toml; import-linter holds the code against it."""
    from importlinter.cli import EXIT_STATUS_SUCCESS, lint_imports

    assert lint_imports(str(ROOT / "pyproject.toml"), no_cache=True) == EXIT_STATUS_SUCCESS


@pytest.mark.parametrize("path", MODULES, ids=lambda p: f"{p.parent.name}/{p.stem}")
def test_package_is_safe_and_silent(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    assert ast.get_docstring(tree), "a module says what it is for"
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            assert called not in {"eval", "exec", "print", "input", "breakpoint", "os.system"}
            trusts = [k.value for k in node.keywords if k.arg == "trust_remote_code"]
            assert all(ast.unparse(value) == "False" for value in trusts)
            assert not any(k.arg == "shell" for k in node.keywords)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            source = str(getattr(node, "module", None))
            names = {source, *(alias.name for alias in node.names)}
            # joblib for its worker processes; its files are pickles
            others = names - {"Parallel", "delayed", "parallel_config", "cpu_count"}
            assert not {"pickle", "dill", "cloudpickle"} & names
            assert source != "joblib" or others == {"joblib"}
            assert source == "joblib" or "joblib" not in names


@pytest.mark.parametrize("path", MODULES, ids=lambda p: f"{p.parent.name}/{p.stem}")
def test_public_names_are_documented(path):
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"):
            assert ast.get_docstring(node), node.name


@pytest.mark.parametrize("room", LIGHT)
def test_light_rooms_bring_no_torch(room):
    code = f"""
import importlib, sys
importlib.import_module({room!r})
print(*({{"torch", "transformers", "trl", "peft", "bitsandbytes"}} & set(sys.modules)))
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert done.stdout.strip() == ""


def test_no_name_is_vague():
    """What a value is, not what was done to get it."""
    vague = set("dirt dirty hand audit bulk readers found how asked".split())
    sources = {path: [path.read_text(encoding="utf-8")] for path in MODULES}
    for path in (ROOT / "notebooks").glob("*.ipynb"):
        sources[path] = [cell.source for cell in code_cells(path)]
    for path, parts in sources.items():
        for node in (n for part in parts for n in ast.walk(ast.parse(part))):
            bound = [
                node.id if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store) else None,
                node.arg if isinstance(node, ast.arg) else None,
                node.name if isinstance(node, ast.FunctionDef | ast.ClassDef) else None,
            ]
            assert not vague & set(bound), f"{path}, line {getattr(node, 'lineno', '?')}: {bound}"


def test_project_files_name_no_folder_of_a_machine():
    files = [*FILES, *MODULES, *(ROOT / "params").rglob("*.yaml")]
    files += [ROOT / x for x in ("README.md", "Makefile", "environment.yml")]
    files += [p for p in (ROOT / "workflow").rglob("*") if p.is_file()]
    for path in files:
        folder = re.search(r"/(home|Users|root|work)/\w+", path.read_text(encoding="utf-8"))
        assert not folder, f"{path.name}: {folder[0]}"
