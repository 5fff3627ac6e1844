"""The base model that results start from, and records of it that can be moved with the models.

No torch here: what is finished can be recognised without it.
"""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any, NamedTuple

from wfine_utils.errors import WfineError
from wfine_utils.files import display_path, sha256_file, write_json

MANIFEST = "manifest.json"
"""File beside an adapter: which base it belongs to, and how it was trained."""

CARD = "README.md"
"""File beside an adapter that tells people of it; no result depends on it."""

NOTEBOOKS = {"reward model": "03_reward_model", "policy": "04_wrl_policy"}
"""Which notebook trains adapters of a kind."""


class Base(NamedTuple):
    """The base model that results start from: a folder, or a Hub id and its revision."""

    model: str
    revision: str | None = None  # None: a folder, or the newest

    @property
    def fingerprint(self) -> str:
        """What results depend on: a folder's files wherever it lies, else id and commit."""
        if Path(self.model).is_dir():
            return folder_fingerprint(self.model)
        return f"{self.model}@{self.pinned.revision or 'newest'}"

    @property
    def pinned(self) -> Base:
        """At the commit that this machine has of a Hub model, as its branches move on.

        As it is where the machine has none yet, and for a folder.
        """
        if Path(self.model).is_dir():
            return self
        try:
            from huggingface_hub import try_to_load_from_cache

            config = try_to_load_from_cache(self.model, "config.json", revision=self.revision)
        except (ModuleNotFoundError, ValueError):  # not part of the core; no name of the Hub
            return self
        return self._replace(revision=Path(config).parent.name) if isinstance(config, str) else self


RECORDS = {"stage.json", "cost.json"}
"""Files beside a model that say how long it took to make."""

UNREAD = {".md", ".csv", ".bin", ".pt", ".h5", ".gguf", ".msgpack"}
"""Texts for people, tables, and weights in formats that are not loaded: only safetensors are."""


def folder_fingerprint(folder: str | Path) -> str:
    """Of every file of a model that can decide what it computes, wherever the folder lies.

    Weights, configurations, the tokenizer and its chat templates; not :data:`RECORDS`,
    :data:`UNREAD`, hidden files, and other folders inside, which nothing reads.
    """
    paths = [*Path(folder).iterdir(), *Path(folder).glob("additional_chat_templates/*")]
    parts = [
        f"{path.name} {sha256_file(path)}"
        for path in sorted(paths)
        if path.is_file()
        and path.name not in RECORDS
        and path.suffix not in UNREAD
        and not path.name.startswith(".")
    ]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def write_base(base_json: Path, base: Base) -> None:
    """Record which model the later notebooks start from; a folder relative to the record.

    A Hub model is recorded at the commit that was loaded, so that they all start from the same.
    """
    base = base.pinned
    write_json(base_json, base._replace(model=portable(base.model, base_json.parent))._asdict())


def read_base(base_json: Path) -> Base:
    """The base model that :func:`write_base` recorded."""
    record = json.loads(base_json.read_text(encoding="utf-8"))
    return Base(located(record["model"], base_json.parent), record["revision"])


def portable(model: str, folder: Path) -> str:
    """A model as a record in ``folder`` names it: a Hub id as it is, a folder as the way there."""
    path = Path(model)
    return os.path.relpath(path.resolve(), folder.resolve()) if path.is_dir() else model


def located(model: str, folder: Path) -> str:
    """The inverse of :func:`portable`: a Hub id as it is, or the absolute path of a folder."""
    path = folder / model
    return str(path.resolve()) if path.is_dir() else model


def write_manifest(folder: Path, base: Base, kind: str, **facts: Any) -> None:
    """Record in an adapter's folder its kind, its base model and ``facts`` of its training."""
    base = base.pinned
    record = {"kind": kind, "base_model": portable(base.model, folder), "revision": base.revision}
    write_json(folder / MANIFEST, record | {"base_fingerprint": base.fingerprint} | facts)


def read_manifest(folder: Path, kind: str, base: Base | None = None) -> tuple[Base, dict[str, Any]]:
    """The record of an adapter, and the base model that it belongs to.

    Args:
        folder: of the adapter.
        kind: the expected one, a key of :data:`NOTEBOOKS`.
        base: on which it is to be put; None: the one that it names.

    Raises:
        WfineError: no record, one of another kind or of an older version, or a base model with
            other weights, configuration or tokenizer than in training: the adapter would be
            another function.
    """
    path, notebook = folder / MANIFEST, NOTEBOOKS[kind]
    if not path.is_file():
        raise WfineError(
            f"{display_path(folder)}: found no {MANIFEST}, expected the folder of a trained "
            f"{kind}; run notebook {notebook} first."
        )
    record = json.loads(path.read_text(encoding="utf-8"))
    if (present := record.get("kind", "none, as in older versions")) != kind:
        raise WfineError(
            f"{display_path(path)}: kind: found {present}, expected {kind}. Give the folder of a "
            f"{kind}, or train it again with notebook {notebook}."
        )
    base = base or Base(located(record["base_model"], folder), record["revision"])
    if base.fingerprint != record["base_fingerprint"]:
        raise WfineError(
            f"{display_path(path)}: the adapter was trained on the base model "
            f"{record['base_fingerprint']}, found {base.fingerprint} ({base.model}), expected the "
            "same weights, configuration and tokenizer. Give that base model, or train the "
            f"{kind} again with notebook {notebook}."
        )
    return base, record
