"""What the course needs of a computer, what is there, and what to do where something is not."""

from __future__ import annotations

import os
import platform
import sys
import tempfile
from importlib import metadata
from importlib.util import find_spec

import pandas as pd

from wfine_utils.files import project_root

NEEDED = ("numpy", "scipy", "pandas", "matplotlib", "ipykernel", "statsmodels", "krippendorff")
"""Packages of which exercises need the version that the answers were checked with."""


def equipment_table() -> pd.DataFrame:
    """One row for each thing that the course needs: what it is, what was found, is it well, to do.

    Looks, and installs nothing.
    """
    version = sys.version_info[:2]
    rows = [
        ("Python", platform.python_version(), (3, 11) <= version < (3, 15),
         "install Python 3.11 to 3.14"),
        ("processor cores", str(os.cpu_count()), (os.cpu_count() or 1) >= 2,
         "one is enough, and slower"),
    ]  # fmt: skip
    pins = _pins()
    for name in NEEDED:
        try:
            installed = metadata.version(name)
        except metadata.PackageNotFoundError:
            installed = "none"
        wanted = pins.get(name, "any")
        is_well = installed == wanted or (wanted == "any" and installed != "none")
        rows.append((name, installed, is_well, f"version {wanted}: run `make env`"))
    kept = project_root() / "outputs" / "reference" / "mini"
    rows += [
        ("kept results of mini", "yes" if kept.is_dir() else "no", kept.is_dir(),
         "open the notebook inside a clone of the project"),
        ("kept models of mini", "yes" if (kept / "models").is_dir() else "no",
         (kept / "models").is_dir(), "get the newest clone"),
        ("PyTorch", "yes" if find_spec("torch") else "no", find_spec("torch") is not None,
         "weeks 3 and 5 only: run `make env`"),
        ("a folder to write to", tempfile.gettempdir(), os.access(tempfile.gettempdir(), os.W_OK),
         "free some space"),
    ]  # fmt: skip
    table = pd.DataFrame(rows, columns=["what", "found", "is_well", "to do"])
    return table.assign(**{"to do": table["to do"].where(~table["is_well"], "")})


def _pins() -> dict[str, str]:
    """The exact versions that this package asks for; none where it is not installed."""
    try:
        requires = metadata.requires("wfine") or []
    except metadata.PackageNotFoundError:
        return {}
    pairs = (text.split(";")[0].split("==") for text in requires if "==" in text)
    return {name.strip(): version.strip() for name, version in pairs}
