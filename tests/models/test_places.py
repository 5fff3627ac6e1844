"""How many places a model has for the tokens of a text."""

from __future__ import annotations

import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM

from wfine_utils.base_model import Base
from wfine_utils.errors import WfineError
from wfine_utils.models import loading, places

LONG = {
    "rope_type": "longrope", "rope_theta": 1e4, "short_factor": [1.0] * 16,
    "long_factor": [4.0] * 16, "original_max_position_embeddings": 32,
}  # fmt: skip


@pytest.mark.parametrize(
    ("rope", "expected"),
    [
        ({}, 256),
        ({"rope_type": "linear", "rope_theta": 1e4, "factor": 2.0}, 256),
        ({"rope_type": "dynamic", "rope_theta": 1e4, "factor": 2.0}, 256),
        (LONG, 32),
    ],
)
def test_end_where_the_longest_text_of_a_batch_would_decide(rope, expected):
    size = {"hidden_size": 64, "intermediate_size": 64, "num_hidden_layers": 1,
            "num_attention_heads": 2, "max_position_embeddings": 256}  # fmt: skip
    config = LlamaConfig(vocab_size=64, pad_token_id=0, **size)
    if rope:
        config = LlamaConfig(vocab_size=64, pad_token_id=0, **size, rope_parameters=rope)
    model = LlamaForCausalLM(config).eval()
    assert places.n_positions(model) == expected
    short, long = torch.arange(9), torch.arange(expected) % 64
    padded = torch.zeros(2, expected, dtype=torch.long)
    padded[0, :9], padded[1] = short, long
    with torch.no_grad():
        alone = model(input_ids=short[None]).logits[0]
        beside = model(input_ids=padded).logits[0, :9]
    torch.testing.assert_close(beside, alone, rtol=0, atol=1e-5)


def test_a_prompt_and_its_answer_need_one_each(tiny_base):
    config = loading.load_config(Base(str(tiny_base)))
    places.refuse_too_long(config, 200, 56, "policy")
    with pytest.raises(WfineError, match="prompt of 200 tokens and max_new_tokens = 57"):
        places.refuse_too_long(config, 200, 57, "policy")
