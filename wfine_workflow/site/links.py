"""Whether a folder of HTML pages holds together and can be read without a network."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

FETCHED = re.compile(r"url\(\s*['\"]?([^'\")]+)|@import\s+['\"]([^'\"]+)", re.IGNORECASE)


@dataclass(frozen=True)
class Checked:
    """What was found in a folder of pages.

    Attributes:
        n_pages: HTML files.
        n_links: links and files fetched that lie in the folder, as often as they occur.
        n_elsewhere: links to other sites, which were not followed.
        faults: one sentence for each thing that a reader without a network would miss: a link or
            anchor that leads nowhere, something fetched from elsewhere, a picture without words.
    """

    n_pages: int
    n_links: int
    n_elsewhere: int
    faults: tuple[str, ...]


class _Page(HTMLParser):
    """Anchors, links and fetched files of one page."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.anchors: set[str] = set()
        self.twice: set[str] = set()
        self.links: list[str] = []
        self.fetched: list[str] = []
        self.without_words: list[str] = []
        self._in_style = False
        self.feed(source)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        said = {name: value or "" for name, value in attrs}
        if anchor := said.get("id"):
            (self.twice if anchor in self.anchors else self.anchors).add(anchor)
        if tag == "a":
            self.anchors |= {said["name"]} if "name" in said else set()
            self.links += [said["href"]] if "href" in said else []
        elif tag == "link" and "href" in said:
            names_only = {"canonical", "next", "prev", "index", "search", "top"}
            where = self.links if said.get("rel") in names_only else self.fetched
            where.append(said["href"])
        else:
            for name in ("src", "data", "poster", "href", "xlink:href"):
                self.fetched += [said[name]] if said.get(name) else []
            parts = said.get("srcset", "").split(",")
            self.fetched += [part.split()[0] for part in parts if part.strip()]
        if tag == "img" and not said.get("alt", "").strip():
            self.without_words.append(said.get("src", "")[:80])
        self.fetched += _fetched_by_style(said.get("style", ""))
        self._in_style = tag == "style"

    def handle_endtag(self, tag: str) -> None:
        self._in_style = False

    def handle_data(self, data: str) -> None:
        if self._in_style:
            self.fetched += _fetched_by_style(data)


def check(folder: Path) -> Checked:
    """Follow every link, anchor and fetched file of the pages and style sheets in a folder.

    Args:
        folder: of HTML pages, with what they show; sub-folders count. Links may lead to files in
            it; what scripts fetch while they run is not seen here.
    """
    folder = folder.resolve()
    texts = {path: path.read_text(encoding="utf-8") for path in sorted(folder.rglob("*.html"))}
    pages = {path: _Page(text) for path, text in texts.items()}
    faults: list[str] = []
    n: Counter[str] = Counter()
    for path, page in pages.items():
        name = path.relative_to(folder).as_posix()
        for link in page.links:
            if _is_elsewhere(link):
                n["elsewhere"] += 1
            else:
                n["links"] += 1
                faults += _missing(name, path, link, folder, pages)
        for link in page.fetched:
            faults += _missing(name, path, link, folder, pages)
            n["links"] += 1
        faults += [f"{name}: a picture without words: {x}" for x in page.without_words]
        faults += [f"{name}: two elements have the id {x}" for x in sorted(page.twice)]
    for path in sorted(folder.rglob("*.css")):
        name = path.relative_to(folder).as_posix()
        for link in _fetched_by_style(path.read_text(encoding="utf-8")):
            faults += _missing(name, path, link, folder, pages)
            n["links"] += 1
    return Checked(len(pages), n["links"], n["elsewhere"], tuple(dict.fromkeys(faults)))


def _missing(name: str, path: Path, link: str, folder: Path, pages: dict[Path, _Page]) -> list[str]:
    """The fault of a link that is followed, if it has one."""
    if link.startswith("data:"):
        return []
    if _is_elsewhere(link):
        return [f"{name}: fetched from elsewhere: {link}"]
    parts = urlsplit(link)
    target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
    target = target / "index.html" if target.is_dir() else target
    if not target.is_file():
        return [f"{name}: leads to no file: {link}"]
    if not target.is_relative_to(folder):
        return [f"{name}: leads out of the folder: {link}"]
    anchor = unquote(parts.fragment)
    if anchor and target in pages and anchor not in pages[target].anchors:
        return [f"{name}: no such anchor: {link}"]
    return []


def _fetched_by_style(text: str) -> list[str]:
    links = (url or imported for url, imported in FETCHED.findall(text))
    return [x for x in links if not x.startswith("#")]


def _is_elsewhere(link: str) -> bool:
    return bool(re.match(r"(?!data:)[a-z][a-z0-9+.-]*:|//", link, re.IGNORECASE))
