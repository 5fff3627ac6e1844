"""The study: its grid, what cells are trained and examined on, and cells that survive a kill."""

from __future__ import annotations

import itertools
import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pandas as pd
import pytest
import yaml

from wfine_study import __main__ as wfine_study_main
from wfine_study import cells, exam_data, run_cell
from wfine_study.cells import (
    PURE_KINDS,
    PolicyCell,
    RewardCell,
    StudySettings,
    ValidityParams,
    all_cells,
    clean_cell,
    find_cell,
    load_settings,
    questions,
)
from wfine_utils.base_model import Base, write_base
from wfine_utils.chains.taxonomy import RequirementType, TaskCategory
from wfine_utils.checks.dispatch import verdicts
from wfine_utils.checks.ifeval import INSTRUCTIONS
from wfine_utils.errors import WfineError
from wfine_utils.notebook.params import cell_defaults
from wfine_utils.tiny_world import vocabulary, writer

SMALL = {
    "questions": [2, 3, 4, 5, 6, 7], "seed": 0, "seeds": [0, 1], "n_choice_seeds": 1,
    "n_generalisation_seeds": 2, "n_pairs": 12, "shares": [0.25, 0.5], "sloppy_share": 0.4,
    "losses": ["bradley_terry", "cross_entropy", "bradley_terry_margin"],
    "sources": ["single", "nested", "both"], "sizes": [4, 8], "n_types_out": 4,
    "n_categories_out": 1, "values_out": [5], "n_policy_models": 8,
    "policy_sizes": [16],
    "n_test_chains": 4, "n_test_pairs": 8, "n_ifeval_pairs": 1, "n_train_queries": 4,
    "n_test_queries": 3,
    "reward": {
        "quantise": False, "lora_r": 4, "lora_alpha": 8, "learning_rate": 5e-3, "batch_size": 4,
        "micro_batch_size": 4, "n_epochs": 1, "max_tokens": 96, "center_coefficient": 0.01,
        "loss": "bradley_terry",
    },
    "policy": {
        "quantise": False, "lora_r": 4, "lora_alpha": 8, "learning_rate": 5e-3, "n_steps": 1,
        "prompts_per_rollout": 2, "num_generations": 2, "updates_per_rollout": 1,
        "micro_batch_size": 4, "beta": 0.1, "temperature": 1.0, "max_new_tokens": 8,
        "answer_format": "plain",
    },
}  # fmt: skip
SETTINGS = StudySettings(**SMALL)
CLEAN = clean_cell(SETTINGS, 0)


def changed(**values) -> StudySettings:
    return StudySettings(**SMALL | values)


@pytest.fixture(scope="module")
def base(tiny_base):
    return Base(str(tiny_base), None)


@pytest.fixture(scope="module")
def folder(base, tmp_path_factory):
    """A study in which the clean reward model and its policy have been made."""
    folder = tmp_path_factory.mktemp("study")
    for cell in (CLEAN, PolicyCell(seed=0, reward_cell=CLEAN)):
        assert run_cell.run_cell(cell, SETTINGS, base, folder) == "computed"
    return folder


def result(folder, cell) -> dict:
    return json.loads((folder / cell.slug / run_cell.RESULT).read_text())


class TestGrid:
    def test_slugs_are_unique_and_good_file_names(self):
        slugs = [cell.slug for cell in all_cells(SETTINGS)]
        assert len(set(slugs)) == len(slugs)
        assert all(s == s.lower() and set(s) <= set("abcdefghijklmnopqrstuvwxyz0123456789-.")
                   and len(s) < 100 for s in slugs)  # fmt: skip

    def test_every_field_is_in_the_slug(self):
        sloppy = {"dirt": "sloppy", "share": 0.5}
        changes = [
            {}, {"seed": 1}, {"n_pairs": 13}, {"granularity": "prompt"},
            {"loss": "cross_entropy"}, {"loss": "bradley_terry_margin"}, {"source": "both"},
            {"dirt": "length", "share": 0.07}, {"dirt": "length", "share": 0.0701},
            {"dirt": "fluency", "share": 0.07}, sloppy, sloppy | {"filtered": True},
            {"hold_out_type": "style"}, {"hold_out_values": (5,)}, {"hold_out_values": (5, 6)},
            *({"hold_out_category": c} for c in TaskCategory),
        ]  # fmt: skip
        made = [RewardCell(**{"seed": 0, "n_pairs": 12} | change) for change in changes]
        assert len({cell.slug for cell in made}) == len(made)
        touched = set().union(*changes)
        assert touched == set(RewardCell.model_fields)

    def test_a_policy_comes_after_its_reward_model(self):
        found = all_cells(SETTINGS)
        for i, cell in enumerate(found):
            if isinstance(cell, PolicyCell):
                assert cell.reward_cell in found[:i]

    def test_the_clean_reward_model_is_shared(self):
        used = questions(SETTINGS)
        assert all(CLEAN in used[q] for q in (2, 3, 4, 5, 6, 7))
        assert all_cells(SETTINGS).count(CLEAN) == 1

    def test_what_each_question_asks_for(self):
        used = questions(SETTINGS)
        doses = {(c.dirt, c.share, c.seed) for c in used[2]}
        wanted = itertools.product(PURE_KINDS, SETTINGS.shares, SETTINGS.seeds)
        assert doses == {*wanted, (None, 0, 0), (None, 0, 1)}
        assert {(c.filtered, c.share) for c in used[3]} == {(False, 0), (False, 0.4), (True, 0.4)}
        grid = {(c.granularity, c.loss, c.source) for c in used[4] if c.source != "neighbours"}
        assert len(grid) == 18 and {c.n_pairs for c in used[4]} == {4, 8, 12}
        assert {c.hold_out_type for c in used[5]} == {None, *RequirementType}
        assert any(c.hold_out_values == (5,) for c in used[5])
        policies = [c for c in used[6] if isinstance(c, PolicyCell)]
        assert len(policies) == len({c.reward_cell for c in policies}) == 9
        assert policies[-1].reward_cell == clean_cell(SETTINGS, 0, n_pairs=16)
        assert len(questions(changed(policy_sizes=[12]))[6]) == 16  # the clean one is there already
        assert any(c.dirt == "length" and c.share == 1 for c in used[7])

    def test_only_the_questions_asked(self):
        assert set(questions(changed(questions=[7]))) == {7}
        assert len(all_cells(changed(questions=[7]))) == 4
        assert all_cells(changed(questions=[])) == []

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"seeds": []}, "at least 1 item"), ({"seeds": [1, 1]}, "expected each value once"),
            ({"questions": [1]}, "greater than or equal to 2"), ({"shares": [0]}, "greater than 0"),
            ({"sloppy_share": 1}, "less than 1"), ({"n_choice_seeds": 3}, "expected at most the 2"),
            ({"losses": ["hinge"]}, "Input should be"), ({"typo": 1}, "Extra inputs"),
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
        small = changed(losses=["bradley_terry"], sources=["single"], sizes=[4], n_types_out=1,
                        n_categories_out=0, values_out=[])  # fmt: skip
        assert len(questions(small)[4]) == 6 and len(questions(small)[5]) == 4

    def test_settings_at_the_top_of_a_file_or_under_study(self, tmp_path):
        top, under, bad = (tmp_path / name for name in "abc")
        top.write_text(yaml.safe_dump(SMALL))
        under.write_text(yaml.safe_dump({"preset": "smoke", "study": SMALL}))
        bad.write_text("- 1\n- [")
        assert load_settings(top) == load_settings(under) == SETTINGS
        under.write_text(yaml.safe_dump({"preset": "smoke", "study": {"n_pairs": 7}}))
        cell = cell_defaults("06_validity_and_ablations")["study"]
        assert load_settings(under).model_dump() == cell | {"n_pairs": 7}, "the rest as in the cell"
        with pytest.raises(WfineError, match="not YAML"):
            load_settings(bad)
        with pytest.raises(WfineError, match="is missing"):
            load_settings(tmp_path / "none")
        bad.write_text("- 1")
        with pytest.raises(WfineError, match="found list, expected lines"):
            load_settings(bad)

    @pytest.mark.parametrize(
        "bad",
        [{"share": 0.5}, {"dirt": "length"}, {"filtered": True},
         {"dirt": "length", "share": 0.5, "filtered": True},
         {"hold_out_type": "style", "granularity": "prompt"}],
    )  # fmt: skip
    def test_cells_that_make_no_sense(self, bad):
        with pytest.raises(ValueError, match="expected"):
            RewardCell(seed=0, n_pairs=1, **bad)


class TestTrainingPairs:
    @pytest.mark.parametrize("kind", RequirementType)
    def test_a_type_held_out_is_never_dropped(self, kind):
        pairs = exam_data.training_pairs(RewardCell(seed=0, n_pairs=80, hold_out_type=kind))
        assert {p.pair.requirement_type for p in pairs} == set(RequirementType) - {kind}
        for p in pairs:
            text = next(r.text for r in p.query.requirements if r.type == kind)
            assert p.pair.instruction != text

    def test_a_category_held_out_is_never_asked_for(self):
        out = TaskCategory.ACADEMIC
        cell = RewardCell(seed=0, n_pairs=80, granularity="prompt", hold_out_category=out)
        found = {p.query.category for p in exam_data.training_pairs(cell)}
        assert found == set(TaskCategory) - {out}

    def test_values_held_out_are_never_asked_for(self):
        cell = RewardCell(seed=0, n_pairs=150, hold_out_values=(5,))
        asked = {r.check["n"] for p in exam_data.training_pairs(cell) for r in p.query.requirements
                 if r.check["kind"] == "sentence_count"}  # fmt: skip
        assert asked == {3, 4, 6}

    def test_filtered_pairs_are_as_many_and_all_real(self):
        cell = RewardCell(seed=0, n_pairs=30, dirt="sloppy", share=0.4, filtered=True)
        pairs = exam_data.training_pairs(cell)
        assert len(pairs) == 30 and not any(p.dirty for p in pairs)
        unfiltered = exam_data.training_pairs(cell.model_copy(update={"filtered": False}))
        assert len(unfiltered) == 30 and sum(p.dirty for p in unfiltered) == 12

    def test_the_cells_of_a_seed_share_what_they_can(self):
        a = exam_data.training_pairs(RewardCell(seed=3, n_pairs=20))
        for change in ({"granularity": "prompt"}, {"loss": "cross_entropy"}, {"n_pairs": 25}):
            b = exam_data.training_pairs(RewardCell(**{"seed": 3, "n_pairs": 20} | change))
            assert [p.pair.rejected for p in b][:20] == [p.pair.rejected for p in a]
        other = exam_data.training_pairs(RewardCell(seed=4, n_pairs=20))
        assert {p.pair.rejected for p in other}.isdisjoint(p.pair.rejected for p in a)

    def test_topics_are_those_of_the_split(self):
        train = {p.pair.topic for p in exam_data.training_pairs(CLEAN)}
        validation = {p.topic for p in exam_data.validation_pairs(CLEAN, 8)}
        exam = exam_data.exam(SETTINGS, "prompt")
        test = {p.pair.topic for p in exam.pairs} | {c.topic for c in exam.chains}
        for found, split in ((train, "train"), (validation, "validation"), (test, "test")):
            assert found <= set(vocabulary.TOPICS[split])


class TestExam:
    def test_chains_are_true_and_the_same_for_every_cell(self):
        exam = exam_data.exam(SETTINGS, "requirement")
        assert exam.chains == exam_data.exam(SETTINGS, "prompt").chains and len(exam.chains) == 4
        for chain in exam.chains:
            assert sorted(chain.gold) == [0, 1, 2, 3, 4]
            for response in chain.responses:
                assert verdicts(chain.requirements, response.text) == response.kept

    def test_pairs_about_a_sentence_count_ask_for_it(self):
        pairs = exam_data.exam(SETTINGS, "requirement").pairs
        for n in "3456":
            about = [p.pair for p in pairs if (p.kind, p.subset) == ("sentence count", n)]
            assert len(about) == 2 and all(f" {n} sentences" in p.instruction for p in about)

    @pytest.mark.parametrize("instruction_id", exam_data.IFEVAL)
    def test_ifeval_pairs_are_told_apart_by_the_instruction_alone(self, instruction_id):
        pairs = exam_data.ifeval_pairs(instruction_id, 10, "requirement", 0)
        assert len(pairs) == 10 and instruction_id in INSTRUCTIONS
        for query, pair in pairs:
            chosen, rejected = (
                verdicts(query.requirements, text) for text in (pair.chosen, pair.rejected)
            )
            assert chosen == rejected and pair.chosen != pair.rejected
        again = exam_data.ifeval_pairs(instruction_id, 10, "prompt", 0)
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
        for _, pair in exam_data.ifeval_pairs(instruction_id, 20, "requirement", 0):
            assert meets(pair.chosen) and not meets(pair.rejected)

    def test_no_ifeval_instruction_is_one_of_the_tiny_world(self):
        world = {r.text for q in writer.sample_queries(2000, vocabulary.TOPICS["test"], seed=0)
                 for r in q.requirements}  # fmt: skip
        for name in exam_data.IFEVAL:
            pairs = exam_data.ifeval_pairs(name, 10, "requirement", 0)
            assert world.isdisjoint(pair.instruction for _, pair in pairs)


class TestRewardCell:
    def test_files_fit_together(self, folder):
        found, place = result(folder, CLEAN), folder / CLEAN.slug
        assert found["slug"] == CLEAN.slug and RewardCell(**found["cell"]) == CLEAN
        assert found["sizes"]["n_pairs"] == 12 and found["sizes"]["n_dirty"] == 0
        assert found["seconds"]["total"] >= found["seconds"]["training"] > 0
        assert found["stamp"]["versions"]["torch"]
        scores = pd.read_parquet(place / "scores.parquet")
        assert scores.groupby("used").size().to_dict() == {"as trained": 20, "whole prompt": 20}
        chains = pd.read_parquet(place / "per_chain.parquet")
        metrics = pd.DataFrame(found["metrics"])
        overall = metrics[(metrics["subset_kind"] == "all")].set_index(["metric", "used"])
        for used in ("as trained", "whole prompt"):
            mean = chains.loc[chains["used"] == used, "kendall_tau_b"].mean()
            assert overall.loc[("kendall_tau_b", used), "value"] == pytest.approx(mean)
            assert overall.loc[("kendall_tau_b", used), "n"] == 4
        assert np.isfinite(metrics["value"]).all()

    def test_accuracies_follow_from_the_margins(self, folder):
        margins = pd.read_parquet(folder / CLEAN.slug / "pairs.parquet")
        metrics = pd.DataFrame(result(folder, CLEAN)["metrics"])
        found = metrics[metrics["metric"] == "pair_accuracy"].set_index(["subset_kind", "subset"])
        assert set(exam_data.IFEVAL) <= {subset for _, subset in found.index}
        for kind, part in margins.groupby("kind"):
            right = np.where(part["margin"] == 0, 0.5, part["margin"] > 0)
            assert found.loc[(kind, "all"), "value"] == pytest.approx(right.mean())
            assert found.loc[kind].drop("all")["n"].sum() == len(part)

    def test_same_seed_same_result_and_another_seed_another(self, folder, base, tmp_path):
        run_cell.run_cell(CLEAN, SETTINGS, base, tmp_path)
        other = clean_cell(SETTINGS, 1)
        run_cell.run_cell(other, SETTINGS, base, tmp_path)
        metrics = result(folder, CLEAN)["metrics"]
        assert result(tmp_path, CLEAN)["metrics"] == metrics != result(tmp_path, other)["metrics"]
        a, b = (pd.read_parquet(f / CLEAN.slug / "scores.parquet") for f in (folder, tmp_path))
        pd.testing.assert_frame_equal(a, b)

    def test_the_adapter_stays_only_where_a_policy_needs_it(self, folder, base, tmp_path):
        adapter = f"{CLEAN.slug}/{cells.ADAPTER}/adapter_model.safetensors"
        assert (folder / adapter).exists()
        alone = changed(questions=[2])
        assert run_cell.run_cell(CLEAN, alone, base, tmp_path) == "computed"
        assert not (tmp_path / adapter).exists()
        assert run_cell.run_cell(CLEAN, alone, base, tmp_path) == "loaded"
        assert run_cell.run_cell(CLEAN, SETTINGS, base, tmp_path) == "computed"  # needs it now
        assert (tmp_path / adapter).exists()


class TestPolicyCell:
    CELL = PolicyCell(seed=0, reward_cell=CLEAN)

    def test_before_and_after_on_the_same_queries(self, folder):
        table = pd.read_parquet(folder / self.CELL.slug / "per_query.parquet")
        assert table.groupby("policy").size().to_dict() == {"before": 3, "after": 3}
        before = table[table["policy"] == "before"]
        assert (before["kl"] == 0).all() and table["mean"].between(0, 1).all()
        metrics = pd.DataFrame(result(folder, self.CELL)["metrics"])
        row = metrics[(metrics["metric"] == "n_words") & (metrics["used"] == "before")].iloc[0]
        assert row["value"] == pytest.approx(before["n_words"].mean()) and row["n"] == 3

    def test_it_keeps_no_adapter(self, folder):
        names = {path.name for path in (folder / self.CELL.slug).rglob("*")}
        assert names == {"per_query.parquet", "training_curve.csv", run_cell.RESULT}

    def test_without_its_reward_model(self, base, tmp_path):
        with pytest.raises(WfineError, match="expected the reward model that policy"):
            run_cell.run_cell(self.CELL, SETTINGS, base, tmp_path)


class TestResume:
    @pytest.mark.parametrize(
        "change",
        [{"n_train_queries": 5}, {"shares": [0.1, 0.2]},
         {"policy": SMALL["policy"] | {"n_steps": 2}},
         {"reward": SMALL["reward"] | {"loss": "cross_entropy"}}],
    )  # fmt: skip
    def test_what_cannot_change_a_number_runs_nothing(self, change, folder, base):
        before = (folder / CLEAN.slug / run_cell.RESULT).stat().st_mtime_ns
        assert run_cell.run_cell(CLEAN, changed(**change), base, folder) == "loaded"
        assert (folder / CLEAN.slug / run_cell.RESULT).stat().st_mtime_ns == before

    @pytest.mark.parametrize(
        "change", [{"n_test_pairs": 9}, {"reward": SMALL["reward"] | {"lora_r": 2}}, {"seed": 1}]
    )
    def test_what_can_has_another_key(self, change, folder, base):
        key = result(folder, CLEAN)["key"]
        assert run_cell._key(CLEAN, SETTINGS, base, folder) == key
        assert run_cell._key(CLEAN, changed(**change), base, folder) != key

    def test_a_damaged_result_is_not_taken_for_one(self, folder, base):
        key = result(folder, CLEAN)["key"]
        place = folder / CLEAN.slug
        assert run_cell._is_done(place, key, ["scores.parquet"])
        assert not run_cell._is_done(place, key, ["missing.parquet"])
        assert not run_cell._is_done(place, key | {"base": "other"}, [])
        assert not run_cell._is_done(folder, key, [])

    def test_metrics_of_all_finished_cells(self, folder):
        table = run_cell.read_metrics(SETTINGS, folder)
        assert set(table["slug"]) == {CLEAN.slug, f"policy-s0-{CLEAN.slug}"}
        assert table.groupby("slug")["policy"].first().to_dict() == {
            CLEAN.slug: False, f"policy-s0-{CLEAN.slug}": True
        }  # fmt: skip
        assert run_cell.read_metrics(SETTINGS, folder / "nothing").empty


class TestJobs:
    def test_same_numbers_as_one_by_one_and_a_second_call_loads(self, base, tmp_path, capfd):
        settings, record, out = (tmp_path / n for n in ("settings.yaml", "base.json", "out"))
        settings.write_text(yaml.safe_dump(SMALL))
        write_base(record, base.model, base.revision)
        words = ("run", CLEAN.slug, "--settings", settings, "--base", record, "--out", out)
        subprocess.run(
            [sys.executable, "-m", "wfine_study.run_cell", *map(str, words), "--threads", "1"],
            check=True, capture_output=True,
        )  # fmt: skip
        place = tmp_path / "jobs"
        found = run_cell.run_cells([CLEAN], SETTINGS, base, place, jobs=2)
        assert found == {CLEAN.slug: "computed"}
        assert result(place, CLEAN)["metrics"] == result(out, CLEAN)["metrics"]
        assert result(place, CLEAN)["stamp"]["threads"] == 1
        assert (place / run_cell.LOG).exists() and capfd.readouterr().out == ""
        assert run_cell.run_cells([CLEAN], SETTINGS, base, place) == {CLEAN.slug: "loaded"}

    def test_what_is_done_starts_no_worker(self, folder, base, monkeypatch):
        monkeypatch.setattr(run_cell, "ProcessPoolExecutor", None)
        both = [PolicyCell(seed=0, reward_cell=CLEAN), CLEAN]
        found = run_cell.run_cells(both, SETTINGS, base, folder)
        assert list(found.items()) == [(cell.slug, "loaded") for cell in both]
        assert not run_cell.is_done(clean_cell(SETTINGS, 1), SETTINGS, base, folder)

    def test_a_cell_that_fails_is_named(self, base, tmp_path):
        alone = PolicyCell(seed=0, reward_cell=CLEAN)
        with pytest.raises(WfineError, match=f"cell {alone.slug} failed.*expected the reward mod"):
            run_cell.run_cells([alone], SETTINGS, base, tmp_path, jobs=1)
        with pytest.raises(WfineError, match="jobs: found 0, expected 1 or more"):
            run_cell.run_cells([alone], SETTINGS, base, tmp_path, jobs=0)


class TestCommandLine:
    def call(self, *words, **kwargs):
        command = [sys.executable, "-m", "wfine_study.run_cell", *map(str, words)]
        return subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **kwargs
        )

    def test_list_run_kill_and_run_again(self, base, tmp_path):
        settings, record, out = (tmp_path / n for n in ("settings.yaml", "base.json", "out"))
        # so many pairs that there is time to kill it
        settings.write_text(yaml.safe_dump(SMALL | {"n_pairs": 240, "questions": [2]}))
        write_base(record, base.model, base.revision)
        listed, errors = self.call("list", "--settings", settings).communicate()
        slugs = listed.splitlines()
        assert not errors and slugs == [c.slug for c in all_cells(load_settings(settings))]
        words = ("run", slugs[0], "--settings", settings, "--base", record, "--out", out)
        first = self.call(*words, "--threads", 1, start_new_session=True)
        partial = out / f".partial-{slugs[0]}" / cells.ADAPTER
        while not partial.exists():
            assert first.poll() is None, first.stderr.read()
            time.sleep(0.05)
        os.killpg(first.pid, signal.SIGKILL)
        first.communicate()
        assert partial.exists() and not (out / slugs[0]).exists()
        done, errors = self.call(*words, "--threads", 1).communicate()
        assert done == f"{slugs[0]}: computed\n", errors
        assert not partial.exists() and (out / slugs[0] / run_cell.RESULT).exists()

    @pytest.mark.parametrize(
        ("words", "message"),
        [
            (["list", "--settings", "none.yaml"], "none.yaml is missing"),
            (["run", "rm-x", "--base", "b", "--out", "o"], "found no cell 'rm-x' among"),
            (["run", CLEAN.slug, "--base", "none.json", "--out", "o"], "no base model is recorded"),
            (["run", CLEAN.slug, "--base", "b", "--out", "o", "--threads", "0"], "expected 1 or"),
        ],
    )
    def test_errors_are_one_paragraph(self, words, message, tmp_path, capsys):
        settings = tmp_path / "settings.yaml"
        settings.write_text(yaml.safe_dump(SMALL))
        if "--settings" not in words:
            words = [*words, "--settings", str(settings)]
        assert wfine_study_main.main(words) == 2
        error = capsys.readouterr().err
        assert message in error and error.count("\n") == 1

    def test_help(self, capsys):
        with pytest.raises(SystemExit, match="0"):
            wfine_study_main.main(["run", "--help"])
        assert "--threads" in capsys.readouterr().out


def test_an_output_folder_that_cannot_be_made(base, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(WfineError, match="cannot be made"):
        run_cell.run_cell(CLEAN, SETTINGS, base, tmp_path / "file")


def test_find_cell_knows_every_slug():
    assert all(find_cell(SETTINGS, cell.slug) == cell for cell in all_cells(SETTINGS))


def test_listing_needs_no_torch():
    code = "import sys, wfine_study.run_cell; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
