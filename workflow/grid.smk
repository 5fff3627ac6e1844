"""The grid: presets × seeds × scorers, one papermill job per notebook and cell.

    python -m snakemake --profile workflow/profiles/local                 on this machine
    python -m snakemake --profile workflow/profiles/slurm                 on a cluster
    python -m snakemake --profile workflow/profiles/slurm --dry-run       what would run
    ... --config grid=my_grid.yaml output_root=/scratch/me/grid           another grid, elsewhere

workflow/grid.yaml says what a grid file holds, workflow/profiles/*/config.yaml what each rule is
given. The rules are called as in the Snakefile, which runs all notebooks of one preset, so that a
profile serves both. Results: <output_root>/seed-<seed>-<scorer>/<preset>/<notebook>, and weval.csv.
"""

import json
import os
import shlex
from pathlib import Path

from wfine_utils.notebook.code_digest import cells_digest
from wfine_workflow.grid import PER_SCORER, SHARED, WEVAL, cell_folder, load_grid
from wfine_workflow.presets import NOTEBOOKS, load_preset, notebook_sources, own_files

GRID_FILE = config.get("grid", "workflow/grid.yaml")
GRID = load_grid(GRID_FILE)
ROOT = os.path.expanduser(config.get("output_root", "outputs/grid"))
CELLS = {cell: f"{ROOT}/{cell_folder(*cell)}" for cell in GRID.cells()}
PARAMS = {preset: load_preset(preset) for preset in GRID.presets}
# A scorer's folder lies beside the one it shares with others, at the same depth: a base model may
# be recorded as the way to it from there.
SHARED_OUT = f"{ROOT}/seed-{{seed}}/{{preset}}"
OUT = f"{ROOT}/{cell_folder('{preset}', '{seed}', '{scorer}')}"


def options(wildcards):
    """What differs from the parameters file: seed, folder, and what the scorer changes."""
    root = Path(OUT if "scorer" in wildcards.keys() else SHARED_OUT).parent
    root = str(root).format(**wildcards)
    return shlex.join(["-p", "seed", wildcards.seed, "-r", "output_root", root])


def own(name):
    """The user's own files that a notebook reads in a preset."""
    return lambda wildcards: sum(own_files(dict(PARAMS[wildcards.preset][name])).values(), [])


def changes(name):
    """The scorer's parameters of a notebook, as papermill takes them."""
    return lambda wildcards: shlex.join(
        ["-y", json.dumps(GRID.scorers[wildcards.scorer].get(name, {}), sort_keys=True)]
    )


wildcard_constraints:
    preset="|".join(GRID.presets),
    seed=r"\d+",
    scorer="|".join(GRID.scorers),


localrules:
    all,
    share,
    table,


rule all:
    input:
        [f"{CELLS[cell]}/{name}/results.json" for cell in CELLS for name in GRID.notebooks],
        [f"{ROOT}/{WEVAL[1]}"] if WEVAL[0] in GRID.notebooks else [],


rule table:
    input:
        grid=GRID_FILE,
        results=[f"{folder}/{WEVAL[0]}/results.json" for folder in CELLS.values()],
    output:
        f"{ROOT}/{WEVAL[1]}",
    shell:
        "python -m wfine_workflow.command grid {input.grid:q} {ROOT:q}"


for name in (*SHARED, *PER_SCORER):

    rule:
        name:
            f"notebook_{name}"
        input:
            # ancient: outputs that were saved in it are no change, its cells are (params)
            notebook=ancient(f"notebooks/{name}.ipynb"),
            params=f"params/{{preset}}/{name}.yaml",
            package=notebook_sources(name),
            previous=[f"{OUT}/{other}/results.json" for other in NOTEBOOKS[name]],
            own=own(name),
        output:
            executed=f"{SHARED_OUT if name in SHARED else OUT}/notebooks/{name}.ipynb",
            results=f"{SHARED_OUT if name in SHARED else OUT}/{name}/results.json",
        # Executed here first: a log survives when the notebook fails, an output does not.
        log:
            f"{SHARED_OUT if name in SHARED else OUT}/logs/{name}.ipynb",
        benchmark:
            f"{SHARED_OUT if name in SHARED else OUT}/benchmarks/{name}.tsv"
        params:
            options=options,
            changes="" if name in SHARED else changes(name),
            name=name,
            cells=cells_digest(Path(f"notebooks/{name}.ipynb")),
        shell:
            "papermill {input.notebook} {log:q} -f {input.params} {params.changes} {params.options}"
            " 2>&1 | python -m wfine_workflow.command watch {wildcards.preset} {params.name} {log:q}"
            " && cp {log:q} {output.executed:q}"


rule share:
    input:
        [f"{SHARED_OUT}/{name}/results.json" for name in SHARED],
    output:
        [f"{OUT}/{name}/results.json" for name in SHARED],
    params:
        source=SHARED_OUT,
        target=OUT,
        names=SHARED,
    shell:
        "for name in {params.names}; do"
        " cp -R {params.source:q}/$name/. {params.target:q}/$name; done"
