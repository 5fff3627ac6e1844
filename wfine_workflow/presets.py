"""Which notebooks there are, in what order, and whether a preset's parameter files hold.

A preset is a folder ``params/<preset>`` with one YAML file per notebook; it may run only some of
them, and may need a GPU, if its ``preset.yaml`` says so. The check is made before anything runs:
a misspelt name in the last file should not cost the hours of the notebooks before.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from wfine_study.cells import all_cells
from wfine_utils.adherence.prompt_sets import BUILT_IN, load_prompt_sets
from wfine_utils.chains.files import load_chains
from wfine_utils.errors import WfineError
from wfine_utils.files import display_path, project_root, read_yaml, resolve
from wfine_utils.notebook.params import NotebookParams

NOTEBOOKS: dict[str, tuple[str, ...]] = {
    "00_base_model": (),
    "01_data_taxonomy": (),
    "02_requirement_dropping": (),
    "03_reward_model": ("00_base_model", "02_requirement_dropping"),
    "04_wrl_policy": ("00_base_model", "02_requirement_dropping", "03_reward_model"),
    "05_weval_correlation": ("00_base_model", "02_requirement_dropping", "03_reward_model"),
    "06_validity_and_ablations": ("00_base_model", "02_requirement_dropping"),
    "07_paper_tables": (
        "00_base_model",
        "01_data_taxonomy",
        "02_requirement_dropping",
        "03_reward_model",
        "04_wrl_policy",
        "05_weval_correlation",
        "06_validity_and_ablations",
    ),
}
"""Every notebook of the batch run, and the notebooks whose results it reads in any case."""

BASE, DROPS = "00_base_model", "02_requirement_dropping"
"""The second reads the first if the model is to write its chains."""

COLLECTS = "07_paper_tables"
"""The notebook that reads whatever is there; the others need all that they read."""

BY_HAND = ("08_annotation",)
"""Notebooks that need a person: they have parameter files, and are no part of the batch run."""

RESOURCES = "resources.yaml"
"""Optional file of a preset: what a cluster must give each notebook (``gpu: 1``, ...)."""

CHOICE = "preset.yaml"
"""Optional file of a preset: ``notebooks``, those that it runs, else all of them; and
``needs_gpu_gib``, if it is not for a CPU: the least memory of a GPU that it is meant for."""

CHAINS_FIELDS = ("chains_path", "released_path")
"""Parameters that name a chains file of the user's; a notebook has one of them at most."""


def presets() -> list[str]:
    """Names of the folders in ``params``."""
    return sorted(p.name for p in (project_root() / "params").glob("*") if p.is_dir())


def preset_notebooks(preset: str) -> dict[str, tuple[str, ...]]:
    """:data:`NOTEBOOKS`, restricted to those that a preset runs.

    Raises:
        WfineError: the ``preset.yaml`` of the preset does not hold.
    """
    path = project_root() / "params" / preset / CHOICE
    if not path.exists():
        return dict(NOTEBOOKS) | _written_by_model(preset, list(NOTEBOOKS))
    values = read_yaml(path)
    chosen = values.get("notebooks", list(NOTEBOOKS))
    expected = f"Expected notebooks: [...] with some of {', '.join(NOTEBOOKS)}, in this order"
    if odd := set(values) - {"notebooks", "needs_gpu_gib"}:
        raise WfineError(
            f"{display_path(path)}: found {', '.join(sorted(map(str, odd)))}. {expected}, or "
            "needs_gpu_gib: a number, and nothing else."
        )
    if not isinstance(chosen, list) or not chosen:
        raise WfineError(f"{display_path(path)}: found {values!r}. {expected}, and nothing else.")
    if odd := [name for name in chosen if name not in list(NOTEBOOKS)]:
        raise WfineError(
            f"{display_path(path)}: found {odd[0]!r}, which is no notebook. {expected}."
        )
    if chosen != [name for name in NOTEBOOKS if name in chosen]:
        raise WfineError(f"{display_path(path)}: found {', '.join(chosen)}. {expected}, each once.")
    for name in chosen:
        missing = [other for other in NOTEBOOKS[name] if other not in chosen]
        if missing and name != COLLECTS:
            raise WfineError(
                f"{display_path(path)}: found {name} without {', '.join(missing)}. Expected every "
                f"notebook whose results it reads: add them to notebooks, or leave {name} out."
            )
    edges = {name: tuple(x for x in NOTEBOOKS[name] if x in chosen) for name in chosen}
    return edges | _written_by_model(preset, chosen)


def _written_by_model(preset: str, chosen: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """What notebook 02 reads if the base model is to write its chains; else nothing is said."""
    path = project_root() / "params" / preset / f"{DROPS}.yaml"
    if not path.exists() or read_yaml(path).get("writer") != "model":
        return {}
    if BASE not in chosen:
        raise WfineError(
            f"{display_path(path)}: found writer: model without {BASE}, whose model it is. Expected that "
            f'notebook in {CHOICE}, or writer: "tiny".'
        )
    return {DROPS: (BASE,)}


def needs_gpu_gib(preset: str) -> float | None:
    """GiB of GPU memory that a preset is meant for; None: it runs on a CPU.

    Raises:
        WfineError: the ``preset.yaml`` of the preset does not hold.
    """
    path = project_root() / "params" / preset / CHOICE
    needed = read_yaml(path).get("needs_gpu_gib") if path.exists() else None
    if needed is None:
        return None
    if isinstance(needed, bool) or not isinstance(needed, int | float) or not 0 < needed < 1e4:
        raise WfineError(
            f"{display_path(path)}: needs_gpu_gib: found {needed!r}, expected a number of GiB such as 22, "
            "what a GPU sold as 24 GB has left. Leave the line out for a preset that runs on a CPU."
        )
    return float(needed)


def load_preset(preset: str) -> dict[str, NotebookParams]:
    """Read and check all parameter files of a preset.

    Args:
        preset: name of a folder in ``params``.

    Returns:
        The checked parameters of the notebooks that it runs, in the order of :data:`NOTEBOOKS`.

    Raises:
        WfineError: there is no such preset; a file is missing, superfluous or no YAML; a
            parameter is missing, unknown or has a bad value; ``preset`` or ``output_root``
            differ between files; the study of notebook 06 has no grid; ``chains_path``,
            ``released_path`` or ``prompt_sets`` points to a file that cannot be used.
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
    needs_gpu_gib(preset)
    known = {f"{name}.yaml" for name in (*runs, *BY_HAND)} | {RESOURCES, CHOICE}
    # who leaves notebooks out need not have parameters for those that need a person
    by_hand = [x for x in BY_HAND if (folder / f"{x}.yaml").exists() or len(runs) == len(NOTEBOOKS)]
    if odd := sorted({p.name for p in folder.glob("*.y*ml")} - known):
        raise WfineError(
            f"{display_path(folder)} holds {', '.join(odd)}, which no notebook of this "
            f"preset reads: expected {', '.join(sorted(known))}. Rename or remove the file."
        )
    models = {model.notebook: model for model in _models(NotebookParams)}
    checked = {}
    for name in (*runs, *by_hand):
        path = folder / f"{name}.yaml"
        values = read_yaml(path)
        checked[name] = models[name].checked(values, display_path(path))
        if values["preset"] != preset:
            raise WfineError(
                f"{display_path(path)}: preset is {values['preset']!r}, but the file lies in the folder "
                f"of preset {preset!r}; results would be written over those of another preset. "
                f"Expected preset: {preset}"
            )
    if len(roots := {cfg.output_root for cfg in checked.values()}) > 1:
        raise WfineError(
            f"{display_path(folder)}: output_root differs between the files ({', '.join(sorted(roots))}); "
            "the notebooks would not find each other's results. Write the same one in all."
        )
    if (cfg := checked.get("06_validity_and_ablations")) is not None:
        try:
            all_cells(cfg.study)  # type: ignore[attr-defined]
        except WfineError as error:
            where = f"params/{preset}/06_validity_and_ablations.yaml"
            raise WfineError(f"{where}: {error}") from error
    for name, path in chains_paths(checked).items():
        try:
            load_chains(path)
        except WfineError as error:
            field = next(field for field in CHAINS_FIELDS if getattr(checked[name], field, ""))
            where = f"params/{preset}/{name}.yaml: {field}"
            raise WfineError(f"{where}: {error}") from error
    for name, paths in prompt_paths(checked).items():
        try:
            load_prompt_sets([str(path) for path in paths])
        except WfineError as error:
            raise WfineError(f"params/{preset}/{name}.yaml: prompt_sets: {error}") from error
    return {name: checked[name] for name in runs}


def _models(base: type[NotebookParams]) -> Iterator[type[NotebookParams]]:
    for model in base.__subclasses__():
        if "notebook" in vars(model) and model.__module__.startswith("wfine_"):
            yield model
        yield from _models(model)


def chains_paths(checked: Mapping[str, NotebookParams]) -> dict[str, Path]:
    """The user's own chains files by notebook, for the notebooks that were given one."""
    return {
        name: resolve(getattr(cfg, field))
        for name, cfg in checked.items()
        for field in CHAINS_FIELDS
        if getattr(cfg, field, "")
    }


def prompt_paths(checked: Mapping[str, NotebookParams]) -> dict[str, list[Path]]:
    """The user's own files of prompts by notebook, for the notebooks that were given some."""
    return {
        name: [resolve(source) for source in sources if source not in BUILT_IN]
        for name, cfg in checked.items()
        if (sources := getattr(cfg, "prompt_sets", []))
    }
