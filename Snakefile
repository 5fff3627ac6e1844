"""The batch run: one rule per notebook, executed by papermill, then the report.

`make reproduce PRESET=mini` calls this with sensible options. By hand:

    python -m snakemake --cores all --config preset=mini
    python -m snakemake --cores all --config preset=mini --dry-run

On a cluster: `--profile profiles/slurm --snakefile Snakefile`. What each rule is given there (gpu,
mem_mb, runtime in minutes) stands in the profile, and wins over what a preset asks for in
params/<preset>/resources.yaml. Several presets and seeds at once: grid.smk.

A rule runs again when its notebook, its parameter file, the results it reads, or a module of
ours that it imports has changed. The long jobs inside a notebook keep their own finished
stages; they are deliberately no outputs here, because Snakemake deletes outputs of a job that
was interrupted. For the same reason a cell of notebook 06's study, which is a job of its own so
that a cluster computes many at a time, has a marker as its output, and not its result.
"""

import os
import shlex
from pathlib import Path

from wfine_study.cells import PolicyCell, all_cells
from wfine_study.run_cell import RESULT, cell_modules
from wfine_utils.files import read_yaml
from wfine_utils.notebook.code_digest import imported_modules, module_path, with_imports
from wfine_workflow.presets import (
    RESOURCES, chains_paths, load_preset, preset_notebooks, prompt_paths,
)

PRESET = config.get("preset", "mini")
PARAMS = load_preset(PRESET)
NOTEBOOKS = preset_notebooks(PRESET)
ROOT = os.path.expanduser(config.get("output_root") or next(iter(PARAMS.values())).output_root)
OUT = f"{ROOT}/{PRESET}"
needs_file = Path(f"params/{PRESET}/{RESOURCES}")
NEEDS = read_yaml(needs_file) if needs_file.exists() else {}
CHAINS = chains_paths(PARAMS)
PROMPTS = prompt_paths(PARAMS)
WEVAL_HAND = [f"wfine_utils/weval_hand/weval_hand{end}" for end in (".jsonl", "_split.json", "_fluency.csv")]
STUDY = "06_validity_and_ablations"
CELLS = {cell.slug: cell for cell in all_cells(PARAMS[STUDY].study)} if STUDY in PARAMS else {}
DONE = f"{OUT}/{STUDY}/done"
GRID = with_imports([module_path("wfine_study.cells")])
CELL_MODULES = {
    kind: sorted(os.path.relpath(path) for path in {*cell_modules(kind), *GRID})
    for kind in {type(cell) for cell in CELLS.values()}
}


def reward_marker(wildcards):
    """The marker of the reward model that a policy is trained against."""
    cell = CELLS[wildcards.slug]
    return [f"{DONE}/{cell.reward_cell.slug}.txt"] if isinstance(cell, PolicyCell) else []


rule all:
    input:
        f"{OUT}/report/index.html",


for place, (name, previous) in enumerate(NOTEBOOKS.items()):

    rule:
        name:
            f"notebook_{name}"
        input:
            notebook=f"notebooks/{name}.ipynb",
            params=f"params/{PRESET}/{name}.yaml",
            package=[os.path.relpath(path) for path in imported_modules(name)],
            previous=[f"{OUT}/{other}/results.json" for other in previous],
            # the last notebook tabulates what the others cost
            costs=[f"{OUT}/benchmarks/{other}.tsv" for other in previous if name[:2] == "07"],
            cells=[f"{DONE}/{slug}.txt" for slug in CELLS if name == STUDY],
            chains=[str(CHAINS[name])] if name in CHAINS else [],
            prompts=[str(path) for path in PROMPTS.get(name, [])],
            hand=WEVAL_HAND if "weval_hand" in {p.stem for p in imported_modules(name)} else [],
        output:
            executed=f"{OUT}/notebooks/{name}.ipynb",
            results=f"{OUT}/{name}/results.json",
        # Executed here first: a log survives when the notebook fails, an output does not.
        log:
            f"{OUT}/logs/{name}.ipynb",
        benchmark:
            f"{OUT}/benchmarks/{name}.tsv"
        threads: workflow.cores or 1
        priority: len(NOTEBOOKS) - place  # in the order of their numbers, where there is a choice
        resources:
            **NEEDS,
        params:
            # nothing unless the run was told to write elsewhere than the parameter files say
            elsewhere=f"-r output_root {shlex.quote(ROOT)}" if config.get("output_root") else "",
            name=name,
            preset=PRESET,
        shell:
            "papermill {input.notebook} {log:q} -f {input.params} {params.elsewhere} 2>&1"
            " | python -m wfine_workflow.run watch {params.preset} {params.name} {log:q}"
            " && cp {log:q} {output.executed:q}"


rule cell:
    input:
        base=f"{OUT}/00_base_model/results.json",
        params=f"params/{PRESET}/{STUDY}.yaml",
        package=lambda wildcards: CELL_MODULES[type(CELLS[wildcards.slug])],
        reward_model=reward_marker,
    output:
        # its content changes with the result, or a policy would not notice a new reward model
        f"{DONE}/{{slug}}.txt",
    wildcard_constraints:
        slug="|".join(CELLS) or "none",
    log:
        f"{OUT}/logs/cells/{{slug}}.txt",
    benchmark:
        f"{OUT}/benchmarks/cells/{{slug}}.tsv"
    threads: 1  # and no priority: many cells together would outweigh the notebooks before them
    resources:
        **NEEDS,
    params:
        base=f"{OUT}/00_base_model/base.json",
        cells=f"{OUT}/{STUDY}/cells",
        result=f"{OUT}/{STUDY}/cells/{{slug}}/{RESULT}",
    shell:
        # batch tells from the log whether it failed
        "(python -m wfine_study run {wildcards.slug} --settings {input.params}"
        " --base {params.base:q} --out {params.cells:q} --threads 1 > {log:q} 2>&1 || true)"
        " && python -m wfine_workflow.run cell {log:q} {params.result:q}"
        " && cksum < {params.result:q} > {output:q}"


rule report:
    input:
        executed=[f"{OUT}/notebooks/{name}.ipynb" for name in NOTEBOOKS],
        package=["wfine_workflow/report.py", "wfine_workflow/paper_tables.py", "wfine_utils/notebook/render.py"],
    output:
        f"{OUT}/report/index.html",
    shell:
        "python -m wfine_workflow.report {OUT:q}"
