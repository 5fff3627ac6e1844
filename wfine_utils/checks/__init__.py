"""Whether a text meets a requirement, where a program can tell: one registry for the tiny world,
for prose, for IFEval and IFBench; a check in words, and words as a check; and whether a drop is
a drop."""

from typing import TYPE_CHECKING

from wfine_utils.checks.words import word_count, words  # at once: `words` is a module too
from wfine_utils.faces import on_demand

if TYPE_CHECKING:
    from wfine_utils.checks.compile import Compiled, compile_requirement, compiled
    from wfine_utils.checks.contradictions import conflicts, contradiction
    from wfine_utils.checks.dispatch import CHECKS, check, measure, verdicts
    from wfine_utils.checks.drop_validity import (
        KEPT_HOLDS,
        REAL_DROP,
        drop_outcomes,
        drop_rates,
        only_true_labels,
    )
    from wfine_utils.checks.phrases import own_twin, phrase
    from wfine_utils.checks.sentences import split_sentences

__getattr__ = on_demand(__name__)
