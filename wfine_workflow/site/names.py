"""A page of what the library offers: every name of every face, with the first line about it.

The code is read, not imported, so that the page costs no torch and a second at most. What a name
takes and returns in full is in its docstring: ``help(name)``.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from wfine_utils.faces import on_demand

PLACE = "library.md"
TITLE = "What the library offers"


def names_page(root: Path) -> str | None:
    """Markdown of the page: a section for each face with names, a row for each; None without any.

    Args:
        root: folder of the clone; its packages are ``wfine_*``.
    """
    parts = [
        f"# {TITLE}",
        "What each room exports, as in `from wfine_utils.weval import evaluate`; `help(evaluate)` "
        "says what it takes and returns. [How the rooms are arranged](docs/architecture.md).",
    ]
    for face in sorted(root.glob("wfine_*/**/__init__.py")):
        tree = ast.parse(face.read_text(encoding="utf-8"))
        room = ".".join(face.parent.relative_to(root).parts)
        rows = [_row(name, *_found(root, module, name)) for module, name in exported(tree, room)]
        if rows:
            about = " ".join((ast.get_docstring(tree) or "").split("\n\n")[0].split())
            table = ["| name | what |", "| --- | --- |", *rows]
            parts += [f"## {room}", _escaped(about), "\n".join(table)]
    return "\n\n".join(parts) + "\n" if len(parts) > 2 else None


def exported(face: ast.Module, room: str) -> Iterator[tuple[str, str]]:
    """Module and name of all that a face offers, under ``if TYPE_CHECKING`` or at once.

    Args:
        room: the package whose face it is; what it imports from elsewhere is not offered.
    """
    lines = [x for block in face.body if isinstance(block, ast.If) for x in block.body]
    for line in (*lines, *face.body):
        if isinstance(line, ast.ImportFrom):
            module = line.module or ""
            if module.startswith(f"{room}.") and module != on_demand.__module__:
                yield from ((module, alias.name) for alias in line.names)


def _found(root: Path, module: str, name: str) -> tuple[str, str]:
    """What a name takes, in parentheses, and the first paragraph about it; empty where unknown."""
    path = root / module.replace(".", "/")
    path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for source, offered in exported(tree, module.partition(".")[0]):  # it has it from another
        if offered == name:
            return _found(root, source, name)
    for node, below in zip(tree.body, [*tree.body[1:], None], strict=True):
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and node.name == name:
            taken = _arguments(node) if isinstance(node, ast.FunctionDef) else ""
            return taken, (ast.get_docstring(node) or "").split("\n\n")[0]
        if (value := _assigned(node).get(name)) is not None:  # the text below it, else its value
            if isinstance(below, ast.Expr) and isinstance(below.value, ast.Constant):
                return "", str(below.value.value)
            written = ast.unparse(value)
            return "", f"`{written}`" if len(written) <= 60 else "A constant."
    return "", ""


def _assigned(node: ast.stmt) -> dict[str, ast.expr]:
    """Names that a statement binds, each with its value."""
    if isinstance(node, ast.AnnAssign) and node.value and isinstance(node.target, ast.Name):
        return {node.target.id: node.value}
    if not isinstance(node, ast.Assign):
        return {}
    target, value = node.targets[0], node.value
    if isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple):
        pairs = list(zip(target.elts, value.elts, strict=False))
    else:
        pairs = [(target, value)]
    return {name.id: said for name, said in pairs if isinstance(name, ast.Name)}


def _arguments(node: ast.FunctionDef) -> str:
    given = node.args
    names = [argument.arg for argument in (*given.posonlyargs, *given.args)]
    names += [f"*{given.vararg.arg}"] if given.vararg else ["*"] if given.kwonlyargs else []
    names += [argument.arg for argument in given.kwonlyargs]
    names += [f"**{given.kwarg.arg}"] if given.kwarg else []
    return f"({', '.join(names)})"


def _row(name: str, taken: str, about: str) -> str:
    return f"| `{name}{taken}` | {_escaped(' '.join(about.split()))} |"


def _escaped(text: str) -> str:
    """A docstring's line as Markdown: its code marks kept, what Markdown would read otherwise not.

    ``:func:`~room.name``` becomes the name alone.
    """
    text = re.sub(r":\w+:`~?(?:[\w.]+\.)?(\w+)`", r"`\1`", text).replace("``", "`")
    return re.sub(r"([|*_<$\[])(?=[^`]*(?:`[^`]*`[^`]*)*$)", r"\\\1", text)
