"""Training, saving, reloading and scoring reward models on a random tiny base."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from safetensors.torch import load_file, save_file
from scipy.special import expit

from wfine_utils.base_model import Base
from wfine_utils.chains.pairs import preference_pairs
from wfine_utils.errors import WfineError
from wfine_utils.models.likelihood import LikelihoodScorer
from wfine_utils.rewards.reward_model import (
    RewardModelScorer,
    accuracy_by_type,
    load_reward_model,
    opinions,
)
from wfine_utils.weval.evaluation import evaluate
from wfine_utils.weval.scorers import score_all

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def texts(chains):
    pairs = preference_pairs(chains, granularity="requirement")
    return [p.instruction for p in pairs], [p.chosen for p in pairs]


@pytest.mark.slow
def test_scores_do_not_depend_on_batches_order_or_reloading(folders, texts):
    model = load_reward_model(folders["requirement"])
    together = model.rewards(*texts)
    assert np.unique(together).size > 10  # fp32 heads do not lie on a grid
    for budget in (1, 150, 400):
        np.testing.assert_allclose(model.rewards(*texts, token_budget=budget), together, atol=1e-4)
    order = np.random.default_rng(0).permutation(len(together))
    shuffled = model.rewards(*[[part[i] for i in order] for part in texts])
    np.testing.assert_allclose(shuffled, together[order], atol=1e-4)
    np.testing.assert_array_equal(
        load_reward_model(folders["requirement"]).rewards(*texts), together
    )


def test_score_is_the_mean_probability_over_requirements(folders, chains):
    model = load_reward_model(folders["requirement"])
    queries, responses = [c.query for c in chains[:3]], [c.responses[0].text for c in chains[:3]]
    expected = [
        expit(model.rewards([r.text for r in q.requirements], [a] * len(q.requirements))).mean()
        for q, a in zip(queries, responses, strict=True)
    ]
    np.testing.assert_allclose(model.score(queries, responses), expected, atol=1e-5)
    whole = load_reward_model(folders["prompt"])
    by_prompt = whole.rewards([q.prompt() for q in queries], responses)
    np.testing.assert_allclose(whole.score(queries, responses), by_prompt, atol=1e-5)
    assert model.score([], []).shape == (0,)


def test_opinions_lay_checker_and_model_side_by_side(folders, chains):
    model, chain = load_reward_model(folders["requirement"]), chains[0]
    unchecked = replace(chain.requirements[0], check=None)
    chain = replace(chain, requirements=(unchecked, *chain.requirements[1:]))
    said, query = opinions(model, chain), chain.query
    n, size = len(chain.responses), len(query.requirements)
    assert len(said) == n * size and said["is_met"].isna().sum() == n
    assert list(said["response"]) == [*range(n)] * size
    for row in said.dropna().itertuples():
        place = [r.text for r in query.requirements].index(row.requirement)
        response = chain.responses[row.response]
        assert row.is_met == response.kept[place] and row.n_kept == sum(response.kept)
    alone = model.probabilities([query], [chain.responses[2].text])[0]
    there = said[said["response"] == 2]["probability"]
    np.testing.assert_allclose(there, alone, atol=1e-5)


def test_scorers_give_one_finite_score_per_response(folders, chains, tiny_base):
    scorers = [RewardModelScorer(folders[g], name=g) for g in folders]
    scorers.append(LikelihoodScorer(Base(str(tiny_base))))
    for scorer in scorers:
        scores = scorer.score(chains)
        assert [s.shape for s in scores] == [(len(c.responses),) for c in chains]
        assert all(np.isfinite(s).all() for s in scores)
        alone = scorer.score(chains[4:5])[0]
        np.testing.assert_allclose(alone, scores[4], atol=1e-4)


def test_accuracy_counts_ties_half(chains):
    class Fixed:
        was_cut = False

        def rewards(self, instructions, responses):
            return np.array([{"a": 1.0, "b": 0.0, "c": 1.0}[r] for r in responses])

    pair = preference_pairs(chains, granularity="requirement")[0]
    pairs = [
        type(pair)(**{**vars(pair), "chosen": chosen, "rejected": rejected})
        for chosen, rejected in (("a", "b"), ("a", "c"), ("b", "c"), ("a", "b"))
    ]
    table = accuracy_by_type(Fixed(), pairs)
    assert table["value"].tolist() == [0.625] and table["n"].tolist() == [4]
    assert table[["tie_rate", "nan_rate", "cut_rate"]].to_numpy().tolist() == [[0.25, 0, 0]]
    assert table[["ci_low", "ci_high"]].isna().all(axis=None)  # one chain says nothing of others


def test_accuracy_has_an_interval_over_chains_not_over_their_pairs(chains):
    """Ten pairs of a chain, all right or all wrong, say as much as one."""
    right = np.random.default_rng(0).random(30) < 0.6

    class Fixed:
        was_cut = False

        def rewards(self, instructions, responses):
            return np.array([float(response[0] == "a") for response in responses])

    pair = preference_pairs(chains, granularity="requirement")[0]
    pairs = [
        replace(pair, chain_id=f"c{k}", chosen="ab"[not one], rejected="ba"[not one])
        for k, one in enumerate(right)
    ]
    once, often = accuracy_by_type(Fixed(), pairs), accuracy_by_type(Fixed(), pairs * 10)
    assert often["n"].tolist() == [300] and often["n_chains"].tolist() == [30]
    columns = ["value", "ci_low", "ci_high", "n_chains"]
    pd.testing.assert_frame_equal(often[columns], once[columns])
    assert once["ci_high"].item() - once["ci_low"].item() > 0.3


@pytest.mark.parametrize("granularity", ["prompt", "requirement"])
def test_ties_of_saturated_probabilities_are_told(folders, chains, granularity, monkeypatch):
    scorer = RewardModelScorer(folders[granularity], name="x", progress=False)
    scorer.score(chains)
    assert scorer.saturated_rate == 0

    def near_50(self, instructions, responses, **_):
        return 50.0 + np.arange(len(responses))

    monkeypatch.setattr(type(scorer._reward_model), "rewards", near_50)
    scores = score_all([scorer], chains)["x"]
    assert scores.saturated_rate == (granularity == "requirement")
    table = evaluate(chains, scores, n_boot=0)
    tied = table.query("metric == 'tie_rate' and subset == 'all'").iloc[0]
    assert tied["value"] == tied["saturated_rate"] == tied["tie_rate"]


def test_the_fingerprint_changes_with_each_file(folders, tiny_base, tmp_path):
    adapter, base = tmp_path / "adapter", tmp_path / tiny_base.name
    shutil.copytree(folders["prompt"], adapter)
    shutil.copytree(tiny_base, base)
    manifest = json.loads((adapter / "manifest.json").read_text())
    (adapter / "manifest.json").write_text(json.dumps(manifest | {"base_model": f"../{base.name}"}))
    seen = {RewardModelScorer(adapter, name="x").fingerprint}
    assert RewardModelScorer(adapter, name="y", progress=False).fingerprint in seen
    files = [f for f in adapter.iterdir() if f.suffix in (".json", ".safetensors")]
    assert len(files) >= 5
    for file in files:
        content = file.read_bytes()
        if file.suffix == ".safetensors":
            weights = {name: w + 0.01 for name, w in load_file(file).items()}
            save_file(weights, file, metadata={"format": "pt"})
        else:
            file.write_bytes(content + b" ")
        new = RewardModelScorer(adapter, name="x").fingerprint
        assert (new in seen) == (file.name == "cost.json"), file.name
        seen.add(new)
        file.write_bytes(content)
    (adapter / "cost.json").write_text("{}")
    assert RewardModelScorer(adapter, name="x").fingerprint in seen
    for file in base.iterdir():  # what the base holds is in the manifest
        content = file.read_bytes()
        file.write_bytes(content + b" ")
        with pytest.raises(WfineError, match="the same weights, configuration and tokenizer"):
            RewardModelScorer(adapter, name="x")
        file.write_bytes(content)


def test_the_share_of_ties_that_rounding_made_is_told(folders, chains, monkeypatch):
    scorer = RewardModelScorer(folders["requirement"], name="loud")
    quiet = scorer._reward_model.rewards
    monkeypatch.setattr(scorer._reward_model, "rewards", lambda *a, **k: 50 + 100 * quiet(*a, **k))
    scorer.score(chains[:2])
    assert scorer.saturated_rate > 0


@pytest.mark.parametrize("granularity", ["prompt", "requirement"])
def test_responses_that_were_cut_are_counted(granularity, folders, chains):
    scorer = RewardModelScorer(folders[granularity], name="x")
    model = scorer._reward_model
    model._settings = model._settings.model_copy(update={"max_tokens": 240})
    scorer.score(chains[:2])
    assert scorer.n_cut == 0
    long = replace(chains[0].responses[0], text="The net waits. " * 200)
    scorer.score([replace(chains[0], responses=(long, *chains[0].responses[1:])), chains[1]])
    assert scorer.n_cut == 1


class TestErrors:
    def test_another_base_is_refused(self, folders, tiny_base, tmp_path):
        adapter, base = tmp_path / "adapter", tmp_path / "base"
        shutil.copytree(folders["prompt"], adapter)
        shutil.copytree(tiny_base, base)
        manifest = json.loads((adapter / "manifest.json").read_text())
        manifest["base_model"] = "../base"
        (adapter / "manifest.json").write_text(json.dumps(manifest))
        load_reward_model(adapter)  # the same weights elsewhere are the same base
        (base / "model.safetensors").write_bytes((base / "model.safetensors").read_bytes() + b" ")
        with pytest.raises(WfineError, match="the adapter was trained on the base model"):
            load_reward_model(adapter)

    def test_another_chat_template_is_refused(self, folders, tiny_base, tmp_path):
        adapter = tmp_path / "adapter"
        shutil.copytree(folders["prompt"], adapter)
        shutil.copytree(tiny_base, tmp_path / tiny_base.name)
        template = (adapter / "chat_template.jinja").read_text() + " "
        (adapter / "chat_template.jinja").write_text(template)
        with pytest.raises(WfineError, match="trained with another chat template"):
            load_reward_model(adapter)

    def test_a_record_of_an_older_version_is_refused(self, folders, tmp_path):
        shutil.copytree(folders["prompt"], tmp_path / "adapter")
        path = tmp_path / "adapter" / "manifest.json"
        manifest = json.loads(path.read_text())
        del manifest["kind"]
        path.write_text(json.dumps(manifest))
        with pytest.raises(WfineError, match=r"kind: found none, as in older .* train it again"):
            load_reward_model(tmp_path / "adapter")

    def test_a_folder_without_a_reward_model(self, tmp_path):
        with pytest.raises(WfineError, match="run notebook 03_reward_model"):
            load_reward_model(tmp_path)
