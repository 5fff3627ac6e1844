"""What share of its requirements a policy meets: sets of prompts, tables, paired comparisons."""

from typing import TYPE_CHECKING

from wfine_utils.faces import on_demand

if TYPE_CHECKING:
    from wfine_utils.adherence.by_kind import met_by_difficulty, met_by_kind
    from wfine_utils.adherence.compare import THOUGHTS, WORDS, compare_measures, evaluate_policies
    from wfine_utils.adherence.measure import ALL_MET, MEAN, MEASURES, adherence
    from wfine_utils.adherence.prompt_sets import (
        REAL,
        TINY,
        PromptSet,
        RequirementSet,
        load_prompt_sets,
    )
    from wfine_utils.adherence.effects import side_effects
    from wfine_utils.adherence.thoughts import template_has_thoughts, without_thoughts

__getattr__ = on_demand(__name__)
