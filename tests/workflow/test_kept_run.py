"""The kept models of `mini`: they score as the run did, and every notebook can start from them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from conftest import ROOT

from wfine_utils.base_model import Base
from wfine_utils.chains.files import load_chains
from wfine_utils.notebook.kept_models import kept_model, kept_models
from wfine_utils.policy.generation import generate, load_policy
from wfine_utils.rewards.reward_model import RewardModelScorer
from wfine_utils.weval.evaluation import per_chain
from wfine_utils.weval.scorers import scores_from_table
from wfine_workflow.keep_models import LIMIT

RUN = ROOT / "outputs" / "reference" / "mini"
MODELS = {
    "coarse": "coarse RM",
    "wrl_prompt": "WRL RM, whole prompt",
    "wrl_requirement": "WRL RM, one requirement",
}
N_CHAINS = 20


@pytest.mark.parametrize("stage", MODELS)
def test_a_kept_reward_model_scores_as_in_the_run(stage):
    """In fp16, and on a CPU that may not multiply in bf16 as the run's did."""
    chains = load_chains(RUN / "02_requirement_dropping" / "chains_test.jsonl")
    table = pd.read_parquet(RUN / "05_weval_correlation" / "scores.parquet")
    there = scores_from_table(table, chains)[MODELS[stage]][:N_CHAINS]
    scorer = RewardModelScorer(kept_model("mini", "03_reward_model", stage), name=MODELS[stage])
    here = scorer.score(chains[:N_CHAINS])
    expected, found = np.concatenate(there), np.concatenate(here)
    apart = np.abs(found - expected)
    assert apart.mean() < 1e-2 * np.ptp(expected) and apart.max() < 2e-2 * np.ptp(expected)
    if scorer.reward_model.granularity == "requirement":  # a score in [0, 1]
        assert apart.max() < 1e-2
    tau = [per_chain(chains[:N_CHAINS], x)["kendall_tau_b"].mean() for x in (there, here)]
    assert tau[0] == pytest.approx(tau[1], abs=0.05)


@pytest.mark.parametrize("policy", ["wrl_requirement", "coarse"])
def test_a_kept_policy_writes(policy):
    chains = load_chains(RUN / "02_requirement_dropping" / "chains_test.jsonl")
    base = Base(str(kept_model("mini", "00_base_model", "model")))
    model, tokenizer = load_policy(base, kept_model("mini", "04_wrl_policy", policy))
    (text,) = generate(model, tokenizer, [chains[0].query], max_new_tokens=40)
    assert len(text.text.split()) > 5


def test_the_kept_models_are_small():
    files = [path for path in kept_models("mini").rglob("*") if path.is_file()]
    assert 0 < sum(path.stat().st_size for path in files) < LIMIT
