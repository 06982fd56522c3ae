"""The first bytes of PNG, JPEG 2000, portable anymaps and AVIF -> how deep they are and how they must be read."""

from __future__ import annotations

import re
import struct
from typing import NamedTuple, Optional

from ...errors import DataError

_JP2_BOX, _CODESTREAM = b'\0\0\0\x0cjP  \r\n\x87\n', b'\xff\x4f\xff\x51'
_SYCC = 18  # a number of the box colr
_ANYMAP = re.compile(rb'P([2356])(?:\s+|#[^\n]*\n)+(\d+)(?:\s+|#[^\n]*\n)+(\d+)(?:\s+|#[^\n]*\n)+(\d+)\s')
_MOST_SHRUNK = 5000
"""A file that claims to hold more pixels for each of its bytes has none."""
_HEAD = 1 << 16  # bytes within which a header ends
_CONVERT = 'convert it: gdal_translate in.jp2 out.tif'


class Depth(NamedTuple):
    """How values are stored.

    Attributes:
        name: of the format.
        bits: of a value, 1 to 32.
        samples: bands; None where it does not matter.
        alpha: position of the band of transparency; None without one.
        largest: value that is white; None if all bits set are.
        is_bare: JPEG 2000 without the boxes that name its colours.
    """

    name: str
    bits: int
    samples: Optional[int] = None
    alpha: Optional[int] = None
    largest: Optional[int] = None
    is_bare: bool = False

    @property
    def is_deep(self) -> bool:
        """Whether eight bits do not hold it."""
        return self.bits > 8

    def __str__(self) -> str:
        return f'{self.name} of {self.bits} bits'


def depth_of(content: bytes) -> Optional[Depth]:
    """The depth of a file; None for formats that have 8 bits and are read by OpenCV's default.

    Raises:
        DataError: a layout of JPEG 2000 or of an anymap that would be read wrongly, or a damaged header.
    """
    if content[:8] == b'\x89PNG\r\n\x1a\n':
        return _png(content)
    if content[:12] == _JP2_BOX or content[:4] == _CODESTREAM:
        return _jpeg2000(content)
    if content[:1] == b'P' and content[1:2] in b'2356':
        match = _ANYMAP.match(content[:_HEAD])
        if match is None:
            raise DataError('its header is no anymap (PGM or PPM) header')
        largest = int(match[4])
        if not 0 < largest < 65536:
            raise DataError(f'it is an anymap with values up to {largest}; they must be 1 to 65535')
        return Depth('PGM or PPM', 16 if largest > 255 else 8, largest=largest)
    if content[:2] in (b'P7', b'PF', b'Pf'):
        raise DataError('it is a portable map of any depth (PAM or PFM), which is not read; save it as TIFF')
    if content[4:12] in (b'ftypavif', b'ftypavis'):
        place = content.find(b'av1C', 0, _HEAD)
        flags = content[place + 6] if 0 <= place < len(content) - 6 else 0
        return Depth('AVIF', 12 if flags & 0x20 else 10) if flags & 0x40 else None
    return None


def _png(content: bytes) -> Optional[Depth]:
    """Byte 24 is the depth, byte 25 the kind of colour; a chunk tRNS before the pixels names a value as transparent."""
    if content[24:25] != b'\x10':
        return None
    colour = content[25] if len(content) > 25 else 0
    has_alpha = colour & 4 or b'tRNS' in content[: max(0, content.find(b'IDAT'))]
    colours = 3 if colour & 2 else 1
    return Depth('PNG', 16, samples=colours + bool(has_alpha), alpha=colours if has_alpha else None)


def _jpeg2000(content: bytes) -> Depth:
    place = content.find(_CODESTREAM)
    try:
        (samples,) = struct.unpack_from('>H', content, place + 40)
        kinds = [struct.unpack_from('>BBB', content, place + 42 + 3 * i) for i in range(samples)]
    except struct.error:
        kinds = []
    if place < 0 or not kinds:
        raise DataError('its JPEG 2000 header is damaged')
    right, bottom, left, top = struct.unpack_from('>4I', content, place + 8)
    if not 0 < (right - left) * (bottom - top) * samples <= max(1 << 28, _MOST_SHRUNK * len(content)):
        raise DataError(f'JPEG 2000 of {right - left} x {bottom - top} pixels in {len(content)} bytes is damaged')
    boxes = content[:place]
    bits = (kinds[0][0] & 127) + 1
    depth = Depth('JPEG 2000', bits, samples=samples, alpha=_opacity(boxes, samples), is_bare=place == 0)
    faults = {
        f'has {samples} bands': samples > 4 or samples == 2 and (bits > 8 or depth.is_bare),
        'has bands of several depths or sizes': len(set(kinds)) > 1 and (bits > 8 or samples > 3),
        'has signed values': any(kind[0] & 128 for kind in kinds),
        f'has values of {bits} bits': not 8 <= bits <= 16,
        'holds brightness and colour apart (sYCC)': bits > 8 and _colour_space(boxes) == _SYCC,
    }
    reasons = [reason for reason, is_so in faults.items() if is_so]
    if reasons:
        raise DataError(f'JPEG 2000 that {reasons[0]} cannot be read; {_CONVERT}')
    return depth


def _colour_space(boxes: bytes) -> Optional[int]:
    place = boxes.find(b'colr\x01')
    return int.from_bytes(boxes[place + 7 : place + 11], 'big') if place >= 0 else None


def _opacity(boxes: bytes, samples: int) -> Optional[int]:
    """Position of the channel that the box cdef calls opacity."""
    place = boxes.find(b'cdef')
    if place < 0:
        return None
    (count,) = struct.unpack_from('>H', boxes, place + 4) if len(boxes) >= place + 6 else (0,)
    for i in range(min(count, samples)):
        entry = boxes[place + 6 + 6 * i : place + 10 + 6 * i]
        channel, meaning = int.from_bytes(entry[:2], 'big'), int.from_bytes(entry[2:], 'big')
        if meaning in (1, 2) and 0 < channel < samples:
            return channel
    return None
