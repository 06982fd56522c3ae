"""Hits made by hand: an ordinary one, one across the antimeridian, one without georeference."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import shapely

from osdpm_plugin.archive.hits import Hit, Hits

BOX = (113.0, 22.0, 113.25, 22.5)
CHINA = timezone(timedelta(hours=8))

ORDINARY = Hit(
    rank=1,
    score=0.75,
    tile='港口-0123abcd/0_64_32x32',
    scene='港口-0123abcd',
    source='/data/my scenes/港口.tif',
    window=(0, 64, 32, 32),
    lon=113.125,
    lat=22.25,
    bounds=BOX,
    footprint=shapely.box(*BOX, ccw=False),  # as a scene whose rows run north gives it
    datetime=datetime(2024, 5, 1, 18, 30, tzinfo=CHINA),
    gsd=0.5,
    nodata=0.25,
    attributes={'sensor': 'GF-2', 'score': 'good', 'Lon': 'east', '省': '广东'},
)
CROSSING = ORDINARY._replace(
    rank=2,
    score=0.5,
    tile='fiji-00000000/0_0_4x4',
    scene='fiji-00000000',
    source='https://example.com/fiji.tif',
    window=(0, 0, 4, 4),
    lon=180.0,
    lat=-16.5,
    bounds=(179.5, -17.0, -179.5, -16.0),
    footprint=shapely.MultiPolygon([shapely.box(179.5, -17, 180, -16), shapely.box(-180, -17, -179.5, -16)]),
    datetime=datetime(2024, 5, 1, 10, 30, 0, 250000, tzinfo=timezone.utc),
    attributes={'bounds': '1', 'fid': '7'},
)
PLACELESS = ORDINARY._replace(
    rank=1,
    score=0.25,
    tile='photo-11111111/0_0_8x8',
    scene='photo-11111111',
    source='/data/photo.png',
    window=(0, 0, 8, 8),
    lon=None,
    lat=None,
    bounds=None,
    footprint=None,
    datetime=None,
    gsd=None,
    nodata=0.0,
    attributes={},
)
RESULTS = [Hits([ORDINARY, CROSSING], query='two "planes",\nby 机场'), Hits([PLACELESS], query='a ship')]
NOTHING = [Hits(query='a whale')]
COLUMNS = [
    *('query', 'rank', 'score', 'tile', 'scene', 'source', 'row', 'column', 'height', 'width', 'lon', 'lat'),
    *('datetime', 'gsd', 'nodata'),
]
ATTRIBUTES = ['attr_Lon', 'bounds', 'attr_fid', 'attr_score', 'sensor', '省']
