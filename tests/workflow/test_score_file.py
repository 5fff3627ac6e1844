"""Scoring a big file: the same shards whatever happens on the way, in constant memory."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
import tracemalloc
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from conftest import ROOT
from peft import get_peft_model
from transformers import AutoTokenizer, Qwen2Config, Qwen2ForSequenceClassification

from wfine_utils.base_model import Base
from wfine_utils.chains.files import load_chains, portions, save_chains
from wfine_utils.chains.taxonomy import Chain, Requirement, Response
from wfine_utils.chains.weval_hand import WEVAL_HAND_CHAINS, load_weval_hand
from wfine_utils.errors import WfineError
from wfine_utils.models import adapters, loading
from wfine_utils.rewards.reward_model import RewardModelScorer
from wfine_utils.settings import RewardSettings
from wfine_utils.weval.baselines import ConstantScorer, LengthScorer, RandomScorer
from wfine_utils.weval.evaluation import evaluate
from wfine_utils.weval.scorers import TOLD, score_all, scores_from_table, scores_table
from wfine_workflow import score_file
from wfine_workflow.commands import score

SHARD, PORTION = 40, 15  # responses: eight chains to a shard, three to a portion


def many_chains(n: int) -> list[Chain]:
    requirement = Requirement(None, None, "Be brief.")
    return [
        Chain(f"chain-{i}", None, "Write a note.", (requirement,), tuple(
            Response(f"note {i} " + "and so on " * (20 + (7 * i + j) % 60), (j > 2,))
            for j in range(5)
        ))
        for i in range(n)
    ]  # fmt: skip


def run(
    out: Path, path: Path = WEVAL_HAND_CHAINS, scorer=None, fingerprint: str = "one", **changes
):
    options = {"shard_size": SHARD, "portion": PORTION} | changes
    return score_file.score_file(scorer or LengthScorer(), fingerprint, path, out, **options)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


# --- what is written --------------------------------------------------------------------------


def test_shards_hold_the_scores_of_all_chains_in_order(tmp_path):
    found = run(tmp_path)
    chains = load_weval_hand()
    n = sum(len(c.responses) for c in chains)
    ties = tie_rate(evaluate(chains, LengthScorer().score(chains), n_boot=0))
    assert found == {
        "n_chains": 60, "n_responses": n, "n_nan": 0, "n_shards": 8, "n_kept": 0,
        "tie_rate": pytest.approx(ties), "cut_rate": 0, "saturated_rate": 0,
        "compiled_rate": pytest.approx(np.nan, nan_ok=True),
    }  # fmt: skip
    parts = [pd.read_parquet(p) for p in sorted(tmp_path.glob("scores-*.parquet"))]
    assert [len(part) for part in parts] == [40] * 7 + [20]
    expected = score_all([LengthScorer()], chains)
    table = score_file.load_scores(tmp_path)
    pd.testing.assert_frame_equal(table, scores_table(expected, chains), check_dtype=False)
    for a, b in zip(scores_from_table(table, chains)["length"], expected["length"]):
        np.testing.assert_array_equal(a, b)
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    assert manifest["scorer"] == "length" and manifest["shard_size"] == SHARD
    assert len(manifest["chains_sha256"]) == 64 and "numpy" in manifest["versions"]


def tie_rate(table: pd.DataFrame) -> float:
    return table.query("metric == 'tie_rate' and subset == 'all'")["value"].item()


class Never:
    name = "never"

    def score(self, chains):
        return [np.full(len(chain.responses), np.nan) for chain in chains]


class Cuts(ConstantScorer):
    """Cuts one response of every chain, and says so of each call of score."""

    def score(self, chains):
        object.__setattr__(self, "n_cut", len(chains))
        object.__setattr__(self, "saturated_rate", 0.5)
        object.__setattr__(self, "compiled_rate", 0.75)
        return super().score(chains)


def test_what_was_not_scored_was_cut_or_is_tied_is_counted(tmp_path):
    never = run(tmp_path / "never", scorer=Never())
    assert never["n_nan"] == 300
    assert all(np.isnan(never[x]) for x in ("tie_rate", *TOLD))
    cuts = run(tmp_path / "cuts", scorer=Cuts())
    assert [cuts[x] for x in ("tie_rate", *TOLD)] == pytest.approx([1, 0.2, 0.5, 0.75])
    (tmp_path / "cuts" / "scores-00003.parquet").unlink()
    again = run(tmp_path / "cuts", scorer=Cuts())  # of kept shards, too
    assert again == cuts | {"n_kept": 7}
    chains = load_weval_hand()
    scores = scores_from_table(score_file.load_scores(tmp_path / "cuts"), chains)["constant"]
    rates = {"cut_rate": 0.2, "saturated_rate": 0.5, "compiled_rate": 0.75}
    assert scores.told() == pytest.approx(rates)


def test_a_chain_is_never_cut(tmp_path):
    sizes = [len(c) for c in portions(load_weval_hand(), 12)]
    assert sizes == [2] * 30
    assert [len(c) for c in portions(load_weval_hand()[:3], 1)] == [1, 1, 1]


def test_a_released_layout_is_read_too(tmp_path):
    rows = [
        {"prompt": f"Write {i}. Be brief." if k else f"Write {i}.", "constraint": ["Be brief."][:k],
         "instruction_id_list": [0] * k, "chosen": "word " * k}
        for i in range(2) for k in (1, 1, 1, 1, 1)
    ]  # fmt: skip
    path = tmp_path / "eval.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert run(tmp_path / "out", path)["n_responses"] == 10


# --- going on ---------------------------------------------------------------------------------


def test_a_second_run_keeps_the_shards_and_computes_only_what_is_missing(tmp_path):
    run(tmp_path)
    before = contents(tmp_path)
    (tmp_path / "scores-00003.parquet").unlink()
    (tmp_path / "scores-00005.parquet").write_bytes(b"PAR1 damaged")
    (tmp_path / ".partial-1-scores-00006.parquet").write_bytes(b"half of a shard")
    seen = []

    class Watched(LengthScorer):
        def score(self, chains):
            seen.extend(chain.chain_id for chain in chains)
            return super().score(chains)

    assert run(tmp_path, scorer=Watched())["n_kept"] == 6
    ids = [chain.chain_id for chain in load_weval_hand()]
    assert seen == ids[24:32] + ids[40:48]
    assert contents(tmp_path) == before


KILLED = """
import sys, time
from wfine_workflow import score_file
from wfine_utils.weval.baselines import LengthScorer

class Slow(LengthScorer):
    def score(self, chains):
        time.sleep(0.1)
        return super().score(chains)

score_file.score_file(Slow(), "one", *sys.argv[1:], shard_size=40, portion=15)
"""


@pytest.mark.slow
def test_a_run_that_was_killed_ends_with_the_same_bytes(tmp_path):
    run(tmp_path / "whole")
    out = tmp_path / "killed"
    script = [sys.executable, "-c", KILLED, str(WEVAL_HAND_CHAINS), str(out)]
    process = subprocess.Popen(script, cwd=ROOT, stderr=subprocess.DEVNULL)
    while not (out / "scores-00001.parquet").exists():
        assert process.poll() is None, "ended before it was killed"
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    n_left = len(list(out.glob("scores-*.parquet")))
    assert 2 <= n_left < 8
    assert run(out)["n_kept"] == n_left
    assert contents(out) == contents(tmp_path / "whole")


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"fingerprint": "two"}, "scorer_fingerprint"),
        ({"scorer": RandomScorer()}, "scorer"),
        ({"shard_size": 80}, "shard_size"),
        ({"portion": 40}, "portion"),
    ],
)
def test_the_shards_of_another_run_are_left_alone(changes, field, tmp_path):
    run(tmp_path)
    before = contents(tmp_path)
    with pytest.raises(WfineError, match=rf"manifest\.json: {field}: found .*Give another folder"):
        run(tmp_path, **changes)
    assert contents(tmp_path) == before


def test_another_file_and_another_version_are_refused(tmp_path, monkeypatch):
    path = save_chains(load_weval_hand()[:10], tmp_path / "a.jsonl")
    run(tmp_path / "out", path)
    save_chains(load_weval_hand()[:11], path)
    with pytest.raises(WfineError, match="chains_sha256: found"):
        run(tmp_path / "out", path)
    save_chains(load_weval_hand()[:10], path)
    monkeypatch.setattr(score_file, "versions", lambda: {"torch": "0.1"})
    with pytest.raises(WfineError, match="versions: found"):
        run(tmp_path / "out", path)
    (tmp_path / "out" / "manifest.json").write_text("[")
    with pytest.raises(WfineError, match="scorer: found None"):
        run(tmp_path / "out", path)
    (tmp_path / "out" / "manifest.json").unlink()
    with pytest.raises(WfineError, match=r"found scores-\*\.parquet and no manifest\.json"):
        run(tmp_path / "out", path)


# --- what is refused --------------------------------------------------------------------------


def test_a_bad_file_is_refused_as_by_the_loader_before_anything_is_scored(tmp_path):
    path = save_chains(load_weval_hand()[:4], tmp_path / "bad.jsonl")
    lines = path.read_text(encoding="utf-8").splitlines()
    lines[1] = lines[1].replace('"base_task"', '"base"', 1)
    path.write_text("\n".join([*lines, "{", lines[0]]), encoding="utf-8")
    with pytest.raises(WfineError) as expected:
        load_chains(path)
    with pytest.raises(WfineError) as found:
        run(tmp_path / "out", path)
    assert str(found.value) == str(expected.value)
    assert str(found.value).count(path.name) >= 3  # the heading, and more than one problem
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_two_processes_do_not_write_to_one_folder(tmp_path):
    waits = KILLED.replace("time.sleep(0.1)", "sys.stdin.read()")  # until the test lets it go on
    script = [sys.executable, "-c", waits, str(WEVAL_HAND_CHAINS), str(tmp_path)]
    process = subprocess.Popen(script, cwd=ROOT, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL)
    while not (tmp_path / "manifest.json").exists():  # written when the folder is its own
        assert process.poll() is None, "ended before it began"
        time.sleep(0.01)
    with pytest.raises(WfineError, match="another process that is writing here"):
        run(tmp_path)
    process.communicate()
    assert process.returncode == 0  # the first is not disturbed
    assert run(tmp_path)["n_kept"] == 8


def test_a_folder_that_cannot_be_made_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(WfineError, match="out: cannot be written: Not a directory"):
        run(tmp_path / "file" / "out")


def test_sizes_below_one_and_an_empty_folder_are_refused(tmp_path):
    for name in ("shard_size", "portion"):
        with pytest.raises(WfineError, match=f"{name}: found 0, expected 1 or more"):
            run(tmp_path, **{name: 0})
    with pytest.raises(WfineError, match="found no scores"):
        score_file.load_scores(tmp_path)


# --- memory -----------------------------------------------------------------------------------


@pytest.mark.slow
def test_memory_does_not_grow_with_the_file(tmp_path):
    peaks = {}
    for n in (400, 4000):  # 2,000 and 20,000 responses, of 1.4 and 14 MB
        path = save_chains(many_chains(n), tmp_path / f"{n}.jsonl")
        tracemalloc.start()
        found = run(tmp_path / str(n), path, shard_size=500, portion=500)
        peaks[n] = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert found["n_responses"] == 5 * n
    whole = (tmp_path / "4000.jsonl").stat().st_size
    assert peaks[4000] - peaks[400] < whole / 10, peaks


# --- from the command line --------------------------------------------------------------------


@pytest.fixture(scope="module")
def classifier(tiny_base, tmp_path_factory) -> Path:
    """A tiny Qwen2 classifier of two labels with random weights."""
    tokenizer = AutoTokenizer.from_pretrained(tiny_base)
    torch.manual_seed(1)
    model = Qwen2ForSequenceClassification(Qwen2Config(
        vocab_size=512, hidden_size=64, num_hidden_layers=2, num_attention_heads=2,
        num_key_value_heads=1, intermediate_size=128, max_position_embeddings=512, num_labels=2,
        pad_token_id=tokenizer.pad_token_id,
    ))  # fmt: skip
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim > 1:
                parameter.mul_(4.0)
    folder = tmp_path_factory.mktemp("classifier")
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def reward_model(tiny_base, tmp_path_factory) -> Path:
    """A reward model that reads one requirement at a time, untrained."""
    settings = RewardSettings(
        quantise=False, lora_r=4, lora_alpha=8, learning_rate=1e-3, batch_size=8,
        micro_batch_size=8, n_epochs=1, max_tokens=128, center_coefficient=0.0,
        loss="bradley_terry",
    )  # fmt: skip
    tokenizer = AutoTokenizer.from_pretrained(tiny_base)
    base = Base(str(tiny_base))
    model = loading.load_quantised(base, "reward", tokenizer=tokenizer, quantise=False)
    model = get_peft_model(model, adapters.lora_config("reward", r=4, alpha=8))
    folder = tmp_path_factory.mktemp("reward")
    adapters.save_adapter(
        model, tokenizer, base, "reward", folder,
        granularity="requirement", settings=settings.model_dump(),
    )  # fmt: skip
    return folder


def few(tmp_path: Path) -> Path:
    return save_chains(load_weval_hand()[:3], tmp_path / "chains.jsonl")


def test_a_classifier_with_a_template_of_its_own(
    classifier, tmp_path, capsys, monkeypatch, one_thread
):
    template = tmp_path / "response_first.jinja"
    text = "<|assistant|>{{ messages[1].content }}<|user|>{{ messages[0].content }}<|end|>"
    template.write_text(text)
    options = ["--granularity", "requirement", "--template", str(template), "--shard-size", "10"]
    command = [str(classifier), str(few(tmp_path)), str(tmp_path / "out"), "--name", "tiny"]
    assert score.main([*command, *options]) == 0
    shown = capsys.readouterr()
    assert "15 responses of 3 chains in 2 shards, 0 of them kept" in shown.out
    said = "0 responses could not be scored, 100.0% were cut; 0.0% of the pairs with different gold"
    assert said in shown.out
    assert "15/15" in shown.err and "response/s" in shown.err  # rate and remaining time
    scorer, fingerprint = score_file.load_scorer(
        classifier, name="tiny", granularity="requirement", template=text
    )
    chains = load_weval_hand()[:3]
    table = score_file.load_scores(tmp_path / "out")
    expected = scores_table(score_all([scorer], chains), chains)
    np.testing.assert_allclose(table["score"], expected["score"], rtol=0, atol=1e-4)
    assert table["scorer"].unique().tolist() == ["tiny"] and table["score"].nunique() > 10
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert manifest["scorer_fingerprint"] == fingerprint
    assert score.main([*command, *options]) == 0
    assert "2 of them kept" in capsys.readouterr().out
    assert score.main([*command, *options, "--max-tokens", "64"]) == 2
    assert "manifest.json: scorer_fingerprint: found" in capsys.readouterr().err
    seen = []
    monkeypatch.setattr(
        score_file, "load_scorer", lambda *_, **given: seen.append(given) or (scorer, "")
    )
    assert score.main([*command[:2], str(tmp_path / "half"), "--precision", "auto"]) == 0
    assert seen == [{"precision": "auto"}]


def test_a_reward_model_of_notebook_03(reward_model, tmp_path, capsys, one_thread):
    command = [str(reward_model), str(few(tmp_path)), str(tmp_path / "out")]
    assert score.main(command) == 0
    chains = load_weval_hand()[:3]
    expected = RewardModelScorer(reward_model, name="x").score(chains)
    found = score_file.load_scores(tmp_path / "out")["score"]
    np.testing.assert_allclose(found, np.concatenate(expected), rtol=0, atol=1e-6)
    assert score.main([*command, "--max-tokens", "64"]) == 2
    assert "found a reward model of notebook 03 and max_tokens" in capsys.readouterr().err
    assert score.main([str(tmp_path / "no"), *command[1:]]) == 2
    assert "cannot be loaded" in capsys.readouterr().err
