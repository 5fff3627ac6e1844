"""Chains that a language model writes: who is asked for what, and what is left out after."""

from __future__ import annotations

import json

import pytest
import yaml
from conftest import ROOT

from wfine_utils import base_model
from wfine_utils.base_model import Base
from wfine_utils.chains.dropping import build_chains
from wfine_utils.checks.drop_validity import only_true_labels
from wfine_utils.errors import WfineError
from wfine_utils.notebook.params import DroppingParams
from wfine_utils.notebook.run import start_run
from wfine_utils.policy import chain_writer, generation
from wfine_utils.tiny_world import vocabulary, writer
from wfine_workflow import presets

QUERIES = writer.sample_queries(3, vocabulary.TOPICS["train"], seed=0)


@pytest.fixture
def sets():
    return {("train", "single"): build_chains(QUERIES, "single", writer.write, 0)}


@pytest.fixture
def run(tmp_path):
    path = ROOT / "params" / "smoke" / "02_requirement_dropping.yaml"
    values = yaml.safe_load(path.read_text()) | {"output_root": str(tmp_path)}
    return start_run(DroppingParams(**values))


@pytest.fixture
def base_json(tiny_base, tmp_path):
    base_model.write_base(tmp_path / "base.json", Base(str(tiny_base)))
    return tmp_path / "base.json"


def test_each_response_is_asked_for_with_what_it_kept(run, sets, base_json, tiny_base, monkeypatch):
    """A model stood in for by the exact writer's texts, of which one in five is spoilt."""
    (chains,) = sets.values()
    right = {c.prompt(r.kept): r.text for c in chains for r in c.responses}
    asked = []

    def sample(model, tokenizer, conversations, **_):
        asked.extend(conversation[0]["content"] for conversation in conversations)
        return ["" if i % 5 == 4 else right[prompt] for i, prompt in enumerate(asked)]

    monkeypatch.setattr(generation, "sample", sample)
    monkeypatch.setattr(generation, "load_policy", lambda *_, **__: (None, None))
    left, report = chain_writer.written_by_model(run, sets, base_json, max_new_tokens=8, seed=0)
    assert asked == [c.prompt(r.kept) for c in chains for r in c.responses]
    good = left["train", "single"]
    assert [c.chain_id for c in good] == [c.chain_id for c in chains]
    assert all(len(c.responses) == 4 for c in good)  # the empty one is not what it should be
    assert {r.source for c in good for r in c.responses} == {tiny_base.name}
    assert only_true_labels(good)[0] == good
    counts = report.query("unit == 'response'").set_index("outcome")["n"]
    assert counts.sum() == 15 and counts["valid"] == 12

    again, _ = chain_writer.written_by_model(run, sets, base_json, max_new_tokens=8, seed=0)
    assert again == left and len(asked) == 15, "what was written is loaded"
    assert run.stages == {"written_train_single": "loaded"}


def test_a_model_that_cannot_do_it_is_refused_in_a_paragraph(run, sets, base_json):
    """The random tiny model, for once in earnest."""
    with pytest.raises(WfineError, match=r"of 3 chains \(train, single\)") as error:
        chain_writer.written_by_model(run, sets, base_json, max_new_tokens=6, seed=0)
    assert "\n" not in str(error.value) and 'writer: "tiny"' in str(error.value)
    written = run.path("written_train_single") / "chains.jsonl"
    assert len([json.loads(line) for line in written.read_text().splitlines()]) == 3


def test_notebook_02_waits_for_the_model_where_the_model_writes(project, monkeypatch):
    monkeypatch.chdir(project)
    assert presets.preset_notebooks("qwen7b")["02_requirement_dropping"] == ("00_base_model",)
    assert presets.preset_notebooks("mini") == presets.NOTEBOOKS
    path = project / "params" / "smoke" / "02_requirement_dropping.yaml"
    path.write_text(path.read_text().replace("writer: tiny", "writer: model"))
    assert presets.preset_notebooks("smoke")["02_requirement_dropping"] == ("00_base_model",)
    (project / "params" / "smoke" / "preset.yaml").write_text(
        "notebooks: [02_requirement_dropping]"
    )
    with pytest.raises(WfineError, match="found writer: model without 00_base_model"):
        presets.preset_notebooks("smoke")
