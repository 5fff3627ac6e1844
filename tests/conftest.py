"""What several test files need."""

from __future__ import annotations

import importlib
import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]

# The tests must pass on a machine without a network, and must not look for one. Set before any
# Hugging Face library is imported, and handed on to the notebooks that tests start.
os.environ |= {
    "HF_HUB_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "TOKENIZERS_PARALLELISM": "false",
}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what needs a GPU where there is none."""
    marked = [item for item in items if item.get_closest_marker("gpu")]
    if not marked:
        return
    import torch

    if not torch.cuda.is_available():
        for item in marked:
            item.add_marker(pytest.mark.skip(reason="no CUDA device"))


def copy_project(target: Path) -> Path:
    """A copy of everything that a batch run needs, to be run and spoilt at will."""
    target.mkdir(parents=True)
    for name in ("pyproject.toml", "constraints.txt", "Makefile"):
        shutil.copy(ROOT / name, target)
    for name in (
        ".jupyter",
        "notebooks",
        "params",
        "workflow",
        *(p.name for p in ROOT.glob("wfine_*")),
    ):
        ignored = shutil.ignore_patterns("__pycache__", ".ipynb_checkpoints")
        shutil.copytree(ROOT / name, target / name, ignore=ignored)
    return target


def taught(notebook: str, cell: str, **space: Any) -> dict[str, Any]:
    """The names that one cell of a notebook defines, as the reader runs it."""
    cells = json.loads((ROOT / "notebooks" / f"{notebook}.ipynb").read_text())["cells"]
    (source,) = ("".join(x["source"]) for x in cells if x["id"] == cell)
    exec(compile(source, f"{notebook}, cell {cell}", "exec"), space)  # noqa: S102  our notebook
    return space


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A copy of the project that belongs to one test."""
    return copy_project(tmp_path / "wfine")


@pytest.fixture(scope="session")
def bench_script() -> Iterator[Callable[[str], ModuleType]]:
    """Imports a script of the folder bench by its name."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(ROOT / "bench")
        yield importlib.import_module


@pytest.fixture(scope="session")
def tiny_base(tmp_path_factory) -> Path:
    """Folder of a tiny base model with random weights and its tokenizer, fit for 4-bit."""
    from wfine_utils.models import tiny_writer
    from wfine_utils.tiny_world import vocabulary, writer

    queries = writer.sample_queries(60, vocabulary.TOPICS["train"], seed=0)
    tokenizer = tiny_writer.tiny_tokenizer([query.prompt() for query in queries], vocab_size=512)
    config = tiny_writer.tiny_config(tokenizer, hidden_size=64, n_layers=2, n_positions=256)
    folder = tmp_path_factory.mktemp("tiny-base")
    tiny_writer.tiny_model(config, seed=0).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def tiny_encoder(tmp_path_factory) -> Path:
    """Folder of a tiny BERT with random weights and no head, fit for 4-bit."""
    import torch
    from tokenizers import BertWordPieceTokenizer
    from transformers import BertConfig, BertModel, BertTokenizer

    from wfine_utils.tiny_world import vocabulary, writer

    queries = writer.sample_queries(60, vocabulary.TOPICS["train"], seed=0)
    folder = tmp_path_factory.mktemp("tiny-encoder")
    wordpiece = BertWordPieceTokenizer()
    wordpiece.train_from_iterator(
        [query.prompt() for query in queries], vocab_size=512, show_progress=False
    )
    wordpiece.save_model(str(folder))
    BertTokenizer.from_pretrained(folder).save_pretrained(folder)
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=512, hidden_size=64, num_hidden_layers=2, num_attention_heads=2,
        intermediate_size=128, max_position_embeddings=128,
    )  # fmt: skip
    BertModel(config).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def one_thread() -> Iterator[None]:
    """Models this small only lose by a second thread, much so on a busy machine."""
    import torch

    n_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(n_threads)
