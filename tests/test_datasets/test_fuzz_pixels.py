"""Whatever is in an image file, it becomes bands of one shape with a mask of the same, or says one sentence."""

from __future__ import annotations

import random
import struct

import cv2
import numpy as np
from hypothesis import given

from osdpm_plugin.datasets.images.band_stretch import to_rgb8
from osdpm_plugin.datasets.images.image_files import read_raster
from osdpm_plugin.errors import DataError
from tests.helpers.fuzzing import FUZZED, SEEDS
from tests.helpers.generated_data import tiff_bytes, tiff_of_pages
from tests.test_datasets.test_deep_files import COLOUR, GREY, anymap, four_bands, jpeg2000, plain
from tests.test_datasets.test_fuzz_readers import mutate_bytes

SMALL = np.random.default_rng(0).integers(0, 200, (12, 20, 5))
TAGS = (
    254,
    255,
    256,
    257,
    258,
    259,
    262,
    273,
    274,
    277,
    278,
    279,
    284,
    317,
    320,
    322,
    323,
    324,
    325,
    330,
    338,
    339,
    42113,
)
NUMBERS = (0, 1, 2, 3, 4, 5, 6, 7, 8, 16, 32, 255, 256, 4096, 34925, 50000, 65535, 2**31 - 1, 2**31, 2**32 - 1)
TIFFS = [
    tiff_bytes(SMALL[..., :1].astype(np.uint8), nodata='7'),
    tiff_bytes(SMALL[..., :3].astype(np.uint8), deflate=True),
    tiff_bytes(SMALL[..., :3].astype(np.uint16), tile=16, nodata='-9999'),
    tiff_bytes(SMALL[..., :2].astype(np.uint16), extra=[2], deflate=True),
    tiff_bytes(SMALL.astype(np.float32), planar=2, nodata='-3.40282e+38'),
    tiff_bytes(SMALL[..., :1].astype(np.complex64), nodata='nan'),
    tiff_of_pages(
        [dict(image=SMALL[:6, :9, :3].astype(np.uint8), tags=[(254, 1)]), dict(image=SMALL[..., :4].astype(np.uint8))]
    ),
    tiff_of_pages([dict(image=SMALL[..., i : i + 1].astype(np.int16), nodata=str(i)) for i in range(3)]),
    tiff_of_pages(
        [
            dict(image=SMALL[..., :1].astype(np.uint16)),
            dict(image=SMALL[..., :1].astype(np.uint8), tags=[(254, 4), (262, 4)]),
        ]
    ),
]
OTHERS = [
    jpeg2000(GREY[:32, :32]),
    jpeg2000(GREY[:32, :32], 12),
    jpeg2000(GREY[:32, :32], boxes=False),
    four_bands(),
    four_bands(3),
    anymap(GREY[:8, :8], 4095),
    anymap(COLOUR[:8, :8], 65535),
    plain(GREY[:8, :8], 4095),
    cv2.imencode('.png', np.dstack([COLOUR, GREY])[:8, :8])[1].tobytes(),
]


def hostile(content, seed):
    """The same TIFF with some entries of its directories replaced: tag, type, count or value."""
    draw, new = random.Random(seed), bytearray(content)
    (place,) = struct.unpack_from('<I', content, 4)
    while place:
        (count,) = struct.unpack_from('<H', content, place)
        for _ in range(draw.randint(0, 3)):
            entry = place + 2 + 12 * draw.randrange(count)
            field = draw.choice(('tag', 'kind', 'number', 'value', 'value', 'value'))
            if field == 'tag':
                struct.pack_into('<H', new, entry, draw.choice(TAGS))
            elif field == 'kind':
                struct.pack_into('<H', new, entry + 2, draw.randrange(20))
            elif field == 'number':
                struct.pack_into('<I', new, entry + 4, draw.choice(NUMBERS))
            else:
                struct.pack_into('<I', new, entry + 8, draw.choice(NUMBERS))
        if draw.random() < 0.1:
            struct.pack_into('<I', new, place + 2 + 12 * count, draw.choice((4, 8, place, len(new), len(new) - 3)))
        (place,) = struct.unpack_from('<I', content, place + 2 + 12 * count)
    return bytes(new)


def must_read_or_explain(content):
    try:
        found = read_raster(content)
        seen = to_rgb8(found, (0, 0, 0), 'percentile')
    except DataError as error:
        assert len(str(error)) > 10 and '\n' not in str(error), str(error)
        return None
    assert found.bands.ndim == 3 and found.bands.dtype.kind in 'buif' and found.bands.size
    assert found.empty is None or found.empty.shape == found.bands.shape and found.empty.dtype == bool
    assert seen.shape == (*found.bands.shape[:2], 3) and seen.dtype == np.uint8
    return found


def test_good_files_are_read():
    """Else the tests below would prove little."""
    assert all(must_read_or_explain(content) is not None for content in (*TIFFS, *OTHERS))


@FUZZED
@given(seed=SEEDS)
def test_hostile_tags(seed):
    must_read_or_explain(hostile(TIFFS[seed % len(TIFFS)], seed))


@FUZZED
@given(seed=SEEDS)
def test_spoilt_tiff(seed):
    must_read_or_explain(mutate_bytes(TIFFS[seed % len(TIFFS)], seed))


@FUZZED
@given(seed=SEEDS)
def test_spoilt_jpeg_2000_anymaps_and_png(seed):
    must_read_or_explain(mutate_bytes(OTHERS[seed % len(OTHERS)], seed))
