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
    for name in ("stage.json", "README.md", "learning_curve.csv", "pytorch_model.bin", ".lock"):
        (folder / name).write_text("what no score depends on")
        assert moved.fingerprint in seen, name
    hub = [Base("Qwen/Qwen2.5-0.5B-Instruct", revision) for revision in (None, "abc")]
    assert len({base.fingerprint for base in hub}) == 2
