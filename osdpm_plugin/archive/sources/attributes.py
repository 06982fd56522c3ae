"""A table of dates and attributes (CSV) -> what it says of scenes."""

from __future__ import annotations

import csv
import os
from collections import defaultdict
from datetime import datetime
from typing import Iterator, NamedTuple, Optional, Sequence, Union

from ...errors import DataError
from ..remote import web_address
from .dates import parse_moment
from .source import Failure, Source, name_of, stem_of

SCENE, DATE = 'scene', 'datetime'


class Row(NamedTuple):
    """A row of a table.

    Attributes:
        line: number of its last line in the file, from 1.
        scene: what names the scene.
        datetime: in UTC; None without.
        attributes: name -> value.
    """

    line: int
    scene: str
    datetime: Optional[datetime]
    attributes: dict[str, str]


def read_table(path: Union[str, os.PathLike]) -> list[Row]:
    """Read a table with a column ``scene``, perhaps one ``datetime``, and attributes; an empty cell says nothing.

    Raises:
        DataError: it cannot be read, lacks the column, or a cell cannot be; the sentence names file and line.
    """
    try:
        with open(path, encoding='utf-8-sig', newline='') as file:
            reader = csv.reader(file, strict=True)
            header = [name.strip() for name in next(reader, [])]
            _check_header(header, path)
            return [
                _row(header, cells, f'{path}, line {reader.line_num}', reader.line_num) for cells in reader if cells
            ]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f'table {path} cannot be read ({error}); write CSV in UTF-8, with commas') from error


def match_rows(
    rows: Sequence[Row], sources: Sequence[Source], path: Union[str, os.PathLike]
) -> tuple[dict[str, Row], list[Failure]]:
    """Rows and the scenes that they name by file name, name without ending, path or address.

    Args:
        rows: of a table.
        sources: the scenes.
        path: of the table; paths in it are relative to its folder.

    Returns:
        Address -> row, and what no scene is like.

    Raises:
        DataError: a row names several scenes, or two rows name one.
    """
    known: dict[str, set[str]] = defaultdict(set)
    for source in sources:
        for name in (source.address, name_of(source.address), stem_of(source.address)):
            known[name].add(source.address)
    found: dict[str, Row] = {}
    strange = []
    for row in rows:
        addresses = next((known[name] for name in _names(row.scene, path) if name in known), set())
        if len(addresses) > 1:
            first, second = sorted(addresses)[:2]
            raise DataError(
                f'{path}, line {row.line}: {row.scene!r} names {len(addresses)} scenes, e.g. {first} and {second}; '
                'write their paths'
            )
        for address in addresses:
            if address in found:
                raise DataError(
                    f'{path}, line {row.line}: {row.scene!r} names the scene of line {found[address].line} again; '
                    'remove one of the two'
                )
            found[address] = row
        if not addresses:
            strange.append(row)
    return found, [_unused(strange, path)] if strange else []


def _names(scene: str, path: Union[str, os.PathLike]) -> Iterator[str]:
    """What a scene may be called where a table calls it so."""
    yield web_address(scene) or scene
    yield os.path.abspath(os.path.join(os.path.dirname(path), scene))


def _unused(rows: Sequence[Row], path: Union[str, os.PathLike]) -> Failure:
    return Failure(
        os.fspath(path),
        f'{len(rows)} of its rows name no scene that was found, first: line {rows[0].line}, {rows[0].scene!r}',
    )


def _check_header(header: Sequence[str], path: Union[str, os.PathLike]) -> None:
    if SCENE not in header:
        raise DataError(
            f'table {path} has no column {SCENE!r}, but {", ".join(header) or "none"}; name the scenes in it'
        )
    for name in header:
        if not name or '=' in name or header.count(name) > 1:
            raise DataError(
                f'table {path} has a column {name!r}; give each column a name of its own, without an equals sign'
            )


def _row(header: Sequence[str], cells: Sequence[str], where: str, line: int) -> Row:
    if len(cells) > len(header):
        raise DataError(
            f'{where}: it has {len(cells)} cells for {len(header)} columns; put cells with commas in quotes'
        )
    values = {name: cell.strip() for name, cell in zip(header, cells) if cell.strip()}
    if SCENE not in values:
        raise DataError(f'{where}: no scene is named; write its file name, or remove the line')
    date = values.pop(DATE, None)
    try:
        moment = None if date is None else parse_moment(date)
    except DataError as error:
        raise DataError(f'{where}: {error}') from error
    return Row(line, values.pop(SCENE), moment, values)
