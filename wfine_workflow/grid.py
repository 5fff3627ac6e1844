"""The grid of a cluster run: presets (one base model each) × seeds × scorers.

A *scorer* is a name with the parameters of notebooks 03 to 05 that make it, e.g. another loss of
the reward model; what it does not name stays as in the preset. ``workflow/grid.smk`` makes one
papermill job per notebook and cell of the grid, ``wfine grid`` one table.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Self

from pydantic import Field, model_validator

from wfine_utils.errors import WfineError, explained
from wfine_utils.files import atomic_write, display_path, read_yaml, resolve
from wfine_utils.settings import Settings

if TYPE_CHECKING:
    import pandas as pd

SHARED = ("00_base_model", "02_requirement_dropping")
"""Notebooks that know nothing of scorers: they run once per preset and seed."""

PER_SCORER = ("03_reward_model", "04_wrl_policy", "05_weval_correlation")
"""Notebooks that a scorer may change: they run once per cell of the grid."""

WEVAL = ("05_weval_correlation", "weval.csv")
Name = Annotated[str, Field(pattern=r"^[a-z0-9_]+$")]


class Grid(Settings):
    """What a grid file says."""

    presets: list[str] = Field(min_length=1, description="folders in params, one model each")
    seeds: list[Annotated[int, Field(ge=0, lt=2**32)]] = Field(min_length=1)
    scorers: dict[Name, dict[str, dict[str, Any]]] = Field(
        min_length=1, description="name: {notebook: {parameter: value}}"
    )
    notebooks: list[str] = Field(min_length=1, description="whose results every cell must have")

    @model_validator(mode="after")
    def _holds_together(self) -> Self:
        for name in ("presets", "seeds", "notebooks"):
            if len(set(values := getattr(self, name))) < len(values):
                raise ValueError(f"{name}: found {values}, expected each value once")
        lists = {f"scorers: {scorer}": list(changes) for scorer, changes in self.scorers.items()}
        for where, notebooks in (lists | {"notebooks": self.notebooks}).items():
            if odd := [name for name in notebooks if name not in PER_SCORER]:
                raise ValueError(
                    f"{where}: found {odd[0]}, expected some of {', '.join(PER_SCORER)}: those "
                    "before do not depend on a scorer, those after belong to `make reproduce`"
                )
        return self

    def cells(self) -> list[tuple[str, int, str]]:
        """Every preset, seed and scorer."""
        return [(p, n, s) for p in self.presets for n in self.seeds for s in self.scorers]


def cell_folder(preset: str, seed: int | str, scorer: str) -> str:
    """Where the results of a cell lie, below the folder of the grid; its ``output_root`` first."""
    return f"seed-{seed}-{scorer}/{preset}"


def load_grid(path: str | Path) -> Grid:
    """Read and check a grid file, and every parameter of every cell.

    Raises:
        WfineError: the file or a preset does not hold, or a scorer changes what it cannot.
    """
    from wfine_workflow.presets import PARAMS, load_preset  # slow, and --help needs none of it

    file = display_path(resolve(path))
    grid = Grid.checked(read_yaml(resolve(path)), file)
    checked = {preset: load_preset(preset) for preset in grid.presets}
    for scorer, changes in grid.scorers.items():
        where = f"{file}: scorers: {scorer}"
        for notebook, parameters in changes.items():
            if own := sorted({"preset", "seed", "output_root"} & parameters.keys()):
                raise WfineError(f"{where}: found {own[0]}, which the grid sets. Leave it out.")
            for preset, notebooks in checked.items():
                if notebook in notebooks:
                    values = notebooks[notebook].model_dump() | parameters
                    PARAMS[notebook].checked(values, f"{where}: preset {preset}")
    for preset, notebooks in checked.items():
        if missing := [x for x in grid.notebooks if x not in notebooks]:
            raise WfineError(
                f"{file}: preset {preset} does not run {', '.join(missing)}. Expected presets with "
                "all notebooks of the grid; choose others."
            )
    return grid


def collect(grid: Grid, folder: Path) -> pd.DataFrame:
    """WEval of all finished cells of a grid whose results lie in ``folder``, tidy.

    Returns:
        ``weval.csv`` of notebook 05 of each cell, below each other, with ``preset, seed,
        grid_scorer`` in front; ``scorer`` is the name inside the notebook.

    Raises:
        WfineError: no cell is finished.
    """
    import pandas as pd

    files = {cell: folder.joinpath(cell_folder(*cell), *WEVAL) for cell in grid.cells()}
    tables = {cell: pd.read_csv(path) for cell, path in files.items() if path.exists()}
    if not tables:
        raise WfineError(
            f"{display_path(folder)}: found no finished cell among {len(files)}, expected "
            f"{'/'.join(WEVAL)} in the folder of one at least. Run the grid first."
        )
    names = ["preset", "seed", "grid_scorer"]
    return pd.concat(tables, names=names).reset_index(names).reset_index(drop=True)


def over_seeds(table: pd.DataFrame) -> pd.DataFrame:
    """WEval over all chains of each scorer, as a mean over training seeds.

    Args:
        table: from :func:`collect`.

    Returns:
        One row per ``preset, grid_scorer, scorer, metric``: ``value, ci_low, ci_high`` by Student's
        t over the ``n`` seeds, and ``lowest, highest`` of them; no interval from few seeds.
    """
    import pandas as pd

    from wfine_utils.weval.resampling import mean_of_runs

    keys = ["preset", "grid_scorer", "scorer", "metric"]
    rows = []
    for names, part in table[table["subset_kind"] == "all"].groupby(keys, sort=False):
        values = part["value"].dropna()
        if len(values) > 1:
            mean = dict[str, Any](mean_of_runs(values))
            mean |= {"lowest": values.min(), "highest": values.max()}
            rows.append(dict(zip(keys, names, strict=True)) | mean)
    columns = [*keys, "value", "ci_low", "ci_high", "lowest", "highest", "n"]
    return pd.DataFrame(rows, columns=columns)


@explained
def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; see ``wfine grid --help``."""
    parser = argparse.ArgumentParser(
        prog="wfine grid", description="WEval of all cells of a grid, as a CSV."
    )
    parser.add_argument("grid", type=Path, help="grid file, such as workflow/grid.yaml")
    parser.add_argument("folder", type=Path, help="folder of its results; weval.csv goes there")
    args = parser.parse_args(arguments)
    table = collect(load_grid(args.grid), args.folder)
    out = args.folder / "weval.csv"
    atomic_write(out, lambda p: table.to_csv(p, index=False, lineterminator="\n"))
    sys.stdout.write(f"{display_path(out)}: {len(table)} rows\n")
    means = args.folder / "over_seeds.csv"
    summary = over_seeds(table)
    atomic_write(means, lambda p: summary.to_csv(p, index=False, lineterminator="\n"))
    sys.stdout.write(f"{display_path(means)}: means over training seeds\n")
    return 0
