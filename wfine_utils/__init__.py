"""wfine: fine-grained reward modelling for writing, to run, to understand and to extend."""

from wfine_utils.data import load_chains
from wfine_utils.taxonomy import Chain, Requirement, RequirementType, Response, TaskCategory

__all__ = [
    "Chain",
    "Requirement",
    "RequirementType",
    "Response",
    "TaskCategory",
    "load_chains",
]
