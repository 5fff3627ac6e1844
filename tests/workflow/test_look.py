"""A kept run, shown without a training."""

from __future__ import annotations

import shutil

import pandas as pd
import pytest

from wfine_utils.chains.dropping import build_chains
from wfine_utils.chains.files import save_chains
from wfine_utils.notebook import kept_models
from wfine_utils.tiny_world import vocabulary, writer
from wfine_workflow import look


@pytest.fixture
def project(run_folder, monkeypatch):
    """A project in which the run is kept, without its models."""
    root = run_folder.parents[1]
    reference = root / "outputs" / "reference" / "toy"
    shutil.copytree(run_folder, reference)
    chains = build_chains(
        writer.sample_queries(2, vocabulary.TOPICS["test"], seed=0), "balanced", writer.write, 0
    )
    (reference / look.CHAINS).parent.mkdir()
    save_chains(chains, reference / look.CHAINS)
    monkeypatch.setattr(kept_models, "project_root", lambda: root)
    monkeypatch.setattr(look, "_has_screen", lambda: False)
    return root


def test_numbers_and_the_report_are_shown(project, capsys):
    assert look.main(["toy", "--output-root", str(project / "out")]) == 0
    said = capsys.readouterr().out
    assert "tau-b of x  0.912 [0.900, 0.950]" in said
    page = project / "out" / "look" / "toy" / "index.html"
    assert page.as_uri() in said and page.is_file()
    assert page.with_name("01_second.html").is_file()


def test_the_report_is_opened_where_there_is_a_screen(project, capsys, monkeypatch):
    opened: list[str] = []
    monkeypatch.setattr(look, "_has_screen", lambda: True)
    monkeypatch.setattr(look.webbrowser, "open", lambda url: opened.append(url) or True)
    arguments = ["toy", "--output-root", str(project / "out")]
    look.main(arguments)
    assert opened == [(project / "out" / "look" / "toy" / "index.html").as_uri()]
    assert "in your browser" in capsys.readouterr().out
    look.main([*arguments, "--no-browser"])
    assert len(opened) == 1


def test_a_preset_without_a_kept_run_is_named(project, capsys):
    assert look.main(["other"]) != 0
    assert "PRESET: found 'other'" in capsys.readouterr().err


def test_a_chain_says_what_program_and_model_make_of_it(project):
    (chain, *_) = look.load_chains(project / "outputs" / "reference" / "toy" / look.CHAINS)
    first, second = (r.text for r in chain.query.requirements[:2])
    said = pd.DataFrame(
        [[first, 0, 2, True, 0.91], [first, 1, 1, False, 0.2],
         [second, 0, 2, None, 0.41], [second, 1, 1, True, 0.6]],
        columns=["requirement", "response", "n_kept", "is_met", "probability"],
    )  # fmt: skip
    text = look.chain_text(chain, said)
    assert chain.query.prompt() in text and chain.responses[0].text in text
    lines = {line.split("  ")[0]: line for line in text.splitlines()}
    assert lines[first].split()[-4:] == ["yes", "0.91", "no", "0.20"]
    assert lines[second].split()[-4:] == ["?", "0.41", "yes", "0.60"]
    assert lines["score: the mean of these"].split()[-2:] == ["0.66", "0.40"]
