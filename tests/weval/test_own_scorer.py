"""A scorer of the user's own, in ten lines, stands in every table of notebook 05."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import nbformat
import pandas as pd
import pytest
from conftest import ROOT

from wfine_utils.chains.dropping import build_chains
from wfine_utils.chains.files import save_chains
from wfine_utils.tiny_world import vocabulary, writer

pytestmark = pytest.mark.slow  # it runs notebook 05

NAME = "05_weval_correlation"
OWN = "longest word"
CELL = f'''
class LongestWord:
    name = "{OWN}"

    def score(self, chains):
        return [np.array([self.longest(r.text) for r in c.responses]) for c in chains]

    def longest(self, text):
        return max(map(len, text.split()), default=np.nan)


extra_scorers = [LongestWord()]
'''
# It shows what a metric does with noise, so its scorers are four that know nothing by construction.
ABOUT_NOISE = "metric_that_flatters.csv"
# In every table of all scorers, and in no table that shows some of them as an example.
ALWAYS_THERE = "minus length"


@pytest.fixture(scope="module")
def executed(tmp_path_factory) -> tuple[Path, nbformat.NotebookNode]:
    """Folder of the results and the executed notebook, with another scorer in ``own-scorer``."""
    folder = tmp_path_factory.mktemp("own-scorer")
    notebook = nbformat.read(ROOT / "notebooks" / f"{NAME}.ipynb", as_version=4)
    (cell,) = [cell for cell in notebook.cells if cell.id == "own-scorer"]
    cell.source = CELL.strip()
    nbformat.write(notebook, folder / "in.ipynb")
    queries = writer.sample_queries(6, vocabulary.TOPICS["test"], seed=0)
    save_chains(build_chains(queries, "random", writer.write, seed=0), folder / "chains.jsonl")
    given = {
        "preset": "own", "output_root": folder / "outputs", "chains_path": folder / "chains.jsonl",
        "score_models": False, "n_boot": 20, "n_permutations": 20,
    }  # fmt: skip
    command = [sys.executable, "-m", "papermill", str(folder / "in.ipynb"),
               str(folder / "out.ipynb"), "--no-progress-bar"]  # fmt: skip
    for name, value in given.items():
        command += ["-p", name, str(value)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    return folder / "outputs" / "own" / NAME, nbformat.read(folder / "out.ipynb", as_version=4)


def test_the_scorer_has_ten_lines_at_most():
    assert len([line for line in CELL.splitlines() if line.strip()]) <= 10


def test_it_stands_in_every_table_that_is_written(executed):
    folder, _ = executed
    tables = {path.name: pd.read_csv(path) for path in folder.rglob("*.csv")}
    tables |= {path.name: pd.read_parquet(path) for path in folder.rglob("*.parquet")}
    of_scorers = {name: table for name, table in tables.items() if "scorer" in table}
    assert of_scorers.keys() >= {
        "weval.csv", "weval_hand.csv", "comparisons.csv", "scores.parquet", ABOUT_NOISE,
    }  # fmt: skip
    assert OWN not in set(of_scorers.pop(ABOUT_NOISE)["scorer"])
    for name, table in of_scorers.items():
        own, other = (table[table["scorer"] == scorer] for scorer in (OWN, ALWAYS_THERE))
        assert len(own) == len(other) > 0, name  # under every metric and in every subset
        for column in set(table) & {"metric", "subset_kind", "subset", "reference"}:
            assert own[column].fillna("").tolist() == other[column].fillna("").tolist(), name
        number = next(c for c in ("value", "difference", "score") if c in table)
        assert own[number].notna().any(), name


def test_it_stands_in_every_table_that_is_shown(executed):
    _, notebook = executed
    pages = [
        re.sub(r"<[^>]*>", " ", output["data"]["text/html"])
        for cell in notebook.cells
        for output in cell.get("outputs", [])
        if "<table" in output.get("data", {}).get("text/html", "")
    ]
    of_all = [text for text in pages if ALWAYS_THERE in text]
    assert len(of_all) >= 4  # summary, overall, differences, WEval-Hand
    assert all(OWN in text for text in of_all)
