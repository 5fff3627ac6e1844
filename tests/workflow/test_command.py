"""The command ``wfine``: its table, its exit statuses, and the good and bad path of each door."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
import tomllib

import numpy as np
import pytest
from conftest import ROOT

from wfine_utils.chains.files import save_chains
from wfine_utils.chains.weval_hand import load_weval_hand
from wfine_utils.weval.baselines import LengthScorer
from wfine_workflow import command, score_file
from wfine_workflow.commands import models


def call(capsys, *words: object) -> tuple[int, str, str]:
    """Exit status, standard output and standard error of ``wfine WORDS``."""
    capsys.readouterr()
    try:
        status = command.main([str(word) for word in words])
    except SystemExit as stopped:  # argparse
        status = stopped.code
    return status, *capsys.readouterr()


def in_shell(line: str, **options) -> subprocess.CompletedProcess[str]:
    """A line of bash in which WFINE is the command."""
    line = line.replace("WFINE", f"{sys.executable} -m wfine_workflow.command")
    return subprocess.run(
        ["bash", "-o", "pipefail", "-c", line], cwd=ROOT, capture_output=True, text=True, **options
    )


class TestTable:
    def test_pip_installs_it(self):
        project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
        module, _, function = project["scripts"]["wfine"].partition(":")
        assert getattr(importlib.import_module(module), function) is command.main

    @pytest.mark.parametrize("name", command.programs())
    def test_every_command_answers_to_its_name(self, name, capsys):
        status, said, errors = call(capsys, name, "--help")
        assert status == 0 and errors == ""
        assert said.startswith(f"usage: wfine {name}")

    def test_help_has_a_line_for_each_that_fits_a_terminal(self, capsys):
        status, said, _ = call(capsys, "--help")
        assert status == 0 and said == command.help_text()
        for name in command.programs():
            assert said.count(f"\n  {name} ") == 1
        assert max(map(len, said.splitlines())) <= 88
        assert call(capsys) == (0, said, "")

    def test_no_name_is_given_twice(self):
        names = [c.name for part in command.COMMANDS.values() for c in part]
        assert len(names) == len(set(names)) == len(command.programs())

    def test_a_misspelt_command(self, capsys):
        status, said, errors = call(capsys, "wevla")
        assert (status, said) == (2, "")
        assert "found no command 'wevla', expected one of weval, score" in errors
        assert "Did you mean weval?" in errors

    def test_version(self, capsys):
        status, said, _ = call(capsys, "--version")
        assert status == 0 and said.startswith("wfine ")


class TestStatus:
    """0, 1, 2, as a shell sees them."""

    def test_what_nobody_foresaw_is_1(self, monkeypatch):
        monkeypatch.setattr(command, "_run", lambda words: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            command.main(["check"])
        code = (
            "import sys; from wfine_workflow import command; "
            "command._run = lambda words: 1 / 0; sys.exit(command.main([]))"
        )
        assert subprocess.run([sys.executable, "-c", code], cwd=ROOT).returncode == 1

    def test_usage_is_2(self, capsys):
        status, said, errors = call(capsys, "check")
        assert (status, said) == (2, "")
        assert "the following arguments are required: FILE" in errors

    def test_a_closed_pipe_is_no_fault(self):
        done = in_shell("WFINE --help | true")
        assert (done.returncode, done.stderr) == (0, "")

    @pytest.mark.parametrize(
        ("words", "message"),
        [
            (["reproduce", "nope"], "There is no preset 'nope': expected one of"),
            (["reproduce", "smoke", "--cores", "0"], "found '0', expected a number of CPU cores"),
            (["look", "nope"], "found 'nope', of which no run was kept"),
            (["report", "nope"], "holds no executed notebook"),
            (["grid", "nope.yaml", "nope"], "nope.yaml is missing"),
            (["study", "list", "--settings", "nope.yaml"], "nope.yaml is missing"),
            (["keep-reference", "nope"], "holds no finished run"),
            (["check", "nope.jsonl"], "nope.jsonl does not exist"),
            (["compile", "Be brief.", "--on", "nope.txt"], "nope.txt: cannot be read: No such"),
            (["models", "fetch", "gpt-9", "x"], "found 'gpt-9', expected one of smollm2-135m"),
            (["train-reward", "--params", "nope.yaml", "--chains", "x", "--base", "x", "--out",
              "nope"], "nope.yaml is missing"),
            (["train-policy", "--params", "nope.yaml", "--queries", "x", "--base", "x", "--out",
              "nope", "--reward-model", "x"], "nope.yaml is missing"),
            (["weval", "--data", "nope.jsonl"], "nope.jsonl does not exist"),
        ],
        ids=lambda value: value[0] if isinstance(value, list) else "",
    )  # fmt: skip
    def test_what_a_user_can_mend_is_2_and_one_paragraph(self, words, message, capsys):
        status, said, errors = call(capsys, *words)
        assert (status, said) == (2, "")
        assert message in errors
        assert errors.endswith("\n") and "\n\n" not in errors and "Traceback" not in errors


class TestCompile:
    def test_the_check_or_why_there_is_none(self, capsys):
        status, said, _ = call(capsys, "compile", "Use at most 120 words.", "Write a good story.")
        assert status == 0
        assert said == (
            'Use at most 120 words.\n  check: {"kind": "word_count", "high": 120}\n'
            "Write a good story.\n  no check: no rule\n"
        )

    def test_the_verdict_on_a_text(self, tmp_path, capsys):
        text = tmp_path / "letter.txt"
        text.write_text("One two three. Four five.", encoding="utf-8")
        words = ("Use at most 4 words.", "Write exactly two sentences.", "Write a good story.")
        status, said, _ = call(capsys, "compile", *words, "--on", text, "--json")
        assert status == 0
        found = json.loads(said)["requirements"]
        assert [row["met"] for row in found] == [False, True, None]
        assert [row["measured"] for row in found] == [5, 2, None]
        assert [row["requirement"] for row in found] == list(words)
        _, said, _ = call(capsys, "compile", *words, "--on", text)
        assert "  not met (counted 5)\n" in said and "  met (counted 2)\n" in said

    def test_what_is_no_text(self, tmp_path, capsys):
        (tmp_path / "latin.txt").write_bytes(b"caf\xe9")
        for path in (tmp_path / "latin.txt", tmp_path):
            status, said, errors = call(capsys, "compile", "Be brief.", "--on", path)
            assert (status, said) == (2, "") and "cannot be read" in errors


class TestCheck:
    def test_good_chains(self, tmp_path, capsys):
        path = save_chains(load_weval_hand()[:2], tmp_path / "two.jsonl")
        status, said, _ = call(capsys, "check", path)
        assert status == 0 and "2 chains, 10 responses" in said and "no breaches" in said
        status, said, _ = call(capsys, "check", path, "--json")
        found = json.loads(said)
        assert status == 0 and found["breaches"] == [] and found["n_responses"] == 10

    def test_breaches(self, tmp_path, capsys):
        chain = load_weval_hand()[0]
        chain = type(chain)(**(vars(chain) | {"responses": chain.responses[:3]}))
        path = save_chains([chain], tmp_path / "short.jsonl")
        status, said, _ = call(capsys, "check", path)
        assert status == 2 and chain.chain_id in said
        status, again, _ = call(capsys, "check", path, "--json")
        assert status == 2
        assert json.loads(again)["breaches"] == said.splitlines()[:-1] != []


class TestModels:
    def test_which_there_are(self, capsys):
        status, said, _ = call(capsys, "models")
        assert status == 0 and "smollm2-135m" in said and "Apache-2.0" in said
        assert call(capsys, "models", "list")[1] == said
        for words in (["models", "--json"], ["models", "list", "--json"]):
            names = [row["name"] for row in json.loads(call(capsys, *words)[1])["models"]]
            assert names == ["smollm2-135m", "minilm-l6"]

    def test_what_a_library_prints_is_no_part_of_the_answer(self, monkeypatch, capsys):
        def fetch(name, folder):
            sys.stdout.write("a library talks\n")
            return folder

        monkeypatch.setattr(models, "fetch", fetch)
        status, said, errors = call(capsys, "models", "fetch", "minilm-l6", "x", "--json")
        assert status == 0 and json.loads(said) == {"name": "minilm-l6", "folder": "x"}
        assert errors == "a library talks\n"


class Never(LengthScorer):
    def score(self, chains):
        return [np.full(len(chain.responses), np.nan) for chain in chains]


def test_score_answers_with_json(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(score_file, "load_scorer", lambda *_, **__: (Never(), "x"))
    path = save_chains(load_weval_hand()[:2], tmp_path / "two.jsonl")
    status, said, errors = call(capsys, "score", "model", path, tmp_path / "out", "--json")
    found = json.loads(said)
    assert status == 0 and (found["n_responses"], found["n_nan"]) == (10, 10)
    assert found["tie_rate"] is None  # not NaN, which is no JSON
    assert "10/10" in errors  # the bar
    status, said, errors = call(capsys, "score", "model", path, tmp_path / "out", "--format", "x")
    assert (status, said) == (2, "") and "format: found 'x', expected one of auto" in errors


def test_study_lists_its_cells(capsys):
    settings = ROOT / "params" / "smoke" / "06_validity_and_ablations.yaml"
    status, said, _ = call(capsys, "study", "list", "--settings", settings)
    assert status == 0 and said.startswith("rm-")
