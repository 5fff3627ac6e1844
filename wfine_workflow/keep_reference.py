"""Keeping a finished run in the repository: ``python -m wfine_workflow.keep_reference mini``."""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

import nbformat

from wfine_utils.errors import WfineError, explained
from wfine_utils.files import display_path, project_root, resolve, whole_folder
from wfine_workflow.presets import own_files

_MODEL_FILES = ("adapter_config", "tokenizer", "special_tokens")
"""Beginnings of files that are of no use without the weights, which are not kept."""

_PER_CELL = (
    "06_validity_and_ablations/cells",
    "06_validity_and_ablations/done",
    "benchmarks/cells",
)
"""Of single cells of the study: many, and notebook 06 keeps what its tables are made from."""

_WITH_TEXTS = {".ipynb", ".jsonl", ".parquet"}
"""Files that may show texts. Those of a notebook that read a file of the user's are not kept: the
texts are not ours to pass on."""

_KEPT = {".csv", ".json", ".md", ".tex", ".png", ".tsv"} | _WITH_TEXTS


def keep_reference(preset: str, root: Path, limit: int = 1_000_000) -> list[Path]:
    """Copy the small files of a finished run to ``outputs/reference/<preset>``.

    Copied is what the tables can be recomputed from and what a reader wants to see: executed
    notebooks, results, CSVs, figures, stamps. Left out are models, whatever is larger than
    ``limit`` bytes (an executed notebook of that size is an error), and the texts of notebooks
    that read chains or prompts of the user's own: of them only numbers and figures are kept.

    Args:
        preset: name of a finished run.
        root: folder that holds ``<preset>``.

    Returns:
        The copies.

    Raises:
        WfineError: the run is not finished, a notebook is too large, or a file names a folder
            of this machine.
    """
    source, target = root / preset, project_root() / "outputs" / "reference" / preset
    if not (source / "report" / "index.html").exists():
        raise WfineError(
            f"{display_path(source)} holds no finished run (no report/index.html): run "
            f"`make reproduce PRESET={preset}` to its end first."
        )
    models = {path.parent for path in source.rglob("config.json")}
    stamps = {p.parent.name: json.loads(p.read_text("utf-8")) for p in source.glob("*/stamp.json")}
    private = {name for name, stamp in stamps.items() if own_files(stamp["parameters"])}
    files = [
        p
        for p in sorted(source.rglob("*"))
        if p.is_file()
        and p.suffix in _KEPT
        and not p.name.startswith(_MODEL_FILES)
        and p.relative_to(source).parts[0] not in {"report", "logs"}
        and not any(p.is_relative_to(source / x) for x in _PER_CELL)
        and "trainer" not in p.parts
        and not any(x.startswith(".") for x in p.relative_to(source).parts)
        and (p.parent not in models or p.name == "stage.json")  # its cost is kept, it is not
        and not (p.suffix in _WITH_TEXTS and private & {p.relative_to(source).parts[0], p.stem})
    ]
    for path in files:
        if path.suffix == ".ipynb" and path.stat().st_size >= limit:
            raise WfineError(
                f"{display_path(path)} has {path.stat().st_size:,} bytes; expected fewer than "
                f"{limit:,}. Save smaller figures or print less."
            )
        if path.suffix in {".ipynb", ".json"}:
            text = _shared_text(path)
            if any(place in text for place in (str(project_root()), str(Path.home()) + "/")):
                raise WfineError(
                    f"{display_path(path)} names a folder of this machine ({project_root()} or "
                    f"{Path.home()}). Show paths from the project root before keeping this run."
                )
    small = [path for path in files if path.stat().st_size < limit]
    with whole_folder(target) as folder:
        for path in small:
            copy = folder / path.relative_to(source)
            copy.parent.mkdir(parents=True, exist_ok=True)
            if path.suffix == ".ipynb":
                copy.write_text(_shared_text(path), encoding="utf-8")
            else:
                shutil.copyfile(path, copy)
    return [target / path.relative_to(source) for path in small]


def _shared_text(path: Path) -> str:
    """The text of a file as it is kept.

    Notebooks lose what was written to standard error: progress bars, and warnings that name
    folders of libraries.
    """
    text = path.read_text(encoding="utf-8")
    if path.suffix != ".ipynb":
        return text
    book = nbformat.reads(text, as_version=4)
    for cell in book.cells:
        if cell.cell_type == "code":
            cell.outputs = [o for o in cell.outputs if o.get("name") != "stderr"]
    return nbformat.writes(book)


@explained
def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; see ``python -m wfine_workflow.keep_reference --help``."""
    parser = argparse.ArgumentParser(
        prog="python -m wfine_workflow.keep_reference", description=__doc__
    )
    parser.add_argument("preset")
    parser.add_argument("--output-root", default="outputs")
    args = parser.parse_args(arguments)
    copies = keep_reference(args.preset, resolve(args.output_root))
    sys.stdout.write(f"{len(copies)} files kept in outputs/reference/{args.preset}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
