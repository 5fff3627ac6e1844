"""Which code a result depends on: a digest of the modules that a notebook imports."""

from __future__ import annotations

import ast
import hashlib
import json
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

from wfine_utils.files import project_root

PACKAGE = Path(__file__).parent

# These check parameters and data, start notebooks, show results, or list what is to be computed.
_CANNOT_CHANGE_NUMBERS = frozenset({
    "batch", "chain_rules", "errors", "params", "plots", "presets", "rendering", "report",
    "study_cells", "tables", "training_plots",
})  # fmt: skip


@cache
def source_digest(notebook: str) -> str:
    """SHA-256 over the modules of this package that can change a number in a notebook.

    Counted is the code without comments and docstrings, so that better words do not cost a
    new training run, and only the modules that the notebook imports, directly or through
    others, so that a change to a scorer does not cost a new reward model. Left out are the
    modules that only check parameters, start notebooks or show results; a new module counts
    until it is named among them.

    Args:
        notebook: "03_reward_model", say. All modules count if ``notebooks`` in the project
            root has no such file.
    """
    return digest(imported_modules(notebook))


def digest(modules: Iterable[Path]) -> str:
    """SHA-256 over the code of the modules that can change a number; see :func:`source_digest`."""
    found = hashlib.sha256()
    for path in modules:
        if path.stem not in _CANNOT_CHANGE_NUMBERS:
            found.update(f"{path.stem}\n{code_only(path.read_text(encoding='utf-8'))}\n".encode())
    return found.hexdigest()


def imported_modules(notebook: str) -> list[Path]:
    """The modules of this package that a notebook imports, directly or through others."""
    path = project_root() / "notebooks" / f"{notebook}.ipynb"
    try:
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        code = ["".join(c["source"]) for c in cells if c["cell_type"] == "code"]
        return with_imports([*_imports(code), PACKAGE / "__init__.py"])
    except (OSError, ValueError, KeyError, SyntaxError):  # also a cell with a %magic
        return sorted(PACKAGE.glob("*.py"))


def with_imports(modules: Iterable[Path]) -> list[Path]:
    """These modules of this package and all of its modules that they import, in order of name."""
    todo, found = list(modules), set()
    while todo:
        module = todo.pop()
        if module not in found and module.exists():
            found.add(module)
            todo += _imports([module.read_text(encoding="utf-8")])
    return sorted(found)


def _imports(sources: Iterable[str]) -> Iterator[Path]:
    for source in sources:
        tree = ast.parse(source)
        # what a module does when it is run as a program cannot change who imports it
        tree.body = [s for s in tree.body if not _is_main_block(s)]
        for node in ast.walk(tree):
            names: list[str] = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.module:
                names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
            for name in names:
                package, _, module = name.partition(".")
                if package == PACKAGE.name and module:
                    yield PACKAGE / f"{module.partition('.')[0]}.py"


def _is_main_block(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test) == "__name__ == '__main__'"


def code_only(source: str) -> str:
    """Python code as a text that does not change with its comments, docstrings and layout."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list):  # bare strings: docstrings, also those after an attribute
            node.body = [  # type: ignore[attr-defined]
                s for s in body
                if not (isinstance(s, ast.Expr) and isinstance(s.value, ast.Constant))
            ]  # fmt: skip
    return ast.dump(tree)
