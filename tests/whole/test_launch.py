"""The two trainings under ``accelerate launch``: two processes against one.

Real processes that talk over loopback (gloo). Without a GPU, ``accelerate launch --cpu`` would
start a single process, whatever its ``--num_processes``; ``--multi_gpu`` starts them all, and each
finds for itself that there is no GPU.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from conftest import ROOT
from safetensors.torch import load_file

from wfine_utils import base_model
from wfine_utils.base_model import Base
from wfine_utils.chains.dropping import build_chains
from wfine_utils.chains.files import save_chains, save_queries
from wfine_utils.files import read_yaml
from wfine_utils.models import devices
from wfine_utils.notebook import params as notebook_params
from wfine_utils.policy import generation
from wfine_utils.rewards.reward_model import load_reward_model
from wfine_utils.settings import PolicySettings, RewardSettings
from wfine_utils.tiny_world import vocabulary, writer
from wfine_workflow.commands import train as command

TWO = [
    *(sys.executable, "-m", "accelerate.commands.launch", "--multi_gpu"),
    *("--num_processes", "2", "--num_machines", "1", "--mixed_precision", "no"),
    *("--dynamo_backend", "no", "--main_process_port", "0"),
]
REWARD = {
    "n_pairs_requirement": 40, "n_pairs_validation": 16, "quantise": False, "batch_size": 8,
    "micro_batch_size": 2, "learning_rate": 5e-3, "max_tokens": 96,
}  # fmt: skip
POLICY = {
    # 3 prompts for 2 processes: the completions of the second prompt come from both
    "prompts_per_rollout": 3, "num_generations": 4, "updates_per_rollout": 1, "n_steps": 2,
    "micro_batch_size": 3, "max_new_tokens": 8, "learning_rate": 5e-3, "quantise": False,
}  # fmt: skip
# What pip makes of `[project.scripts]`, so that this is tested without an installation.
WFINE = f"""#!{sys.executable}
import sys
from wfine_workflow.command import main
sys.exit(main())
"""
# Lets each process keep its adapter.
KEEP_EACH = """
import sys
from pathlib import Path
from safetensors.torch import save_file
from transformers import Trainer

folder = sys.argv[1]
train = Trainer.train

def train_and_keep(self, *args, **kwargs):
    found = train(self, *args, **kwargs)
    adapter = {n: p.detach().clone() for n, p in self.model.named_parameters() if p.requires_grad}
    save_file(adapter, Path(folder) / f"process-{self.args.process_index}.safetensors")
    return found

Trainer.train = train_and_keep
from wfine_workflow.command import main
sys.exit(main(sys.argv[2:]))
"""

pytestmark = pytest.mark.usefixtures("one_thread")
launched = [pytest.mark.slow, pytest.mark.timeout(2400)]


def params(folder: Path, notebook: str, changes: dict) -> Path:
    """The parameters file of the smoke preset, with changes."""
    path = ROOT / "params" / "smoke" / f"{notebook}.yaml"
    values = notebook_params.cell_defaults(notebook) | read_yaml(path) | changes
    path = folder / f"{notebook}.yaml"
    path.write_text(yaml.safe_dump(values), encoding="utf-8")
    return path


def in_two_processes(folder: Path, *command: object) -> subprocess.CompletedProcess:
    environment = os.environ | {
        "CUDA_VISIBLE_DEVICES": "",
        "OMP_NUM_THREADS": "1",
        "HF_HOME": str(folder / "no-configuration-of-the-user"),
        "PYTHONPATH": str(ROOT),
        "PATH": f"{folder}{os.pathsep}{os.environ['PATH']}",
    }
    script = folder / "wfine"
    script.write_text(WFINE, encoding="utf-8")
    script.chmod(0o755)
    done = subprocess.run(
        [*TWO, *map(str, command)], cwd=folder, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-4000:]
    return done


def names(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def work(tmp_path_factory) -> Path:
    """Chains, queries and parameters."""
    folder = tmp_path_factory.mktemp("launch")
    for split, seed in (("train", 3), ("validation", 4)):
        queries = writer.sample_queries(12, vocabulary.TOPICS[split], seed=seed)
        save_chains(build_chains(queries, "single", writer.write, 0), folder / f"{split}.jsonl")
        save_queries(queries, folder / f"queries_{split}.jsonl")
    params(folder, "03_reward_model", REWARD)
    params(folder, "04_wrl_policy", POLICY)
    return folder


def reward_options(work: Path, base: Path, out: str) -> list[str]:
    return [
        *("--params", f"{work}/03_reward_model.yaml", "--chains", f"{work}/train.jsonl"),
        *("--validation", f"{work}/validation.jsonl", "--base", str(base)),
        *("--out", f"{work}/{out}"),
    ]


def policy_options(work: Path, base: Path, out: str) -> list[str]:
    return [
        *("--params", f"{work}/04_wrl_policy.yaml", "--queries", f"{work}/queries_train.jsonl"),
        *("--reward-model", f"{work}/rm-one", "--base", str(base), "--out", f"{work}/{out}"),
    ]


@pytest.fixture(scope="module")
def rm_one(work, tiny_base) -> Path:
    """The reward model of one process."""
    assert command.reward(reward_options(work, tiny_base, "rm-one")) == 0
    return work / "rm-one"


@pytest.fixture(scope="module")
def rm_two(work, tiny_base) -> Path:
    """The reward model of two processes."""
    done = in_two_processes(
        work, "--no_python", "wfine", "train-reward", *reward_options(work, tiny_base, "rm-two")
    )
    assert done.stdout.count("reward model, validation accuracy") == 1, "one process speaks"
    return work / "rm-two"


@pytest.fixture(scope="module")
def policies(work, tiny_base, rm_one) -> tuple[Path, Path]:
    """The policies of one process and of two."""
    assert command.policy(policy_options(work, tiny_base, "policy-one")) == 0
    script = work / "keep_each.py"
    script.write_text(KEEP_EACH, encoding="utf-8")
    in_two_processes(
        work, script, work, "train-policy", *policy_options(work, tiny_base, "policy-two")
    )
    return work / "policy-one", work / "policy-two"


class TestRewardModel:
    pytestmark = launched

    def test_same_files(self, rm_one, rm_two):
        assert names(rm_two) == names(rm_one)
        one, two = (json.loads((f / "manifest.json").read_text()) for f in (rm_one, rm_two))
        assert two == one

    def test_same_curve(self, rm_one, rm_two):
        """Each process sees half of every batch; sums are rounded in another order, no more."""
        one, two = (pd.read_csv(f / "learning_curve.csv") for f in (rm_one, rm_two))
        assert one["step"].max() == 5 and set(one["split"]) == {"train", "validation"}
        assert one["loss"].iloc[-1] != one["loss"].iloc[0], "it has learnt something"
        pd.testing.assert_frame_equal(two, one, rtol=0, atol=1e-5)

    def test_same_rewards(self, rm_one, rm_two):
        texts = ["Use bullets."] * 3, ["- One.", "Two birds sing.", "A longer text, about nets."]
        one, two = (load_reward_model(folder).rewards(*texts) for folder in (rm_one, rm_two))
        np.testing.assert_allclose(two, one, rtol=0, atol=1e-4)
        assert np.ptp(one) > 1e-2


class TestPolicy:
    """Each process samples with a seed of its own, so the completions differ; all else does not."""

    pytestmark = launched

    @pytest.fixture
    def rollouts(self, policies) -> list[tuple[pd.DataFrame, pd.DataFrame]]:
        found = [sorted((f / "trainer" / "completions").glob("*.parquet")) for f in policies]
        assert [len(paths) for paths in found] == [2, 2]
        return [(pd.read_parquet(one), pd.read_parquet(two)) for one, two in zip(*found)]

    def test_same_files(self, policies):
        one, two = policies
        assert names(two) == names(one)
        curve = pd.read_csv(two / "training_curve.csv")
        assert curve["step"].tolist() == [1, 2]
        assert np.isfinite(curve).all(axis=None)

    def test_same_prompts_equally_often(self, rollouts):
        for one, two in rollouts:
            counts = [x["prompt"].map(lambda p: p[0]["content"]).value_counts() for x in (one, two)]
            assert counts[0].tolist() == [4, 4, 4]
            assert counts[1].to_dict() == counts[0].to_dict()

    def test_rewards_are_those_of_the_reward_model_for_that_query(self, work, rollouts, rm_one):
        model = load_reward_model(rm_one)
        queries = writer.sample_queries(12, vocabulary.TOPICS["train"], seed=3)
        by_prompt = {generation.prompt_messages(query)[0]["content"]: query for query in queries}
        for _, two in rollouts:
            asked = [by_prompt[prompt[0]["content"]] for prompt in two["prompt"]]
            texts = [completion[0]["content"] for completion in two["completion"]]
            expected = model.score(asked, texts)
            np.testing.assert_allclose(two["reward_model_requirement"], expected, atol=1e-4)

    def test_groups_that_two_processes_sampled_are_put_together(self, rollouts):
        for _, two in rollouts:
            groups = two["reward_model_requirement"].to_numpy(dtype=float).reshape(3, 4)
            centred = groups - groups.mean(axis=1, keepdims=True)
            expected = centred / (groups.std(axis=1, ddof=1, keepdims=True) + 1e-4)
            assert np.ptp(groups, axis=1).min() > 0
            np.testing.assert_allclose(two["advantage"], expected.ravel(), atol=1e-3)

    def test_processes_sample_with_different_seeds(self, rollouts):
        _, two = rollouts[0]
        texts = two["completion"].map(lambda c: c[0]["content"]).to_numpy()
        assert set(texts[4:6]).isdisjoint(texts[6:8]), "one prompt, two processes"

    def test_both_processes_end_with_the_adapter_that_is_saved(self, work, policies):
        first, second = (load_file(work / f"process-{i}.safetensors") for i in (0, 1))
        assert all(torch.equal(first[name], second[name]) for name in first)
        saved = load_file(policies[1] / "adapter_model.safetensors")
        assert len(saved) == len(first)
        for name, value in saved.items():
            stem, end = name.rsplit(".", 1)
            assert torch.equal(value, first[f"{stem}.default.{end}"])
        assert any(v.abs().max() > 0 for name, v in saved.items() if "lora_B" in name)


def test_options_reach_the_training(work, tiny_base, monkeypatch, tmp_path, capsys):
    """A record of notebook 00 as base, and a part of the chains, by topic, for validation."""
    seen = {}

    def train(pairs, validation_pairs, base, settings, *, folder, **rest):
        seen.update(rest, pairs=pairs, validation=validation_pairs, base=base, settings=settings)
        (folder / "adapter").touch()
        row = {"step": 5, "split": "validation", "loss": 0.5, "accuracy": 0.75, "margin": 1.0}
        return pd.DataFrame([row])

    monkeypatch.setattr("wfine_utils.rewards.training.train_reward_model", train)
    base_model.write_base(tmp_path / "base.json", Base(str(tiny_base)))
    options = [
        *("--params", f"{work}/03_reward_model.yaml", "--chains", f"{work}/train.jsonl"),
        *("--base", str(tmp_path), "--granularity", "prompt", "--out", str(tmp_path / "made")),
    ]
    assert command.reward(options) == 0
    assert "validation accuracy 0.750 after 5 steps" in capsys.readouterr().out
    assert names(tmp_path) == {"base.json", "made/adapter"}
    assert seen["granularity"] == "prompt" and seen["base"] == Base(str(tiny_base.resolve()))
    assert seen["settings"].batch_size == REWARD["batch_size"]
    topics = [{pair.topic for pair in seen[part]} for part in ("pairs", "validation")]
    assert all(topics) and topics[0].isdisjoint(topics[1])


# --- one process that believes it is one of several -----------------------------------------------


def test_each_process_has_a_gpu_of_its_own(monkeypatch):
    monkeypatch.delenv("LOCAL_RANK", raising=False)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert devices.device_of_process() == "cuda"
    for rank, device in (("0", "cuda:0"), ("1", "cuda:1"), ("2", "cuda:0")):
        monkeypatch.setenv("LOCAL_RANK", rank)
        assert devices.device_of_process() == device
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert devices.device_of_process() == "cpu"


# --- bad input ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("spoil", "expected"),
    [
        (lambda work: (work / "03_reward_model.yaml").unlink(), "03_reward_model.yaml is missing"),
        (lambda work: params(work, "03_reward_model", {"batch_sise": 1}), "batch_sise"),
        (lambda work: (work / "train.jsonl").write_text("{"), "train.jsonl:1"),
        (lambda work: (work / "out").mkdir(), "out is there already"),
    ],
    ids=["no parameters", "misspelt parameter", "bad chains", "folder in use"],
)
def test_bad_input_is_one_paragraph(tmp_path, tiny_base, capsys, spoil, expected):
    params(tmp_path, "03_reward_model", REWARD)
    spoil(tmp_path)
    assert command.reward(reward_options(tmp_path, tiny_base, "out")) == 2
    said = capsys.readouterr()
    assert expected in said.err and "\n\n" not in said.err and said.out == ""


def test_settings_follow_the_parameters_file():
    """Every setting of the file reaches the trainers: none has a default of its own here."""
    assert {*RewardSettings.model_fields} < {*notebook_params.RewardModelParams.model_fields}
    assert {*PolicySettings.model_fields} < {*notebook_params.PolicyParams.model_fields}


@pytest.mark.parametrize("program", [command.reward, command.policy])
def test_help_names_every_option(program, capsys):
    with pytest.raises(SystemExit) as stopped:
        program(["--help"])
    assert stopped.value.code == 0
    said = capsys.readouterr().out
    for option in ("--params", "--base", "--out", "accelerate launch --num_processes N"):
        assert option in said
