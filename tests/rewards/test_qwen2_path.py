"""The path of the GPU presets, end to end on a CPU: a random Qwen2 model in 4-bit.

The model has Qwen2's architecture, with biases in q, k and v, and the chat template that TRL
keeps for Qwen2.5, with its default system message; only its size and its weights are not those
of the presets. Every function called here is one that notebooks 00 to 05 call.
"""

from __future__ import annotations

import json
from pathlib import Path

import bitsandbytes
import numpy as np
import pandas as pd
import pytest
import torch
import trl
from safetensors.torch import load_file
from scipy.special import expit
from tokenizers import Tokenizer, decoders, pre_tokenizers, trainers
from tokenizers.models import BPE
from transformers import AutoModelForCausalLM, PreTrainedTokenizerFast, Qwen2Config

from wfine_utils.base_model import Base
from wfine_utils.chains.dropping import build_chains
from wfine_utils.chains.pairs import preference_pairs
from wfine_utils.models import encoding, loading
from wfine_utils.models.likelihood import LikelihoodScorer
from wfine_utils.models.memory import COST
from wfine_utils.policy import generation, grpo
from wfine_utils.rewards.reward_model import RewardModelScorer, load_reward_model
from wfine_utils.rewards.training import train_reward_model
from wfine_utils.settings import PolicySettings, RewardSettings
from wfine_utils.tiny_world import vocabulary, writer
from wfine_workflow import presets

pytestmark = pytest.mark.usefixtures("one_thread")

TEMPLATE = Path(trl.__file__).parent / "chat_templates" / "qwen2_5.jinja"
SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
PRESET = presets.load_preset("qwen0.5b")
SMALL_REWARD = {
    "lora_r": 4, "lora_alpha": 8, "learning_rate": 5e-3, "batch_size": 4, "micro_batch_size": 2,
    "max_tokens": 256,
}  # fmt: skip
SMALL_POLICY = {
    "lora_r": 4, "lora_alpha": 8, "learning_rate": 5e-3, "n_steps": 4, "prompts_per_rollout": 4,
    "micro_batch_size": 5, "max_new_tokens": 8,
}  # fmt: skip
QUERIES = writer.sample_queries(8, vocabulary.TOPICS["train"], seed=0)


def scaled_down(model, of_preset, small: dict):
    """The settings of the preset, smaller: every choice that is no size stays as it is there."""
    return model(**of_preset.model_dump(include=set(model.model_fields)) | small)


@pytest.fixture(scope="module")
def base(tmp_path_factory) -> Path:
    """Folder of the model; its padding token differs from the end of a turn, as in Qwen2.5."""
    tokenizer = Tokenizer(BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    tokenizer.train_from_iterator(
        [query.prompt() for query in QUERIES],
        trainers.BpeTrainer(
            vocab_size=384, special_tokens=SPECIAL, initial_alphabet=alphabet, show_progress=False
        ),
    )
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token=SPECIAL[0], eos_token=SPECIAL[2],
        chat_template=TEMPLATE.read_text(encoding="utf-8"),
    )  # fmt: skip
    config = Qwen2Config(
        vocab_size=len(fast), hidden_size=64, intermediate_size=128, num_hidden_layers=3,
        num_attention_heads=4, num_key_value_heads=2, max_position_embeddings=1024,
        tie_word_embeddings=True, eos_token_id=fast.eos_token_id, bos_token_id=None,
    )  # fmt: skip
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(config)
    for name, parameter in model.named_parameters():
        if name.endswith("proj.bias"):  # they start at 0, where a lost bias would not show
            torch.nn.init.normal_(parameter, std=0.5)
    folder = tmp_path_factory.mktemp("qwen2")
    model.save_pretrained(folder)
    fast.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def chains():
    return build_chains(QUERIES[:4], "single", writer.write, 0)


@pytest.fixture(scope="module")
def reward_folder(base, chains, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("reward")
    pairs = preference_pairs(chains, granularity="requirement")
    train_reward_model(
        pairs[:12], pairs[12:16], Base(str(base)),
        scaled_down(RewardSettings, PRESET["03_reward_model"], SMALL_REWARD),
        granularity="requirement", seed=0, folder=folder,
    )  # fmt: skip
    return folder


SETTINGS = scaled_down(PolicySettings, PRESET["04_wrl_policy"], SMALL_POLICY)


@pytest.fixture(scope="module")
def policy_folder(base, reward_folder, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("policy")
    grpo.train_policy(
        QUERIES, load_reward_model(reward_folder), Base(str(base)), SETTINGS, seed=0, folder=folder,
    )  # fmt: skip
    return folder


def test_the_settings_are_the_released_ones_where_they_are_no_sizes():
    assert (SETTINGS.num_generations, SETTINGS.updates_per_rollout) == (5, 4)
    assert (SETTINGS.beta, SETTINGS.temperature) == (0.01, 1.0)
    assert SETTINGS.answer_format == "think_answer" and SETTINGS.quantise


@pytest.mark.parametrize("head", ["reward", "causal"])
def test_every_layer_is_in_4_bit_and_keeps_its_bias(base, head):
    model = loading.load_quantised(
        Base(str(base)), head, tokenizer=loading.load_tokenizer(Base(str(base)))
    )
    layers = {n: m for n, m in model.named_modules() if isinstance(m, bitsandbytes.nn.Linear4bit)}
    assert len(layers) == 3 * 7
    stored = load_file(base / "model.safetensors")
    for name, layer in layers.items():
        assert (layer.bias is not None) == name.endswith(("q_proj", "k_proj", "v_proj")), name
        if layer.bias is not None:
            expected = stored[f"{'model.' if head == 'causal' else ''}{name}.bias".replace(
                "model.model.", "model.")]  # fmt: skip
            torch.testing.assert_close(layer.bias.detach().cpu().float(), expected)


def test_what_a_reward_model_reads_has_the_default_system_message(base):
    tokenizer = loading.load_tokenizer(Base(str(base)))
    text = tokenizer.decode(encoding.encode(tokenizer, "Use a list.", "- One.<|im_end|>", 10_000))
    assert text.startswith("<|im_start|>system\nYou are Qwen")
    assert text.endswith("<|im_start|>assistant\n- One.<|im_end|><|im_end|>\n")
    ids = encoding.encode(tokenizer, "Use a list.", "- One.<|im_end|>", 10_000)
    assert ids.count(tokenizer.eos_token_id) == 3  # the one in the response is plain text
    assert ids[-1] != tokenizer.pad_token_id


def test_reward_training_and_reloading(reward_folder, chains):
    curve = pd.read_csv(reward_folder / "learning_curve.csv")
    assert np.isfinite(curve[["loss", "margin"]]).all(axis=None)
    weights = load_file(reward_folder / "adapter_model.safetensors")
    assert all(w.dtype == torch.float32 for w in weights.values())
    assert any(w.abs().max() > 0 for name, w in weights.items() if "lora_B" in name)
    first, again = (RewardModelScorer(reward_folder, name="WRL").score(chains) for _ in range(2))
    for a, b, chain in zip(first, again, chains, strict=True):
        np.testing.assert_array_equal(a, b)
        assert a.shape == (len(chain.responses),) and np.isfinite(a).all()
    assert np.unique(np.concatenate(first)).size > 10


def test_reloaded_scores_are_those_of_training(reward_folder, chains):
    """The last validation loss that the trainer logged, from the reloaded model's rewards."""
    model = load_reward_model(reward_folder)
    pairs = preference_pairs(chains, granularity="requirement")[12:16]
    instructions = [p.instruction for p in pairs]
    chosen, rejected = (
        model.rewards(instructions, [getattr(p, side) for p in pairs])
        for side in ("chosen", "rejected")
    )
    ours = np.log1p(np.exp(rejected - chosen)).mean() + 0.01 * ((chosen + rejected) ** 2).mean()
    curve = pd.read_csv(reward_folder / "learning_curve.csv").query("split == 'validation'")
    assert ours == pytest.approx(curve["loss"].iloc[-1], abs=1e-3)


def test_likelihood_of_the_base(base, chains):
    scores = LikelihoodScorer(Base(str(base))).score(chains)
    assert all((s < 0).all() for s in scores)


def test_grpo_with_thoughts_and_answers(policy_folder):
    curve = pd.read_csv(policy_folder / "training_curve.csv")
    assert curve["step"].tolist() == [1]  # one rollout of four updates
    logged = list((policy_folder / "trainer" / "completions").glob("*.parquet"))
    step = pd.read_parquet(logged[0])
    assert len(step) == 4 * 5
    assert (step["reward_model_requirement"] == 0).all()  # a random model keeps no form
    prompt = step["prompt"].iloc[0]
    assert generation.THINK_ANSWER in str(prompt) and "You are Qwen" not in str(prompt)


def test_costs_are_kept_beside_the_adapters(policy_folder, reward_folder):
    for folder in (policy_folder, reward_folder):
        cost = json.loads((folder / COST).read_text())
        assert cost["tokens"] > 100 and cost["peak_gib"] > 0 and cost["estimate_gib"]["total"] > 1


def test_generation_and_divergence_of_the_trained_policy(base, policy_folder):
    model, tokenizer = generation.load_policy(Base(str(base)), policy_folder)
    completions = generation.generate(
        model, tokenizer, QUERIES, max_new_tokens=8, answer_format="think_answer"
    )
    texts = [completion.text for completion in completions]
    assert len(texts) == len(QUERIES)
    assert [generation.extract_answer(text, "think_answer") for text in texts] == [None] * len(
        texts
    )
    moved = generation.divergence(model, tokenizer, QUERIES, texts, answer_format="think_answer")
    assert (moved["kl"] >= -1e-6).all() and np.isfinite(moved).all(axis=None)


def test_the_reward_counts_only_answers_in_their_form(reward_folder):
    """Hand-made completions, since a random model never keeps the form."""
    model = load_reward_model(reward_folder)
    reward = grpo.RewardFunction(model, QUERIES, "think_answer")
    text = "The net waits."
    written = [f"<think>Short.</think>\n<answer>{text}</answer>", text, f"<answer>{text}</answer>"]
    completions = [[{"role": "assistant", "content": w}] for w in written]
    found = reward(completions, query_index=[2, 2, 2])
    assert found[1:] == [0.0, 0.0]
    assert found[0] == pytest.approx(model.score([QUERIES[2]], [text])[0], abs=1e-6)
    assert 0 < found[0] < 1


class Raw:
    """A reward model of whole prompts, whose good texts score −3."""

    granularity = "prompt"

    def score(self, queries, responses):
        return np.full(len(responses), -3.0)


def test_a_broken_form_is_worse_than_any_raw_score():
    completions = [[{"role": "assistant", "content": w}] for w in
                   ("<think>a</think><answer>b</answer>", "b")]  # fmt: skip
    think = grpo.RewardFunction(Raw(), QUERIES, "think_answer")(completions, query_index=[0, 1])
    assert think == [pytest.approx(expit(-3.0)), 0.0]
    plain = grpo.RewardFunction(Raw(), QUERIES, "plain")(completions, query_index=[0, 1])
    assert plain == [-3.0, -3.0]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("<think>a\n\nb</think>\n<answer>\nOne.\n\nTwo.\n</answer>\n", "One.\n\nTwo."),
        ("<think></think><answer>x < y</answer>", "x < y"),
        ("  <think>a</think><answer>b</answer>", "b"),
        ("<think>a</think><answer>b", None),  # cut off
        ("<think>a</think>b", None),
        ("<answer>b</answer><think>a</think>", None),
        ("Sure! <think>a</think><answer>b</answer>", None),
        ("<think>a</think><answer>b</answer> Bye.", None),
        ("<think>a</think><answer> \n </answer>", None),
        ("<think>a</think><answer>b</answer><answer>c</answer>", None),
        ("<think>a<answer>b</answer></think><answer>c</answer>", None),
        ("<think>a</think><think>a</think><answer>b</answer>", None),
        ("", None),
    ],
)
def test_answer_in_its_form(text, expected):
    assert generation.extract_answer(text, "think_answer") == expected
    assert generation.extract_answer(text, "plain") == text


def test_a_long_text_is_matched_in_no_time():
    """The form is looked for without backtracking over the text again and again."""
    text = "<think>" + "a " * 100_000 + "</think>" + "<answer>" + "b " * 100_000
    assert generation.extract_answer(text, "think_answer") is None
