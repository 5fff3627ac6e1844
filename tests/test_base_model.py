"""Records of the base model, which can be moved with the models."""

from __future__ import annotations

import json
import shutil

from wfine_utils import base_model
from wfine_utils.base_model import Base


def test_base_record_can_be_moved(tmp_path, tiny_base):
    folder = tmp_path / "a" / "model"
    folder.mkdir(parents=True)
    base_model.write_base(tmp_path / "a" / "base.json", Base(str(folder)))
    assert json.loads((tmp_path / "a" / "base.json").read_text())["model"] == "model"
    (tmp_path / "a").rename(tmp_path / "b")
    assert base_model.read_base(tmp_path / "b" / "base.json").model == str(tmp_path / "b" / "model")
    base_model.write_base(tmp_path / "hub.json", Base("Qwen/Qwen2.5-0.5B-Instruct", "abc"))
    assert base_model.read_base(tmp_path / "hub.json") == ("Qwen/Qwen2.5-0.5B-Instruct", "abc")


def test_fingerprint_follows_the_weights_and_not_the_place(tmp_path, tiny_base):
    first, moved = (Base(str(tmp_path / name), None) for name in "ab")
    shutil.copytree(tiny_base, first.model)
    before = first.fingerprint
    shutil.move(first.model, moved.model)
    assert moved.fingerprint == before
    (tmp_path / "b" / "more.safetensors").write_bytes(b"other weights")
    assert moved.fingerprint != before
    hub = [Base("Qwen/Qwen2.5-0.5B-Instruct", revision) for revision in (None, "abc")]
    assert len({base.fingerprint for base in hub}) == 2
