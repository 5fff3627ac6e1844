"""Batch runs, presets, grids, the report and the paper's tables: what is around the notebooks."""

from typing import TYPE_CHECKING

from wfine_utils.faces import on_demand

if TYPE_CHECKING:
    from wfine_workflow.headline import headline_numbers
    from wfine_workflow.paper_tables import TABLES, read_adherence, read_weval
    from wfine_workflow.results import MissingRun

__getattr__ = on_demand(__name__)
