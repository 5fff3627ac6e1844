"""WEval-Hand: every rule holds, the plan is balanced, and knowing nothing does not rank it."""

from __future__ import annotations

import dataclasses
from collections import Counter
from itertools import pairwise

import pytest

from wfine_utils.chains.files import save_chains
from wfine_utils.chains.taxonomy import SUBTYPES, Chain, RequirementType, TaskCategory
from wfine_utils.chains.weval_hand import load_weval_hand
from wfine_utils.checks import minimal_chains
from wfine_utils.checks.dispatch import check
from wfine_utils.checks.words import word_count
from wfine_utils.weval.baselines import LengthScorer, OverlapScorer
from wfine_utils.weval.evaluation import evaluate
from wfine_workflow.commands.check import main

CHAINS = load_weval_hand()


def dropped_in_turn(chain: Chain) -> list[RequirementType]:
    """The requirement types in the order in which they fall."""
    levels = sorted(chain.responses, key=lambda r: -r.gold)
    return [
        r.type
        for upper, lower in pairwise(levels)
        for r, a, b in zip(chain.requirements, upper.kept, lower.kept, strict=True)
        if a and not b
    ]


def tau(scorer, *, sign: int = 1):
    chains = load_weval_hand("test")
    table = evaluate(chains, [sign * s for s in scorer.score(chains)], seed=0)
    return table[table["metric"] == "kendall_tau_b"].iloc[0]


def test_sixty_chains_twelve_of_each_category_in_a_fixed_split():
    assert Counter(c.category for c in CHAINS) == dict.fromkeys(TaskCategory, 12)
    dev, test = load_weval_hand("dev"), load_weval_hand("test")
    assert Counter(c.category for c in dev) == dict.fromkeys(TaskCategory, 4)
    assert (len(dev), len(test)) == (20, 40)
    assert sorted(c.chain_id for c in dev + test) == sorted(c.chain_id for c in CHAINS)
    assert len({c.topic for c in CHAINS}) == 60


def test_every_rule_holds():
    assert minimal_chains.problems(CHAINS) == []


@pytest.mark.parametrize("chain", CHAINS, ids=lambda c: c.chain_id)
def test_every_check_agrees_with_every_label(chain):
    for response in chain.responses:
        for requirement, kept in zip(chain.requirements, response.kept, strict=True):
            if requirement.check is not None:
                assert check(requirement.check, response.text) == kept, requirement.text


def test_each_type_falls_first_and_last_equally_often():
    orders = [dropped_in_turn(chain) for chain in CHAINS]
    assert Counter(order[0] for order in orders) == dict.fromkeys(RequirementType, 15)
    assert Counter(order[-1] for order in orders) == dict.fromkeys(RequirementType, 15)


def test_every_subtype_occurs_three_times():
    counts = Counter((r.type, r.subtype) for chain in CHAINS for r in chain.requirements)
    assert set(counts) == {(t, s) for t, subtypes in SUBTYPES.items() for s in subtypes}
    assert min(counts.values()) >= 3


def test_enough_requirements_can_be_checked_by_a_machine():
    checked = Counter(r.type for c in CHAINS for r in c.requirements if r.check is not None)
    assert checked[RequirementType.LENGTH] == checked[RequirementType.FORMAT] == 60
    assert checked[RequirementType.CONTENT] >= 40 and checked[RequirementType.STYLE] >= 30
    for chain in CHAINS:
        for requirement in chain.requirements:
            assert requirement.check is not None or requirement.rubric.endswith("?")


def test_length_grows_in_half_of_the_chains_when_its_requirement_falls():
    grows = 0
    for chain in CHAINS:
        place = dropped_in_turn(chain).index(RequirementType.LENGTH)
        levels = sorted(chain.responses, key=lambda r: -r.gold)
        before, after = (word_count(levels[place + k].text) for k in (0, 1))
        grows += after > before
    assert grows == 30


def test_length_does_not_rank_the_test_chains():
    for sign in (1, -1):
        row = tau(LengthScorer(), sign=sign)
        assert row["ci_low"] < 0 < row["ci_high"]


def test_word_overlap_hardly_ranks_the_test_chains():
    assert abs(tau(OverlapScorer())["value"]) < 0.35


class TestValidator:
    """``wfine check FILE`` names chain, level, requirement and measured value."""

    def report(self, chains, tmp_path, capsys) -> tuple[int, str]:
        code = main([str(save_chains(chains, tmp_path / "mine.jsonl"))])
        return code, capsys.readouterr().out

    def changed(self, chain: Chain, k: int, **change) -> Chain:
        responses = list(chain.responses)
        responses[k] = dataclasses.replace(responses[k], **change)
        return dataclasses.replace(chain, responses=tuple(responses))

    def test_good_chains(self, tmp_path, capsys):
        code, report = self.report(CHAINS[:3], tmp_path, capsys)
        assert code == 0 and "3 chains, 15 responses" in report and "no breaches" in report

    def test_a_failing_check(self, tmp_path, capsys):
        chain = next(c for c in CHAINS if any("word_count" in str(r.check) for r in c.requirements))
        broken = self.changed(chain, 0, text=chain.responses[0].text + " extra words" * 60)
        code, report = self.report([broken], tmp_path, capsys)
        assert code == 2 and f"{chain.chain_id}, level 4" in report and "measured" in report

    def test_a_missing_type(self, tmp_path, capsys):
        first = CHAINS[0]
        twice = (first.requirements[0], *first.requirements[:3])
        broken = dataclasses.replace(first, requirements=twice)
        code, report = self.report([broken], tmp_path, capsys)
        assert code == 2 and "expected one of each type" in report

    def test_levels_in_a_wrong_order(self, tmp_path, capsys):
        first = CHAINS[0]
        kept = tuple(not k for k in first.responses[1].kept)
        code, report = self.report([self.changed(first, 1, kept=kept)], tmp_path, capsys)
        assert code == 2 and "expected 4, 3, 2, 1, 0" in report

    def test_a_sentence_in_two_chains(self, tmp_path, capsys):
        sentence = " The old ferryman counted the lamps along the quay."
        both = [self.changed(c, 4, text=c.responses[4].text + sentence) for c in CHAINS[:2]]
        code, report = self.report(both, tmp_path, capsys)
        assert code == 2 and "in 2 chains" in report and CHAINS[1].chain_id in report

    def test_a_file_that_cannot_be_loaded(self, tmp_path, capsys):
        assert main([str(tmp_path / "nothing.jsonl")]) == 2
        assert "nothing.jsonl" in capsys.readouterr().err
