"""The parts of a Markdown text: what its headings, paragraphs, lists and tables are.

markdown-it-py (CommonMark, and the tables and strikethrough of GitHub) renders the text, and the
page is read from top to bottom. So a check sees what a reader of the rendered text sees, and HTML
that stands in Markdown counts like Markdown: ``<li>`` is an item, ``<b>`` is bold, a comment is
nothing. A tag that HTML does not know, such as ``<your name>``, is text.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import lru_cache
from html.parser import HTMLParser

from markdown_it import MarkdownIt

from wfine_utils.checks.words import normalised, plain_text

MAX_CHARACTERS = 50_000
"""Longer texts are judged by their beginning: a parser's time is not linear on every input."""

_PARSER = MarkdownIt("commonmark", {"maxNesting": 20}).enable(["table", "strikethrough"])

_SIGNS = "•◦▪‣●○■·∙⁃▸►➤☐☑☒✅✓✔✗✘"  # of bullets that Markdown does not know
_BULLET_SIGN = re.compile(rf"^([ \t]*)[{_SIGNS}](?:[ \t]+|(?=\w))", re.MULTILINE)
_YEAR_FIRST = re.compile(r"^([ \t]*\d{4,9})(?=[.)][ \t])", re.MULTILINE)  # 1986. It rained.

# In HTML: what opens neither a tag nor a comment. HTMLParser would search for its end time and
# again, and raises on some <![.
_NO_TAG = re.compile(r"<(?!!--|(?!!\[)[^<>]*>)")

# A plain_text without any of these reads as it stands.
_LAYOUT = re.compile(
    rf"[*_`~<>&\[\]\\|#=]|^[ \t]*(?:[-+][ \t]|[{_SIGNS}]|\d{{1,3}}[.)][ \t])|---", re.MULTILINE
)

_BLOCK_TAGS = frozenset(
    "address article aside blockquote body caption center dd details dialog dir div dl dt fieldset "
    "figcaption figure footer form h1 h2 h3 h4 h5 h6 head header hgroup hr html li main menu nav "
    "ol p pre script section style summary table tbody td template tfoot th thead title tr "
    "ul".split()
)
_INLINE_TAGS = frozenset(
    "a abbr acronym audio base bdi bdo big button canvas cite code data del dfn em embed font i "
    "iframe input ins kbd label link map mark meta meter nobr noscript object optgroup option "
    "output path picture progress q ruby rp rt s samp select small source span strike sub sup svg "
    "textarea time track tt u var video wbr b strong br img".split()
)
_ITS_PLACE = {"li": {"ul", "ol", "menu", "dir"}, "tr": {"table"}, "td": {"tr"}, "th": {"tr"}}
_HEADINGS = ("h1", "h2", "h3", "h4", "h5", "h6")
_NOT_RUNNING = {"li", "dl", "table", "blockquote", "pre", *_HEADINGS}
_NOT_SHOWN = {"script", "style", "template", "title"}


@dataclass
class Document:
    """What stands in a text, in reading order, without layout marks.

    A block is a stretch of running text: a paragraph, wherever it stands, a table's cell or code.
    """

    headings: list[tuple[int, str]] = field(default_factory=list)  # level 1 to 6, and text
    paragraphs: list[str] = field(default_factory=list)  # not in lists, tables or quotes
    items: list[tuple[str, str]] = field(default_factory=list)  # kind, and first block of its own
    tables: list[list[list[str]]] = field(default_factory=list)  # rows of cells, the header first
    bold: list[str] = field(default_factory=list)  # phrases
    n_block_quotes: int = 0
    blocks: list[str] = field(default_factory=list)
    # Heading -> blocks below it, down to the next heading of its level or a higher one.
    sections: dict[str, list[str]] = field(default_factory=dict)
    text: str = ""  # all of it: headings and blocks with a blank line between, a table's row on one


@lru_cache(maxsize=256)
def parse(text: str) -> Document:
    """The parts of a text, without what lies beyond :data:`MAX_CHARACTERS`; never raises.

    Items are of kind "bullet" or "numbered"; one without any text counts for nothing.

    >>> parse("# A\\n\\nOne **two**.\\n\\n- three").items
    [('bullet', 'three')]
    """
    source = _YEAR_FIRST.sub(r"\1\\", _BULLET_SIGN.sub(r"\1- ", text[:MAX_CHARACTERS]))
    page = _Page()
    page.feed(_NO_TAG.sub("&lt;", _PARSER.render(source)))
    page.close()
    return page.document


@lru_cache(maxsize=256)
def seen_text(text: str) -> str:
    """All that a reader of the rendered text sees, :func:`normalised`; never raises.

    What lies beyond :data:`MAX_CHARACTERS` is taken as it stands.

    >>> seen_text("We _utilize_ it, as they **can’t**.")
    "We utilize it, as they can't."
    """
    plain = plain_text(text)  # much faster, and all that most texts need
    if _LAYOUT.search(plain):
        plain = parse(text).text + text[MAX_CHARACTERS:]
    return normalised(plain)


@dataclass
class _Element:
    """A block element that is open around the present place."""

    tag: str
    has_text: bool = False  # of a list item: beside that of items within it


class _Page(HTMLParser):
    """Reads a page from top to bottom into a :class:`Document`."""

    def __init__(self) -> None:
        super().__init__()
        self.document = Document()
        self._open: list[_Element] = []  # outermost first
        self._block: list[str] = []  # what was read of the present block
        self._bold_depth = 0
        self._chapter: list[tuple[int, str]] = []  # the headings that the present place is under
        self._seen: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _BLOCK_TAGS:
            self._end_block()
            self._enter(tag)
        elif tag == "br":
            self.handle_data("\n")
        elif tag == "img":
            self.handle_data(dict(attrs).get("alt") or "")
        elif tag in ("b", "strong"):
            if not self._bold_depth:
                self.document.bold.append("")
            self._bold_depth += 1
        elif tag not in _INLINE_TAGS:
            self.handle_data(self.get_starttag_text() or "")

    def handle_endtag(self, tag: str) -> None:
        if tag in _BLOCK_TAGS:
            self._end_block()
            self._leave({tag}, with_it=True)
        elif tag in ("b", "strong"):
            self._bold_depth = max(0, self._bold_depth - 1)
        elif tag == "br":  # </br> breaks a line too
            self.handle_data("\n")
        elif tag not in _INLINE_TAGS:
            self.handle_data(f"</{tag}>")

    def handle_data(self, data: str) -> None:
        self._block.append(data)
        if self._bold_depth:
            self.document.bold[-1] += data

    def close(self) -> None:
        super().close()
        self._end_block()
        bold = (" ".join(phrase.split()) for phrase in self.document.bold)
        self.document.bold = [phrase for phrase in bold if phrase]
        self.document.text = "\n\n".join(self._seen)

    def _leave(self, tags: set[str], *, with_it: bool) -> bool:
        """Close what is open down to the innermost of these elements, if one of them is open."""
        for i in range(len(self._open) - 1, -1, -1):
            if self._open[i].tag in tags:
                del self._open[i + (not with_it) :]
                return True
        return False

    def _enter(self, tag: str) -> None:
        """Open a block element, and close those that cannot go on around it."""
        if self._open and self._open[-1].tag == "p":
            self._open.pop()
        if tag in _ITS_PLACE and not self._leave(_ITS_PLACE[tag], with_it=False):
            return
        if tag == "blockquote":
            self.document.n_block_quotes += 1
        elif tag == "table" and any(element.tag == "table" for element in self._open):
            return  # its rows go on with those of the table around it
        elif tag == "table":
            self.document.tables.append([])
        elif tag == "tr":
            self.document.tables[-1].append([])
        elif tag in ("td", "th"):
            self.document.tables[-1][-1].append("")
        if tag != "hr" and len(self._open) < 100:  # a bound on the time for nested tags
            self._open.append(_Element(tag))

    def _end_block(self) -> None:
        """Put the block that was read where the elements around it say."""
        words, tags = "".join(self._block), {element.tag for element in self._open}
        self._block.clear()
        self._bold_depth = 0
        if "pre" not in tags:
            words = "\n".join(filter(None, map(str.strip, words.split("\n"))))
        if not words.strip() or tags & _NOT_SHOWN:
            return
        self._note_item(words)
        tag = self._open[-1].tag if self._open else "body"
        if tag in _HEADINGS:
            self._note_heading(int(tag[1]), words)
            return
        self.document.blocks.append(words)
        for title in {title for _, title in self._chapter}:
            self.document.sections[title].append(words)
        if tags & {"td", "th"}:
            self._note_cell(words)
            return
        self._seen.append(words)
        if not tags & _NOT_RUNNING:
            self.document.paragraphs.append(words)

    def _note_item(self, words: str) -> None:
        """Count the innermost list item that is open at its first block, whatever that is."""
        item = next((element for element in reversed(self._open) if element.tag == "li"), None)
        if item is not None and not item.has_text:
            item.has_text = True
            lists = [element.tag for element in self._open if element.tag in _ITS_PLACE["li"]]
            kind = "numbered" if lists[-1] == "ol" else "bullet"
            self.document.items.append((kind, words))

    def _note_heading(self, level: int, words: str) -> None:
        while self._chapter and self._chapter[-1][0] >= level:
            self._chapter.pop()
        self._chapter.append((level, words))
        self.document.headings.append((level, words))
        self.document.sections.setdefault(words, [])
        self._seen.append(words)

    def _note_cell(self, words: str) -> None:
        row = self.document.tables[-1][-1]
        if any(row):
            self._seen[-1] += " | " + words.replace("\n", " ")
        else:
            self._seen.append(words.replace("\n", " "))
        row[-1] = f"{row[-1]}\n{words}".strip()
