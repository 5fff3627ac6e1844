"""Judges against backends whose answers are known: the exact checkers, and garbage."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pandas as pd
import pytest
from judge_backends import CHAINS, Checkers, Fixed, judges, part, tau

from wfine_utils.chains.taxonomy import Chain
from wfine_utils.chains.weval_hand import load_weval_hand
from wfine_utils.errors import WfineError
from wfine_utils.judges.backends import Reply
from wfine_utils.judges.judges import Critic, RequirementJudge, count_problems
from wfine_utils.judges.pairwise import PairwiseJudge
from wfine_utils.weval.baselines import OracleScorer
from wfine_utils.weval.scorers import Scorer


def rubrics(chain: Chain) -> list[str | None]:
    return [requirement.rubric for requirement in chain.requirements]


class TestAgainstTheTruth:
    @pytest.mark.parametrize("judge", judges(Checkers()), ids=lambda j: j.name)
    def test_a_judge_that_is_right_ranks_right(self, judge):
        assert isinstance(judge, Scorer)
        assert tau(judge.score(CHAINS)) == pytest.approx(1)

    def test_scores_are_means_over_requirements(self):
        truth = OracleScorer().score(CHAINS)
        text, logits, critic, _ = (judge.score(CHAINS) for judge in judges(Checkers()))
        for n, a, b, c in zip(truth, text, logits, critic, strict=True):
            np.testing.assert_array_equal(a, n / 4)
            np.testing.assert_allclose(b, (0.7 * n + 0.2 * (4 - n)) / 4)
            np.testing.assert_array_equal(c, (9 * n + 2 * (4 - n)) / 4)

    @pytest.mark.parametrize("judge", judges(Checkers()), ids=lambda j: j.name)
    def test_order_and_batching_do_not_matter(self, judge):
        together = judge.score(CHAINS)
        for a, b in zip(together, judge.score(CHAINS[::-1])[::-1], strict=True):
            np.testing.assert_array_equal(a, b)
        np.testing.assert_array_equal(together[3], judge.score([CHAINS[3]])[0])
        table = judge.verdicts(CHAINS).sample(frac=1, random_state=0)
        for a, b in zip(together, judge.aggregate(table, CHAINS), strict=True):
            np.testing.assert_array_equal(a, b)

    @pytest.mark.parametrize("judge", judges(Checkers()), ids=lambda j: j.name)
    def test_the_table_says_who_was_asked_what(self, judge, tmp_path):
        table = judge.verdicts(CHAINS[:2])
        assert len(table) == 40  # 2 chains × 5 responses × 4 requirements, or 4 others
        assert set(table["judge"]) == {judge.name} and set(table["model"]) == {"checkers"}
        assert table["prompt_hash"].nunique() == 1
        assert table["problem"].isna().all() and table["verdict"].notna().all()
        table.to_parquet(tmp_path / "t.parquet")
        back = judge.aggregate(pd.read_parquet(tmp_path / "t.parquet"), CHAINS[:2])
        np.testing.assert_array_equal(back, judge.aggregate(table, CHAINS[:2]))

    def test_no_chains_are_no_questions(self):
        for judge in judges(Checkers()):
            assert judge.score([]) == [] and len(judge.verdicts([])) == 0

    def test_a_rubric_is_asked_where_there_is_one(self):
        class Listening(Fixed):
            def complete(self, prompts, **_):
                self.heard = prompts
                return super().complete(prompts, max_tokens=1)

        chain = next(
            c for c in load_weval_hand() if 0 < sum(map(bool, rubrics(c))) < len(rubrics(c))
        )
        for judge, slot in ((RequirementJudge, "requirement"), (Critic, "criterion")):
            backend = Listening("[[1]]")
            judge(backend).verdicts([chain])
            wanted = [r.rubric or r.text for r in chain.requirements]
            assert [part(p, slot) for p in backend.heard[: len(wanted)]] == wanted


class TestMissing:
    @pytest.mark.parametrize("reply", ["", "Yes.", "[[1]] I think", "[1]", "[[2]]", "[[1]]."])
    def test_garbage_is_nan_and_counted(self, reply):
        for judge in judges(Fixed(reply)):
            table = judge.verdicts(CHAINS[:2])
            assert np.isnan(np.concatenate(judge.aggregate(table, CHAINS[:2]))).all()
            (row,) = count_problems(table).to_dict("records")
            assert row["n"] == len(table) and row["share"] == 1 and row["problem"]

    def test_no_reply_says_why(self):
        for judge in (
            RequirementJudge(Fixed(None)),
            Critic(Fixed(None)),
            PairwiseJudge(Fixed(None)),
        ):
            assert set(judge.verdicts(CHAINS[:1])["problem"]) == {"no reply: refused"}

    def test_a_model_that_repeats_its_prompt_has_given_no_verdict(self):
        class Echo(Fixed):
            def complete(self, prompts, **_):
                return [Reply(prompt) for prompt in prompts]

        for judge in judges(Echo("")):
            assert judge.verdicts(CHAINS[:2])["verdict"].isna().all()

    def test_one_missing_verdict_takes_its_response_alone(self):
        requirement, response = CHAINS[0].requirements[2].text, CHAINS[0].responses[1].text

        def mute(prompt):
            slot = "criterion" if "<<criterion" in prompt else "requirement"
            return part(prompt, slot) == requirement and part(prompt, "response") == response

        for judge in (RequirementJudge(Checkers(mute=mute)), Critic(Checkers(mute=mute))):
            table = judge.verdicts(CHAINS)
            missing = np.isnan(np.concatenate(judge.aggregate(table, CHAINS)))
            assert missing.tolist() == [i == 1 for i in range(len(missing))]
            counts = count_problems(table).set_index("problem")["n"].to_dict()
            assert counts == {"": 239, "no reply: time-out": 1}

    def test_half_known_log_probabilities_are_unknown(self):
        class Half(Fixed):
            def option_logprobs(self, prompts, options):
                return np.tile([np.log(0.9), np.nan], (len(prompts), 1))

        table = RequirementJudge(Half(""), "logits").verdicts(CHAINS[:1])
        assert table["verdict"].isna().all() and table["probability"].isna().all()
        assert table["problem"].str.contains("'1' or '0'").all()

    @pytest.mark.parametrize(("difference", "verdict"), [(-1e-9, 0), (0, 1), (1e-9, 1)])
    def test_the_verdict_changes_at_one_half(self, difference, verdict):
        class Even(Fixed):
            def option_logprobs(self, prompts, options):
                return np.tile([-1 + difference, -1.0], (len(prompts), 1))

        table = RequirementJudge(Even(""), "logits").verdicts(CHAINS[:1])
        assert set(table["verdict"]) == {verdict}
        assert table["probability"].to_numpy() == pytest.approx(0.5)

    def test_a_backend_that_loses_prompts_is_named(self):
        class Lossy(Fixed):
            def complete(self, prompts, **_):
                return [Reply("[[1]]")] * (len(prompts) - 1)

        for judge in (RequirementJudge(Lossy("")), Critic(Lossy("")), PairwiseJudge(Lossy(""))):
            with pytest.raises(WfineError, match=r"backend fixed: found 19 answers to 20|39.*40"):
                judge.verdicts(CHAINS[:1])

    def test_two_chains_of_one_id_are_refused(self):
        for judge in judges(Checkers()):
            with pytest.raises(WfineError, match="id of its own"):
                judge.score([CHAINS[0], CHAINS[0]])


def test_every_call_is_asked_once():
    """No prompt is sent twice, and pairs are asked in both orders."""
    for judge in judges(backend := Checkers()):
        backend.prompts.clear()
        judge.score(CHAINS[:1])
        texts = {r.text for r in CHAINS[0].responses}
        n = len(texts) * (len(texts) - 1) if isinstance(judge, PairwiseJudge) else len(texts) * 4
        assert len(backend.prompts) == n
        assert set(Counter(backend.prompts).values()) == {1}
