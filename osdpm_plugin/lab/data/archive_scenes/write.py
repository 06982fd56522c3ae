"""Number of scenes -> a folder of scene files, and tables of their dates, of what is where, and of questions."""

from __future__ import annotations

import csv
import io
import os
import shutil
import tempfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Optional, Union

from ....datasets.scenes.generator import LEAST_SIZE
from ....datasets.scenes.processes import draw_all
from ....errors import DataError
from ....utils.checks import check_int
from ....utils.files import write_text
from ..preparing.files import one_sentence
from .files import write_scene
from .mosaic import draw_mosaic
from .places import PLACES, Place
from .questions import questions_about

BOX = ('row', 'column', 'height', 'width', 'lon', 'lat')
COLUMNS = {
    'scenes.csv': ('scene', 'datetime', 'sensor'),
    'truth.csv': ('scene', 'kind', 'main', *BOX, 'captions'),
    'objects.csv': ('scene', 'kind', 'key', 'colour', *BOX),
    'queries.csv': ('text', 'scene', *BOX),
}
Row = dict[str, Union[str, int]]


def write_archive_scenes(
    root: Union[str, os.PathLike],
    *,
    scenes: int = len(PLACES),
    size: int = 4096,
    picture: int = 256,
    seed: int = 0,
    num_workers: Optional[int] = None,
) -> dict[str, int]:
    """Write scene files and four tables into ``root``, which is complete whenever it exists.

    A scene depends on its number, size and seed alone, so more scenes begin with the fewer. In the tables, ``scene`` is
    the name of a file, ``row``, ``column``, ``height`` and ``width`` are a box in its pixels, ``lon`` and ``lat`` its
    centre in degrees, empty for the scene without georeference:

    - ``scenes.csv``: sensor, and the time of those scenes whose file does not state it;
    - ``truth.csv``: a row for each picture: its kind, the key of its main thing, its captions, with `` | `` between;
    - ``objects.csv``: a row for each drawn object: the kind of its picture, its key, its colour if it has a name;
    - ``queries.csv``: up to five questions, a row for each of their right places, by ``lon`` and ``lat``, without
      georeference by the box; rows of equal text belong together.

    Args:
        root: a folder that is empty or not there yet.
        scenes: number of scenes, at most ten.
        size: pixels a side of a scene, more than ``picture``.
        picture: pixels a side of a picture, at least 64.
        seed: from 0.
        num_workers: processes; None: one for each core.

    Returns:
        name of each table -> its number of rows.

    Raises:
        ConfigError: an argument is out of range.
        DataError: ``root`` is not empty, or the disk refuses.
    """
    owner = 'write_archive_scenes'
    check_int(owner, 'scenes', scenes, most=len(PLACES))
    check_int(owner, 'picture', picture, least=LEAST_SIZE)
    check_int(owner, 'size', size, least=picture + 1)
    check_int(owner, 'seed', seed, least=0)
    if num_workers is not None:
        check_int(owner, 'num_workers', num_workers)
    root = Path(root).resolve()
    if root.exists() and (not root.is_dir() or any(root.iterdir())):
        raise DataError(f'{root} is there already and is no empty folder; delete it or name another one')
    with one_sentence(root):
        root.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=f'.{root.name}.', dir=root.parent))
        try:
            draw = partial(_draw_scene, folder=temporary, size=size, picture=picture, seed=seed)
            drawn = draw_all(range(scenes), draw, num_workers, unit='scene', chunksize=1)
            truth, objects = ([row for rows in part for row in rows] for part in zip(*drawn))
            asked = questions_about([str(row['kind']) for row in truth])
            tables = {
                'scenes.csv': [_scene_row(place) for place in PLACES[:scenes]],
                'truth.csv': truth,
                'objects.csv': objects,
                'queries.csv': [_query_row(q.text, row) for q in asked for row in truth if row['kind'] == q.kind],
            }
            for name, rows in tables.items():
                write_text(temporary / name, _table(COLUMNS[name], rows), 'root')
            temporary.chmod(0o755)
            os.replace(temporary, root)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
    return {name: len(rows) for name, rows in tables.items()}


def _query_row(text: str, row: Row) -> Row:
    """A right place, named in one way."""
    others = {name: '' for name in BOX if (name in ('lon', 'lat')) != bool(row['lon'])}
    return {'text': text, **row, **others}


def _draw_scene(number: int, *, folder: Path, size: int, picture: int, seed: int) -> tuple[list[Row], list[Row]]:
    """Write the file of a scene -> its rows of ``truth.csv`` and ``objects.csv``."""
    place = PLACES[number]
    border = place.layout == 'four_bands'
    pixels, pictures = draw_mosaic(number, place.ground, size=size, picture=picture, seed=seed, border=border)
    write_scene(folder, place, pixels)
    truth: list[Row] = []
    objects: list[Row] = []
    for row, col, scene in pictures:
        seen: Row = {'scene': place.file, 'kind': scene.kind}
        box: Row = {'row': row, 'column': col, 'height': picture, 'width': picture}
        truth.append({**seen, 'main': scene.main, 'captions': ' | '.join(scene.captions), **box})
        for drawn in scene.boxes:
            x0, y0, x1, y1 = (min(max(round(at), 0), picture) for at in (drawn.x0, drawn.y0, drawn.x1, drawn.y1))
            if x0 < x1 and y0 < y1:  # some reach over the edge of the picture, some lie beyond it
                box = {'row': row + y0, 'column': col + x0, 'height': y1 - y0, 'width': x1 - x0}
                objects.append({**seen, 'key': drawn.key, 'colour': drawn.colour, **box})
    for rows in (truth, objects):
        _add_places(rows, place, size)
    return truth, objects


def _add_places(rows: Sequence[Row], place: Place, size: int) -> None:
    """Add longitude and latitude of the centre of its box to each row."""
    centres = [
        [int(row[at]) + int(row[span]) / 2 for row in rows] for at, span in (('row', 'height'), ('column', 'width'))
    ]
    for row, (lon, lat) in zip(rows, place.lon_lat(size, *centres)):
        row.update(lon=lon, lat=lat)


def _scene_row(place: Place) -> Row:
    """-> its row of ``scenes.csv``."""
    return {'scene': place.file, 'datetime': place.time if place.dated == 'table' else '', 'sensor': place.sensor}


def _table(columns: Sequence[str], rows: Sequence[Row]) -> str:
    """-> CSV; of each row the columns alone."""
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, extrasaction='ignore', lineterminator='\n')
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()
