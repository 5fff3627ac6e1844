"""Language models as judges of requirements, in this process or behind an endpoint."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from wfine_utils.errors import import_extra
from wfine_utils.faces import on_demand

if TYPE_CHECKING:
    from wfine_utils.judges.agreement import judge_table, requirement_verdicts
    from wfine_utils.judges.backends import CachedBackend, CallCache, FunctionBackend
    from wfine_utils.judges.endpoint import EndpointBackend
    from wfine_utils.judges.judges import Critic, RequirementJudge, count_problems
    from wfine_utils.judges.pairwise import PairwiseJudge, position_bias

__getattr__ = on_demand(__name__)


def load_judge(name: str, *, cache: str | Path) -> CachedBackend:
    """See :func:`wfine_utils.judges.local_model.load_judge`; torch waits for this call."""
    import_extra("torch", "train")
    from wfine_utils.judges import local_model

    return local_model.load_judge(name, cache=cache)
