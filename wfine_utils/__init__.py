"""wfine: fine-grained reward modelling for writing, to run, to understand and to extend."""

from typing import TYPE_CHECKING, Any

from wfine_utils.taxonomy import Chain, Requirement, RequirementType, Response, TaskCategory

if TYPE_CHECKING:
    from wfine_utils.data import load_chains

__all__ = [
    "Chain",
    "Requirement",
    "RequirementType",
    "Response",
    "TaskCategory",
    "load_chains",
]


def __getattr__(name: str) -> Any:
    """``load_chains`` is imported when first used, so that its module can be run with ``-m``."""
    if name != "load_chains":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from wfine_utils.data import load_chains

    return load_chains
