#!/usr/bin/env bash
# krippendorff 0.9.0: the same ratings give another alpha as unsigned integers.
#
# Version:     krippendorff 0.9.0, numpy 2.4.6.
# Expectation: ratings from 1 to 5 give the same interval alpha as float64, int8 and uint8: every one of
#              them is represented exactly, and so would be their differences.
# Behaviour:   with level "interval" (the usual level, when none is named) and "ratio" the values are
#              subtracted in their own type, and turned into floats after that. Of unsigned integers
#              1 - 5 is 252 then, so a slight disagreement counts as a vast one in one direction. No
#              warning. "ordinal" and "nominal" compare places and are right. pandas and parquet hand
#              out ratings as uint8 once a column was made small.
# Output seen: float64 0.924, int8 0.924, uint8 0.550
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/python" -m pip install --quiet --no-compile --disable-pip-version-check \
  krippendorff==0.9.0 numpy==2.4.6
cd "$folder"
HF_HUB_OFFLINE=1 TOKENIZERS_PARALLELISM=false env/bin/python -W error - <<'PYTHON'
import sys

import krippendorff
import numpy as np

ratings = np.array([[1, 2, 3, 4, 5, 5, 2, 1], [1, 2, 3, 5, 5, 4, 3, 1]])
alphas = {
    dtype: krippendorff.alpha(ratings.astype(dtype), level_of_measurement="interval")
    for dtype in ("float64", "int8", "uint8")
}
print(", ".join(f"{dtype} {alpha:.3f}" for dtype, alpha in alphas.items()))
same = abs(alphas["int8"] - alphas["float64"]) < 1e-9
sys.exit(0 if same and abs(alphas["uint8"] - alphas["float64"]) > 0.1 else "changed: all the same")
PYTHON
