"""Many machines: the grid, the profiles, and what SLURM is asked for. No job runs here."""

from __future__ import annotations

import itertools
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from conftest import ROOT, copy_project
from scipy import stats

from wfine_utils.errors import WfineError
from wfine_utils.files import read_yaml
from wfine_utils.notebook.params import RewardModelParams, WevalParams
from wfine_utils.policy.rewards import REWARDS
from wfine_workflow.grid import Grid, cell_folder, collect, load_grid, main, over_seeds
from wfine_workflow.presets import presets

GRID = {
    "presets": ["smoke", "other"],
    "seeds": [0, 1],
    "scorers": {
        "bradley_terry": {},
        "cross_entropy": {"03_reward_model": {"loss": "cross_entropy"}},
        "baselines": {"05_weval_correlation": {"score_models": False, "n_boot": 99}},
    },
    "notebooks": ["05_weval_correlation"],
}
CELLS = list(itertools.product(GRID["presets"], GRID["seeds"], GRID["scorers"]))
ON_GPU = {"00_base_model", "03_reward_model", "04_wrl_policy", "05_weval_correlation"}
ON_GPU = {f"notebook_{name}" for name in (*ON_GPU, "06_validity_and_ablations")} | {"cell"}


@pytest.fixture(scope="module")
def clone(tmp_path_factory) -> Path:
    """A copy of the project with a second preset and a grid."""
    project = copy_project(tmp_path_factory.mktemp("profiles") / "wfine")
    shutil.copytree(project / "params" / "smoke", project / "params" / "other")
    for path in (project / "params" / "other").glob("*.yaml"):
        text = path.read_text(encoding="utf-8").replace("preset: smoke", "preset: other")
        path.write_text(text, encoding="utf-8")
    (project / "mine.yaml").write_text(yaml.safe_dump(GRID), encoding="utf-8")
    return project


def snakemake(project: Path, profile: str, *options: str, **environment: str) -> str:
    """What Snakemake says; its exit status is checked unless the environment has FAILS."""
    fails = environment.pop("FAILS", "")
    done = subprocess.run(
        [sys.executable, "-m", "snakemake", "--profile", f"workflow/profiles/{profile}",
         "--nocolor", *options],
        cwd=project, env=os.environ | environment, capture_output=True, text=True,
    )  # fmt: skip
    said = done.stdout + done.stderr
    assert bool(done.returncode) == bool(fails), said[-3000:]
    return said


def planned(said: str) -> list[tuple[str, str, dict[str, str], str]]:
    """(rule, wildcards, resources, first output) of every job of a dry run."""
    found = []
    for block in re.split(r"^(?=(?:local)?rule )", said, flags=re.M)[1:]:
        field = dict(re.findall(r"^    (\w+): (.*)$", block, flags=re.M))
        resources = dict(x.split("=") for x in field.get("resources", "").split(", ") if x)
        rule = re.match(r"(?:local)?rule (\w+):", block)[1]
        found.append((rule, field.get("wildcards", ""), resources, field.get("output", "")))
    return found


@pytest.fixture(scope="module")
def dry_slurm(clone) -> list[tuple[str, str, dict[str, str], str]]:
    return planned(snakemake(clone, "slurm", "--dry-run", "--config", "grid=mine.yaml"))


def test_dry_run_is_one_job_per_notebook_and_cell(dry_slurm):
    assert Counter(rule for rule, *_ in dry_slurm) == {
        "notebook_00_base_model": 4,  # 2 presets × 2 seeds: no scorer comes into it
        "notebook_02_requirement_dropping": 4,
        "share": 12,
        "notebook_03_reward_model": 12,  # 2 presets × 2 seeds × 3 scorers
        "notebook_05_weval_correlation": 12,
        "table": 1,
        "all": 1,
    }
    wildcards = [dict(x.split("=") for x in w.split(", ")) for r, w, *_ in dry_slurm if "05" in r]
    assert {(w["preset"], int(w["seed"]), w["scorer"]) for w in wildcards} == set(CELLS)
    outputs = [output for *_, output in dry_slurm if output]
    assert len(set(outputs)) == len(outputs), "no two jobs write the same file"


def test_dry_run_asks_slurm_for_one_gpu_where_one_is_needed(dry_slurm):
    for rule, _, resources, _ in dry_slurm:
        assert resources.get("gpu") == ("1" if rule in ON_GPU else None), rule
        if rule in ON_GPU:
            assert int(resources["mem_mb"]) >= 16000
            assert int(resources["runtime"]) >= 60


@pytest.mark.slow
def test_dry_run_on_one_machine_is_the_same_grid(clone, dry_slurm):
    local = planned(snakemake(clone, "local", "--dry-run", "--config", "grid=mine.yaml"))
    same, expected = (sorted((r, w, o) for r, w, _, o in jobs) for jobs in (local, dry_slurm))
    assert same == expected
    assert all(("gpu" in resources) == (rule in ON_GPU) for rule, _, resources, _ in local)


@pytest.mark.slow
@pytest.mark.parametrize("profile", ["slurm", "local"])
def test_a_profile_also_serves_all_notebooks_of_one_preset(clone, profile):
    """On a cluster the cells of the study are jobs, too; elsewhere their notebook does them."""
    options = ("--snakefile", "workflow/Snakefile", "--dry-run", "--config", "preset=smoke")
    jobs = planned(snakemake(clone, profile, *options))
    rules = Counter(rule for rule, *_ in jobs)
    assert rules["notebook_07_paper_tables"] == rules["report"] == 1
    assert (rules["cell"] > 1) == (profile == "slurm")
    for rule, _, resources, _ in jobs:
        assert resources.get("gpu") == ("1" if rule in ON_GPU else None), rule


def test_the_grid_that_comes_with_the_project_holds():
    grid = load_grid("workflow/grid.yaml")
    assert len(grid.seeds) > 1 and len(grid.scorers) > 1


def test_the_grid_of_rewards_trains_a_policy_for_every_reward():
    """Not by load_grid: its preset reads a file of prompts that is not ours to pass on."""
    grid = Grid.checked(read_yaml(ROOT / "workflow" / "rewards.yaml"), "rewards.yaml")
    rewards = [changes["04_wrl_policy"]["rewards"] for changes in grid.scorers.values()]
    assert sorted(name for names in rewards for name in names) == sorted(REWARDS)
    assert grid.notebooks == ["04_wrl_policy"] and len(grid.seeds) > 1
    assert set(grid.presets) <= set(presets())


# --- what is handed on ----------------------------------------------------------------------------


def submitted(clone: Path, tmp_path: Path) -> list[list[str]]:
    """The command lines that reach `sbatch`, on a machine whose `sbatch` refuses them."""
    for name, body in {
        "sbatch": f'printf "%s\\n" "$(printf "%q " "$@")" >> {shlex.quote(str(tmp_path / "asked"))}'
        "\nexit 1",
        "sacct": "exit 0",
        "squeue": "exit 0",
        "scontrol": "exit 0",
        "sinfo": "exit 0",
    }.items():
        path = tmp_path / name
        path.write_text(f"#!/usr/bin/env bash\n{body}\n", encoding="utf-8")
        path.chmod(0o755)
    snakemake(
        clone, "slurm", "--retries", "0", "--config", "grid=mine.yaml", f"output_root={tmp_path}/o",
        FAILS="yes", PATH=f"{tmp_path}{os.pathsep}{os.environ['PATH']}",
    )  # fmt: skip
    lines = (tmp_path / "asked").read_text(encoding="utf-8").splitlines()
    return [shlex.split(line) for line in lines]


@pytest.mark.slow
def test_sbatch_is_given_gpu_memory_and_minutes(clone, tmp_path):
    asked = submitted(clone, tmp_path)
    by_rule = {re.search(r"rule_(notebook_\d\d)", " ".join(words))[1]: words for words in asked}
    assert len(asked) == 8 and by_rule.keys() == {"notebook_00", "notebook_02"}
    text = " ".join(by_rule["notebook_00"])
    for option in ("--gpus=1", "--mem 32000", "-t 120", "--cpus-per-task=4"):
        assert option in text
    assert "--gpus" not in " ".join(by_rule["notebook_02"])
    assert "--mem 16000" in " ".join(by_rule["notebook_02"])


def test_every_cell_gets_its_seed_folder_and_parameters(clone):
    """The command of a job, read as papermill reads it."""
    said = snakemake(
        clone, "local", "--dry-run", "--printshellcmds", "--config", "grid=mine.yaml",
        "output_root=some where",
    )  # fmt: skip
    found = {}
    for line in re.findall(r"papermill notebooks/(?:03|05).*", said):
        words = shlex.split(line.split(" 2>&1")[0])
        options = list(itertools.pairwise(words))
        changes = next(json.loads(b) for a, b in options if a == "-y")
        seed = int(words[words.index("seed") + 1])
        root = words[words.index("output_root") + 1]
        preset = Path(next(b for a, b in options if a == "-f")).parent.name
        found[words[1][10:12], root, preset] = (seed, changes)
    assert len(found) == 2 * len(CELLS)
    for preset, seed, scorer in CELLS:
        root = f"some where/{cell_folder(preset, seed, scorer)}".removesuffix(f"/{preset}")
        changes = GRID["scorers"][scorer]
        for number, name in (("03", "03_reward_model"), ("05", "05_weval_correlation")):
            assert found[number, root, preset] == (seed, changes.get(name, {}))


def test_one_gpu_is_kept_to_one_job(clone, tmp_path):
    """Jobs under the name of a GPU rule note when they begin and end."""
    (tmp_path / "Snakefile").write_text(
        "rule all:\n    input: expand('{i}.txt', i=range(3))\n"
        "rule notebook_03_reward_model:\n    output: '{i}.txt'\n"
        "    shell: 'echo begin >> gpu; sleep 0.5; echo end >> gpu; touch {output}'\n"
    )
    snakemake(
        clone, "local", "--snakefile", str(tmp_path / "Snakefile"), "--directory", str(tmp_path),
        "--cores", "8",
    )  # fmt: skip
    assert (tmp_path / "gpu").read_text().split() == ["begin", "end"] * 3


# --- the grid file --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"presets": ["smokey"]}, "no preset 'smokey'"),
        ({"presets": []}, "presets: List should have at least 1 item"),
        ({"seeds": [0, 0]}, r"seeds: found \[0, 0\], expected each value once"),
        ({"seeds": [-1]}, "seeds.0"),
        ({"sheds": [1]}, "sheds: Extra inputs"),
        ({"scorers": {"a b": {}}}, "scorers.a b"),
        ({"scorers": {"a": {"02_requirement_dropping": {}}}}, "a: found 02_requirement_dropping"),
        ({"scorers": {"a": {"03_reward_model": {"los": 1}}}}, "a: preset smoke: .*los"),
        ({"scorers": {"a": {"03_reward_model": {"loss": "no_loss"}}}}, "loss: Input should be"),
        ({"scorers": {"a": {"03_reward_model": {"seed": 1}}}}, "found seed, which the grid sets"),
        ({"notebooks": ["07_paper_tables"]}, "found 07_paper_tables, expected some of"),
        ({"presets": ["study"]}, "preset study does not run 05_weval_correlation"),
    ],
)
def test_a_grid_that_does_not_hold(tmp_path, changes, expected):
    path = tmp_path / "grid.yaml"
    path.write_text(yaml.safe_dump(GRID | {"presets": ["smoke"]} | changes), encoding="utf-8")
    with pytest.raises(WfineError, match=expected) as refused:
        load_grid(path)
    assert "grid.yaml" in str(refused.value) or "smokey" in str(refused.value)


def test_a_scorer_may_change_what_the_notebooks_take(tmp_path):
    for scorer in GRID["scorers"].values():
        assert scorer.get("03_reward_model", {}).keys() <= RewardModelParams.model_fields.keys()
        assert scorer.get("05_weval_correlation", {}).keys() <= WevalParams.model_fields.keys()


def test_table_of_the_finished_cells(tmp_path, capsys):
    path = tmp_path / "grid.yaml"
    path.write_text(yaml.safe_dump(GRID | {"presets": ["smoke"]}), encoding="utf-8")
    grid = load_grid(path)
    with pytest.raises(WfineError, match="found no finished cell among 6"):
        collect(grid, tmp_path)
    for seed in (0, 1):
        folder = tmp_path / cell_folder("smoke", seed, "baselines") / "05_weval_correlation"
        folder.mkdir(parents=True)
        row = {"scorer": "oracle", "metric": "kendall_tau_b", "subset_kind": "all"}
        pd.DataFrame([row | {"value": 0.5 + seed}]).to_csv(folder / "weval.csv", index=False)
    assert main([str(path), str(tmp_path)]) == 0
    assert capsys.readouterr().out.endswith("over_seeds.csv: means over training seeds\n")
    table = pd.read_csv(tmp_path / "weval.csv")
    assert table.columns.tolist()[:4] == ["preset", "seed", "grid_scorer", "scorer"]
    assert table["seed"].tolist() == [0, 1] and table["value"].tolist() == [0.5, 1.5]
    (row,) = pd.read_csv(tmp_path / "over_seeds.csv").to_dict("records")
    assert (row["value"], row["lowest"], row["highest"], row["n"]) == (1.0, 0.5, 1.5, 2)
    assert np.isnan(row["ci_low"])  # two seeds give no interval


def test_means_over_seeds_have_students_interval():
    values = [0.9, 0.92, 0.94, 0.91, 0.93, 0.92]
    table = pd.DataFrame({
        "preset": "mini", "seed": range(6), "grid_scorer": "a", "scorer": "rm",
        "metric": "kendall_tau_b", "subset_kind": "all", "value": values,
    })  # fmt: skip
    row = over_seeds(table).iloc[0]
    expected = stats.t.interval(0.95, 5, np.mean(values), stats.sem(values))
    assert (row["ci_low"], row["ci_high"]) == pytest.approx(expected)
