"""Checks and a reward model on one scale: by hand with a model that says what it is told to."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit

from wfine_utils.chains.taxonomy import Chain, Requirement, Response
from wfine_utils.errors import WfineError
from wfine_utils.policy.grpo import RewardFunction
from wfine_utils.rewards.calibration import Calibration
from wfine_utils.rewards.hybrid import HybridReward, HybridScorer, hybrid_scores
from wfine_utils.rewards.reward_model import RewardModelScorer, load_reward_model
from wfine_utils.weval import compiled
from wfine_utils.weval.compiled import CompiledChecks
from wfine_utils.weval.scorers import score_all

TWO, KIND, WARM = "Write exactly two sentences.", "Be kind.", "Be warm."


@pytest.fixture
def small_compiler(monkeypatch):
    """Only this one requirement compiles."""
    specs = {TWO: {"kind": "sentences", "low": 2, "high": 2}}
    monkeypatch.setattr(compiled, "compile_requirement", specs.get)


class Told:
    """A reward model whose reward of a text is the number of times that it says "dear"."""

    granularity = "requirement"

    def __init__(self) -> None:
        self.asked_about: list[str] = []

    def rewards(self, instructions, responses, *, progress=False):
        self.asked_about += instructions
        self.was_cut = np.array([len(text) > 60 for text in responses], dtype=bool)
        return np.array([text.count("dear") for text in responses], dtype=float)


def chain_of(wordings: list[str], texts: list[str], chain_id: str = "a") -> Chain:
    n = len(wordings)
    kept = [tuple(j < k for j in range(n)) for k in range(len(texts))]
    responses = tuple(map(Response, texts, kept))
    return Chain(chain_id, None, "Write.", tuple(Requirement(None, None, w) for w in wordings),
                 responses)  # fmt: skip


pytestmark = pytest.mark.usefixtures("small_compiler")


def test_the_model_is_asked_only_about_what_does_not_compile():
    model = Told()
    reward = HybridReward(model)
    opinions = reward.opinions([[TWO, KIND], [KIND]], ["My dear. Two.", "dear dear"])
    assert model.asked_about == [KIND, KIND]
    np.testing.assert_allclose(opinions[0], [1, expit(1)])
    np.testing.assert_allclose(opinions[1], [expit(2)])
    assert reward.compiled_rate == pytest.approx(1 / 3)
    rewards = reward([[TWO, KIND], [KIND]], ["My dear. Two.", "dear dear"])
    assert rewards == pytest.approx([(1 + expit(1)) / 2, expit(2)])
    assert all(isinstance(each, float) for each in rewards)


def test_the_reward_of_queries_is_that_of_their_requirements():
    reward, chain = HybridReward(Told()), chain_of([KIND, TWO], ["dear", "A. B."])
    texts = [response.text for response in chain.responses]
    by_query = reward.score([chain.query] * 2, texts)
    assert by_query.tolist() == reward([[KIND, TWO]] * 2, texts)
    assert reward.score([], []).shape == (0,) and reward([], []) == []


def test_an_unsure_model_cannot_overturn_a_verdict_and_still_breaks_its_ties():
    texts = ["One, dear. Two.", "One. Two.", "dear " * 5]
    first, second, third = HybridReward(Told(), calibration=Calibration(0.01))(
        [[TWO, KIND]] * 3, texts
    )
    assert first > second > third
    blind = HybridReward(Told(), calibration=Calibration(0.0))([[TWO, KIND]] * 2, texts[:2])
    assert blind[0] == blind[1], "a model of slope 0 breaks no tie"


def test_without_a_model_checks_judge_alone():
    chains = [chain_of([TWO, KIND], ["One. Two.", "One."]), chain_of([KIND], ["x", "y"], "b")]
    hybrid = score_all([HybridScorer(None), CompiledChecks()], chains)
    for one, other in zip(hybrid["hybrid"], hybrid["compiled checks"], strict=True):
        np.testing.assert_array_equal(one, other)
    assert hybrid["hybrid"].compiled_rate == pytest.approx(1 / 3)
    assert np.isnan(HybridReward()([[KIND]], ["x"])).all()
    assert HybridReward()([[KIND, TWO]], ["One. Two."]) == [1]


def test_what_the_model_cannot_read_is_not_scored_where_it_is_needed():
    class Silent(Told):
        def rewards(self, instructions, responses, **_):
            self.was_cut = np.zeros(len(responses), dtype=bool)
            return np.full(len(responses), np.nan)

    rewards = HybridReward(Silent())([[TWO, KIND], [TWO]], ["One. Two."] * 2)
    assert np.isnan(rewards[0]) and rewards[1] == 1


def test_a_scorer_tells_what_was_compiled_cut_and_rounded():
    chains = [chain_of([TWO, KIND, WARM], ["dear " * 20, "dear " * 12, "One. dear " * 4])]
    loud = HybridScorer(Told(), calibration=Calibration(50.0), progress=False)
    scores = score_all([loud], chains)["hybrid"]
    assert scores.compiled_rate == pytest.approx(1 / 3) and loud.n_cut == 1
    assert scores[0][0] == scores[0][1] and scores.saturated_rate == 1
    quiet = HybridScorer(Told(), calibration=Calibration(0.1), progress=False)
    assert score_all([quiet], chains)["hybrid"].saturated_rate == 0


def test_ties_of_verdicts_are_not_taken_for_rounding(monkeypatch):
    specs = {
        TWO: {"kind": "sentences", "low": 2, "high": 2},
        KIND: {"kind": "sentences", "high": 1},
    }
    monkeypatch.setattr(compiled, "compile_requirement", specs.get)
    scorer = HybridScorer(Told(), progress=False)
    scorer.score([chain_of([TWO, KIND], ["One. Two.", "One."])])
    assert scorer.saturated_rate == 0, "one is met by each: a tie, and nothing was rounded"


def test_kept_rewards_give_the_same_scores(chains, folders):
    scorer = RewardModelScorer(folders["requirement"], name="x", progress=False)
    kept = score_all([scorer], chains)["x"]
    monkey = HybridScorer(scorer, progress=False)
    direct = score_all([monkey], chains)["hybrid"]
    again = hybrid_scores(chains, kept.rewards)
    for one, other, plain in zip(direct, again, kept, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)
        np.testing.assert_allclose(one, plain, atol=1e-5)  # of these chains nothing compiles
    assert direct.compiled_rate == again.compiled_rate == 0
    assert (direct.saturated_rate, again.saturated_rate) == (0, 0)


@pytest.mark.parametrize("form", ["folder", "model", "scorer"])
def test_a_model_of_whole_prompts_is_refused_with_the_next_step(folders, form):
    make = {
        "folder": lambda folder: folder,
        "model": load_reward_model,
        "scorer": lambda folder: RewardModelScorer(folder, name="x"),
    }[form]
    with pytest.raises(WfineError, match=r"granularity 'prompt'.*folder wrl_requirement"):
        HybridScorer(make(folders["prompt"]))
    model = HybridScorer(make(folders["requirement"]), progress=False)
    assert np.isfinite(model.score([chain_of([TWO, KIND], ["One. Two.", "One."])])[0]).all()


def test_it_stands_where_grpo_takes_a_reward_model():
    chain = chain_of([TWO, KIND], ["One. Two.", "One."])
    reward = RewardFunction(HybridReward(Told()), [chain.query], "think_answer")
    said = ["<think>So.</think><answer>One, dear. Two.</answer>", "no form at all"]
    completions = [[{"role": "assistant", "content": text}] for text in said]
    assert reward(completions, [0, 0]) == pytest.approx([(1 + expit(1)) / 2, 0])
