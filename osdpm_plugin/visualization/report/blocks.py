"""What a page is made of; templates/blocks.html has one macro for each ``kind``. All texts are plain, never HTML."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import ClassVar, Union

from .chart import Chart, Legend


@dataclass(frozen=True)
class Text:
    """A paragraph."""

    kind: ClassVar[str] = 'text'
    text: str


@dataclass(frozen=True)
class Heading:
    """A heading within a section."""

    kind: ClassVar[str] = 'heading'
    text: str


@dataclass(frozen=True)
class Missing:
    """What is not there.

    Attributes:
        text: one sentence.
        command: that makes it; '' for none.
    """

    kind: ClassVar[str] = 'missing'
    text: str
    command: str = ''


@dataclass(frozen=True)
class Table:
    """Rows under headings; the first cell of a row is its heading.

    Attributes:
        caption: what the table says.
        head: one a column.
        rows: as wide as ``head``.
        texts: number of columns from the left that hold text and not numbers.
    """

    kind: ClassVar[str] = 'table'
    caption: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    texts: int = 1


@dataclass(frozen=True)
class Items:
    """A list of sentences."""

    kind: ClassVar[str] = 'items'
    items: tuple[str, ...]


@dataclass(frozen=True)
class Charts:
    """Small charts side by side under one legend."""

    kind: ClassVar[str] = 'charts'
    charts: tuple[Chart, ...]
    legend: tuple[Legend, ...] = ()


@dataclass(frozen=True)
class Picture:
    """An image within the page.

    Attributes:
        source: data URI.
        alt: what is to be seen.
        caption: below it; '' for none.
        width: pixels.
        height: pixels.
    """

    kind: ClassVar[str] = 'picture'
    source: str
    alt: str
    caption: str
    width: int
    height: int


@dataclass(frozen=True)
class Card:
    """One query.

    Attributes:
        title: its rank.
        text: a caption, or '' where the query is an image.
        pictures: small ones.
        notes: sentences below.
    """

    title: str
    text: str
    pictures: tuple[Picture, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Cards:
    """Queries side by side."""

    kind: ClassVar[str] = 'cards'
    cards: tuple[Card, ...]


@dataclass(frozen=True)
class Code:
    """Text of a file.

    Attributes:
        label: what it is, for screen readers.
        text: lines.
        is_diff: lines that begin with + or - are marked.
    """

    kind: ClassVar[str] = 'code'
    label: str
    text: str
    is_diff: bool = False


@dataclass(frozen=True)
class Details:
    """Blocks that are folded away.

    Attributes:
        summary: what is inside.
        blocks: any but headings.
    """

    kind: ClassVar[str] = 'details'
    summary: str
    blocks: tuple[Block, ...]


Block = Union[Text, Heading, Missing, Table, Items, Charts, Picture, Cards, Code, Details]


@dataclass(frozen=True)
class Section:
    """A part of the page with an entry in its contents.

    Attributes:
        anchor: id of the element.
        title: heading.
        blocks: content.
    """

    anchor: str
    title: str
    blocks: tuple[Block, ...]


def count(number: int, noun: str) -> str:
    """'1 seed', '2 seeds'."""
    return f'{number} {noun}' if number == 1 else f'{number} {noun}s'


def command(tool: str, *arguments: object) -> str:
    """A command line to copy; arguments are quoted where a shell asks for it."""
    return shlex.join(['python', tool, *map(str, arguments)])
