"""The website: ``wfine site``, or ``make site``.

README, docs, notebooks (as a kept run executed them) and the course, if there is one, as a folder
of static pages with a search. Nothing is executed, nothing is fetched: neither while it is made
nor while it is read. Every warning of Sphinx, and every link within the site that leads nowhere, is
an error, and the pages that were there before stay.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from wfine_utils.errors import WfineError, explained
from wfine_utils.files import display_path, project_root, resolve, whole_folder

if TYPE_CHECKING:
    from wfine_workflow.site.links import Checked

CONFIGURATION = Path(__file__).parent  # conf.py and static/
NEEDED = ("sphinx", "myst_nb", "furo", "sphinx_copybutton")


def build(root: Path, target: Path) -> Checked:
    """Make the site of a clone in a folder, all or nothing.

    Args:
        root: folder of the clone.
        target: folder for the pages; an older one is replaced.

    Raises:
        WfineError: the extra ``site`` is not installed, Sphinx warns of something, or a link
            leads nowhere; up to 20 are named.
    """
    from wfine_workflow.site.links import check
    from wfine_workflow.site.sources import Sources  # not above: --help need not wait for nbconvert

    missing = [name for name in NEEDED if find_spec(name) is None]
    if missing:
        raise WfineError(
            f"The site needs {', '.join(missing)}, which this Python does not have. Call `make "
            "site`, which installs the extra, or: pip install -c constraints.txt -e '.[site]'"
        )
    sources = Sources.of(root)
    with tempfile.TemporaryDirectory() as scratch, whole_folder(target) as partial:
        gathered = Path(scratch) / "sources"
        sources.write(gathered)
        _sphinx(gathered, partial, Path(scratch) / "doctrees")
        checked = check(partial)
        if checked.faults:
            raise _refused(checked.faults)
    return checked


def _sphinx(gathered: Path, pages: Path, doctrees: Path) -> None:
    command = [
        sys.executable, "-m", "sphinx", "-b", "html", "-c", str(CONFIGURATION), "-d", str(doctrees),
        "-W", "--keep-going", "-q", "--no-color", str(gathered), str(pages),
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        said = done.stderr.replace(f"{gathered}/", "").splitlines()
        raise _refused([line for line in said if line.strip()])


def _refused(faults: Sequence[str]) -> WfineError:
    shown = "\n".join(f"  {fault}" for fault in faults[:20])
    more = f"\n  and {len(faults) - 20} more" if len(faults) > 20 else ""
    n = "1 fault" if len(faults) == 1 else f"{len(faults)} faults"
    return WfineError(
        f"The site was not made: found {n}, expected none. Mend the page that is named, in the "
        f"repository, and call this again.\n{shown}{more}"
    )


@explained
def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; see ``wfine site --help``."""
    parser = argparse.ArgumentParser(prog="wfine site", description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("outputs/site"), help="folder to make")
    options = parser.parse_args(arguments)
    target = resolve(options.out)
    checked = build(project_root(), target)
    sys.stdout.write(
        f"{display_path(target / 'index.html')}: {checked.n_pages} pages, {checked.n_links} links "
        f"and files within, none missing; {checked.n_elsewhere} links to elsewhere, not followed\n"
    )
    return 0
