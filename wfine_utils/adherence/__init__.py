"""What share of its requirements a policy meets: sets of prompts, tables, paired comparisons."""

from wfine_utils.adherence.compare import WORDS, evaluate_policies
from wfine_utils.adherence.measure import adherence, adherence_table, compare_adherence
from wfine_utils.adherence.prompt_sets import TINY, PromptSet, load_prompt_sets
