"""Late interaction: requirement and response are read apart, and their tokens meet after."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch
from apart_cases import small_chains, small_pairs, train_apart
from torch.nn.functional import normalize

from wfine_utils.base_model import Base
from wfine_utils.chains.pairs import foreign_pairs
from wfine_utils.errors import WfineError
from wfine_utils.models import late_interaction, loading
from wfine_utils.models.encoding import encode, padded
from wfine_utils.models.interactions import read_apart
from wfine_utils.models.pair_rows import encode_apart, parts_of
from wfine_utils.rewards.reward_model import load_reward_model
from wfine_utils.rewards.training import batches_by_chain

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def chains():
    return small_chains()


@pytest.fixture(scope="module")
def pairs(chains):
    return small_pairs(chains)


def train(pairs, base, folder):
    return train_apart(pairs, base, folder, "late")


@pytest.fixture(scope="module")
def folder(pairs, tiny_encoder, tmp_path_factory):
    folder = tmp_path_factory.mktemp("late")
    train(pairs, tiny_encoder, folder)
    return folder


@pytest.fixture(scope="module")
def untrained(tiny_encoder):
    base = Base(str(tiny_encoder))
    tokenizer = loading.load_tokenizer(base)
    model = loading.load_quantised(base, "reward", tokenizer=tokenizer, quantise=False)
    read_apart(model, tokenizer, "late", is_trained=False)
    assert not model.classifier.weight.any() and model.classifier.bias == 1, "all weights are 1"
    torch.manual_seed(0)
    torch.nn.init.normal_(model.classifier.weight)  # as after training
    return model.eval(), tokenizer


def rewards_of(model, tokenizer, *pairs):
    rows = [encode(tokenizer, *pair, 1000) for pair in pairs]
    with torch.inference_mode():
        return model(**padded(tokenizer, rows)).logits[:, 0].numpy()


def test_the_reward_is_a_weighted_mean_of_the_best_similarities(untrained):
    model, tokenizer = untrained
    requirement, response = "write about the harbour", "a boat . the harbour is calm"

    def vectors(text):
        ids = tokenizer(text, return_tensors="pt").input_ids
        return model.base_model(input_ids=ids).last_hidden_state[0, 1:-1]

    with torch.inference_mode():
        request, given = vectors(requirement), vectors(response)
        best = (normalize(request, dim=1) @ normalize(given, dim=1).T).amax(1).numpy()
        weights = model.classifier(request + request.mean(0)).squeeze(1).numpy()
    expected = late_interaction.SCALE * np.mean(weights * (best - late_interaction.CENTRE))
    rewards = rewards_of(model, tokenizer, (requirement, response))
    np.testing.assert_allclose(rewards, [expected], rtol=1e-4)
    assert np.ptp(weights) > 1e-3


def test_a_response_may_be_longer_than_the_encoder_has_places_for(untrained, monkeypatch):
    model, tokenizer = untrained
    long = "the boat is calm . " * 50 + "lighthouse"  # of 128 places
    read = []
    body = model.base_model.forward

    def spy(*, input_ids, **options):
        read.extend(row[row != tokenizer.pad_token_id].tolist() for row in input_ids)
        return body(input_ids=input_ids, **options)

    monkeypatch.setattr(model.base_model, "forward", spy)
    assert np.isfinite(rewards_of(model, tokenizer, ("a river", long))).all()
    ids = ids_of(tokenizer, long)
    assert max(map(len, read)) <= 128
    windows = sorted((row for row in read if row[1:-1] != ids_of(tokenizer, "a river")), key=len)
    assert len(windows) > 3
    inner = [row[1:-1] for row in windows]
    every = [token for part in inner for token in part]
    assert sorted(every) == sorted(ids), "every token was read, in one window"
    assert inner[0] == ids[-len(inner[0]) :], "the shortest window is the last"


def ids_of(tokenizer, text):
    return tokenizer(text, add_special_tokens=False, verbose=False).input_ids


def test_each_text_is_read_once(untrained, monkeypatch):
    model, tokenizer = untrained
    n_windows = []
    body = model.base_model.forward

    def spy(*, input_ids, **options):
        n_windows.append(len(input_ids))
        return body(input_ids=input_ids, **options)

    monkeypatch.setattr(model.base_model, "forward", spy)
    rows = [(asked, given) for asked in ("a boat", "a river") for given in ("one", "two", "three")]
    together = rewards_of(model, tokenizer, *rows, rows[0])
    assert sum(n_windows) == 2 + 3
    alone = [rewards_of(model, tokenizer, row)[0] for row in [*rows, rows[0]]]
    np.testing.assert_allclose(together, alone, atol=1e-5)


def test_a_long_response_is_cut_alike_for_all_requirements(untrained):
    tokenizer, cut = untrained[1], []
    long = "the boat is calm . " * 100
    rows = [
        encode_apart(tokenizer, asked, long, 60, on_cut=lambda: cut.append(1))
        for asked in ("boat", "write about the harbour [SEP] in three lines")
    ]
    (short, one), (whole, other) = (parts_of(row, tokenizer) for row in rows)
    assert one == other and len(one) == 60 and len(cut) == 2
    assert len(short) < len(whole), "the requirement stays whole, marks in it are plain text"
    pair = "write about the harbour", "a boat .\n\n the harbour"
    assert encode_apart(tokenizer, *pair, 60) == encode(tokenizer, *pair, 60)
    assert encode_apart(tokenizer, "\ud800", "a boat", 60) == []


def test_an_empty_text_has_a_reward(untrained):
    assert np.isfinite(rewards_of(*untrained, ("", "a boat"), ("a boat", ""))).all()


@pytest.mark.parametrize("budget", [1, 300, 100_000])
def test_scores_do_not_depend_on_the_batch(budget, chains, folder):
    model = load_reward_model(folder)
    asked = [(r.text, t.text) for c in chains for r in c.requirements for t in c.responses]
    whole = model.rewards(*zip(*asked, strict=True))
    again = model.rewards(*zip(*asked, strict=True), token_budget=budget)
    np.testing.assert_allclose(again, whole, atol=1e-5)
    assert np.ptp(whole) > 1e-3


def test_the_head_was_trained_and_is_loaded(folder):
    classifier = load_reward_model(folder)._model.get_base_model().classifier
    weight = next(p for n, p in classifier.named_parameters() if "default.weight" in n)
    assert weight.abs().max() > 0


def test_is_refused_for_a_decoder(pairs, tiny_base, tmp_path):
    with pytest.raises(WfineError, match="interaction: found 'late' and Qwen3For"):
        train(pairs, tiny_base, tmp_path)


def test_batches_by_chain_keep_chains_together(pairs):
    order = batches_by_chain(pairs, seed=0)
    assert sorted(order) == list(range(len(pairs)))
    ids = [pairs[i].chain_id for i in order]
    n_changes = sum(a != b for a, b in pairwise(ids))
    assert n_changes == len(set(ids)) - 1


class TestForeignPairs:
    def test_half_of_them_set_an_own_requirement_against_a_foreign_one(self, chains):
        pairs = foreign_pairs(chains, 40, seed=0)
        own = {(c.chain_id, r.text) for c in chains for r in c.requirements}
        kept = {
            (c.chain_id, t.text, r.text)
            for c in chains
            for t in c.responses
            for r, k in zip(c.requirements, t.kept, strict=True)
            if k
        }
        over = [p for p in pairs if p.rejected_instruction]
        assert len(over) == 20
        foreign = {(p.chain_id, p.rejected_instruction or p.instruction) for p in pairs}
        assert not foreign & own, "the tiny world asks for the same in many chains"
        for pair in over:
            assert pair.chosen == pair.rejected
            assert (pair.chain_id, pair.chosen, pair.instruction) in kept

        tied = [p for p in pairs if not p.rejected_instruction]
        both = {(p.instruction, p.chosen, p.rejected) for p in tied}
        assert both == {(i, b, a) for i, a, b in both} and len(both) == 20

    def test_chains_on_one_topic_have_none(self, chains):
        with pytest.raises(WfineError, match="fewer than two topics"):
            foreign_pairs(chains[:1], 4, seed=0)
        assert foreign_pairs(chains[:1], 0, seed=0) == []
