"""A path -> the writer of its kind."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Optional, Sequence, Union

from ...errors import ConfigError
from ..hits import Hits
from .geojson import write_geojson
from .geoparquet import write_geoparquet
from .picture import write_picture
from .rows_csv import write_csv
from .stac import write_stac

if TYPE_CHECKING:
    from ..archive import Archive

ENDINGS = ('.geojson', '.gpkg', '.parquet', '.csv', '.json', '.png')
_OF_SQLITE = ('-wal', '-journal')  # beside a database that is open, or that a crash left


def write_hits(
    results: Union[Hits, Sequence[Hits]], path: Union[str, os.PathLike], *, archive: Optional[Archive] = None
) -> None:
    """Write the hits of one or several queries; see the package for the kinds of files.

    Args:
        results: hits of each query, or of one.
        path: of the file; its folder is made, and a file that is there is replaced.
        archive: that was searched; a picture cuts the tiles from its scenes.

    Raises:
        ConfigError: as in `check_output`, a picture is asked for without an archive, or the disk is full.
    """
    ending, path = check_output(path), os.fspath(path)
    results = [results] if isinstance(results, Hits) else results
    if ending == '.png':
        if archive is None:
            raise ConfigError(f'{path}: a picture shows tiles of an archive; give archive=, or write .geojson')
        write_picture(results, path, archive)
    elif ending == '.gpkg':
        from .geopackage import write_geopackage  # geopandas takes a second to import

        write_geopackage(results, path)
    else:
        writers = {'.geojson': write_geojson, '.parquet': write_geoparquet, '.csv': write_csv, '.json': write_stac}
        writers[ending](results, path)


def check_output(path: Union[str, os.PathLike]) -> str:
    """The ending of a path, in small letters; to be called before anything is searched.

    Raises:
        ConfigError: there is no writer for the ending, the folder cannot be written to, or a GeoPackage is open in
            another program.
    """
    file = Path(path)
    ending = file.suffix.lower()
    if ending not in ENDINGS:
        raise ConfigError(
            f'--out={str(path)!r} must end in {", ".join(ENDINGS[:-1])} or {ENDINGS[-1]} (.json: STAC items)'
        )
    if os.path.isdir(path):
        raise ConfigError(f'--out={str(path)!r} is a folder; name a file')
    folder = next(parent for parent in file.absolute().parents if os.path.exists(parent))
    if not os.path.isdir(folder) or not os.access(folder, os.W_OK | os.X_OK):
        raise ConfigError(f'--out={str(path)!r} cannot be written, since {folder} is no folder that you may write to')
    for rest in _OF_SQLITE if ending == '.gpkg' else ():
        if os.path.exists(f'{path}{rest}'):
            raise ConfigError(
                f'--out={str(path)!r} is open in another program, e.g. QGIS ({file.name}{rest} lies beside it); close '
                'it there, or name another file'
            )
    return ending
