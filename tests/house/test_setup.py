"""The set-up: one list of pins, the same from every side, and the code in order."""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
import tomllib
from importlib import metadata

import pytest
import yaml
from conftest import ROOT
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
CONDA = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
EXTRAS = PROJECT["optional-dependencies"]
DIRECT = [Requirement(r) for part in (PROJECT["dependencies"], *EXTRAS.values()) for r in part]
BY_HAND = {canonicalize_name(Requirement(r).name) for x in ("browser", "site") for r in EXTRAS[x]}


def pins(requirements: list[Requirement]) -> dict[str, str]:
    return {canonicalize_name(r.name): next(iter(r.specifier)).version for r in requirements}


def constraints() -> dict[str, str]:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    return pins([Requirement(x) for x in lines if x and not x.startswith("#")])


@pytest.mark.parametrize("requirement", DIRECT, ids=str)
def test_every_direct_dependency_is_one_exact_pin(requirement):
    (specifier,) = requirement.specifier
    assert specifier.operator == "=="
    assert "*" not in specifier.version
    assert Version(specifier.version).local is None, "a local tag exists on one index only"


def test_constraints_hold_every_direct_dependency_at_its_pin():
    locked, direct = constraints(), pins(DIRECT)
    assert not BY_HAND & locked.keys(), "`make env` does not install these"
    direct = {name: pin for name, pin in direct.items() if name not in BY_HAND}
    assert {name: locked.get(name) for name in direct} == direct


def test_constraints_are_closed_under_dependency():
    """Whatever a locked package needs here is locked too, at a version that suits it."""
    locked = constraints()
    for name in locked:
        for text in metadata.distribution(name).requires or []:
            needed = Requirement(text)
            if needed.marker and not needed.marker.evaluate({"extra": ""}):
                continue
            other = canonicalize_name(needed.name)
            if other.startswith(("nvidia-", "cuda-")) or other == "triton":
                continue  # only the CUDA build of PyTorch has them, and pins them itself
            assert other in locked, f"{name} needs {needed}: run make lock"
            assert needed.specifier.contains(locked[other], prereleases=True), (name, text)


def test_installed_is_what_is_pinned():
    installed = {name: metadata.version(name) for name in constraints()}
    installed = {name: Version(version).public for name, version in installed.items()}
    installed.pop("setuptools", None)  # venv and conda each bring their own
    assert installed == {k: v for k, v in constraints().items() if k in installed}


def test_conda_installs_the_same_thing_from_the_same_place():
    named = [x for x in CONDA["dependencies"] if isinstance(x, str)]
    (from_pip,) = [x["pip"] for x in CONDA["dependencies"] if isinstance(x, dict)]
    bare = {re.split(r"[<>=! ]", x)[0] for x in named}
    assert bare == {"python", "pip", "make"}, "a package named here would be a second list"
    assert from_pip == ["-c constraints.txt", "-e .[train,judges,workflow,test]"]
    assert "-c constraints.txt -e '.[train,judges,workflow,test]'" in MAKEFILE, (
        "make installs something else"
    )


def test_conda_and_make_take_the_python_versions_of_pyproject():
    (python,) = [x for x in CONDA["dependencies"] if str(x).startswith("python")]
    required = SpecifierSet(PROJECT["requires-python"])
    assert SpecifierSet(python.removeprefix("python")) == required
    low, high = re.search(r"\((3, \d+)\) <= sys.version_info < \((3, \d+)\)", MAKEFILE).groups()
    assert f">={low.replace(', ', '.')},<{high.replace(', ', '.')}" == PROJECT["requires-python"]
    assert sys.version.split()[0] in required


def test_every_import_is_a_direct_dependency():
    """What the package and the notebooks import is pinned by us, not by luck."""
    owners = metadata.packages_distributions()
    code = [p.read_text(encoding="utf-8") for p in ROOT.glob("wfine_*/**/*.py")]
    for path in [*ROOT.glob("notebooks/*.ipynb"), *ROOT.glob("course/*/*.ipynb")]:
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        code += ["".join(c["source"]) for c in cells if c["cell_type"] == "code"]
    imported = {
        name.split(".")[0]
        for source in code
        for node in ast.walk(ast.parse(source))
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    } - {"", *(p.name for p in ROOT.glob("wfine_*")), *sys.stdlib_module_names}
    # IPython is what a kernel runs in: ipykernel cannot be installed without it.
    known = set(pins(DIRECT)) | {"ipython"}
    missing = {m for m in imported if not known & {canonicalize_name(d) for d in owners[m]}}
    assert not missing, f"add to pyproject.toml: {sorted(missing)}"


def test_files_beside_the_code_are_installed():
    """A text, template or data file of a package is named in package-data."""
    tool = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]
    for package, patterns in tool["setuptools"]["package-data"].items():
        folder = ROOT / package
        named = {path for pattern in patterns for path in folder.glob(pattern)}
        files = {p for p in folder.rglob("*") if p.is_file() and "__pycache__" not in p.parts}
        assert {p for p in files if p.suffix != ".py"} <= named
    assert not [p for p in (ROOT / "wfine_study").rglob("*.*") if p.suffix not in (".py", ".pyc")]


def test_licence_is_named_alike_everywhere():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    text = (ROOT / "LICENSE").read_text(encoding="utf-8")
    assert PROJECT["license"] == citation["license"] == "Apache-2.0"
    assert "Apache License" in text
    assert text.rstrip().endswith("limitations under the License.")
    assert citation["version"] == PROJECT["version"]


@pytest.mark.parametrize("command", [["check"], ["format", "--check"]], ids=lambda c: c[0])
def test_ruff(command):
    done = subprocess.run(
        [sys.executable, "-m", "ruff", *command, "."], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_make_help_names_every_command():
    done = subprocess.run(["make"], cwd=ROOT, capture_output=True, text=True, check=True)
    for target in re.findall(r"^([a-z-]+):.*##", MAKEFILE, re.MULTILINE):
        assert f"make {target}" in done.stdout
    for preset in (p.name for p in (ROOT / "params").iterdir() if p.is_dir()):
        assert preset in done.stdout


def test_make_says_what_is_wrong_with_an_old_python(project):
    old = project / "python3.9"
    old.write_text('#!/bin/sh\ntest "$1" = --version && echo Python 3.9.18\nexit 1\n')
    old.chmod(0o755)
    done = subprocess.run(
        ["make", "env", f"PYTHON={old}"], cwd=project, capture_output=True, text=True
    )
    assert done.returncode != 0
    assert "Python 3.9.18; expected Python 3.11 to 3.14" in done.stderr
    assert not (project / ".venv").exists()


@pytest.mark.parametrize(
    ("option", "expected"),
    [
        ("PRESET=nope", "found 'nope', expected one of encoder mini"),
        ("CORES=two", "found 'two', expected a number of CPU cores"),
        ("CORES=0", "found '0', expected a number of CPU cores"),
    ],
)
def test_make_refuses_a_bad_option_before_it_installs(project, option, expected):
    python = project / "python"  # would be asked for its version next
    python.write_text("#!/bin/sh\ntouch was_asked\nexit 1\n")
    python.chmod(0o755)
    command = ["make", "reproduce", option, f"PYTHON={python}"]
    done = subprocess.run(command, cwd=project, capture_output=True, text=True)
    assert done.returncode != 0
    assert f"{option.split('=')[0]}: {expected}" in done.stderr
    assert not (project / "was_asked").exists() and not (project / "outputs").exists()


def test_make_clean_keeps_the_reference_run(project):
    for name in ("mini/x.csv", "smoke/x.csv", "reference/mini/x.csv"):
        path = project / "outputs" / name
        path.parent.mkdir(parents=True)
        path.touch()
    subprocess.run(["make", "clean"], cwd=project, check=True, capture_output=True)
    assert [p.name for p in (project / "outputs").iterdir()] == ["reference"]
    assert (project / "outputs" / "reference" / "mini" / "x.csv").exists()
    assert (project / "params").exists()


def test_pre_commit_uses_the_pinned_versions():
    repos = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
    versions = {repo["repo"].split("/")[-1]: repo["rev"].removeprefix("v") for repo in repos}
    pinned = pins(DIRECT)
    assert versions == {"ruff-pre-commit": pinned["ruff"], "nbstripout": pinned["nbstripout"]}


@pytest.mark.parametrize("room", ["rewards.training", "policy.grpo", "models.places"])
def test_nobody_is_told_who_trains(room):
    """trl counts its users over the network, unless it is told not to before it is imported."""
    code = (
        f"import sys, wfine_utils.{room}, huggingface_hub as hub; "
        "sys.exit(not hub.constants.HF_HUB_DISABLE_TELEMETRY)"
    )
    asked_already = {"HF_HUB_DISABLE_TELEMETRY", "DO_NOT_TRACK", "DISABLE_TELEMETRY"}
    env = {name: value for name, value in os.environ.items() if name not in asked_already}
    subprocess.run([sys.executable, "-c", code], env=env, check=True, cwd=ROOT)
