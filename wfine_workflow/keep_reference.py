"""Keeping a finished run in the repository: ``wfine keep-reference mini``."""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from wfine_utils.base_model import CARD
from wfine_utils.errors import WfineError, explained
from wfine_utils.files import display_path, project_root, resolve, whole_folder
from wfine_workflow.keep_models import keep_models

LIMIT = 1_000_000
"""Files of this many bytes or more are not kept."""

_OF_MODELS = ("adapter_config", "tokenizer", "special_tokens", CARD)  # no use without the weights
_LEFT_OUT = ("report/", "logs/", "06_validity_and_ablations/cells/",
             "06_validity_and_ablations/done/", "benchmarks/cells/")  # fmt: skip
"""Single cells of the study are many, and notebook 06 keeps what its tables are made from."""

_WITH_TEXTS = {".ipynb", ".jsonl", ".parquet"}
"""Files that may show texts. Those of a notebook that read a file of the user's are not kept: the
texts are not ours to pass on."""

_KEPT = {".csv", ".json", ".md", ".tex", ".png", ".tsv"} | _WITH_TEXTS


def keep_reference(preset: str, root: Path, *, with_models: bool = False) -> list[Path]:
    """Copy the small files of a finished run, ``root/preset``, to ``outputs/reference/<preset>``.

    Copied is what the tables can be recomputed from and what a reader wants to see: executed
    notebooks, results, CSVs, figures, stamps. Left out are models (unless asked for), files of
    :data:`LIMIT` bytes or more, and the texts of notebooks that read chains or prompts of the
    user's own: of them only numbers and figures are kept. Returns the copies.

    Args:
        preset: its name.
        root: folder of all presets' results.
        with_models: also keep the models, as :func:`~wfine_workflow.keep_models.keep_models` does;
            notebooks can then start from them.

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
    paths = [path for path in _worth_keeping(source) if _may_be_kept(source / path)]
    with whole_folder(target) as folder:
        for path in paths:
            copy = folder / path
            copy.parent.mkdir(parents=True, exist_ok=True)
            if path.suffix == ".ipynb":
                copy.write_text(_shared_text(source / path), encoding="utf-8")
            else:
                shutil.copyfile(source / path, copy)
        if with_models:
            keep_models(source, folder / "models")
    return [target / path for path in paths]


def _worth_keeping(source: Path) -> list[Path]:
    """Paths from the run's folder, whatever their size."""
    stamps = {p.parent.name: json.loads(p.read_text("utf-8")) for p in source.glob("*/stamp.json")}
    from wfine_workflow.presets import own_files  # brings much that --help need not wait for

    private = {name for name, stamp in stamps.items() if own_files(stamp["parameters"])}
    files = sorted(path.relative_to(source) for path in source.rglob("*") if path.is_file())
    models = {path.parent for path in files if path.name == "config.json"}
    return [
        path
        for path in files
        if path.suffix in _KEPT
        and not path.name.startswith(_OF_MODELS)
        and not path.as_posix().startswith(_LEFT_OUT)
        and "trainer" not in path.parts
        and not any(part.startswith(".") for part in path.parts)
        and (path.parent not in models or path.name == "stage.json")  # its cost is kept, it is not
        and not (path.suffix in _WITH_TEXTS and private & {path.parts[0], path.stem})
    ]


def _may_be_kept(path: Path) -> bool:
    """Whether a file is small; an error for one that should be and is not, or that is private."""
    size = path.stat().st_size
    if path.suffix == ".ipynb" and size >= LIMIT:
        raise WfineError(
            f"{display_path(path)} has {size:,} bytes; expected fewer than {LIMIT:,}. Save "
            "smaller figures or print less."
        )
    text = _shared_text(path) if path.suffix in {".ipynb", ".json"} else ""
    if str(project_root()) in text or f"{Path.home()}/" in text:
        raise WfineError(
            f"{display_path(path)} names a folder of this machine ({project_root()} or "
            f"{Path.home()}). Show paths from the project root before keeping this run."
        )
    return size < LIMIT


def _shared_text(path: Path) -> str:
    """The text as it is kept: of notebooks without progress bars and warnings of libraries."""
    text = path.read_text(encoding="utf-8")
    if path.suffix != ".ipynb":
        return text
    import nbformat

    book = nbformat.reads(text, as_version=4)
    for cell in book.cells:
        if cell.cell_type == "code":
            cell.outputs = [o for o in cell.outputs if o.get("name") != "stderr"]
    return nbformat.writes(book)


@explained
def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; see ``wfine keep-reference --help``."""
    parser = argparse.ArgumentParser(prog="wfine keep-reference", description=__doc__)
    parser.add_argument("preset")
    parser.add_argument("--output-root", default="outputs")
    parser.add_argument("--models", action="store_true", help="keep the trained models, too")
    args = parser.parse_args(arguments)
    root = resolve(args.output_root)
    copies = keep_reference(args.preset, root, with_models=args.models)
    sys.stdout.write(f"{len(copies)} files kept in outputs/reference/{args.preset}\n")
    return 0
