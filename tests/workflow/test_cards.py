"""Cards with the numbers of the run that a model lies in: kept runs, and runs made up here."""

from __future__ import annotations

import json
import math
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from conftest import ROOT
from huggingface_hub import ModelCard

from wfine_utils.base_model import CARD, folder_fingerprint
from wfine_utils.errors import WfineError
from wfine_utils.notebook.kept_models import kept_model, take
from wfine_workflow.cards import SCORERS, card
from wfine_workflow.commands.card import main

REFERENCES = ROOT / "outputs" / "reference"


@pytest.fixture(scope="module")
def kept(tmp_path_factory) -> Path:
    """A project with the kept run of mini, models and all, to be written into."""
    project = tmp_path_factory.mktemp("project")
    (project / "pyproject.toml").write_text('[project]\nname = "wfine"\n')
    run = project / "outputs" / "reference" / "mini"
    ignored = shutil.ignore_patterns("*.png", "*.ipynb", "06*", "07*")
    shutil.copytree(REFERENCES / "mini", run, ignore=ignored)
    return run


def results(path: Path, data_set: str) -> dict[tuple[str | None, str], float]:
    """The numbers in a card by subset and metric."""
    found = ModelCard.load(path).data.eval_results
    return {
        (r.dataset_config, r.metric_type): r.metric_value
        for r in found
        if r.dataset_name == data_set
    }


@pytest.mark.parametrize("name", SCORERS)
def test_a_kept_reward_model_has_the_numbers_of_its_run(kept, name):
    path = card(kept / "models" / "03_reward_model" / name)
    files = {"weval.csv": "test chains of preset mini", "weval_hand.csv": "WEval-Hand (test)"}
    for file, data_set in files.items():
        table = pd.read_csv(REFERENCES / "mini" / "05_weval_correlation" / file)
        own = table[(table["scorer"] == SCORERS[name]) & (table["subset_kind"] != "category")]
        expected = {
            (None if row.subset == "all" else row.subset, row.metric): row.value
            for row in own.itertuples()
            if row.metric != "released_rule_tau" and math.isfinite(row.value)
        }
        assert results(path, f"WEval, {data_set}") == expected, "every digit"
    text = ModelCard.load(path).text
    assert "before the weights were rounded to 16 bits" in text
    assert "of the tiny world" in text and "torch 2.13.0" in text, "as the run's records say"
    for baseline in ("constant", "random", "length", "minus length", "word overlap"):
        assert len(re.findall(rf"^\| {baseline} .*null baseline", text, re.M)) == 2
    assert ("11 of 12 kinds" in text) == (name == "wrl_requirement")


def test_a_kept_policy_has_the_numbers_of_its_run(kept):
    path = card(kept / "models" / "04_wrl_policy" / "wrl_requirement")
    table = pd.read_csv(REFERENCES / "mini" / "04_wrl_policy" / "adherence.csv")
    own = table[(table["policy"] == "WRL") & (table["prompt_set"] == "tiny")].set_index("measure")
    read = results(path, "prompts: tiny")
    assert read[None, "mean"] == own.loc["mean", "value"]
    assert read[None, "all_met"] == own.loc["all met", "value"]
    assert (None, "wrl_reward") not in read
    assert (None, "by_judge") not in results(path, "prompts: weval_hand"), "NaN"


def test_a_card_beside_a_kept_model_does_no_harm(kept, monkeypatch, tmp_path):
    monkeypatch.chdir(kept.parents[2])
    folder = kept / "models" / "03_reward_model" / "coarse"
    before = folder_fingerprint(folder)
    card(folder)
    assert kept_model("mini", "03_reward_model", "coarse") == folder
    assert folder_fingerprint(folder) == before
    take("mini", "03_reward_model", "coarse", tmp_path / "taken")
    assert not (tmp_path / "taken" / CARD).exists(), "it is of the kept model"
    assert (tmp_path / "taken" / "adapter_model.safetensors").exists()


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["03_reward_model", "04_wrl_policy"])
def test_the_code_of_a_card_runs(kept, kind):
    folder = kept / "models" / kind / "wrl_requirement"
    (code,) = re.findall(r"```python\n(.*?)```", card(folder).read_text("utf-8"), re.S)
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=folder, capture_output=True, text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.strip()


# --- runs made up here ----------------------------------------------------------------------------


@pytest.fixture
def run(tmp_path) -> Path:
    """Notebook 05's results of the encoder, whose chains were scored out of fold, and its model."""
    made = tmp_path / "encoder"
    folder = made / "03_reward_model" / "wrl_requirement"
    ignored = shutil.ignore_patterns("*.png")
    for name in ("03_reward_model/wrl_requirement", "05_weval_correlation"):
        shutil.copytree(REFERENCES / "encoder" / name, made / name, ignore=ignored)
    (folder / "adapter_model.safetensors").write_bytes(b"weights")
    change(made / "05_weval_correlation" / "model_scores_hand" / "stage.json", folder)
    return made


def change(stage: Path, folder: Path) -> None:
    record = json.loads(stage.read_text("utf-8"))
    record["key"][folder.name] = folder_fingerprint(folder)
    stage.write_text(json.dumps(record))


def test_numbers_of_folds_are_not_those_of_the_model(run):
    path = card(run / "03_reward_model" / "wrl_requirement")
    assert {r.dataset_name for r in ModelCard.load(path).data.eval_results} == {
        "WEval, WEval-Hand (test)"
    }


def test_numbers_of_other_weights_are_refused(run):
    folder = run / "03_reward_model" / "wrl_requirement"
    (folder / "adapter_model.safetensors").write_bytes(b"trained again")
    with pytest.raises(WfineError, match=r"was trained again since\. Run notebook 05"):
        card(folder)
    assert not (folder / CARD).exists()


def test_numbers_of_another_runs_models_are_left_out(run):
    stamp = run / "05_weval_correlation" / "stamp.json"
    record = json.loads(stamp.read_text("utf-8"))
    record["parameters"]["models_from"] = "mini"
    stamp.write_text(json.dumps(record))
    assert "Not measured yet." in card(run / "03_reward_model" / "wrl_requirement").read_text()


def test_a_model_that_nothing_measured_says_so(run):
    shutil.rmtree(run / "05_weval_correlation")
    path = card(run / "03_reward_model" / "wrl_requirement", licence="apache-2.0")
    assert "Not measured yet." in path.read_text("utf-8")
    assert ModelCard.load(path).data.license == "apache-2.0"


def test_the_command(run, capsys):
    folder = run / "03_reward_model" / "wrl_requirement"
    assert main([str(folder), "--data", "From the moon."]) == 0
    assert capsys.readouterr().out.strip().endswith(f"wrl_requirement/{CARD}")
    assert "From the moon." in (folder / CARD).read_text("utf-8")
    (folder / CARD).write_text("mine")
    assert main([str(folder)]) == 2
    assert "somebody's own" in capsys.readouterr().err
    assert (folder / CARD).read_text() == "mine"
    assert main([str(run)]) == 2
    assert "found no manifest.json" in capsys.readouterr().err
