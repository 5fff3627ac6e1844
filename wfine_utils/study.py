"""The study behind notebook 06, one cell at a time: ``python -m wfine_utils.study run SLUG …``.

A cell leaves a folder ``<out>/<slug>`` with ``result.json`` (metrics with their n, sizes, seconds,
versions) and tables in parquet that later tests pair: chain by chain, pair by pair, query by
query. The folder appears when it is complete, and a cell is run again only if something that its
numbers depend on has changed. The adapter of a reward model stays only where a policy needs it.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import sys
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from wfine_utils import results, sources
from wfine_utils.errors import WfineError
from wfine_utils.files import PARTIAL, atomic_write, json_text, plain, sha256_file, shown
from wfine_utils.study_cells import (
    ADAPTER,
    Cell,
    PolicyCell,
    RewardCell,
    StudySettings,
    cells,
    find_cell,
    load_settings,
)

if TYPE_CHECKING:  # torch is slow to import, and most of what is here can do without
    from wfine_utils.bases import Base

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
    RewardCell: ("dirt", "reward_model", "reward_training", "scorers", "study_data", "weval"),
    PolicyCell: ("adherence", "generation", "policy", "study_data"),
}
_SETTINGS: dict[type[Cell], tuple[str, ...]] = {
    RewardCell: ("seed", "n_test_chains", "n_test_pairs", "n_ifeval_pairs", "reward"),
    PolicyCell: ("seed", "n_train_queries", "n_test_queries", "policy"),
}


def run_cell(cell: Cell, settings: StudySettings, base: Base, folder: Path) -> str:
    """Train and examine one cell, unless that has been done.

    Args:
        cell: one of ``cells(settings)``.
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
    from wfine_utils import study_runs  # brings torch

    partial = folder / f"{PARTIAL}{cell.slug}"
    _make_empty(partial)
    start, cpu_start = time.perf_counter(), time.process_time()
    if isinstance(cell, RewardCell):
        found = study_runs.run_reward_cell(cell, settings, base, partial)
        if not keep:
            shutil.rmtree(partial / ADAPTER)
    else:
        reward_model = folder / cell.reward_cell.slug / ADAPTER
        found = study_runs.run_policy_cell(cell, settings, base, partial, reward_model)
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
    modules = [sources.PACKAGE / f"{name}.py" for name in _MODULES[kind]]
    # study_runs serves both kinds; what it imports for the other one does not count.
    return sorted({*sources.with_imports(modules), sources.PACKAGE / "study_runs.py"})


def read_metrics(settings: StudySettings, folder: Path) -> pd.DataFrame:
    """The metrics of all finished cells, tidy.

    Returns:
        One row per cell, metric and subset: ``slug``, the fields of the cell (a policy's are those
        of its reward model, and ``policy`` is True), ``metric, subset_kind, subset, used, value,
        n``. ``used`` is "as trained", or "whole prompt" for a reward model of single
        requirements that was given the whole prompt; "before" and "after" for a policy.
    """
    rows = []
    for cell in cells(settings):
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
    for cell in cells(settings):
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
        "versions": results.versions(),
    }
    if isinstance(cell, PolicyCell):
        adapter = folder / cell.reward_cell.slug / ADAPTER / "adapter_model.safetensors"
        if not adapter.exists():
            raise WfineError(
                f"{shown(adapter)} is missing: expected the reward model that policy {cell.slug} "
                f"is trained against. Run first: python -m wfine_utils.study run "
                f"{cell.reward_cell.slug} … with the same settings, base and out."
            )
        key["reward_model"] = sha256_file(adapter)
    return plain(key, "key")


def _is_needed(cell: Cell, settings: StudySettings) -> bool:
    """Whether a policy is trained against this cell's reward model."""
    return any(isinstance(c, PolicyCell) and c.reward_cell == cell for c in cells(settings))


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
    return sources.digest(cell_modules(kind))


def _stamp() -> dict[str, Any]:
    import torch

    finished = datetime.now(UTC).isoformat(timespec="seconds")
    return {"finished": finished, **results.environment(), "threads": torch.get_num_threads()}


def _make_empty(folder: Path) -> None:
    """An empty folder in the place of what a killed run has left."""
    try:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
    except OSError as error:
        raise WfineError(
            f"{shown(folder)}: cannot be made: {error.strerror or error}. Expected a folder with "
            "write permission and free space; mend that, or choose another with --out."
        ) from error


# --- command line -----------------------------------------------------------------------


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; see ``python -m wfine_utils.study --help``."""
    parser = argparse.ArgumentParser(
        prog="python -m wfine_utils.study", description="The cells of the study of notebook 06."
    )
    commands = parser.add_subparsers(dest="command", required=True)
    one = commands.add_parser("list", help="the slugs of all cells, policies last, one a line")
    two = commands.add_parser("run", help="run cells, in the order given; finished ones are kept")
    two.add_argument("slugs", nargs="+", metavar="SLUG", help="a name that `list` shows")
    for command in (one, two):
        command.add_argument("--settings", required=True, help="YAML file with the settings")
    two.add_argument("--base", required=True, type=Path, help="base.json that notebook 00 wrote")
    two.add_argument("--out", required=True, type=Path, help="folder for the results")
    two.add_argument("--threads", type=int, help="CPU threads of torch; default: all cores")
    given = parser.parse_args(arguments)
    try:
        settings = load_settings(given.settings)
        if given.command == "list":
            sys.stdout.writelines(f"{cell.slug}\n" for cell in cells(settings))
        else:
            _run(given, settings)
    except WfineError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return 0


def _run(given: argparse.Namespace, settings: StudySettings) -> None:
    chosen = [find_cell(settings, slug) for slug in given.slugs]
    if given.threads is not None and given.threads < 1:
        raise WfineError(f"--threads: found {given.threads}, expected 1 or more.")
    import torch

    from wfine_utils.bases import read_base

    if given.threads:
        torch.set_num_threads(given.threads)
    try:
        base = read_base(given.base)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise WfineError(
            f"{shown(given.base)}: no base model is recorded there ({error!r}). Expected the file "
            "base.json that notebook 00_base_model writes."
        ) from error
    for cell in chosen:
        with contextlib.redirect_stdout(sys.stderr):  # trainers print their logs
            how = run_cell(cell, settings, base, given.out)
        sys.stdout.write(f"{cell.slug}: {how}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
