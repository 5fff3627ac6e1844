"""The cells of the study, each computed once: alone, or several at a time.

A cell leaves a folder ``<out>/<slug>`` with ``result.json`` (metrics, sizes, seconds, versions) and
tables in parquet that later tests pair by chain, pair or query. It is run again only if something
that its numbers depend on has changed; ``stage.json`` holds all of that.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import shutil
import threading
import time
import traceback
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from datetime import UTC, datetime
from functools import cache
from multiprocessing.connection import wait
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
from tqdm.auto import tqdm

from wfine_study.cells import ADAPTER, Cell, PolicyCell, RewardCell, StudySettings, all_cells
from wfine_utils.base_model import folder_fingerprint
from wfine_utils.errors import WfineError
from wfine_utils.files import atomic_write, display_path, plain, write_json
from wfine_utils.notebook.code_digest import digest, module_path, with_imports
from wfine_utils.notebook.environment import environment, versions
from wfine_utils.notebook.parallel import at_a_time
from wfine_utils.notebook.stages import stage, stage_is_done

if TYPE_CHECKING:
    from wfine_utils.base_model import Base

RESULT = "result.json"
"""File of a finished cell."""

LOG = "workers.log"
"""File in the folder of the cells that takes what trainers print."""

_WEIGHTS = f"{ADAPTER}/adapter_model.safetensors"

# What a cell's numbers depend on. The list of cells is left out: the inputs hold the cell.
_MODULES: dict[type[Cell], str] = {
    RewardCell: "wfine_study.reward_cell",
    PolicyCell: "wfine_study.policy_cell",
}
_SETTINGS: dict[type[Cell], set[str]] = {
    RewardCell: {"seed", "n_test_chains", "n_test_pairs", "n_ifeval_pairs", "reward"},
    PolicyCell: {"seed", "n_train_queries", "n_test_queries", "policy"},
}


# --- one cell ---------------------------------------------------------------------------


def run_cell(cell: Cell, settings: StudySettings, base: Base, folder: Path) -> str:
    """Train and examine one cell, unless that has been done.

    The adapter of a reward model is kept only where a policy needs it.

    Args:
        cell: one of ``all_cells(settings)``.
        base: the model that everything starts from.
        folder: of the study; the cell's own folder in it is named by its slug.

    Returns:
        "computed" or "loaded".

    Raises:
        WfineError: a policy whose reward model has not been made, a folder that cannot be written,
            or a number that is not finite.
    """
    needs = _needed_files(cell, settings)

    def compute(partial: Path) -> None:
        import torch

        from wfine_study import policy_cell, reward_cell

        start, cpu_start = time.perf_counter(), time.process_time()
        seconds: dict[str, float] = {}

        def lap(name: str) -> None:
            seconds[name] = round(time.perf_counter() - start - sum(seconds.values()), 2)

        if isinstance(cell, RewardCell):
            metrics, sizes = reward_cell.run_reward_cell(cell, settings, base, partial, lap)
            if not needs:
                shutil.rmtree(partial / ADAPTER)
        else:
            model = folder / cell.reward_cell.slug / ADAPTER
            metrics, sizes = policy_cell.run_policy_cell(cell, settings, base, partial, lap, model)
        seconds["total"] = round(time.perf_counter() - start, 2)
        seconds["cpu"] = round(time.process_time() - cpu_start, 2)  # of all threads together
        finished = datetime.now(UTC).isoformat(timespec="seconds")
        stamp = {"finished": finished, **environment(), "threads": torch.get_num_threads()}
        write_json(partial / RESULT, {
            "slug": cell.slug, "cell": cell.model_dump(mode="json"), "stamp": stamp,
            "metrics": metrics.to_dict("records"), "sizes": sizes, "seconds": seconds,
        })  # fmt: skip

    return stage(folder / cell.slug, cell_inputs(cell, settings, base, folder), compute, needs)


def is_done(cell: Cell, settings: StudySettings, base: Base, folder: Path) -> bool:
    """Whether :func:`run_cell` with the same arguments would have nothing to do."""
    try:
        inputs = cell_inputs(cell, settings, base, folder)
    except WfineError:  # a policy without its reward model
        return False
    return stage_is_done(folder / cell.slug, inputs, _needed_files(cell, settings))


def cell_inputs(cell: Cell, settings: StudySettings, base: Base, folder: Path) -> dict[str, Any]:
    """Everything that the numbers of a cell depend on, as plain JSON values.

    Raises:
        WfineError: a policy whose reward model has not been made.
    """
    values = settings.model_dump(mode="json", include=_SETTINGS[type(cell)])
    values.get("reward", {}).pop("loss", None)  # the cell has its own
    inputs = {
        "cell": cell.model_dump(mode="json"),
        "settings": values,
        "base": base.fingerprint,
        "source": _source_digest(type(cell)),
        "versions": versions(),
    }
    if isinstance(cell, PolicyCell):
        weights = folder / cell.reward_cell.slug / _WEIGHTS
        if not weights.exists():
            raise WfineError(
                f"{display_path(weights)} is missing: expected the reward model that policy "
                f"{cell.slug} is trained against. Run first: wfine study run "
                f"{cell.reward_cell.slug} … with the same settings, base and out."
            )
        inputs["reward_model"] = folder_fingerprint(weights.parent)
    return plain(inputs, "inputs")


def cell_modules(kind: type[Cell]) -> list[Path]:
    """The modules that the numbers of such cells depend on, directly or through others."""
    return with_imports([module_path(_MODULES[kind])])


@cache
def _source_digest(kind: type[Cell]) -> str:
    return digest(cell_modules(kind))


def _needed_files(cell: Cell, settings: StudySettings) -> list[str]:
    """The weights of a reward model, where a policy is trained against it."""
    policies = (c for c in all_cells(settings) if isinstance(c, PolicyCell))
    return [_WEIGHTS] if any(policy.reward_cell == cell for policy in policies) else []


# --- what finished cells have left ------------------------------------------------------


def read_metrics(settings: StudySettings, folder: Path) -> pd.DataFrame:
    """The metrics of all finished cells, one row per cell, metric and subset.

    Returns:
        ``slug, policy``, the fields of the cell (a policy's are those of its reward model),
        ``metric, subset_kind, subset, used, value, n``. ``used`` is "as trained", or "whole prompt"
        for a reward model of single requirements that was given the whole prompt; "before" and
        "after" for a policy.
    """
    results = _results(settings, folder)
    return pd.DataFrame(fields | row for fields, result in results for row in result["metrics"])


def read_costs(settings: StudySettings, folder: Path) -> pd.DataFrame:
    """What every finished cell is and what it cost, one row each.

    Returns:
        ``slug, policy`` and fields as in :func:`read_metrics`; ``seconds`` of wall clock,
        ``cpu_seconds`` of all threads, ``threads``, ``cpu_cores`` of the machine.
    """
    return pd.DataFrame(
        fields
        | {"seconds": result["seconds"]["total"], "cpu_seconds": result["seconds"]["cpu"]}
        | {name: result["stamp"][name] for name in ("threads", "cpu_cores")}
        for fields, result in _results(settings, folder)
    )


def _results(settings: StudySettings, folder: Path) -> Iterator[tuple[dict[str, Any], Any]]:
    """Slug and fields of every finished cell, and its ``result.json``."""
    for cell in all_cells(settings):
        path = folder / cell.slug / RESULT
        if path.exists():
            model = cell.reward_cell if isinstance(cell, PolicyCell) else cell
            fields = {"slug": cell.slug, "policy": cell is not model}
            yield fields | model.model_dump(mode="json"), json.loads(path.read_text("utf-8"))


# --- several at a time ------------------------------------------------------------------


def run_cells(
    cells: list[Cell], settings: StudySettings, base: Base, folder: Path, *, jobs: int | None = None
) -> dict[str, str]:
    """Compute the cells that are not done yet, several at a time, reward models before policies.

    Every worker has one thread of torch, so that numbers do not depend on the number of cores: they
    are those of ``wfine study run SLUG --threads 1``.

    Args:
        cells: a policy's reward model must be among them, or done.
        settings, base, folder: as in :func:`run_cell`.
        jobs: cells computed at a time; None: one on a GPU, else as many as there are cores.

    Returns:
        "computed" or "loaded" by slug, in the order of ``cells``.

    Raises:
        WfineError: fewer than one job; or a cell failed: those that run are brought to their end,
            and everything finished is kept.
    """
    jobs = at_a_time() if jobs is None else jobs
    if jobs < 1:
        raise WfineError(f"study: jobs: found {jobs}, expected 1 or more, or None for every core.")
    states = {cell.slug: "loaded" for cell in cells}
    with tqdm(total=len(cells), unit="cell", desc="study") as bar:
        for kind in (RewardCell, PolicyCell):
            part = [cell for cell in cells if isinstance(cell, kind)]
            todo = [cell for cell in part if not is_done(cell, settings, base, folder)]
            bar.update(len(part) - len(todo))
            for slug in _computed(todo, settings, base, folder, jobs) if todo else ():
                states[slug] = "computed"
                bar.update()
    return states


def _computed(
    todo: Sequence[Cell], settings: StudySettings, base: Base, folder: Path, jobs: int
) -> Iterator[str]:
    """The slugs of these cells, each as soon as it is computed."""
    log = atomic_write(folder / LOG, Path.touch)
    context = multiprocessing.get_context("spawn")  # a fork of a torch process may hang
    pool = ProcessPoolExecutor(min(jobs, len(todo)), context, _start_worker, (log,))
    running = {pool.submit(_work, cell, settings, base, folder): cell.slug for cell in todo}
    try:
        for future in as_completed(list(running)):
            future.result()
            yield running.pop(future)
    except BrokenProcessPool as error:
        raise WfineError(
            f"study: a worker ended without a word; not finished: {', '.join(running.values())}. "
            f"See {display_path(log)}; if memory ran out, choose fewer jobs. Finished cells stay."
        ) from error
    finally:
        pool.shutdown(cancel_futures=True)


def _start_worker(log: Path) -> None:
    """Keep a worker's talk out of the notebook, and use one thread."""
    file = os.open(log, os.O_WRONLY | os.O_APPEND)
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


def _work(cell: Cell, settings: StudySettings, base: Base, folder: Path) -> None:
    try:
        run_cell(cell, settings, base, folder)
    except WfineError as error:
        raise WfineError(f"study: cell {cell.slug} failed. {error}") from None
    except Exception as error:
        traceback.print_exc()  # into the log
        raise WfineError(
            f"study: cell {cell.slug} stopped with {type(error).__name__}: {error}. "
            f"The traceback stands in {display_path(folder / LOG)}."
        ) from None
