#!/usr/bin/env bash
# py3langid 0.4.0: one word in small letters turns an English sentence in capitals into Polish.
#
# Version:     py3langid 0.4.0.
# Expectation: English; the same sentence in small letters is English by a wide margin, and so is the
#              sentence in capitals without the last word.
# Behaviour:   text in capitals is folded before it is classified only if all of it is in capitals. With
#              one small word the capitals are taken as they are, most features of the classifier, which
#              is trained on small letters, do not occur, and the few that are left decide.
# Output seen: small letters en, capitals en, capitals and one small word pl
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/python" -m pip install --quiet --no-compile --disable-pip-version-check \
  py3langid==0.4.0 numpy==2.4.6
cd "$folder"
HF_HUB_OFFLINE=1 TOKENIZERS_PARALLELISM=false env/bin/python -W ignore - <<'PYTHON'
import sys

import py3langid

sentence = "WE WENT TO THE RIVER AND SAW MANY BIRDS."
texts = {
    "small letters": f"{sentence} ok".lower(),
    "capitals": sentence,
    "capitals and one small word": f"{sentence} ok",
}
languages = {name: py3langid.classify(text)[0] for name, text in texts.items()}
print(", ".join(f"{name} {language}" for name, language in languages.items()))
sys.exit(0 if list(languages.values()) == ["en", "en", "pl"] else "changed: another language")
PYTHON
