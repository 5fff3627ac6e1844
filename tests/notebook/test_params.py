"""Parameters: the cell's values, what a file changes, what papermill injects."""

from __future__ import annotations

import json

import pytest
from conftest import ROOT

from wfine_study.cells import ValidityParams
from wfine_utils.errors import WfineError
from wfine_utils.notebook.params import RewardModelParams, TablesParams, cell_defaults, merged

CELL = 'preset: str = "mini"  # a comment\noutput_root: str = "o"\nseed: int = 0\ndigits: int = 3'


def test_merging_changes_the_innermost_values_alone():
    defaults = {"a": 1, "b": {"c": [1, 2], "d": {"e": 3, "f": 4}}}
    changes = {"b": {"c": [5], "d": {"f": 6}}, "g": {"h": 7}}
    assert merged(defaults, changes) == {
        "a": 1, "b": {"c": [5], "d": {"e": 3, "f": 6}}, "g": {"h": 7}
    }  # fmt: skip
    assert defaults["b"] == {"c": [1, 2], "d": {"e": 3, "f": 4}}, "not changed in place"


def test_a_file_names_what_differs_from_the_cell(tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)
    path = tmp_path / "03.yaml"
    path.write_text("preset: mine\nlora_r: 5\n")
    cell = cell_defaults("03_reward_model")
    assert len(cell) == len(RewardModelParams.model_fields)
    expected = cell | {"preset": "mine", "lora_r": 5}
    assert RewardModelParams.from_file(path).model_dump() == expected
    path.write_text("lora_rank: 5\n")
    with pytest.raises(WfineError, match=r"03\.yaml: .*lora_rank: Extra inputs"):
        RewardModelParams.from_file(path)


def test_outside_of_the_project_a_file_names_everything(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "07.yaml"
    path.write_text("preset: mine\noutput_root: o\nseed: 1\ndigits: 2\n")
    assert TablesParams.from_file(path).digits == 2
    path.write_text("digits: 2\n")
    with pytest.raises(WfineError, match="output_root: Field required"):
        TablesParams.from_file(path)


def test_a_cell_that_must_be_run_to_be_read_is_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    cell = {
        "cell_type": "code",
        "metadata": {"tags": ["parameters"]},
        "source": [CELL, "\nn = 2 * 3"],
    }
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "notebooks" / "x.ipynb").write_text(json.dumps({"cells": [cell]}))
    with pytest.raises(WfineError, match=r"x\.ipynb: parameters cell: n: found 2 \* 3, expected"):
        cell_defaults("x")


class TestNamespace:
    def namespace(self, *cells: str) -> dict[str, object]:
        values: dict[str, object] = {}
        for cell in cells:
            exec(cell, values)  # noqa: S102
        return values | {"In": ["", *cells]}

    def test_what_the_cell_says(self):
        params = TablesParams.from_namespace(self.namespace(CELL))
        assert (params.preset, params.digits) == ("mini", 3)

    def test_what_papermill_injects(self):
        params = TablesParams.from_namespace(self.namespace(CELL, "# Parameters\ndigits = 2\n"))
        assert params.digits == 2
        with pytest.raises(WfineError, match="digitz: Extra inputs"):
            TablesParams.from_namespace(self.namespace(CELL, "# Parameters\ndigitz = 2\n"))

    def test_an_injected_dictionary_changes_that_of_the_cell(self):
        cell = cell_defaults("06_validity_and_ablations")
        source = "\n".join(f"{name} = {value!r}" for name, value in cell.items())
        injected = '# Parameters\nstudy = {"n_pairs": 7, "reward": {"lora_r": 3}}\n'
        params = ValidityParams.from_namespace(self.namespace(source, injected))
        assert params.model_dump() == merged(
            cell, {"study": {"n_pairs": 7, "reward": {"lora_r": 3}}}
        )
