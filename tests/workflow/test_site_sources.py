"""What the site is made of: pages in their places, links that hold, a navigation."""

from __future__ import annotations

import re
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from wfine_utils.errors import WfineError
from wfine_workflow.site.sources import Sources, in_folder

PIXEL = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwACh"
    "wGA60e6kgAAAABJRU5ErkJggg=="
)


def put(root: Path, place: str, text: str) -> None:
    path = root / place
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def put_notebook(root: Path, place: str, text: str, *outputs: dict) -> None:
    cell = new_code_cell("draw()", outputs=list(outputs))
    caption = new_markdown_cell("*Figure: a red dot.*")
    (root / place).parent.mkdir(parents=True, exist_ok=True)
    book = new_notebook(cells=[new_markdown_cell(text), cell, caption])
    nbformat.write(book, root / place)


@pytest.fixture
def clone(tmp_path) -> Path:
    """A repository of two notebooks, one of them executed, and three pages."""
    root = tmp_path / "wfine"
    see = (
        "see [two](docs/two.md#there), [run](outputs/reference/mini), [more](data/more.csv), "
        "[out](https://example.org/x) and `[no](docs/two.md)`"
    )
    put(root, "README.md", f"# Front\n\n<!-- number x -->1<!-- end --> {see}\n")
    put(root, "CONTRIBUTING.md", "# Contributing\n")
    put(root, "docs/two.md", "# Two `things`\n\n## There\n\n[home](../README.md) [gone](gone.md)\n")
    put(root, "data/more.csv", "a\n1\n")
    put(root, "outputs/reference/README.md", "# Kept\n\n[study](study/notebooks/01_b.ipynb)\n")
    text = "# 01 B\n\n[two](../docs/two.md), [start](start.ipynb)"
    put_notebook(root, "notebooks/start.ipynb", "# Start\n\n[b](01_b.ipynb)")
    put_notebook(root, "notebooks/01_b.ipynb", text)
    shown = new_output("display_data", data={"image/png": PIXEL})
    for run in ("mini", "study"):
        put_notebook(root, f"outputs/reference/{run}/notebooks/01_b.ipynb", text, shown)
    return root


def written(clone: Path, tmp_path: Path) -> Path:
    Sources.of(clone).write(tmp_path / "gathered")
    return tmp_path / "gathered"


def test_the_pages_are_those_there_are_and_those_they_lead_to(clone):
    sources = Sources.of(clone)
    assert set(sources.files) == {
        "README.md", "CONTRIBUTING.md", "docs/two.md", "data/more.csv", "notebooks/start.ipynb",
        "notebooks/01_b.ipynb", "outputs/reference/README.md",
        "outputs/reference/study/notebooks/01_b.ipynb",
    }  # fmt: skip
    assert sources.titles["docs/two.md"] == "Two things"
    assert "data/more.csv" not in sources.titles, "to be downloaded"


def test_links_lead_to_where_the_pages_are_on_the_site(clone, tmp_path):
    gathered = written(clone, tmp_path)
    front = (gathered / "index.md").read_text(encoding="utf-8")
    assert "1 see [two](docs/two.md#there), [run](outputs/reference/README.md)" in front
    assert "[more](data/more.csv), [out](https://example.org/x) and `[no](docs/two.md)`" in front
    assert "[home](../index.md) [gone](gone.md)" in (gathered / "docs/two.md").read_text()
    assert (gathered / "data/more.csv").read_text() == "a\n1\n"


def test_a_copy_of_another_preset_has_the_links_of_its_notebook(clone, tmp_path):
    gathered = written(clone, tmp_path)
    copy = nbformat.read(gathered / "outputs/reference/study/notebooks/01_b.ipynb", as_version=4)
    up = "../../../.."
    assert copy.cells[0].source.endswith(
        f"[two]({up}/docs/two.md), [start]({up}/notebooks/start.ipynb)"
    )
    assert "preset `study`" in copy.cells[1].source


def test_a_notebook_is_shown_as_the_default_preset_executed_it(clone, tmp_path):
    gathered = written(clone, tmp_path)
    shown = nbformat.read(gathered / "notebooks/01_b.ipynb", as_version=4)
    assert "preset `mini`" in shown.cells[1].source
    assert shown.cells[2].outputs[0].data["image/png"] == PIXEL
    assert shown.cells[2].metadata["mystnb"]["image"]["alt"] == "a red dot."
    plain = nbformat.read(gathered / "notebooks/start.ipynb", as_version=4)
    assert "without results" in plain.cells[1].source


def test_the_navigation(clone):
    assert Sources.of(clone).groups() == {
        "Start here": ["notebooks/start.ipynb"],
        "Notebooks": ["notebooks/01_b.ipynb"],
        "How to": ["docs/two.md"],
        "Reference": [
            "CONTRIBUTING.md",
            "outputs/reference/README.md",
            "outputs/reference/study/notebooks/01_b.ipynb",
        ],
    }


def test_every_page_is_in_one_list(clone, tmp_path):
    for place in ("README.md", "week1/README.md", "week1/quiz.md", "week2/lab.md"):
        put(clone, f"course/{place}", f"# {place}\n")
    put_notebook(clone, "course/week1/exercises.ipynb", "# Exercises")
    put(clone, "course/.ipynb_checkpoints/old.md", "# Old\n")
    gathered = written(clone, tmp_path)
    pages = {
        p.relative_to(gathered).with_suffix("").as_posix()
        for p in gathered.rglob("*")
        if p.suffix in (".md", ".ipynb")
    }
    listed = []
    for page in gathered.rglob("*.md"):
        for block in re.findall(r"```\{toctree\}\n(.*?)```", page.read_text(), re.DOTALL):
            for entry in re.findall(r"<(.+?)>", block):
                there = (page.parent / entry).resolve().relative_to(gathered.resolve()).as_posix()
                listed.append(there.removesuffix(".ipynb"))
    assert sorted(listed) == sorted(pages - {"index"})
    front = (gathered / "index.md").read_text()
    assert ":caption: Course" in front and "course/README>" in front
    assert "week1/README>" in (gathered / "course/README.md").read_text()
    assert "old" not in str(pages)


@pytest.mark.parametrize(
    ("places", "expected"),
    [
        (["README.md", "a.md", "b/README.md"], ["README.md"]),
        (["a.md", "b/README.md", "b/c.md", "d/e.md", "d/f/g.md"],
         ["a.md", "b/README.md", "d/e.md", "d/f/g.md"]),
        (["b/c/README.md", "b/a.md"], ["b/a.md", "b/c/README.md"]),
        ([], []),
    ],
)  # fmt: skip
def test_what_is_listed_for_a_folder(places, expected):
    assert in_folder([f"x/{p}" for p in places], "x") == [f"x/{p}" for p in expected]


def test_a_heading_in_a_block_of_code_is_no_title(clone):
    put(clone, "docs/sh.md", "```sh\n# not this\n```\n\n# This\n")
    assert Sources.of(clone).titles["docs/sh.md"] == "This"


def test_a_folder_that_is_no_clone(tmp_path):
    with pytest.raises(WfineError, match=r"found no README\.md, expected a clone"):
        Sources.of(tmp_path)
