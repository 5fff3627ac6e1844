"""The program that measures a GPU, at a size for a CPU."""

import subprocess
import sys

import pandas as pd
import pytest
import torch
from conftest import ROOT

SCRIPT = ROOT / "bench" / "gpu.py"


@pytest.fixture(scope="module")
def gpu(bench_script):
    return bench_script("gpu")


def run(*options):
    command = [sys.executable, str(SCRIPT), *map(str, options)]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT)


@pytest.mark.slow
def test_everything_is_measured_at_toy_size_and_not_again(tmp_path):
    done = run(tmp_path, "--shapes", "toy")
    assert done.returncode == 0, done.stderr[-2000:]
    table = pd.read_csv(tmp_path / "gpu.csv")
    assert set(table["outcome"]) == {"measured"} and table["value"].notna().all()
    works = {"reward model, NF4", "reward model, unquantised", "GRPO, NF4", "gradients in NF4"}
    assert set(table["work"]) == works | {"scoring"}
    speed = table[table["quantity"] == "tokens per second"]
    assert len(speed) == 3 and (speed["value"] > 0).all()
    cosine = table[table["quantity"] == "cosine of the gradients"].set_index("against")["value"]
    assert cosine["the same values, unquantised"] > 0.999
    assert cosine["the same values, unquantised"] > cosine["the weights before NF4"] > 0.9
    again = run(tmp_path, "--shapes", "toy")
    assert again.returncode == 0
    pd.testing.assert_frame_equal(pd.read_csv(tmp_path / "gpu.csv"), table)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU, which would be measured")
def test_without_a_gpu_the_way_to_try_it_is_said(tmp_path):
    done = run(tmp_path, "--shapes", "Qwen2.5-0.5B")
    assert done.returncode == 2
    assert "found no GPU" in done.stderr and "--shapes toy" in done.stderr
    assert not (tmp_path / "gpu.csv").exists()


def test_work_that_runs_out_of_memory_is_written_down_and_the_next_is_done(gpu, tmp_path):
    def too_much():
        raise torch.OutOfMemoryError("CUDA out of memory")

    def refused():
        raise gpu.WfineError("found 8 GiB, expected 24.")

    results = gpu.Results(tmp_path / "gpu.csv")
    results.attempt("7B", "GRPO", too_much)
    results.attempt("7B", "reward", refused)
    results.attempt("7B", "small", lambda: [{"quantity": "x", "value": 2.0}])
    results.attempt("7B", "GRPO", lambda: [{"quantity": "x", "value": 3.0}])  # tried already
    table = pd.read_csv(results.path)
    assert table["outcome"].tolist() == [
        "out of memory", "refused: found 8 GiB, expected 24.", "measured"
    ]  # fmt: skip
    assert table["value"].tolist()[2] == 2.0


@pytest.mark.parametrize(("code", "minutes", "outcome"), [
    (-9, 10.0, "the process ended with -9"),
    (0, 0.0, "not begun or not finished in 0.0 minutes"),
])  # fmt: skip
def test_a_killed_part_and_one_without_time_are_written_down(
    gpu, tmp_path, monkeypatch, code, minutes, outcome
):
    ended = subprocess.CompletedProcess([], code)
    monkeypatch.setattr(gpu.subprocess, "run", lambda *_, **__: ended)
    results = gpu.Results(tmp_path / "gpu.csv")
    gpu.run_apart(["toy"], results, minutes)
    assert pd.read_csv(results.path)["outcome"].tolist() == [outcome]


def test_sizes_are_those_of_the_models_they_are_named_after(gpu):
    """Billions of weights, as Qwen's model cards say them."""
    for name, billions in {"Qwen2.5-0.5B": 0.49, "Qwen2.5-1.5B": 1.54, "Qwen2.5-7B": 7.61}.items():
        s = gpu.SHAPES[name]
        with torch.device("meta"):
            model = gpu.AutoModelForCausalLM.from_config(gpu.model_config(s))
        assert model.num_parameters() / 1e9 == pytest.approx(billions, abs=0.01)
