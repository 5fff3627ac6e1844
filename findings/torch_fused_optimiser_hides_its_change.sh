#!/usr/bin/env bash
# torch 2.13.0: a fused optimiser changes weights unseen by autograd, and gradients come out wrong.
#
# Version:     torch 2.13.0, on a CPU.
# Expectation: autograd counts how often a tensor was changed in place, and refuses to go backwards through
#              one that has changed since the forward pass. So it does after a step of any optimiser.
# Behaviour:   with fused=True (the default of transformers' Trainer is adamw_torch_fused) a step leaves the
#              count of the weights as it was. A loss that was computed before the step goes backwards
#              through the weights after it: no error, other gradients. Whatever else goes by the count,
#              such as a cache of something made of the weights, goes on with the old ones.
# Output seen: Adam: error; Adam, fused: gradient off by 0.20; AdamW: error; AdamW, fused: gradient off by
#              0.20; SGD: error; SGD, fused: gradient off by 0.49; Adagrad: error; Adagrad, fused: gradient
#              off by 0.20
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/python" -m pip install --quiet --no-compile --disable-pip-version-check \
  torch==2.13.0 numpy==2.4.6
cd "$folder"
env/bin/python -W ignore - <<'PYTHON'
import sys

import torch

seen, lines = [], []
for name in ("Adam", "AdamW", "SGD", "Adagrad"):
    for fused in (False, True):
        torch.manual_seed(0)
        first, second = torch.nn.Linear(4, 4), torch.nn.Linear(4, 1)
        weights = [*first.parameters(), *second.parameters()]
        optimiser = getattr(torch.optim, name)(weights, lr=0.1, fused=fused)
        x = torch.ones(2, 4)
        second(first(x)).sum().backward()
        loss = second(first(x)).sum()  # of the weights before the step
        (exact,) = torch.autograd.grad(loss, first.weight, retain_graph=True)
        optimiser.step()
        try:
            (gradient,) = torch.autograd.grad(loss, first.weight)
            said = f"gradient off by {(gradient - exact).abs().max():.2f}"
            seen.append(fused and not torch.allclose(gradient, exact, atol=1e-3))
        except RuntimeError as error:
            said = "error"
            seen.append(not fused and "modified by an inplace operation" in str(error))
        lines.append(f"{name}{', fused' if fused else ''}: {said}")
print("; ".join(lines))
sys.exit(0 if all(seen) else "changed: expected an error without fused, and none with it")
PYTHON
