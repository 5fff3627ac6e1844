"""``wfine compile``: the checks that requirements say, and their verdict on a text."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from wfine_utils.errors import explained
from wfine_workflow.answers import add_json, answer, text_of


@explained
def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; see ``wfine compile --help``."""
    parser = argparse.ArgumentParser(
        prog="wfine compile",
        description="Print the check that each requirement compiles to, or why it compiles to "
        "none. Nothing but the words is read, and no model is asked.",
        epilog='Example: wfine compile "Use at most 120 words." "Be kind." --on letter.txt',
    )
    parser.add_argument("requirements", nargs="+", metavar="REQUIREMENT", help="in quotes")
    parser.add_argument("--on", metavar="FILE", help="a text; the verdict of every check on it")
    add_json(parser)
    args = parser.parse_args(arguments)
    text = None if args.on is None else text_of(Path(args.on))
    rows = [_row(requirement, text) for requirement in args.requirements]
    lines = [line for row in rows for line in _lines(row)]
    answer("\n".join(lines), {"requirements": rows}, as_json=args.json)
    return 0


def _row(requirement: str, text: str | None) -> dict[str, Any]:
    """What a requirement compiles to, and of a text what was counted and whether it is met."""
    from wfine_utils.checks.compile import compiled  # --help should not wait for these
    from wfine_utils.checks.dispatch import check, measure

    spec, reason = compiled(requirement)
    row: dict[str, Any] = {"requirement": requirement, "check": spec, "reason": reason}
    if text is not None:
        row["met"] = None if spec is None else check(spec, text)
        row["measured"] = None if spec is None else measure(spec, text)
    return row


def _lines(row: dict[str, Any]) -> list[str]:
    spec = row["check"]
    lines = [row["requirement"]]
    if spec is None:
        return [*lines, f"  no check: {row['reason']}"]
    lines.append(f"  check: {json.dumps(spec, ensure_ascii=False)}")
    if "met" in row:
        counted = "" if row["measured"] is None else f" (counted {row['measured']:g})"
        lines.append(f"  {'met' if row['met'] else 'not met'}{counted}")
    return lines
