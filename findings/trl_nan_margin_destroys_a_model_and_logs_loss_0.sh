#!/usr/bin/env bash
# TRL 1.16.0: one NaN margin turns every weight of a reward model into NaN, and the loss is logged
# as 0.
#
# Version:     trl 1.16.0, transformers 5.23.0, torch 2.13.0.
# Expectation: a margin that is missing (NaN, as pandas writes an empty cell) is refused, or at least
#              seen in the loss.
# Behaviour:   training runs to its end and the loss of every step is logged as 0, because the Trainer
#              leaves NaN losses out of what it logs; the training loss is 0 as well. grad_norm is
#              nan, and from the second step on so are the rewards in TRL's own columns, but nothing
#              stops or warns. The weights are NaN.
# Output seen: losses [0.0, 0.0, 0.0, 0.0], training loss 0.0; 12 of 12 weights hold NaN
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/python" -m pip install --quiet --no-compile --disable-pip-version-check \
  torch==2.13.0 transformers==5.23.0 trl==1.16.0 accelerate==1.15.0 datasets==5.2.0 tokenizers==0.23.3
cd "$folder"
HF_HUB_OFFLINE=1 TOKENIZERS_PARALLELISM=false env/bin/python -W ignore - <<'PYTHON'
import torch
from datasets import Dataset, disable_progress_bars
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForSequenceClassification, PreTrainedTokenizerFast
from trl import RewardConfig, RewardTrainer

disable_progress_bars()

import sys

words = ["<pad>", "<eos>", "<unk>", *(f"w{i}" for i in range(40))]
model = models.WordLevel({word: i for i, word in enumerate(words)}, unk_token="<unk>")
tokenizer = Tokenizer(model)
tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
tokenizer = PreTrainedTokenizerFast(
    tokenizer_object=tokenizer, pad_token="<pad>", eos_token="<eos>", unk_token="<unk>"
)
torch.manual_seed(0)
model = LlamaForSequenceClassification(
    LlamaConfig(
        vocab_size=64, hidden_size=32, num_hidden_layers=1, num_attention_heads=2,
        intermediate_size=32, num_labels=1, pad_token_id=0,
    )
)
rows = [
    {"chosen": f"w{i} w{i + 1} w{i + 2}", "rejected": f"w{i + 3} w{i}", "margin": 0.0}
    for i in range(8)
]
rows[0]["margin"] = float("nan")
args = RewardConfig(
    output_dir="out", per_device_train_batch_size=4, num_train_epochs=2, logging_steps=1,
    use_cpu=True, bf16=False, gradient_checkpointing=False, report_to="none", disable_tqdm=True,
    save_strategy="no",
)
trainer = RewardTrainer(
    model=model, args=args, train_dataset=Dataset.from_list(rows), processing_class=tokenizer
)
result = trainer.train()
losses = [step["loss"] for step in trainer.state.log_history if "loss" in step]
weights = list(model.parameters())
spoilt = sum(bool(weight.isnan().any()) for weight in weights)
print(f"losses {losses}, training loss {result.training_loss}", end="; ")
print(f"{spoilt} of {len(weights)} weights hold NaN")
silent = losses == [0, 0, 0, 0] and result.training_loss == 0 and spoilt == len(weights)
sys.exit(0 if silent else "changed: the NaN is seen or kept out")
PYTHON
