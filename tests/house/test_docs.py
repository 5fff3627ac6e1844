"""README and docs/: one page to enter by, numbers from kept runs, links and commands that work."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from conftest import ROOT

from wfine_utils.errors import WfineError
from wfine_workflow import docs
from wfine_workflow.command import programs

MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
REFERENCE = ROOT / "outputs" / "reference"
PAGES = [
    *docs.pages(),
    ROOT / "CHANGELOG.md",
    ROOT / "CONTRIBUTING.md",
    *ROOT.glob("findings/*.md"),
    *sorted(ROOT.glob("course/**/*.md")),
]
TABLES = "07_paper_tables/tables"
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def read(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def blocks(kind: str) -> list:
    return [
        pytest.param(code, id=f"{page.relative_to(ROOT)}-{i}")
        for page in PAGES
        for i, (language, code) in enumerate(BLOCK.findall(read(page)))
        if language == kind
    ]


def test_the_front_door_is_one_page():
    assert len((ROOT / "README.md").read_bytes()) <= 7000


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_numbers_are_those_of_the_kept_runs(page):
    assert docs.written_anew(read(page), REFERENCE) == read(page), "run `make docs`"


@pytest.mark.parametrize(
    "name", ["README.md", "docs/findings.md", "docs/real_text.md", "docs/people.md"]
)
def test_no_result_is_typed_by_hand(name):
    by_hand = docs.MARKED.sub("", read(ROOT / name))
    assert docs.MARKED.search(read(ROOT / name))
    assert not re.search(r"\[[−-]?\d+\.\d+, ", by_hand), "an interval outside a mark"
    for word in ("arxiv.org/abs/", "arXiv ", "Python 3.11 to ", "Apache-", "CC-BY-"):
        by_hand = re.sub(re.escape(word) + r"[\d.]+", "", by_hand)
    decimals = re.findall(r".{0,30}\b\d\.\d{2,}", by_hand) + re.findall(r"tau-b \d", by_hand)
    assert not decimals


class TestMarks:
    """On kept runs made up here, so that the values can be seen."""

    @pytest.fixture
    def reference(self, tmp_path: Path) -> Path:
        tables = tmp_path / "mini" / TABLES
        tables.mkdir(parents=True)
        (tables / "headline.csv").write_text(
            "quantity,value,ci_low,ci_high,n\ntau-b of a,-0.256,-0.5,0.1,300\nminutes,2.0,,,\n"
        )
        (tables / "T6_cost.csv").write_text(
            "notebook,stage,minutes,peak_memory_gib\nall,all,22.13,1.5\nall,x,1,\n"
        )
        (tmp_path / "seeds").mkdir()
        (tmp_path / "seeds" / "over_seeds.csv").write_text(
            "grid_scorer,scorer,metric,value,ci_low,ci_high,n\n"
            'a,"X, one",kendall_tau_b,0.5,0.4,0.6,6\na,"X, one",mae,1,1,1,6\n'
        )
        (tmp_path / "mini" / "results.json").write_text('{"n_pairs": {"coarse": 15000}}')
        return tmp_path

    @pytest.mark.parametrize(
        ("mark", "expected"),
        [
            ("headline mini: tau-b of a", "−0.26 [−0.50, 0.10]"),
            ("headline mini: minutes", "2.00"),
            ("seeds a: X, one", "0.50 [0.40, 0.60]"),
            ("seeds a: X, one; value=n; digits=0", "6"),
            ("minutes mini/all", "22.1"),
            ("number mini/results.json; value=n_pairs.coarse; digits=0", "15,000"),
            (f"number mini/{TABLES}/headline.csv; quantity=tau-b of a; value=n; digits=0", "300"),
            (f"number mini/{TABLES}/headline.csv; n=300.0; interval=ci_high n",
             "−0.26 [0.10, 300.00]"),
        ],
    )  # fmt: skip
    def test_a_number(self, reference, mark, expected):
        page = f"It is <!-- {mark} -->9.99<!-- end -->, we say."
        assert docs.written_anew(page, reference) == page.replace("9.99", expected)

    def test_a_table(self, reference):
        columns = "what: quantity; value: value ci_low ci_high; n: n"
        mark = f"<!-- table mini/{TABLES}/headline.csv; n=300.0; {columns} -->"
        text = docs.written_anew(f"{mark}<!-- end -->", reference)
        assert "| what | value | n |" in text
        assert "| tau-b of a | −0.256 [−0.500, 0.100] | 300 |" in text
        assert docs.written_anew(text, reference) == text

    @pytest.mark.parametrize(
        "mark",
        [
            "headline mini: tau-b of b",
            "headline none: tau-b of a",
            "table mini/results.json; a=b; x: y",
        ],
    )
    def test_what_is_not_there_is_named(self, reference, mark):
        with pytest.raises(WfineError, match=re.escape(mark)):
            docs.written_anew(f"<!-- {mark} -->1<!-- end -->", reference)


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    text = re.sub(r"```.*?```", "", read(page), flags=re.DOTALL)
    broken = []
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if not target.startswith(("http://", "https://")):
            path, _, anchor = target.partition("#")
            other = page.parent / path if path else page
            if not other.exists() or (anchor and f"# {anchor}" not in read(other).lower()):
                broken.append(target)
    assert not broken


@pytest.mark.parametrize("path", sorted((ROOT / "notebooks").glob("*.ipynb")), ids=lambda p: p.stem)
def test_links_of_a_notebook_lead_somewhere(path):
    """In its copy in lab/ too, which lies as deep."""
    cells = json.loads(read(path))["cells"]
    text = "\n".join("".join(c["source"]) for c in cells if c["cell_type"] == "markdown")
    links = re.findall(r"\]\(([^)\s#]+)", re.sub(r"`[^`\n]*`", "", text))
    assert not [x for x in links if "://" not in x and not (path.parent / x).exists()]


@pytest.mark.parametrize("code", blocks("python"))
def test_a_block_of_python_runs(code, tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("code", blocks("py"))
def test_what_a_block_imports_is_there(code):
    """Blocks that need a model or an endpoint: their imports, and that they are Python."""
    compile(code, "block", "exec")
    imports = [line for line in code.splitlines() if line.startswith(("from ", "import "))]
    exec("\n".join(imports), {})  # noqa: S102 -- our own page


@pytest.mark.parametrize("code", blocks("sh"))
def test_a_block_of_commands_names_what_there_is(code):
    code = code.replace("\\\n", " ")
    for target in re.findall(r"^make ([\w-]+)", code, re.MULTILINE):
        assert re.search(rf"^{target}:", MAKEFILE, re.MULTILINE), target
    for preset in re.findall(r"PRESET=([\w.]+)", code):
        assert (ROOT / "params" / preset).is_dir(), preset
    for module in re.findall(r"-m (wfine_[\w.]+)", code):
        path = ROOT / module.replace(".", "/")
        assert path.with_suffix(".py").exists() or (path / "__main__.py").exists(), module
    for path in re.findall(r"(?:notebooks|params|bench|workflow)/[\w./]+", code):
        assert (ROOT / path).exists(), path
    for command in re.findall(r"^(papermill|accelerate|snakemake)\b", code, re.MULTILINE):
        assert shutil.which(command, path=Path(sys.executable).parent), command


def test_blocks_of_bash_run_one_after_the_other(tmp_path):
    """docs/command.md: what a reader types, with the command that pip would have installed."""
    wfine = tmp_path / "bin" / "wfine"
    wfine.parent.mkdir()
    wfine.write_text(f'#!/bin/sh\nexec {sys.executable} -m wfine_workflow.command "$@"\n')
    wfine.chmod(0o755)
    path = os.pathsep.join(
        [str(wfine.parent), str(Path(sys.executable).parent), os.environ["PATH"]]
    )
    env = os.environ | {"PATH": path, "PYTHONPATH": str(ROOT)}
    code = "".join(block for kind, block in BLOCK.findall(read(ROOT / "docs/command.md"))
                   if kind == "bash")  # fmt: skip
    done = subprocess.run(
        ["bash", "-euc", code], cwd=tmp_path, env=env, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert "['oracle (checkers)', 'compiled checks', " in done.stdout
    assert "  no check: no rule\n" in done.stdout and "  not met (counted 1)\n" in done.stdout
    assert (tmp_path / "results" / "index.html").is_file()


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_a_page_names_commands_that_there_are(page):
    """And none of the doors that modules had before there was one command."""
    text = read(page)
    named = set(
        re.findall(r"`wfine ([a-z][\w-]*)", text) + re.findall(r"^wfine (\w[\w-]*)", text, re.M)
    )
    assert named <= {*programs()}
    if page.name != "CHANGELOG.md":
        assert set(re.findall(r"-m (wfine_[\w.]+)", text)) <= {"wfine_workflow.command"}


def test_the_own_chain_of_the_page_is_ranked(tmp_path):
    """docs/own_chains.md: its block writes the file that its command reads."""
    (code,) = (
        c for kind, c in BLOCK.findall(read(ROOT / "docs/own_chains.md")) if kind == "python"
    )
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True)
    load = "from wfine_utils.chains import load_chains; print(len(load_chains('my_chains.jsonl')))"
    done = subprocess.run(
        [sys.executable, "-c", load], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.stdout.strip() == "1", done.stderr


def test_the_folder_map_names_every_room():
    rooms = {p.parent.name for p in (ROOT / "wfine_utils").glob("*/__init__.py")}
    (the_map,) = re.findall(r"^```\n(notebooks/.*?)^```", read(ROOT / "README.md"), re.M | re.S)
    assert rooms == set(re.findall(r"^  (\w+)  +\w", the_map, re.MULTILINE))
    for folder in re.findall(r"(\w+)/ ", the_map):
        assert (ROOT / folder).is_dir(), folder


def test_ci_runs_lint_and_the_tests_of_the_readme():
    lines = read(ROOT / ".ci" / "run").splitlines()
    assert {"make lint", "make test"} <= set(lines)
    assert "make test " in read(ROOT / "README.md")


def test_texts_of_a_table_stand_on_one_line_and_are_cut_where_it_is_asked(tmp_path):
    pd.DataFrame({"text": ["one\ntwo | three four"], "own reward": [-0.25]}).to_csv(
        tmp_path / "x.csv", index=False
    )
    mark = "<!-- table x.csv; digits=2; longest=15; text: text; reward: own reward --><!-- end -->"
    assert "| one two \\| … | −0.25 |" in docs.written_anew(mark, tmp_path)
    pd.DataFrame({"text": ["even"], "own reward": [-0.004]}).to_csv(tmp_path / "x.csv", index=False)
    assert "| even | 0.00 |" in docs.written_anew(mark, tmp_path)
