"""The presets that come with the project: every parameter once, and every value holds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from conftest import ROOT

from wfine_utils.errors import WfineError
from wfine_utils.notebook.params import cell_defaults, merged
from wfine_workflow.presets import (
    BY_HAND,
    CHOICE,
    NOTEBOOKS,
    PARAMS,
    RESOURCES,
    notebook_sources,
    own_files,
    preset_notebooks,
    presets,
)

FILES = sorted((ROOT / "params").glob("*/0*.yaml"))


def in_file(path: Path) -> dict[str, Any]:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def leaves(values: Mapping[str, Any], *above: str) -> Iterator[tuple[tuple[str, ...], Any]]:
    """The innermost values with the names that lead to them."""
    for name, value in values.items():
        if isinstance(value, Mapping) and value:
            yield from leaves(value, *above, name)
        else:
            yield (*above, name), value


@pytest.mark.parametrize("path", FILES, ids=lambda p: f"{p.parent.name}/{p.stem}")
class TestFile:
    def test_it_states_its_preset_and_what_differs_from_the_cell(self, path):
        values, cell = in_file(path), dict(leaves(cell_defaults(path.stem)))
        assert values.pop("preset") == path.parent.name
        same = [names for names, value in leaves(values) if cell.get(names, ...) == value]
        assert not same, "these are in the parameters cell already"

    def test_its_values_have_the_type_of_their_parameter(self, path):
        values = merged(cell_defaults(path.stem), in_file(path))
        checked = PARAMS[path.stem].from_file(path).model_dump()
        assert checked == values, "1e-3 is a text in YAML"


def test_mini_is_the_parameters_cells():
    for name in (*NOTEBOOKS, *BY_HAND):
        assert in_file(ROOT / "params" / "mini" / f"{name}.yaml") == {"preset": "mini"}
        assert cell_defaults(name)["preset"] == "mini"


def test_presets_hold_a_file_for_every_notebook_that_they_run_and_no_odd_ones():
    assert presets() == sorted({path.parent.name for path in FILES})
    assert list(PARAMS) == [*NOTEBOOKS, *BY_HAND]
    for preset in presets():
        present = {p.name for p in (ROOT / "params" / preset).iterdir()}
        runs = {f"{name}.yaml" for name in preset_notebooks(preset)}
        assert runs <= present <= runs | {f"{name}.yaml" for name in BY_HAND} | {RESOURCES, CHOICE}
    assert set(preset_notebooks("smoke")) == set(preset_notebooks("mini")) == set(NOTEBOOKS)


def test_smoke_is_small_and_differs_from_mini_in_numbers_alone():
    for name in (*NOTEBOOKS, *BY_HAND):
        for names, value in leaves(in_file(ROOT / "params" / "smoke" / f"{name}.yaml")):
            numbers = value if isinstance(value, list) else [value]
            assert names == ("preset",) or all(type(x) in (int, float) for x in numbers), names


def test_the_files_of_a_user_are_told_apart_from_ours():
    ours = {"chains_path": "", "prompt_sets": ["tiny", "weval_hand"], "n": 3}
    assert own_files(ours) == {}
    theirs = ours | {"released_path": "/a.jsonl", "prompt_sets": ["tiny", "/b.jsonl", "/c.jsonl"]}
    assert own_files(theirs) == {
        "released_path": [Path("/a.jsonl")], "prompt_sets": [Path("/b.jsonl"), Path("/c.jsonl")]
    }  # fmt: skip


class TestPoliciesWithoutRewardModels:
    """A preset whose rewards read no reward model need not train any."""

    @pytest.fixture
    def preset(self, tmp_path, monkeypatch) -> Path:
        monkeypatch.setattr("wfine_workflow.presets.project_root", lambda: tmp_path)
        folder = tmp_path / "params" / "own"
        folder.mkdir(parents=True)
        runs = ["00_base_model", "02_requirement_dropping", "04_wrl_policy"]
        (folder / "preset.yaml").write_text(yaml.safe_dump({"notebooks": runs}))
        return folder

    def test_checks_and_likelihood(self, preset):
        (preset / "04_wrl_policy.yaml").write_text("preset: own\nrewards: [likelihood, checks]\n")
        edges = preset_notebooks("own")
        assert edges["04_wrl_policy"] == ("00_base_model", "02_requirement_dropping")

    def test_another_reward_needs_its_model(self, preset):
        (preset / "04_wrl_policy.yaml").write_text("preset: own\nrewards: [checks, hybrid]\n")
        with pytest.raises(WfineError, match="rewards: hybrid without 03_reward_model"):
            preset_notebooks("own")


def test_a_notebook_depends_on_what_it_imports_and_on_the_data_of_that(monkeypatch):
    monkeypatch.chdir(ROOT)
    sources = {name: notebook_sources(name) for name in NOTEBOOKS}
    assert all("wfine_utils/notebook/run.py" in paths for paths in sources.values())
    data = "wfine_utils/weval_hand/weval_hand.jsonl"
    assert data in sources["05_weval_correlation"]
    queries = "wfine_utils/real_queries/train.jsonl"
    assert queries in sources["02_requirement_dropping"]
    assert queries not in sources["05_weval_correlation"]
