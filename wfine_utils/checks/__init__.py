"""Whether a text meets a requirement, where a program can tell: one registry for the tiny world,
for prose, for IFEval and IFBench; and whether a drop is a drop."""

from wfine_utils.checks.dispatch import CHECKS, check, measure, verdicts
from wfine_utils.checks.drop_validity import (
    KEPT_HOLDS,
    REAL_DROP,
    drop_outcomes,
    drop_rates,
    only_true_labels,
)
from wfine_utils.checks.sentences import split_sentences
from wfine_utils.checks.words import word_count, words
