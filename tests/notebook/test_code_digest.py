"""Which code a result depends on."""

from __future__ import annotations

import json

from wfine_utils.notebook.code_digest import cells_digest, code_only, imported_modules


def test_words_do_not_change_the_source_digest_but_code_does():
    base = code_only("def f(x):\n    return x\n")
    assert code_only('"""A."""\n\ndef f(x):\n    """B."""\n    # why\n    return x\n') == base
    assert code_only("def f(x):\n    return x + 1\n") != base
    assert code_only("def f(x):\n    return 'x'\n") != base


def test_outputs_do_not_change_the_digest_of_cells_but_words_and_tags_do(tmp_path):
    def digest(source="x = 1", tags=(), **more):
        cell = {"cell_type": "code", "source": source, "metadata": {"tags": [*tags]}} | more
        (tmp_path / "nb.ipynb").write_text(json.dumps({"cells": [cell], "metadata": more}))
        return cells_digest(tmp_path / "nb.ipynb")

    saved = {"outputs": [{"output_type": "stream", "text": "1"}], "execution_count": 3}
    assert digest() == digest(**saved) == digest(["x = ", "1"])
    assert len({digest(), digest("x = 2"), digest(tags=["idea"]), digest(cell_type="raw")}) == 4


def test_only_modules_that_the_notebook_imports_count(tmp_path, monkeypatch):
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "wfine"\n')
    (tmp_path / "notebooks").mkdir()
    monkeypatch.chdir(tmp_path)
    assert "metrics.py" in {p.name for p in imported_modules("01_mine")}  # no such notebook: all

    def imported(source: str) -> set[str]:
        cells = [{"cell_type": "markdown", "source": ["import wfine_utils.weval.evaluation"]},
                 {"cell_type": "code", "source": source.splitlines(keepends=True)}]  # fmt: skip
        (tmp_path / "notebooks" / "01_mine.ipynb").write_text(json.dumps({"cells": cells}))
        return {p.stem for p in imported_modules("01_mine")}

    assert imported("import numpy") == set()
    face = imported("from wfine_utils.chains import Chain")
    assert "taxonomy" in face  # a name of a face counts as the module that has it
    assert not {"dropping", "pairs"} & face
    of_holm = imported("from wfine_utils.weval.resampling import holm")
    assert "resampling" in of_holm and "taxonomy" not in of_holm
    assert "resampling" in imported(
        "from wfine_utils.adherence import evaluate_policies"
    )  # through it
    assert {"resampling", "metrics"} <= imported("import wfine_utils.weval")
