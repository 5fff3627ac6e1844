"""What transformers loads from a folder or the Hub, and in plain words why it does not load."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import torch
from huggingface_hub import errors as hub

from wfine_utils.base_model import Base
from wfine_utils.errors import WfineError


def from_pretrained(auto_class: Any, base: Base, **kwargs: Any) -> Any:
    """``auto_class.from_pretrained(base, **kwargs)`` without remote code.

    Raises:
        WfineError: a revision of a folder; no such model or revision, or one without safetensors;
            the Hub cannot be reached.
    """
    if base.revision is not None and Path(base.model).is_dir():
        raise WfineError(
            f"base_model {base.model}: found revision {base.revision} beside a folder, which has "
            "none. Expected a revision with a Hub id alone: leave it empty."
        )
    # The report of a freshly initialised reward head is expected here and only alarms.
    log = logging.getLogger("transformers.modeling_utils")
    level = log.level
    log.setLevel(logging.ERROR)
    kwargs |= {"revision": base.revision, "trust_remote_code": False}
    try:
        return auto_class.from_pretrained(base.model, **kwargs)
    except torch.OutOfMemoryError:
        raise
    except Exception as error:  # a damaged or unknown file fails in any way at all
        raise WfineError(f"base_model {base.model}: {_why_not_loaded(error, base)}") from error
    finally:
        log.setLevel(level)


def _why_not_loaded(error: BaseException, base: Base) -> str:
    """What went wrong and what to do, told by what the Hub's client raised underneath."""
    causes: list[BaseException] = []  # transformers 5.23, utils/hub.py hides them in a long text
    cause: BaseException | None = error
    while cause is not None and cause not in causes:
        causes.append(cause)
        cause = cause.__cause__ or cause.__context__
    revision, name = base.revision, base.model.rpartition("/")[2]
    at, option = (f" at revision {revision}", f" --revision {revision}") if revision else ("", "")
    advice: dict[type[BaseException], str] = {
        hub.RevisionNotFoundError: f"the Hub has this model, and found no revision {revision}. "
        "Expected a branch, a tag or a commit of it: look under Files and versions on the model's "
        "page, or leave revision empty for the newest.",
        hub.GatedRepoError: "the Hub gives this model only to those who accepted its terms. "
        "Accept them on the model's page, then log in with: hf auth login",
        hub.RepositoryNotFoundError: "found neither a folder nor a model on the Hub with this "
        "name. Expected a folder that exists, taken from the working directory, or a Hub id such "
        "as Qwen/Qwen2.5-0.5B-Instruct; private models need: hf auth login",
        hub.LocalEntryNotFoundError: f"the Hub cannot be reached, and the model{at} is not in the "
        f"cache of this machine. On a machine with a network run: hf download {base.model}{option} "
        f"--local-dir models/{name} . Copy that folder here, and give it as base_model: "
        f'models/{name} with revision: "" (or repeat the download here without --local-dir when '
        "the network is back).",
    }
    if "/" not in base.model:  # no name of the Hub, so whether that is reached tells nothing
        del advice[hub.LocalEntryNotFoundError]
    for kind, text in advice.items():  # in this order: a gated repository is one not found, too
        if any(isinstance(each, kind) for each in causes):
            return text
    reason = next(iter(str(error).splitlines()), type(error).__name__)
    return (
        f"cannot be loaded ({reason}). Give a folder that holds config.json, "
        "*.safetensors and a tokenizer, or a Hub id."
    )
