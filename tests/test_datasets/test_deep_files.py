"""PGM, PPM, JPEG 2000, AVIF of more than 8 bits: their full depth, or one sentence."""

import io

import cv2
import numpy as np
import pytest
from mmcv.transforms import LoadImageFromFile
from PIL import Image

from osdpm_plugin.datasets.images.band_stretch import to_uint8
from osdpm_plugin.datasets.images.deep_files import depth_of
from osdpm_plugin.datasets.images.image_files import read_raster
from osdpm_plugin.datasets.sets.image_check import check_images
from osdpm_plugin.datasets.transforms.mmcv_loader import why_refused
from osdpm_plugin.errors import DataError
from osdpm_plugin.registry import TRANSFORMS
from osdpm_plugin.search.inputs import SUFFIXES

GREY = np.linspace(400, 3065, 64 * 96).astype(np.uint16).reshape(64, 96, 1)
COLOUR = np.dstack([GREY, GREY + 1, GREY[::-1]])


def anymap(image, largest):
    """Binary, from the specification: most significant byte first."""
    magic = b'P5' if image.shape[2] == 1 else b'P6'
    kind = '>u2' if largest > 255 else 'u1'
    return (
        magic + f'\n# a comment\n{image.shape[1]} {image.shape[0]}\n{largest}\n'.encode() + image.astype(kind).tobytes()
    )


def plain(image, largest):
    """As text."""
    magic = 'P2' if image.shape[2] == 1 else 'P3'
    return f'{magic}\n{image.shape[1]} {image.shape[0]}\n{largest}\n{" ".join(map(str, image.ravel()))}\n'.encode()


def jpeg2000(image, bits=16, *, boxes=True):
    """Without loss. Pillow writes 8 and 16 bits; other depths by the header, with values moved to the same middle."""
    buffer, kind = io.BytesIO(), np.uint8 if bits == 8 else np.uint16
    if image.shape[2] == 1:
        moved = image[..., 0] + (0 if bits in (8, 16) else 32768 - (1 << (bits - 1)))
        Image.fromarray(moved.astype(kind)).save(buffer, 'JPEG2000', no_jp2=not boxes)
        content = bytearray(buffer.getvalue())
    else:
        content = bytearray(cv2.imencode('.jp2', image[..., ::-1], [cv2.IMWRITE_JPEG2000_COMPRESSION_X1000, 1000])[1])
    if bits not in (8, 16):
        content[content.find(b'\xff\x4f\xff\x51') + 42] = bits - 1
        if boxes:
            content[content.find(b'ihdr') + 14] = bits - 1
    return bytes(content)


DEEP = {
    'PGM': ('a.pgm', anymap(GREY, 4095), GREY),
    'PGM of the largest value': ('a.pgm', anymap(GREY, 65535), GREY),
    'PPM': ('a.ppm', anymap(COLOUR, 4095), COLOUR),
    'PNM': ('a.pnm', anymap(COLOUR, 3100), COLOUR),
    'PGM as text': ('a.pgm', plain(GREY, 4095), GREY),
    'PPM as text': ('a.ppm', plain(COLOUR, 4095), COLOUR),
    'JPEG 2000': ('a.jp2', jpeg2000(GREY), GREY),
    'JPEG 2000 of 12 bits': ('a.jp2', jpeg2000(GREY, 12), GREY),
    'JPEG 2000 of 15 bits': ('a.jp2', jpeg2000(GREY, 15), GREY),
    'JPEG 2000 of colours': ('a.jp2', jpeg2000(COLOUR), COLOUR),
    'JPEG 2000 without boxes': ('a.j2k', jpeg2000(GREY, boxes=False), GREY),
    'AVIF of 12 bits': ('a.avif', None, COLOUR),
}


@pytest.mark.parametrize('name', DEEP)
def test_full_depth(tmp_path, name):
    """Values 400 to 3065 are not 1 to 11; the picture uses all of 0 to 255; mmcv's loader is refused."""
    file, content, image = DEEP[name]
    if content is None:
        try:
            options = [cv2.IMWRITE_AVIF_DEPTH, 12, cv2.IMWRITE_AVIF_QUALITY, 100]
            content = cv2.imencode('.avif', image[..., ::-1], options)[1].tobytes()
        except (cv2.error, AttributeError):
            pytest.skip('this OpenCV does not write AVIF')
    found = read_raster(content).bands
    assert found.dtype == np.uint16
    np.testing.assert_array_equal(found, image)
    (tmp_path / file).write_bytes(content)
    load = TRANSFORMS.build(dict(type='LoadRemoteSensingImage'))
    check_images([str(tmp_path / file)], 'decode', load=load)
    seen = load(dict(img_path=str(tmp_path / file)))['img']
    expected = to_uint8(image, 'percentile')
    np.testing.assert_array_equal(seen, (expected if image.shape[2] == 3 else expected.repeat(3, axis=2))[..., ::-1])
    assert len(np.unique(seen)) > 200
    assert 'bits, which LoadImageFromFile shows dark or wrong' in why_refused(LoadImageFromFile(), content)


EIGHT = (GREY >> 4).astype(np.uint8)


@pytest.mark.parametrize(
    'content',
    [
        anymap(EIGHT, 255),
        plain(EIGHT, 255),
        jpeg2000(EIGHT, 8),
        jpeg2000(EIGHT, 8, boxes=False),
        jpeg2000(EIGHT.repeat(3, axis=2), 8),
    ],
    ids=['binary', 'text', 'boxes', 'bare', 'colour'],
)
def test_eight_bits_are_as_they_were(content):
    assert not depth_of(content).is_deep
    found = read_raster(content).bands
    assert found.dtype == np.uint8
    np.testing.assert_array_equal(found, EIGHT.repeat(found.shape[2], axis=2))


@pytest.mark.parametrize('largest', [1, 15, 100])
def test_a_smaller_white_is_white(largest):
    """Where 15 is the largest value, 15 is white: Pillow's reading is the judge."""
    image = np.arange(largest + 1, dtype=np.uint8).reshape(1, -1, 1)
    content = anymap(image, largest).replace(b'# a comment\n', b'')
    found = read_raster(content).bands[..., 0]
    assert found.min() == 0 and found.max() == 255
    assert np.abs(found.astype(int) - np.asarray(Image.open(io.BytesIO(content)))).max() <= 1
    assert 'PGM or PPM of 8 bits' in why_refused(LoadImageFromFile(), content)


def four_bands(opacity=None):
    """JPEG 2000 of four bands, of which the last may be called opacity."""
    image = np.dstack(
        [COLOUR[..., ::-1], np.where(np.arange(96) < 30, 0, 900).astype(np.uint16)[None].repeat(64, axis=0)]
    )
    content = bytearray(cv2.imencode('.jp2', image, [cv2.IMWRITE_JPEG2000_COMPRESSION_X1000, 1000])[1])
    place = content.find(b'cdef')
    if place >= 0:
        content[place : place + 4] = b'free'
    if opacity is not None:
        box = b'cdef\0\4' + b''.join(bytes([0, i, 0, i == opacity, 0, (i + 1) % 4]) for i in range(4))
        place = content.find(b'jp2h')
        size = int.from_bytes(content[place - 4 : place], 'big')
        content[place - 4 + size : place - 4 + size] = (len(box) + 4).to_bytes(4, 'big') + box
        content[place - 4 : place] = (size + len(box) + 4).to_bytes(4, 'big')
    return bytes(content)


def test_a_fourth_band_of_jpeg_2000():
    """Infrared, or, where the file says so, alpha."""
    found = read_raster(four_bands())
    assert found.bands.shape == (64, 96, 4) and found.empty is None
    np.testing.assert_array_equal(found.bands[..., :3], COLOUR)
    found = read_raster(four_bands(3))
    np.testing.assert_array_equal(found.bands[..., :3], COLOUR)
    assert found.empty[:, :30].all() and not found.empty[:, 30:].any()


def patched(place, value):
    content = bytearray(jpeg2000(GREY))
    content[content.find(b'\xff\x4f\xff\x51') + place] = value
    return bytes(content)


@pytest.mark.parametrize(
    ('content', 'reason'),
    [
        (patched(42, 0x8F), 'that has signed values cannot be read; convert it: gdal_translate in.jp2 out.tif'),
        (patched(42, 23), 'JPEG 2000 that has values of 24 bits'),
        (patched(42, 3), 'JPEG 2000 that has values of 4 bits'),
        (patched(41, 2), 'JPEG 2000 that has 2 bands'),
        (patched(41, 13), 'JPEG 2000 that has 13 bands'),
        (jpeg2000(COLOUR).replace(b'\0\0\0\x10', b'\0\0\0\x12'), 'brightness and colour apart'),
        (jpeg2000(GREY)[:60], 'JPEG 2000 header is damaged'),
        (b'P7\nWIDTH 1\n', 'portable map of any depth'),
        (b'Pf\n1 1\n-1.0\n\0\0\0\0', 'portable map of any depth'),
        (b'P5\nno numbers', 'no anymap'),
        (b'P5\n1 1\n70000\n\0\0', 'values up to 70000'),
        (anymap(GREY, 4095)[:-2000], 'OpenCV'),
        (jpeg2000(GREY)[: len(jpeg2000(GREY)) // 2], 'OpenCV|ends early'),
    ],
    ids=range(13),
)
def test_what_is_refused(tmp_path, content, reason):
    with pytest.raises(DataError, match=reason) as raised:
        read_raster(content)
    assert '\n' not in str(raised.value)


def test_every_listed_format_is_covered():
    """A new suffix of search needs an answer to how deep its files may be."""
    shallow = {'.bmp', '.gif', '.jfif', '.jpe', '.jpeg', '.jpg', '.pbm', '.webp'}
    deep = {'.avif', '.j2k', '.jp2', '.pgm', '.png', '.pnm', '.ppm', '.tif', '.tiff'}
    assert set(SUFFIXES) == shallow | deep
