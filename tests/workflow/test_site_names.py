"""The page of what the library offers, on a package made up here and on our own."""

from __future__ import annotations

import re

from conftest import ROOT

from wfine_workflow.site.names import names_page

FACE = '''"""A room of
two things."""
from typing import TYPE_CHECKING
from wfine_x.room.own import eager
if TYPE_CHECKING:
    from os import path
    from wfine_x.room.mod import LIMIT, ONE, TWO, Thing, measure
'''
MODULE = '''
"""What is measured."""
from wfine_x.room.own import eager
LIMIT = 3
"""How *many* at most."""
ONE, TWO = "one", 2

class Thing:
    """A thing | with :class:`~wfine_x.room.mod.Thing` and ``code``.

    More.
    """

def measure(a: int, /, b: str = "x", *more: int, c: bool, **rest: int) -> int:
    """Measure all
    of it."""
'''
EXPECTED = """## wfine_x.room

A room of two things.

| name | what |
| --- | --- |
| `LIMIT` | How \\*many\\* at most. |
| `ONE` | `'one'` |
| `TWO` | `2` |
| `Thing` | A thing \\| with `Thing` and `code`. |
| `measure(a, b, *more, c, **rest)` | Measure all of it. |
| `eager()` | At once. |
"""


def test_a_room_is_described_by_its_face_and_its_docstrings(tmp_path):
    room = tmp_path / "wfine_x" / "room"
    room.mkdir(parents=True)
    (room / "__init__.py").write_text(FACE)
    (room / "mod.py").write_text(MODULE)
    (room / "own.py").write_text('def eager():\n    """At once."""\n')
    assert names_page(tmp_path).endswith(EXPECTED)


def test_a_clone_without_packages_has_no_such_page(tmp_path):
    assert names_page(tmp_path) is None


def test_something_is_said_of_every_name_of_ours():
    rows = re.findall(r"^\| `(\w+).*?` \| (.*) \|$", names_page(ROOT), re.MULTILINE)
    assert len(rows) > 200
    assert [name for name, about in rows if not about] == []
