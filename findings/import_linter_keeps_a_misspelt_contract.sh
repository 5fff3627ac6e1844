#!/usr/bin/env bash
# import-linter 2.17: a contract that forbids a package is kept when its name is misspelt.
#
# Version:     import-linter 2.17, grimp 3.20.
# Expectation: a name in forbidden_modules that nothing in the graph bears is an error, as a layer that
#              does not exist is ("Missing layer").
# Behaviour:   "jsonn" is forbidden to nobody's surprise: the contract is reported KEPT and the exit
#              status is 0, while the package imports json. The check looks green and checks nothing.
# Output seen: right name: status 1, BROKEN; misspelt: status 0, KEPT
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/python" -m pip install --quiet --no-compile --disable-pip-version-check \
  import-linter==2.17 grimp==3.20
cd "$folder"
HF_HUB_OFFLINE=1 TOKENIZERS_PARALLELISM=false env/bin/python -W ignore - <<'PYTHON'
import subprocess
import sys
from pathlib import Path

Path("house").mkdir()
Path("house/__init__.py").write_text("import json\n")
CONFIG = """
[importlinter]
root_package = house
include_external_packages = True

[importlinter:contract:light]
name = light
type = forbidden
source_modules = house
forbidden_modules = {name}
"""


def verdict(name):
    Path("contracts.ini").write_text(CONFIG.format(name=name))
    done = subprocess.run(
        ["env/bin/lint-imports", "--config", "contracts.ini", "--no-cache"],
        capture_output=True, text=True, env={"PYTHONPATH": ".", "PATH": "env/bin"},
    )
    return done.returncode, "KEPT" if "light KEPT" in done.stdout else "BROKEN"


right, misspelt = verdict("json"), verdict("jsonn")
print("right name: status {}, {}; misspelt: status {}, {}".format(*right, *misspelt))
sys.exit(0 if (right, misspelt) == ((1, "BROKEN"), (0, "KEPT")) else "changed")
PYTHON
