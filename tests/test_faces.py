"""Faces and doors: what a room offers is loaded when it is used."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT

FACES = sorted(ROOT.glob("wfine_*/**/__init__.py"))
DOORS = [
    "wfine_utils.checks", "wfine_utils.models", "wfine_utils.rewards", "wfine_utils.policy",
    "wfine_study", "wfine_course", *(f"wfine_workflow.{x}" for x in (
        "run", "grid", "report", "keep_reference", "slides")),
]  # fmt: skip
HEAVY = set(
    "torch transformers pandas pyarrow scipy matplotlib seaborn statsmodels nbconvert".split()
)


def room(path: Path) -> str:
    return ".".join(path.parent.relative_to(ROOT).parts)


@pytest.mark.parametrize("path", FACES, ids=room)
def test_every_name_of_a_face_is_there_and_is_never_a_module(path):
    """Also for who comes after another has imported a module of the same name."""
    code = f"""
import ast, importlib, pathlib, types
source = pathlib.Path({str(path)!r}).read_text()
blocks = [b for b in ast.parse(source).body if isinstance(b, ast.If)]
names = [a.name for b in blocks for s in b.body if isinstance(s, ast.ImportFrom) for a in s.names]
room = importlib.import_module({room(path)!r})
for name in names:
    assert not isinstance(getattr(room, name), types.ModuleType), name
try:
    room.no_such_name
except AttributeError as error:
    assert str(error) == "module {room(path)!r} has no attribute 'no_such_name'"
else:
    raise AssertionError
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("path", FACES, ids=room)
def test_no_name_of_a_face_is_that_of_a_module_in_the_room(path):
    blocks = [b for b in ast.parse(path.read_text(encoding="utf-8")).body if isinstance(b, ast.If)]
    names = {alias.name for b in blocks for s in b.body for alias in getattr(s, "names", ())}
    modules = {p.stem for p in path.parent.iterdir() if p.suffix == ".py" or p.is_dir()}
    assert not names & modules


@pytest.mark.parametrize("door", DOORS)
def test_help_waits_for_nothing_heavy(door):
    code = f"""
import runpy, sys
sys.argv = ['x', '--help']
try:
    runpy.run_module({door!r}, run_name='__main__')
finally:
    print('heavy:', *({HEAVY} & sys.modules.keys()), file=sys.stderr)
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "usage: " in done.stdout
    assert done.stderr.strip() == "heavy:"
