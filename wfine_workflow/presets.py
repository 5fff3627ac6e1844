"""Which notebooks there are, in what order, and whether the parameters of a preset hold.

A preset is a folder ``params/<preset>`` with one YAML file per notebook, which names what differs
from the notebook's parameters cell; it may run only some of the notebooks, and may need a GPU, if
its ``preset.yaml`` says so. The check is made before anything runs: a misspelt name in the last
file should not cost the hours of the notebooks before.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

from pydantic import Field, model_validator

from wfine_study.cells import ValidityParams, all_cells
from wfine_utils.adherence.prompt_sets import BUILT_IN, load_prompt_sets
from wfine_utils.chains import real_queries, weval_hand
from wfine_utils.chains.files import load_chains
from wfine_utils.chains.real_queries import REAL_QUERIES
from wfine_utils.errors import WfineError
from wfine_utils.files import display_path, project_root, read_yaml, resolve
from wfine_utils.notebook import params
from wfine_utils.notebook.code_digest import imported_modules
from wfine_utils.settings import WITHOUT_MODEL, Settings

BASE, DROPS, COLLECTS = "00_base_model", "02_requirement_dropping", "07_paper_tables"
"""The second reads the first if the model is to write its chains; the third reads whatever is
there, while the others need all that they read."""

TRAINS, POLICIES = "03_reward_model", "04_wrl_policy"
"""The second reads the first if one of its rewards is a reward model."""

NOTEBOOKS: dict[str, tuple[str, ...]] = {
    BASE: (),
    "01_data_taxonomy": (),
    DROPS: (),
    TRAINS: (BASE, DROPS),
    POLICIES: (BASE, DROPS, TRAINS),
    "05_weval_correlation": (BASE, DROPS, TRAINS),
    "06_validity_and_ablations": (BASE, DROPS),
}
NOTEBOOKS[COLLECTS] = tuple(NOTEBOOKS)
"""Every notebook of the batch run, and the notebooks whose results it reads in any case."""

BY_HAND = ("03b_reward_model_by_hand", "04b_policy_by_hand", "08_annotation", "09_people")
"""Notebooks that a person runs, two asides that build an engine by hand and two that need people or
what they have said: they have parameter files, and are no part of the batch run."""

PARAMS: dict[str, type[params.NotebookParams]] = {
    model.notebook: model
    for model in (
        params.BaseModelParams, params.DataParams, params.DroppingParams, params.RewardModelParams,
        params.PolicyParams, params.WevalParams, ValidityParams, params.TablesParams,
        params.RewardByHandParams, params.PolicyByHandParams, params.AnnotationParams,
        params.PeopleParams,
    )
}  # fmt: skip
"""The parameters of every notebook."""

RESOURCES = "resources.yaml"
"""Optional file of a preset: what a cluster must give each notebook (``gpu: 1``, ...)."""

CHOICE = "preset.yaml"
"""Optional file of a preset: what is in :class:`Choice`."""

CHAINS_FIELDS = ("chains_path", "released_path")
"""Parameters that name a chains file of the user's; a notebook has one of them at most."""


class Choice(Settings):
    """What a preset runs, and on what."""

    notebooks: list[str] = Field(default=list(NOTEBOOKS), min_length=1, description="in order")
    needs_gpu_gib: float | None = Field(  # 22 is what a GPU sold as 24 GB has left
        default=None, gt=0, lt=1e4, strict=True, description="least free memory; none: needs no GPU"
    )

    @model_validator(mode="after")
    def _can_be_run(self) -> Self:
        if self.notebooks != [name for name in NOTEBOOKS if name in self.notebooks]:
            raise ValueError(
                f"notebooks: found {', '.join(self.notebooks)}, expected some of "
                f"{', '.join(NOTEBOOKS)}, in this order, each once"
            )
        for name in self.notebooks:
            missing = [other for other in NOTEBOOKS[name] if other not in self.notebooks]
            if name == POLICIES:  # whether it needs them, its own parameters say
                missing = [other for other in missing if other != TRAINS]
            if missing and name != COLLECTS:
                raise ValueError(
                    f"notebooks: found {name} without {', '.join(missing)}, whose results it "
                    f"reads: add them, or leave {name} out"
                )
        return self


def presets() -> list[str]:
    """Names of the folders in ``params``."""
    return sorted(p.name for p in (project_root() / "params").glob("*") if p.is_dir())


def preset_choice(preset: str) -> Choice:
    """What the ``preset.yaml`` of a preset says; without one: everything, on a CPU."""
    path = project_root() / "params" / preset / CHOICE
    return Choice.checked(read_yaml(path), display_path(path)) if path.exists() else Choice()


def preset_notebooks(preset: str) -> dict[str, tuple[str, ...]]:
    """:data:`NOTEBOOKS`, restricted to those that a preset runs.

    Raises:
        WfineError: its ``preset.yaml`` does not hold, or no notebook makes the model that writes
            chains or the reward models that policies are trained for.
    """
    chosen = preset_choice(preset).notebooks
    edges = {name: tuple(x for x in NOTEBOOKS[name] if x in chosen) for name in chosen}
    folder = project_root() / "params" / preset
    path = folder / f"{DROPS}.yaml"
    if DROPS in edges and path.exists() and params.DroppingParams.from_file(path).writer == "model":
        if BASE not in chosen:
            raise WfineError(
                f"{display_path(path)}: found writer: model without {BASE}, whose model it is. "
                f'Expected that notebook in {CHOICE}, or writer: "tiny".'
            )
        edges[DROPS] = (BASE,)
    path = folder / f"{POLICIES}.yaml"
    if POLICIES in edges and TRAINS not in chosen and path.exists():
        rewards = params.PolicyParams.from_file(path).rewards
        if needed := [name for name in rewards if name not in WITHOUT_MODEL]:
            raise WfineError(
                f"{display_path(path)}: found rewards: {', '.join(needed)} without {TRAINS}, which "
                f"trains their models. Expected that notebook in {CHOICE}, or some of "
                f"{', '.join(WITHOUT_MODEL)}."
            )
    return edges


def load_preset(preset: str) -> dict[str, params.NotebookParams]:
    """The checked parameters of a preset's notebooks, in the order of :data:`NOTEBOOKS`.

    Raises:
        WfineError: there is no such preset; a file is missing, superfluous or no YAML; a value does
            not hold or does not fit the other files; a file of the user's cannot be used.
    """
    if preset not in presets():
        close = difflib.get_close_matches(preset, presets(), n=1)
        hint = f" Did you mean {close[0]!r}?" if close else ""
        raise WfineError(
            f"There is no preset {preset!r}: expected one of {', '.join(presets())} (the folders "
            f"in params).{hint} Choose with: make reproduce PRESET=mini"
        )
    folder = project_root() / "params" / preset
    runs = list(preset_notebooks(preset))
    # who leaves notebooks out need not have parameters for those that need a person
    by_hand = [x for x in BY_HAND if (folder / f"{x}.yaml").exists() or len(runs) == len(NOTEBOOKS)]
    expected = {f"{name}.yaml" for name in (*runs, *BY_HAND)} | {RESOURCES, CHOICE}
    if odd := sorted({p.name for p in folder.glob("*.y*ml")} - expected):
        raise WfineError(
            f"{display_path(folder)} holds {', '.join(odd)}, which no notebook of this preset "
            f"reads: expected {', '.join(sorted(expected))}. Rename or remove the file."
        )
    checked = {name: PARAMS[name].from_file(folder / f"{name}.yaml") for name in (*runs, *by_hand)}
    for name, values in checked.items():
        where = f"params/{preset}/{name}.yaml"
        if values.preset != preset:
            raise WfineError(
                f"{where}: preset: found {values.preset}, expected {preset} as the folder's name, "
                "or results would be written over those of another preset."
            )
        if values.output_root != (root := checked[runs[0]].output_root):
            raise WfineError(
                f"{where}: output_root: found {values.output_root}, expected {root} as in "
                f"{runs[0]}.yaml, or the notebooks would not find each other's results."
            )
        if isinstance(values, ValidityParams):
            with _problems_in(where):
                all_cells(values.study)
        for field, paths in own_files(values.model_dump()).items():
            with _problems_in(f"{where}: {field}"):
                if field in CHAINS_FIELDS:
                    load_chains(paths[0])
                else:
                    load_prompt_sets([str(path) for path in paths])
    return {name: checked[name] for name in runs}


def notebook_sources(notebook: str) -> list[str]:
    """Paths from here of our modules that a notebook imports, and of the data that they read."""
    paths = [*imported_modules(notebook)]
    for module, folder in ((weval_hand, weval_hand.FOLDER), (real_queries, REAL_QUERIES)):
        if Path(str(module.__file__)) in paths:
            paths += [path for path in sorted(folder.iterdir()) if path.suffix != ".md"]
    return [os.path.relpath(path) for path in paths]


@contextmanager
def _problems_in(where: str) -> Iterator[None]:
    try:
        yield
    except WfineError as error:
        raise WfineError(f"{where}: {error}") from error


def own_files(parameters: Mapping[str, Any]) -> dict[str, list[Path]]:
    """The user's own files of chains and prompts, by each parameter that names some."""
    sources = {field: [parameters.get(field)] for field in CHAINS_FIELDS}
    sources["prompt_sets"] = [x for x in parameters.get("prompt_sets", []) if x not in BUILT_IN]
    paths = {field: [resolve(x) for x in values if x] for field, values in sources.items()}
    return {field: named for field, named in paths.items() if named}
