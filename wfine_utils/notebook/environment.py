"""Where a number was computed: versions, commit and machine, for stamps and keys."""

from __future__ import annotations

import os
import platform
import subprocess
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from wfine_utils.files import project_root

_LIBRARIES = ("torch", "transformers", "trl", "peft", "bitsandbytes", "accelerate", "datasets",
              "numpy", "scipy", "pandas")  # fmt: skip


def versions() -> dict[str, str]:
    """Versions of Python and of the libraries that numbers depend on."""
    numbers = {"python": platform.python_version()}
    for name in _LIBRARIES:
        try:
            numbers[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            numbers[name] = "absent"
    return numbers


def environment() -> dict[str, Any]:
    """Where a number was computed: versions, commit, platform, CPU and its number of cores.

    Also what the CPU can do at once, as NumPy names it (``X86_V3`` is AVX2, ``X86_V4`` AVX512): two
    CPUs of one name can differ in that, and then round differently.
    """
    return {
        "versions": versions(),
        "git_commit": _git_commit(),
        "platform": platform.platform(),
        "cpu": _cpu_name(),
        "cpu_simd": np.show_config(mode="dicts").get("SIMD Extensions", {}).get("found", []),
        "cpu_cores": os.cpu_count(),
    }


def _git_commit() -> str | None:
    options: dict[str, Any] = {"capture_output": True, "text": True, "timeout": 10, "check": True}
    try:
        done = subprocess.run(["git", "rev-parse", "HEAD"], cwd=project_root(), **options)
    except (OSError, subprocess.SubprocessError):
        return None
    return str(done.stdout).strip()


def _cpu_name() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        return next(x.split(":", 1)[1].strip() for x in lines if x.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()
