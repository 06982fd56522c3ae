"""TIFF as people have it: pages, orientation, white as zero, radar, compressions: read as meant, or one sentence."""

import io
import sys

import numpy as np
import pytest
from mmcv.transforms import LoadImageFromFile
from PIL import Image, ImageOps

from osdpm_plugin.datasets.images.band_stretch import to_uint8
from osdpm_plugin.datasets.images.image_files import read_raster
from osdpm_plugin.datasets.images.tiff_files import tiff_layout
from osdpm_plugin.datasets.transforms.mmcv_loader import why_refused
from osdpm_plugin.errors import DataError
from tests.helpers.generated_data import tiff_bytes, tiff_of_pages

KINDS = [np.uint8, np.uint16, np.int16, np.float32]


def random(bands, kind=np.uint8, size=(20, 30), seed=0):
    return np.random.default_rng(bands + seed).integers(0, 200, (*size, bands)).astype(kind)


def oriented(image, number):
    """Pillow's own meaning of the number, plane by plane."""
    planes = []
    for plane in np.moveaxis(image.astype(np.int32), 2, 0):
        picture = Image.fromarray(plane)
        picture.getexif()[0x0112] = number
        planes.append(np.asarray(ImageOps.exif_transpose(picture)))
    return np.dstack(planes)


@pytest.mark.parametrize('number', range(1, 9))
@pytest.mark.parametrize('bands', [1, 3, 4, 5])
@pytest.mark.parametrize('kind', KINDS)
def test_orientation_at_every_depth(kind, bands, number):
    image = random(bands, kind)
    found = read_raster(tiff_bytes(image, tags=[(274, number)])).bands
    assert found.dtype == kind
    np.testing.assert_array_equal(found, oriented(image, number))


@pytest.mark.parametrize('number', [0, 9, 65535])
def test_an_orientation_that_does_not_exist_is_none(number):
    np.testing.assert_array_equal(read_raster(tiff_bytes(random(3), tags=[(274, number)])).bands, random(3))


@pytest.mark.parametrize('kind', [*KINDS, np.uint32])
def test_white_is_zero_at_every_depth(kind):
    """The order of values is turned round, whatever the depth: the largest is black; and no data stays no data."""
    image = random(1, kind)
    image[:4] = 123
    image[image == 123] = 124
    image[:4] = 123
    found = read_raster(tiff_bytes(image, photometric=0, nodata='123'))
    np.testing.assert_array_equal(found.empty, image == 123)
    if kind == np.uint8:
        np.testing.assert_array_equal(found.bands, 255 - image)
    seen = to_uint8(found.bands, 'minmax', found.empty)
    rest = 255 - to_uint8(image[4:], 'minmax').astype(int)
    assert not seen[:4].any() and (np.abs(seen[4:] - rest) <= 1).all() or kind == np.uint8


def test_bilevel_white_is_zero():
    mask = random(1)[..., 0] > 100
    for tags in ({}, {262: 0}):
        buffer = io.BytesIO()
        Image.fromarray(mask).save(buffer, 'TIFF', tiffinfo=tags)
        expected = np.asarray(Image.open(io.BytesIO(buffer.getvalue())).convert('L'))
        np.testing.assert_array_equal(read_raster(buffer.getvalue()).bands[..., 0], expected)


@pytest.mark.parametrize('kind', KINDS)
def test_one_band_a_page(kind):
    """Pages of one band and one size are the bands of one image, in their order."""
    pages = [dict(image=random(1, kind, seed=i), nodata='7' if i == 2 else None) for i in range(4)]
    found = read_raster(tiff_of_pages(pages))
    np.testing.assert_array_equal(found.bands, np.dstack([page['image'] for page in pages]))
    assert not found.empty[..., [0, 1, 3]].any()
    np.testing.assert_array_equal(found.empty[..., 2], pages[2]['image'][..., 0] == 7)


@pytest.mark.parametrize('tags', [[(254, 1)], [(255, 2)], []], ids=['reduced', 'old tag', 'by size'])
@pytest.mark.parametrize('kind', [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize('bands', [1, 3, 5])
def test_thumbnails_before_the_image(kind, bands, tags):
    image, small = random(bands, kind), random(3, np.uint8, size=(10, 15))
    tiny = random(3, np.uint8, size=(5, 7))
    for pages in ([small, tiny, image], [small, image, tiny], [image, small, tiny]):
        pages = [dict(image=page, tags=[] if page is image else tags) for page in pages]
        content = tiff_of_pages(pages)
        np.testing.assert_array_equal(read_raster(content).bands, image)
        if bands == 3 and kind == np.uint8:
            first = pages[0]['image'] is image
            assert (why_refused(LoadImageFromFile(), content) is None) == first


def test_thumbnail_and_one_band_a_page():
    bands = [random(1, np.uint16, seed=i) for i in range(3)]
    small = dict(image=random(1, np.uint16, size=(10, 15)), tags=[(254, 1)])
    np.testing.assert_array_equal(
        read_raster(tiff_of_pages([small, *(dict(image=b) for b in bands)])).bands, np.dstack(bands)
    )


@pytest.mark.parametrize(
    'pages',
    [[random(3), random(3, seed=9)], [random(1), random(1, np.uint16)], [random(3), random(3, size=(19, 30))]],
    ids=['two pictures', 'two depths', 'two sizes'],
)
def test_pages_that_may_all_be_meant(pages):
    with pytest.raises(
        DataError, match='TIFF of 2 pages, which are neither bands .* gdal_translate GTIFF_DIR:1:in.tif'
    ):
        read_raster(tiff_of_pages([dict(image=page) for page in pages]))


@pytest.mark.parametrize('kind', [np.complex64, np.complex128])
@pytest.mark.parametrize('planar', [1, 2])
def test_radar_is_seen_by_its_amplitude(kind, planar):
    """3 + 4i is 5; no data is told by the real part, as GDAL has it."""
    image = np.array([[[3 + 4j], [-3 - 4j], [0 + 1j], [-9999 + 0j]]]).astype(kind)
    found = read_raster(tiff_bytes(image, planar=planar, nodata='-9999'))
    assert found.bands.dtype.kind == 'f' and found.bands.ravel().tolist()[:3] == [5, 5, 1]
    assert found.empty.ravel().tolist() == [False, False, False, True]
    assert to_uint8(found.bands, 'minmax', found.empty).ravel().tolist() == [255, 255, 0, 0]


def test_complex_integers_are_refused():
    content = tiff_bytes(random(1, np.uint32), tags=[(339, 5)])
    with pytest.raises(
        DataError, match='complex integers, which cannot be read; convert it: gdal_translate -ot CFloat32'
    ):
        read_raster(content)


@pytest.mark.parametrize('photometric', [8, 32803, 32845])
def test_other_colours_are_refused(photometric):
    with pytest.raises(DataError, match=f'colours of kind {photometric}, which cannot be read; save it as RGB'):
        read_raster(tiff_bytes(random(3), photometric=photometric))


NAMES = {34925: 'LZMA', 50000: 'ZSTD', 50001: 'WebP', 34887: 'LERC', 34712: 'JPEG 2000', 1234: 'number 1234'}


@pytest.mark.parametrize('bands', [1, 3, 5])
@pytest.mark.parametrize('number', NAMES)
def test_unknown_compression_names_itself_and_the_remedy(monkeypatch, number, bands):
    monkeypatch.setitem(sys.modules, 'imagecodecs', None)
    remedy = (
        f'compressed by {NAMES[number]}, cannot be read without .*; convert it: gdal_translate -co COMPRESS=DEFLATE in'
    )
    with pytest.raises(DataError, match=remedy) as raised:
        read_raster(tiff_bytes(random(bands, np.uint16), tags=[(259, number)]))
    assert '\n' not in str(raised.value)


@pytest.mark.parametrize('compression', ['zstd', 'lzma', 'tiff_lzw', 'packbits', 'tiff_adobe_deflate'])
@pytest.mark.parametrize('mode', ['L', 'RGB', 'I;16', 'F'])
def test_compressions_that_pillow_has(mode, compression):
    """Are read where Pillow keeps the depth, or refused; never wrong."""
    kind = {'I;16': np.uint16, 'F': np.float32}.get(mode, np.uint8)
    image = random(3 if mode == 'RGB' else 1, kind)
    picture, buffer = Image.fromarray(image if mode == 'RGB' else image[..., 0]), io.BytesIO()
    try:
        picture.save(buffer, 'TIFF', compression=compression)
    except (OSError, KeyError):
        pytest.skip(f'this Pillow does not write {compression}')
    try:
        found = read_raster(buffer.getvalue()).bands
    except DataError as error:
        assert 'convert it: gdal_translate -co COMPRESS=DEFLATE' in str(error)
    else:
        np.testing.assert_array_equal(found if mode == 'RGB' else found[..., :1], image)


@pytest.mark.parametrize('tile', [16, 32, 64])
@pytest.mark.parametrize('bands', [1, 3, 4, 5])
@pytest.mark.parametrize('kind', KINDS)
def test_tiles_of_any_size(kind, bands, tile):
    image = random(bands, kind, size=(50, 40))
    for planar in (1, 2):
        np.testing.assert_array_equal(read_raster(tiff_bytes(image, tile=tile, planar=planar)).bands, image)


def test_a_layout_of_the_page_that_is_meant():
    content = tiff_of_pages([dict(image=random(3, size=(10, 15)), tags=[(254, 1)]), dict(image=random(5, np.uint16))])
    layout = tiff_layout(content)
    assert (layout.samples, layout.bits, layout.is_first) == (5, 16, False)
    assert tiff_layout(tiff_bytes(random(2), extra=[2])).alpha == 1


def test_hostile_tags():
    """A ring of pages, a directory beyond the end, a billion pixels in no bytes."""
    content = bytearray(tiff_bytes(random(3)))
    end = len(content) - 4
    content[end:] = content[4:8]
    with pytest.raises(DataError, match='form a ring'):
        read_raster(bytes(content))
    content[end:] = b'\xff\xff\xff\x7f'
    with pytest.raises(DataError, match='its TIFF tags cannot be read'):
        read_raster(bytes(content))
    vast = tiff_bytes(random(1), deflate=True).replace(
        b'\0\1\4\0\1\0\0\0\x1e\0\0\0', b'\0\1\4\0\1\0\0\0\xff\xff\xff\x7f'
    )
    with pytest.raises(DataError, match='TIFF of 2147483647 x 20 pixels in .* bytes is damaged'):
        read_raster(vast)
