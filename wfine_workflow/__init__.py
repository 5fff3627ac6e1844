"""Batch runs, presets, grids, the report and the paper's tables: what is around the notebooks."""

from wfine_workflow.headline import headline
from wfine_workflow.paper_tables import TABLES, read_adherence, read_weval
from wfine_workflow.results import MissingRun
