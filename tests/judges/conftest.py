"""A model small enough to be a judge in tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from wfine_utils.base_model import Base
from wfine_utils.tiny_world import vocabulary, writer


@pytest.fixture(scope="module")
def prompts() -> list[str]:
    queries = writer.sample_queries(9, vocabulary.TOPICS["test"], seed=3)
    return [query.prompt()[: 40 + 25 * i] for i, query in enumerate(queries)]


@pytest.fixture(scope="module")
def talkative(tiny_base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny base with larger weights: as it is, it repeats the last token whatever it reads."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model = AutoModelForCausalLM.from_pretrained(tiny_base)
    torch.manual_seed(0)
    with torch.no_grad():
        for parameter in model.model.layers.parameters():
            if parameter.dim() == 2:
                parameter.normal_(std=0.5)
    folder = tmp_path_factory.mktemp("talkative")
    model.save_pretrained(folder)
    tokenizer = AutoTokenizer.from_pretrained(tiny_base)
    # `transformers serve` takes the turns of every Qwen3 for Qwen's own unless it is told, and
    # then repeats the prompt in its reply.
    content = {"close": "<|end|>", "content": "text"}
    tokenizer.response_template = {"start_anchor": "<|assistant|>", "fields": {"content": content}}
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def local(talkative: Path):
    from wfine_utils.judges.local_model import TransformersBackend

    return TransformersBackend(Base(str(talkative)), quantise=False)
