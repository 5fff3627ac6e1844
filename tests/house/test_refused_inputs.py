"""Models, adapters and machines that cannot work: refused in one paragraph, before long work."""

from __future__ import annotations

import http.server
import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from conftest import ROOT

from wfine_utils import base_model
from wfine_utils.base_model import Base
from wfine_utils.chains.pairs import PreferencePair
from wfine_utils.chains.taxonomy import RequirementType
from wfine_utils.errors import WfineError
from wfine_utils.models import loading, memory
from wfine_utils.policy import generation, grpo
from wfine_utils.rewards.training import train_reward_model
from wfine_utils.settings import PolicySettings, RewardSettings
from wfine_utils.tiny_world import vocabulary, writer
from wfine_workflow import presets, run

ID = "Qwen/Qwen2.5-0.5B-Instruct"
POLICY = PolicySettings(
    quantise=True, lora_r=4, lora_alpha=8, learning_rate=1e-3, n_steps=1, prompts_per_rollout=2,
    num_generations=2, updates_per_rollout=1, micro_batch_size=4, beta=0.01, temperature=1.0,
    max_new_tokens=8, answer_format="plain",
)  # fmt: skip
REWARD = RewardSettings(
    loss="bradley_terry", quantise=True, lora_r=4, lora_alpha=8, learning_rate=1e-3,
    batch_size=2, micro_batch_size=2, n_epochs=1, max_tokens=64, center_coefficient=0.01,
)  # fmt: skip
PAIRS = [PreferencePair("a", "b", RequirementType.FORMAT, "Use a list.", "- One.", "One.", 1)] * 2
QUERIES = writer.sample_queries(2, vocabulary.TOPICS["train"], seed=0)


class Constant:
    """Stands in for a reward model."""

    granularity = "prompt"

    def score(self, queries, responses):
        return np.zeros(len(responses))


def one_paragraph(text: str) -> bool:
    return "\n" not in text.strip() and "Traceback" not in text


@pytest.fixture(scope="module")
def hub() -> Iterator[tuple[str, list[str]]]:
    """A server on loopback that knows the model but none of its revisions."""
    code: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_HEAD(self):
            self.send_response(404)
            self.send_header("X-Error-Code", code[0])
            self.send_header("Content-Length", "0")
            self.end_headers()

        do_GET = do_HEAD

        def log_message(self, *args):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", code
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def adapter(tiny_base, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("adapter")
    base_model.write_manifest(folder, Base(str(tiny_base)), "policy")
    return folder


class TestHub:
    """The client reads its settings once, at import: so each case has a process of its own."""

    def said(self, tmp_path: Path, **environment: str) -> str:
        program = (
            "import sys\nfrom wfine_utils import models\n"
            "from wfine_utils.errors import WfineError\n"
            "try:\n    models.load_tokenizer(models.Base(sys.argv[1], 'abc'))\n"
            "except WfineError as error:\n    sys.stdout.write(str(error))\n"
        )
        clean = {k: v for k, v in os.environ.items() if not k.startswith("HF_")}
        done = subprocess.run(
            [sys.executable, "-c", program, ID], capture_output=True, text=True, check=True,
            cwd=ROOT, env=clean | {"HF_HOME": str(tmp_path), "PYTHONPATH": str(ROOT)} | environment,
        )  # fmt: skip
        assert one_paragraph(done.stdout)
        return done.stdout

    def test_cannot_be_reached(self, tmp_path):
        said = self.said(tmp_path, HF_HUB_OFFLINE="1")
        assert "the Hub cannot be reached" in said
        assert f"hf download {ID} --revision abc --local-dir models/Qwen2.5-0.5B-Instruct" in said
        assert "base_model: models/Qwen2.5-0.5B-Instruct" in said

    @pytest.mark.slow  # the client tries again for some twenty seconds
    def test_nothing_answers(self, tmp_path):
        said = self.said(tmp_path, HF_ENDPOINT="http://127.0.0.1:9")
        assert "the Hub cannot be reached" in said and "hf download" in said

    def test_a_revision_that_does_not_exist(self, tmp_path, hub):
        endpoint, code = hub
        code[:] = ["RevisionNotFound"]
        said = self.said(tmp_path, HF_ENDPOINT=endpoint)
        assert "found no revision abc" in said and "leave revision empty" in said

    def test_a_model_that_does_not_exist(self, tmp_path, hub):
        endpoint, code = hub
        code[:] = ["RepoNotFound"]
        assert "neither a folder nor a model on the Hub" in self.said(
            tmp_path, HF_ENDPOINT=endpoint
        )


def test_the_command_that_the_message_names_exists():
    hf = Path(sys.executable).with_name("hf")
    done = subprocess.run([hf, "download", "--help"], capture_output=True, text=True, check=True)
    assert "--local-dir" in done.stdout and "--revision" in done.stdout


class TestBaseModel:
    def changed(self, tiny_base: Path, folder: Path, **values) -> Path:
        tokenizer = loading.load_tokenizer(Base(str(tiny_base)))
        shutil.copytree(tiny_base, folder, dirs_exist_ok=True)
        for name, value in values.items():
            setattr(tokenizer, name, value)
        tokenizer.save_pretrained(folder)
        return folder

    def test_a_revision_of_a_folder(self, tiny_base):
        with pytest.raises(WfineError, match="found revision abc beside a folder"):
            loading.load_tokenizer(Base(str(tiny_base), "abc"))

    def test_no_padding_token(self, tiny_base, tmp_path):
        folder = self.changed(tiny_base, tmp_path)
        config = json.loads((folder / "tokenizer_config.json").read_text())
        del config["pad_token"]
        (folder / "tokenizer_config.json").write_text(json.dumps(config))
        with pytest.raises(WfineError, match="no padding token") as error:
            train_reward_model(
                PAIRS, PAIRS, Base(str(folder)), REWARD,
                granularity="prompt", seed=0, folder=tmp_path,
            )  # fmt: skip
        assert one_paragraph(str(error.value))

    def test_texts_that_end_with_padding(self, tiny_base, tmp_path):
        folder = self.changed(tiny_base, tmp_path, pad_token="<|end|>")
        with pytest.raises(WfineError, match=r"ends with its padding token '<\|end\|>'"):
            train_reward_model(
                PAIRS, PAIRS, Base(str(folder)), REWARD,
                granularity="prompt", seed=0, folder=tmp_path,
            )  # fmt: skip

    def test_no_chat_template(self, tiny_base, tmp_path):
        folder = self.changed(tiny_base, tmp_path, chat_template=None)
        (folder / "chat_template.jinja").unlink(missing_ok=True)
        with pytest.raises(WfineError, match="no chat template"):
            grpo.train_policy(
                QUERIES, Constant(), Base(str(folder)), POLICY, seed=0, folder=tmp_path
            )


class TestAdapter:
    def test_trained_on_another_base(self, tiny_base, adapter, tmp_path, monkeypatch):
        other = tmp_path / "other"
        shutil.copytree(tiny_base, other)
        (other / "more.safetensors").write_bytes(b"other weights")
        monkeypatch.setattr(loading, "load_quantised", lambda *_, **__: pytest.fail("loaded"))
        with pytest.raises(WfineError, match="the adapter was trained on the base model") as error:
            generation.load_policy(Base(str(other)), adapter)
        assert str(other) in str(error.value) and one_paragraph(str(error.value))

    def test_the_same_base_elsewhere_is_the_same(self, tiny_base, adapter, tmp_path):
        shutil.copytree(tiny_base, tmp_path / "moved")
        moved = Base(str(tmp_path / "moved"))
        assert base_model.read_manifest(adapter, "policy", moved)[0] == moved

    def test_another_revision_of_the_same_model(self, tmp_path):
        base_model.write_manifest(tmp_path, Base(ID, "abc"), "policy")
        with pytest.raises(WfineError, match=r"@abc, found .*@def"):
            base_model.read_manifest(tmp_path, "policy", Base(ID, "def"))

    def test_no_policy_at_all(self, tiny_base, tmp_path):
        with pytest.raises(WfineError, match=r"found no manifest\.json"):
            generation.load_policy(Base(str(tiny_base)), tmp_path)


class TestMachine:
    GPU_PRESETS = tuple(p for p in presets.presets() if presets.preset_choice(p).needs_gpu_gib)

    @pytest.fixture
    def nothing_runs(self, monkeypatch):
        monkeypatch.setattr(run, "_snakemake", lambda *_: pytest.fail("something was run"))

    def test_gpu_presets(self):
        assert set(self.GPU_PRESETS) == {"qwen0.5b", "qwen1.5b", "qwen7b"}

    def asked(self, monkeypatch, gib: float | None) -> None:
        done = subprocess.CompletedProcess([], 0, stdout=f"{json.dumps(gib)}\n")
        monkeypatch.setattr(run.subprocess, "run", lambda *_, **__: done)

    @pytest.mark.parametrize(
        ("gib", "found"), [(None, "no GPU that PyTorch can use"), (7.9, "7.9 GiB of free")]
    )
    def test_no_gpu_or_a_small_one(self, monkeypatch, nothing_runs, gib, found, tmp_path):
        self.asked(monkeypatch, gib)
        with pytest.raises(WfineError, match=f"'qwen7b': found {found}.*expected 22 GiB") as error:
            run.run("qwen7b", output_root=str(tmp_path), cores="1")
        assert "PRESET=mini" in str(error.value) and one_paragraph(str(error.value))
        assert not list(tmp_path.iterdir())

    def test_a_gpu_that_is_large_enough(self, monkeypatch, tmp_path):
        self.asked(monkeypatch, 23.6)
        monkeypatch.setattr(run, "_snakemake", lambda *_: 0)
        assert run.run("qwen7b", output_root=str(tmp_path), cores="1") == 0

    def test_what_the_machine_says(self):
        done = subprocess.run(
            [sys.executable, "-m", "wfine_workflow.command", "models", "gpu"], cwd=ROOT,
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        assert (json.loads(done.stdout) is None) == (memory.gpu_gib() is None)

    def test_a_bad_line_in_preset_yaml(self, project, monkeypatch):
        monkeypatch.chdir(project)
        for line in ("needs_gpu_gib: large", "needs_gpu_gib: true", "needs_gpu_gib: -1"):
            (project / "params" / "smoke" / "preset.yaml").write_text(line)
            with pytest.raises(WfineError, match=r"preset\.yaml: .*needs_gpu_gib: Input should"):
                presets.load_preset("smoke")
        (project / "params" / "smoke" / "preset.yaml").write_text("needs_gpu_gib: 3")
        assert presets.preset_choice("smoke").needs_gpu_gib == 3
        assert list(presets.load_preset("smoke")) == list(presets.NOTEBOOKS)

    @pytest.mark.parametrize("what", ["reward model", "policy"])
    def test_training_that_does_not_fit_is_refused_before_the_model_is_loaded(
        self, what, tiny_base, tmp_path, monkeypatch
    ):
        base, common = Base(str(tiny_base)), {"seed": 0, "folder": tmp_path}
        train = {
            "policy": lambda: grpo.train_policy(QUERIES, Constant(), base, POLICY, **common),
            "reward model": lambda: train_reward_model(
                PAIRS, PAIRS, base, REWARD, granularity="prompt", **common
            ),
        }[what]
        monkeypatch.setattr(memory, "gpu_gib", lambda: 0.5)
        monkeypatch.setattr(loading, "load_quantised", lambda *_, **__: pytest.fail("loaded"))
        with pytest.raises(WfineError, match=rf"^{what} \(.*found 0\.5 GiB of free GPU") as error:
            train()
        assert one_paragraph(str(error.value))
        assert loading.load_config(Base(str(tiny_base))).model_type in memory.DECODERS
        assert not list(tmp_path.iterdir())
