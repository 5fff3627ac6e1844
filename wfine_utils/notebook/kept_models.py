"""Trained models of a kept run, which notebooks can start from in the place of a training.

They lie in ``outputs/reference/<preset>/models``, laid out as in the run that they are from, in
16 bits, with a list of their sha256. ``wfine keep-reference PRESET --models``
writes them.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from wfine_utils.base_model import CARD
from wfine_utils.errors import WfineError
from wfine_utils.files import display_path, project_root, sha256_file

LISTING = "models.json"
"""File with the sha256 of every other file, by its path."""


def kept_models(preset: str) -> Path:
    """The folder of a preset's kept models."""
    return project_root() / "outputs" / "reference" / preset / "models"


def refuse_without(preset: str, notebook: str) -> None:
    """Say so, before anything else is done, where a notebook has no kept models to start from.

    Raises:
        WfineError: there are none of this preset and notebook.
    """
    folder = kept_models(preset) / notebook
    if not folder.is_dir():
        raise WfineError(
            f"start_from: found 'kept', and no kept models in {display_path(folder)}; expected "
            f"those of a kept run (there are some of: {_presets_with(notebook)}). Set start_from "
            "to 'train'."
        )


def _presets_with(notebook: str) -> str:
    """The presets of which models of a notebook were kept, in words."""
    folders = project_root().glob(f"outputs/reference/*/models/{notebook}")
    return ", ".join(sorted(path.parts[-3] for path in folders)) or "no preset"


def has(preset: str, notebook: str, stage: str) -> bool:
    """Whether the result of a stage was kept."""
    return (kept_models(preset) / notebook / stage).is_dir()


def kept_model(preset: str, notebook: str, stage: str) -> Path:
    """The folder of a kept model, to be loaded where it lies; its base lies where it expects it.

    Args:
        preset: such as ``"mini"``.
        notebook: that trained it, such as ``"03_reward_model"``.
        stage: its name there, such as ``"wrl_requirement"``.

    Raises:
        WfineError: none was kept, or a file is not the one that was kept.
    """
    folder = kept_models(preset)
    kept = folder / notebook / stage
    if not kept.is_dir():
        raise WfineError(
            f"{display_path(kept)}: found no kept model, expected one (there are some of: "
            f"{_presets_with(notebook)}). Run `make reproduce PRESET={preset}`, then "
            f"`make reference PRESET={preset} MODELS=yes`."
        )
    listing = json.loads((folder / LISTING).read_text(encoding="utf-8"))
    for path in sorted(p for p in kept.rglob("*") if p.is_file() and p.name != CARD):
        expected = listing.get(path.relative_to(folder).as_posix())
        if (digest := sha256_file(path)) != expected:
            raise WfineError(
                f"{display_path(path)}: found sha256 {digest}, expected {expected}, as "
                f"{LISTING} says: the file has changed since it was kept. Check the folder out "
                "again, or set start_from to 'train'."
            )
    return kept


def take(preset: str, notebook: str, stage: str, folder: Path) -> None:
    """Copy the kept result of a stage into an empty folder.

    Raises:
        WfineError: a file is not the one that was kept.
    """
    without_card = shutil.ignore_patterns(CARD)  # it is of the kept model
    kept = kept_model(preset, notebook, stage)
    shutil.copytree(kept, folder, dirs_exist_ok=True, ignore=without_card)
