#!/usr/bin/env bash
# statsmodels 0.15.0: with three methods one p-value that is NaN turns all adjusted p-values into NaN,
# and what is rejected then depends on the method.
#
# Version:     statsmodels 0.15.0, numpy 2.4.6.
# Expectation: multipletests refuses a p-value of NaN (a test that could not be computed), or adjusts the
#              others, as it does for "holm"; and reject says which adjusted p-values are below alpha.
# Behaviour:   fdr_bh, simes-hochberg and hommel work from the largest p-value down, and NaN is sorted
#              as the largest. Every adjusted value is NaN. fdr_bh and simes-hochberg still reject the
#              small ones; hommel rejects nothing at all. No warning. (In "holm" NaN counts as a test.)
# Output seen: holm 2 rejected, 1 NaN; fdr_bh 2 rejected, 4 NaN; simes-hochberg 2 rejected, 4 NaN;
#              hommel 0 rejected, 4 NaN; hommel without the NaN: 2 rejected
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/python" -m pip install --quiet --no-compile --disable-pip-version-check \
  statsmodels==0.15.0 numpy==2.4.6 scipy==1.17.1 pandas==3.1.1
cd "$folder"
HF_HUB_OFFLINE=1 TOKENIZERS_PARALLELISM=false env/bin/python -W error - <<'PYTHON'
import sys

import numpy as np
from statsmodels.stats.multitest import multipletests

p = np.array([0.001, 0.002, np.nan, 0.5])


def adjusted(values, method):
    reject, corrected, *_ = multipletests(values, alpha=0.05, method=method)
    return int(reject.sum()), int(np.isnan(corrected).sum())


seen = {method: adjusted(p, method) for method in ("holm", "fdr_bh", "simes-hochberg", "hommel")}
without, _ = adjusted(p[~np.isnan(p)], "hommel")
print("; ".join(f"{method} {n} rejected, {nan} NaN" for method, (n, nan) in seen.items()), end="; ")
print(f"hommel without the NaN: {without} rejected")
right = list(seen.values()) == [(2, 1), (2, 4), (2, 4), (0, 4)] and without == 2
sys.exit(0 if right else "changed: NaN is handled otherwise")
PYTHON
