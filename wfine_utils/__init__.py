"""Fine-grained reward modelling for writing, a room to a notebook; see docs/architecture.md."""

import os
from typing import TYPE_CHECKING

from wfine_utils.faces import on_demand

if TYPE_CHECKING:
    from wfine_utils.chains import (
        Chain,
        Query,
        Requirement,
        RequirementType,
        Response,
        TaskCategory,
        load_chains,
        load_weval_hand,
        save_chains,
    )
    from wfine_utils.errors import WfineError

os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")  # read once, before any room imports trl

__getattr__ = on_demand(__name__)
