"""The website as a whole: built from this clone by Sphinx, with every link followed.

Needs the extra ``site``, which `make site` installs; skipped where it is missing.
"""

from __future__ import annotations

import re
from importlib.util import find_spec
from pathlib import Path

import nbformat
import pytest
from conftest import ROOT
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from wfine_utils.errors import WfineError
from wfine_workflow.site.build import NEEDED, build, main
from wfine_workflow.site.links import check

needs_sphinx = pytest.mark.skipif(
    not all(map(find_spec, NEEDED)), reason="no Sphinx: the extra site, which `make site` installs"
)
LATEX = re.compile(r"(?<!\\)\\(frac|sum|tau|sigma|log|mathbb|begin)\b")


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    """All pages; that this returns means that Sphinx had no warning, and no link is broken."""
    folder = tmp_path_factory.mktemp("site") / "pages"
    build(ROOT, folder)
    return folder


@pytest.fixture
def small(tmp_path) -> Path:
    """A clone of two pages."""
    root = tmp_path / "wfine"
    (root / "docs").mkdir(parents=True)
    (root / "README.md").write_text("# Front\n\n[two](docs/two.md)\n")
    (root / "docs" / "two.md").write_text("# Two\n\n$\\frac{a}{b}$ costs.\n")
    return root


@pytest.mark.slow
@needs_sphinx
class TestSite:
    def test_every_page_holds_together(self, site):
        checked = check(site)
        assert checked.faults == ()
        assert checked.n_pages > 25 and checked.n_links > 1000

    @pytest.mark.parametrize(
        "path", sorted((ROOT / "notebooks").glob("*.ipynb")), ids=lambda p: p.stem
    )
    def test_a_notebook_is_shown_with_the_results_that_were_kept(self, site, path):
        page = (site / "notebooks" / f"{path.stem}.html").read_text(encoding="utf-8")
        kept = ROOT / "outputs/reference/mini/notebooks" / path.name
        assert ("cell_output" in page) == kept.exists()
        n_pictures = kept.read_text().count('"image/png": "') if kept.exists() else 0
        assert len(re.findall(r'<img alt="[^"]{15,}" src="\.\./_images/', page)) == n_pictures

    def test_formulas_are_mathml_and_no_source_is_left(self, site):
        for path in sorted(site.rglob("*.html")):
            page = re.sub(
                r"<pre>.*?</pre>|<code.*?</code>|alt=\".*?\"", "", path.read_text(), flags=re.S
            )
            assert not LATEX.findall(page), path.name
        assert "<mfrac>" in (site / "notebooks" / "03_reward_model.html").read_text()

    def test_no_comment_of_make_docs_is_left(self, site):
        for path in sorted(site.rglob("*.html")):
            assert "<!-- number" not in path.read_text(encoding="utf-8"), path.name

    def test_search_knows_a_word_of_a_notebook(self, site):
        index = (site / "searchindex.js").read_text(encoding="utf-8")
        assert "bradley" in index and "notebooks/03_reward_model" in index


@pytest.mark.slow
@needs_sphinx
class TestFaults:
    def test_a_small_site(self, small, tmp_path):
        checked = build(small, tmp_path / "pages")
        assert checked.n_pages == 3, "with the page of the search"
        assert "<mfrac>" in (tmp_path / "pages" / "docs" / "two.html").read_text()
        assert (tmp_path / "pages" / ".nojekyll").exists(), "else GitHub leaves _static out"

    def test_a_course_is_taken_in(self, small, tmp_path):
        week = small / "course" / "week1"
        week.mkdir(parents=True)
        (week.parent / "README.md").write_text("# Course\n\n[first](week1/README.md)\n")
        (week / "README.md").write_text("# Week 1\n\n[lab](lab.ipynb), [two](../../docs/two.md)\n")
        lab = new_notebook(cells=[new_markdown_cell("# Lab\n\n## 1 Do"), new_code_cell("1 + 1")])
        nbformat.write(lab, week / "lab.ipynb")
        assert build(small, tmp_path / "pages").n_pages == 6
        front = (tmp_path / "pages" / "index.html").read_text()
        assert all(f'href="course/{x}.html"' in front for x in ("README", "week1/README"))

    @pytest.mark.parametrize(
        ("text", "faults"),
        [
            (
                "[gone](gone.md)\n\n[no such place](../README.md#nowhere)",
                ["docs/two.md:5: WARNING: .*gone.md", "docs/two.md:7: WARNING: .*nowhere"],
            ),
            (
                '<script src="https://cdn.x/m.js"></script>\n\n![](dot.png)',
                ["docs/two.html: fetched from elsewhere: https://cdn.x/m.js",
                 "docs/two.html: a picture without words: ../_images/dot.png"],
            ),
        ],
        ids=["warnings of Sphinx", "what Sphinx does not see"],
    )  # fmt: skip
    def test_faults_are_named_and_the_older_site_stays(self, small, tmp_path, text, faults):
        (tmp_path / "pages").mkdir()
        (tmp_path / "pages" / "index.html").write_text("older")
        (small / "docs" / "dot.png").write_bytes(b"\x89PNG")
        with (small / "docs" / "two.md").open("a") as page:
            page.write(f"\n{text}\n")
        with pytest.raises(WfineError, match="found 2 faults, expected none") as refused:
            build(small, tmp_path / "pages")
        for fault in faults:
            assert re.search(f"^  {fault}", str(refused.value), re.MULTILINE), fault
        assert (tmp_path / "pages" / "index.html").read_text() == "older"


def test_without_sphinx_the_command_says_what_to_do(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr("wfine_workflow.site.build.find_spec", lambda name: None)
    assert main(["--out", str(tmp_path / "pages")]) == 2
    assert "The site needs sphinx, myst_nb, furo" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
