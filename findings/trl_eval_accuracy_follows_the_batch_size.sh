#!/usr/bin/env bash
# TRL 1.16.0: the accuracy that RewardTrainer.evaluate reports depends on the batch size.
#
# Version:     trl 1.16.0, transformers 5.23.0, torch 2.13.0.
# Expectation: a model that ranks four of five pairs rightly has an eval_accuracy of 0.8, in batches of
#              any size, as eval_loss is the same in all of them.
# Behaviour:   an accuracy is computed per batch, and of those the plain mean is taken. A last batch that
#              holds one pair counts as much as a full one with four. eval_margin moves in the same
#              way. eval_loss, from transformers, weighs batches by their pairs. So the checkpoint
#              that metric_for_best_model="eval_accuracy" chooses can depend on the batch size.
# Output seen: batches of 5: accuracy 0.80, loss 0.652; batches of 4: accuracy 0.50, loss 0.652
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/python" -m pip install --quiet --no-compile --disable-pip-version-check \
  torch==2.13.0 transformers==5.23.0 trl==1.16.0 accelerate==1.15.0 datasets==5.2.0 tokenizers==0.23.3
cd "$folder"
HF_HUB_OFFLINE=1 TOKENIZERS_PARALLELISM=false env/bin/python -W ignore - <<'PYTHON'
import sys

import torch
from datasets import Dataset, disable_progress_bars
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import (
    LlamaConfig, LlamaForSequenceClassification, PreTrainedTokenizerFast, PrinterCallback,
)
from trl import RewardConfig, RewardTrainer

disable_progress_bars()
words = ["<pad>", "<eos>", "<unk>", *(f"w{i}" for i in range(40))]
tokenizer = Tokenizer(
    models.WordLevel({word: i for i, word in enumerate(words)}, unk_token="<unk>")
)
tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
tokenizer = PreTrainedTokenizerFast(
    tokenizer_object=tokenizer, pad_token="<pad>", eos_token="<eos>", unk_token="<unk>"
)
torch.manual_seed(0)
model = LlamaForSequenceClassification(
    LlamaConfig(
        vocab_size=64, hidden_size=32, num_hidden_layers=1, num_attention_heads=2,
        intermediate_size=32, num_labels=1, pad_token_id=0, initializer_range=0.2,
    )
).eval()


@torch.no_grad()
def reward(text):
    ids = torch.tensor([tokenizer(f"{text} <eos>")["input_ids"]])
    return float(model(ids).logits)


rows = []
for i in range(5):
    better, worse = sorted([f"w{i} w{i + 1}", f"w{i + 9} w{i}"], key=reward, reverse=True)
    rows.append({"chosen": better, "rejected": worse})
rows[4] = {"chosen": rows[4]["rejected"], "rejected": rows[4]["chosen"]}  # the model gets it wrong
data = Dataset.from_list(rows)


def evaluated(batch_size):
    args = RewardConfig(
        output_dir="out", per_device_eval_batch_size=batch_size, use_cpu=True, bf16=False,
        gradient_checkpointing=False, report_to="none", disable_tqdm=True, log_level="error",
    )
    trainer = RewardTrainer(
        model=model, args=args, train_dataset=data, eval_dataset=data, processing_class=tokenizer
    )
    trainer.remove_callback(PrinterCallback)
    metrics = trainer.evaluate()
    return round(metrics["eval_accuracy"], 4), round(metrics["eval_loss"], 4)


(whole, loss_whole), (split, loss_split) = evaluated(5), evaluated(4)
print(f"batches of 5: accuracy {whole:.2f}, loss {loss_whole:.3f}", end="; ")
print(f"batches of 4: accuracy {split:.2f}, loss {loss_split:.3f}")
seen = (whole, split) == (0.8, 0.5) and abs(loss_whole - loss_split) < 0.001
sys.exit(0 if seen else "changed: expected accuracies of 0.8 and 0.5 and one loss")
PYTHON
