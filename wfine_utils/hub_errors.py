"""Why a model could not be loaded, in one paragraph that says what to do next."""

from __future__ import annotations

from pathlib import Path

from huggingface_hub.errors import (
    GatedRepoError,
    LocalEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)


def why_not_loaded(error: BaseException, base_model: str | Path, revision: str | None) -> str:
    """What went wrong and what to do, told by what the Hub's client raised underneath.

    Args:
        error: from a ``from_pretrained`` of transformers, which hides its cause in a long text.
        base_model: folder or Hub id that was asked for.
        revision: Hub revision that was asked for.

    Source: transformers 5.23, ``utils/hub.py``; huggingface_hub 2, ``errors.py``.
    """
    causes, at = [], f" at revision {revision}" if revision else ""
    cause: BaseException | None = error
    while cause is not None and cause not in causes:
        causes.append(cause)
        cause = cause.__cause__ or cause.__context__

    def caused_by(kind: type[BaseException]) -> bool:
        return any(isinstance(each, kind) for each in causes)

    if caused_by(RevisionNotFoundError):
        return (
            f"the Hub has this model, and found no revision {revision}. Expected a branch, a tag "
            "or a commit of it: look under Files and versions on the model's page, or leave "
            "revision empty for the newest."
        )
    if caused_by(GatedRepoError):
        return (
            "the Hub gives this model only to those who accepted its terms. Accept them on the "
            "model's page, then log in with: hf auth login"
        )
    if caused_by(RepositoryNotFoundError):
        return (
            "found neither a folder nor a model on the Hub with this name. Expected a folder that "
            "exists, taken from the working directory, or a Hub id such as "
            "Qwen/Qwen2.5-0.5B-Instruct; private models need: hf auth login"
        )
    if caused_by(LocalEntryNotFoundError) and "/" in str(base_model):
        pinned = f" --revision {revision}" if revision else ""
        return (
            f"the Hub cannot be reached, and the model{at} is not in the cache of this machine. "
            f"On a machine with a network run: hf download {base_model}{pinned} --local-dir "
            f"models/{Path(base_model).name} . Copy that folder here, and give it as base_model: "
            f'models/{Path(base_model).name} with revision: "" (or repeat the download here '
            "without --local-dir when the network is back)."
        )
    return (
        f"cannot be loaded ({str(error).splitlines()[0]}). Give a folder that holds config.json, "
        "*.safetensors and a tokenizer, or a Hub id."
    )
