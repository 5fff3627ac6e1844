#!/usr/bin/env bash
# datasets 5.2.0: what was a dictionary in JSON lines comes out of parquet as text for every other
# reader.
#
# Version:     datasets 5.2.0, pyarrow 26.0.1, pandas 3.1.1.
# Expectation: to_parquet keeps the dictionaries of a nested column (as a struct), so that pandas and
#              pyarrow read what load_dataset read.
# Behaviour:   objects whose keys differ from row to row get the feature Json. datasets itself turns it
#              back into dictionaries; in the parquet file the values are JSON strings, and pandas
#              and pyarrow hand them out as strings. The arguments of IFEval's instructions are such a
#              column.
# Output seen: datasets {'a': 1}, pandas '{"a":1}'
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/python" -m pip install --quiet --no-compile --disable-pip-version-check \
  datasets==5.2.0 pyarrow==26.0.1 pandas==3.1.1
cd "$folder"
HF_HUB_OFFLINE=1 TOKENIZERS_PARALLELISM=false env/bin/python -W ignore - <<'PYTHON'
import json
import sys
from pathlib import Path

import pandas as pd
from datasets import disable_progress_bars, load_dataset

disable_progress_bars()
rows = [{"id": 1, "arguments": [{"a": 1}]}, {"id": 2, "arguments": [{"b": "x"}]}]
Path("rows.jsonl").write_text("\n".join(map(json.dumps, rows)))
data = load_dataset("json", data_files="rows.jsonl", split="train", cache_dir="cache")
data.to_parquet("rows.parquet")
in_datasets = data[0]["arguments"][0]
in_pandas = pd.read_parquet("rows.parquet")["arguments"][0][0]
print(f"datasets {in_datasets!r}, pandas {in_pandas!r}")
same = (in_datasets, in_pandas) == ({"a": 1}, '{"a":1}')
sys.exit(0 if same else "changed: parquet holds something else now")
PYTHON
