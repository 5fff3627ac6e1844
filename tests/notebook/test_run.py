"""Run folders, atomic files and stages."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import ClassVar

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from conftest import ROOT
from PIL import Image

from wfine_utils.base_model import Base
from wfine_utils.chains.taxonomy import Requirement
from wfine_utils.errors import WfineError
from wfine_utils.files import atomic_write, resolve, sha256_file
from wfine_utils.notebook import code_digest
from wfine_utils.notebook import run as results
from wfine_utils.notebook.params import NotebookParams, TablesParams
from wfine_utils.notebook.run import check_previous, needed_file, start_run


class Params(NotebookParams):
    notebook: ClassVar[str] = "02_requirement_dropping"


def params(tmp_path: Path, **changes) -> Params:
    return Params(**({"preset": "smoke", "output_root": str(tmp_path), "seed": 7} | changes))


@pytest.fixture
def run(tmp_path):
    return start_run(params(tmp_path))


def files(folder: Path) -> list[str]:
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())


# --- the run folder ---------------------------------------------------------------------------


def test_start_run_makes_the_folder_and_the_stamp(tmp_path, run):
    assert run.folder == tmp_path / "smoke" / "02_requirement_dropping"
    assert run.path("a.csv") == run.folder / "a.csv"
    stamp = json.loads((run.folder / "stamp.json").read_text())
    assert stamp["seed"] == 7
    assert stamp["parameters"] == {"preset": "smoke", "output_root": str(tmp_path), "seed": 7}
    assert stamp["versions"]["numpy"] == np.__version__
    assert isinstance(stamp["cpu_simd"], list)  # empty where NumPy knows of nothing special
    assert files(run.folder) == ["stamp.json"]


def test_start_run_seeds_python_and_numpy(tmp_path):
    import random

    start_run(params(tmp_path))
    first = (random.random(), np.random.rand())
    start_run(params(tmp_path))
    assert (random.random(), np.random.rand()) == first
    start_run(params(tmp_path, seed=8))
    assert (random.random(), np.random.rand()) != first


START = """
import os, sys
from wfine_utils.notebook.params import TablesParams
from wfine_utils.notebook.run import check_previous, needed_file, start_run
run = start_run(TablesParams(preset="smoke", output_root=sys.argv[1], seed=7, digits=3))
"""


def test_start_run_seeds_torch_only_if_it_is_there(tmp_path):
    code = START + "assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], cwd=ROOT, check=True)


def test_start_run_removes_what_an_earlier_run_must_not_leave(tmp_path):
    run = start_run(params(tmp_path))
    for name in ("tables/old.csv", "figures/old.png", "agreement.csv"):
        run.write_text("old", name)
    start_run(params(tmp_path), remove=("tables/*", "agreement*"))
    assert files(run.folder) == ["figures/old.png", "stamp.json"]


def test_start_run_where_a_file_stands_in_the_way(tmp_path):
    (tmp_path / "taken").write_text("")
    with pytest.raises(WfineError, match=r"taken.*cannot be made.*set output_root") as error:
        start_run(params(tmp_path / "taken"))
    assert "\n" not in str(error.value)


def test_start_run_without_permission(tmp_path, monkeypatch):
    # chmod does not stop root, so the refusal of the system is imitated
    def refuse(*args, **kwargs):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "mkdir", refuse)
    with pytest.raises(WfineError, match=r"Permission denied.*write permission"):
        start_run(params(tmp_path))


def test_writing_without_permission_leaves_nothing(run, monkeypatch):
    def refuse(*args, **kwargs):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "replace", refuse)
    with pytest.raises(WfineError, match=r"a\.json: cannot be written: Permission denied"):
        run.write_json({"a": 1}, "a.json")
    assert files(run.folder) == ["stamp.json"]


def test_relative_paths_count_from_the_project_root(tmp_path, monkeypatch):
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "wfine"\n')
    (tmp_path / "notebooks").mkdir()
    monkeypatch.chdir(tmp_path / "notebooks")
    assert resolve("outputs") == tmp_path / "outputs"
    assert resolve("/abs/x") == Path("/abs/x")
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "another"\n')
    assert resolve("outputs").parent != tmp_path


def test_all_that_is_missing_is_named_at_once_with_a_way_that_works(tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)
    root = str(tmp_path)
    previous = {
        "02_requirement_dropping": "mine",
        "00_base_model": "mini",
        "03_reward_model": "mini",
    }
    with pytest.raises(WfineError) as error:
        check_previous(root, previous)
    said = str(error.value)
    for name, preset in previous.items():
        assert str(tmp_path / preset / name) in said
    assert "make reproduce PRESET=mini" in said and "PRESET=mine" not in said, "no such preset"
    for name, preset in previous.items():
        (tmp_path / preset / name).mkdir(parents=True)
        (tmp_path / preset / name / "results.json").touch()
    check_previous(root, previous)


def test_a_file_of_the_user_that_is_not_there_is_named_before_the_long_imports(tmp_path):
    (tmp_path / "chains.jsonl").touch()
    check_previous(str(tmp_path), {}, files=["", str(tmp_path / "chains.jsonl")])
    with pytest.raises(WfineError, match=r"chain\.jsonl: found no such file, expected the one"):
        check_previous(str(tmp_path), {}, files=["", str(tmp_path / "chain.jsonl")])


def test_previous_says_in_one_line_what_to_run(run):
    with pytest.raises(WfineError) as error:
        run.previous("01_data_taxonomy", "table.csv")
    message = str(error.value)
    assert "\n" not in message
    for part in ("01_data_taxonomy/table.csv", "notebooks/01_data_taxonomy.ipynb",
                 "make reproduce PRESET=smoke"):  # fmt: skip
        assert part in message
    there = run.folder.parent / "01_data_taxonomy" / "table.csv"
    there.parent.mkdir()
    there.write_text("a\n")
    assert run.previous("01_data_taxonomy", "table.csv") == there


# --- writers ----------------------------------------------------------------------------------


def test_csv_keeps_every_digit_and_is_the_same_byte_for_byte(run):
    df = pd.DataFrame({"x": [0.1 + 0.2, 1 / 3, 1e-300, np.nan], "s": ["a\nb", 'q"', "", "ü"]})
    first = run.write_csv(df, "a.csv").read_bytes()
    assert run.write_csv(df.copy(), "a.csv").read_bytes() == first
    back = pd.read_csv(run.path("a.csv"), keep_default_na=False, na_values={"x": [""]})
    pd.testing.assert_frame_equal(back, df, check_exact=True, check_dtype=False)
    assert b"\r" not in first


def test_parquet_and_json(run):
    df = pd.DataFrame({"x": [1.5, 2.5]})
    pd.testing.assert_frame_equal(pd.read_parquet(run.write_parquet(df, "a.parquet")), df)
    value = {"b": np.float32(0.5), "a": (np.int64(3), np.bool_(True)), "c": np.arange(2)}
    text = run.write_json(value, "sub/a.json").read_text()
    assert json.loads(text) == {"a": [3, True], "b": 0.5, "c": [0, 1]}
    assert text.index('"a"') < text.index('"b"')


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), np.float32("nan")])
def test_results_refuse_numbers_that_are_not_finite_by_key(run, bad):
    with pytest.raises(WfineError, match=r"results\.tau\.wrl\.1 is (nan|inf)"):
        run.write_results({"n": 1, "tau": {"wrl": [0.5, bad]}})
    assert not run.path("results.json").exists()


def test_a_lone_surrogate_is_a_clear_error(run):
    with pytest.raises(WfineError, match="surrogate"):
        run.write_json({"a": "\ud800"}, "a.json")
    assert files(run.folder) == ["stamp.json"]


def test_figures_are_the_same_byte_for_byte_and_titled_with_the_finding(run):
    from matplotlib.figure import Figure

    from wfine_utils.notebook.sentences import Finding

    finding = Finding("One rises to 2", "One, n = 2, rises to 2.")
    drawn = []
    for _ in range(2):
        fig = Figure()
        fig.subplots().plot([1, 2])
        run.save_figure(fig, "figures/a", finding, formats=("png", "pdf"))
        drawn.append([run.path(f"figures/a.{s}").read_bytes() for s in ("png", "pdf")])
    assert drawn[0] == drawn[1]
    assert fig.get_suptitle() == finding.title
    assert drawn[0][0].startswith(b"\x89PNG")
    assert drawn[0][1].startswith(b"%PDF")


def test_atomic_write_keeps_the_old_file_when_the_writer_fails(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")

    def writer(partial: Path) -> None:
        assert partial.suffix == ".txt"
        partial.write_text("half")
        raise RuntimeError("stop")

    with pytest.raises(RuntimeError):
        atomic_write(path, writer)
    assert path.read_text() == "old"
    assert files(tmp_path) == ["a.txt"]


def test_sha256(tmp_path):
    (tmp_path / "a").write_bytes(b"abc")
    assert sha256_file(tmp_path / "a").startswith("ba7816bf8f01cfea414140de5dae2223")


# --- stages -----------------------------------------------------------------------------------


def count_calls(text: str = "done"):
    calls = []

    def compute(folder: Path) -> None:
        assert not list(folder.iterdir())
        calls.append(folder)
        (folder / "model.bin").write_text(text)

    return compute, calls


def test_a_stage_is_computed_once(tmp_path):
    compute, calls = count_calls()
    run = start_run(params(tmp_path))
    folder = run.stage("wrl", {"lr": 1e-3, "layers": (1, 2)}, compute)
    assert (folder, run.stages) == (run.folder / "wrl", {"wrl": "computed"})
    again = start_run(params(tmp_path))
    assert again.stage("wrl", {"layers": [1, 2], "lr": 1e-3}, compute) == folder
    assert again.stages == {"wrl": "loaded"}
    assert len(calls) == 1
    record = json.loads((folder / "stage.json").read_text())
    assert record["key"] == {"layers": [1, 2], "lr": 1e-3}
    assert record["files"] == {"model.bin": 4}
    assert record["seconds"] >= 0


@pytest.mark.parametrize("change", ["key", "seed", "source", "file lost", "stage.json damaged"])
def test_a_stage_of_other_inputs_is_computed_anew(tmp_path, monkeypatch, change):
    folder = start_run(params(tmp_path)).stage("wrl", {"lr": 1e-3}, count_calls("old")[0])
    key, cfg = {"lr": 1e-3}, params(tmp_path)
    if change == "key":
        key = {"lr": 2e-3}
    elif change == "seed":
        cfg = params(tmp_path, seed=8)
    elif change == "source":
        monkeypatch.setattr(results, "source_digest", lambda notebook: "another")
    elif change == "file lost":
        (folder / "model.bin").unlink()
    else:
        (folder / "stage.json").write_text('{"key": ')
    (folder / "stale.txt").write_text("of the old result")
    run = start_run(cfg)
    compute, _ = count_calls("new")
    run.stage("wrl", key, compute)
    assert run.stages == {"wrl": "computed"}
    assert files(folder) == ["model.bin", "stage.json"]
    assert (folder / "model.bin").read_text() == "new"
    assert files(run.folder) == ["stamp.json", "wrl/model.bin", "wrl/stage.json"]


def test_a_stage_that_names_its_code_depends_on_no_other(tmp_path, monkeypatch):
    package = tmp_path / "wfine_utils"
    package.mkdir()
    (package / "__init__.py").touch()
    monkeypatch.setattr(code_digest, "CODE", tmp_path)
    for name in ("of_test_train", "of_test_loss", "of_test_judge"):
        code = "from wfine_utils.of_test_loss import f" * name.endswith("train")
        (package / f"{name}.py").write_text(code)

    def train():
        pass

    train.__module__ = "wfine_utils.of_test_train"
    run = start_run(params(tmp_path))

    def outcome() -> str:
        run.stage("wrl", {"lr": 1}, count_calls()[0], code=[train])
        return run.stages["wrl"]

    assert outcome() == "computed"
    (package / "of_test_judge.py").write_text("x = 1")
    monkeypatch.setattr(results, "source_digest", lambda notebook: "another")
    assert outcome() == "loaded"
    (package / "of_test_loss.py").write_text("x = 1")
    assert outcome() == "computed"
    train.__module__ = "numpy"
    with pytest.raises(ValueError, match="no module"):
        run.stage("wrl", {"lr": 1}, count_calls()[0], code=[train])


def test_a_key_knows_files_settings_bases_and_lists_by_what_is_in_them(tmp_path):
    run = start_run(params(tmp_path))
    file = run.write_text("a", "chains.jsonl")
    base = Base(str(tmp_path / "model"))
    requirements = [Requirement(None, None, "Use five words.")]

    def outcome(**changes) -> str:
        key = {"file": file, "base": base, "cfg": run.cfg, "list": requirements, "n": {"a": 1}}
        run.stage("wrl", key | changes, count_calls()[0])
        return run.stages["wrl"]

    assert outcome() == "computed"
    assert outcome(list=[Requirement(None, None, "Use five words.")]) == "loaded"
    run.write_text("b", "chains.jsonl")
    assert outcome() == "computed"
    assert outcome(cfg=params(tmp_path, seed=8)) == "computed"
    assert outcome() == "computed"
    assert outcome(base=Base("hub/model", "main")) == "computed"
    assert outcome(list=[Requirement(None, None, "Use six words.")]) == "computed"
    assert outcome(list=[Requirement(None, None, "Use six words.")], n={"a": 2}) == "computed"


def test_a_stage_that_fails_keeps_the_older_result_and_its_rest_is_removed(tmp_path):
    run = start_run(params(tmp_path))
    run.stage("wrl", {"lr": 1}, count_calls("old")[0])

    def fail(folder: Path) -> None:
        (folder / "half.bin").write_text("x")
        raise RuntimeError("killed")

    with pytest.raises(RuntimeError):
        run.stage("wrl", {"lr": 2}, fail)
    assert (run.folder / "wrl" / "model.bin").read_text() == "old"
    assert any("half.bin" in name for name in files(run.folder))
    again = start_run(params(tmp_path))
    assert not any("half.bin" in name for name in files(run.folder))
    again.stage("wrl", {"lr": 1}, count_calls()[0])
    assert again.stages == {"wrl": "loaded"}


def test_a_killed_stage_leaves_no_finished_folder(tmp_path):
    code = START + (
        "run.stage('wrl', {}, lambda f: ((f / 'half').write_text('x'), os.kill(os.getpid(), 9)))"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], cwd=ROOT, check=False)
    assert done.returncode == -9
    assert not (tmp_path / "smoke" / "07_paper_tables" / "wrl").exists()
    run = start_run(TablesParams(preset="smoke", output_root=str(tmp_path), seed=7, digits=3))
    assert files(run.folder) == ["stamp.json"]
    run.stage("wrl", {}, count_calls()[0])
    assert run.stages == {"wrl": "computed"}


def test_stage_key_refuses_nan(run):
    with pytest.raises(WfineError, match=r"stage wrl\.key\.lr is nan"):
        run.stage("wrl", {"lr": float("nan")}, count_calls()[0])


def test_a_resumable_stage_finds_what_a_killed_one_had_kept(tmp_path):
    class Killed(Exception):
        pass

    seen = []

    def compute(folder, checkpoints):
        seen.append(checkpoints)
        if not checkpoints.exists():
            checkpoints.mkdir(parents=True)
            raise Killed
        (folder / "a.txt").write_text("whole")

    for key in ({"n": 1}, {"n": 2}):  # other inputs, another folder
        with pytest.raises(Killed):
            start_run(params(tmp_path)).stage("a/b", key, compute, resumable=True)
    run = start_run(params(tmp_path))
    folder = run.stage("a/b", {"n": 1}, compute, resumable=True)
    assert (folder / "a.txt").read_text() == "whole"
    assert seen[0] == seen[2] != seen[1]
    assert not seen[0].exists() and seen[1].exists()


def test_a_figure_on_the_screen_takes_few_bytes_and_looks_alike():
    fig, ax = plt.subplots(figsize=(4, 3))
    ax.plot([0, 1, 3], color="#0072B2")
    fig.savefig(full := io.BytesIO(), format="png", dpi=100, bbox_inches="tight")
    small = results._small_png(fig)
    plt.close(fig)
    assert len(small) < 0.7 * len(full.getvalue())
    shown, drawn = (
        np.asarray(Image.open(io.BytesIO(data)).convert("RGB"), dtype=float)
        for data in (small, full.getvalue())
    )
    assert shown.shape == drawn.shape and np.abs(shown - drawn).mean() < 1


def test_a_file_that_does_not_come_with_the_project_is_asked_for(tmp_path):
    with pytest.raises(
        WfineError, match=r"rankings_path: found no path, .* the rankings of X\. It"
    ):
        needed_file("", "rankings_path", "the rankings of X")
    with pytest.raises(WfineError, match=r"found no file .*a\.jsonl, expected the rankings of X"):
        needed_file(str(tmp_path / "a.jsonl"), "rankings_path", "the rankings of X")
    (tmp_path / "a.jsonl").write_text("{}")
    path = needed_file(str(tmp_path / "a.jsonl"), "rankings_path", "the rankings of X")
    assert path == tmp_path / "a.jsonl"
