"""Which base model results start from, written so that the records can be moved with the models.

No torch here: what is finished can be recognised without it.
"""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import NamedTuple

from wfine_utils.errors import WfineError
from wfine_utils.files import atomic_write, sha256_file

ADAPTER_BASE = "base.json"
"""File beside a policy's adapter: which base it belongs to."""


class Base(NamedTuple):
    """The base model of a preset: a folder or a Hub id, and the Hub revision if there is one."""

    model: str
    revision: str | None

    @property
    def fingerprint(self) -> str:
        """What results depend on: a folder's weights wherever it lies, else id and revision."""
        return weights_digest(self.model) or f"{self.model}@{self.revision or 'newest'}"


def write_base(base_json: Path, model: str | Path, revision: str | None) -> None:
    """Record which model the later notebooks start from; a folder relative to the record."""
    record = {"model": portable(model, base_json.parent), "revision": revision}
    text = json.dumps(record, indent=1) + "\n"
    atomic_write(base_json, lambda path: path.write_text(text, encoding="utf-8"))


def read_base(base_json: Path) -> Base:
    """The base model that :func:`write_base` recorded."""
    record = json.loads(base_json.read_text(encoding="utf-8"))
    return Base(located(record["model"], base_json.parent), record["revision"])


def portable(base_model: str | Path, folder: Path) -> str:
    """A base model as it is written into a record in ``folder``, so that both can be moved.

    Returns:
        A Hub id as it is; a folder as the way there from ``folder``.
    """
    path = Path(base_model)
    return os.path.relpath(path.resolve(), folder.resolve()) if path.is_dir() else str(base_model)


def located(base_model: str, folder: Path) -> str:
    """The inverse of :func:`portable`: a Hub id as it is, or the absolute path of a folder."""
    path = folder / base_model
    return str(path.resolve()) if path.is_dir() else base_model


def weights_digest(base_model: str | Path) -> str | None:
    """sha256 over the weight files of a local model; None for a Hub id, which has a revision."""
    files = sorted(Path(base_model).glob("*.safetensors"))
    digests = "".join(map(sha256_file, files))
    return hashlib.sha256(digests.encode()).hexdigest() if files else None


def write_adapter_base(folder: Path, base: Base) -> None:
    """Record beside an adapter which base model it was trained on, by the base's fingerprint."""
    text = json.dumps({"fingerprint": base.fingerprint}, indent=1) + "\n"
    atomic_write(folder / ADAPTER_BASE, lambda path: path.write_text(text, encoding="utf-8"))


def refuse_other_base(folder: Path, base: Base) -> None:
    """Check that an adapter was trained on ``base``: on another one it is another function.

    Raises:
        WfineError: no record of :func:`write_adapter_base`, or that of another base model.
    """
    path = folder / ADAPTER_BASE
    if not path.is_file():
        raise WfineError(
            f"{folder}: found no {ADAPTER_BASE}, expected the folder of a trained policy; run "
            "notebook 04_wrl_policy first."
        )
    trained_on = json.loads(path.read_text(encoding="utf-8"))["fingerprint"]
    if trained_on != base.fingerprint:
        raise WfineError(
            f"{path}: the adapter was trained on the base model {trained_on}, found "
            f"{base.fingerprint} ({base.model}). Expected the same: weights and adapter belong "
            "together. Give that base model, or train the policy again."
        )
