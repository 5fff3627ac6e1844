"""Notebooks 03b and 04b, which a person runs: executed here from their first cell to their last."""

from __future__ import annotations

import json
from pathlib import Path

import nbformat
import numpy as np
import pandas as pd
import pytest
import yaml
from conftest import ROOT
from nbclient import NotebookClient

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


def executed(name: str, output_root: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of results of a notebook that was run in a kernel, at smoke size, on one core."""
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    source = nbformat.read(ROOT / "notebooks" / f"{name}.ipynb", as_version=4)
    changes = yaml.safe_load((ROOT / "params" / "smoke" / f"{name}.yaml").read_text())
    changes["output_root"] = str(output_root)
    lines = ["# Parameters", *(f"{key} = {value!r}" for key, value in changes.items())]
    at = 1 + next(i for i, cell in enumerate(source.cells) if cell.id == "parameters")
    source.cells.insert(at, nbformat.v4.new_code_cell("\n".join(lines)))
    NotebookClient(source, timeout=600, resources={"metadata": {"path": str(ROOT)}}).execute()
    return output_root / "smoke" / name


def test_our_reward_model_is_that_of_the_libraries(tmp_path, monkeypatch):
    folder = executed("03b_reward_model_by_hand", tmp_path, monkeypatch)
    beside = pd.read_csv(folder / "beside_the_library.csv")
    np.testing.assert_allclose(beside["ours"], beside["library"], rtol=1e-3)
    values = beside.pivot(index="step", columns="of", values="library")
    assert values.loc[1, "gradient of A"] == 0 < values.loc[2, "gradient of A"]
    assert (values["gradient of B"] > 0).all()
    assert values.loc[1, "loss"] != values.loc[2, "loss"], "a step was taken"
    results = json.loads((folder / "results.json").read_text())
    assert results["loss_last"] < results["loss_first"]
    change = results["relative_change"]
    assert change["r=8, alpha=4"] < change["r=8, alpha=16"] < change["r=8, alpha=64"]


def test_our_update_is_that_of_trl(tmp_path, monkeypatch):
    folder = executed("04b_policy_by_hand", tmp_path, monkeypatch)
    beside = pd.read_csv(folder / "beside_trl.csv")
    np.testing.assert_allclose(beside["ours"], beside["TRL"], rtol=1e-3, atol=1e-6)
    values = beside.pivot(index="update", columns="of", values="TRL")
    assert values.loc[1, "loss"] != values.loc[2, "loss"], "a step was taken"
    assert (values["gradient (norm)"] > 0).all()
    results = json.loads((folder / "results.json").read_text())
    assert results["beyond_clip_second_update"] > 0, "the clip is in what is compared"
    rollouts = pd.read_csv(folder / "rollouts.csv")
    assert (
        rollouts.groupby("left out").size().nunique() == 1 and rollouts["left out"].nunique() == 4
    )
    first = rollouts[rollouts["rollout"] == 1].pivot(
        index="prompt", columns="left out", values="reward"
    )
    assert (first.nunique(axis=1) == 1).all(), "all of them begin with the same texts"
