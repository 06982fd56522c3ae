"""Hits -> a geopandas ``GeoDataFrame``."""

from __future__ import annotations

from typing import Sequence

import geopandas

from ..hits import Hits
from ..places import WGS84
from .rows import BOX, GEOMETRY, table_of


def to_geodataframe(hits: Hits) -> geopandas.GeoDataFrame:
    """One row a hit in EPSG:4326; columns as in `table_of`, without the box."""
    return frame_of([hits])


def frame_of(results: Sequence[Hits]) -> geopandas.GeoDataFrame:
    """As `to_geodataframe`, for several queries."""
    frame = table_of(results).drop_columns([BOX]).to_pandas()
    frame[GEOMETRY] = geopandas.GeoSeries.from_wkb(frame[GEOMETRY], crs=WGS84)
    return geopandas.GeoDataFrame(frame, geometry=GEOMETRY)
