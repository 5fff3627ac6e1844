#!/usr/bin/env bash
# PEFT 0.21.2: an adapter of a DeBERTa classifier gives other scores each time it is loaded.
#
# Version:     peft 0.21.2, transformers 5.23.0, torch 2.13.0.
# Expectation: with the task type SEQ_CLS, PEFT saves what a classifier has beyond its base, as it does for
#              RoBERTa: the same text gets the same score after from_pretrained.
# Behaviour:   PEFT saves modules called classifier or score. DeBERTa has a pooler before its classifier
#              which no checkpoint of the language model holds, so it begins with random weights as
#              well. These are neither trained in full nor saved: each load draws a new pooler. PEFT
#              does not warn. transformers lists the pooler among the weights that are newly initialised,
#              beside the classifier, which is listed at every load and does come with the adapter.
#              A BERT that was saved as a masked language model behaves the same. modules_to_save
#              with the pooler avoids it.
# Output seen: change of the score by reloading: roberta 0.0e+00, deberta 1.3e+00, with pooler 0.0e+00
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/python" -m pip install --quiet --no-compile --disable-pip-version-check \
  torch==2.13.0 transformers==5.23.0 peft==0.21.2 accelerate==1.15.0 safetensors==0.8.0
cd "$folder"
HF_HUB_OFFLINE=1 TOKENIZERS_PARALLELISM=false env/bin/python -W ignore - <<'PYTHON'
import sys

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from transformers import (
    AutoModelForMaskedLM, AutoModelForSequenceClassification, DebertaV2Config, RobertaConfig,
    logging,
)

logging.disable_progress_bar()
logging.set_verbosity_error()
sizes = {
    "vocab_size": 64, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2,
    "intermediate_size": 32, "initializer_range": 0.2,
}
CASES = {
    "roberta": (RobertaConfig(**sizes), None),
    "deberta": (DebertaV2Config(**sizes, pooler_hidden_size=32), None),
    "with pooler": (DebertaV2Config(**sizes, pooler_hidden_size=32), ["pooler"]),
}
ids = torch.arange(5, 15)[None]


def base(name):
    return AutoModelForSequenceClassification.from_pretrained(name, num_labels=1)


@torch.no_grad()
def score(model):
    return float(model.eval()(ids).logits)


changes = {}
for name, (config, extra) in CASES.items():
    torch.manual_seed(0)
    AutoModelForMaskedLM.from_config(config).save_pretrained(name)
    lora = LoraConfig(task_type="SEQ_CLS", target_modules="all-linear", modules_to_save=extra)
    model = get_peft_model(base(name), lora)
    model.save_pretrained(f"{name} adapter")
    reloaded = PeftModel.from_pretrained(base(name), f"{name} adapter")
    changes[name] = abs(score(model) - score(reloaded))
seen = ", ".join(f"{name} {change:.1e}" for name, change in changes.items())
print(f"change of the score by reloading: {seen}")
moves = changes["deberta"] > 1e-3 > 1e-5 > max(changes["roberta"], changes["with pooler"])
sys.exit(0 if moves else "changed: the score is the same now")
PYTHON
