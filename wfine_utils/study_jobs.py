"""Many cells of the study side by side on one machine, for notebook 06 in plain JupyterLab.

In the batch run every cell is a job of Snakemake, and what is here finds them all finished.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import threading
import traceback
from collections.abc import Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.connection import wait
from pathlib import Path
from typing import TYPE_CHECKING

from tqdm.auto import tqdm

from wfine_utils import study
from wfine_utils.errors import WfineError
from wfine_utils.files import shown
from wfine_utils.study_cells import Cell, PolicyCell, StudySettings

if TYPE_CHECKING:  # torch is slow to import, and only the workers need it
    from wfine_utils.bases import Base

LOG = "workers.log"
"""File in the folder of the cells that takes what trainers print."""


def run_cells(
    cells: Sequence[Cell],
    settings: StudySettings,
    base: Base,
    folder: Path,
    *,
    jobs: int | None = None,
) -> dict[str, str]:
    """Compute the cells that are not done yet, several at a time, reward models before policies.

    Every worker has one thread of torch, so that numbers do not depend on how many cores there
    are: they are those of ``python -m wfine_utils.study run SLUG --threads 1``.

    Args:
        cells: of the study; a policy's reward model must be among them, or done.
        settings: of the study.
        base: the model that everything starts from.
        folder: of the cells.
        jobs: cells computed at a time; None: as many as there are cores.

    Returns:
        "computed" or "loaded" by slug, in the order of ``cells``.

    Raises:
        WfineError: fewer than one job; or a cell failed: the message names it. Those that run at
            that time are brought to their end, and everything finished is kept.
    """
    jobs = (os.cpu_count() or 1) if jobs is None else jobs
    if jobs < 1:
        raise WfineError(f"study: jobs: found {jobs}, expected 1 or more, or None for every core.")
    how: dict[str, str] = {}
    with tqdm(total=len(cells), unit="cell", desc="study") as bar:
        for policies in (False, True):
            todo = []
            for cell in cells:
                if isinstance(cell, PolicyCell) != policies:
                    continue
                if study.is_done(cell, settings, base, folder):
                    how[cell.slug] = "loaded"
                    bar.update()
                else:
                    todo.append(cell)
            if todo:
                how |= _compute(todo, settings, base, folder, jobs, bar)
    return {cell.slug: how[cell.slug] for cell in cells}


def _compute(
    todo: Sequence[Cell], settings: StudySettings, base: Base, folder: Path, jobs: int, bar: tqdm
) -> dict[str, str]:
    how: dict[str, str] = {}
    log = _writable_log(folder)
    pool = ProcessPoolExecutor(
        min(jobs, len(todo)),
        mp_context=multiprocessing.get_context("spawn"),  # a fork of a torch process may hang
        initializer=_prepare,
        initargs=(log,),
    )
    try:
        futures: dict[Future[str], Cell] = {
            pool.submit(_work, cell, settings, base, folder): cell for cell in todo
        }
        for future in as_completed(futures):
            slug = futures[future].slug
            try:
                how[slug] = future.result()
            except BrokenProcessPool as error:
                running = ", ".join(c.slug for c in todo if c.slug not in how)
                raise WfineError(
                    f"study: a worker ended without a word; not finished: {running}. Expected "
                    f"every worker to live until its cell is done: see {shown(log)}. If memory ran "
                    "out, choose fewer jobs; finished cells are kept."
                ) from error
            bar.update()
    finally:
        pool.shutdown(cancel_futures=True)
    return how


def _writable_log(folder: Path) -> Path:
    log = folder / LOG
    try:
        folder.mkdir(parents=True, exist_ok=True)
        log.touch()
    except OSError as error:
        raise WfineError(
            f"{shown(log)}: cannot be written: {error.strerror or error}. Expected a folder with "
            "write permission and free space; mend that, or set output_root to another."
        ) from error
    return log


# --- in a worker ------------------------------------------------------------------------


def _prepare(log: Path) -> None:
    """What a worker does first: keep its talk out of the notebook, and use one thread."""
    file = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.dup2(file, 1)
    os.dup2(file, 2)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    import torch

    torch.set_num_threads(1)


def _end_with_parent() -> None:
    """End this worker when the notebook's kernel has been killed: a pool does not see to that."""
    if parent := multiprocessing.parent_process():
        wait([parent.sentinel])
        os._exit(1)


def _work(cell: Cell, settings: StudySettings, base: Base, folder: Path) -> str:
    try:
        return study.run_cell(cell, settings, base, folder)
    except WfineError as error:
        raise WfineError(f"study: cell {cell.slug} failed. {error}") from None
    except Exception as error:
        with contextlib.suppress(OSError):
            traceback.print_exc()
        raise WfineError(
            f"study: cell {cell.slug} stopped with {type(error).__name__}: {error}. Expected it to "
            f"be computed; how it came to this stands in {shown(folder / LOG)}."
        ) from None
