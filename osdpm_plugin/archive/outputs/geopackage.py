"""Hits -> a GeoPackage that QGIS draws in colours by score."""

from __future__ import annotations

import os
import tempfile
from datetime import datetime, timezone
from typing import BinaryIO, Sequence

import pandas
import pyogrio
from pyogrio.errors import DataLayerError, DataSourceError

from ...utils.files import write_atomically
from ..hits import Hits
from .frame import frame_of
from .qgis_style import style_by_score

LAYER, GEOMETRY = 'hits', 'geom'


def write_geopackage(results: Sequence[Hits], path: str) -> None:
    """Write a layer ``hits`` of MultiPolygons and the table ``layer_styles`` of QGIS.

    Raises:
        ConfigError: the operating system refused.
    """
    write_atomically(path, lambda file: _write(results, file), '--out')


def _write(results: Sequence[Hits], file: BinaryIO) -> None:
    frame = frame_of(results)
    scores = frame['score'] if len(frame) else pandas.Series([0.0, 1.0])
    with tempfile.TemporaryDirectory() as folder:  # SQLite wants a file with a name
        name = os.path.join(folder, 'hits.gpkg')
        try:
            pyogrio.write_dataframe(
                frame,
                name,
                layer=LAYER,
                geometry_type='MultiPolygon',
                promote_to_multi=True,
                layer_options=dict(GEOMETRY_NAME=GEOMETRY),
            )
            style = _styles(style_by_score(scores.min(), scores.max()))
            pyogrio.write_dataframe(style, name, layer='layer_styles', append=True, layer_options=dict(FID='id'))
        except (DataLayerError, DataSourceError) as error:
            raise OSError(str(error)) from error
        with open(name, 'rb') as written:
            file.write(written.read())


def _styles(qml: str) -> pandas.DataFrame:
    """The row of ``layer_styles``, in the columns that QGIS gives it."""
    return pandas.DataFrame(
        dict(
            f_table_catalog=[''],
            f_table_schema=[''],
            f_table_name=[LAYER],
            f_geometry_column=[GEOMETRY],
            styleName=['score'],
            styleQML=[qml],
            styleSLD=[''],
            useAsDefault=[True],
            description=['Hits in five classes of their score'],
            owner=[''],
            ui=[''],
            update_time=[pandas.Timestamp(datetime.now(timezone.utc).replace(microsecond=0))],
        )
    )
