"""Files of all kinds -> their pixels, place and date, by the arrays that were written."""

from __future__ import annotations

from datetime import datetime, timezone

import numpy as np
import pytest
import tifffile
from PIL import Image

from osdpm_plugin.archive.places import to_lonlat
from osdpm_plugin.archive.raster_file import open_raster
from osdpm_plugin.errors import DataError
from tests.helpers.rasters import UTM50, noise, rasterio, write_raster

GREY = noise(17, 23)  # (H, W)
BANDS = noise(3, 17, 23, seed=1)  # (C, H, W)


def last(bands: np.ndarray) -> np.ndarray:
    """(C, H, W) -> (H, W, C)."""
    return np.moveaxis(bands, 0, 2)


def read_all(path, **options):
    with open_raster(str(path), **options) as raster:
        return raster.read((0, 0, *raster.shape))


# ---- kinds of pixels


@pytest.mark.parametrize('suffix', ['tif', 'png', 'bmp', 'webp'])
def test_three_bands_and_a_window_of_them(tmp_path, suffix):
    file = tmp_path / f'a.{suffix}'
    Image.fromarray(last(BANDS)).save(file, **(dict(lossless=True) if suffix == 'webp' else {}))
    with open_raster(str(file)) as raster:
        assert (raster.shape, raster.georeference(), raster.datetime) == ((17, 23), None, None)
        bands, valid = raster.read((3, 5, 10, 12))
    assert np.array_equal(bands, last(BANDS)[3:13, 5:17]) and valid.all() and valid.shape == (10, 12)


def test_jpeg_and_jpeg_2000(tmp_path):
    smooth = np.add.outer(np.arange(64) * 2, np.arange(64)).astype(np.uint8)
    Image.fromarray(smooth).save(tmp_path / 'a.jpg', quality=95)
    Image.fromarray(smooth).save(tmp_path / 'a.jp2')  # reversible
    assert np.abs(read_all(tmp_path / 'a.jpg')[0][..., 0].astype(int) - smooth).max() <= 4
    assert np.array_equal(read_all(tmp_path / 'a.jp2')[0][..., 0], smooth)


def test_one_bit_is_black_and_white(tmp_path):
    bits = GREY > 99
    Image.fromarray(bits).save(tmp_path / 'a.tif')
    Image.fromarray(bits).save(tmp_path / 'a.png')
    write_raster(tmp_path / 'b.tif', bits[None].astype(np.uint8), nbits=1)
    for name in ('a.tif', 'a.png', 'b.tif'):
        bands, _ = read_all(tmp_path / name)
        assert np.array_equal(bands, np.broadcast_to(bits[..., None] * np.uint8(255), bands.shape))


@pytest.mark.parametrize('suffix', ['tif', 'png', 'bmp'])
def test_numbers_of_a_palette_become_its_colours(tmp_path, suffix):
    palette = noise(256, 3, seed=2)
    image = Image.fromarray(GREY, 'P')
    image.putpalette(palette.tobytes())
    image.save(tmp_path / f'a.{suffix}')
    assert np.array_equal(read_all(tmp_path / f'a.{suffix}')[0], palette[GREY])


@pytest.mark.parametrize(
    'stored, shown',
    [
        (GREY > 99, np.where(GREY > 99, 0, 255).astype(np.uint8)),
        (GREY, 255 - GREY),
        (GREY.astype(np.uint16) * 200, 65535 - GREY.astype(np.uint16) * 200),
    ],
)
def test_the_smallest_value_is_white(tmp_path, stored, shown):
    tifffile.imwrite(tmp_path / 'a.tif', stored, photometric='miniswhite')
    bands, _ = read_all(tmp_path / 'a.tif')
    assert bands.dtype == shown.dtype and np.array_equal(bands, shown[..., None])


def test_inks_of_eight_bits_become_colours_and_of_sixteen_are_refused(tmp_path):
    inks = Image.fromarray(noise(16, 24, 4), 'CMYK')
    inks.save(tmp_path / 'a.tif')
    bands, _ = read_all(tmp_path / 'a.tif')
    assert np.abs(bands.astype(int) - np.asarray(inks.convert('RGB'))).max() <= 1
    write_raster(tmp_path / 'b.tif', noise(4, 8, 8, dtype=np.uint16), photometric='CMYK')
    with pytest.raises(DataError, match=r'printing inks \(CMYK\); convert it to RGB'):
        read_all(tmp_path / 'b.tif')


def test_thirteen_bands(tmp_path):
    bands = noise(13, 17, 23, dtype=np.uint16, most=60_000)
    assert np.array_equal(read_all(write_raster(tmp_path / 'a.tif', bands))[0], last(bands))


def test_real_numbers_with_nan_stay(tmp_path):
    values = noise(1, 17, 23).astype(np.float32)
    values[0, 2, 3] = np.nan
    bands, valid = read_all(write_raster(tmp_path / 'a.tif', values))
    assert np.array_equal(bands, last(values), equal_nan=True) and valid.all()  # `scene` says what NaN means


def test_a_pixel_has_data_where_one_of_its_bands_has(tmp_path):
    bands = noise(2, 17, 23, dtype=np.int16, most=100)
    bands[0, :4], bands[1, 2:6] = -999, -999
    read, valid = read_all(write_raster(tmp_path / 'a.tif', bands, nodata=-999))
    assert np.array_equal(read, last(bands))
    assert np.array_equal(np.flatnonzero(~valid.all(axis=1)), [2, 3])


def test_all_without_data(tmp_path):
    _, valid = read_all(write_raster(tmp_path / 'a.tif', np.zeros((3, 17, 23), np.uint8), nodata=0))
    assert not valid.any()


def test_alpha_is_no_band_but_hides(tmp_path):
    alpha = np.where(GREY > 99, 255, 0).astype(np.uint8)
    Image.fromarray(np.dstack([last(BANDS), alpha])).save(tmp_path / 'a.png')
    write_raster(tmp_path / 'b.tif', np.concatenate([BANDS, alpha[None]]), photometric='RGB', alpha='yes')
    for name in ('a.png', 'b.tif'):
        bands, valid = read_all(tmp_path / name)
        assert np.array_equal(bands, last(BANDS)) and np.array_equal(valid, alpha > 0)


def test_a_mask_in_the_file_hides(tmp_path):
    mask = GREY > 99
    bands, valid = read_all(write_raster(tmp_path / 'a.tif', BANDS, mask=mask))
    assert np.array_equal(bands, last(BANDS)) and np.array_equal(valid, mask)


@pytest.mark.parametrize('kind', [np.complex64, 'complex_int16'])
def test_complex_numbers_are_refused(tmp_path, kind):
    write_raster(tmp_path / 'a.tif', np.ones((1, 8, 8), np.complex64), dtype=kind)
    with pytest.raises(DataError, match='complex numbers; store their amplitude'):
        read_all(tmp_path / 'a.tif')


def test_fewer_pixels_are_the_nearest(tmp_path):
    big = noise(1, 64, 96)
    with open_raster(str(write_raster(tmp_path / 'a.tif', big))) as raster:
        bands, valid = raster.read((0, 0, 64, 96), shape=(16, 24))
    assert np.array_equal(bands[..., 0], big[0, 2::4, 2::4]) and valid.shape == (16, 24)


def test_overviews_are_used(tmp_path):
    file = write_raster(tmp_path / 'a.tif', np.full((1, 64, 64), 9, np.uint8), overviews=[4])
    with open_raster(str(file)) as raster:
        assert np.array_equal(raster.read((0, 0, 64, 64), shape=(16, 16))[0], np.full((16, 16, 1), 9))


# ---- place and date


def test_place(tmp_path):
    with open_raster(str(write_raster(tmp_path / 'a.tif', BANDS, **UTM50))) as raster:
        place = raster.georeference()
    assert place.transform == (10, 0, 500_000, 0, -10, 2_500_000)
    lon, lat = to_lonlat(place, np.array([0]), np.array([0]))[0]  # 500,000 east is the central meridian of zone 50
    assert lon == pytest.approx(117, abs=1e-9) and lat == pytest.approx(22.6069, abs=1e-4)


def test_a_world_file_gives_the_place_of_a_picture(tmp_path):
    Image.fromarray(last(BANDS)).save(tmp_path / 'a.png')
    (tmp_path / 'a.pgw').write_text('2\n0\n0\n-2\n101\n199\n')  # the middle of the first pixel
    with open_raster(str(tmp_path / 'a.png')) as raster:
        assert raster.georeference('EPSG:3857').transform == (2, 0, 100, 0, -2, 200)


def test_coordinates_without_crs(tmp_path):
    write_raster(tmp_path / 'a.tif', BANDS, transform=UTM50['transform'])
    without = pytest.raises(DataError, match='names no CRS; name it with --assume-crs')
    with open_raster(str(tmp_path / 'a.tif')) as raster, without:
        raster.georeference()
    with open_raster(str(tmp_path / 'a.tif')) as raster:
        assert raster.georeference('EPSG:32650').crs == 'EPSG:32650'


def test_ground_control_points_alone(tmp_path):
    points = [rasterio.control.GroundControlPoint(r, c, 100 + c, 20 - r) for r, c in ((0, 0), (0, 9), (9, 0), (9, 9))]
    write_raster(tmp_path / 'a.tif', BANDS, gcps=points, crs='EPSG:4326')
    refused = pytest.raises(DataError, match='ground control points alone; warp it: gdalwarp')
    with open_raster(str(tmp_path / 'a.tif')) as raster, refused:
        raster.georeference()


@pytest.mark.parametrize(
    'tags, date',
    [
        ({None: dict(TIFFTAG_DATETIME='2021:03:12 04:05:06')}, datetime(2021, 3, 12, 4, 5, 6, tzinfo=timezone.utc)),
        (
            {'IMAGERY': dict(ACQUISITIONDATETIME='2020-01-02 03:04:05')},
            datetime(2020, 1, 2, 3, 4, 5, tzinfo=timezone.utc),
        ),
        ({None: dict(TIFFTAG_DATETIME='0000:00:00 00:00:00')}, None),
        ({None: dict(TIFFTAG_DATETIME='last spring')}, None),
    ],
)
def test_date_of_tags(tmp_path, tags, date):
    with open_raster(str(write_raster(tmp_path / 'a.tif', BANDS, tags=tags))) as raster:
        assert raster.datetime == date


# ---- names


@pytest.mark.parametrize('name', ['影 像/场景 1.tif', 'a#b?c [1] %20 &.tif', "it's; $HOME.tif", 'no_suffix'])
def test_any_name(tmp_path, name):
    assert np.array_equal(read_all(write_raster(tmp_path / name, BANDS))[0], last(BANDS))


def test_nothing_is_written_beside_a_scene(tmp_path):
    file = write_raster(tmp_path / 'a.tif', noise(1, 64, 64))
    with open_raster(str(file)) as raster:
        raster.read((0, 0, 64, 64), shape=(8, 8))
    assert [path.name for path in tmp_path.iterdir()] == ['a.tif']
