"""Where a run keeps its files: one folder per notebook and preset.

Everything is written under a temporary name and renamed when it is complete: a run killed at any
moment leaves the whole file or none. What is the same from run to run (``results.json``, CSVs) is
kept apart from what is not: ``stamp.json`` says when and on what machine, ``stage.json`` how long.
"""

from __future__ import annotations

import hashlib
import io
import random
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from textwrap import fill
from typing import TYPE_CHECKING, Any

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
from wfine_utils.notebook import kept_models
from wfine_utils.notebook.code_digest import digest, module_path, source_digest, with_imports
from wfine_utils.notebook.environment import environment, versions
from wfine_utils.notebook.params import NotebookParams
from wfine_utils.notebook.stages import fingerprint, stage

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from wfine_utils.notebook.sentences import Finding


def _small_png(fig: Figure) -> bytes:
    """A figure for the screen, in 256 colours: a third of the bytes, and notebooks hold many."""
    from PIL import Image

    full, small = io.BytesIO(), io.BytesIO()
    fig.savefig(full, format="png", dpi=100, bbox_inches="tight")
    palette = Image.open(full).convert("RGB").quantize(256, dither=Image.Dither.NONE)
    palette.save(small, format="png", optimize=True)
    return small.getvalue()


class Run:
    """One notebook's folder, open for writing; made by :func:`start_run`.

    Attributes:
        folder: ``<output_root>/<preset>/<notebook>``, absolute.
        stages: what became of each stage of this run: ``"loaded"``, ``"computed"`` or ``"kept"``.
    """

    def __init__(self, cfg: NotebookParams) -> None:
        self.cfg = cfg
        self.folder = resolve(cfg.output_root) / cfg.preset / cfg.notebook
        self.stages: dict[str, str] = {}

    def path(self, name: str) -> Path:
        """Path of a file or folder of this run."""
        return self.folder / name

    def write_csv(self, df: pd.DataFrame, name: str) -> Path:
        """Write a table without its index; the same data give the same bytes on every platform."""
        write = partial(df.to_csv, index=False, lineterminator="\n")
        return atomic_write(self.path(name), write)

    def write_parquet(self, df: pd.DataFrame, name: str) -> Path:
        """Write a table without its index, as parquet."""
        return atomic_write(self.path(name), partial(df.to_parquet, index=False))

    def write_json(self, obj: Any, name: str) -> Path:
        """Write JSON with sorted keys; NaN and infinity are refused, see :func:`plain`."""
        return self.write_text(json_text(obj, name), name)

    def write_text(self, text: str, name: str) -> Path:
        """Write a text file, UTF-8, line feeds."""
        return atomic_write(self.path(name), lambda p: p.write_text(text, "utf-8", newline="\n"))

    def write_results(self, results: Mapping[str, Any]) -> Path:
        """Write ``results.json``: the numbers of this notebook, the same from run to run.

        Raises:
            WfineError: a number is NaN or infinite; the message names its key.
        """
        return self.write_text(json_text(results, "results"), "results.json")

    def save_figure(
        self,
        fig: Figure,
        name: str,
        finding: Finding | None = None,
        formats: Sequence[str] = ("png",),
    ) -> None:
        """Lay a figure out, title it with what was found, and write it at 150 dpi without a date.

        In a notebook the figure is shown too, and the sentence of the finding below it.

        Args:
            fig: of matplotlib.
            name: of the file, without its suffix.
            finding: what the figure's table says; see :mod:`wfine_utils.notebook.sentences`.
            formats: suffixes.
        """
        if finding:
            fig.suptitle(fill(finding.title, int(11 * fig.get_figwidth())), fontsize="medium")
        fig.tight_layout()
        no_date = {"png": {"Software": None}, "pdf": {"CreationDate": None}, "svg": {"Date": None}}
        for suffix in formats:
            atomic_write(
                self.path(f"{name}.{suffix}"),
                partial(fig.savefig, dpi=150, bbox_inches="tight", metadata=no_date.get(suffix)),
            )
        ipython = sys.modules.get("IPython")  # never imported here: scripts can do without
        if ipython is not None and ipython.get_ipython() is not None:
            from IPython.display import Image, Markdown, display
            from matplotlib import pyplot

            display(Image(data=_small_png(fig)))
            pyplot.close(fig)  # else it would be shown once more at the end of the cell
            if finding:
                display(Markdown(finding.sentence))

    def previous(self, notebook: str, name: str, preset: str = "") -> Path:
        """Path of what an earlier notebook has written, of this preset if no other is named.

        Raises:
            WfineError: it is not there; one line says which notebook to run first, and how.
        """
        preset = preset or self.cfg.preset
        path = self.folder.parents[1] / preset / notebook / name
        if not path.exists():
            raise WfineError(
                f"{display_path(path)} is missing: run notebook {notebook} with preset "
                f"{preset!r} first (notebooks/{notebook}.ipynb in JupyterLab), or "
                f"everything in order with: make reproduce PRESET={preset}"
            )
        return path

    @property
    def starts_from_kept(self) -> bool:
        """Whether trainings are replaced by the models of a kept run."""
        return getattr(self.cfg, "start_from", "train") == "kept"

    def _take_kept(self, name: str) -> bool:
        """Put the kept result of a stage in place; False where none was kept."""
        if not kept_models.has(self.cfg.preset, self.cfg.notebook, name):
            return False
        with whole_folder(self.path(name)) as folder:
            kept_models.take(self.cfg.preset, self.cfg.notebook, name, folder)
        self.stages[name] = "kept"
        return True

    def stage(
        self,
        name: str,
        key: Mapping[str, Any],
        compute: Callable[..., object],
        *,
        code: Sequence[Callable[..., object]] = (),
        resumable: bool = False,
    ) -> Path:
        """Do a long job once: load its result if it belongs to the same inputs, else compute.

        A result belongs to the same inputs if ``key``, the seed, the digest of the package's
        code (:func:`~wfine_utils.notebook.code_digest.source_digest`) and the versions of Python
        and the numerical libraries are equal, and every file that the stage had written is still
        there with its size.

        Args:
            name: folder of the result, inside the run's folder.
            key: what the result depends on and only the notebook knows: plain values, settings, a
                base model, chains or pairs; a path stands for what is in the file.
            compute: called with an empty temporary folder, which becomes the result, in place of an
                older one, only when it returns.
            code: the functions that ``compute`` calls, if only their modules and what those import
                are to count, and not all code that the notebook imports.
            resumable: ``compute`` is called with a second folder, ``checkpoints=``, that belongs to
                the same inputs and is there again for the next run if this one is killed.

        Returns:
            The folder of the result. ``self.stages[name]`` says how it came about. Where a run
            starts from kept models, a training that was kept is neither loaded nor computed.

        Raises:
            WfineError: the folder cannot be written, or ``key`` holds NaN or infinity.
        """
        if self.starts_from_kept and self._take_kept(name):
            return self.path(name)
        source = source_digest(self.cfg.notebook)
        if code:
            source = digest(with_imports(module_path(function.__module__) for function in code))
        inputs = plain(
            {"key": fingerprint(key), "seed": self.cfg.seed, "source": source,
             "versions": versions()},
            f"stage {name}",
        )  # fmt: skip
        key_digest = hashlib.sha256(json_text(inputs, name).encode()).hexdigest()[:16]
        kept = self.path(f"checkpoints/{name}-{key_digest}")
        if resumable:
            compute = partial(compute, checkpoints=kept)
        self.stages[name] = stage(self.path(name), inputs, compute)
        shutil.rmtree(kept, ignore_errors=True)
        with suppress(OSError):  # there is none, or it holds those of another stage
            kept.parent.rmdir()
        return self.path(name)


def check_previous(
    output_root: str, previous: Mapping[str, str], files: Sequence[str] = ()
) -> None:
    """Name every earlier notebook and file that is not there, before anything long begins.

    Args:
        output_root: of this notebook's parameters.
        previous: name of each notebook that is read, and the preset whose results are meant.
        files: paths of the user's own, seen from the project root; "" names none.

    Raises:
        WfineError: results or files are missing; it says how to come by them.
    """
    absent = [path for path in map(resolve, filter(None, files)) if not path.exists()]
    if absent:
        raise WfineError(
            f"{', '.join(map(display_path, absent))}: found no such file, expected the one that a "
            "parameter names. A relative path counts from the project's root."
        )
    folders = [resolve(output_root) / preset / name for name, preset in previous.items()]
    missing = [folder for folder in folders if not (folder / "results.json").exists()]
    if missing:
        presets = {folder.parent.name for folder in missing}
        known = {preset for preset in presets if (project_root() / "params" / preset).is_dir()}
        commands = " and ".join(f"make reproduce PRESET={preset}" for preset in sorted(known))
        raise WfineError(
            f"{', '.join(display_path(folder) for folder in missing)}: found no results, expected "
            "those of the notebooks of these names, which this one reads. Run them first, in this "
            f"order, with the same preset{f', or all with: {commands}' if known else ''}."
        )


def needed_file(path: str, parameter: str, source: str) -> Path:
    """The file that a parameter must name, because none of the kind comes with the project.

    Args:
        path: the parameter's value; a relative path counts from the project's root.
        parameter: its name.
        source: what the file is and where it comes from, in words.

    Raises:
        WfineError: the parameter is empty, or there is no such file.
    """
    if not path:
        raise WfineError(
            f"{parameter}: found no path, expected that of {source}. It does not come with the "
            f"project: fetch it, put it into data/, and give its path in {parameter}."
        )
    if not (resolved := resolve(path)).is_file():
        raise WfineError(
            f"{parameter}: found no file {display_path(resolved)}, expected {source}. A relative "
            "path counts from the project's root."
        )
    return resolved


def start_run(cfg: NotebookParams, remove: Sequence[str] = ()) -> Run:
    """Open the folder of a notebook's run, seed every generator, write ``stamp.json``.

    What an earlier run left half-written is removed.

    Args:
        cfg: the notebook's parameters. A relative ``output_root`` counts from :func:`project_root`.
        remove: patterns of results that this run may not write, such as ``"tables/*"``: those of an
            earlier run must not pass for its own.

    Raises:
        WfineError: the folder cannot be made or written, or the run is to start from kept models
            and there are none.
    """
    run = Run(cfg)
    if run.starts_from_kept:
        kept_models.refuse_without(cfg.preset, cfg.notebook)
    try:
        run.folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise WfineError(
            f"{display_path(run.folder)}: this output folder cannot be made: "
            f"{error.strerror or error}. Expected a folder with write permission; mend that, or "
            "set output_root to another."
        ) from error
    for pattern in (f"**/{PARTIAL}*", *remove):
        for left_over in list(run.folder.glob(pattern)):
            shutil.rmtree(left_over) if left_over.is_dir() else left_over.unlink(missing_ok=True)
    random.seed(cfg.seed)
    np.random.seed(cfg.seed)
    torch: Any = sys.modules.get("torch")  # never imported here: 01, 05 and 07 can do without
    if torch is not None:
        torch.manual_seed(cfg.seed)
    gpus = []
    if torch is not None and torch.cuda.is_available():
        gpus = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    stamp = {
        "notebook": cfg.notebook,
        "preset": cfg.preset,
        "seed": cfg.seed,
        "parameters": cfg.model_dump(mode="json"),
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "source_sha256": source_digest(cfg.notebook),
        **environment(),
        "gpu": gpus,
    }
    run.write_json(stamp, "stamp.json")
    return run
