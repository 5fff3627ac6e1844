"""Chains that a language model writes: who is asked for what, and what is left out after."""

from __future__ import annotations

import json

import pytest
from conftest import ROOT

from wfine_utils import base_model, policy
from wfine_utils.base_model import Base
from wfine_utils.chains.dropping import build_chains
from wfine_utils.chains.files import load_chains, save_chains
from wfine_utils.checks.drop_validity import only_true_labels
from wfine_utils.errors import WfineError
from wfine_utils.notebook.params import DroppingParams
from wfine_utils.notebook.run import start_run
from wfine_utils.policy import chain_writer, generation
from wfine_utils.tiny_world import vocabulary, writer
from wfine_workflow import presets

QUERIES = writer.sample_queries(3, vocabulary.TOPICS["train"], seed=0)


@pytest.fixture
def chains():
    return build_chains(QUERIES, "single", writer.write, 0)


def test_each_response_is_asked_for_with_what_it_kept(chains, tiny_base, monkeypatch):
    """A model stood in for by the exact writer's texts, of which one in five is spoilt."""
    right = {c.prompt(r.kept): r.text for c in chains for r in c.responses}
    asked = []

    def sample(model, tokenizer, conversations, **_):
        asked.extend(conversation[0]["content"] for conversation in conversations)
        texts = ("" if i % 5 == 4 else right[prompt] for i, prompt in enumerate(asked))
        return [generation.Completion(text, is_cut=False) for text in texts]

    monkeypatch.setattr(generation, "sample", sample)
    monkeypatch.setattr(generation, "load_policy", lambda *_, **__: (None, None))
    base = Base(str(tiny_base))
    written = chain_writer.written_by_model(chains, base, max_new_tokens=8, seed=0)
    assert asked == [c.prompt(r.kept) for c in chains for r in c.responses]
    assert [c.chain_id for c in written] == [c.chain_id for c in chains]
    assert {r.source for c in written for r in c.responses} == {tiny_base.name}
    good, report = chain_writer.true_chains(written, "train, single")
    assert [c.chain_id for c in good] == [c.chain_id for c in chains]
    assert all(len(c.responses) == 4 for c in good)  # the empty one is not what it should be
    assert only_true_labels(good)[0] == good
    counts = report.query("unit == 'response'").set_index("outcome")["n"]
    assert counts.sum() == 15 and counts["valid"] == 12


def test_a_model_that_cannot_do_it_is_refused_in_a_paragraph(chains, tiny_base):
    """The random tiny model, for once in earnest."""
    base = Base(str(tiny_base))
    written = chain_writer.written_by_model(chains, base, max_new_tokens=6, seed=0)
    with pytest.raises(WfineError, match=r"of 3 chains \(train, single\)") as error:
        chain_writer.true_chains(written, "train, single")
    assert "\n" not in str(error.value) and 'writer: "tiny"' in str(error.value)


def test_notebook_02_writes_each_set_once(chains, tiny_base, tmp_path, monkeypatch):
    """The cell of the notebook: what was written is kept, and loaded by the next run."""
    cells = json.loads((ROOT / "notebooks" / "02_requirement_dropping.ipynb").read_text())["cells"]
    (source,) = ("".join(c["source"]) for c in cells if "def by_model(" in "".join(c["source"]))
    cfg = DroppingParams.from_file(ROOT / "params" / "smoke" / "02_requirement_dropping.yaml")
    run = start_run(cfg.model_copy(update={"output_root": str(tmp_path)}))
    record = run.folder.parent / "00_base_model" / "base.json"
    base_model.write_base(record, Base(str(tiny_base)))
    calls = []

    def written(chains, base, **options):
        calls.append((base, options))
        return chains

    monkeypatch.setattr(policy, "written_by_model", written)
    space = {"cfg": cfg, "run": run, "save_chains": save_chains, "load_chains": load_chains}
    exec(compile(source, "02_requirement_dropping.ipynb", "exec"), space)  # noqa: S102  our own
    for _ in range(2):
        good, report = space["by_model"](("train", "single"), chains, 5)
        assert good == chains and report["n"].sum() > 0
    expected = {"max_new_tokens": cfg.writer_max_tokens, "seed": 5}
    assert calls == [(Base(str(tiny_base.resolve())), expected)]
    assert run.stages == {"written_train_single": "loaded"}


def test_notebook_02_waits_for_the_model_where_the_model_writes(project, monkeypatch):
    monkeypatch.chdir(project)
    assert presets.preset_notebooks("qwen7b")["02_requirement_dropping"] == ("00_base_model",)
    assert presets.preset_notebooks("mini") == presets.NOTEBOOKS
    path = project / "params" / "smoke" / "02_requirement_dropping.yaml"
    path.write_text(path.read_text() + "writer: model\n")
    assert presets.preset_notebooks("smoke")["02_requirement_dropping"] == ("00_base_model",)
    (project / "params" / "smoke" / "preset.yaml").write_text(
        "notebooks: [02_requirement_dropping]"
    )
    with pytest.raises(WfineError, match="found writer: model without 00_base_model"):
        presets.preset_notebooks("smoke")
