"""Bytes of a TIFF file -> its directories, one a page, and which of them are the image."""

from __future__ import annotations

import struct
from typing import NamedTuple, Optional, Union

from ...errors import DataError

_MAGIC = (b'II*\0', b'MM\0*', b'II+\0', b'MM\0+')
_KINDS = {1: 'B', 2: 's', 3: 'H', 4: 'I', 6: 'b', 8: 'h', 9: 'i', 11: 'f', 12: 'd', 13: 'I', 16: 'Q', 17: 'q', 18: 'Q'}
_MOST_VALUES, _MOST_PAGES = 1 << 16, 1 << 12

SUBFILE, OLD_SUBFILE, WIDTH, HEIGHT, BITS, COMPRESSION, PHOTOMETRIC = 254, 255, 256, 257, 258, 259, 262
ORIENTATION, SAMPLES, PLANAR, TILE_WIDTH, TILE_HEIGHT, SUB_DIRECTORIES = 274, 277, 284, 322, 323, 330
EXTRA, SAMPLE_FORMAT, GDAL_NODATA = 338, 339, 42113
_REDUCED, _MASK = 1, 4  # bits of SUBFILE
_WANTED = {
    *(SUBFILE, OLD_SUBFILE, WIDTH, HEIGHT, BITS, COMPRESSION, PHOTOMETRIC, ORIENTATION, SAMPLES, PLANAR),
    *(TILE_WIDTH, TILE_HEIGHT, SUB_DIRECTORIES, EXTRA, SAMPLE_FORMAT, GDAL_NODATA),
}

Values = Union[tuple, bytes]


class Directory(NamedTuple):
    """The tags of one page.

    Attributes:
        place: of the directory in the file.
        tags: number -> values; text is bytes.
        places: number -> where the field of its value lies in the file.
    """

    place: int
    tags: dict[int, Values]
    places: dict[int, int]

    def number(self, tag: int, otherwise: int) -> int:
        """The first value of a tag."""
        values = self.tags.get(tag)
        return int(values[0]) if values else otherwise

    @property
    def size(self) -> tuple[int, int]:
        """Width and height."""
        return self.number(WIDTH, 0), self.number(HEIGHT, 0)

    @property
    def nodata(self) -> Optional[float]:
        """The value that GDAL names as no data; None without one, and for text that is no number."""
        text = self.tags.get(GDAL_NODATA)
        try:
            return float(text.split(b'\0')[0]) if isinstance(text, bytes) else None
        except ValueError:
            return None


class Pages(NamedTuple):
    """Which pages are the image.

    Attributes:
        image: one page; or several of one band each, which are the bands.
        mask: the page of that size which says where there is data; None without one.
        is_first: whether the image is the first page, and that alone.
    """

    image: tuple[Directory, ...]
    mask: Optional[Directory]
    is_first: bool


def is_tiff(head: bytes) -> bool:
    """Whether a file that begins with these bytes is TIFF or BigTIFF."""
    return head[:4] in _MAGIC


def pages_of(content: bytes) -> Pages:
    """Leave out what is no image of full size: reduced copies, by their tag or their size, and masks.

    Raises:
        DataError: the tags cannot be read, or it cannot be told which page is meant.
    """
    try:
        directories = _directories(content)
    except (struct.error, ValueError, IndexError, OverflowError, TypeError) as error:
        raise DataError(f'its TIFF tags cannot be read ({error})') from error
    full = [d for d in directories if not d.number(SUBFILE, 0) & (_REDUCED | _MASK) and d.number(OLD_SUBFILE, 1) != 2]
    if not full and any(d.tags.get(SUB_DIRECTORIES) for d in directories):
        raise DataError('its pages are previews of an image in a sub-directory; save that image as a TIFF of its own')
    full = full or directories[:1]
    width, height = max((d.size for d in full), key=lambda size: size[0] * size[1])
    image = tuple(d for d in full if d.size == (width, height))
    others = [d.size for d in full if d.size != (width, height)]
    is_one = len(image) == 1 or all(d.number(SAMPLES, 1) == 1 and _kind(d) == _kind(image[0]) for d in image)
    if not is_one or any(2 * w > width + 1 or 2 * h > height + 1 for w, h in others):
        raise DataError(
            f'TIFF of {len(full)} pages, which are neither bands of one image nor reduced copies; save the page that '
            f'is meant: gdal_translate GTIFF_DIR:1:in.tif out.tif, with its number for 1'
        )
    masks = [
        d for d in directories
        if d.size == (width, height) and d.number(SUBFILE, 0) & (_REDUCED | _MASK) == _MASK and d not in image
    ]  # fmt: skip
    return Pages(image, masks[0] if masks else None, image == (directories[0],))


def first_page(content: bytes, page: Directory, changes: dict[int, int]) -> bytes:
    """The same file with another page first, and numbers of its tags replaced.

    Args:
        content: of the file.
        page: to come first.
        changes: tag -> value; tags that the page lacks stay away.
    """
    order, is_big = _order(content)
    new = bytearray(content)
    struct.pack_into(order + ('Q' if is_big else 'I'), new, 8 if is_big else 4, page.place)
    for tag, value in changes.items():
        if tag in page.places:
            kind = (
                'H'
                if struct.unpack_from(order + 'H', content, page.places[tag] - (10 if is_big else 6))[0] == 3
                else 'I'
            )
            struct.pack_into(order + kind, new, page.places[tag], value)
    return bytes(new)


def _kind(page: Directory) -> tuple:
    photometric = page.number(PHOTOMETRIC, 1)
    return page.number(BITS, 1), page.number(SAMPLE_FORMAT, 1), photometric if photometric > 1 else 1


def _order(content: bytes) -> tuple[str, bool]:
    return '<' if content[:2] == b'II' else '>', content[2:4] in (b'+\0', b'\0+')


def _directories(content: bytes) -> list[Directory]:
    order, is_big = _order(content)
    word = order + ('Q' if is_big else 'I')
    (place,) = struct.unpack_from(word, content, 8 if is_big else 4)
    found: list[Directory] = []
    seen: set[int] = set()
    while place:
        if place in seen:
            raise ValueError('its pages form a ring')
        if len(found) == _MOST_PAGES:
            raise ValueError(f'it has more than {_MOST_PAGES} pages')
        seen.add(place)
        directory, end = _directory(content, place, order, is_big)
        found.append(directory)
        (place,) = struct.unpack_from(word, content, end) if end + struct.calcsize(word) <= len(content) else (0,)
    if not found:
        raise ValueError('it has no page')
    return found


def _directory(content: bytes, place: int, order: str, is_big: bool) -> tuple[Directory, int]:
    """A directory, and the place behind it, which names the next one."""
    tags: dict[int, Values] = {}
    places: dict[int, int] = {}
    (count,) = struct.unpack_from(order + ('Q' if is_big else 'H'), content, place)
    start, size = (place + 8, 20) if is_big else (place + 2, 12)
    if start + count * size > len(content):
        raise ValueError(f'a page names {count} tags, which end behind the end of the file')
    for entry in range(start, start + count * size, size):
        tag, kind, number = struct.unpack_from(order + ('HHQ' if is_big else 'HHI'), content, entry)
        if tag not in _WANTED or kind not in _KINDS or not 0 < number <= _MOST_VALUES:
            continue
        field = entry + (12 if is_big else 8)
        form = f'{order}{number}{_KINDS[kind]}'
        at = field
        if struct.calcsize(form) > (8 if is_big else 4):
            (at,) = struct.unpack_from(order + ('Q' if is_big else 'I'), content, field)
        values = struct.unpack_from(form, content, at)
        tags[tag] = values[0] if kind == 2 else values
        places[tag] = field
    return Directory(place, tags, places), start + count * size
