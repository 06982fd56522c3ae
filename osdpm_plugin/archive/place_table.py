"""A CSV file of places, with what one asks for them -> checked rows."""

from __future__ import annotations

import csv
import math
from datetime import datetime
from typing import NamedTuple, Optional

from ..errors import ConfigError, DataError
from .filters import Bounds, Filter, check_bounds
from .moments import parse_moment

POINT, BOX, WINDOW = ('lon', 'lat'), ('west', 'south', 'east', 'north'), ('row', 'column', 'height', 'width')
KINDS = (POINT, BOX, WINDOW)
COLUMNS = ('text', *POINT, *BOX, 'scene', *WINDOW, 'from', 'to', 'scenes')


class Place(NamedTuple):
    """A place; one of point, bounds and window is given.

    Attributes:
        point: longitude and latitude in degrees.
        bounds: west, south, east, north in degrees; west > east across the antimeridian.
        window: row, column, height, width in pixels of the scene.
        scene: what the scene is called in which it lies; None: any.
    """

    point: Optional[tuple[float, float]] = None
    bounds: Optional[Bounds] = None
    window: Optional[tuple[int, int, int, int]] = None
    scene: Optional[str] = None


class Row(NamedTuple):
    """A line of a table.

    Attributes:
        line: its number in the file, from 1.
        place: where.
        text: what is asked; None if the table has no such column.
        start: first moment that is searched; None: any.
        end: last moment; None: any.
        scenes: what the scenes are called that are searched; empty: all.
    """

    line: int
    place: Place
    text: Optional[str] = None
    start: Optional[datetime] = None
    end: Optional[datetime] = None
    scenes: tuple[str, ...] = ()


def read_table(path: str, *, is_asked: bool = True) -> list[Row]:
    """Read a table.

    Columns: ``lon, lat``, or ``west, south, east, north``, or ``scene, row, column, height, width`` name a place, and
    others of these may stay empty; ``text`` what is asked for; ``from`` and ``to`` (a day, or a moment in ISO 8601) and
    ``scenes`` (separated by ;) what is searched. ``scene`` beside degrees says in which scene the place is.

    Args:
        path: of a CSV file in UTF-8 with a line of names at its head.
        is_asked: each line must have a text.

    Raises:
        DataError: the file cannot be read, or a line is wrong.
    """
    rows = []
    try:
        with open(path, encoding='utf-8-sig', newline='') as file:
            reader = csv.DictReader(file, strict=True)
            names = [(name or '').strip() for name in reader.fieldnames or ()]
            _check_names(path, names, is_asked)
            reader.fieldnames = names
            for cells in reader:
                if None in cells or None in cells.values():
                    raise DataError(
                        f'{path}, line {reader.line_num}: it has another number of columns than line 1 ({len(names)}); '
                        'put a text with commas in quotes'
                    )
                rows.append(_Line(path, reader.line_num, {k: v.strip() for k, v in cells.items()}).row(is_asked))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f'{path} cannot be read as CSV in UTF-8 ({error}); save it anew') from error
    if not rows:
        raise DataError(f'{path} has no lines below its head; add one for each place')
    return rows


def _check_names(path: str, names: list[str], is_asked: bool) -> None:
    for name in names:
        if name not in COLUMNS:
            raise DataError(f'{path}, line 1: column {name!r} is none of {", ".join(COLUMNS)}; rename or remove it')
        if names.count(name) > 1:
            raise DataError(f'{path}, line 1: column {name} is there twice; remove one')
    if is_asked and 'text' not in names:
        raise DataError(f'{path}, line 1: column text is missing; it says what is asked for')


class _Line:
    """One line, and what is wrong with it."""

    def __init__(self, path: str, number: int, cells: dict[str, str]) -> None:
        self.path, self.number, self.cells = path, number, cells

    def error(self, column: str, message: str) -> DataError:
        return DataError(f'{self.path}, line {self.number}, column {column}: {message}')

    def row(self, is_asked: bool) -> Row:
        text = self.cells.get('text') or None
        if is_asked and text is None:
            raise self.error('text', 'it is empty; write what is asked for')
        start, end = self.moment('from'), self.moment('to', last=True)
        try:
            Filter(start=start, end=end)
        except ConfigError as error:
            raise self.error('to', str(error)) from error
        scenes = tuple(name.strip() for name in self.cells.get('scenes', '').split(';') if name.strip())
        return Row(self.number, self.place(is_asked), text, start, end, scenes)

    def place(self, is_asked: bool) -> Place:
        given = [kind for kind in KINDS if any(self.cells.get(name) for name in kind)]
        if len(given) != 1:
            found = ' and '.join(', '.join(kind) for kind in given) or 'none'
            raise self.error((given[-1] if given else POINT)[0], f'a line names one place, and this one {found}')
        (kind,) = given
        values = [self.number_of(name) for name in kind]
        scene = self.cells.get('scene') or None
        if kind == WINDOW:
            for name, value, least in zip(kind, values, (0, 0, 1, 1)):
                if value != int(value) or value < least:
                    raise self.error(name, f'{value:g} is no whole number of at least {least}')
            if scene is None and is_asked:
                raise self.error('scene', 'it is empty; pixels need the scene that they are of')
            return Place(window=tuple(map(int, values)), scene=scene)  # type: ignore[arg-type]
        try:
            check_bounds(values if kind == BOX else values * 2)
        except ConfigError as error:
            raise self.error(kind[0], str(error)) from error
        if kind == POINT:
            return Place(point=(values[0], values[1]), scene=scene)
        if values[0] == values[2] or values[1] == values[3]:
            raise self.error('east', 'the box has no area; give lon and lat instead')
        return Place(bounds=tuple(values), scene=scene)  # type: ignore[arg-type]

    def number_of(self, name: str) -> float:
        text = self.cells.get(name, '')
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not math.isfinite(value):
            raise self.error(name, f'{text!r} is no number')
        return value

    def moment(self, name: str, *, last: bool = False) -> Optional[datetime]:
        """The moment in a column; of a year, month or day its first one, or its last one."""
        text = self.cells.get(name, '')
        if not text:
            return None
        try:
            return parse_moment(text, last=last)
        except ConfigError as error:
            raise self.error(name, str(error)) from error
