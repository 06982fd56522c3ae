"""What an archive knows of a scene: a small JSON file beside its shards."""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Optional

from ..errors import DataError
from ..utils.files import write_json
from .grid import Layout
from .places import Georeference
from .scene import Limits
from .sources import Source

_DATES = ('datetime', 'tagged')
UNIT_TILES = 2048  # of a unit of work, with those without data; not to be changed, since shards are numbered by it


@dataclass(frozen=True)
class SceneRecord:
    """A scene as it was when its tiles were cut.

    Attributes:
        scene: id.
        source: address.
        signature: of the file, see `Source`.
        shape: height, width in pixels.
        georeference: None for a plain picture.
        gsd: metres from a pixel to the next one below and to the right; None without georeference.
        datetime: of acquisition, in UTC; None if unknown.
        tagged: the date of the file's own tags, used where nothing else names one.
        attributes: name -> value.
        mask: address of the mask of pixels that are not used.
        limits: of the stretch, see `find_limits`.
        layout: its tiles.
    """

    scene: str
    source: str
    signature: str
    shape: tuple[int, int]
    georeference: Optional[Georeference]
    gsd: Optional[tuple[float, float]]
    datetime: Optional[dt.datetime]
    tagged: Optional[dt.datetime]
    attributes: dict[str, str]
    mask: Optional[str]
    limits: Optional[Limits]
    layout: Layout

    @property
    def rows_of_a_unit(self) -> int:
        """Rows of tiles that one unit of work takes."""
        return max(1, UNIT_TILES // len(self.layout.columns))

    @property
    def units(self) -> int:
        """Number of units of work."""
        return -(-len(self.layout.rows) // self.rows_of_a_unit)

    @property
    def tiles(self) -> int:
        """Number of tiles, with those that hold no data."""
        return len(self.layout.rows) * len(self.layout.columns)

    def fits(self, source: Source) -> bool:
        """Whether the file and its mask are what they were."""
        return (self.source, self.signature, self.mask) == (source.address, source.signature, source.mask)


def write_record(record: SceneRecord, path: Path) -> None:
    """Write a record, whole or not at all.

    Raises:
        ConfigError: the operating system refused.
    """
    content = asdict(record)
    for name in _DATES:
        content[name] = None if content[name] is None else content[name].isoformat()
    content['georeference'] = None if record.georeference is None else record.georeference._asdict()
    content['layout'] = record.layout._asdict()
    write_json(path, content, 'archive')


def read_record(path: Path) -> SceneRecord:
    """Read a record.

    Raises:
        DataError: the file is damaged.
    """
    try:
        content = json.loads(path.read_text('utf-8'))
        return _record(content)
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise DataError(f'{path} is damaged ({error}); remove it, and the next build makes it anew') from error


def _record(content: dict[str, Any]) -> SceneRecord:
    if sorted(content) != sorted(field.name for field in fields(SceneRecord)):
        raise ValueError('its keys are not those of a scene')
    place, limits = content['georeference'], content['limits']
    return SceneRecord(
        **{
            **content,
            'shape': tuple(content['shape']),
            'georeference': None if place is None else Georeference(place['crs'], tuple(place['transform'])),
            'gsd': None if content['gsd'] is None else tuple(content['gsd']),
            **{name: None if content[name] is None else dt.datetime.fromisoformat(content[name]) for name in _DATES},
            'limits': None if limits is None else tuple(None if pair is None else tuple(pair) for pair in limits),
            'layout': _layout(**content['layout']),
        }
    )


def _layout(height: int, width: int, rows: list[int], columns: list[int]) -> Layout:
    return Layout(height, width, tuple(rows), tuple(columns))
