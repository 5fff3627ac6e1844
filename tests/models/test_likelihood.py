"""The likelihood of a response under a language model."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from wfine_utils.base_model import Base
from wfine_utils.chains.dropping import build_chains
from wfine_utils.models import loading
from wfine_utils.models.likelihood import LikelihoodScorer, load_fluency
from wfine_utils.tiny_world import vocabulary, writer

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def chains():
    queries = writer.sample_queries(3, vocabulary.TOPICS["train"], seed=3)
    return build_chains(queries, "single", writer.write, 0)


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


@pytest.mark.parametrize(
    ("n_prompt", "n_answer"), [(100, 24), (100, 7), (60, 20), (60, 100), (5, 100), (5, 9)]
)
def test_of_a_text_that_is_cut_the_tokens_of_the_answer_that_stay_count(
    tiny_base, n_prompt, n_answer
):
    """64 places; the kept start of the answer was that of the whole text."""
    scorer = LikelihoodScorer(Base(str(tiny_base)), quantise=False, max_tokens=64)
    query, answer = "net " * n_prompt, "boat " * n_answer
    prompt = scorer._prompt(query)
    whole = [*prompt, *scorer._tokenizer(answer, add_special_tokens=False)["input_ids"]]
    ids, start = scorer._cut(query, answer)
    assert len(ids) == min(64, len(whole))
    assert ids[:start][-2:] == prompt[-2:]  # the mark before the answer is there
    n_left, n_whole = len(ids) - start, len(whole) - len(prompt)
    assert ids[-1] == whole[-1] and ids[start] == whole[len(prompt)]
    assert min(n_whole, 25) <= n_left <= n_whole
    value = scorer._forward([ids], [start])[0]
    with torch.no_grad():
        log_p = scorer._model(input_ids=torch.tensor([ids])).logits.float().log_softmax(-1)[0]
    by_hand = [float(log_p[i - 1, ids[i]]) for i in range(start, len(ids))]
    assert value == pytest.approx(np.mean(by_hand), abs=1e-4)


def test_no_text_is_longer_than_the_model_has_places(tiny_base):
    scorer = LikelihoodScorer(Base(str(tiny_base)), quantise=False)
    assert len(scorer._cut("net " * 500, "boat")[0]) == 256


def test_fluency_of_characters_prefers_english_and_of_a_model_is_its_likelihood(tiny_base):
    texts = ["The old harbour was calm, and the boats lay still.", "xq zzkw vvpq jjh qqx"]
    english, noise = load_fluency("")(texts)
    assert noise < english < 0
    scorer = LikelihoodScorer(Base(str(tiny_base)), instruction=False, quantise=False)
    expected = scorer.likelihoods(["", ""], texts)
    np.testing.assert_allclose(load_fluency(str(tiny_base))(texts), expected, atol=1e-5)
    assert expected[0] != expected[1]
