"""The experiment of notebook 06: many small reward models and policies, each with one thing
changed, and the answers that they give to seven questions."""

from typing import TYPE_CHECKING

from wfine_utils.faces import on_demand

if TYPE_CHECKING:
    from wfine_study.answers import (
        ANSWER_COLUMNS,
        answers_in_words,
        chain_values,
        choice_effects,
        dose_response,
        filter_effect,
        generalisation,
    )
    from wfine_study.cells import (
        PolicyCell,
        RewardCell,
        ValidityParams,
        all_cells,
        cells_by_question,
        clean_cell,
        length_cell,
    )
    from wfine_study.exam import study_queries
    from wfine_study.noise import PURE_NOISE, noisy_pairs
    from wfine_study.policies import (
        cell_label,
        exam_scores,
        length_hacking,
        policy_gains,
        policy_table,
        weval_against_adherence,
    )
    from wfine_study.run_cell import read_costs, read_metrics, run_cells

__getattr__ = on_demand(__name__)
