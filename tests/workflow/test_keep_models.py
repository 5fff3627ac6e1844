"""Models of a run that are kept, and notebooks that start from them."""

from __future__ import annotations

import json
import shutil
from typing import ClassVar

import numpy as np
import pandas as pd
import pytest
from safetensors.torch import load_file, save_file

from wfine_utils.base_model import Base
from wfine_utils.chains.dropping import build_chains
from wfine_utils.chains.pairs import preference_pairs
from wfine_utils.errors import WfineError
from wfine_utils.notebook import kept_models
from wfine_utils.notebook.params import NotebookParams, StartFrom
from wfine_utils.notebook.run import start_run
from wfine_utils.rewards.reward_model import load_reward_model
from wfine_utils.rewards.training import train_reward_model
from wfine_utils.settings import RewardSettings
from wfine_utils.tiny_world import vocabulary, writer
from wfine_workflow import keep_models as keeping

QUERIES = writer.sample_queries(8, vocabulary.TOPICS["train"], seed=0)
PAIRS = preference_pairs(
    build_chains(QUERIES, "single", writer.write, 0), granularity="requirement"
)
SETTINGS = RewardSettings(
    loss="bradley_terry", quantise=True, lora_r=4, lora_alpha=8, learning_rate=1e-2, batch_size=8,
    micro_batch_size=8, n_epochs=1, max_tokens=96, center_coefficient=0.01,
)  # fmt: skip


class Params(NotebookParams):
    notebook: ClassVar[str] = "03_reward_model"
    start_from: StartFrom


@pytest.fixture(scope="module")
def finished(tiny_base, tmp_path_factory):
    """The models of a run: a base, and a reward model that was trained on it."""
    run = tmp_path_factory.mktemp("run") / "mine"
    base = run / "00_base_model" / "model"
    shutil.copytree(tiny_base, base)
    folder = run / "03_reward_model" / "wrl_requirement"
    folder.mkdir(parents=True)
    train_reward_model(
        PAIRS[:16], PAIRS[:8], Base(str(base)), SETTINGS,
        granularity="requirement", seed=0, folder=folder,
    )  # fmt: skip
    (folder / "stage.json").write_text("{}")
    completions = folder / "trainer" / "completions"
    completions.mkdir(parents=True)
    for step in ("00001", "00002"):
        pd.DataFrame({"step": [int(step)]}).to_parquet(completions / f"completions_{step}.parquet")
    return run


@pytest.fixture
def kept(finished, tmp_path, monkeypatch):
    """The same, kept as the models of preset mine in a project of its own."""
    project = tmp_path / "project"
    target = project / "outputs" / "reference" / "mine" / "models"
    keeping.keep_models(finished, target)
    monkeypatch.setattr(kept_models, "project_root", lambda: project)
    return target


def open_run(root, preset="mine", start_from="kept"):
    return start_run(Params(preset=preset, output_root=str(root), seed=0, start_from=start_from))


def test_kept_models_score_as_those_of_the_run_but_for_rounding(finished, kept):
    texts = [p.instruction for p in PAIRS[:32]], [p.chosen for p in PAIRS[:32]]
    folder = "03_reward_model/wrl_requirement"
    original, copy = (load_reward_model(x / folder).rewards(*texts) for x in (finished, kept))
    assert np.ptp(original) > 0.05
    np.testing.assert_allclose(copy, original, atol=1e-2)
    assert not np.array_equal(copy, original)  # it is the kept one, in fp16


def test_only_what_is_read_is_kept_with_its_hash(kept):
    listed = json.loads((kept / kept_models.LISTING).read_text())
    names = {name.removeprefix("03_reward_model/wrl_requirement/") for name in listed}
    assert "adapter_model.safetensors" in names and "learning_curve.csv" in names
    assert "trainer/completions/completions_00002.parquet" in names
    assert "trainer/completions/completions_00001.parquet" not in names
    assert "stage.json" not in names and "README.md" not in names
    files = {p.relative_to(kept).as_posix() for p in kept.rglob("*") if p.is_file()}
    assert files == {*listed, kept_models.LISTING}


def test_a_notebook_takes_what_was_kept_and_computes_the_rest(kept, tmp_path):
    run = open_run(tmp_path / "out")
    folder = run.stage("wrl_requirement", {}, lambda _: pytest.fail("it was trained"))
    assert (folder / "manifest.json").is_file()
    run.stage("scores", {}, lambda folder: (folder / "x.csv").write_text("1"))
    assert run.stages == {"wrl_requirement": "kept", "scores": "computed"}


def test_after_kept_models_a_training_trains(kept, tmp_path):
    """Its result must not pass for one that was trained with these parameters."""
    open_run(tmp_path / "out").stage("wrl_requirement", {}, lambda _: None)
    run = open_run(tmp_path / "out", start_from="train")
    run.stage("wrl_requirement", {}, lambda folder: (folder / "mine").touch())
    assert run.stages == {"wrl_requirement": "computed"}


def test_where_none_were_kept_it_is_said_at_once(kept, tmp_path):
    with pytest.raises(WfineError, match=r"found 'kept', and no kept models in .*some of: mine"):
        open_run(tmp_path / "out", preset="smoke")


def test_a_file_that_has_changed_is_refused(kept, tmp_path):
    path = kept / "03_reward_model" / "wrl_requirement" / "adapter_config.json"
    path.write_text(path.read_text() + " ")
    with pytest.raises(WfineError, match=r"adapter_config.json: found sha256 .*, expected"):
        open_run(tmp_path / "out").stage("wrl_requirement", {}, lambda _: None)


def test_a_kept_model_is_found_where_it_lies_or_asked_for(kept):
    folder = kept_models.kept_model("mine", "03_reward_model", "wrl_requirement")
    assert folder == kept / "03_reward_model" / "wrl_requirement"
    with pytest.raises(WfineError, match=r"other: found no kept model.*some of: mine\)"):
        kept_models.kept_model("mine", "03_reward_model", "other")
    with pytest.raises(WfineError, match=r"make reproduce PRESET=yours"):
        kept_models.kept_model("yours", "03_reward_model", "wrl_requirement")


def test_weights_that_fp16_cannot_hold_are_not_kept(finished, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(finished / "00_base_model", run / "00_base_model")
    path = run / "00_base_model" / "model" / keeping.BASE
    weights = load_file(path)
    weights["model.norm.weight"][0] = 1e6
    save_file(weights, path, metadata={"format": "pt"})
    with pytest.raises(WfineError, match=r"found numbers in model\.norm\.weight that fp16"):
        keeping.keep_models(run, tmp_path / "models")


def test_models_that_are_too_large_or_not_the_runs_own_are_not_kept(
    finished, tmp_path, monkeypatch
):
    monkeypatch.setattr(keeping, "LIMIT", 1000)
    with pytest.raises(WfineError, match="expected at most 1,000"):
        keeping.keep_models(finished, tmp_path / "models")
    with pytest.raises(WfineError, match="found 0 base models"):
        keeping.keep_models(tmp_path / "empty", tmp_path / "others")
