"""Records of the base model, which can be moved with the models."""

from __future__ import annotations

import json
import shutil

import pytest

from wfine_utils import base_model
from wfine_utils.base_model import Base
from wfine_utils.errors import WfineError


def test_base_record_can_be_moved(tmp_path, tiny_base):
    folder = tmp_path / "a" / "model"
    folder.mkdir(parents=True)
    base_model.write_base(tmp_path / "a" / "base.json", Base(str(folder)))
    assert json.loads((tmp_path / "a" / "base.json").read_text())["model"] == "model"
    (tmp_path / "a").rename(tmp_path / "b")
    assert base_model.read_base(tmp_path / "b" / "base.json").model == str(tmp_path / "b" / "model")
    base_model.write_base(tmp_path / "hub.json", Base("Qwen/Qwen2.5-0.5B-Instruct", "abc"))
    assert base_model.read_base(tmp_path / "hub.json") == ("Qwen/Qwen2.5-0.5B-Instruct", "abc")


def test_fingerprint_follows_every_file_and_not_the_place(tmp_path, tiny_base):
    first, moved = (Base(str(tmp_path / name), None) for name in "ab")
    shutil.copytree(tiny_base, first.model)
    seen = {first.fingerprint}
    shutil.move(first.model, moved.model)
    assert moved.fingerprint in seen
    folder = tmp_path / "b"
    files = sorted(folder.iterdir())
    assert {"config.json", "model.safetensors", "tokenizer.json"} <= {f.name for f in files}
    for file in [
        *files,
        *(folder / name for name in ("spiece.model", "merges.txt", "more.safetensors")),
    ]:
        with file.open("ab") as out:
            out.write(b" ")
        assert moved.fingerprint not in seen, file.name
        seen.add(moved.fingerprint)
    (folder / "additional_chat_templates").mkdir()
    (folder / "additional_chat_templates" / "default.jinja").write_text("{{ messages }}")
    assert moved.fingerprint not in seen
    seen.add(moved.fingerprint)
    for name in ("stage.json", "README.md", "learning_curve.csv", "pytorch_model.bin", ".lock"):
        (folder / name).write_text("what no score depends on")
        assert moved.fingerprint in seen, name
    hub = [Base("Qwen/Qwen2.5-0.5B-Instruct", revision) for revision in (None, "abc")]
    assert len({base.fingerprint for base in hub}) == 2


@pytest.fixture
def hub_cache(tmp_path, monkeypatch):
    """What the Hub's client leaves of a model; returns a function that lets its branch move on."""
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    folder = tmp_path / "hub" / "models--Some--Model"

    def move_on(commit: str, branch: str = "main") -> None:
        (folder / "snapshots" / commit).mkdir(parents=True, exist_ok=True)
        (folder / "snapshots" / commit / "config.json").write_text("{}")
        (folder / "refs").mkdir(exist_ok=True)
        (folder / "refs" / branch).write_text(commit)

    return move_on


@pytest.mark.parametrize("revision", [None, "main", "stable"])
def test_a_branch_of_the_hub_is_its_commit(revision, hub_cache, tmp_path):
    base, seen = Base("Some/Model", revision), set()
    assert base.fingerprint == f"Some/Model@{revision or 'newest'}" and base.pinned == base
    for commit in ("a" * 40, "b" * 40):
        hub_cache(commit, revision or "main")
        assert base.fingerprint == base.pinned.fingerprint == f"Some/Model@{commit}"
        base_model.write_base(tmp_path / "base.json", base)
        base_model.write_manifest(tmp_path, base, "policy")
        pinned = Base("Some/Model", commit)
        assert base_model.read_base(tmp_path / "base.json") == pinned
        assert base_model.read_manifest(tmp_path, "policy")[0] == pinned
        seen.add(base.fingerprint)
    assert len(seen) == 2
    with pytest.raises(WfineError, match="expected the same weights"):  # an older commit
        base_model.read_manifest(tmp_path, "policy", Base("Some/Model", "a" * 40))


@pytest.mark.parametrize("model", ["no name of the Hub!", "three/parts/here", "nothing"])
def test_what_the_hub_cannot_have_stays_as_it_is(model, hub_cache):
    assert Base(model).pinned == Base(model)
