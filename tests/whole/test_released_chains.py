"""Real input: the authors' released chains through notebooks 00, 03 and 05, where at hand."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from conftest import ROOT, copy_project

RELEASED = ROOT.parent / "shared" / "data" / "released_chains_dev.parquet"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(1800),
    pytest.mark.skipif(
        not RELEASED.is_file(), reason=f"{RELEASED.name} is not at hand; it may not be shipped"
    ),
]


@pytest.fixture(scope="module")
def outputs(tmp_path_factory) -> Path:
    """Notebook 03 trained on the released chains at smoke size, and 05 evaluated on them."""
    project = copy_project(tmp_path_factory.mktemp("released") / "wfine")
    for name, chains in (("00_base_model", ""), ("03_reward_model", RELEASED),
                         ("05_weval_correlation", RELEASED)):  # fmt: skip
        command = [sys.executable, "-m", "papermill", f"notebooks/{name}.ipynb", f"{name}.ipynb",
                   "-f", f"params/smoke/{name}.yaml", "--no-progress-bar"]  # fmt: skip
        if chains:
            command += ["-p", "chains_path", str(chains)]
        done = subprocess.run(command, cwd=project, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr[-3000:]
    return project / "outputs" / "smoke"


def test_reward_models_train_on_the_released_chains(outputs):
    results = json.loads((outputs / "03_reward_model" / "results.json").read_text())
    assert results["n_pairs"]["wrl_requirement"] == 96
    assert results["reload_difference"] == 0
    accuracy = pd.read_csv(outputs / "03_reward_model" / "accuracy_by_type.csv")
    assert set(accuracy["type"]) == {"all"}  # these requirements carry no type
    assert accuracy["n"].min() > 100


def test_null_baselines_rank_on_the_released_chains(outputs):
    weval = pd.read_csv(outputs / "05_weval_correlation" / "weval.csv")
    overall = weval[weval["subset_kind"] == "all"].set_index(["scorer", "metric"])
    tau = overall.xs("kendall_tau_b", level="metric")
    # Rules judge the chains of which a requirement compiles; everyone else judges all of them.
    assert set(tau.drop(index="compiled checks")["n_chains"]) == {356}
    assert 0 < tau.loc["compiled checks", "n_chains"] < 356
    assert tau.loc["constant", "value"] == 0
    for scorer in ("length", "word overlap"):
        assert tau.loc[scorer, "ci_low"] > 0.1, "clearly above 0"
    assert tau.loc["minus length", "value"] == pytest.approx(-tau.loc["length", "value"])
    released = overall.loc[("constant", "released_rule_tau"), "value"]
    assert released == 1, "the released rule hands a constant scorer the gold order"
    assert "WRL RM, one requirement" in tau.index and "oracle (checkers)" not in tau.index
