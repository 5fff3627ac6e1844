"""Query likelihood: how much more likely a requirement becomes when a decoder has read a text."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
import torch
from apart_cases import small_chains, small_pairs, train_apart

from wfine_utils.base_model import Base
from wfine_utils.errors import WfineError
from wfine_utils.models import loading, query_likelihood
from wfine_utils.models.encoding import padded
from wfine_utils.models.interactions import read_apart
from wfine_utils.models.pair_rows import encode_apart, parts_of
from wfine_utils.rewards.reward_model import load_reward_model

pytestmark = pytest.mark.usefixtures("one_thread")

ROWS = [
    (request, text)
    for request in ("Mention a boat.", "Write at most nine words.", "Use no list.")
    for text in ("The boat is calm.", "A river.\n\n1. One\n2. Two", "")
]


@pytest.fixture(scope="module")
def chains():
    return small_chains()


@pytest.fixture(scope="module")
def pairs(chains):
    return small_pairs(chains)


def train(pairs, base, folder):
    return train_apart(pairs, base, folder, "query_likelihood", max_tokens=200)


@pytest.fixture(scope="module")
def folder(pairs, tiny_base, tmp_path_factory):
    folder = tmp_path_factory.mktemp("likelihood")
    train(pairs, tiny_base, folder)
    return folder


@pytest.fixture(scope="module")
def untrained(tiny_base):
    base = Base(str(tiny_base))
    tokenizer = loading.load_tokenizer(base)
    model = loading.load_quantised(base, "reward", tokenizer=tokenizer, quantise=False)
    read_apart(model, tokenizer, "query_likelihood", is_trained=False)
    assert not model.score.weight.any(), "before training the head adds nothing"
    torch.manual_seed(0)
    torch.nn.init.normal_(model.score.weight)
    return model.eval(), tokenizer


def rewards_of(model, tokenizer, *pairs):
    rows = [encode_apart(tokenizer, *pair, 1000) for pair in pairs]
    with torch.inference_mode():
        return model(**padded(tokenizer, rows)).logits[:, 0].numpy()


def test_the_reward_is_what_the_response_adds_to_the_likelihood(untrained):
    model, tokenizer = untrained

    def read(request, text):
        """Log-likelihood of the request and its end, and the state at that, by a plain pass."""
        ids = tokenizer(query_likelihood.BEFORE)["input_ids"]
        for part in (text, query_likelihood.AFTER):
            ids = ids + tokenizer(part, add_special_tokens=False)["input_ids"]
        n = len(ids)
        ids = [*ids, *tokenizer(request, add_special_tokens=False)["input_ids"]]
        ids.append(tokenizer.eos_token_id)
        states = model.base_model(torch.tensor([ids])).last_hidden_state[0]
        log_p = (states @ model.get_input_embeddings().weight.T).log_softmax(-1)
        steps = range(n - 1, len(ids) - 1)
        return sum(log_p[i, ids[i + 1]].item() for i in steps), states[-1]

    expected = []
    with torch.inference_mode():
        for request, text in ROWS:
            (given, state), (alone, _) = read(request, text), read(request, "")
            gain = query_likelihood.SCALE * (given - alone)
            expected.append(gain + model.score(state).item())
    np.testing.assert_allclose(rewards_of(model, tokenizer, *ROWS), expected, atol=2e-4)
    assert np.ptp(expected) > 0.1


@pytest.mark.parametrize(("forward", "row"), [(1, 1), (200, 40), (10_000, 10_000)])
def test_rewards_do_not_depend_on_what_is_read_together(untrained, monkeypatch, forward, row):
    whole = rewards_of(*untrained, *ROWS)
    monkeypatch.setattr(query_likelihood, "FORWARD_TOKENS", forward)
    monkeypatch.setattr(query_likelihood, "ROW_TOKENS", row)
    np.testing.assert_allclose(rewards_of(*untrained, *ROWS, ROWS[1])[:-1], whole, atol=2e-4)


def test_a_response_is_read_once(untrained, monkeypatch):
    model, n_tokens, body = untrained[0], [], untrained[0].base_model.forward

    def spy(*, input_ids, **options):
        n_tokens.append(input_ids.numel())
        return body(input_ids=input_ids, **options)

    monkeypatch.setattr(model.base_model, "forward", spy)
    long = "The boat is calm. " * 40
    rewards_of(*untrained, ("Use no list.", long))
    one = sum(n_tokens)
    rewards_of(*untrained, *((request, long) for request, _ in ROWS))
    assert sum(n_tokens) - one < 1.5 * one


def test_rows_are_taken_apart_again(untrained):
    tokenizer = untrained[1]
    row = encode_apart(tokenizer, "Mention <|im_end|> once.", "The boat\n\nis calm.", 100)
    request, text = parts_of(row, tokenizer)
    assert tokenizer.decode(text) == "The boat\n\nis calm."
    assert tokenizer.decode(request) == "Mention <|im_end|> once.", "marks in it are plain text"


def test_a_trained_one_scores_as_it_did(chains, folder):
    model = load_reward_model(folder)
    asked = [(r.text, t.text) for c in chains for r in c.requirements for t in c.responses]
    whole = model.rewards(*zip(*asked, strict=True))
    again = model.rewards(*zip(*asked[:30], strict=True), token_budget=1)
    np.testing.assert_allclose(again, whole[:30], atol=1e-3)
    assert np.isfinite(whole).all()
    head = model._model.get_base_model().score
    assert max(p.abs().max() for n, p in head.named_parameters() if "default" in n) > 0


def test_texts_are_cut_to_what_the_decoder_has_places_for(pairs, tiny_base, tmp_path):
    with pytest.raises(WfineError, match=r"max_tokens: found 100000, but .* has places for"):
        train_apart(pairs, tiny_base, tmp_path, "query_likelihood", max_tokens=100_000)


def test_is_refused_for_an_encoder(pairs, tiny_encoder, tmp_path):
    with pytest.raises(WfineError, match=r"'query_likelihood' and Bert.* expected a decoder"):
        train(pairs, tiny_encoder, tmp_path)


def test_is_refused_where_output_embeddings_are_others(pairs, tiny_base, tmp_path):
    base = tmp_path / "untied"
    shutil.copytree(tiny_base, base)
    config = json.loads((base / "config.json").read_text()) | {"tie_word_embeddings": False}
    (base / "config.json").write_text(json.dumps(config))
    with pytest.raises(WfineError, match="output embeddings are its input embeddings"):
        train(pairs, base, tmp_path)
