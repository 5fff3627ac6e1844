"""Batch runs, presets, grids, the report and the paper's tables: what is around the notebooks."""

from wfine_workflow.paper_tables import TABLES, MissingRun, headline, read_adherence, read_weval
