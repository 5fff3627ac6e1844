#!/usr/bin/env bash
# statsmodels 0.15.0: a rating that is missing (NaN) is counted as a category of its own, and kappa is
# computed with it.
#
# Version:     statsmodels 0.15.0, numpy 2.4.6.
# Expectation: aggregate_raters leaves a missing rating out. Subjects would then have unequal numbers of
#              ratings, which fleiss_kappa refuses with an AssertionError; or NaN is refused at once.
# Behaviour:   NaN is a category like 0 and 1. The counts of each subject add up to the number of
#              raters, so fleiss_kappa has nothing to refuse. Raters who never disagree get a kappa far
#              below 1, and two raters who both left a subject out count as agreement.
# Output seen: all agree 1.00, all who rated agree 0.47, categories [0.0, 1.0, nan]
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
from statsmodels.stats.inter_rater import aggregate_raters, fleiss_kappa

NOT_RATED = float("nan")
full = np.array([[1.0, 1, 1], [0, 0, 0], [1, 1, 1], [0, 0, 0]])  # subjects by raters
gaps = full.copy()
gaps[2:, 2] = NOT_RATED

kappas, categories = [], []
for ratings in (full, gaps):
    counts, categories = aggregate_raters(ratings)
    kappas.append(fleiss_kappa(counts))
print("all agree {:.2f}, all who rated agree {:.2f}".format(*kappas), end=", ")
print(f"categories {categories.tolist()}")
counted = len(categories) == 3 and np.isnan(categories[2])
sys.exit(0 if counted and kappas[0] == 1 > kappas[1] + 0.1 else "changed: NaN is no category now")
PYTHON
