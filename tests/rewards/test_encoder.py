"""Reward models on an encoder, which reads a text pair and cannot write."""

from __future__ import annotations

import shutil
from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from scipy.special import expit

from wfine_utils.base_model import Base
from wfine_utils.chains.dropping import build_chains
from wfine_utils.chains.pairs import preference_pairs
from wfine_utils.chains.splits import folds, swap_requirements
from wfine_utils.errors import WfineError
from wfine_utils.models import cpu_layers, devices, loading
from wfine_utils.policy.generation import load_policy
from wfine_utils.rewards import losses
from wfine_utils.rewards.cross_validation import out_of_fold_scores
from wfine_utils.rewards.reward_model import RewardModelScorer, load_reward_model
from wfine_utils.rewards.training import batches_by_requirement, train_reward_model
from wfine_utils.settings import RewardSettings
from wfine_utils.tiny_world import vocabulary, writer

SETTINGS = {
    "quantise": True, "lora_r": 4, "lora_alpha": 8, "learning_rate": 5e-3, "batch_size": 8,
    "micro_batch_size": 8, "n_epochs": 1, "max_tokens": 96, "center_coefficient": 0.01,
    "loss": "bradley_terry",
}  # fmt: skip

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def chains():
    queries = writer.sample_queries(8, vocabulary.TOPICS["train"], seed=3)
    return build_chains(queries, "random", writer.write, 0)


@pytest.fixture(scope="module")
def pairs(chains):
    return preference_pairs(chains, granularity="requirement", max_drop_distance=4)


def train(pairs, base, folder, **changes):
    return train_reward_model(
        pairs[:24], pairs[24:32], Base(str(base)), RewardSettings(**SETTINGS | changes),
        granularity="requirement", seed=0, folder=folder,
    )  # fmt: skip


@pytest.fixture(scope="module")
def folder(pairs, tiny_encoder, tmp_path_factory):
    folder = tmp_path_factory.mktemp("reward")
    train(pairs, tiny_encoder, folder)
    return folder


class TestRewardModel:
    def test_scores_the_same_when_reloaded(self, pairs, folder):
        first, again = load_reward_model(folder), load_reward_model(folder)
        asked = [p.instruction for p in pairs[:24]], [p.chosen for p in pairs[:24]]
        rewards = first.rewards(*asked)
        assert np.ptp(rewards) > 1e-5
        np.testing.assert_array_equal(again.rewards(*asked), rewards)

    def test_the_lower_half_can_be_left_alone(self, pairs, tiny_encoder, tmp_path):
        train(pairs, tiny_encoder, tmp_path, adapted_layers=0.5)
        model = load_reward_model(tmp_path)
        adapted = {n.split(".lora_")[0] for n, _ in model._model.named_parameters() if "lora_" in n}
        assert adapted and not any(".layer.0." in name for name in adapted)
        linear = [n for n, m in model._model.named_modules() if hasattr(m, "base_layer")]
        assert sum(".layer.1." in name for name in linear) == 6  # q, k, v and three dense layers
        asked = [p.instruction for p in pairs[:24]], [p.chosen for p in pairs[:24]]
        again = load_reward_model(tmp_path).rewards(*asked)
        np.testing.assert_array_equal(again, model.rewards(*asked))

    @pytest.mark.parametrize("budget", [1, 300, 100_000])
    def test_scores_do_not_depend_on_the_batch(self, budget, chains, folder):
        model = load_reward_model(folder)
        queries = [chain.query for chain in chains for _ in chain.responses]
        texts = [r.text for chain in chains for r in chain.responses]
        whole = model.score(queries, texts)
        asked = [(r.text, t) for q, t in zip(queries, texts) for r in q.requirements]
        alone = expit(model.rewards(*zip(*asked, strict=True), token_budget=budget))
        np.testing.assert_allclose(alone.reshape(len(texts), -1).mean(1), whole, atol=1e-5)

    def test_the_head_is_neither_quantised_nor_rounded(self, folder, monkeypatch):
        monkeypatch.setattr(devices, "cpu_has_bf16", lambda: True)
        tokenizer = loading.load_tokenizer(Base(str(folder)))
        base = load_reward_model(folder)
        head = base._model.get_base_model().classifier
        assert all(p.dtype == torch.float32 for p in head.parameters())
        with torch.autocast("cpu", torch.bfloat16):
            assert head(torch.ones(1, 64, dtype=torch.bfloat16)).dtype == torch.float32
        assert tokenizer.chat_template is None

    def test_in_bf16_where_the_cpu_has_it(self, pairs, tiny_encoder, tmp_path, monkeypatch):
        monkeypatch.setattr(devices, "cpu_has_bf16", lambda: True)
        curve = train(pairs, tiny_encoder, tmp_path, precision="auto")
        model = load_reward_model(tmp_path)
        halves = [isinstance(m.forward, cpu_layers._HalfLayer) for m in model._model.modules()]
        assert any(halves) and curve["loss"].notna().all()
        rewards = model.rewards(["be brief"] * 2, ["a river", "two boats"])
        assert np.isfinite(rewards).all() and len(set(rewards)) == 2

    @pytest.mark.parametrize("quantise", [True, False])
    def test_a_pooler_that_is_not_in_the_file_is_trained_and_saved(
        self, quantise, pairs, tiny_encoder, tmp_path
    ):
        shutil.copytree(tiny_encoder, tmp_path / "base")
        weights = load_file(tiny_encoder / "model.safetensors")
        save_file(
            {name: w for name, w in weights.items() if "pooler" not in name},
            tmp_path / "base" / "model.safetensors", metadata={"format": "pt"},
        )  # fmt: skip
        (tmp_path / "reward").mkdir()
        train(pairs, tmp_path / "base", tmp_path / "reward", quantise=quantise)
        saved = load_file(tmp_path / "reward" / "adapter_model.safetensors")
        assert saved["base_model.model.bert.pooler.dense.weight"].dtype == torch.float32
        asked = [p.instruction for p in pairs[:24]], [p.chosen for p in pairs[:24]]
        rewards = []
        for seed in (1, 2):  # of whatever is random in loading
            torch.manual_seed(seed)
            rewards.append(load_reward_model(tmp_path / "reward").rewards(*asked))
        assert np.ptp(rewards[0]) > 1e-5
        np.testing.assert_array_equal(*rewards)

    @pytest.mark.parametrize(
        ("kind", "words"),
        [
            ("fnet", "for a text alone and of"),
            ("xlnet", "for a text alone and of"),
            ("convbert", "for a text alone and of"),
            ("nystromformer", "fails on a text by itself"),
        ],
    )
    @pytest.mark.parametrize("quantise", [True, False])
    def test_whose_scores_depend_on_padding_is_refused(
        self, kind, words, quantise, pairs, bench_script, tmp_path
    ):
        families = bench_script("model_families")
        sizes = {
            "convbert": {**families.SIZE, "embedding_size": 64},
            "nystromformer": {**families.SIZE, "num_landmarks": 8},
            "xlnet": {"d_model": 64, "n_layer": 2, "n_head": 2, "d_inner": 128},
        }
        saved_from = families.CAUSAL if kind == "xlnet" else families.MASKED
        family = families.Family(kind, saved_from, sizes.get(kind, families.SIZE))
        base = families.build(family, tmp_path / "base")
        if kind == "xlnet" and quantise:
            words = "of the weights in XLNet"  # earlier: NF4 would leave most of it
        with pytest.raises(WfineError, match=f"base_model .*: found .* {words}"):
            train(pairs, base, tmp_path, quantise=quantise)

    def test_texts_longer_than_the_encoder_has_places_are_refused(
        self, pairs, tiny_encoder, tmp_path
    ):
        with pytest.raises(WfineError, match=r"max_tokens: found 200, .* places for 128 tokens"):
            train(pairs, tiny_encoder, tmp_path, max_tokens=200)

    def test_cannot_write(self, tiny_encoder):
        with pytest.raises(WfineError, match=r"found an encoder .* expected a language model"):
            load_policy(Base(str(tiny_encoder)), quantise=False)


class TestEachTextOnce:
    def test_same_loss_with_fewer_texts(self, pairs, tiny_encoder, tmp_path, monkeypatch):
        seen = []

        def spy(model, *, share_parts=False, **inputs):
            seen.append(len(inputs["input_ids"]))
            return model(**inputs)

        once = losses._each_text_once
        curves = {}
        for name, forward in (
            ("once", lambda model, **kw: once(lambda **x: spy(model, **x), **kw)),
            ("every", spy),
        ):
            seen.clear()
            monkeypatch.setattr(losses, "_each_text_once", forward)
            (tmp_path / name).mkdir()
            curve = train(
                pairs, tiny_encoder, tmp_path / name, quantise=False, batch_by="requirement"
            )
            curves[name] = curve, sum(seen)
        (a, few), (b, many) = curves["once"], curves["every"]
        assert few < many
        np.testing.assert_allclose(a["loss"], b["loss"], atol=1e-5)

    def test_long_and_short_texts_pass_apart(self, tiny_encoder, monkeypatch):
        monkeypatch.setattr(losses, "CPU_FORWARD_TOKENS", 40)
        tokenizer = loading.load_tokenizer(Base(str(tiny_encoder)))
        model = loading.load_quantised(
            Base(str(tiny_encoder)), "reward", tokenizer=tokenizer, quantise=False
        )
        texts = [[7] * 5, [9] * 30, [8] * 6, [7] * 5, [5] * 28]  # two of them equal
        batch = tokenizer.pad({"input_ids": texts}, return_tensors="pt")
        shapes = []

        def spy(**inputs):
            shapes.append(tuple(inputs["input_ids"].shape))
            return model(**inputs)

        found = losses._each_text_once(spy, share_parts=False, **batch).logits
        assert sorted(shapes) == [(1, 28), (1, 30), (2, 6)]
        torch.testing.assert_close(found, model(**batch).logits, atol=1e-5, rtol=0)
        found.sum().backward()
        assert model.classifier.weight.grad.abs().sum() > 0
        # Several processes have to pass equally often.
        monkeypatch.setattr(devices, "processes", lambda: SimpleNamespace(num_processes=2))
        shapes.clear()
        again = losses._each_text_once(spy, share_parts=False, **batch).logits
        assert shapes == [(4, 30)]
        torch.testing.assert_close(again, found, atol=1e-5, rtol=0)

    def test_pairs_of_one_chain_and_requirement_stay_side_by_side(self, pairs):
        order = batches_by_requirement(pairs, seed=1)
        assert sorted(order) == list(range(len(pairs)))
        asked = [(pairs[i].chain_id, pairs[i].instruction) for i in order]
        starts = [x for x, before in zip(asked, [None, *asked]) if x != before]
        assert len(starts) == len(set(asked)) < len(pairs)
        chains = [chain_id for chain_id, _ in starts]
        assert sum(a != b for a, b in pairwise(chains)) > len(set(chains))  # come apart
        assert order.tolist() != batches_by_requirement(pairs, seed=2).tolist()


class TestCrossValidation:
    def test_scores_come_from_a_model_that_did_not_see_the_chain(self, chains, folder):
        seen = {}

        def train(k, known):
            seen[k] = {chain.chain_id for chain in known}
            return folder

        scores = out_of_fold_scores(chains, train, n_folds=2, seed=0)
        assert [len(s) for s in scores] == [len(chain.responses) for chain in chains]
        assert not seen[0] & seen[1]
        assert seen[0] | seen[1] == {chain.chain_id for chain in chains}
        whole = RewardModelScorer(folder, name="all").score(chains)
        np.testing.assert_allclose(np.concatenate(scores), np.concatenate(whole), atol=1e-5)

    def test_requirements_of_another_chain(self, chains, folder):
        same = [chain for chain in chains if len(chain.requirements) == 4][:5]
        found = out_of_fold_scores(
            same, lambda k, known: folder, n_folds=2, seed=0, as_scored=swap_requirements
        )
        parts = folds(same, 2, seed=0)
        direct = [
            RewardModelScorer(folder, name="x").score(swap_requirements(part)) for part in parts
        ]
        by_id = {c.chain_id: s for p, d in zip(parts, direct) for c, s in zip(p, d)}
        for chain, scores in zip(same, found):
            np.testing.assert_array_equal(scores, by_id[chain.chain_id])

    def test_an_id_twice_is_refused(self, chains):
        with pytest.raises(WfineError, match="expected each id once"):
            out_of_fold_scores([chains[0]] * 2, lambda k, c: "", n_folds=2, seed=0)
