"""``wfine weval``: its tables are those of WEval, a killed run goes on, and nothing is mixed up."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from html.parser import HTMLParser
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from conftest import ROOT
from judge_backends import Server, chat_completion, send

from wfine_utils.chains.files import save_chains
from wfine_utils.chains.taxonomy import Chain, Requirement, Response
from wfine_utils.chains.weval_hand import load_weval_hand
from wfine_utils.weval.baselines import LengthScorer, null_baselines
from wfine_utils.weval.compiled import CompiledChecks
from wfine_utils.weval.evaluation import evaluate_all, per_chain
from wfine_utils.weval.fluency import FluencyScorer
from wfine_utils.weval.scorers import ScoreList, score_all, scores_from_table
from wfine_workflow import command, named_scorers, weval_page
from wfine_workflow.named_scorers import NamedScorer, folder_names
from wfine_workflow.weval import Benchmark, Scored, tables

TABLES = ("weval.csv", "comparisons.csv", "official.csv", "scores.parquet")
FEW = ("--n-boot", "50", "--n-permutations", "200")
REFERENCE = ROOT / "outputs" / "reference" / "mini"


def weval(capsys, *words: object) -> tuple[int, str, str]:
    """Exit status, standard output and standard error of ``wfine weval``."""
    capsys.readouterr()
    try:
        status = command.main(["weval", *map(str, [*FEW, *words])])
    except SystemExit as stopped:
        status = stopped.code
    return status, *capsys.readouterr()


def read(path: Path) -> pd.DataFrame:
    return pd.read_csv(path, keep_default_na=False, na_values=[""])


@pytest.fixture(scope="module")
def chains() -> list[Chain]:
    return load_weval_hand()[:8]


@pytest.fixture(scope="module")
def data(chains, tmp_path_factory) -> Path:
    return save_chains(chains, tmp_path_factory.mktemp("data") / "eight.jsonl")


@pytest.fixture(scope="module")
def finished(data, tmp_path_factory) -> Path:
    """The folder of a run with two scorers besides the null baselines."""
    out = tmp_path_factory.mktemp("finished") / "out"
    words = ["--data", data, "--model", "compiled", "--model", "fluency", "--out", out, *FEW]
    assert command.main(["weval", *map(str, words)]) == 0
    return out


class TestTables:
    def test_the_values_are_those_of_weval(self, finished, chains):
        scorers = [*null_baselines(0), CompiledChecks(), FluencyScorer()]
        expected = evaluate_all(chains, score_all(scorers, chains), n_boot=50, seed=0)
        found = read(finished / "weval.csv")
        pd.testing.assert_frame_equal(
            found.drop(columns="training_pairs"), expected, check_dtype=False, rtol=0, atol=1e-12
        )

    def test_the_columns_are_those_of_notebook_05(self, finished):
        kept = REFERENCE / "05_weval_correlation" / "weval.csv"
        assert [*read(finished / "weval.csv")] == [*read(kept)]

    def test_every_two_models_are_compared_and_holm_corrects_them(self, data, tmp_path, capsys):
        models = ["compiled", "fluency", "oracle"]
        words = [word for model in models for word in ("--model", model)]
        assert weval(capsys, "--data", data, *words, "--out", tmp_path / "out")[0] == 0
        table = read(tmp_path / "out" / "comparisons.csv")
        names = ["compiled checks", "fluency (characters)", "oracle (checkers)"]
        for metric, part in table.groupby("metric"):
            pairs = list(zip(part["scorer_a"], part["scorer_b"], strict=True))
            assert pairs == list(combinations(names, 2)), metric
            order = part.sort_values("p_value")
            steps = [(3 - k) * p for k, p in enumerate(order["p_value"])]  # Holm 1979
            expected = np.minimum(np.maximum.accumulate(steps), 1)
            np.testing.assert_allclose(order["p_holm"], expected)
        scores = score_all([CompiledChecks(), FluencyScorer()], load_weval_hand()[:8])
        a, b = (per_chain(load_weval_hand()[:8], x)["kendall_tau_b"] for x in scores.values())
        row = table.query("metric == 'kendall_tau_b'").iloc[0]
        assert row["difference"] == pytest.approx((a - b).mean())
        assert row["n_chains"] == (a - b).notna().sum()

    def test_without_two_models_there_is_nothing_to_compare(self, data, tmp_path, capsys):
        status, said, _ = weval(capsys, "--data", data, "--out", tmp_path / "out")
        assert status == 0 and said.count("\n") > 5
        both = [read(tmp_path / "out" / "comparisons.csv"), read(tmp_path / "out" / "weval.csv")]
        assert both[0].empty and {"scorer_a", "scorer_b", "difference", "p_holm"} <= {*both[0]}
        assert list(dict.fromkeys(both[1]["scorer"])) == [s.name for s in null_baselines(0)]
        assert "No two scorers here" in (tmp_path / "out" / "index.html").read_text()
        official = read(tmp_path / "out" / "official.csv")
        columns = ["scorer", "metric", "subset", "value", "ci_low", "ci_high", "n"]
        assert official.empty and [*official] == columns

    def test_the_scores_can_be_used_again(self, finished, chains):
        scores = scores_from_table(pd.read_parquet(finished / "scores.parquet"), chains)
        expected = CompiledChecks().score(chains)
        for found, value in zip(scores["compiled checks"], expected, strict=True):
            np.testing.assert_array_equal(found, value)

    def test_the_stamp_says_what_the_numbers_depend_on(self, finished, data):
        stamp = json.loads((finished / "stamp.json").read_text())
        assert stamp["command"].startswith("wfine weval --data ")
        assert (stamp["seed"], stamp["n_boot"], stamp["n_permutations"]) == (0, 50, 200)
        assert stamp["data"]["n_chains"] == 8 and stamp["data"]["n_responses"] == 40
        sha256 = subprocess.run(["sha256sum", data], capture_output=True, text=True, check=True)
        assert stamp["data"]["sha256"] == sha256.stdout.split()[0]
        assert len({each["fingerprint"] for each in stamp["scorers"].values()}) == 7
        assert "numpy" in stamp["versions"]

    def test_json_is_all_that_is_said(self, finished, data, capsys):
        words = ["--data", data, "--model", "compiled", "--model", "fluency", "--out", finished]
        status, said, errors = weval(capsys, *words, "--json")
        found = json.loads(said)
        assert status == 0 and "evaluate" in errors
        table = read(finished / "weval.csv").query("subset == 'all' and metric == 'kendall_tau_b'")
        by_name = {row["scorer"]: row for row in found["scorers"]}
        assert {*by_name} == {*table["scorer"]}
        for row in table.to_dict("records"):
            assert by_name[row["scorer"]]["kendall_tau_b"] == pytest.approx(row["value"])
        assert [row["metric"] for row in found["comparisons"]] == [
            "kendall_tau_b", "spearman_rho", "pairwise_accuracy",
        ]  # fmt: skip


# --- the page ---------------------------------------------------------------------------------


class Page(HTMLParser):
    """What a browser would fetch, the tags that are open, and the rows of the first table."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.fetched: list[str] = []
        self.open: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.fetched += [v for k, v in attrs if k in ("src", "href", "xlink:href") and v[:1] != "#"]
        if tag not in ("meta", "path", "use", "br", "link", "img"):
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.fetched += [v for k, v in attrs if k in ("src", "href", "xlink:href") and v[:1] != "#"]

    def handle_endtag(self, tag):
        if tag not in ("path", "use"):
            assert self.open.pop() == tag


class TestPage:
    def test_it_needs_nothing_else(self, finished):
        html = (finished / "index.html").read_text(encoding="utf-8")
        page = Page(html)
        assert page.fetched == [] and page.open == []
        assert "<script" not in html and "@import" not in html
        assert 'name="viewport"' in html and html.count("<svg") == 1

    def test_null_baselines_are_shaded_and_the_released_rule_stands_apart(self, finished):
        html = (finished / "index.html").read_text(encoding="utf-8")
        table = html[html.index("<table>") : html.index("</table>")]
        heads = re.findall(r"<th(?: [^>]*)?>(.*?)</th>", table)
        assert heads == ["scorer", "kendall tau b", "n chains", "tie rate", "n nan",
                         "n chains with nan", "released rule tau"]  # fmt: skip
        rows = re.findall(r"<tr( class=null)?>(<td.*?)</tr>", table)
        names = {re.findall(r">([^<]*)</td>", row)[0]: bool(null) for null, row in rows}
        assert {name for name, null in names.items() if null} == {s.name for s in null_baselines(0)}
        (constant,) = (row for _, row in rows if ">constant<" in row)
        cells = re.findall(r">([^<]*)</td>", constant)
        assert cells[1] == "0.000 [0.000, 0.000]" and cells[-1] == "1.000 [1.000, 1.000]"

    def test_a_name_is_no_html(self, data, tmp_path, capsys, monkeypatch):
        monkeypatch.setattr(
            named_scorers, "load_scorer", lambda folder, name: (Words(name), "fingerprint")
        )
        words = ["--data", data, "--model", f"<b>x</b>={tmp_path}", "--out", tmp_path / "out"]
        assert weval(capsys, *words)[0] == 0
        html = (tmp_path / "out" / "index.html").read_text(encoding="utf-8")
        assert "<b>x</b>" not in html and "&lt;b&gt;x&lt;/b&gt;" in html


class Words(LengthScorer):
    """The number of words, under any name."""

    name = "words"

    def __init__(self, name: str) -> None:
        super().__init__()
        object.__setattr__(self, "name", name)


class Never(Words):
    def score(self, chains):
        return [np.full(len(chain.responses), np.nan) for chain in chains]


class Refuses(Words):
    """The first response of every chain it cannot score."""

    def score(self, chains):
        scores = super().score(chains)
        for each in scores:
            each[0] = np.nan
        return scores


# --- what could not be scored -----------------------------------------------------------------


def test_what_a_model_refuses_is_named_and_counted(data, tmp_path, capsys, monkeypatch):
    kinds = {"never": Never, "refuses": Refuses}
    monkeypatch.setattr(
        named_scorers, "load_scorer", lambda folder, name: (kinds[name](name), name)
    )
    words = ["--model", f"never={tmp_path}", "--model", f"refuses={tmp_path}", "--data", data]
    status, said, _ = weval(capsys, *words, "--out", tmp_path / "out")
    assert status == 0
    lines = [
        "never: 40 of 40 responses could not be scored, in 8 of 8 chains; it is in no table but "
        "that of the scores.",
        "refuses: 8 of 40 responses could not be scored, in 8 of 8 chains.",
    ]
    html = (tmp_path / "out" / "index.html").read_text(encoding="utf-8")
    assert all(f"\n{line}\n" in said and f"<li>{line}</li>" in html for line in lines)
    table = read(tmp_path / "out" / "weval.csv")
    assert "never" not in set(table["scorer"])
    np.testing.assert_allclose(table.query("scorer == 'refuses'")["nan_rate"], 0.2)
    kept = pd.read_parquet(tmp_path / "out" / "scores.parquet").groupby("scorer")["score"]
    assert kept.count()["never"] == 0 and kept.size()["never"] == 40


# --- several models, and going on -------------------------------------------------------------


def test_a_model_that_is_added_later_costs_no_other(data, tmp_path, capsys):
    out = tmp_path / "out"
    assert weval(capsys, "--data", data, "--model", "compiled", "--out", out)[0] == 0
    shards = {path: path.stat().st_mtime_ns for path in out.glob("scores/*/*.parquet")}
    words = ["--data", data, "--model", "fluency", "--model", "compiled", "--out", out]
    assert weval(capsys, *words)[0] == 0
    again = {path: path.stat().st_mtime_ns for path in out.glob("scores/*/*.parquet")}
    assert len(again) == len(shards) + 1 and shards.items() <= again.items()
    names = set(read(out / "weval.csv")["scorer"])
    assert {"compiled checks", "fluency (characters)"} < names


SLOW = """
import sys, time
from pathlib import Path
from wfine_utils.weval.baselines import LengthScorer
from wfine_workflow import command, named_scorers

log, delay = Path(sys.argv[1]), float(sys.argv[2])

class Slow(LengthScorer):
    def score(self, chains):
        with log.open("a") as file:
            file.writelines(f"{chain.chain_id}\\n" for chain in chains)
        time.sleep(delay)
        return super().score(chains)

class Named(Slow):
    name = "slow"

named_scorers.load_scorer = lambda folder, name: (Named(), "fingerprint")
sys.exit(command.main(["weval", *sys.argv[3:]]))
"""


def slow(folder: Path, data: Path, delay: float) -> subprocess.Popen[str]:
    """A run with a slow model, one chain to a shard, in a folder of its own."""
    (folder / "model").mkdir(parents=True, exist_ok=True)
    words = ["--data", data, "--model", "slow=model", "--model", "compiled", "--out", "out", *FEW,
             "--shard-size", "5", "--portion", "5"]  # fmt: skip
    command_line = [sys.executable, "-c", SLOW, folder / "log", delay, *words]
    return subprocess.Popen(
        list(map(str, command_line)), cwd=folder, text=True, stderr=subprocess.PIPE,
        stdout=subprocess.PIPE, env=os.environ | {"PYTHONPATH": str(ROOT)},
    )  # fmt: skip


def wait_for(path: Path, process: subprocess.Popen[str]) -> None:
    while not path.exists():
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.01)


@pytest.mark.slow
def test_a_killed_run_scores_nothing_twice_and_ends_with_the_same_files(data, chains, tmp_path):
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    first = slow(whole, data, 0)
    _, errors = first.communicate()
    assert first.returncode == 0, errors
    assert (whole / "log").read_text().split() == [chain.chain_id for chain in chains]
    process = slow(killed, data, 0.5)
    wait_for(killed / "out" / "scores" / "slow" / "scores-00002.parquet", process)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    shards = sorted((killed / "out" / "scores" / "slow").glob("scores-*.parquet"))
    assert 3 <= len(shards) < 8 and not (killed / "out" / "stamp.json").exists()
    again = slow(killed, data, 0)
    _, errors = again.communicate()
    assert again.returncode == 0, errors
    scored = (killed / "log").read_text().split()
    for chain in chains[: len(shards)]:
        assert scored.count(chain.chain_id) == 1, "a kept chain was scored again"
    assert {*scored} == {chain.chain_id for chain in chains}
    for name in (*TABLES, "index.html", "stamp.json"):
        assert (killed / "out" / name).read_bytes() == (whole / "out" / name).read_bytes(), name


@pytest.mark.slow
def test_ctrl_c_is_a_line_and_130(data, tmp_path):
    process = slow(tmp_path, data, 5)
    wait_for(tmp_path / "log", process)
    process.send_signal(signal.SIGINT)
    said, errors = process.communicate(timeout=60)
    assert process.returncode == 130 and said == ""
    assert "\nStopped.\n" in errors and "Traceback" not in errors


# --- what is refused --------------------------------------------------------------------------


class TestRefused:
    @pytest.mark.parametrize(
        ("word", "found"),
        [
            ("lenght", "found 'lenght', expected one of constant, random, length.*mean length"),
            ("no/such/folder", "found 'no/such/folder', expected one of"),
            ("x=lenght", "found 'x=lenght', expected one of"),
            ("hybrid:none", "found 'hybrid:none', expected one of"),
        ],
    )
    def test_a_model_that_is_none(self, word, found, data, tmp_path, capsys):
        words = ["--data", data, "--out", tmp_path / "out", "--model", word]
        status, said, errors = weval(capsys, *words)
        assert (status, said) == (2, "") and re.search(found, errors)
        assert not (tmp_path / "out").exists()

    def test_a_folder_that_holds_no_model(self, data, tmp_path, capsys):
        words = ["--data", data, "--out", tmp_path / "out", "--model", tmp_path]
        status, said, errors = weval(capsys, *words)
        assert (status, said) == (2, "") and "cannot be loaded" in errors

    def test_two_models_of_one_name(self, data, tmp_path, capsys):
        for name in ("a", "b"):
            (tmp_path / name / "model").mkdir(parents=True)
        models = ["--model", tmp_path / "a/model", "--model", tmp_path / "b/model"]
        status, _, errors = weval(capsys, "--data", data, "--out", tmp_path / "out", *models)
        assert status == 2
        assert "would both call 'model'" in errors and "--model NAME=" in errors

    def test_a_number_out_of_range(self, data, capsys):
        status, _, errors = weval(capsys, "--data", data, "--n-boot", "-1")
        assert status == 2 and "found -1, expected 0 or more" in errors

    def test_a_layout_that_is_none(self, data, tmp_path, capsys):
        words = ["--data", data, "--layout", "nope", "--out", tmp_path / "out"]
        status, _, errors = weval(capsys, *words)
        assert status == 2 and "layout: found 'nope', expected auto or one of chains" in errors

    def test_a_folder_of_something_else(self, data, tmp_path, capsys):
        (tmp_path / "thesis.tex").write_text("years of work")
        status, _, errors = weval(capsys, "--data", data, "--out", tmp_path)
        assert status == 2 and "found thesis.tex and no belongs_to.json" in errors
        assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]
        status, _, errors = weval(capsys, "--data", data, "--out", tmp_path / "thesis.tex")
        assert status == 2 and "cannot be written" in errors

    def test_a_folder_of_other_chains(self, finished, chains, tmp_path, capsys):
        before = {path.name: path.read_bytes() for path in finished.iterdir() if path.is_file()}
        other = save_chains(chains[:7], tmp_path / "seven.jsonl")
        status, _, errors = weval(capsys, "--data", other, "--out", finished)
        assert status == 2 and "belongs_to.json: chains_sha256: found" in errors
        assert "of 'eight'" in errors and "of 'seven'" in errors
        after = {path.name: path.read_bytes() for path in finished.iterdir() if path.is_file()}
        assert after == before

    def test_a_bad_file_is_named_line_by_line(self, data, tmp_path, capsys):
        path = tmp_path / "bad.jsonl"
        lines = data.read_text(encoding="utf-8").splitlines()
        path.write_text("\n".join([lines[0], "{", lines[1].replace('"base_task"', '"base"', 1)]))
        status, said, errors = weval(capsys, "--data", path, "--out", tmp_path / "out")
        assert (status, said) == (2, "")
        assert "bad.jsonl:2: whole record" in errors and "bad.jsonl:3: base" in errors


def test_folders_of_scorers_are_different_and_stay_below():
    names = ["a b", "a-b", "..", "../x", "A-B", "τ", ""]
    found = list(folder_names(names))
    assert found[0] == "a-b" and found[2] == "scorer"
    assert len({name.lower() for name in found}) == len(names)
    assert all("/" not in name and not name.startswith(".") for name in found)


# --- models -----------------------------------------------------------------------------------


def two_wordings(n: int) -> list[Chain]:
    """Chains with one requirement that a judge can see at once."""
    yes = Requirement(None, None, "Say yes.")
    return [
        Chain(f"c{i}", None, "Reply.", (yes,), (Response(f"yes {i}", (True,)),
                                                Response(f"no {i}", (False,))))
        for i in range(n)
    ]  # fmt: skip


def judge(handler, prompt: str, before: int) -> None:
    verdict = int(re.search(r"\byes \d", prompt) is not None)
    send(handler, chat_completion(f"It says so. [[{verdict}]]"))


def test_a_judge_behind_a_server_is_asked_once(tmp_path, capsys):
    data = save_chains(two_wordings(7), tmp_path / "judged.jsonl")
    with Server(judge) as server:
        words = ["--data", data, "--judge", server.url, "tiny", "--out", tmp_path / "out"]
        status, said, errors = weval(capsys, *words)
        assert status == 0, errors
        asked = len(server.prompts)
        assert asked == 14
        assert weval(capsys, *words)[:2] == (0, said)
        assert len(server.prompts) == asked, "what was answered is not asked again"
    table = read(tmp_path / "out" / "weval.csv").query("scorer == 'judge tiny'")
    tau = table.query("subset == 'all' and metric == 'kendall_tau_b'")
    assert tau["value"].tolist() == [1] and tau["n_chains"].tolist() == [7]


def test_a_server_that_is_not_there(data, tmp_path, capsys):
    words = ["--data", data, "--judge", "http://127.0.0.1:9/v1", "tiny", "--out", tmp_path / "out"]
    status, said, errors = weval(capsys, *words)
    assert (status, said) == (2, "") and "no server can be reached there" in errors
    status, _, errors = weval(capsys, *words, "--judge-key", "NO_SUCH_KEY")
    assert status == 2 and "NO_SUCH_KEY is not set" in errors


@pytest.mark.slow
def test_a_reward_model_its_hybrid_and_its_base(tiny_base, tmp_path, capsys):
    kept = REFERENCE / "models" / "03_reward_model" / "wrl_requirement"
    path = REFERENCE / "02_requirement_dropping" / "chains_test.jsonl"
    (tmp_path / "few.jsonl").write_text("".join(path.open(encoding="utf-8").readlines()[:6]))
    words = ["--model", f"mine={kept}", "--model", f"hybrid:{kept}", "--base", tiny_base]
    out = tmp_path / "out"
    status, said, errors = weval(capsys, "--data", tmp_path / "few.jsonl", *words, "--out", out)
    assert status == 0, errors
    table = read(out / "weval.csv")
    overall = table.query("subset == 'all' and metric == 'kendall_tau_b'").set_index("scorer")
    assert overall.loc["mine", "value"] > 0.7  # it has learnt these chains' kind
    about = json.loads((kept / "manifest.json").read_text())
    assert overall.loc["mine", "training_pairs"] == about["n_pairs"]
    assert {"hybrid of wrl_requirement", "base likelihood"} < {*overall.index}
    assert len(read(out / "comparisons.csv")) == 3 * 3
    assert "training pairs" in (out / "index.html").read_text() and "mine" in said


def test_the_best_comes_first_and_who_scored_nothing_last(chains):
    names = [("c", LengthScorer()), ("b", CompiledChecks()), ("a", Never("a"))]
    scored = [
        Scored.of(NamedScorer(name, name, lambda: None, True), "", ScoreList(scorer.score(chains)))
        for name, scorer in names
    ]
    options = {"n_boot": 0, "n_permutations": 10, "seed": 0}
    found = weval_page.summary(scored, tables(Benchmark("x", "chains", chains), scored, **options))
    assert found["scorer"].tolist() == ["b", "c", "a"]
    assert found["n_nan"].tolist()[2] == 40 and found["n_chains"].tolist()[2] == 0
    assert np.isnan(found["kendall_tau_b"].iloc[2])
