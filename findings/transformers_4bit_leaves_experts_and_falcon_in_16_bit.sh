#!/usr/bin/env bash
# transformers 5.23.0 with bitsandbytes 0.50.2: load_in_4bit leaves the experts of a mixture of experts,
# and every layer of Falcon, in 16 bits. The model says that it is loaded in 4 bits.
#
# Version:     transformers 5.23.0, bitsandbytes 0.50.2, torch 2.13.0.
# Expectation: all weight matrices but embeddings and head are quantised, as they are in Llama; or loading
#              fails, as the memory that was planned for will not do.
# Behaviour:   what is replaced are layers whose class is nn.Linear itself. Experts are one stacked
#              parameter each and no layers: nine tenths of Mixtral stay as they were, with no word. Falcon
#              has a subclass of its own, FalconLinear, so nothing is quantised; there the log
#              warns, but of "eetq", which is another method. is_loaded_in_4bit is True for all three.
# Output seen: matrices in 4 bits: llama 100%, mixtral 8%, falcon 0%; is_loaded_in_4bit: 3 of 3
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/python" -m pip install --quiet --no-compile --disable-pip-version-check \
  torch==2.13.0 transformers==5.23.0 bitsandbytes==0.50.2 accelerate==1.15.0 numpy==2.4.6
cd "$folder"
HF_HUB_OFFLINE=1 TOKENIZERS_PARALLELISM=false env/bin/python -W ignore - <<'PYTHON'
import sys

import torch
from bitsandbytes.nn import Params4bit
from transformers import (
    AutoModelForCausalLM, BitsAndBytesConfig, FalconConfig, LlamaConfig, MixtralConfig, logging,
)

logging.disable_progress_bar()
sizes = {"vocab_size": 64, "hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4}
gated = sizes | {"num_key_value_heads": 4, "intermediate_size": 128}
CONFIGS = {
    "llama": LlamaConfig(**gated),
    "mixtral": MixtralConfig(**gated, num_local_experts=8),
    "falcon": FalconConfig(**sizes),
}
shares, said = {}, []
for name, config in CONFIGS.items():
    torch.manual_seed(0)
    AutoModelForCausalLM.from_config(config).save_pretrained(name)
    model = AutoModelForCausalLM.from_pretrained(
        name, quantization_config=BitsAndBytesConfig(load_in_4bit=True), dtype=torch.bfloat16
    )
    total = packed = 0
    outside = {model.get_input_embeddings().weight, model.get_output_embeddings().weight}
    for weight in model.parameters():
        if isinstance(weight, Params4bit):
            packed += weight.quant_state.shape.numel()
            total += weight.quant_state.shape.numel()
        elif weight.ndim > 1 and weight not in outside:
            total += weight.numel()
    shares[name] = packed / total
    said.append(model.is_loaded_in_4bit)
print("matrices in 4 bits: " + ", ".join(f"{k} {v:.0%}" for k, v in shares.items()), end="; ")
print(f"is_loaded_in_4bit: {sum(said)} of {len(said)}")
seen = shares["llama"] == 1 and shares["mixtral"] < 0.3 and shares["falcon"] == 0 and all(said)
sys.exit(0 if seen else "changed: more is quantised, or the model tells")
PYTHON
