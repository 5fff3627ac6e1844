"""The command line of the study: wfine study."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest
import yaml
from study.small_study import CLEAN, SMALL

from wfine_study.cells import ADAPTER, all_cells, load_settings
from wfine_study.run_cell import RESULT
from wfine_utils.base_model import Base, write_base
from wfine_workflow.commands.study import main


class TestCommandLine:
    def call(self, *words, **kwargs):
        command = [sys.executable, "-m", "wfine_workflow.command", "study", *map(str, words)]
        return subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **kwargs
        )

    @pytest.mark.slow
    def test_list_run_kill_and_run_again(self, tiny_base, tmp_path):
        settings, record, out = (tmp_path / n for n in ("settings.yaml", "base.json", "out"))
        # so many pairs that there is time to kill it
        settings.write_text(yaml.safe_dump(SMALL | {"n_pairs": 240, "questions": [2]}))
        write_base(record, Base(str(tiny_base)))
        listed, errors = self.call("list", "--settings", settings).communicate()
        slugs = listed.splitlines()
        assert not errors and slugs == [c.slug for c in all_cells(load_settings(settings))]
        words = ("run", slugs[0], "--settings", settings, "--base", record, "--out", out)
        first = self.call(*words, "--threads", 1, start_new_session=True)
        partial = out / f".partial-{slugs[0]}" / ADAPTER
        while not partial.exists():
            assert first.poll() is None, first.stderr.read()
            time.sleep(0.05)
        os.killpg(first.pid, signal.SIGKILL)
        first.communicate()
        assert partial.exists() and not (out / slugs[0]).exists()
        done, errors = self.call(*words, "--threads", 1).communicate()
        assert done == f"{slugs[0]}: computed\n", errors
        assert not partial.exists() and (out / slugs[0] / RESULT).exists()

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
        assert main(words) == 2
        error = capsys.readouterr().err
        assert message in error and error.count("\n") == 1

    def test_help(self, capsys):
        with pytest.raises(SystemExit, match="0"):
            main(["run", "--help"])
        assert "--threads" in capsys.readouterr().out


def test_listing_needs_no_torch():
    code = (
        "import sys, wfine_study, wfine_workflow.commands.study; sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
