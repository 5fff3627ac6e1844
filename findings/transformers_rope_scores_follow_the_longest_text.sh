#!/usr/bin/env bash
# transformers 5.23.0: with rope of type "dynamic" or "longrope", what a model computes of a short
# text depends on the length of the other texts in its batch.
#
# Version:     transformers 5.23.0, torch 2.13.0.
# Expectation: with right padding and an attention mask, a text gets the same hidden states alone and
#              beside a longer one, up to rounding, as it does with "linear".
# Behaviour:   both types choose their frequencies by the longest text of the batch. Once that exceeds
#              the original length, the short text is computed with the frequencies for long ones, so
#              the scores of a reward model move with the batch that a text happens to be in.
# Output seen: linear 1.8e-07, dynamic 1.0e-02, longrope 1.3e-01 (largest change of the last state)
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/python" -m pip install --quiet --no-compile --disable-pip-version-check \
  torch==2.13.0 transformers==5.23.0 numpy==2.4.6
cd "$folder"
HF_HUB_OFFLINE=1 TOKENIZERS_PARALLELISM=false env/bin/python -W ignore - <<'PYTHON'
import sys

import torch
from transformers import LlamaConfig, LlamaModel

LENGTH = 32  # original length; the long text has 64 tokens, the short one 8
ROPES = {
    "linear": {"factor": 4.0},
    "dynamic": {"factor": 4.0},
    "longrope": {
        "factor": 4.0, "short_factor": [1.0] * 8, "long_factor": [4.0] * 8,
        "original_max_position_embeddings": LENGTH,
    },
}
changes = {}
for kind, options in ROPES.items():
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=64, hidden_size=32, num_hidden_layers=2, num_attention_heads=2,
        intermediate_size=32, max_position_embeddings=LENGTH * (4 if kind == "longrope" else 1),
        rope_parameters={"rope_type": kind, "rope_theta": 10000.0, **options},
    )
    model = LlamaModel(config).eval()
    for weight in model.parameters():
        torch.nn.init.normal_(weight, std=0.3)
    short, long = torch.randint(1, 64, (1, 8)), torch.randint(1, 64, (1, 64))
    ids, mask = torch.zeros(2, 64, dtype=torch.long), torch.zeros(2, 64, dtype=torch.long)
    ids[0, :8], ids[1], mask[0, :8], mask[1] = short, long, 1, 1
    with torch.no_grad():
        alone = model(short).last_hidden_state[0, 7]
        beside = model(ids, attention_mask=mask).last_hidden_state[0, 7]
    changes[kind] = float((alone - beside).abs().max())
print(", ".join(f"{kind} {change:.1e}" for kind, change in changes.items()))
moves = changes["linear"] < 1e-5 < 1e-3 < min(changes["dynamic"], changes["longrope"])
sys.exit(0 if moves else "changed: short texts no longer depend on their batch")
PYTHON
