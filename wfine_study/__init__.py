"""The experiment of notebook 06: many small reward models and policies, each with one thing
changed, and the answers that they give to seven questions."""

from wfine_study.cells import PolicyCell, ValidityParams, all_cells, clean_cell, questions
from wfine_study.run_cell import read_costs, read_metrics, run_cells
