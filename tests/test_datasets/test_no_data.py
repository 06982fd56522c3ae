"""Where there is no data, pixels are black and values do not count for the stretch, however a file says so."""

import io

import cv2
import numpy as np
import pytest
from PIL import Image

from osdpm_plugin.datasets.images import raster
from osdpm_plugin.datasets.images.band_stretch import to_uint8
from osdpm_plugin.datasets.images.image_files import read_raster
from osdpm_plugin.datasets.images.raster import pixel_rule, without_data
from osdpm_plugin.datasets.sets.image_check import check_images
from osdpm_plugin.errors import ConfigError
from osdpm_plugin.features.fingerprints import data_hash
from osdpm_plugin.registry import TRANSFORMS
from osdpm_plugin.search.image_pipeline import ImagePipeline
from osdpm_plugin.search.inputs import pixels_of
from tests.helpers.generated_data import tiff_bytes, tiff_of_pages

LOAD = dict(type='LoadRemoteSensingImage')
LOWEST = '-3.4028234663852886e+38'
VALUES = [
    (np.float32, LOWEST),
    (np.float32, '-3.40282e+38'),
    (np.float32, '-9999'),
    (np.float32, 'nan'),
    (np.float64, '-1.7976931348623157e+308'),
    (np.int16, '-32768'),
    (np.int32, '-2147483648'),
    (np.uint16, '65535'),
    (np.uint16, '0'),
    (np.uint32, '4294967295'),
]


def scene(kind, bands, value, size=(60, 50)):
    """(H, W, C) of values 1000 to 1255, and the same with a border of no data, a third of the area."""
    image = np.random.default_rng(bands).integers(1000, 1256, (*size, bands)).astype(kind)
    bordered = image.copy()
    bordered[:20] = kind(float(value)) if np.dtype(kind).kind == 'f' else kind(int(value))
    return image, bordered


def load(content, tmp_path, name='a.tif', **options):
    (tmp_path / name).write_bytes(content)
    check_images([str(tmp_path / name)], 'decode', load=TRANSFORMS.build(dict(**LOAD, **options)))
    return TRANSFORMS.build(dict(**LOAD, **options))(dict(img_path=str(tmp_path / name)))['img']


@pytest.mark.parametrize('stretch', ['percentile', 'minmax'])
@pytest.mark.parametrize(
    'layout', [dict(), dict(deflate=True), dict(tile=16), dict(planar=2), dict(planar=2, tile=32)], ids=str
)
@pytest.mark.parametrize('bands', [1, 3, 4])
@pytest.mark.parametrize(('kind', 'value'), VALUES, ids=str)
def test_the_border_is_black_and_the_rest_as_without_it(tmp_path, kind, value, bands, layout, stretch):
    """The part with data is stretched as an image of its own, whatever stands in the border."""
    image, bordered = scene(kind, bands, value)
    seen = load(tiff_bytes(bordered, nodata=value, **layout), tmp_path, stretch=stretch)
    assert not seen[:20].any()
    alone = to_uint8(image[20:, :, :1] if bands == 1 else image[20:, :, 2::-1], stretch)
    np.testing.assert_array_equal(seen[20:], alone.repeat(3, axis=2) if bands == 1 else alone)
    assert seen[20:].std() > 64


def test_twelve_pictures_stay_twelve(tmp_path):
    """Without the rule all are white: the smallest real number leaves no room for anything else."""
    seen = set()
    for number in range(12):
        image = np.random.default_rng(number).uniform(0, 3000, (20, 20, 1)).astype(np.float32)
        image[:5] = np.float32(LOWEST)
        seen.add(load(tiff_bytes(image, nodata=LOWEST if number % 2 else None), tmp_path).tobytes())
    assert len(seen) == 12


def test_a_band_may_lack_data_where_others_have_it():
    image = np.array([[[1, 5], [-9, 6], [3, -9], [2, 7]]], np.int16)
    assert to_uint8(image, 'minmax', image == -9).tolist() == [[[0, 0], [0, 128], [255, 0], [128, 255]]]


def test_upper_bits_without_data():
    image = np.array([[[256], [65535], [512]]], np.uint16)
    assert to_uint8(image, 'none', image == 65535).ravel().tolist() == [1, 0, 2]


def test_eight_bits(tmp_path):
    """Nothing is stretched; pixels are black where all bands are without data, not where one happens to be 255."""
    image = np.full((4, 4, 3), 200, np.uint8)
    image[0], image[1, :, 0] = 255, 255
    seen = load(tiff_bytes(image, nodata='255'), tmp_path)
    assert not seen[0].any() and seen[1].tolist() == [[200, 200, 255]] * 4 and (seen[2:] == 200).all()
    np.testing.assert_array_equal(load(tiff_bytes(image), tmp_path), image[..., ::-1])


@pytest.mark.parametrize('meaning', [1, 2])
@pytest.mark.parametrize('planar', [1, 2])
@pytest.mark.parametrize('kind', [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize('colours', [1, 3])
def test_alpha_of_zero(tmp_path, kind, colours, planar, meaning):
    """Of grey with alpha and of colours with alpha; alpha is no colour."""
    pytest.importorskip('tifffile', reason='TIFF with alpha takes tifffile')
    image, bordered = scene(kind if kind != np.uint8 else np.uint16, colours, 60000)
    if kind == np.uint8:
        image, bordered = (image - 1000).astype(kind), np.where(bordered == 60000, 77, bordered - 1000).astype(kind)
    alpha = np.full((60, 50, 1), 200, kind)
    alpha[:20] = 0
    content = tiff_bytes(
        np.dstack([bordered, alpha]), extra=[meaning], planar=planar, photometric=2 if colours == 3 else 1
    )
    seen = load(content, tmp_path)
    assert not seen[:20].any()
    alone = to_uint8(image[20:], 'percentile')
    np.testing.assert_array_equal(seen[20:], alone.repeat(3, axis=2) if colours == 1 else alone[..., ::-1])


def test_mask_page(tmp_path):
    """GDAL's internal mask: a page of one bit or eight, 0 where there is no data."""
    image, bordered = scene(np.uint16, 3, 60000)
    mask = np.full((60, 50, 1), 255, np.uint8)
    mask[:20] = 0
    content = tiff_of_pages([dict(image=bordered), dict(image=mask, photometric=4, tags=[(254, 4)])])
    seen = load(content, tmp_path)
    assert not seen[:20].any()
    np.testing.assert_array_equal(seen[20:], to_uint8(image[20:, :, ::-1], 'percentile'))


@pytest.mark.parametrize('colours', [1, 3])
def test_deep_png_with_alpha(tmp_path, colours):
    """Not premultiplied, and of the colours that lie beneath."""
    image, bordered = scene(np.uint16, colours, 60000)
    colour = bordered.repeat(3, axis=2) if colours == 1 else bordered[..., ::-1]
    alpha = np.where(np.arange(60)[:, None, None] < 20, 0, 30000).astype(np.uint16).repeat(50, axis=1)
    seen = load(cv2.imencode('.png', np.dstack([colour, alpha]))[1].tobytes(), tmp_path, 'a.png')
    assert not seen[:20].any()
    alone = to_uint8(image[20:], 'percentile')
    np.testing.assert_array_equal(seen[20:], alone.repeat(3, axis=2) if colours == 1 else alone[..., ::-1])


def test_a_place_in_the_palette_may_mean_no_data(tmp_path):
    places = np.arange(16, dtype=np.uint8).reshape(4, 4) % 3
    image = Image.fromarray(places, 'P')
    image.putpalette([200, 10, 20, 0, 0, 1, 7, 8, 9])
    buffer = io.BytesIO()
    image.save(buffer, 'TIFF', tiffinfo={42113: '0'})
    seen = load(buffer.getvalue(), tmp_path)[..., ::-1]
    assert (
        not seen[places == 0].any()
        and (seen[places == 2] == [7, 8, 9]).all()
        and (seen[places == 1] == [0, 0, 1]).all()
    )


@pytest.mark.parametrize('text', ['', 'none', '1e999', '-9999', '3.5', '70000', 'nan', '-inf', '\xff', '1,5', '0x10'])
def test_texts_that_no_value_of_the_file_can_be(text):
    image = scene(np.uint16, 1, 0)[0]
    found = read_raster(tiff_bytes(image, nodata=text))
    assert found.empty is None
    np.testing.assert_array_equal(found.bands, image)


def test_tolerance_of_real_numbers():
    """Text is rounded: -3.40282e+38 is the smallest number of 32 bits; neighbours of -9999 are data."""
    values = np.array([[[-3.4028234663852886e38], [-3.3e38], [0.0]]], np.float32)
    assert without_data(values, -3.40282e38).ravel().tolist() == [True, False, False]
    values = np.array([[[-9999.0], [-9998.9], [-9999.1]]], np.float32)
    assert without_data(values, -9999).ravel().tolist() == [True, False, False]
    assert without_data(values, 0.1) is None and without_data(values, None) is None


def test_the_loader_may_name_the_value(tmp_path):
    """In place of the file's own; for TIFF and for other formats."""
    image, bordered = scene(np.uint16, 3, 7)
    expected = to_uint8(image[20:, :, ::-1], 'percentile')
    for nodata in (None, '0', '1100'):
        seen = load(tiff_bytes(bordered, nodata=nodata), tmp_path, nodata=7)
        assert not seen[:20].any()
        np.testing.assert_array_equal(seen[20:], expected)
    png = cv2.imencode('.png', bordered[..., ::-1])[1].tobytes()
    np.testing.assert_array_equal(load(png, tmp_path, 'a.png', nodata=7)[20:], expected)


@pytest.mark.parametrize('nodata', ['0', True, [0]])
def test_a_value_must_be_a_number(nodata):
    with pytest.raises(ConfigError, match='LoadRemoteSensingImage: nodata must be a number or None'):
        TRANSFORMS.build(dict(**LOAD, nodata=nodata))


@pytest.mark.parametrize('bands', [1, 3, 5])
def test_arrays_given_to_search(bands):
    """By the loader's value, or as masked arrays, which rasterio gives."""
    image, bordered = scene(np.float32, bands, -9999)
    settings = dict(array_order='rgb', bands=(2, 0, 1) if bands == 5 else None, stretch='percentile')
    alone = pixels_of(image[20:], **settings)
    masked = np.ma.masked_equal(bordered, -9999)
    for found in (pixels_of(bordered, **settings, nodata=-9999), pixels_of(masked, **settings)):
        assert not found[:20].any()
        np.testing.assert_array_equal(found[20:], alone)
    pipeline = ImagePipeline(steps=[dict(**LOAD, nodata=-9999)])
    np.testing.assert_array_equal(pipeline.read(bordered[..., :1])[20:], pipeline.read(image[20:, :, :1]))


def test_what_is_kept_knows_the_rule(tmp_path, monkeypatch):
    """A new rule makes kept pixels, features and embeddings stale, but not those of formats that it never changed."""

    class Data:
        def __init__(self, name):
            self.name = name

        def __len__(self):
            return 1

        def get_data_info(self, index):
            return dict(img_path=str(tmp_path / self.name), image_id=0, captions=['a'], caption_ids=[0])

    image = scene(np.uint16, 3, 7)[0]
    (tmp_path / 'a.tif').write_bytes(tiff_bytes(image))
    Image.fromarray((image - 1000).astype(np.uint8)).save(tmp_path / 'a.jpg')
    keep = TRANSFORMS.build(dict(type='LoadDecodedImage', folder=str(tmp_path / 'kept')))
    search = ImagePipeline(steps=[LOAD])

    def keys(name):
        path = str(tmp_path / name)
        return keep._kept(path), data_hash(Data(name)), search.digest(path)

    before = {name: keys(name) for name in ('a.tif', 'a.jpg')}
    monkeypatch.setattr(raster, 'PIXEL_RULE', raster.PIXEL_RULE + 1)
    assert pixel_rule('A.TIF') == raster.PIXEL_RULE and pixel_rule('a.JPG') == 1
    assert keys('a.jpg') == before['a.jpg']
    assert all(now != then for now, then in zip(keys('a.tif'), before['a.tif']))
    other = TRANSFORMS.build(dict(type='LoadDecodedImage', folder=str(tmp_path / 'kept'), nodata=7))
    assert other._kept(str(tmp_path / 'a.jpg')) != before['a.jpg'][0]
