"""What cells are trained on, and the chains and pairs that they are examined on."""

from __future__ import annotations

import pytest
from study.small_study import CLEAN, SETTINGS

from wfine_study.cells import RewardCell
from wfine_study.exam import IFEVAL, ifeval_pairs, make_exam, training_pairs, validation_pairs
from wfine_utils.chains.taxonomy import RequirementType, TaskCategory
from wfine_utils.checks.dispatch import verdicts
from wfine_utils.tiny_world import vocabulary, writer


class TestTrainingPairs:
    @pytest.mark.parametrize("kind", RequirementType)
    def test_a_type_held_out_is_never_dropped(self, kind):
        pairs = training_pairs(RewardCell(seed=0, n_pairs=80, hold_out_type=kind))
        assert {p.pair.requirement_type for p in pairs} == set(RequirementType) - {kind}
        for p in pairs:
            text = next(r.text for r in p.query.requirements if r.type == kind)
            assert p.pair.instruction != text

    def test_a_category_held_out_is_never_asked_for(self):
        out = TaskCategory.ACADEMIC
        cell = RewardCell(seed=0, n_pairs=80, granularity="prompt", hold_out_category=out)
        found = {p.query.category for p in training_pairs(cell)}
        assert found == set(TaskCategory) - {out}

    def test_values_held_out_are_never_asked_for(self):
        cell = RewardCell(seed=0, n_pairs=150, hold_out_values=(5,))
        asked = {r.check["n"] for p in training_pairs(cell) for r in p.query.requirements
                 if r.check["kind"] == "sentence_count"}  # fmt: skip
        assert asked == {3, 4, 6}

    def test_filtered_pairs_are_as_many_and_all_real(self):
        cell = RewardCell(seed=0, n_pairs=30, noise="sloppy", share=0.4, is_filtered=True)
        pairs = training_pairs(cell)
        assert len(pairs) == 30 and not any(p.is_noisy for p in pairs)
        unfiltered = training_pairs(cell.model_copy(update={"is_filtered": False}))
        assert len(unfiltered) == 30 and sum(p.is_noisy for p in unfiltered) == 12

    def test_the_cells_of_a_seed_share_what_they_can(self):
        a = training_pairs(RewardCell(seed=3, n_pairs=20))
        for change in ({"granularity": "prompt"}, {"loss": "cross_entropy"}, {"n_pairs": 25}):
            b = training_pairs(RewardCell(**{"seed": 3, "n_pairs": 20} | change))
            assert [p.pair.rejected for p in b][:20] == [p.pair.rejected for p in a]
        other = training_pairs(RewardCell(seed=4, n_pairs=20))
        assert {p.pair.rejected for p in other}.isdisjoint(p.pair.rejected for p in a)

    def test_topics_are_those_of_the_split(self):
        train = {p.pair.topic for p in training_pairs(CLEAN)}
        validation = {p.topic for p in validation_pairs(CLEAN, 8)}
        exam = make_exam(SETTINGS, "prompt")
        test = {p.pair.topic for p in exam.pairs} | {c.topic for c in exam.chains}
        for found, split in ((train, "train"), (validation, "validation"), (test, "test")):
            assert found <= set(vocabulary.TOPICS[split])


class TestExam:
    def test_chains_are_true_and_the_same_for_every_cell(self):
        exam = make_exam(SETTINGS, "requirement")
        assert exam.chains == make_exam(SETTINGS, "prompt").chains and len(exam.chains) == 4
        for chain in exam.chains:
            assert sorted(chain.gold) == [0, 1, 2, 3, 4]
            for response in chain.responses:
                assert verdicts(chain.requirements, response.text) == response.kept

    def test_pairs_about_a_sentence_count_ask_for_it(self):
        pairs = make_exam(SETTINGS, "requirement").pairs
        for n in "3456":
            about = [p.pair for p in pairs if (p.kind, p.subset) == ("sentence count", n)]
            assert len(about) == 2 and all(f" {n} sentences" in p.instruction for p in about)

    @pytest.mark.parametrize("instruction_id", IFEVAL)
    def test_ifeval_pairs_are_told_apart_by_the_instruction_alone(self, instruction_id):
        pairs = ifeval_pairs(instruction_id, 10, "requirement", 0)
        assert len(pairs) == 10
        for query, pair in pairs:
            chosen, rejected = (
                verdicts(query.requirements, text) for text in (pair.chosen, pair.rejected)
            )
            assert chosen == rejected and pair.chosen != pair.rejected
        again = ifeval_pairs(instruction_id, 10, "prompt", 0)
        for (query, one), (_, whole) in zip(pairs, again):
            assert whole.instruction == f"{query.base_task} {one.instruction}"
            assert (whole.chosen, whole.rejected) == (one.chosen, one.rejected)

    @pytest.mark.parametrize(
        ("instruction_id", "meets"),
        [
            ("punctuation:no_comma", lambda text: "," not in text),
            ("detectable_format:number_highlighted_sections", lambda text: "**" in text),
        ],
    )
    def test_the_chosen_text_meets_the_ifeval_instruction(self, instruction_id, meets):
        for _, pair in ifeval_pairs(instruction_id, 20, "requirement", 0):
            assert meets(pair.chosen) and not meets(pair.rejected)

    def test_no_ifeval_instruction_is_one_of_the_tiny_world(self):
        world = {r.text for q in writer.sample_queries(2000, vocabulary.TOPICS["test"], seed=0)
                 for r in q.requirements}  # fmt: skip
        for name in IFEVAL:
            pairs = ifeval_pairs(name, 10, "requirement", 0)
            assert world.isdisjoint(pair.instruction for _, pair in pairs)
