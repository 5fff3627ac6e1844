"""A board as data, read from its HTML, for tests without a browser."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser


@dataclass
class Row:
    """One row: its attributes, the text of each cell, and what its drawings hold."""

    attributes: dict[str, str | None]
    cells: list[str] = field(default_factory=list)
    drawn: list[tuple[str, dict[str, str | None]]] = field(default_factory=list)


@dataclass
class Table:
    """What stands above a table, its heads with their attributes, and its parts by their key."""

    title: str = ""
    about: str = ""
    heads: list[tuple[str, dict[str, str | None]]] = field(default_factory=list)
    buttons: int = 0
    parts: dict[str, list[Row]] = field(default_factory=dict)


class BoardPage(HTMLParser):
    """Tables, and every tag with its attributes, of the text of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tables: list[Table] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.stamps: dict[str, str] = {}
        self._open: list[str] = []
        self._part, self._stamp, self._waiting = "", "", Table()
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        values = dict(attrs)
        self.tags.append((tag, values))
        if tag not in {"meta", "link", "path", "circle", "br"}:
            self._open.append(tag)
        table = self.tables[-1] if self.tables else None
        if tag == "section":
            self._waiting = Table()
        elif tag == "table":
            self.tables.append(self._waiting)
        elif tag == "th" and "thead" in self._open:
            table.heads.append(("", values))
        elif tag == "button":
            table.buttons += 1
        elif tag == "tbody":
            self._part = values["data-subset"]
            table.parts[self._part] = []
        elif tag == "tr" and "tbody" in self._open and values.get("class") != "part":
            table.parts[self._part].append(Row(values))
        elif tag in {"th", "td"} and "tbody" in self._open and "colspan" not in values:
            table.parts[self._part][-1].cells.append("")
        elif tag in {"path", "circle"}:
            table.parts[self._part][-1].drawn.append((tag, values))
        elif tag == "details":
            self._stamp = values["id"]
            self.stamps[self._stamp] = ""

    def handle_endtag(self, tag):
        if tag in self._open:
            while self._open.pop() != tag:
                pass

    def handle_data(self, data):
        if "h2" in self._open:
            self._waiting.title += data
        elif "p" in self._open and "section" in self._open and "table" not in self._open:
            self._waiting.about += data
        elif "thead" in self._open and self.tables[-1].heads and "th" in self._open:
            name, values = self.tables[-1].heads[-1]
            self.tables[-1].heads[-1] = (name + data, values)
        elif "tbody" in self._open and {"th", "td"} & set(self._open):
            rows = self.tables[-1].parts[self._part]
            if rows and rows[-1].cells:
                rows[-1].cells[-1] += data
        elif "pre" in self._open:
            self.stamps[self._stamp] += data
