"""WEval: how well a scorer's ranking agrees with the known one, with intervals, tests, controls
and null baselines."""

from typing import TYPE_CHECKING

from wfine_utils.faces import on_demand

if TYPE_CHECKING:
    from wfine_utils.weval.baselines import (
        ConstantScorer,
        LengthScorer,
        OracleScorer,
        OverlapScorer,
        RandomScorer,
        null_baselines,
    )
    from wfine_utils.weval.compiled import CompiledChecks, compiled_by_type, compiled_verdicts
    from wfine_utils.weval.controls import by_gap, length_matched, partial_tau
    from wfine_utils.weval.drops import by_type_dropped_first, drop_shifts
    from wfine_utils.weval.evaluation import compare, evaluate, evaluate_all, per_chain
    from wfine_utils.weval.fluency import FluencyScorer, KeptFluencyScorer
    from wfine_utils.weval.metrics import METRICS
    from wfine_utils.weval.power import chains_needed, detectable_difference, paired_spread
    from wfine_utils.weval.resampling import Bootstrap, holm, paired_difference
    from wfine_utils.weval.scorers import Scorer, Scores, score_all, scores_from_table, scores_table

__getattr__ = on_demand(__name__)
