"""Arguments, a table, a pattern of dates and one of masks -> the scenes of an archive."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from typing import Iterable, NamedTuple, Optional, Union

from ...errors import DataError
from ..remote import web_address
from .arguments import scenes_named
from .attributes import match_rows, read_table
from .dates import DatePattern
from .masks import MaskPattern
from .source import Failure, Source, name_of, signature_of

_AT_ONCE = 8  # requests to servers


class SourceList(NamedTuple):
    """What was found.

    Attributes:
        sources: scenes, each once, in the order in which they are named.
        failures: what is left out, and rows of the table that name no scene.
    """

    sources: list[Source]
    failures: list[Failure]


def find_sources(
    arguments: Iterable[Union[str, os.PathLike]],
    *,
    attributes: Union[str, os.PathLike, None] = None,
    date_pattern: Optional[str] = None,
    mask: Optional[str] = None,
    must_find: bool = True,
) -> SourceList:
    """The scenes that a user names.

    A date is taken from the table, else from STAC, else from the name of the file, else later from the file's tags.

    Args:
        arguments: see `scenes_named`.
        attributes: table of dates and attributes, see `read_table`.
        date_pattern: of dates in names of files, see `DatePattern`.
        mask: names masks after scenes, see `MaskPattern`; masks are no scenes, and each scene must have one.
        must_find: there must be a scene.

    Raises:
        ConfigError: a pattern cannot be used.
        DataError: the table cannot be used, or there is no scene at all, unless there may be none.
    """
    dates = None if date_pattern is None else DatePattern(date_pattern)
    masks = None if mask is None else MaskPattern(mask)
    rows = [] if attributes is None else read_table(attributes)
    texts = [os.fspath(argument) for argument in arguments]

    named, failures = _partition(scenes_named(texts))
    named = _each_once(named)
    if masks is not None:
        named = [source._replace(mask=masks(source.address)) for source in named]
        used = {_key(source.mask or '') for source in named if source.mask != source.address}
        named = [source for source in named if _key(source.address) not in used]
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        sources, unsigned = _partition(pool.map(_signed, named))
    failures += unsigned
    if must_find and not sources:
        first = f'; {failures[0].address}: {failures[0].reason}' if failures else ''
        raise DataError(f'no scene is found in {" ".join(texts) or "nothing"}{first}')
    if attributes is not None:
        found, unused = match_rows(rows, sources, attributes)
        failures += unused
        for i, source in enumerate(sources):
            row = found.get(source.address)
            if row is not None:
                both = {**source.attributes, **row.attributes}
                sources[i] = source._replace(datetime=row.datetime or source.datetime, attributes=both)
    if dates is not None:
        sources = [
            source if source.datetime else source._replace(datetime=dates.find(name_of(source.address)))
            for source in sources
        ]
    return SourceList(sources, failures)


def _partition(found: Iterable[Union[Source, Failure]]) -> tuple[list[Source], list[Failure]]:
    sources: list[Source] = []
    failures: list[Failure] = []
    for one in found:
        if isinstance(one, Source):
            sources.append(one)
        else:
            failures.append(one)
    return sources, failures


def _each_once(named: Iterable[Source]) -> list[Source]:
    """Scenes without repetition; one that is named with and without what is known of it keeps that."""
    kept: dict[str, Source] = {}
    for source in named:
        first = kept.setdefault(_key(source.address), source)
        if first is not source:
            both = {**source.attributes, **first.attributes}
            kept[_key(source.address)] = first._replace(datetime=first.datetime or source.datetime, attributes=both)
    return list(kept.values())


def _key(address: str) -> str:
    """The same for all names of a file."""
    return address if web_address(address) else os.path.realpath(address)


def _signed(source: Source) -> Union[Source, Failure]:
    """Look at a scene and its mask."""
    try:
        signature = signature_of(source.address)
    except DataError as error:
        return Failure(source.address, str(error))
    if source.mask is None:
        return source._replace(signature=signature)
    if source.mask == source.address:
        return Failure(source.address, 'by the pattern it is its own mask; let the pattern add something to the name')
    try:
        return source._replace(signature=f'{signature}+{signature_of(source.mask)}')
    except DataError as error:
        return Failure(source.address, f'its mask {source.mask} is missing: {error}; make it, or build without masks')
