"""STAC in JSON, of a file or the web -> its scenes, with their dates and properties."""

from __future__ import annotations

from collections import deque
from typing import Any, Iterator, Union

from ...errors import DataError
from .source import Failure, Source
from .stac_files import StacFiles, kind_of
from .stac_item import scene_of

MOST_DOCUMENTS = 100_000
DEEPEST = 32  # catalogues within catalogues
_CHILDREN = ('child', 'item', 'items')


def stac_scenes(root: str) -> Iterator[Union[Source, Failure]]:
    """The scenes of a catalogue, collection, item or item collection, in the order of its links.

    Args:
        root: absolute path or http(s) address of its JSON.

    Yields:
        Scenes without signature, and what cannot be read or may not be named.
    """
    files = StacFiles(root)
    waiting, seen = deque([(root, 0)]), {root}
    while waiting:
        address, depth = waiting.popleft()
        try:
            content = files.read(address)
        except DataError as error:
            yield Failure(address, str(error))
            continue
        kind = kind_of(content)
        for item in (
            [content] if kind == 'Feature' else _list(content, 'features') if kind == 'FeatureCollection' else []
        ):
            try:
                yield scene_of(item, address, files)
            except DataError as error:
                yield Failure(address, str(error))
        for link in [] if kind == 'Feature' else _list(content, 'links'):
            try:
                is_page = _is_next_page(link, kind)
                if not is_page and link.get('rel') not in _CHILDREN:
                    continue
                target = files.resolve(str(link.get('href')), address)
                if target in seen:
                    continue
                if not is_page and depth == DEEPEST:
                    raise DataError(f'its catalogues lie more than {DEEPEST} deep; name a part of it')
                if len(seen) == MOST_DOCUMENTS:
                    yield Failure(root, f'it has more than {MOST_DOCUMENTS} documents; name parts of it')
                    return
                seen.add(target)
                waiting.append((target, depth if is_page else depth + 1))
            except DataError as error:
                yield Failure(address, str(error))


def _list(content: dict[str, Any], key: str) -> list[dict[str, Any]]:
    values = content.get(key)
    return [value for value in values if isinstance(value, dict)] if isinstance(values, list) else []


def _is_next_page(link: dict[str, Any], kind: Any) -> bool:
    """Whether a link leads to further items of a search.

    Raises:
        DataError: it does, but by a request with a body.
    """
    if kind != 'FeatureCollection' or link.get('rel') != 'next':
        return False
    if link.get('method', 'GET') != 'GET':
        raise DataError('it has further pages, which its server gives by POST alone; save all items in a file')
    return True
