"""What a page is made of; templates/blocks.html shows each ``kind``. All texts are plain, never HTML."""

from __future__ import annotations

import shlex
from dataclasses import dataclass

from .chart import Chart, Series


class Block:
    """A part of a section."""

    @property
    def kind(self) -> str:
        """For templates/blocks.html."""
        return type(self).__name__.lower()


@dataclass(frozen=True)
class Text(Block):
    """A paragraph."""

    text: str


@dataclass(frozen=True)
class Heading(Block):
    """A heading within a section."""

    text: str


@dataclass(frozen=True)
class Missing(Block):
    """One sentence on what is not there, and the command that makes it, '' for none."""

    text: str
    command: str = ''


@dataclass(frozen=True)
class Table(Block):
    """Rows as wide as the head, the first cell of each its heading; the first ``texts`` columns hold no numbers."""

    caption: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    texts: int = 1


@dataclass(frozen=True)
class Items(Block):
    """A list of sentences."""

    items: tuple[str, ...]


@dataclass(frozen=True)
class Charts(Block):
    """Small charts side by side under one legend."""

    charts: tuple[Chart, ...]
    legend: tuple[Series, ...] = ()


@dataclass(frozen=True)
class Picture(Block):
    """An image within the page: a data URI, what is to be seen, the line below ('' for none), its size in pixels."""

    source: str
    alt: str
    caption: str
    width: int
    height: int


@dataclass(frozen=True)
class Card:
    """One query: its rank, its caption ('' where it is an image), small pictures, sentences below."""

    title: str
    text: str
    pictures: tuple[Picture, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Cards(Block):
    """Queries side by side."""

    cards: tuple[Card, ...]


@dataclass(frozen=True)
class Code(Block):
    """Text of a file, with a label for screen readers; the lines of a diff are marked by their first letter."""

    label: str
    text: str
    is_diff: bool = False


@dataclass(frozen=True)
class Details(Block):
    """Blocks other than headings, folded away behind a summary."""

    summary: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True)
class Section:
    """A part of the page with an entry in its contents; ``anchor`` is the id of its element."""

    anchor: str
    title: str
    blocks: tuple[Block, ...]


def count(number: int, noun: str) -> str:
    """'1 seed', '2 seeds'."""
    return f'{number} {noun}' if number == 1 else f'{number} {noun}s'


def command(tool: str, *arguments: object) -> str:
    """A command line to copy; arguments are quoted where a shell asks for it."""
    return shlex.join(['python', tool, *map(str, arguments)])
