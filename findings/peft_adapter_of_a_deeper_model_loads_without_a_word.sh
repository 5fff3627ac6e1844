#!/usr/bin/env bash
# PEFT 0.21.2: the adapter of a four-layer model loads on a two-layer model without a warning.
#
# Version:     peft 0.21.2, transformers 5.23.0, torch 2.13.0.
# Expectation: weights of layers that the base does not have are named, as torch's load_state_dict
#              and PEFT itself do for an adapter with missing keys.
# Behaviour:   half of the adapter is dropped. No exception, no warning; the return value of
#              from_pretrained does not tell either. Whoever moves an adapter to the wrong size of a
#              model family gets scores, and they mean nothing.
# Output seen: saved 56 tensors of adapters, loaded 28; warnings: 0
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/python" -m pip install --quiet --no-compile --disable-pip-version-check \
  torch==2.13.0 transformers==5.23.0 peft==0.21.2 accelerate==1.15.0 safetensors==0.8.0
cd "$folder"
HF_HUB_OFFLINE=1 TOKENIZERS_PARALLELISM=false env/bin/python -W ignore - <<'PYTHON'
import sys
import warnings

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors import safe_open
from transformers import LlamaConfig, LlamaForSequenceClassification


def base(n_layers):
    torch.manual_seed(0)
    return LlamaForSequenceClassification(
        LlamaConfig(
            vocab_size=64, hidden_size=32, num_hidden_layers=n_layers, num_attention_heads=2,
            intermediate_size=32, num_labels=1, pad_token_id=0,
        )
    )


config = LoraConfig(task_type="SEQ_CLS", target_modules="all-linear")
get_peft_model(base(4), config).save_pretrained("adapter")
with safe_open("adapter/adapter_model.safetensors", "pt") as file:
    saved = sum("lora" in name for name in file.keys())
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    model = PeftModel.from_pretrained(base(2), "adapter")
told = [w for w in caught if any(x in str(w.message).lower() for x in ("key", "layer", "adapter"))]
loaded = sum("lora" in name for name, _ in model.named_parameters())
print(f"saved {saved} tensors of adapters, loaded {loaded}; warnings: {len(told)}")
sys.exit(0 if saved == 2 * loaded and not told else "changed: the surplus is told now")
PYTHON
