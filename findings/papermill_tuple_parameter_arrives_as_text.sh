#!/usr/bin/env bash
# papermill 2.7.0: a tuple among the parameters arrives in the notebook as a text.
#
# Version:     papermill 2.7.0, nbformat 5.11.1.
# Expectation: seeds=(10, 20) arrives as a tuple or, as in JSON, a list; or it is refused, as a set and a
#              NumPy integer are (TypeError: not JSON serializable).
# Behaviour:   the injected cell says seeds = "(10, 20)", and so it does inside of lists and dictionaries.
#              The notebook's metadata, where papermill records what it was given, has the list [10, 20].
#              A loop over the seeds runs over eight characters, without a warning.
# Output seen: list [10, 20], tuple '(10, 20)'; recorded [10, 20]; rounds of a loop: 8
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/python" -m pip install --quiet --no-compile --disable-pip-version-check \
  papermill==2.7.0 nbformat==5.11.1
cd "$folder"
HF_HUB_OFFLINE=1 TOKENIZERS_PARALLELISM=false env/bin/python -W ignore - <<'PYTHON'
import sys

import nbformat
import papermill

cell = nbformat.v4.new_code_cell("seeds = (1, 2)", metadata={"tags": ["parameters"]})
kernel = {"name": "python3", "language": "python", "display_name": "Python"}
notebook = nbformat.v4.new_notebook(cells=[cell], metadata={"kernelspec": kernel})
nbformat.write(notebook, "in.ipynb")


def arrives(seeds):
    # prepare_only writes the notebook that would be executed, and starts no kernel
    out = papermill.execute_notebook(
        "in.ipynb", "out.ipynb", {"seeds": seeds}, prepare_only=True, progress_bar=False
    )
    names = {}
    exec("\n".join(cell.source for cell in out.cells), names)
    recorded = nbformat.read("out.ipynb", as_version=4).metadata.papermill.parameters.seeds
    return names["seeds"], recorded


as_list, _ = arrives([10, 20])
as_tuple, recorded = arrives((10, 20))
rounds = sum(1 for seed in as_tuple)
print(f"list {as_list!r}, tuple {as_tuple!r}; recorded {recorded!r}; rounds of a loop: {rounds}")
seen = (as_list, as_tuple, recorded) == ([10, 20], "(10, 20)", [10, 20])
sys.exit(0 if seen else "changed: a tuple is no text any more")
PYTHON
