"""Trainings side by side."""

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import ClassVar

import psutil
import pytest
import torch
from cloudpickle import register_pickle_by_value, unregister_pickle_by_value
from safetensors.torch import load_file

from wfine_utils.errors import WfineError
from wfine_utils.notebook.parallel import in_parallel
from wfine_utils.notebook.params import NotebookParams
from wfine_utils.notebook.run import start_run


class Params(NotebookParams):
    notebook: ClassVar[str] = "03_reward_model"


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Of a notebook whose functions travel by value, as those of a notebook do."""
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    monkeypatch.setattr("joblib.cpu_count", lambda: 2)
    module = sys.modules[__name__]
    register_pickle_by_value(module)
    yield start_run(Params(preset="smoke", output_root=str(tmp_path), seed=0))
    unregister_pickle_by_value(module)


def training(run, names):
    """A training that says where it ran; its key is all the names, so that it can be made anew."""

    def train(name: str) -> Path:
        def write(folder: Path) -> None:
            said = f"{os.getpid()} {os.environ['OMP_NUM_THREADS']}"
            (folder / "said.txt").write_text(said)

        return run.stage(name, {"names": [*names]}, write)

    return train


def test_each_runs_in_a_process_of_its_own_with_its_share_of_the_cores(run):
    names = ["long", "short", "middle"]
    folders = in_parallel(run, training(run, names), names)
    assert [*folders] == names and run.stages == dict.fromkeys(names, "computed")
    said = [(folder / "said.txt").read_text().split() for folder in folders.values()]
    assert str(os.getpid()) not in {pid for pid, _ in said}
    assert {threads for _, threads in said} == {"1"}


def test_finished_ones_are_found(run):
    names = ["one", "two"]
    first = in_parallel(run, training(run, names), names)
    before = {name: (folder / "said.txt").read_text() for name, folder in first.items()}
    again = in_parallel(run, training(run, names), names)
    assert run.stages == dict.fromkeys(names, "loaded")
    assert {name: (folder / "said.txt").read_text() for name, folder in again.items()} == before


def test_with_one_core_or_one_name_all_is_done_here(run, monkeypatch):
    (folder,) = in_parallel(run, training(run, ["one"]), ["one"]).values()
    assert (folder / "said.txt").read_text().startswith(str(os.getpid()))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    for folder in in_parallel(run, training(run, ["a", "b"]), ["a", "b"]).values():
        assert (folder / "said.txt").read_text().startswith(str(os.getpid()))
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    for folder in in_parallel(run, training(run, "cd"), ["c", "d"], n_jobs=1).values():
        assert (folder / "said.txt").read_text().startswith(str(os.getpid()))


def test_what_is_wrong_in_one_is_said_here(run):
    def train(name: str) -> Path:
        if name == "bad":
            raise WfineError("found 3 pairs, expected 64.")
        return run.stage(name, {}, lambda folder: (folder / "x").touch())

    with pytest.raises(WfineError, match="found 3 pairs, expected 64"):
        in_parallel(run, train, ["bad", "good"])


def test_trainings_end_when_the_notebook_is_killed(tmp_path):
    """Else they would go on, and write into the folder of the run that comes next."""
    script = tmp_path / "notebook.py"
    script.write_text(
        "import os, time\nfrom pathlib import Path\nfrom types import SimpleNamespace\n"
        "import joblib\njoblib.cpu_count = lambda: 2\n"
        "from wfine_utils.notebook.parallel import in_parallel\n\n\n"
        "def train(name):\n"
        f"    (Path({str(tmp_path)!r}) / f'{{name}}.pid').write_text(str(os.getpid()))\n"
        "    time.sleep(300)\n\n\n"
        "in_parallel(SimpleNamespace(starts_from_kept=False), train, ['a', 'b'])\n"
    )
    notebook = subprocess.Popen(
        [sys.executable, str(script)], env=os.environ | {"OMP_NUM_THREADS": "2"}
    )
    try:
        pids = [int(until(lambda name=name: said(tmp_path / f"{name}.pid"))) for name in "ab"]
    finally:
        notebook.kill()
        notebook.wait()
    assert until(lambda: not any(map(is_running, pids)))


def said(path: Path) -> str:
    return path.read_text() if path.is_file() else ""


def is_running(pid: int) -> bool:
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


def until(question):
    """The answer, once there is one."""
    for _ in range(600):
        if answer := question():
            return answer
        time.sleep(0.1)
    raise AssertionError("no answer in a minute")


@pytest.mark.slow
def test_a_training_gives_the_same_model_in_a_process_of_its_own(run, tiny_base):
    """One thread each: what was seeded in the notebook must not decide."""
    from wfine_utils.base_model import Base
    from wfine_utils.chains.dropping import build_chains
    from wfine_utils.chains.pairs import preference_pairs
    from wfine_utils.rewards.training import train_reward_model
    from wfine_utils.settings import RewardSettings
    from wfine_utils.tiny_world import vocabulary, writer

    queries = writer.sample_queries(8, vocabulary.TOPICS["train"], seed=0)
    chains = build_chains(queries, "single", writer.write, 0)
    pairs = preference_pairs(chains, granularity="requirement")
    settings = RewardSettings(
        loss="bradley_terry", quantise=True, lora_r=4, lora_alpha=8, learning_rate=1e-2,
        batch_size=8, micro_batch_size=8, n_epochs=1, max_tokens=96, center_coefficient=0.01,
    )  # fmt: skip

    def train(name: str) -> Path:
        return run.stage(name, {}, lambda folder: train_reward_model(
            pairs[:16], pairs[:8], Base(str(tiny_base)), settings,
            granularity="requirement", seed=0, folder=folder,
        ))  # fmt: skip

    apart = in_parallel(run, train, ["a", "b"])
    n_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    here = train("c")
    torch.set_num_threads(n_threads)
    weights = [load_file(x / "adapter_model.safetensors") for x in (*apart.values(), here)]
    for name, weight in weights[0].items():
        assert all(torch.equal(weight, others[name]) for others in weights[1:])
