"""The grid of the study: its settings, its cells, and their names."""

from __future__ import annotations

import itertools

import pytest
import yaml
from study.small_study import CLEAN, SETTINGS, SMALL, changed

from wfine_study.cells import (
    PolicyCell,
    RewardCell,
    StudySettings,
    ValidityParams,
    all_cells,
    cells_by_question,
    clean_cell,
    find_cell,
    load_settings,
)
from wfine_study.noise import PURE_NOISE
from wfine_utils.chains.taxonomy import RequirementType, TaskCategory
from wfine_utils.errors import WfineError
from wfine_utils.notebook.params import cell_defaults


class TestGrid:
    def test_slugs_are_unique_and_good_file_names(self):
        slugs = [cell.slug for cell in all_cells(SETTINGS)]
        assert len(set(slugs)) == len(slugs)
        assert all(s == s.lower() and set(s) <= set("abcdefghijklmnopqrstuvwxyz0123456789-.")
                   and len(s) < 100 for s in slugs)  # fmt: skip

    def test_every_field_is_in_the_slug(self):
        sloppy = {"noise": "sloppy", "share": 0.5}
        changes = [
            {}, {"seed": 1}, {"n_pairs": 13}, {"granularity": "prompt"},
            {"loss": "cross_entropy"}, {"loss": "bradley_terry_margin"}, {"pair_plan": "both"},
            {"noise": "length", "share": 0.07}, {"noise": "length", "share": 0.0701},
            {"noise": "fluency", "share": 0.07}, sloppy, sloppy | {"is_filtered": True},
            {"hold_out_type": "style"}, {"hold_out_values": (5,)}, {"hold_out_values": (5, 6)},
            *({"hold_out_category": c} for c in TaskCategory),
        ]  # fmt: skip
        made = [RewardCell(**{"seed": 0, "n_pairs": 12} | change) for change in changes]
        assert len({cell.slug for cell in made}) == len(made)
        touched = set().union(*changes)
        assert touched == set(RewardCell.model_fields)

    def test_a_policy_comes_after_its_reward_model(self):
        listed = all_cells(SETTINGS)
        for i, cell in enumerate(listed):
            if isinstance(cell, PolicyCell):
                assert cell.reward_cell in listed[:i]

    def test_the_clean_reward_model_is_shared(self):
        used = cells_by_question(SETTINGS)
        assert all(CLEAN in used[q] for q in (2, 3, 4, 5, 6, 7))
        assert all_cells(SETTINGS).count(CLEAN) == 1

    def test_what_each_question_asks_for(self):
        used = cells_by_question(SETTINGS)
        doses = {(c.noise, c.share, c.seed) for c in used[2]}
        wanted = itertools.product(PURE_NOISE, SETTINGS.shares, SETTINGS.seeds)
        assert doses == {*wanted, (None, 0, 0), (None, 0, 1)}
        filters = {(c.is_filtered, c.share) for c in used[3]}
        assert filters == {(False, 0), (False, 0.4), (True, 0.4)}
        planned = [c for c in used[4] if c.pair_plan != "neighbours"]
        grid = {(c.granularity, c.loss, c.pair_plan) for c in planned}
        assert len(grid) == 18 and {c.n_pairs for c in used[4]} == {4, 8, 12}
        assert {c.hold_out_type for c in used[5]} == {None, *RequirementType}
        assert any(c.hold_out_values == (5,) for c in used[5])
        policies = [c for c in used[6] if isinstance(c, PolicyCell)]
        assert len(policies) == len({c.reward_cell for c in policies}) == 9
        assert policies[-1].reward_cell == clean_cell(SETTINGS, 0, n_pairs=16)
        as_large = changed(policy_sizes=[12])  # the clean one is there already
        assert len(cells_by_question(as_large)[6]) == 16
        assert any(c.noise == "length" and c.share == 1 for c in used[7])

    def test_only_the_questions_asked(self):
        assert set(cells_by_question(changed(questions=[7]))) == {7}
        assert len(all_cells(changed(questions=[7]))) == 4
        assert all_cells(changed(questions=[])) == []

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"seeds": []}, "at least 1 item"), ({"seeds": [1, 1]}, "expected each value once"),
            ({"questions": [1]}, "greater than or equal to 2"), ({"shares": [0]}, "greater than 0"),
            ({"sloppy_share": 1}, "less than 1"), ({"n_choice_seeds": 3}, "expected at most the 2"),
            ({"losses": ["no_such_loss"]}, "Input should be"), ({"typo": 1}, "Extra inputs"),
        ],
    )  # fmt: skip
    def test_bad_settings_are_refused(self, change, message, tmp_path):
        path = tmp_path / "settings.yaml"
        path.write_text(yaml.safe_dump(SMALL | change))
        with pytest.raises(WfineError, match=message):
            load_settings(path)

    def test_the_notebook_answers_all_questions_or_says_so_before_it_runs(self):
        values = {"preset": "x", "output_root": "o", "seed": 0, "released_path": "",
                  "judge_model": "", "n_judge_chains": 1, "n_boot": 1}  # fmt: skip
        ValidityParams.checked(values | {"study": SMALL}, "here")
        with pytest.raises(WfineError, match=r"found \[2\], expected all of 2 to 7"):
            ValidityParams.checked(values | {"study": SMALL | {"questions": [2]}}, "here")

    def test_more_policies_than_reward_models(self):
        with pytest.raises(WfineError, match="found 15, expected at most 14"):
            all_cells(changed(n_policy_models=15))

    def test_a_small_grid(self):
        small = changed(losses=["bradley_terry"], pair_plans=["single"], sizes=[4], n_types_out=1,
                        n_categories_out=0, values_out=[])  # fmt: skip
        assert len(cells_by_question(small)[4]) == 6 and len(cells_by_question(small)[5]) == 4

    def test_settings_at_the_top_of_a_file_or_under_study(self, tmp_path):
        top, under, bad = (tmp_path / name for name in "abc")
        top.write_text(yaml.safe_dump(SMALL))
        under.write_text(yaml.safe_dump({"preset": "smoke", "study": SMALL}))
        bad.write_text("- 1\n- [")
        assert load_settings(top) == load_settings(under) == SETTINGS
        under.write_text(yaml.safe_dump({"preset": "smoke", "study": {"n_pairs": 7}}))
        cell = cell_defaults("06_validity_and_ablations")["study"]
        assert load_settings(under) == StudySettings(**cell | {"n_pairs": 7}), "the rest as there"
        with pytest.raises(WfineError, match="not YAML"):
            load_settings(bad)
        with pytest.raises(WfineError, match="is missing"):
            load_settings(tmp_path / "none")
        bad.write_text("- 1")
        with pytest.raises(WfineError, match="found list, expected lines"):
            load_settings(bad)

    @pytest.mark.parametrize(
        "bad",
        [{"share": 0.5}, {"noise": "length"}, {"is_filtered": True},
         {"noise": "length", "share": 0.5, "is_filtered": True},
         {"hold_out_type": "style", "granularity": "prompt"}],
    )  # fmt: skip
    def test_cells_that_make_no_sense(self, bad):
        with pytest.raises(ValueError, match="expected"):
            RewardCell(seed=0, n_pairs=1, **bad)


def test_find_cell_knows_every_slug():
    assert all(find_cell(SETTINGS, cell.slug) == cell for cell in all_cells(SETTINGS))
