#!/usr/bin/env bash
# bitsandbytes 0.50.2: on a CPU with AVX512_BF16, a 4-bit layer that was evaluated once passes no
# gradient to its input any more, without a word.
#
# Version:     bitsandbytes 0.50.2, torch 2.13.0; CPU with the flag avx512_bf16.
# Expectation: a forward pass in eval() and no_grad() leaves training as it was, so the gradient of
#              the input is the same before and after it.
# Behaviour:   the first such pass repacks the weights for inference; train() does not undo that, and
#              the packed path has no backward. The gradient is None. So an adapter below a layer is
#              not trained by what stands above it once a trainer has evaluated in between. (A layer
#              with a bias raises a RuntimeError instead.) `support_avx512bf16_for_cpu = False` on
#              every Linear4bit after loading avoids it.
# Output seen: before eval: gradient of shape (4, 64); after eval: None
set -euo pipefail
if ! grep -q avx512_bf16 /proc/cpuinfo; then
  echo "not applicable: this CPU has no AVX512_BF16"
  exit 0
fi
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/python" -m pip install --quiet --no-compile --disable-pip-version-check \
  torch==2.13.0 bitsandbytes==0.50.2 numpy==2.4.6
cd "$folder"
HF_HUB_OFFLINE=1 TOKENIZERS_PARALLELISM=false env/bin/python -W ignore - <<'PYTHON'
import sys

import bitsandbytes
import torch

torch.manual_seed(0)
x = torch.randn(4, 64, dtype=torch.bfloat16)


def gradient(layer):
    z = x.clone().requires_grad_()
    layer.train()
    layer(z).float().pow(2).sum().backward()
    return z.grad


def examine(packing):
    layer = bitsandbytes.nn.Linear4bit(
        64, 64, bias=False, quant_type="nf4", compute_dtype=torch.bfloat16
    ).to("cpu")
    if not packing:
        layer.support_avx512bf16_for_cpu = False
    before = gradient(layer)
    layer.eval()
    with torch.no_grad():
        layer(x)
    return before, gradient(layer)


before, after = examine(packing=True)
print("bitsandbytes", bitsandbytes.__version__)
print(f"before eval: gradient of shape {tuple(before.shape)}; after eval: {after}")
before_off, after_off = examine(packing=False)
same = torch.equal(before_off, after_off)
print(f"without packing: the same gradient before and after: {same}")
sys.exit(0 if after is None and same else "changed: the gradient after eval is there again")
PYTHON
