"""Makes the notebooks of the course from their sources: ``wfine course``.

With ``--look`` it only says which are not what their source says. With ``--nbgrader FOLDER`` it
writes, for each week, the source notebook of an nbgrader course to FOLDER/source/<week>.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from wfine_utils.errors import WfineError, explained
from wfine_utils.files import atomic_write, display_path, project_root


@explained
def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; see ``wfine course --help``."""
    parser = argparse.ArgumentParser(prog="wfine course", description=__doc__)
    parser.add_argument("--course", type=Path, help="folder of the weeks; default: course")
    parser.add_argument("--look", action="store_true", help="write nothing")
    parser.add_argument("--nbgrader", type=Path, metavar="FOLDER", help="of an nbgrader course")
    options = parser.parse_args(arguments)
    from wfine_course import generation  # not above: --help waits for nothing

    course = options.course or project_root() / "course"
    if not generation.sources(course):
        raise WfineError(f"{display_path(course)}: found no */source.ipynb, expected one per week.")
    if options.nbgrader:
        for path in generation.sources(course):
            source = generation.read_source(path)
            notebook = generation.generate(source, "exercise", for_nbgrader=True)
            text = generation.notebook_text(notebook)
            to = options.nbgrader / "source" / source.week / f"{source.week}.ipynb"

            def write(to: Path, text: str = text) -> None:
                to.write_text(text, encoding="utf-8", newline="\n")

            sys.stdout.write(f"{atomic_write(to, write)}\n")
        return 0
    stale = generation.build(course, only_look=options.look)
    if options.look and stale:
        names = ", ".join(display_path(path) for path in stale)
        raise WfineError(f"{names}: not what the source says. Run `make course`.")
    for path in stale:
        sys.stdout.write(f"{display_path(path)}\n")
    return 0
