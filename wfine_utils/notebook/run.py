"""Where a run keeps its files, and how it keeps them honest.

A notebook of a preset owns one folder, ``<output_root>/<preset>/<notebook>``. Everything in
it is written under a temporary name and renamed when it is complete, so that a run killed at
any moment leaves either the whole file or none. Long jobs are *stages*: a stage is computed
once for given parameters, source code and library versions, and loaded ever after.

What is the same from run to run (``results.json``, CSVs) is kept apart from what is not:
``stamp.json`` says when and on what machine, ``stage.json`` says how many seconds.
"""

from __future__ import annotations

import json
import os
import platform
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol

import numpy as np

from wfine_utils.errors import WfineError
from wfine_utils.files import (
    PARTIAL,
    atomic_write,
    display_path,
    json_text,
    plain,
    project_root,
    resolve,
    whole_folder,
)
from wfine_utils.notebook.code_digest import digest, module_path, source_digest, with_imports

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure


_STAGE = "stage.json"

_LIBRARIES = ("torch", "transformers", "trl", "peft", "bitsandbytes", "accelerate", "datasets",
              "numpy", "scipy", "pandas")  # fmt: skip


class NotebookConfig(Protocol):
    """What :func:`start_run` asks of parameters; every ``params.NotebookParams`` has it."""

    notebook: ClassVar[str]
    preset: str
    output_root: str
    seed: int

    def model_dump(self, *, mode: str) -> dict[str, Any]: ...


def versions() -> dict[str, str]:
    """Versions of Python and of the libraries that numbers depend on."""
    found = {"python": platform.python_version()}
    for name in _LIBRARIES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = "absent"
    return found


class Run:
    """One notebook's folder, open for writing; made by :func:`start_run`.

    Attributes:
        folder: ``<output_root>/<preset>/<notebook>``, absolute.
        stages: what became of each stage of this run, ``"loaded"`` or ``"computed"``.
    """

    def __init__(self, cfg: NotebookConfig) -> None:
        self.cfg = cfg
        self.folder = resolve(cfg.output_root) / cfg.preset / cfg.notebook
        self.stages: dict[str, str] = {}

    def path(self, name: str) -> Path:
        """Path of a file or folder of this run."""
        return self.folder / name

    def write_csv(self, df: pd.DataFrame, name: str) -> Path:
        """Write a table without its index; the same data give the same bytes.

        Floats are written with the fewest digits that read back as the same float64, missing
        values as nothing, line ends as a line feed on every platform.
        """
        return atomic_write(
            self.path(name), lambda p: df.to_csv(p, index=False, lineterminator="\n")
        )

    def write_parquet(self, df: pd.DataFrame, name: str) -> Path:
        """Write a table without its index, as parquet."""
        return atomic_write(self.path(name), lambda p: df.to_parquet(p, index=False))

    def write_json(self, obj: Any, name: str) -> Path:
        """Write JSON with sorted keys; NaN and infinity are refused, see :func:`plain`."""
        text = json_text(obj, name)
        return self.write_text(text, name)

    def write_text(self, text: str, name: str) -> Path:
        """Write a text file, UTF-8, line feeds."""
        return atomic_write(
            self.path(name), lambda p: p.write_text(text, encoding="utf-8", newline="\n")
        )

    def write_results(self, results: Mapping[str, Any]) -> Path:
        """Write ``results.json``: the numbers of this notebook, the same from run to run.

        Raises:
            WfineError: a number is NaN or infinite; the message names its key.
        """
        return self.write_text(json_text(results, "results"), "results.json")

    def save_figure(self, fig: Figure, name: str, formats: Sequence[str] = ("png",)) -> None:
        """Write ``<name>.png`` (150 dpi) and any other format, without dates inside."""
        no_date = {"png": {"Software": None}, "pdf": {"CreationDate": None}, "svg": {"Date": None}}
        for suffix in formats:
            atomic_write(
                self.path(f"{name}.{suffix}"),
                lambda p, s=suffix: fig.savefig(
                    p, dpi=150, bbox_inches="tight", metadata=no_date.get(s)
                ),
            )

    def previous(self, notebook: str, name: str) -> Path:
        """Path of what an earlier notebook of the same preset has written.

        Raises:
            WfineError: it is not there; one line says which notebook to run first, and how.
        """
        path = self.folder.parent / notebook / name
        if not path.exists():
            raise WfineError(
                f"{display_path(path)} is missing: run notebook {notebook} with preset "
                f"{self.cfg.preset!r} first (notebooks/{notebook}.ipynb in JupyterLab), or "
                f"everything in order with: make reproduce PRESET={self.cfg.preset}"
            )
        return path

    def stage(
        self,
        name: str,
        key: Mapping[str, Any],
        compute: Callable[[Path], object],
        *,
        modules: Sequence[str] = (),
    ) -> Path:
        """Do a long job once: load its result if it belongs to the same inputs, else compute.

        A result belongs to the same inputs if ``key``, the seed, the digest of the package's
        code (:func:`wfine_utils.notebook.code_digest.source_digest`) and the versions of Python and the
        numerical libraries are equal, and every file that the stage had written is still there
        with its size. What only the notebook knows (the parameters used,
        :func:`sha256_file` of the files read) must be in ``key``.

        Args:
            name: folder of the result, inside the run's folder.
            key: plain JSON values.
            compute: called with an empty temporary folder; writes the result there. Its
                folder becomes the result, in place of an older one, only when it returns; if
                it raises or is killed, the temporary folder stays until the next start.
            modules: of our packages, all that ``compute`` calls: only their code, and that of what
                they import, counts then, and not all code that the notebook imports.

        Returns:
            The folder of the result. ``self.stages[name]`` says how it came about.

        Raises:
            WfineError: the folder cannot be written, or ``key`` holds NaN or infinity.
        """
        source = source_digest(self.cfg.notebook)
        if modules:
            source = digest(with_imports(map(module_path, modules)))
        inputs = plain(
            {"key": dict(key), "seed": self.cfg.seed, "source": source, "versions": versions()},
            f"stage {name}",
        )
        self.stages[name] = stage(self.path(name), inputs, compute)
        return self.path(name)


def stage(
    folder: Path,
    inputs: Mapping[str, Any],
    compute: Callable[[Path], object],
    needs: Sequence[str] = (),
) -> Literal["computed", "loaded"]:
    """Fill a folder once: leave it if it belongs to the same inputs, else compute it anew.

    Args:
        folder: of the result; ``stage.json`` in it says what it was made from.
        inputs: plain JSON values, everything that the result depends on.
        compute: called with an empty temporary folder, which takes the place of ``folder`` when
            it returns; see :func:`wfine_utils.files.whole_folder`.
        needs: files that must be there, beside those that were written; an older result without
            them is computed anew.
    """
    if stage_is_done(folder, inputs, needs):
        return "loaded"
    with whole_folder(folder) as partial:
        start = time.perf_counter()
        compute(partial)
        seconds = round(time.perf_counter() - start, 3)
        text = json_text({**inputs, "seconds": seconds, "files": _sizes(partial)}, folder.name)
        (partial / _STAGE).write_text(text, encoding="utf-8")
    return "computed"


def stage_is_done(folder: Path, inputs: Mapping[str, Any], needs: Sequence[str] = ()) -> bool:
    """Whether :func:`stage` with these arguments would have nothing to do."""
    try:
        record = json.loads((folder / _STAGE).read_text(encoding="utf-8"))
        same = all(record[name] == value for name, value in inputs.items())
        sizes = _sizes(folder)
        return same and record["files"].items() <= sizes.items() and sizes.keys() >= set(needs)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return False  # absent or damaged: compute anew


def _sizes(folder: Path) -> dict[str, int]:
    return {
        p.relative_to(folder).as_posix(): p.stat().st_size
        for p in sorted(folder.rglob("*"))
        if p.is_file() and p != folder / _STAGE
    }


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise WfineError(
            f"{display_path(folder)}: this output folder cannot be made: {error.strerror or error}. "
            "Expected a folder with write permission; mend that, or set output_root to another."
        ) from error


def start_run(cfg: NotebookConfig) -> Run:
    """Open the folder of a notebook's run, seed every generator, write ``stamp.json``.

    Args:
        cfg: the notebook's checked parameters. A relative ``output_root`` counts from
            :func:`project_root`.

    Returns:
        The run. What an earlier run left half-written is removed.

    Raises:
        WfineError: the folder cannot be made or written.
    """
    run = Run(cfg)
    _make_folder(run.folder)
    for left_over in list(run.folder.rglob(f"{PARTIAL}*")):
        shutil.rmtree(left_over) if left_over.is_dir() else left_over.unlink(missing_ok=True)
    random.seed(cfg.seed)
    np.random.seed(cfg.seed)
    torch = sys.modules.get("torch")  # never imported here: 01, 05 and 07 can do without
    if torch is not None:
        torch.manual_seed(cfg.seed)
    run.write_json(_stamp(cfg, torch), "stamp.json")
    return run


def _stamp(cfg: NotebookConfig, torch: Any) -> dict[str, Any]:
    gpus = []
    if torch is not None and torch.cuda.is_available():
        gpus = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    return {
        "notebook": cfg.notebook,
        "preset": cfg.preset,
        "seed": cfg.seed,
        "parameters": cfg.model_dump(mode="json"),
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "source_sha256": source_digest(cfg.notebook),
        **environment(),
        "gpu": gpus,
    }


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
    try:
        done = subprocess.run(
            ["git", "rev-parse", "HEAD"], cwd=project_root(), capture_output=True, text=True,
            timeout=10, check=True,
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()


def _cpu_name() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        return next(x.split(":", 1)[1].strip() for x in lines if x.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()
