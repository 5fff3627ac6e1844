"""The report of a run: ``wfine report outputs/mini``.

One folder of HTML that can be mailed, opened from a stick, and read on a phone and without a
network: pictures are inside the pages, formulas are MathML, nothing is fetched from elsewhere. It
is light or dark as the reader's system is. :mod:`wfine_workflow.index` makes it.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from wfine_utils.errors import explained


@explained
def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; see ``wfine report --help``."""
    parser = argparse.ArgumentParser(prog="wfine report", description=__doc__)
    parser.add_argument("folder", type=Path, help="outputs/<preset> of a run")
    folder = parser.parse_args(arguments).folder
    from wfine_workflow.index import build  # not above: --help should not wait for nbconvert

    build(folder)
    return 0
