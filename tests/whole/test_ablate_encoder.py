"""The ablation of the encoder's recipe, on a tiny encoder: it trains, resumes and compares."""

from __future__ import annotations

import pandas as pd
import pytest
from conftest import ROOT
from safetensors import safe_open

from wfine_utils.chains.dropping import build_chains
from wfine_utils.chains.files import save_chains
from wfine_utils.files import PARTIAL
from wfine_utils.notebook.params import RewardModelParams
from wfine_utils.tiny_world import vocabulary, writer

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("one_thread")]


@pytest.fixture(scope="module")
def ablation(bench_script):
    return bench_script("ablate_encoder")


def test_trains_resumes_and_compares(ablation, tiny_encoder, tmp_path, monkeypatch, capsys):
    topics = [topic for part in vocabulary.TOPICS.values() for topic in part]
    queries = writer.sample_queries(12, topics, seed=3)
    chains = build_chains(queries, "random", writer.write, 0)
    save_chains(chains, tmp_path / "chains.jsonl")
    preset = RewardModelParams.from_file(ROOT / "params/encoder/03_reward_model.yaml")
    short = preset.model_copy(update={"max_tokens": 128})  # as short as the encoder
    monkeypatch.setattr(RewardModelParams, "from_file", lambda path: short)
    arguments = [str(tmp_path / "chains.jsonl"), str(tiny_encoder), str(tmp_path / "out")]
    first, second = ablation.RECIPE, ablation.PLAIN
    assert ablation.main([*arguments, "--threads", "1", "--only", first]) == 0
    trained = []
    train = ablation.train_reward_model

    def spy(*args, **kwargs):
        trained.append(kwargs["folder"].name.removeprefix(PARTIAL))
        return train(*args, **kwargs)

    monkeypatch.setattr(ablation, "train_reward_model", spy)
    names = [first, second, ablation.WHOLE, "whole prompt"]
    assert ablation.main([*arguments, "--threads", "1", "--only", *names]) == 0
    assert trained == ["layout_not_shown", "adapters_in_all_layers", "whole_prompt"]
    assert adapted_layers(tmp_path / "out" / "the_presets_recipe") == {1}
    assert adapted_layers(tmp_path / "out" / "adapters_in_all_layers") == {0, 1}
    table = pd.read_csv(tmp_path / "out" / "ablation.csv").set_index(["recipe", "ranked"])
    assert set(table.index) == {(n, w) for n in names for w in ("held out", "WEval-Hand")}
    assert table.loc[first, "difference"].isna().all()
    others = table.drop(index=first)
    assert others[["difference", "p_holm", "cpu_minutes"]].notna().all(axis=None)
    expected = (
        others["value"]
        - table.loc[first, "value"].reindex(others.index.get_level_values("ranked")).to_numpy()
    )
    pd.testing.assert_series_equal(others["difference"], expected, check_names=False)
    assert "whole prompt" in capsys.readouterr().out


def adapted_layers(folder) -> set[int]:
    with safe_open(folder / "adapter_model.safetensors", "np") as file:
        names = [name.split(".") for name in file.keys() if ".layer." in name]  # noqa: SIM118
    return {int(name[name.index("layer") + 1]) for name in names}
