"""The study behind notebook 06, one cell at a time: ``python -m wfine_study run SLUG …``.

A cell leaves a folder ``<out>/<slug>`` with ``result.json`` (metrics with their n, sizes, seconds,
versions) and tables in parquet that later tests pair: chain by chain, pair by pair, query by
query. The folder appears when it is complete, and a cell is run again only if something that its
numbers depend on has changed. The adapter of a reward model stays only where a policy needs it.
"""

from __future__ import annotations

import contextlib
import json
import multiprocessing
import os
import shutil
import threading
import time
import traceback
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from datetime import UTC, datetime
from functools import cache
from multiprocessing.connection import wait
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
from tqdm.auto import tqdm

from wfine_study.cells import ADAPTER, Cell, PolicyCell, RewardCell, StudySettings, all_cells
from wfine_utils.errors import WfineError
from wfine_utils.files import PARTIAL, atomic_write, display_path, json_text, plain, sha256_file
from wfine_utils.notebook.code_digest import digest, module_path, with_imports
from wfine_utils.notebook.run import environment, versions

if TYPE_CHECKING:
    from wfine_utils.base_model import Base


RESULT = "result.json"

_FILES = {
    RewardCell: (
        "scores.parquet",
        "verdicts.parquet",
        "per_chain.parquet",
        "pairs.parquet",
        "learning_curve.csv",
    ),
    PolicyCell: ("per_query.parquet", "training_curve.csv"),
}


# What a cell's numbers depend on. The list of cells is left out: the key holds the cell.
_MODULES: dict[type[Cell], tuple[str, ...]] = {
    RewardCell: (
        "wfine_study.exam_data",
        "wfine_study.noisy_pairs",
        "wfine_utils.rewards.reward_model",
        "wfine_utils.rewards.training",
        "wfine_utils.weval.evaluation",
        "wfine_utils.weval.scorers",
    ),
    PolicyCell: (
        "wfine_study.exam_data",
        "wfine_utils.adherence.measure",
        "wfine_utils.policy.generation",
        "wfine_utils.policy.grpo",
    ),
}

_SETTINGS: dict[type[Cell], tuple[str, ...]] = {
    RewardCell: ("seed", "n_test_chains", "n_test_pairs", "n_ifeval_pairs", "reward"),
    PolicyCell: ("seed", "n_train_queries", "n_test_queries", "policy"),
}


def run_cell(cell: Cell, settings: StudySettings, base: Base, folder: Path) -> str:
    """Train and examine one cell, unless that has been done.

    Args:
        cell: one of ``all_cells(settings)``.
        settings: of the study.
        base: the model that everything starts from.
        folder: of the study; the cell's own folder is made in it, named by its slug.

    Returns:
        "computed" or "loaded".

    Raises:
        WfineError: a policy whose reward model has not been made, a folder that cannot be
            written, or a number that is not finite.
    """
    final = folder / cell.slug
    key = _key(cell, settings, base, folder)
    keep = _is_needed(cell, settings)
    if _is_done(final, key, _expected(cell, keep)):
        return "loaded"
    from wfine_study.cell_runs import run_policy_cell, run_reward_cell  # brings torch

    partial = folder / f"{PARTIAL}{cell.slug}"
    _make_empty(partial)
    start, cpu_start = time.perf_counter(), time.process_time()
    if isinstance(cell, RewardCell):
        found = run_reward_cell(cell, settings, base, partial)
        if not keep:
            shutil.rmtree(partial / ADAPTER)
    else:
        reward_model = folder / cell.reward_cell.slug / ADAPTER
        found = run_policy_cell(cell, settings, base, partial, reward_model)
    record = found._asdict() | {
        "slug": cell.slug,
        "cell": cell.model_dump(mode="json"),
        "key": key,
        "stamp": _stamp(),
    }
    record["seconds"] |= {
        "total": round(time.perf_counter() - start, 2),
        "cpu": round(time.process_time() - cpu_start, 2),  # of all threads together
    }
    text = json_text(record, RESULT)
    atomic_write(partial / RESULT, lambda path: path.write_text(text, encoding="utf-8"))
    if final.exists():  # a folder cannot replace a full one
        shutil.rmtree(final)
    os.replace(partial, final)
    return "computed"


def is_done(cell: Cell, settings: StudySettings, base: Base, folder: Path) -> bool:
    """Whether :func:`run_cell` with the same arguments would have nothing to do."""
    try:
        key = _key(cell, settings, base, folder)
    except WfineError:  # a policy without its reward model
        return False
    return _is_done(folder / cell.slug, key, _expected(cell, _is_needed(cell, settings)))


def cell_modules(kind: type[Cell]) -> list[Path]:
    """The modules that the numbers of such cells depend on, directly or through others."""
    modules = with_imports(map(module_path, _MODULES[kind]))
    # cell_runs serves both kinds; what it imports for the other one does not count.
    return sorted({*modules, module_path("wfine_study.cell_runs")})


def read_metrics(settings: StudySettings, folder: Path) -> pd.DataFrame:
    """The metrics of all finished cells, tidy.

    Returns:
        One row per cell, metric and subset: ``slug``, the fields of the cell (a policy's are those
        of its reward model, and ``policy`` is True), ``metric, subset_kind, subset, used, value,
        n``. ``used`` is "as trained", or "whole prompt" for a reward model of single
        requirements that was given the whole prompt; "before" and "after" for a policy.
    """
    rows = []
    for cell in all_cells(settings):
        path = folder / cell.slug / RESULT
        if path.exists():
            model = cell.reward_cell if isinstance(cell, PolicyCell) else cell
            fields = {"slug": cell.slug, "policy": cell is not model, **model.model_dump()}
            found = json.loads(path.read_text(encoding="utf-8"))["metrics"]
            rows += [fields | row for row in found]
    return pd.DataFrame(rows)


def read_costs(settings: StudySettings, folder: Path) -> pd.DataFrame:
    """What every finished cell is and what it cost, one row each.

    Returns:
        ``slug, policy``, the fields of the cell (a policy's are those of its reward model),
        ``seconds`` (wall clock), ``cpu_seconds``, ``threads`` it was given, ``cpu_cores`` of the
        machine.
    """
    rows = []
    for cell in all_cells(settings):
        path = folder / cell.slug / RESULT
        if path.exists():
            model = cell.reward_cell if isinstance(cell, PolicyCell) else cell
            found = json.loads(path.read_text(encoding="utf-8"))
            rows.append(
                {"slug": cell.slug, "policy": cell is not model, **model.model_dump(mode="json")}
                | {"seconds": found["seconds"]["total"], "cpu_seconds": found["seconds"]["cpu"]}
                | {name: found["stamp"][name] for name in ("threads", "cpu_cores")}
            )
    return pd.DataFrame(rows)


# --- what is done already ---------------------------------------------------------------


def _key(cell: Cell, settings: StudySettings, base: Base, folder: Path) -> dict[str, Any]:
    """Everything that the numbers of a cell depend on."""
    values = settings.model_dump(mode="json", include=set(_SETTINGS[type(cell)]))
    values.get("reward", {}).pop("loss", None)  # the cell has its own
    key = {
        "cell": cell.model_dump(mode="json"),
        "settings": values,
        "base": base.fingerprint,
        "source": _source_digest(type(cell)),
        "versions": versions(),
    }
    if isinstance(cell, PolicyCell):
        adapter = folder / cell.reward_cell.slug / ADAPTER / "adapter_model.safetensors"
        if not adapter.exists():
            raise WfineError(
                f"{display_path(adapter)} is missing: expected the reward model that policy {cell.slug} "
                f"is trained against. Run first: python -m wfine_study run "
                f"{cell.reward_cell.slug} … with the same settings, base and out."
            )
        key["reward_model"] = sha256_file(adapter)
    return plain(key, "key")


def _is_needed(cell: Cell, settings: StudySettings) -> bool:
    """Whether a policy is trained against this cell's reward model."""
    return any(isinstance(c, PolicyCell) and c.reward_cell == cell for c in all_cells(settings))


def _expected(cell: Cell, keep: bool) -> list[str]:
    """The files of a finished cell, beside its result."""
    return [*_FILES[type(cell)], *([f"{ADAPTER}/adapter_model.safetensors"] if keep else [])]


def _is_done(final: Path, key: Mapping[str, Any], expected: Sequence[str]) -> bool:
    try:
        found = json.loads((final / RESULT).read_text(encoding="utf-8"))
        return found["key"] == key and all((final / name).exists() for name in expected)
    except (OSError, ValueError, KeyError, TypeError):
        return False  # absent or damaged: compute anew


@cache
def _source_digest(kind: type[Cell]) -> str:
    """Digest of the modules that can change a number of such a cell, as for notebooks."""
    return digest(cell_modules(kind))


def _stamp() -> dict[str, Any]:
    import torch

    finished = datetime.now(UTC).isoformat(timespec="seconds")
    return {"finished": finished, **environment(), "threads": torch.get_num_threads()}


def _make_empty(folder: Path) -> None:
    """An empty folder in the place of what a killed run has left."""
    try:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
    except OSError as error:
        raise WfineError(
            f"{display_path(folder)}: cannot be made: {error.strerror or error}. Expected a folder with "
            "write permission and free space; mend that, or choose another with --out."
        ) from error


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
    are: they are those of ``python -m wfine_study run SLUG --threads 1``.

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
                if is_done(cell, settings, base, folder):
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
                    f"every worker to live until its cell is done: see {display_path(log)}. If memory ran "
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
            f"{display_path(log)}: cannot be written: {error.strerror or error}. Expected a folder with "
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
        return run_cell(cell, settings, base, folder)
    except WfineError as error:
        raise WfineError(f"study: cell {cell.slug} failed. {error}") from None
    except Exception as error:
        with contextlib.suppress(OSError):
            traceback.print_exc()
        raise WfineError(
            f"study: cell {cell.slug} stopped with {type(error).__name__}: {error}. Expected it to "
            f"be computed; how it came to this stands in {display_path(folder / LOG)}."
        ) from None
