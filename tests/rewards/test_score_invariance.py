"""Scores of model-based scorers do not depend on batch size, padding side or order, to 1e-4.

Every scorer is used as a user would, on the tiny base in fp32, with a token budget that makes
batches of 1, 3 and 8; a hook at the body of the model sees which batches really came, and on which
side they were padded.

Which side is padded is a choice of the user for none of the scorers. A classifier's examination
tries both where the model knows the places of its tokens, and so does this file. Rewards,
likelihoods and log-probabilities of options are computed with padding on the right, whatever the
tokenizer prefers: here it prefers either, and the same numbers are computed by hand with
padding on the left. Generation makes sense with padding on the left alone, as the reply has to
follow the prompt at once; there the preference of the tokenizer is what must not matter.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from peft import get_peft_model
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from wfine_utils import base_model
from wfine_utils.base_model import Base
from wfine_utils.chains.dropping import build_chains
from wfine_utils.chains.taxonomy import Chain
from wfine_utils.judges import templates as judge_prompts
from wfine_utils.judges.judges import Critic, RequirementJudge
from wfine_utils.judges.local_model import TransformersBackend
from wfine_utils.judges.pairwise import PairwiseJudge
from wfine_utils.models import adapters, encoding, loading, tiny_writer
from wfine_utils.models.likelihood import LikelihoodScorer
from wfine_utils.rewards.classifier import ClassifierScorer
from wfine_utils.rewards.reward_model import RewardModelScorer
from wfine_utils.settings import RewardSettings
from wfine_utils.tiny_world import vocabulary, writer

TOLERANCE = 1e-4
SIZES = (1, 3, 8)
SIDES = ("left", "right")
WINDOW = 2048  # the prompts of judges have several hundred tokens
MAX_TOKENS = 6  # of a reply

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def chains() -> list[Chain]:
    """Three chains of three responses and two requirements: small, as judges are slow."""
    queries = writer.sample_queries(3, vocabulary.TOPICS["test"], seed=5)
    return [
        replace(
            chain,
            requirements=chain.requirements[:2],
            responses=tuple(replace(r, kept=r.kept[:2]) for r in chain.responses[::2]),
        )
        for chain in build_chains(queries, "random", writer.write, seed=5)
    ]


def enlarge(model: torch.nn.Module) -> torch.nn.Module:
    """Larger weights: with fresh ones a model repeats its last token, and all texts look alike."""
    torch.manual_seed(0)
    with torch.no_grad():
        for parameter in model.model.layers.parameters():
            if parameter.dim() == 2:
                parameter.normal_(std=0.5)
    return model


@pytest.fixture(scope="module")
def base(tmp_path_factory) -> Path:
    """The tiny base of the other tests, with a window that takes the prompts of judges."""
    templates = [v for v in vars(judge_prompts).values() if isinstance(v, judge_prompts.Template)]
    queries = writer.sample_queries(60, vocabulary.TOPICS["train"], seed=0)
    texts = [query.prompt() for query in queries] + [template.text for template in templates] * 5
    tokenizer = tiny_writer.tiny_tokenizer(texts, vocab_size=1024)
    config = tiny_writer.tiny_config(tokenizer, hidden_size=64, n_layers=2, n_positions=WINDOW)
    folder = tmp_path_factory.mktemp("long-base")
    enlarge(tiny_writer.tiny_model(config, seed=0)).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def classifiers(base, tmp_path_factory) -> dict[int, Path]:
    """Folders of the base with a head, by number of outputs."""
    found = {}
    for n in (1, 2):
        found[n] = tmp_path_factory.mktemp(f"classifier-{n}")
        torch.manual_seed(n)
        model = AutoModelForSequenceClassification.from_pretrained(base, num_labels=n)
        with torch.no_grad():
            model.score.weight.normal_(std=0.3)
        model.save_pretrained(found[n])
        AutoTokenizer.from_pretrained(base).save_pretrained(found[n])
    return found


@pytest.fixture(scope="module")
def reward_models(base, tmp_path_factory) -> dict[str, Path]:
    """Reward models of both granularities, with random adapters and heads and no training."""
    settings = RewardSettings(
        quantise=False, lora_r=4, lora_alpha=8, learning_rate=1e-3, batch_size=8,
        micro_batch_size=8, n_epochs=1, max_tokens=512, center_coefficient=0.0,
        loss="bradley_terry",
    )  # fmt: skip
    tokenizer, found = AutoTokenizer.from_pretrained(base), {}
    for granularity in ("prompt", "requirement"):
        folder = found[granularity] = tmp_path_factory.mktemp(granularity)
        model = loading.load_quantised(
            Base(str(base)), "reward", tokenizer=tokenizer, quantise=False
        )
        model = get_peft_model(model, adapters.lora_config("reward", r=4, alpha=8))
        torch.manual_seed(0)
        with torch.no_grad():
            for name, parameter in model.named_parameters():
                if parameter.requires_grad:  # adapters begin at nothing, and the head small
                    parameter.normal_(std=0.3 if "score" in name else 0.1)
        adapters.save_adapter(
            model, tokenizer, Base(str(base)), "reward", folder,
            granularity=granularity, settings=settings.model_dump(),
        )  # fmt: skip
    return found


# --- the scorers ----------------------------------------------------------------------------


@dataclass
class Case:
    """A scorer, and what holds its tokenizer and model."""

    scorer: Any
    holder: Any  # has _tokenizer, _model and, or else its method has, a token budget
    n_new: int = 0  # tokens that are written
    side: str = "right"  # the side that is padded

    def set_budget(self, budget: int) -> None:
        if isinstance(self.scorer, RewardModelScorer):  # the knob is an argument of rewards()
            method = partial(type(self.holder).rewards, self.holder, token_budget=budget)
            self.holder.rewards = method
        else:
            self.holder._token_budget = budget

    def run(self, chains: Sequence[Chain]) -> tuple[list[np.ndarray], pd.DataFrame | None]:
        """Scores, and the table of verdicts of a judge."""
        if not hasattr(self.scorer, "verdicts"):
            return self.scorer.score(chains), None
        table = self.scorer.verdicts(chains)
        return self.scorer.aggregate(table, chains), table


def judge_case(make: Callable[..., Any], base: Path, n_new: int = MAX_TOKENS, **kwargs) -> Case:
    backend = TransformersBackend(base_model.Base(str(base)), quantise=False)
    if n_new:
        return Case(make(backend, max_tokens=n_new, **kwargs), backend, n_new, "left")
    return Case(make(backend, **kwargs), backend)


def reward_case(folder: Path) -> Case:
    scorer = RewardModelScorer(folder, name="x")
    return Case(scorer, scorer._reward_model)


def own_case(scorer: Any) -> Case:
    return Case(scorer, scorer)


def likelihood(base: Path, **kwargs) -> Case:
    return own_case(LikelihoodScorer(base_model.Base(str(base)), quantise=False, **kwargs))


MAKERS: dict[str, Callable[..., Case]] = {
    "reward model, prompt": lambda b, c, r: reward_case(r["prompt"]),
    "reward model, requirement": lambda b, c, r: reward_case(r["requirement"]),
    "likelihood": lambda b, c, r: likelihood(b),
    "likelihood, sum": lambda b, c, r: likelihood(b, per_token=False),
    "likelihood, no instruction": lambda b, c, r: likelihood(b, instruction=False),
    "classifier, one logit": lambda b, c, r: own_case(ClassifierScorer(c[1], name="x")),
    "classifier, two labels": lambda b, c, r: own_case(ClassifierScorer(c[2], name="x")),
    "classifier, requirement": lambda b, c, r: own_case(
        ClassifierScorer(c[2], name="x", granularity="requirement")
    ),
    "judge, logits": lambda b, c, r: judge_case(RequirementJudge, b, 0, mode="logits"),
    "judge, text": lambda b, c, r: judge_case(RequirementJudge, b),
    "critic": lambda b, c, r: judge_case(Critic, b),
    "pairwise judge": lambda b, c, r: judge_case(PairwiseJudge, b),
}


@pytest.fixture(scope="module", params=MAKERS)
def case(request, base, classifiers, reward_models) -> Case:
    return MAKERS[request.param](base, classifiers, reward_models)


@dataclass
class Seen:
    """One batch as it reached the model."""

    ids: torch.Tensor  # [texts, tokens]
    mask: torch.Tensor

    @property
    def is_padded(self) -> bool:
        return bool((self.mask == 0).any())

    @property
    def side(self) -> str:
        return "left" if (self.mask[:, 0] == 0).any() else "right"


@contextmanager
def batches(case: Case) -> Iterator[list[Seen]]:
    """The batches that reach the body of the model; of a generation, the prompts alone."""
    seen: list[Seen] = []

    def look(module, args, kwargs) -> None:
        ids = kwargs["input_ids"] if "input_ids" in kwargs else args[0]
        if ids.shape[1] > 1:  # else a token that was just written
            seen.append(Seen(ids.clone(), (ids != pad).long()))  # no text can hold a padding token

    pad = case.holder._tokenizer.pad_token_id
    whole = case.holder._model
    whole = whole.get_base_model() if hasattr(whole, "get_base_model") else whole
    handle = whole.model.register_forward_pre_hook(look, with_kwargs=True)
    try:
        yield seen
    finally:
        handle.remove()


def assert_same(found: Sequence[np.ndarray], expected: Sequence[np.ndarray]) -> None:
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=TOLERANCE)  # NaN equals NaN alone


def assert_same_table(found: pd.DataFrame | None, expected: pd.DataFrame | None) -> None:
    """The same replies, readings and problems, rows in any order."""
    if expected is None:
        assert found is None
        return
    place = [c for c in ("chain_id", "response", "requirement", "first", "second") if c in expected]
    a, b = (t.sort_values(place, ignore_index=True) for t in (found, expected))
    pd.testing.assert_frame_equal(a, b, check_exact=False, rtol=0, atol=TOLERANCE)


@pytest.fixture(scope="module")
def alone(case, chains) -> tuple[list[np.ndarray], pd.DataFrame | None, list[int]]:
    """Scores with every text by itself, the table, and the lengths of the texts."""
    case.set_budget(1)
    with batches(case) as seen:
        scores, table = case.run(chains)
    assert {len(batch.ids) for batch in seen} == {1} and not any(b.is_padded for b in seen)
    return scores, table, [batch.ids.shape[1] for batch in seen]


# --- the line of the issue ------------------------------------------------------------------


def test_texts_differ_and_so_do_scores(case, chains, alone):
    """Otherwise the tests below would be of no use."""
    scores, table, lengths = alone
    assert [len(s) for s in scores] == [len(c.responses) for c in chains]
    assert len(lengths) >= 9 and len(set(lengths)) >= 4
    if case.n_new:  # nonsense: no verdict, so the replies are what is compared
        assert table["reply"].nunique() >= 5 and np.isnan(np.concatenate(scores)).all()
    else:
        assert np.ptp(np.concatenate(scores)) > 100 * TOLERANCE


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("size", SIZES)
def test_batch_size_padding_side_and_shuffled_order(size, side, case, chains, alone):
    scores, table, lengths = alone
    budget = size * (max(lengths) + case.n_new)  # the longest texts come first, so many of them
    case.set_budget(budget if size > 1 else 1)
    case.holder._tokenizer.padding_side = side  # what the tokenizer of a folder may prefer
    turned = {1: [2, 1, 0], 3: [1, 2, 0], 8: [2, 0, 1]}[size]
    with forced_side(case, side), batches(case) as seen:
        found, replies = case.run([chains[i] for i in turned])
    assert len(seen[0].ids) == size
    if size > 1:
        padded = [batch for batch in seen if batch.is_padded]
        free = isinstance(case.scorer, ClassifierScorer)
        assert padded and {batch.side for batch in padded} == {side if free else case.side}
    assert sum(len(batch.ids) for batch in seen) == len(lengths)
    assert_same([found[turned.index(i)] for i in range(len(chains))], scores)
    assert_same_table(replies, table)


@contextmanager
def forced_side(case: Case, side: str) -> Iterator[None]:
    """Let a classifier pad on the side that is asked for, as its examination does."""
    if isinstance(case.scorer, ClassifierScorer):
        case.scorer._forward = partial(type(case.scorer)._forward, case.scorer, padding_side=side)
    try:
        yield
    finally:
        vars(case.scorer).pop("_forward", None)


# --- padding on the left, by hand -------------------------------------------------------------


def left(ids: Sequence[Sequence[int]], pad: int) -> dict[str, torch.Tensor]:
    """A batch padded on the left, its texts beginning at place 0."""
    n = max(map(len, ids))
    rows = torch.tensor([[pad] * (n - len(x)) + list(x) for x in ids])
    mask = torch.tensor([[0] * (n - len(x)) + [1] * len(x) for x in ids])
    return {"input_ids": rows, "attention_mask": mask,
            "position_ids": (mask.cumsum(-1) - 1).clamp(min=0)}  # fmt: skip


@torch.inference_mode()
def test_rewards_by_hand_with_padding_on_the_left(reward_models, chains):
    model = reward_case(reward_models["prompt"]).holder
    pairs = [(c.prompt(), r.text) for c in chains for r in c.responses][:8]
    ids = [encoding.encode(model._tokenizer, *pair, 512) for pair in pairs]
    inner = model._model.get_base_model()
    hidden = inner.model(**left(ids, model._tokenizer.pad_token_id)).last_hidden_state
    expected = inner.score(hidden[:, -1]).squeeze(-1).numpy()
    found = model.rewards(*zip(*pairs), token_budget=10**6)
    assert len({len(x) for x in ids}) > 1
    np.testing.assert_allclose(found, expected, rtol=0, atol=TOLERANCE)


@torch.inference_mode()
def test_likelihoods_by_hand_with_padding_on_the_left(base, chains):
    scorer = likelihood(base).scorer
    tokenizer, ids, n_answer = scorer._tokenizer, [], []
    for chain in chains:
        for response in chain.responses:
            answer = tokenizer(response.text, add_special_tokens=False)["input_ids"]
            ids.append([*scorer._prompt(chain.prompt()), *answer])
            n_answer.append(len(answer))
    batch = left(ids, tokenizer.pad_token_id)
    log_p = scorer._model(**batch).logits[:, :-1].log_softmax(-1)
    chosen = log_p.gather(-1, batch["input_ids"][:, 1:, None]).squeeze(-1)
    expected = [float(row[-n:].mean()) for row, n in zip(chosen, n_answer)]
    assert len({len(x) for x in ids}) > 1
    found = np.concatenate(scorer.score(chains))
    np.testing.assert_allclose(found, expected, rtol=0, atol=TOLERANCE)


@torch.inference_mode()
def test_options_by_hand_with_padding_on_the_left(base, chains):
    backend = judge_case(RequirementJudge, base, 0, mode="logits").holder
    asked = [
        judge_prompts.REQUIREMENT_LOGITS.fill(
            task=chain.base_task, response=response.text, requirement=chain.requirements[0].text
        )
        for chain in chains
        for response in chain.responses
    ][:8]
    ids, problems = backend._encode(asked, room=0)
    assert not any(problems) and len({len(x) for x in ids}) > 1
    logits = backend._model(**left(ids, backend._tokenizer.pad_token_id)).logits[:, -1]
    tokens = backend._tokenizer.convert_tokens_to_ids(["1", "0"])
    expected = logits.log_softmax(-1)[:, tokens].numpy()
    found = backend.option_logprobs(asked, ["1", "0"])
    np.testing.assert_allclose(found, expected, rtol=0, atol=TOLERANCE)
    # Generation pads on the left: its first token is the likeliest one of these.
    first = backend._tokenizer.batch_decode(logits.argmax(-1, keepdim=True))
    texts = [reply.text for reply in backend.complete(asked, max_tokens=1)]
    special = set(backend._tokenizer.all_special_tokens)
    assert texts == ["" if token in special else token for token in first]
