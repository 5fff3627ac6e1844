"""The parts of a Markdown text: what its headings, paragraphs, lists and tables are.

Parsed by markdown-it-py (CommonMark, and the tables of GitHub), so that a check sees what a
reader of the rendered text sees.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import lru_cache

from markdown_it import MarkdownIt
from markdown_it.token import Token

MAX_CHARACTERS = 50_000
"""Longer texts are judged by their beginning: a parser's time is not linear on every input."""

_PARSER = MarkdownIt("commonmark", {"maxNesting": 20}).enable("table")


@dataclass
class Document:
    """What stands in a text, in reading order, without layout marks.

    A block is a stretch of running text: a paragraph, wherever it stands, a table's cell or code.
    """

    headings: list[tuple[int, str]] = field(default_factory=list)  # level 1 to 6, and text
    paragraphs: list[str] = field(default_factory=list)  # not in lists, tables or quotes
    items: list[tuple[str, str]] = field(default_factory=list)  # "bullet" or "numbered"; paragraph
    tables: list[list[list[str]]] = field(default_factory=list)  # rows of cells, the header first
    bold: list[str] = field(default_factory=list)  # phrases
    n_block_quotes: int = 0
    blocks: list[str] = field(default_factory=list)
    sections: dict[str, list[str]] = field(default_factory=dict)  # heading -> blocks below it


@lru_cache(maxsize=256)
def parse(text: str) -> Document:
    """The parts of a text, without what lies beyond :data:`MAX_CHARACTERS`; never raises.

    >>> parse("# A\\n\\nOne **two**.\\n\\n- three").items
    [('bullet', 'three')]
    """
    document, section = Document(), None
    open_blocks: list[Token] = []
    for token in _PARSER.parse(text[:MAX_CHARACTERS]):
        if token.nesting == 1:
            open_blocks.append(token)
            if token.type == "blockquote_open":
                document.n_block_quotes += 1
            elif token.type == "table_open":
                document.tables.append([])
            elif token.type == "tr_open":
                document.tables[-1].append([])
        elif token.nesting == -1:
            open_blocks.pop()
        elif token.type == "inline":
            words = _plain(token)
            document.bold += _bold(token)
            if open_blocks[-1].type == "heading_open":
                section = words
                document.headings.append((int(open_blocks[-1].tag[1]), words))
                document.sections.setdefault(section, [])
                continue
            _add(document, [block.type for block in open_blocks], words)
            document.blocks.append(words)
            if section is not None:
                document.sections[section].append(words)
        elif token.type in ("fence", "code_block"):
            document.blocks.append(token.content)
    return document


def _add(document: Document, kinds: list[str], words: str) -> None:
    """Put a block of text where the kinds of the open blocks around it say."""
    if kinds[-1] in ("th_open", "td_open"):
        document.tables[-1][-1].append(words)
    elif "list_item_open" in kinds:
        if kinds[-2] == "list_item_open":
            marker = "numbered" if kinds[-3] == "ordered_list_open" else "bullet"
            document.items.append((marker, words))
    elif kinds == ["paragraph_open"]:
        document.paragraphs.append(words)


def _plain(inline: Token) -> str:
    """The words of a block; a line break stays one."""
    breaks = ("softbreak", "hardbreak")
    parts = ["\n" if child.type in breaks else child.content for child in inline.children or []]
    return "".join(parts).strip()


def _bold(inline: Token) -> list[str]:
    """The phrases of a block that stand in bold."""
    phrases: list[str] = []
    depth = 0
    for child in inline.children or []:
        if child.type == "strong_open":
            depth += 1
            if depth == 1:
                phrases.append("")
        elif child.type == "strong_close":
            depth -= 1
        elif depth:
            phrases[-1] += child.content
    return [re.sub(r"\s+", " ", phrase).strip() for phrase in phrases]
