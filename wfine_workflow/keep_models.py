"""Keeping the trained models of a run, small enough to be passed on: in 16 bits, checked by hash.

In fp16, not bf16: of the size that these weights have it is eight times finer, and a base that is
rounded before it is quantised changes scores where a weight falls to another level of NF4.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from wfine_utils.base_model import CARD, MANIFEST, folder_fingerprint
from wfine_utils.errors import WfineError
from wfine_utils.files import display_path, sha256_file, write_json
from wfine_utils.notebook.kept_models import LISTING

LIMIT = 10_000_000
"""Bytes of all kept models of a preset."""

BASE, ADAPTER = "model.safetensors", "adapter_model.safetensors"
_UNUSED = {"stage.json", CARD, BASE, ADAPTER}


def keep_models(run: Path, target: Path) -> None:
    """Copy base, reward models and policies of a finished run.

    Weights are rounded to fp16, so an adapter's manifest names the rounded base. Of what a trainer
    left behind only the completions of the last logged step are kept, which notebook 04 reads.

    Args:
        run: folder of a preset's results.
        target: empty, or not there yet.

    Raises:
        WfineError: the run made no base model, or the models take more than :data:`LIMIT`.
    """
    bases = sorted(run.glob(f"00_base_model/*/{BASE}"))
    if len(bases) != 1:
        raise WfineError(
            f"{display_path(run)}: found {len(bases)} base models, expected the one that notebook "
            "00 trained: only models that a run made itself are kept."
        )
    (base,) = bases
    adapters = sorted(path for name in ("03*", "04*") for path in run.glob(f"{name}/*/{ADAPTER}"))
    for weights in (base, *adapters):
        _copy(weights, target / weights.parent.relative_to(run))
    fingerprint = folder_fingerprint(target / base.parent.relative_to(run))
    for path in target.rglob(MANIFEST):
        record = json.loads(path.read_text(encoding="utf-8"))
        write_json(path, record | {"base_fingerprint": fingerprint})
    files = sorted(path for path in target.rglob("*") if path.is_file())
    size = sum(path.stat().st_size for path in files)
    if size > LIMIT:
        raise WfineError(
            f"{display_path(run)}: found models of {size:,} bytes in 16 bits, expected at most "
            f"{LIMIT:,}. Keep the run without --models."
        )
    digests = {path.relative_to(target).as_posix(): sha256_file(path) for path in files}
    write_json(target / LISTING, digests)


def _copy(weights: Path, target: Path) -> None:
    """The folder of a model, its weights in fp16."""
    import torch  # brings much that --help need not wait for
    from safetensors.torch import load_file, save_file

    target.mkdir(parents=True)
    for path in weights.parent.iterdir():
        if path.is_file() and path.name not in _UNUSED:
            shutil.copyfile(path, target / path.name)
    rounded = {name: weight.to(torch.float16) for name, weight in load_file(weights).items()}
    if lost := [name for name, weight in rounded.items() if not weight.isfinite().all()]:
        raise WfineError(
            f"{display_path(weights)}: found numbers in {lost[0]} that fp16 cannot hold, expected "
            "none of 65,504 or more. Keep the run without --models."
        )
    save_file(rounded, target / weights.name, metadata={"format": "pt"})
    completions = Path("trainer", "completions")
    if logged := sorted((weights.parent / completions).glob("*.parquet")):
        (target / completions).mkdir(parents=True)
        shutil.copyfile(logged[-1], target / completions / logged[-1].name)
