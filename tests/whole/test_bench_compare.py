"""The program that compares this tree with another commit."""

import subprocess
import sys

import pandas as pd
import pytest
from conftest import ROOT

in_git = pytest.mark.skipif(not (ROOT / ".git").exists(), reason="not a checkout of git")


@pytest.fixture(scope="module")
def compare(bench_script):
    return bench_script("compare")


def test_ratios_are_of_medians(compare):
    runs = pd.DataFrame({
        "tree": ["old"] * 3 + [compare.THIS] * 3,
        "repeat": [0, 1, 2] * 2,
        "what": "the whole run",
        "unit": "minutes",
        "value": [20.0, 22.0, 90.0, 10.0, 11.0, 12.0],
    })  # fmt: skip
    (row,) = compare.ratios(runs, "old").to_dict("records")
    assert row["old"] == 22 and row[compare.THIS] == 11
    assert row["ratio"] == 2 and row["n"] == 3
    speeds = runs.assign(unit=compare.SPEED)
    assert compare.ratios(speeds, "old")["ratio"].tolist() == [0.5]  # fewer tokens are slower


def test_a_part_that_only_one_tree_has_is_no_ratio(compare):
    runs = pd.DataFrame({
        "tree": ["old", compare.THIS], "repeat": 0, "what": ["x", "y"], "unit": "minutes",
        "value": 1.0,
    })  # fmt: skip
    assert compare.ratios(runs, "old")["ratio"].isna().all()


def test_speeds_are_read_from_what_trainings_wrote(compare, tmp_path):
    folder = tmp_path / "03_reward_model" / "coarse"
    folder.mkdir(parents=True)
    (folder / "cost.json").write_text('{"tokens": 600.0}')
    (folder / "stage.json").write_text('{"seconds": 3.0}')
    (row,) = compare.speeds(tmp_path)
    assert row == {"what": "03_reward_model, coarse", "unit": compare.SPEED, "value": 200.0}


def test_processor_time_is_that_of_all_that_a_command_starts(compare):
    work = "sum(range(20_000_000))"
    command = f"import subprocess, sys; subprocess.run([sys.executable, '-c', '{work}'])"
    took = compare.measured([sys.executable, "-c", command], compare.Tree("x", ROOT))
    alone = compare.measured([sys.executable, "-c", "pass"], compare.Tree("x", ROOT))
    assert took["CPU minutes"] > 1.5 * alone["CPU minutes"] > 0


def test_a_command_that_fails_is_told_with_its_last_words(compare):
    command = [sys.executable, "-c", "raise SystemExit('no such preset')"]
    with pytest.raises(compare.WfineError, match="ended with 1:\nno such preset"):
        compare.measured(command, compare.Tree("x", ROOT))


@in_git
def test_runs_take_turns_and_are_not_done_again(compare, tmp_path, monkeypatch):
    """The runs themselves are those of the tests of the batch run."""
    order, before = [], worktrees()

    def reproduce(tree, preset, cores):
        order.append(tree.name)
        if len(order) == 4:
            raise KeyboardInterrupt
        return [{"what": "the whole run", "unit": "minutes", "value": float(len(order))}]

    monkeypatch.setattr(compare, "reproduce", reproduce)
    with pytest.raises(KeyboardInterrupt):
        compare.main(["HEAD", str(tmp_path), "--repeats", "2"])
    assert order == ["HEAD", compare.THIS] * 2
    assert compare.main(["HEAD", str(tmp_path), "--repeats", "2"]) == 0
    assert order[4:] == [compare.THIS]
    table = pd.read_csv(tmp_path / "ratios.csv")
    assert table["n"].tolist() == [2] and table["HEAD"].tolist() == [2.0]  # of 1 and 3
    assert worktrees() == before


def worktrees():
    command = ["git", "-C", str(ROOT), "worktree", "list"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


@in_git
def test_an_unknown_commit_is_named(compare, tmp_path, capsys):
    assert compare.main(["no-such-commit", str(tmp_path)]) == 2
    assert "no-such-commit" in capsys.readouterr().err


def test_a_tree_is_run_by_its_own_make_and_nothing_is_installed(compare):
    tree = compare.Tree("x", ROOT)
    for goal, expected in (
        ("test", "-m pytest -n 2"),
        ("reproduce", "reproduce 'mini' --cores 'all'"),
    ):
        command = [*tree.make(goal), "--dry-run"]
        said = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
        assert f"{sys.prefix}/bin/python" in said and expected in said
        assert "pip install" not in said
