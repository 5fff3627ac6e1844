"""Cells of the study: what they leave, that they are computed once, and several at a time."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import yaml
from study.small_study import CLEAN, SETTINGS, SMALL, changed

from wfine_study.cells import ADAPTER, PolicyCell, RewardCell, clean_cell
from wfine_study.exam import IFEVAL
from wfine_study.run_cell import (
    LOG,
    RESULT,
    cell_inputs,
    cell_modules,
    is_done,
    read_costs,
    read_metrics,
    run_cell,
    run_cells,
)
from wfine_utils.base_model import Base, write_base
from wfine_utils.errors import WfineError


@pytest.fixture(scope="module")
def base(tiny_base):
    return Base(str(tiny_base), None)


@pytest.fixture(scope="module")
def folder(base, tmp_path_factory):
    """A study in which the clean reward model and its policy have been made."""
    folder = tmp_path_factory.mktemp("study")
    for cell in (CLEAN, PolicyCell(seed=0, reward_cell=CLEAN)):
        assert run_cell(cell, SETTINGS, base, folder) == "computed"
    return folder


def result(folder, cell) -> dict:
    return json.loads((folder / cell.slug / RESULT).read_text())


class TestRewardCell:
    def test_files_fit_together(self, folder):
        record, place = result(folder, CLEAN), folder / CLEAN.slug
        assert record["slug"] == CLEAN.slug and RewardCell(**record["cell"]) == CLEAN
        assert record["sizes"]["n_pairs"] == 12 and record["sizes"]["n_noisy"] == 0
        assert record["seconds"]["total"] >= record["seconds"]["training"] > 0
        assert record["stamp"]["versions"]["torch"]
        scores = pd.read_parquet(place / "scores.parquet")
        assert scores.groupby("used").size().to_dict() == {"as trained": 20, "whole prompt": 20}
        chains = pd.read_parquet(place / "per_chain.parquet")
        metrics = pd.DataFrame(record["metrics"])
        overall = metrics[(metrics["subset_kind"] == "all")].set_index(["metric", "used"])
        for used in ("as trained", "whole prompt"):
            mean = chains.loc[chains["used"] == used, "kendall_tau_b"].mean()
            assert overall.loc[("kendall_tau_b", used), "value"] == pytest.approx(mean)
            assert overall.loc[("kendall_tau_b", used), "n"] == 4
        assert np.isfinite(metrics["value"]).all()

    def test_accuracies_follow_from_the_margins(self, folder):
        margins = pd.read_parquet(folder / CLEAN.slug / "pairs.parquet")
        metrics = pd.DataFrame(result(folder, CLEAN)["metrics"])
        accuracy = metrics[metrics["metric"] == "pair_accuracy"]
        accuracy = accuracy.set_index(["subset_kind", "subset"])
        assert set(IFEVAL) <= {subset for _, subset in accuracy.index}
        for kind, part in margins.groupby("kind"):
            right = np.where(part["margin"] == 0, 0.5, part["margin"] > 0)
            assert accuracy.loc[(kind, "all"), "value"] == pytest.approx(right.mean())
            assert accuracy.loc[kind].drop("all")["n"].sum() == len(part)

    @pytest.mark.slow
    def test_same_seed_same_result_and_another_seed_another(self, folder, base, tmp_path):
        run_cell(CLEAN, SETTINGS, base, tmp_path)
        other = clean_cell(SETTINGS, 1)
        run_cell(other, SETTINGS, base, tmp_path)
        metrics = result(folder, CLEAN)["metrics"]
        assert result(tmp_path, CLEAN)["metrics"] == metrics != result(tmp_path, other)["metrics"]
        a, b = (pd.read_parquet(f / CLEAN.slug / "scores.parquet") for f in (folder, tmp_path))
        pd.testing.assert_frame_equal(a, b)

    @pytest.mark.slow
    def test_the_adapter_stays_only_where_a_policy_needs_it(self, folder, base, tmp_path):
        adapter = f"{CLEAN.slug}/{ADAPTER}/adapter_model.safetensors"
        assert (folder / adapter).exists()
        alone = changed(questions=[2])
        assert run_cell(CLEAN, alone, base, tmp_path) == "computed"
        assert not (tmp_path / adapter).exists()
        assert run_cell(CLEAN, alone, base, tmp_path) == "loaded"
        assert run_cell(CLEAN, SETTINGS, base, tmp_path) == "computed"  # needs it now
        assert (tmp_path / adapter).exists()


class TestPolicyCell:
    CELL = PolicyCell(seed=0, reward_cell=CLEAN)

    def test_before_and_after_on_the_same_queries(self, folder):
        table = pd.read_parquet(folder / self.CELL.slug / "per_query.parquet")
        assert table.groupby("policy").size().to_dict() == {"before": 3, "after": 3}
        before = table[table["policy"] == "before"]
        assert (before["kl"] == 0).all() and table["mean"].between(0, 1).all()
        metrics = pd.DataFrame(result(folder, self.CELL)["metrics"])
        row = metrics[(metrics["metric"] == "n_words") & (metrics["used"] == "before")].iloc[0]
        assert row["value"] == pytest.approx(before["n_words"].mean()) and row["n"] == 3

    def test_it_keeps_no_adapter(self, folder):
        names = {path.name for path in (folder / self.CELL.slug).rglob("*")}
        assert names == {"per_query.parquet", "training_curve.csv", RESULT, "stage.json"}

    def test_without_its_reward_model(self, base, tmp_path):
        with pytest.raises(WfineError, match="expected the reward model that policy"):
            run_cell(self.CELL, SETTINGS, base, tmp_path)


class TestResume:
    @pytest.mark.parametrize(
        "change",
        [{"n_train_queries": 5}, {"shares": [0.1, 0.2]},
         {"policy": SMALL["policy"] | {"n_steps": 2}},
         {"reward": SMALL["reward"] | {"loss": "cross_entropy"}}],
    )  # fmt: skip
    def test_what_cannot_change_a_number_runs_nothing(self, change, folder, base):
        before = (folder / CLEAN.slug / RESULT).stat().st_mtime_ns
        assert run_cell(CLEAN, changed(**change), base, folder) == "loaded"
        assert (folder / CLEAN.slug / RESULT).stat().st_mtime_ns == before

    @pytest.mark.parametrize(
        "change", [{"n_test_pairs": 9}, {"reward": SMALL["reward"] | {"lora_r": 2}}, {"seed": 1}]
    )
    def test_what_can_is_another_cell(self, change, folder, base):
        assert is_done(CLEAN, SETTINGS, base, folder)
        assert not is_done(CLEAN, changed(**change), base, folder)

    def test_the_code_and_the_base_are_inputs(self, base, folder, monkeypatch):
        inputs = cell_inputs(CLEAN, SETTINGS, base, folder)
        record = json.loads((folder / CLEAN.slug / "stage.json").read_text())
        assert inputs.items() <= record.items()
        monkeypatch.setattr("wfine_study.run_cell._source_digest", lambda kind: "other code")
        assert not is_done(CLEAN, SETTINGS, base, folder)

    def test_code_of_policies_is_no_input_of_a_reward_model(self):
        reward, policy = (
            {path.name for path in cell_modules(kind)} for kind in (RewardCell, PolicyCell)
        )
        assert {"reward_cell.py", "training.py", "evaluation.py", "noise.py"} <= reward
        assert {"policy_cell.py", "grpo.py", "generation.py", "measure.py"} <= policy - reward
        assert {"reward_cell.py", "training.py"} <= reward - policy

    @pytest.mark.parametrize("name", [RESULT, "scores.parquet", "stage.json"])
    def test_a_damaged_cell_is_not_taken_for_a_finished_one(self, name, folder, base, tmp_path):
        shutil.copytree(folder / CLEAN.slug, tmp_path / CLEAN.slug)
        assert is_done(CLEAN, SETTINGS, base, tmp_path)
        (tmp_path / CLEAN.slug / name).write_text("{")
        assert not is_done(CLEAN, SETTINGS, base, tmp_path)

    def test_a_policy_is_made_anew_with_its_reward_model(self, folder, base, tmp_path):
        policy = PolicyCell(seed=0, reward_cell=CLEAN)
        for cell in (CLEAN, policy):
            shutil.copytree(folder / cell.slug, tmp_path / cell.slug)
        assert is_done(policy, SETTINGS, base, tmp_path)
        weights = tmp_path / CLEAN.slug / ADAPTER / "adapter_model.safetensors"
        weights.write_bytes(weights.read_bytes()[:-1] + b"x")
        assert not is_done(policy, SETTINGS, base, tmp_path)

    def test_metrics_of_all_finished_cells(self, folder):
        table = read_metrics(SETTINGS, folder)
        assert set(table["slug"]) == {CLEAN.slug, f"policy-s0-{CLEAN.slug}"}
        assert table.groupby("slug")["policy"].first().to_dict() == {
            CLEAN.slug: False, f"policy-s0-{CLEAN.slug}": True
        }  # fmt: skip
        assert read_metrics(SETTINGS, folder / "nothing").empty

    def test_costs_of_all_finished_cells(self, folder):
        table = read_costs(SETTINGS, folder).set_index("slug")
        assert table["policy"].to_dict() == {CLEAN.slug: False, f"policy-s0-{CLEAN.slug}": True}
        assert (table["n_pairs"] == 12).all() and (table["seconds"] > 0).all()
        assert (table["cpu_cores"] >= 1).all() and (table["threads"] >= 1).all()


class TestJobs:
    @pytest.mark.slow
    def test_same_numbers_as_one_by_one_and_a_second_call_loads(self, base, tmp_path, capfd):
        settings, record, out = (tmp_path / n for n in ("settings.yaml", "base.json", "out"))
        settings.write_text(yaml.safe_dump(SMALL))
        write_base(record, base)
        words = ("run", CLEAN.slug, "--settings", settings, "--base", record, "--out", out)
        subprocess.run(
            [sys.executable, "-m", "wfine_workflow.command", "study", *map(str, words),
             "--threads", "1"],
            check=True, capture_output=True,
        )  # fmt: skip
        place = tmp_path / "jobs"
        states = run_cells([CLEAN], SETTINGS, base, place, jobs=2)
        assert states == {CLEAN.slug: "computed"}
        assert result(place, CLEAN)["metrics"] == result(out, CLEAN)["metrics"]
        assert result(place, CLEAN)["stamp"]["threads"] == 1
        assert (place / LOG).exists() and capfd.readouterr().out == ""
        assert run_cells([CLEAN], SETTINGS, base, place) == {CLEAN.slug: "loaded"}

    def test_what_is_done_starts_no_worker(self, folder, base, monkeypatch):
        monkeypatch.setattr("wfine_study.run_cell.ProcessPoolExecutor", None)
        both = [PolicyCell(seed=0, reward_cell=CLEAN), CLEAN]
        states = run_cells(both, SETTINGS, base, folder)
        assert list(states.items()) == [(cell.slug, "loaded") for cell in both]
        assert not is_done(clean_cell(SETTINGS, 1), SETTINGS, base, folder)

    @pytest.mark.slow
    def test_a_cell_that_fails_is_named(self, base, tmp_path):
        alone = PolicyCell(seed=0, reward_cell=CLEAN)
        with pytest.raises(WfineError, match=f"cell {alone.slug} failed.*expected the reward mod"):
            run_cells([alone], SETTINGS, base, tmp_path, jobs=1)
        with pytest.raises(WfineError, match="jobs: found 0, expected 1 or more"):
            run_cells([alone], SETTINGS, base, tmp_path, jobs=0)


def test_an_output_folder_that_cannot_be_made(base, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(WfineError, match="cannot be written"):
        run_cell(CLEAN, SETTINGS, base, tmp_path / "file")
