"""Hits -> a STAC 1.1 ItemCollection."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any, Sequence

from ...utils.files import write_json
from ..hits import Hit, Hits
from .geojson import place_of
from .rows import rfc3339

VERSION = '1.1.0'
EARLIEST = '1858-01-01T00:00:00Z'  # the year of the first photograph from the air


def write_stac(results: Sequence[Hits], path: str) -> None:
    """Write one item a hit.

    STAC wants a moment or an interval. Where the date is unknown, ``datetime`` is null and the interval runs from
    `EARLIEST` to now, which is true and matches every date that one asks for.

    Raises:
        ConfigError: the operating system refused.
    """
    now = rfc3339(datetime.now(timezone.utc).replace(microsecond=0))
    items = [_item(number, found.query, hit, now) for number, found in enumerate(results, 1) for hit in found]
    write_json(path, dict(type='FeatureCollection', features=items), '--out')


def _item(number: int, query: str, hit: Hit, now: Any) -> dict[str, Any]:
    """A hit of the query of this number, from 1; what STAC has no name for begins with ``osdpm:``."""
    properties: dict[str, Any] = dict(datetime=rfc3339(hit.datetime))
    if hit.datetime is None:
        properties.update(start_datetime=EARLIEST, end_datetime=now)
    if hit.gsd is not None:
        properties['gsd'] = hit.gsd
    own = dict(
        query=query,
        rank=hit.rank,
        score=hit.score,
        tile=hit.tile,
        scene=hit.scene,
        nodata=hit.nodata,  # a share; STAC's own nodata is a value of pixels
        attributes=hit.attributes,
    )
    return dict(
        type='Feature',
        stac_version=VERSION,
        stac_extensions=[],
        id=f'{number}-{hit.rank}-{hit.tile.replace("/", "-")}',
        **place_of(hit),
        properties={**properties, **{f'osdpm:{name}': value for name, value in own.items()}},
        links=[],
        assets=dict(scene={'href': hit.source, 'roles': ['data'], 'osdpm:window': list(hit.window)}),
    )
