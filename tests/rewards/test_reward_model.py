"""Training, saving, reloading and scoring reward models on a random tiny base."""

from __future__ import annotations

import dataclasses
import inspect
import json
import shutil

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file
from scipy.special import expit
from trl import RewardConfig, RewardTrainer

from wfine_utils.base_model import Base
from wfine_utils.chains.dropping import build_chains
from wfine_utils.chains.pairs import preference_pairs
from wfine_utils.errors import WfineError
from wfine_utils.models import loading
from wfine_utils.models.encoding import token_budget_batches
from wfine_utils.models.likelihood import LikelihoodScorer
from wfine_utils.rewards.reward_model import RewardModelScorer, accuracy_by_type, load_reward_model
from wfine_utils.rewards.training import (
    LOSSES,
    batches_of_similar_length,
    encode_pairs,
    reward_config,
    train_reward_model,
)
from wfine_utils.settings import RewardSettings
from wfine_utils.tiny_world import vocabulary, writer

SETTINGS = RewardSettings(
    quantise=True, lora_r=4, lora_alpha=8, learning_rate=5e-3, batch_size=8, micro_batch_size=8,
    n_epochs=1, max_tokens=96, center_coefficient=0.01, loss="bradley_terry",
)  # fmt: skip


@pytest.fixture(scope="module")
def chains():
    queries = writer.sample_queries(12, vocabulary.TOPICS["train"], seed=3)
    return build_chains(queries, "single", writer.write, 0)


@pytest.fixture(scope="module")
def folders(tiny_base, chains, tmp_path_factory):
    """A trained reward model of each granularity."""
    made = {}
    for granularity in ("prompt", "requirement"):
        pairs = preference_pairs(chains, granularity=granularity)
        made[granularity] = tmp_path_factory.mktemp(granularity)
        train_reward_model(
            pairs[:40], pairs[40:48], Base(str(tiny_base)), SETTINGS,
            granularity=granularity, seed=0, folder=made[granularity],
        )  # fmt: skip
    return made


@pytest.fixture(scope="module")
def texts(chains):
    pairs = preference_pairs(chains, granularity="requirement")
    return [p.instruction for p in pairs], [p.chosen for p in pairs]


@pytest.mark.parametrize("granularity", ["prompt", "requirement"])
def test_training_leaves_adapter_manifest_and_curve(folders, granularity):
    folder = folders[granularity]
    weights = load_file(folder / "adapter_model.safetensors")
    assert any("score" in name for name in weights) and any("lora_B" in name for name in weights)
    assert any(w.abs().max() > 0 for name, w in weights.items() if "lora_B" in name)
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["granularity"] == granularity and manifest["n_pairs"] == 40
    curve = (folder / "learning_curve.csv").read_text().splitlines()
    assert curve[0] == "step,split,loss,accuracy,margin"
    assert any("validation" in line for line in curve)


@pytest.mark.parametrize("loss", LOSSES)
def test_the_loss_is_the_one_that_was_asked_for(loss, chains, tiny_base, tmp_path):
    """One step with next to no learning rate, against the formula on the rewards it left."""
    pairs = preference_pairs(chains, granularity="requirement")[:8]
    pairs = [dataclasses.replace(pair, n_dropped=1 + i % 3) for i, pair in enumerate(pairs)]
    nothing = {"loss": loss, "learning_rate": 1e-12, "center_coefficient": 0.0}
    curve = train_reward_model(
        pairs, pairs, Base(str(tiny_base)), SETTINGS.model_copy(update=nothing),
        granularity="requirement", seed=0, folder=tmp_path,
    )  # fmt: skip
    model = load_reward_model(tmp_path)
    instructions = [pair.instruction for pair in pairs]
    chosen = model.rewards(instructions, [pair.chosen for pair in pairs])
    rejected = model.rewards(instructions, [pair.rejected for pair in pairs])
    margin = np.array([pair.n_dropped for pair in pairs])
    expected = {
        "bradley_terry": np.log1p(np.exp(rejected - chosen)),
        "bradley_terry_margin": np.log1p(np.exp(rejected - chosen + margin)),
        "cross_entropy": (np.log1p(np.exp(-chosen)) + np.log1p(np.exp(rejected))) / 2,
    }[loss].mean()
    for split in ("train", "validation"):
        logged = curve.loc[curve["split"] == split, "loss"].iloc[0]
        assert logged == pytest.approx(expected, abs=2e-3), split


@pytest.mark.parametrize("granularity", ["prompt", "requirement"])
def test_an_adapter_names_no_folder_of_this_machine(folders, tiny_base, granularity):
    folder = folders[granularity]
    config = json.loads((folder / "adapter_config.json").read_text())
    assert (folder / config["base_model_name_or_path"]).resolve() == tiny_base.resolve()
    for path in folder.rglob("*.*"):
        assert str(tiny_base.parent).encode() not in path.read_bytes(), path.name


def test_same_seed_same_adapter(tiny_base, chains, folders, tmp_path):
    pairs = preference_pairs(chains, granularity="requirement")
    train_reward_model(
        pairs[:40], pairs[40:48], Base(str(tiny_base)), SETTINGS,
        granularity="requirement", seed=0, folder=tmp_path,
    )  # fmt: skip
    a, b = (load_file(f / "adapter_model.safetensors") for f in (folders["requirement"], tmp_path))
    assert all(torch.equal(a[name], b[name]) for name in a)


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


def test_scorers_give_one_finite_score_per_response(folders, chains, tiny_base):
    scorers = [RewardModelScorer(folders[g], name=g) for g in folders]
    scorers.append(LikelihoodScorer(Base(str(tiny_base))))
    for scorer in scorers:
        scores = scorer.score(chains)
        assert [s.shape for s in scores] == [(len(c.responses),) for c in chains]
        assert all(np.isfinite(s).all() for s in scores)
        alone = scorer.score(chains[4:5])[0]
        np.testing.assert_allclose(alone, scores[4], atol=1e-4)


def test_likelihood_is_that_of_the_response_alone(tiny_base, chains):
    base = Base(str(tiny_base))
    scorer = LikelihoodScorer(base)
    tokenizer = loading.load_tokenizer(base)
    model = loading.load_quantised(base, "causal", tokenizer=tokenizer).eval()
    chain = chains[0]
    chat = [{"role": "user", "content": chain.prompt()}]
    prompt = tokenizer.apply_chat_template(
        chat, add_generation_prompt=True, tokenize=True, return_dict=False
    )
    answer = tokenizer(chain.responses[0].text, add_special_tokens=False)["input_ids"]
    ids = torch.tensor([prompt + answer])
    with torch.no_grad():
        log_p = model(input_ids=ids).logits.float().log_softmax(-1)[0]
    by_hand = np.mean([float(log_p[len(prompt) + i - 1, t]) for i, t in enumerate(answer)])
    assert scorer.score([chain])[0][0] == pytest.approx(by_hand, abs=1e-4)


def test_likelihood_without_instruction_and_as_a_sum(tiny_base, chains):
    """Without the instruction only the text counts; the sum is the mean times the tokens."""
    base = Base(str(tiny_base))
    tokenizer = loading.load_tokenizer(base)
    chain = chains[0]
    other = dataclasses.replace(chain, base_task="Write a very different thing.")
    alone = LikelihoodScorer(base, instruction=False, quantise=False)
    np.testing.assert_array_equal(alone.score([chain])[0], alone.score([other])[0])
    asked = LikelihoodScorer(base, quantise=False)
    assert (asked.score([chain])[0] != asked.score([other])[0]).any()
    total = LikelihoodScorer(base, instruction=False, quantise=False, per_token=False)
    n_tokens = [
        len(tokenizer(r.text, add_special_tokens=False)["input_ids"]) for r in chain.responses
    ]
    mean = alone.score([chain])[0]
    np.testing.assert_allclose(total.score([chain])[0], mean * n_tokens, rtol=1e-5)


def test_accuracy_counts_ties_half(chains):
    class Fixed:
        def rewards(self, instructions, responses):
            return np.array([{"a": 1.0, "b": 0.0, "c": 1.0}[r] for r in responses])

    pair = preference_pairs(chains, granularity="requirement")[0]
    pairs = [
        type(pair)(**{**vars(pair), "chosen": chosen, "rejected": rejected})
        for chosen, rejected in (("a", "b"), ("a", "c"), ("b", "c"), ("a", "b"))
    ]
    table = accuracy_by_type(Fixed(), pairs)
    assert table["value"].tolist() == [0.625] and table["n"].tolist() == [4]


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

    def test_too_few_pairs(self, tiny_base, chains, tmp_path):
        pairs = preference_pairs(chains, granularity="prompt")[:3]
        with pytest.raises(WfineError, match="found 3 training pairs, expected at least one batch"):
            train_reward_model(
                pairs, pairs, Base(str(tiny_base)), SETTINGS,
                granularity="prompt", seed=0, folder=tmp_path,
            )  # fmt: skip


@given(st.lists(st.integers(1, 500), min_size=1, max_size=300), st.integers(1, 40))
def test_batches_of_similar_length_lose_nothing(lengths, batch_size):
    order = batches_of_similar_length(lengths, batch_size, seed=0)
    assert sorted(order) == list(range(len(lengths)))


def test_batches_of_similar_length_pad_less():
    lengths = np.random.default_rng(0).integers(10, 100, size=1024)

    def padded(order):
        return lengths[order].reshape(-1, 16).max(axis=1).sum() * 16

    assert padded(batches_of_similar_length(lengths, 16, 0)) < 0.75 * padded(np.arange(1024))


@given(st.lists(st.integers(1, 50), max_size=60), st.integers(1, 200))
def test_token_budget(lengths, budget):
    batches = token_budget_batches(lengths, budget)
    assert sorted(i for batch in batches for i in batch) == list(range(len(lengths)))
    for batch in batches:
        assert len(batch) == 1 or len(batch) * max(lengths[i] for i in batch) <= budget


class TestApiDrift:
    """What we pass, the pinned libraries must still take: they rename without notice."""

    def test_reward_trainer(self, tmp_path):
        taken = inspect.signature(RewardTrainer.__init__).parameters
        for name in ("model", "args", "processing_class", "train_dataset", "eval_dataset",
                     "peft_config"):  # fmt: skip
            assert name in taken
        args = reward_config(SETTINGS, tmp_path, seed=3, n_steps=40)
        assert isinstance(args, RewardConfig)
        assert args.max_length is None and args.seed == 3
        assert args.train_sampling_strategy == "sequential"

    def test_the_trainer_takes_token_ids_as_they_are(self, tiny_base, chains):
        tokenizer = loading.load_tokenizer(Base(str(tiny_base)))
        data = encode_pairs(preference_pairs(chains, granularity="prompt")[:4], tokenizer, SETTINGS)
        assert set(data.column_names) == {"chosen_ids", "rejected_ids", "margin"}
        source = inspect.getsource(RewardTrainer._prepare_dataset)
        assert '"chosen_ids" in column_names and "rejected_ids" in column_names' in source
