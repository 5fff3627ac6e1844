"""The ablation of the encoder's recipe, on a tiny encoder: it trains, resumes and compares."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from conftest import ROOT

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
    for name, value in (("n_pairs_requirement", 60), ("batch_size", 20), ("micro_batch_size", 20)):
        monkeypatch.setitem(ablation.SMALLER, name, value)
    monkeypatch.setattr(ablation, "N_EXAMINED", 30)
    arguments = [str(tmp_path / "chains.jsonl"), str(tiny_encoder), str(tmp_path / "out")]
    arguments += ["--threads", "1", "--seeds", "0"]
    assert ablation.main([*arguments, "--only", ablation.DROPS]) == 0
    trained = []
    train = ablation.train_reward_model

    def spy(pairs, *args, **kwargs):
        trained.append((kwargs["folder"].name.removeprefix(PARTIAL), len(pairs)))
        return train(pairs, *args, **kwargs)

    monkeypatch.setattr(ablation, "train_reward_model", spy)
    assert ablation.main(arguments) == 0
    others = [name for name in ablation.CHANGES if name != ablation.DROPS]
    assert trained == [(ablation.folder_of(tmp_path, name, 0).name, 60) for name in others]
    table = pd.read_csv(tmp_path / "out" / "ablation.csv").set_index(["recipe", "ranked"])
    ranked = ablation.HELD_OUT, ablation.FOREIGN, ablation.HAND
    assert set(table.index) == {(n, w) for n in ablation.CHANGES for w in ranked}
    assert table[["above", "cpu_minutes"]].notna().all(axis=None)
    tau = table["value"].unstack()
    lost = table["lost"].unstack()
    np.testing.assert_allclose(
        lost[ablation.HELD_OUT], tau[ablation.HELD_OUT] - tau[ablation.FOREIGN], atol=1e-9
    )
    assert lost[ablation.HAND].isna().all()
    assert table.loc[ablation.RECIPE, "difference"].isna().all()
    others = table.drop(index=ablation.RECIPE, level="recipe")
    assert others[["difference", "difference_p_holm"]].notna().all(axis=None)
    expected = tau.sub(tau.loc[ablation.RECIPE], axis="columns").drop(index=ablation.RECIPE)
    difference = others["difference"].unstack()
    pd.testing.assert_frame_equal(difference, expected.loc[difference.index, difference.columns])
    by_kind = pd.read_csv(tmp_path / "out" / "by_kind.csv")
    assert set(by_kind["recipe"]) == set(ablation.CHANGES) and by_kind["n"].max() == 30
    assert ablation.CONTRAST in capsys.readouterr().out
    assert (tmp_path / "out" / "by_kind.png").stat().st_size > 10_000
    by_type = pd.read_csv(tmp_path / "out" / "by_type.csv")
    assert set(by_type["ranked"]) == {*ranked} and by_type["value"].between(0, 1).all()
    means = pd.read_csv(tmp_path / "out" / "over_seeds.csv").set_index(["recipe", "ranked"])
    assert len(means) == len(table) and (means["n_seeds"] == 1).all()
    one = f"{table.loc[(ablation.DROPS, ablation.HAND), 'value']:z.2f}".replace("-", "−")
    assert means.loc[(ablation.DROPS, ablation.HAND), "value"] == f"{one} ({one} to {one})"
    trained.clear()
    assert ablation.main([*arguments, "--tables-only"]) == 0 and not trained


def test_seeds_are_told_by_mean_and_ends(ablation):
    table = pd.DataFrame(
        {
            "recipe": "a", "seed": [0, 1, 2], "ranked": "held out", "n_chains": 9,
            "value": [0.5, 0.6, 0.73], "partial_tau_b": 0.1, "lost": [0.1, 0.2, np.nan],
            "lost_p_holm": [0.01, 0.3, np.nan], "above": [-0.2, 0.19, 0.0],
        }
    ).assign(difference=np.nan)  # fmt: skip
    (row,) = ablation.over_seeds(table).to_dict("records")
    assert row["value"] == "0.61 (0.50 to 0.73)" and row["n_seeds"] == 3
    assert row["above"] == "0.00 (−0.20 to 0.19)"  # not −0.00
    assert row["lost"] == "0.15 (0.10 to 0.20), p < 0.05 in 1 of 2"
    assert row["difference"] == ""
