#!/usr/bin/env bash
# torch 2.13.0, transformers 5.23.0: on a CPU in bf16 a frozen model copies its output layer for each text.
#
# Version:     torch 2.13.0, transformers 5.23.0; a CPU with instructions for bf16 (AVX512_BF16 or AMX).
# Expectation: requires_grad_(False), as PEFT does to a base model, changes nothing about a forward pass
#              under inference_mode, least of all its memory; and logits of the last tokens alone
#              (logits_to_keep=1, as in generation) take less memory than logits of all tokens.
# Behaviour:   the states of the last tokens are a slice of those of all tokens. Where a weight wants a
#              gradient, torch folds such a slice into one matrix product; where it does not, it takes a
#              product for each text (bmm) with an expanded weight, which in bf16 is made contiguous
#              before: a whole copy of the output layer for each text. Handing over the states in one
#              piece (states.contiguous()) avoids it. Not in fp32, nor where oneDNN has no bf16.
# Output seen: an output layer of 16 MiB, 16 texts, largest allocation: last tokens 1 MiB; frozen 256 MiB;
#              frozen, all tokens 8 MiB; frozen, last tokens in one piece 1 MiB
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/python" -m pip install --quiet --no-compile --disable-pip-version-check \
  torch==2.13.0 transformers==5.23.0 numpy==2.4.6
cd "$folder"
HF_HUB_OFFLINE=1 env/bin/python -W ignore - 2> log <<'PYTHON' || { cat log >&2; exit 1; }
import sys

import torch
from torch.profiler import ProfilerActivity, profile
from transformers import LlamaConfig, LlamaForCausalLM

has = torch.cpu.get_capabilities()
if not (has.get("avx512_bf16") or has.get("amx_bf16")):
    print("this CPU has no instructions for bf16: nothing is copied, and nothing can be seen")
    sys.exit(0)
MIB, TEXTS, TOKENS = 2**20, 16, 8
config = LlamaConfig(
    vocab_size=32768, hidden_size=256, intermediate_size=64, num_hidden_layers=1,
    num_attention_heads=4,
)
model = LlamaForCausalLM(config).to(torch.bfloat16).eval()
ids = torch.arange(TEXTS * TOKENS).reshape(TEXTS, TOKENS)


def largest(**options):
    """MiB of the largest allocation of a forward pass."""
    with torch.inference_mode(), profile(
        activities=[ProfilerActivity.CPU], profile_memory=True
    ) as record:
        model(ids, use_cache=False, **options)
    return max(event.self_cpu_memory_usage for event in record.events()) / MIB


layer = model.lm_head.weight.numel() * 2 / MIB
trained = largest(logits_to_keep=1)
model.requires_grad_(False)
frozen, every = largest(logits_to_keep=1), largest()
model.lm_head.register_forward_pre_hook(lambda _, inputs: (inputs[0].contiguous(),))
whole = largest(logits_to_keep=1)
print(
    f"an output layer of {layer:.0f} MiB, {TEXTS} texts, largest allocation: last tokens "
    f"{trained:.0f} MiB; frozen {frozen:.0f} MiB; frozen, all tokens {every:.0f} MiB; frozen, "
    f"last tokens in one piece {whole:.0f} MiB"
)
seen = trained < layer and frozen >= TEXTS * layer and every < layer and whole < layer
sys.exit(0 if seen else "changed: expected a copy of the output layer for each text, if frozen")
PYTHON
