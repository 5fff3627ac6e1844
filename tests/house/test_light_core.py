"""The core, as `pip install .` brings it: rooms and notebooks that promise to need no more.

Every package that the core's pins do not bring is hidden, so that this is tested without a second
environment; `test_the_core_installs_alone` makes that environment where pip can reach an index.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import matplotlib.pyplot as plt
import pytest
import yaml
from conftest import ROOT
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
ROOMS = (
    "chains", "checks", "tiny_world", "weval", "annotation", "benchmarks", "adherence", "judges",
    "notebook",
)  # fmt: skip

HIDE = """
import sys

class Hidden:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in HIDDEN:
            raise ModuleNotFoundError(f"{name} is not part of the core", name=name)

HIDDEN = {hidden}
sys.meta_path.insert(0, Hidden())
"""

RUN = """
import json, os
from IPython.core.interactiveshell import InteractiveShell
os.environ["MPLBACKEND"] = "Agg"
shell = InteractiveShell.instance()
for cell in json.load(open({path!r}, encoding="utf-8"))["cells"]:
    if cell["cell_type"] == "code" and "models" not in cell["metadata"].get("tags", []):
        done = shell.run_cell("".join(cell["source"]))
        done.raise_error()
        if "parameters" in cell["metadata"].get("tags", []):
            shell.push({parameters!r})
"""


def core() -> set[str]:
    """Names of the distributions that the core's pins bring here, with what they need."""
    waiting = [Requirement(text) for text in PROJECT["dependencies"]]
    names: set[str] = set()
    while waiting:
        requirement = waiting.pop()
        name = canonicalize_name(requirement.name)
        if name in names:
            continue
        names.add(name)
        needs = [Requirement(text) for text in metadata.distribution(name).requires or []]
        extras = [{"extra": extra} for extra in ("", *requirement.extras)]
        waiting += [n for n in needs if not n.marker or any(map(n.marker.evaluate, extras))]
    return names


def run_in_core(code: str) -> subprocess.CompletedProcess[str]:
    """Run code where every installed module that is not the core's cannot be imported."""
    owners = metadata.packages_distributions()
    names = core() | {"wfine"}
    hidden = {m for m, of in owners.items() if not names & {canonicalize_name(d) for d in of}}
    return subprocess.run(
        [sys.executable, "-c", HIDE.replace("{hidden}", repr(sorted(hidden))) + code],
        cwd=ROOT, capture_output=True, text=True, env={**os.environ, "MPLBACKEND": "Agg"},
    )  # fmt: skip


def test_torch_and_its_like_are_hidden():
    for name in ("torch", "transformers", "trl", "openai", "snakemake", "jupyterlab"):
        assert f"{name} is not part of the core" in run_in_core(f"import {name}").stderr


def test_light_rooms_need_the_core_alone():
    course = (
        "import wfine_course.week1.checks, wfine_course.week2.checks, wfine_course.generation\n"
    )
    done = run_in_core(course + "".join(f"import wfine_utils.{room}\n" for room in ROOMS))
    assert done.returncode == 0, done.stderr


def test_the_check_of_a_file_needs_the_core_alone():
    call = "from wfine_workflow.command import main; sys.exit(main(['check', PATH]))"
    path = ROOT / "wfine_utils" / "weval_hand" / "weval_hand.jsonl"
    done = run_in_core(call.replace("PATH", repr(str(path))))
    assert done.returncode == 0, done.stderr
    assert "no breaches" in done.stdout


def test_weval_without_a_model_needs_the_core_alone(tmp_path):
    words = ["weval", "--data", "weval-hand", "--model", "compiled", "--out", str(tmp_path / "out")]
    done = run_in_core(f"from wfine_workflow.command import main; sys.exit(main({words}))")
    assert done.returncode == 0, done.stderr
    assert "compiled checks" in done.stdout and (tmp_path / "out" / "index.html").is_file()


LIGHT_NOTEBOOKS = [
    "start",
    "08_annotation",
    pytest.param("01_data_taxonomy", marks=pytest.mark.slow),
    pytest.param("02_requirement_dropping", marks=pytest.mark.slow),
]


@pytest.mark.parametrize("name", LIGHT_NOTEBOOKS)
def test_a_light_notebook_needs_the_core_alone(name, tmp_path):
    changes = ROOT / "params" / "smoke" / f"{name}.yaml"
    parameters = yaml.safe_load(changes.read_text()) if changes.exists() else {}
    parameters["output_root"] = str(tmp_path)
    path = str(ROOT / "notebooks" / f"{name}.ipynb")
    done = run_in_core(RUN.format(path=path, parameters=parameters))
    assert done.returncode == 0, done.stderr[-3000:] + done.stdout[-3000:]


WRITERS = {"w1": "HAM", "w2": "HAM", "w3": "AHM"}
"""Best first: two writers put the text that a person edited above the others, one does not."""


class TestPeopleMeasured:
    """Notebook 09 on rankings made up here, and without any."""

    def run(self, tmp_path: Path, rankings_path: str) -> subprocess.CompletedProcess[str]:
        parameters = {"output_root": str(tmp_path), "n_boot": 20, "n_permutations": 19}
        parameters["rankings_path"] = rankings_path
        path = str(ROOT / "notebooks" / "09_people.ipynb")
        return run_in_core(RUN.format(path=path, parameters=parameters))

    def test_it_needs_the_core_alone_and_says_what_the_writers_said(self, tmp_path):
        versions = {"H": "Human-edited", "A": "AI-generated", "M": "AI-edited"}
        texts = {
            "H": "A boat came in.",
            "A": "A boat came slowly in.",
            "M": "A fine old boat came.",
        }
        lines = [
            {
                "id": f"set-{k}",
                "instruction": f"Write about the harbour of town {k}.",
                "responses": {versions[x]: f"{text} It was day {k}." for x, text in texts.items()},
                "rankings": {w: [versions[x] for x in order] for w, order in WRITERS.items()},
            }
            for k in range(8)
        ]
        file = tmp_path / "rankings.jsonl"
        file.write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
        done = self.run(tmp_path, str(file))
        assert done.returncode == 0, done.stderr[-3000:] + done.stdout[-3000:]
        results = json.loads((tmp_path / "mini" / "09_people" / "results.json").read_text())
        assert (results["n_chains"], results["n_readers"], results["n_rankings"]) == (8, 3, 24)
        agreement = {row["metric"]: row["value"] for row in results["agreement"]}
        # Rank sums 4, 5 and 9 about 6: squares 4 + 1 + 9, of 9 * 24 / 12.
        assert agreement["kendall_w"] == pytest.approx(14 / 18)
        assert agreement["unanimous"] == pytest.approx(2 / 3)
        preferred = {(row["pair"], row["judge"]): row["value"] for row in results["preferred"]}
        pair = "Human-edited above AI-generated"
        assert [preferred[pair, w] for w in ("consensus", *WRITERS)] == [1, 1, 1, 0]
        assert preferred[pair, "minus length"] == 1
        tau = {(row["scorer"], row["gold"]): row["value"] for row in results["kendall_tau_b"]}
        # Left out w1 or w2: the others tie H and A, and two of two pairs are right, of three that
        # a reader orders. Left out w3: one of three is wrong.
        expected = (2 * 2 / 6**0.5 + 1 / 3) / 3
        assert tau["another reader", "all but one reader"] == pytest.approx(expected)

    def test_without_the_file_it_says_where_it_comes_from(self, tmp_path):
        done = self.run(tmp_path, "")
        assert "rankings_path: found no path" in done.stdout + done.stderr
        assert "salesforce/creativity_eval" in done.stdout + done.stderr
        assert not (tmp_path / "mini").exists()


def code_cells(name: str, *, with_models: bool = False) -> list[str]:
    """The code of a notebook; cells with the tag ``models`` need more than the core."""
    cells = json.loads((ROOT / "notebooks" / name).read_text(encoding="utf-8"))["cells"]
    return [
        "".join(cell["source"])
        for cell in cells
        if cell["cell_type"] == "code"
        and (with_models or "models" not in cell["metadata"].get("tags", []))
    ]


def test_start_says_what_its_table_says(monkeypatch):
    """The notebook's sentence is computed, and the scorer that a reader writes is in it."""
    monkeypatch.setattr(plt, "show", lambda: None)
    values: dict = {}
    exec("\n".join(code_cells("start.ipynb")), values)  # noqa: S102 -- our own notebook
    tau = values["tau"].set_index("scorer")
    own = tau.loc["different words"]
    interval = f"{own['value']:z.2f} [{own['ci_low']:z.2f}, {own['ci_high']:z.2f}]"
    assert interval in values["finding"].sentence
    assert own["n_chains"] == len(values["chains"]) == 40
    assert tau.loc["oracle (checkers)", "value"] == 1
    assert dict(values["constant"]) == {"by the released rule": 1, "tau-b": 0}
    plt.close("all")


def test_start_shows_a_kept_model_beside_the_checker(monkeypatch):
    monkeypatch.setattr(plt, "show", lambda: None)
    values: dict = {}
    exec("\n".join(code_cells("start.ipynb", with_models=True)), values)  # noqa: S102 -- ours
    said, chain = values["said"], values["chain"]
    assert len(said) == len(chain.responses) * len(chain.query.requirements)
    assert values["agree"] > 0.8
    verdicts = values["verdicts"].set_index("requirement")
    assert verdicts.loc["Write exactly 3 sentences.", "program"] is True
    assert verdicts.loc['Do not use the word "key".', "program"] is False
    assert verdicts.loc["Be witty.", "program"] == "no program"
    assert verdicts["reward model"].between(0, 1).all()
    plt.close("all")


def test_the_first_part_of_start_is_short():
    first = code_cells("start.ipynb")[:4]
    lines = "\n".join(first).splitlines()
    code = [x for x in lines if x.strip() and not x.startswith(("import ", "from "))]
    assert len(code) <= 16


@pytest.mark.slow
def test_the_core_installs_alone(project: Path, tmp_path: Path):
    python = tmp_path / "env" / "bin" / "python"
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "env"], check=True)
    pip = [python, "-m", "pip", "install", "--quiet", "--no-compile"]
    for name in ("README.md", "LICENSE"):
        (project / name).write_bytes((ROOT / name).read_bytes())
    done = subprocess.run(
        [*pip, "-c", "constraints.txt", "."], cwd=project, capture_output=True, text=True
    )
    if done.returncode and "ould not find a version" in done.stderr:
        pytest.skip("pip reaches no package index here")
    assert done.returncode == 0, done.stderr
    path = str(ROOT / "notebooks" / "start.ipynb")
    for code in (RUN.format(path=path, parameters={}), "import wfine_utils.annotation"):
        done = subprocess.run([python, "-c", code], cwd=tmp_path, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr[-3000:] + done.stdout[-3000:]
    assert subprocess.run([python, "-c", "import torch"], capture_output=True).returncode
