"""Texts that begin alike, laid into one row: which ones, and that no score changes by it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import (
    AutoConfig,
    AutoModelForSequenceClassification,
    AutoTokenizer,
    BertConfig,
    BertForSequenceClassification,
    GPT2Config,
    GPT2ForSequenceClassification,
    LlamaConfig,
    LlamaForSequenceClassification,
    MistralConfig,
    MistralForSequenceClassification,
    Qwen2Config,
    Qwen2ForSequenceClassification,
)

from wfine_utils.chains.taxonomy import Chain, Response
from wfine_utils.rewards.classifier import ClassifierScorer
from wfine_utils.rewards.shared_prefix import MIN_GAIN, MIN_SHARED, PrefixSharing, Row, shared_rows
from wfine_utils.tiny_world.vocabulary import TOPICS
from wfine_utils.tiny_world.writer import sample_query, write

TOLERANCE = 1e-4
RESPONSE_FIRST = "<|assistant|>{{ messages[1].content }}<|end|><|user|>{{ messages[0].content }}"
WINDOW = 48

pytestmark = pytest.mark.usefixtures("one_thread")


# --- which texts ------------------------------------------------------------------------------

TEXTS = st.lists(
    st.builds(
        lambda head, n, tail: [head] * n + tail,
        st.integers(0, 1),
        st.integers(0, 40),
        st.lists(st.integers(0, 3), min_size=1, max_size=12),
    ),
    max_size=7,
)


def saved_by(row: Row, ids: Sequence[Sequence[int]], pair_cost: float) -> tuple[float, float]:
    """Work that a row saves, and the work of its texts alone."""
    alone = sum(len(ids[i]) + pair_cost * len(ids[i]) ** 2 / 2 for i in row.texts)
    n_ends = row.n_tokens - row.n_shared  # each of their tokens, and each of the beginning's …
    n_pairs = row.n_shared**2 / 2 + n_ends * row.n_tokens  # … with all that it could look at
    return alone - row.n_tokens - pair_cost * n_pairs, alone


def n_common(texts: Sequence[Sequence[int]]) -> int:
    n = 0
    while all(len(x) > n and x[n] == texts[0][n] for x in texts):
        n += 1
    return n


def best_by_hand(ids, max_row_tokens: int, pair_cost: float) -> float:
    """The most that any way to cut the sorted texts into groups saves, all ways tried."""
    order, best = sorted(range(len(ids)), key=lambda i: ids[i]), 0.0
    for n_cuts in range(len(ids)):
        for cuts in combinations(range(1, len(ids)), n_cuts):
            total = 0.0
            for a, b in zip([0, *cuts], [*cuts, len(ids)]):
                texts = [ids[i] for i in order[a:b]]
                n_shared = min(n_common(texts), min(map(len, texts)) - 1)
                n_tokens = n_shared + sum(len(x) - n_shared for x in texts)
                saved, alone = saved_by(Row(n_shared, n_tokens, order[a:b]), ids, pair_cost)
                fits = len(texts) > 1 and n_shared >= MIN_SHARED and n_tokens <= max_row_tokens
                total += saved if fits and saved >= MIN_GAIN * alone else 0.0
            best = max(best, total)
    return best


@settings(max_examples=150, deadline=None)
@given(ids=TEXTS, max_row_tokens=st.integers(1, 150), pair_cost=st.sampled_from([0.0, 1e-3, 1e-2]))
def test_rows_hold_what_texts_share_and_save_the_most(ids, max_row_tokens, pair_cost):
    rows = shared_rows(ids, max_row_tokens=max_row_tokens, pair_cost=pair_cost)
    placed = [i for row in rows for i in row.texts]
    assert len(placed) == len(set(placed))
    for row in rows:
        texts = [ids[i] for i in row.texts]
        assert len(texts) > 1 and len({tuple(x[: row.n_shared]) for x in texts}) == 1
        assert MIN_SHARED <= row.n_shared < min(map(len, texts))  # every text has an end
        assert row.n_tokens == row.n_shared + sum(len(x) - row.n_shared for x in texts)
        assert row.n_tokens <= max_row_tokens
        saved, alone = saved_by(row, ids, pair_cost)
        assert saved >= MIN_GAIN * alone - 1e-9
    total = sum(saved_by(row, ids, pair_cost)[0] for row in rows)
    assert total == pytest.approx(best_by_hand(ids, max_row_tokens, pair_cost))


def test_a_response_is_shared_and_a_template_is_not():
    responses = [list(range(k, k + 60)) for k in (100, 300, 500)]
    system = list(range(20))  # in front of every text
    ids = [[*system, *r, 7, 8, k] for k in range(3) for r in responses]
    rows = shared_rows(ids, max_row_tokens=4096, pair_cost=0)
    assert sorted(sorted(row.texts) for row in rows) == [[0, 3, 6], [1, 4, 7], [2, 5, 8]]
    assert {row.n_shared for row in rows} == {82}
    first = [[*range(20), *r] for r in responses]  # an instruction, and then the response
    assert shared_rows(first, max_row_tokens=4096, pair_cost=0) == []


def test_equal_texts_and_one_that_begins_another_keep_an_end():
    text = list(range(40))
    (row,) = shared_rows([text, text, [*text, 5, 6]], max_row_tokens=999, pair_cost=0)
    assert row == Row(39, 39 + 1 + 1 + 3, (0, 1, 2))
    assert shared_rows([], max_row_tokens=99, pair_cost=0) == []
    assert shared_rows([text], max_row_tokens=99, pair_cost=0) == []


def test_a_row_that_would_be_too_long_is_cut_in_two():
    ids = [[*range(50), k] for k in range(60, 66)]
    rows = shared_rows(ids, max_row_tokens=53, pair_cost=0)
    assert [row.texts for row in rows] == [(0, 1, 2), (3, 4, 5)]


# --- the scores -------------------------------------------------------------------------------

KINDS = {
    "qwen2": (Qwen2ForSequenceClassification, Qwen2Config, 2),
    "llama": (LlamaForSequenceClassification, LlamaConfig, 1),
    "mistral": (MistralForSequenceClassification, MistralConfig, 1),
    "gpt2": (GPT2ForSequenceClassification, GPT2Config, 1),
    "bert": (BertForSequenceClassification, BertConfig, 2),
}


@pytest.fixture(scope="module")
def folders(tiny_base, tmp_path_factory) -> dict[str, Path]:
    """Tiny classifiers with random weights, large enough that scores differ."""
    tokenizer, found = AutoTokenizer.from_pretrained(tiny_base), {}
    for kind, (model_class, config_class, num_labels) in KINDS.items():
        torch.manual_seed(1)
        given = {"hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2,
                 "intermediate_size": 128}  # fmt: skip
        if kind == "gpt2":
            given = {"n_embd": 64, "n_layer": 2, "n_head": 2}
        if kind in ("qwen2", "mistral"):
            given["num_key_value_heads"] = 1
        if kind == "mistral":
            given["sliding_window"] = WINDOW
        config = config_class(
            vocab_size=512, max_position_embeddings=512, num_labels=num_labels,
            pad_token_id=tokenizer.pad_token_id, **given,
        )  # fmt: skip
        model = model_class(config)
        with torch.no_grad():
            for parameter in model.parameters():
                if parameter.ndim > 1:
                    parameter.mul_(4.0)
        found[kind] = tmp_path_factory.mktemp(kind)
        model.save_pretrained(found[kind])
        tokenizer.save_pretrained(found[kind])
    return found


@pytest.fixture(scope="module")
def chains() -> list[Chain]:
    """Chains of five responses and four requirements; the fourth chain has the third's texts."""
    rng, made = np.random.default_rng(0), []
    for i in range(3):
        query = sample_query(rng, TOPICS["test"])
        n = len(query.requirements)
        kept_sets = [tuple(j < k for j in range(n)) for k in range(n + 1)]
        responses = tuple(Response(write(query, kept, rng), kept) for kept in kept_sets)
        made.append(Chain(f"c{i}", query.category, query.base_task, query.requirements, responses))
    last = made[-1]
    twice = last.responses[0].text
    responses = (*last.responses[:3], Response(f"{twice} {twice}", (True,) * n))
    return [*made, Chain("again", None, last.base_task, last.requirements, responses)]


def scorer(folder: Path, *, template: str = RESPONSE_FIRST, **options) -> ClassifierScorer:
    return ClassifierScorer(
        folder, name="x", granularity="requirement", template=template, progress=False, **options
    )


@contextmanager
def tokens_computed(of: ClassifierScorer) -> Iterator[list[int]]:
    """The number of tokens in each batch that reaches the body of the model, without padding."""
    seen: list[int] = []
    pad = of._tokenizer.pad_token_id

    def look(module, args, kwargs) -> None:
        ids = kwargs["input_ids"] if "input_ids" in kwargs else args[0]
        seen.append(int((ids != pad).sum()))

    handle = of._model.base_model.register_forward_pre_hook(look, with_kwargs=True)
    try:
        yield seen
    finally:
        handle.remove()


def asked(chains: Sequence[Chain]) -> tuple[list[str], list[str]]:
    pairs = [(q.text, r.text) for c in chains for r in c.responses for q in c.requirements]
    return [a for a, _ in pairs], [b for _, b in pairs]


@pytest.mark.parametrize("kind", ["qwen2", "llama", "gpt2"])
def test_scores_are_those_of_one_text_at_a_time(kind, folders, chains):
    on, off = scorer(folders[kind]), scorer(folders[kind], share_prefixes=False, token_budget=1)
    assert on.shares_prefixes and not off.shares_prefixes
    texts = asked(chains)
    with tokens_computed(off) as one_by_one:
        expected = off.rewards(*texts)
    with tokens_computed(on) as together:
        found = on.rewards(*texts)
    assert len(one_by_one) == len(set(zip(*texts)))  # equal texts are scored once
    assert sum(together) < 0.6 * sum(one_by_one)  # so it was shared
    np.testing.assert_allclose(found, expected, rtol=0, atol=TOLERANCE)
    assert np.ptp(expected) > 100 * TOLERANCE


@pytest.mark.parametrize("budget", [1, 200, 500, 10**6])
def test_batch_size_and_order_do_not_matter(budget, folders, chains):
    expected = scorer(folders["qwen2"], share_prefixes=False).score(chains)
    narrow = scorer(folders["qwen2"], token_budget=budget)
    with tokens_computed(narrow) as seen:
        found = narrow.score(chains)
    longest = max(len(narrow._encode(*pair)["input_ids"]) for pair in zip(*asked(chains)))
    assert max(seen) <= max(budget, longest)
    np.testing.assert_allclose(np.concatenate(found), np.concatenate(expected), atol=TOLERANCE)
    order = [2, 0, 3, 1]
    shuffled = narrow.score([chains[i] for i in order])
    for place, i in enumerate(order):
        np.testing.assert_allclose(shuffled[place], expected[i], rtol=0, atol=TOLERANCE)


@pytest.fixture(scope="module")
def qwen2(folders) -> ClassifierScorer:
    return scorer(folders["qwen2"])


@settings(max_examples=10, deadline=None)
@given(data=st.data())
def test_whatever_the_texts(qwen2, data):
    words = st.lists(st.sampled_from("heron boats rain again . wait".split()), max_size=30)
    responses = data.draw(st.lists(words.map(" ".join), min_size=1, max_size=3))
    instructions = data.draw(st.lists(words.map(" ".join), min_size=1, max_size=4))
    pairs = [(q, r) for r in responses for q in instructions]
    pairs += [(q, "half \ud800 of a pair") for q in instructions[:1]]
    pairs = data.draw(st.permutations(pairs))
    found = qwen2.rewards(*zip(*pairs))
    expected = [
        np.nan if "\ud800" in pair[1] else qwen2._forward([qwen2._encode(*pair)])[0]
        for pair in pairs
    ]
    np.testing.assert_allclose(found, expected, rtol=0, atol=TOLERANCE)


def test_texts_that_were_cut_are_shared_too(folders, chains):
    on = scorer(folders["qwen2"], max_tokens=64)
    off = scorer(folders["qwen2"], max_tokens=64, share_prefixes=False)
    long = [" ".join(r.text for r in c.responses) for c in chains[:2]]
    texts = (
        [q.text for c in chains[:2] for q in c.requirements],
        [x for x in long for _ in range(4)],
    )
    np.testing.assert_allclose(on.rewards(*texts), off.rewards(*texts), rtol=0, atol=TOLERANCE)


def test_a_long_response_is_cut_alike_for_requirements_of_about_one_length(folders):
    on = scorer(folders["qwen2"], max_tokens=256)
    response = "heron boats rain again wait " * 200
    asked = ["Use two words.", "Use two boats.", "Write two words."]
    cut = [on._cut(on._encode(t, response), t, response)["input_ids"] for t in asked]
    shortest = min(map(len, cut))
    assert 256 - 256 // 16 < shortest <= 256
    shared = next(i for i, three in enumerate(zip(*cut)) if len(set(three)) > 1)
    assert shared > 0.8 * shortest  # and not the first half alone
    with tokens_computed(on) as seen:
        on.rewards(asked, [response] * 3)
    assert sum(seen) < 1.5 * shortest


def test_a_short_beginning_is_not_worth_it(folders, chains):
    on = scorer(folders["qwen2"], template="chat")  # the requirement first
    with tokens_computed(on) as seen:
        on.score(chains)
    off = scorer(folders["qwen2"], template="chat", share_prefixes=False)
    with tokens_computed(off) as expected:
        off.score(chains)
    assert seen == expected


# --- models that cannot -----------------------------------------------------------------------

SMALL = {
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "max_position_embeddings": 512,
}
DELTA = {"layer_types": ["linear_attention", "full_attention"], "head_dim": 32,
         "linear_num_key_heads": 2, "linear_num_value_heads": 2, "linear_key_head_dim": 32,
         "linear_value_head_dim": 32}  # fmt: skip
HYBRID = {
    "qwen3_5_text": {**SMALL, **DELTA},
    "qwen3_next": {**SMALL, **DELTA, "num_experts": 2, "num_experts_per_tok": 1,
                   "moe_intermediate_size": 32, "shared_expert_intermediate_size": 32},
    "jamba": {**SMALL, "attn_layer_period": 2, "attn_layer_offset": 1, "num_experts": 2,
              "use_mamba_kernels": False, "mamba_d_state": 8},
    "zamba2": {**SMALL, "num_key_value_heads": 2, "layers_block_type": ["mamba", "hybrid"],
               "n_mamba_heads": 4, "mamba_d_state": 16, "mamba_ngroups": 1,
               "use_mamba_kernels": False, "num_mem_blocks": 1},
}  # fmt: skip


@pytest.mark.parametrize("kind", ["qwen3_5_text", "qwen3_next", "jamba", "zamba2"])
def test_a_recurrent_layer_keeps_a_model_from_sharing(kind, tiny_base, tmp_path):
    """Its state would carry one end over into the next; keys and values alone can be kept."""
    tokenizer = AutoTokenizer.from_pretrained(tiny_base)
    torch.manual_seed(1)
    config = AutoConfig.for_model(kind, vocab_size=512, pad_token_id=tokenizer.pad_token_id,
                                  num_labels=1, **HYBRID[kind])  # fmt: skip
    model = AutoModelForSequenceClassification.from_config(config)
    with torch.no_grad():
        model.score.weight.mul_(20.0)
    model.save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    on, off = scorer(tmp_path), scorer(tmp_path, share_prefixes=False, token_budget=1)
    asked = ["Be brief.", "Name a boat."] * 2, ["heron " * 30, "rain " * 20] * 2
    assert not on.shares_prefixes
    np.testing.assert_allclose(on.rewards(*asked), off.rewards(*asked), rtol=0, atol=TOLERANCE)


def test_an_encoder_does_not_share(folders):
    assert not scorer(folders["bert"]).shares_prefixes


def test_no_text_that_is_longer_than_a_window_is_shared(folders, chains):
    on, off = scorer(folders["mistral"]), scorer(folders["mistral"], share_prefixes=False)
    short, long = "the heron stood in a river and waited for rain", chains[0].responses[0].text * 3
    instructions = [q.text for q in chains[0].requirements]
    texts = instructions * 2, [short] * 4 + [long] * 4
    lengths = [len(on._encode(*pair)["input_ids"]) for pair in zip(*texts)]
    assert max(lengths[:4]) <= WINDOW < min(lengths[4:])  # the test is about both kinds
    (batch,) = [places for places, _ in on._sharing.scored(
        [on._encode(*pair)["input_ids"] for pair in zip(*texts)], 4096
    )]  # fmt: skip
    assert sorted(batch) == [0, 1, 2, 3]
    np.testing.assert_allclose(on.rewards(*texts), off.rewards(*texts), rtol=0, atol=TOLERANCE)


@pytest.mark.parametrize("lost", ["position_ids", "attention_mask", "past_key_values"])
def test_a_model_that_ignores_what_it_is_given_scores_as_if_there_were_no_sharing(
    lost, folders, chains, monkeypatch
):
    expected = scorer(folders["llama"], share_prefixes=False).score(chains)
    scorer_on = scorer(folders["llama"])
    body = type(scorer_on._model.base_model)
    forward = body.forward

    def careless(self, input_ids=None, attention_mask=None, position_ids=None, **kwargs):
        given = {"attention_mask": attention_mask, "position_ids": position_ids} | kwargs
        if attention_mask is not None and attention_mask.ndim == 4:
            given[lost] = None
        return forward(self, input_ids=input_ids, **given)

    monkeypatch.setattr(body, "forward", careless)
    found = scorer(folders["llama"])
    assert not found.shares_prefixes
    for a, b in zip(found.score(chains), expected):
        np.testing.assert_allclose(a, b, rtol=0, atol=TOLERANCE)


def test_attention_that_takes_no_mask_of_ours_is_not_tried(folders):
    model = Qwen2ForSequenceClassification.from_pretrained(
        folders["qwen2"], attn_implementation="eager"
    ).eval()
    options = {"alone": lambda text: 1 / 0, "examples": [], "max_tokens": 8, "tolerance": 1e-4}
    assert PrefixSharing.of(model, 0, lambda x: x, **options) is None
