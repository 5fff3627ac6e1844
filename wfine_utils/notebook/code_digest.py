"""Which code a result depends on: a digest of the modules that a notebook imports."""

from __future__ import annotations

import ast
import hashlib
import json
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

from wfine_utils.files import project_root

CODE = Path(__file__).parents[2]
"""The folder that holds the three packages."""

PACKAGES = ("wfine_utils", "wfine_study", "wfine_workflow")

# These check parameters, start notebooks, show results, or list what is to be computed; a card
# tells of a model.
_CANNOT_CHANGE_NUMBERS = (
    "wfine_utils/errors.py",
    "wfine_utils/settings.py",
    "wfine_utils/notebook/",
    "wfine_utils/models/card_texts.py",
    "wfine_utils/models/cards.py",
    "wfine_study/cells.py",
    "wfine_workflow/",
)


@cache
def source_digest(notebook: str) -> str:
    """SHA-256 over the modules of our packages that can change a number in a notebook.

    Counted is the code without comments and docstrings, so that better words do not cost a new
    training run, of the modules that the notebook imports, directly or through others, so that a
    new scorer does not cost a new reward model; of all modules if the project root has no such
    notebook. A name imported from the face of a room counts as the module that defines it.
    """
    return digest(imported_modules(notebook))


def digest(modules: Iterable[Path]) -> str:
    """SHA-256 over the code of the modules that can change a number; see :func:`source_digest`."""
    total = hashlib.sha256()
    for path in modules:
        name = path.relative_to(CODE).as_posix()
        if not name.startswith(_CANNOT_CHANGE_NUMBERS):
            total.update(f"{name}\n{code_only(path.read_text(encoding='utf-8'))}\n".encode())
    return total.hexdigest()


def cells_digest(path: Path) -> str:
    """SHA-256 over what is written in a notebook's cells and their tags, and not over outputs."""
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    written = [
        (cell["cell_type"], "".join(cell["source"]), cell.get("metadata", {}).get("tags", []))
        for cell in cells
    ]
    return hashlib.sha256(json.dumps(written).encode()).hexdigest()


def imported_modules(notebook: str) -> list[Path]:
    """The modules of our packages that a notebook imports, directly or through others."""
    path = project_root() / "notebooks" / f"{notebook}.ipynb"
    try:
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        code = ["".join(c["source"]) for c in cells if c["cell_type"] == "code"]
        return with_imports(_imports(code))
    except (OSError, ValueError, KeyError, SyntaxError):  # also a cell with a %magic
        return sorted(path for name in PACKAGES for path in (CODE / name).rglob("*.py"))


def module_path(name: str) -> Path:
    """The file of a module of our packages; ValueError if there is none of this name."""
    path = _file(name)
    if path is None:
        raise ValueError(f"no module {name} in {', '.join(PACKAGES)}")
    return path


def with_imports(modules: Iterable[Path]) -> list[Path]:
    """These modules and all modules of our packages that they import, in order of name."""
    todo, seen = list(modules), set()
    while todo:
        module = todo.pop()
        if module not in seen:
            seen.add(module)
            todo += _imports([module.read_text(encoding="utf-8")])
    return sorted(seen)


def _imports(sources: Iterable[str]) -> Iterator[Path]:
    for source in sources:
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.module:
                names = [f"{node.module}.{alias.name}" for alias in node.names]
            else:
                continue
            yield from filter(None, map(_file, names))


@cache
def _file(name: str) -> Path | None:
    """The file that defines a module, or a name that is imported from a module or a face."""
    if name.partition(".")[0] not in PACKAGES:
        return None
    path = CODE.joinpath(*name.split("."))
    if (module := path.with_suffix(".py")).exists():
        return module
    if path.is_dir():
        return path / "__init__.py"
    parent, _, attribute = name.rpartition(".")
    face = CODE.joinpath(*parent.split("."), "__init__.py")
    if face.exists():
        for node in ast.walk(ast.parse(face.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.module:
                for alias in node.names:
                    if (alias.asname or alias.name) == attribute:
                        return _file(f"{node.module}.{alias.name}")
    return _file(parent) if parent else None


def code_only(source: str) -> str:
    """Python code as a text that does not change with its comments, docstrings and layout."""
    return ast.dump(_WithoutBareStrings().visit(ast.parse(source)))


class _WithoutBareStrings(ast.NodeTransformer):
    """Takes out docstrings, also those after an attribute."""

    def visit_Expr(self, node: ast.Expr) -> ast.Expr | None:
        return None if isinstance(node.value, ast.Constant) else node
