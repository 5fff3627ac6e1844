"""What Sphinx reads: the pages of the repository, gathered, with links that hold on the site.

Pages keep their places: ``docs/method.md`` becomes ``docs/method.html``. Of a notebook that a kept
run of the default preset has executed, that copy is shown, in the place of the notebook. Whatever a
page links to comes along: Markdown and notebooks as pages, other files to be downloaded; a link to
a folder leads to the README in it or, without one, to that of the folder above.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

import nbformat

from wfine_utils.errors import WfineError
from wfine_utils.files import display_path
from wfine_workflow.pages import quiet
from wfine_workflow.site import names

FRONT = "README.md"
INDEX = "index.md"
KEPT = "outputs/reference"
SHOWN = f"{KEPT}/mini/notebooks"
START = ("notebooks/start.ipynb", "docs/method.md", "docs/findings.md")
CODE = re.compile(r"(^ *```.*?^ *```|`[^`\n]*`)", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"(?<=\]\()[^)\s]+|(?<=\bsrc=\")[^\"]+|(?<=\bhref=\")[^\"]+")
COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)


@dataclass
class Sources:
    """The pages of a site and the files that they link to, by their places in the repository.

    Attributes:
        root: folder of the repository.
        files: the file that is read for a place, such as ``notebooks/00_base_model.ipynb``.
        titles: the first heading of each page, without code marks.
        made: text of a page that is written from the code.
    """

    root: Path
    files: dict[str, Path] = field(default_factory=dict)
    titles: dict[str, str] = field(default_factory=dict)
    made: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, root: Path) -> Sources:
        """The site of a repository: what is always shown, and all that it leads to.

        Raises:
            WfineError: ``root`` has no README.md, so it is no clone of the repository.
        """
        if not (root / FRONT).is_file():
            raise WfineError(
                f"{display_path(root)}: found no {FRONT}, expected a clone of the repository, with "
                "docs/ and notebooks/. Call this from there."
            )
        sources = cls(root)
        patterns = ("docs/*.md", "notebooks/*.ipynb", "course/**/*.md", "course/**/*.ipynb")
        always = [root / FRONT, root / "CONTRIBUTING.md", root / "CHANGELOG.md"]
        always += [path for pattern in patterns for path in sorted(root.glob(pattern))]
        for path in always:
            place = path.relative_to(root)
            if path.is_file() and not any(part.startswith(".") for part in place.parts):
                sources._add(place.as_posix())
        if text := names.names_page(root):
            sources.made[names.PLACE] = text
            sources.titles[names.PLACE] = names.TITLE
        return sources

    def _add(self, place: str) -> None:
        """Take a file in and, where it is a page, what it links to."""
        kept = self.root / SHOWN / PurePosixPath(place).name
        file = kept if place.startswith("notebooks/") and kept.is_file() else self.root / place
        self.files[place] = file
        if is_page(place):
            text = _markdown(file)
            heading = re.search(r"^# +(.+)$", CODE.sub(_blank_fence, text), re.MULTILINE)
            self.titles[place] = heading[1].replace("`", "").strip() if heading else place
            for link in _links(text):
                other, _ = self.target(place, link)
                if other is not None and other not in self.files:
                    self._add(other)

    def target(self, place: str, link: str) -> tuple[str | None, str]:
        """Where a link of a page leads: a place in the repository, and ``#anchor`` or nothing.

        The place is None where the link leads elsewhere, into the page itself or to nothing there.
        """
        path, hash_, anchor = link.partition("#")
        if not path or re.match(r"[a-z][a-z+.-]*:|/", path):
            return None, hash_ + anchor
        # An executed copy has the links of its notebook, which start from notebooks/.
        is_copy = re.fullmatch(rf"{KEPT}/[^/]+/notebooks/[^/]+", place)
        folder = "notebooks" if is_copy else os.path.dirname(place)
        there = Path(os.path.normpath(self.root / folder / path))
        if not there.is_relative_to(self.root) or not there.exists():
            return None, hash_ + anchor
        if there.is_dir():
            up = (there, *there.parents)
            there = next(x / FRONT for x in up if (x / FRONT).is_file())
        there_place = there.relative_to(self.root).as_posix()
        if there.parent == self.root / SHOWN:
            there_place = f"notebooks/{there.name}"
        return there_place, hash_ + anchor

    def relinked(self, place: str, text: str) -> str:
        """Markdown of a page with its links as they are on the site, and without comments."""

        def new(match: re.Match[str]) -> str:
            other, anchor = self.target(place, match[0])
            if other is None:
                return match[0]
            path = os.path.relpath(on_site(other), os.path.dirname(place) or ".")
            return path + anchor

        parts = CODE.split(text)  # code at odd places
        return "".join(
            part if i % 2 else LINK.sub(new, COMMENT.sub("", part)) for i, part in enumerate(parts)
        )

    def write(self, target: Path) -> None:
        """Write all pages and files below a folder, the front page with what the site has."""
        for place, file in self.files.items():
            path = target / on_site(place)
            path.parent.mkdir(parents=True, exist_ok=True)
            if place.endswith(".ipynb"):
                nbformat.write(self._notebook(place), path)
            elif is_page(place):
                text = self.relinked(place, file.read_text(encoding="utf-8"))
                end = self._front() if place == FRONT else self._below(place)
                path.write_text(f"{text}\n{end}", encoding="utf-8")
            else:
                shutil.copyfile(file, path)
        for place, text in self.made.items():
            (target / place).write_text(self.relinked(place, text), encoding="utf-8")

    def _notebook(self, place: str) -> nbformat.NotebookNode:
        """A notebook to be shown as it is, with its pictures described and a word on its run."""
        file = self.files[place]
        notebook = quiet(nbformat.read(file, as_version=4), file)
        notebook.metadata.setdefault("language_info", {"name": "python"})  # else no colours
        for cell in notebook.cells:
            if cell.cell_type == "markdown":
                cell.source = self.relinked(place, cell.source)
            for output in cell.get("outputs", []):
                if alt := output.get("metadata", {}).get("image/png", {}).get("alt"):
                    cell.metadata["mystnb"] = {"image": {"alt": alt}}
        if any(cell.get("outputs") for cell in notebook.cells):
            run = file.parent.parent.name
            said = f"Executed with preset `{run}`; this page shows the results of that run."
        else:
            said = "Shown without results: this notebook is yours to run."
        note = nbformat.v4.new_markdown_cell(f"*{said}*")
        notebook.cells.insert(1, note)
        return notebook

    def groups(self) -> dict[str, list[str]]:
        """The navigation: headings, and the pages below each, in their order."""
        rest = [place for place in self.titles if place != FRONT]

        def take(wanted: Iterable[str]) -> list[str]:
            taken = [place for place in wanted if place in rest]
            rest[:] = [place for place in rest if place not in taken]
            return taken

        course = [place for place in rest if place.startswith("course/")]
        groups = {
            "Start here": take(START),
            "Notebooks": take(sorted(x for x in rest if x.startswith("notebooks/"))),
            "Reference": take(["docs/architecture.md", names.PLACE]),
            "How to": take(sorted(x for x in rest if x.startswith("docs/"))),
            "Course": in_folder(take(course), "course"),
        }
        groups["Reference"] += sorted(rest, key=lambda place: (place.endswith(".ipynb"), place))
        order = ("Start here", "Notebooks", "How to", "Course", "Reference")
        return {name: groups[name] for name in order if groups[name]}

    def title(self, place: str) -> str:
        """The title of a page; of an executed copy, with the preset that it was executed with."""
        parts = place.split("/")
        is_copy = place.startswith(KEPT) and place.endswith(".ipynb")
        return f"{self.titles[place]} ({parts[2]})" if is_copy else self.titles[place]

    def _front(self) -> str:
        """What is added to the README: a table of the pages, and Sphinx's lists of them."""
        groups = self.groups()
        rows = [
            f"| **{name}** | "
            + "<br>".join(f"[{_cell(self.title(x))}]({on_site(x)})" for x in places)
            + " |"
            for name, places in groups.items()
        ]
        table = "\n".join(["## On this site", "", "| | |", "|---|---|", *rows])
        lists = [self._toctree(places, ".", name) for name, places in groups.items()]
        return "\n\n".join([table, *lists]) + "\n"

    def _below(self, place: str) -> str:
        """For the README of a folder of the course: Sphinx's list of what lies below it."""
        folder = os.path.dirname(place)
        if not place.startswith("course/") or os.path.basename(place) != FRONT:
            return ""
        inside = [x for x in self.titles if x.startswith(f"{folder}/") and x != place]
        return self._toctree(in_folder(inside, folder), folder) if inside else ""

    def _toctree(self, places: Iterable[str], folder: str, caption: str = "") -> str:
        entries = [
            f"{self.title(x)} <{os.path.relpath(on_site(x), folder).removesuffix('.md')}>"
            for x in places
        ]
        head = ["```{toctree}", ":hidden:", *([f":caption: {caption}"] if caption else []), ""]
        return "\n".join([*head, *entries, "```"]) + "\n"


def in_folder(places: Iterable[str], folder: str) -> list[str]:
    """The pages to list for a folder: its README alone where the list has it, else what is in it.

    A folder in it stands for its pages by its README, where it has one.
    """
    readme, places = f"{folder}/{FRONT}", sorted(places)
    if readme in places:
        return [readme]
    listed: list[str] = []
    for place in places:
        inner = place.removeprefix(f"{folder}/").partition("/")
        if not inner[1]:
            listed.append(place)
        else:
            first = f"{folder}/{inner[0]}"
            listed += in_folder([x for x in places if x.startswith(f"{first}/")], first)
    return list(dict.fromkeys(listed))


def is_page(place: str) -> bool:
    """Whether a file becomes a page of the site, and not a file to be downloaded."""
    return place.endswith((".md", ".ipynb"))


def on_site(place: str) -> str:
    """Where a file lies among the sources of the site."""
    return INDEX if place == FRONT else place


def _markdown(file: Path) -> str:
    if file.suffix != ".ipynb":
        return file.read_text(encoding="utf-8")
    cells = nbformat.read(file, as_version=4).cells
    return "\n\n".join(cell.source for cell in cells if cell.cell_type == "markdown")


def _links(text: str) -> list[str]:
    return [match[0] for part in CODE.split(text)[::2] for match in LINK.finditer(part)]


def _blank_fence(match: re.Match[str]) -> str:
    return match[0] if "\n" not in match[0] else ""


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
