#!/usr/bin/env bash
# TRL 1.16.0: RewardTrainer.predict returns too few rewards where the last batch is not full.
#
# Version:     trl 1.16.0, transformers 5.23.0, torch 2.13.0.
# Expectation: 10 pairs give 20 rewards, chosen and rejected of each.
# Behaviour:   each batch returns the rewards of its chosen texts and then those of its rejected
#              ones. Of the last batch only as many are kept as it had pairs, so with batches of 4
#              two of the four rewards of the last two pairs are missing, and which reward belongs
#              to which text depends on the batch size. There is no warning.
# Output seen: 10 pairs in batches of 4: 18 rewards; in batches of 5: 20
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
rows = [{"chosen": f"w{i} w{i + 1} w{i + 2}", "rejected": f"w{i + 3} w{i}"} for i in range(10)]
data = Dataset.from_list(rows)


def n_rewards(batch_size):
    args = RewardConfig(
        output_dir="out", per_device_eval_batch_size=batch_size, use_cpu=True, bf16=False,
        gradient_checkpointing=False, report_to="none", disable_tqdm=True,
    )
    trainer = RewardTrainer(
        model=model, args=args, train_dataset=data, eval_dataset=data, processing_class=tokenizer
    )
    return len(trainer.predict(trainer.eval_dataset).predictions)


partial, full = n_rewards(4), n_rewards(5)
print(f"10 pairs in batches of 4: {partial} rewards; in batches of 5: {full}")
sys.exit(0 if (partial, full) == (18, 20) else "changed: expected 18 and 20")
PYTHON
