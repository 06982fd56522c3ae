"""A STAC item -> its scene: the image that is to be seen, its date, and its plain properties."""

from __future__ import annotations

import math
import warnings
from datetime import datetime
from typing import Any, Optional

import pystac

from ...errors import DataError
from ..filters import as_utc
from .dates import parse_moment
from .source import Source
from .stac_files import StacFiles, shorten

_IMAGES = ('image/tiff', 'image/jp2', 'image/png', 'image/jpeg')  # the first that there is, is taken
_DATES = ('datetime', 'start_datetime', 'end_datetime', 'created', 'updated')
_MOST_ATTRIBUTES, _LONGEST = 100, 200  # characters; what is longer is a description


def scene_of(content: dict[str, Any], address: str, files: StacFiles) -> Source:
    """An item -> its scene, without signature.

    Args:
        content: of the item.
        address: of its document, which assets are relative to.
        files: what its catalogue may name.

    Raises:
        DataError: it is no item, has no image or several, or one that may not be named.
    """
    name = shorten(content.get('id'))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')  # of items that are outdated
            item = pystac.Item.from_dict(content, href=address, migrate=False, preserve_dict=False)
        return Source(files.resolve(choose_asset(item).href, address), '', _date(item), _attributes(item))
    except DataError as error:
        raise DataError(f'its item {name}: {error}') from error
    except Exception as error:  # whatever comes of values that a stranger has put in
        raise DataError(f'its item {name} is no STAC item ({shorten(" ".join(str(error).split()))})') from error


def choose_asset(item: pystac.Item) -> pystac.Asset:
    """The asset that is the scene: an image with the role ``visual``, or the only one with the role ``data``.

    Of several formats the first of TIFF, JPEG 2000, PNG, JPEG is taken. An asset without roles may be data.

    Raises:
        DataError: there is none, or bands are in files of their own.
    """
    images = {key: asset for key, asset in item.assets.items() if _format(asset) in _IMAGES}
    visual = [asset for key, asset in images.items() if 'visual' in (*(asset.roles or ()), key)]
    if visual:
        return min(visual, key=_rank)
    data = {key: asset for key, asset in images.items() if not asset.roles or 'data' in asset.roles}
    if not data:
        raise DataError('no asset of it has the role visual or data and is a TIFF, JPEG 2000, PNG or JPEG')
    first = min(map(_rank, data.values()))
    best = [key for key, asset in data.items() if _rank(asset) == first]
    if len(best) > 1:
        raise DataError(
            f'its image is in {len(best)} files ({shorten(", ".join(best))}) and none is visual; join the bands first: '
            'gdalbuildvrt -separate all.vrt RED GREEN BLUE, gdal_translate all.vrt scene.tif, and name that'
        )
    return data[best[0]]


def _format(asset: pystac.Asset) -> Optional[str]:
    return asset.media_type.split(';')[0].strip().lower() if isinstance(asset.media_type, str) else None


def _rank(asset: pystac.Asset) -> int:
    return _IMAGES.index(_format(asset) or '')


def _date(item: pystac.Item) -> Optional[datetime]:
    if item.datetime is not None:
        return as_utc(item.datetime)
    start = item.properties.get('start_datetime')
    return None if start is None else parse_moment(str(start))


def _attributes(item: pystac.Item) -> dict[str, str]:
    """Properties of plain values, and the ids of collection and item."""
    named = {'collection': item.collection_id, 'item': item.id}
    properties = {name: value for name, value in item.properties.items() if name not in _DATES}
    plain = ((name, plain_text(value)) for name, value in {**properties, **named}.items())
    kept = [(name, value) for name, value in plain if value and name and '=' not in name and len(name) <= _LONGEST]
    return dict(kept[-_MOST_ATTRIBUTES:])


def plain_text(value: Any) -> Optional[str]:
    """A text, number or truth value as JSON writes it, whole numbers without a point; None for anything else.

    Example:
        >>> plain_text(10.0), plain_text(True), plain_text('GF-2'), plain_text([1])
        ('10', 'true', 'GF-2', None)
    """
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return f'{value:.15g}' if math.isfinite(value) else None
    return value.strip() if isinstance(value, str) and len(value) <= _LONGEST else None
