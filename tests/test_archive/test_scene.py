"""Values of scenes -> 8-bit colours by one stretch, by arithmetic on the arrays that were written."""

from __future__ import annotations

import numpy as np
import pytest

from osdpm_plugin.archive.raster_file import open_raster
from osdpm_plugin.archive.scene import OVERVIEW, PixelRule, find_limits, read_strip
from osdpm_plugin.errors import DataError
from tests.helpers.rasters import noise, write_raster

H, W = 40, 56
SIXTEEN = noise(4, H, W, dtype=np.uint16, most=3000) + 100  # (C, H, W)


def see(path, rule=PixelRule(), window=(0, 0, H, W)):  # noqa: B008
    """Limits, colours and where there is data."""
    with open_raster(str(path)) as raster:
        limits = find_limits(raster, rule)
        return (limits, *read_strip(raster, rule, limits, window))


def stretched(values, low, high):
    """The definition: 0 at the lower limit, 255 at the upper one, rounded half up."""
    return np.floor((np.clip(np.asarray(values, np.float64), low, high) - low) / (high - low) * 255 + 0.5)


def test_eight_bits_stay(tmp_path):
    bands = noise(3, H, W)
    limits, colours, valid = see(write_raster(tmp_path / 'a.tif', bands), window=(3, 5, 20, 30))
    assert limits is None and valid.all()
    assert colours.dtype == np.uint8 and np.array_equal(colours, np.moveaxis(bands, 0, 2)[3:23, 5:35])


def test_one_band_is_grey(tmp_path):
    _, colours, _ = see(write_raster(tmp_path / 'a.tif', noise(1, H, W)))
    assert np.array_equal(colours, np.repeat(noise(1, H, W)[0][..., None], 3, axis=2))


@pytest.mark.parametrize('stretch', ['percentile', 'minmax'])
def test_sixteen_bits_by_the_whole_scene(tmp_path, stretch):
    limits, colours, valid = see(write_raster(tmp_path / 'a.tif', SIXTEEN), PixelRule(stretch=stretch), (7, 9, 8, 11))
    assert valid.all()
    for band in range(3):
        values = SIXTEEN[band]
        expected = np.percentile(values, (2, 98)) if stretch == 'percentile' else (values.min(), values.max())
        assert limits[band] == pytest.approx(tuple(expected))
        assert np.array_equal(colours[..., band], stretched(values[7:15, 9:20], *expected))


def test_the_upper_eight_bits(tmp_path):
    limits, colours, _ = see(write_raster(tmp_path / 'a.tif', SIXTEEN), PixelRule(stretch='none'))
    assert limits is None and np.array_equal(colours, np.moveaxis(SIXTEEN[:3] >> 8, 0, 2))
    with pytest.raises(DataError, match='its values are float32, which has no natural range'):
        see(write_raster(tmp_path / 'b.tif', SIXTEEN.astype(np.float32)), PixelRule(stretch='none'))


def test_chosen_bands(tmp_path):
    bands = noise(13, H, W)
    file = write_raster(tmp_path / 'a.tif', bands)
    assert np.array_equal(see(file, PixelRule(bands=(3, 12, 0)))[1], np.moveaxis(bands[[3, 12, 0]], 0, 2))
    assert np.array_equal(see(file)[1], np.moveaxis(bands[:3], 0, 2))
    with pytest.raises(DataError, match=r'it has 13 bands, numbered from 0, so bands=\(13, 0, 1\) cannot be taken'):
        see(file, PixelRule(bands=(13, 0, 1)))
    with pytest.raises(DataError, match='it has 2 bands; say which are red, green and blue'):
        see(write_raster(tmp_path / 'b.tif', noise(2, H, W)))


@pytest.mark.parametrize('where', ['file', 'rule'])
def test_no_data_of_sixteen_bits(tmp_path, where):
    """Two rows without any data, and a fifth of the blue band without."""
    values = SIXTEEN[:3].astype(np.int16)
    values[:, :2], values[2, 30:38] = -999, -999
    file = write_raster(tmp_path / 'a.tif', values, **(dict(nodata=-999) if where == 'file' else {}))
    limits, colours, valid = see(file, PixelRule(nodata=None if where == 'file' else -999))
    assert np.array_equal(valid, np.broadcast_to(np.arange(H)[:, None] >= 2, (H, W)))
    for band in range(3):
        has = values[band] != -999
        expected = np.percentile(values[band][has], (2, 98))
        assert limits[band] == pytest.approx(tuple(expected))
        assert np.array_equal(colours[..., band], np.where(has, stretched(values[band], *expected), 0))


def test_no_data_of_eight_bits_is_where_all_bands_have_it(tmp_path):
    bands = noise(3, H, W) | 1
    bands[:, :5], bands[0, 9] = 0, 0
    for file, rule in (
        (write_raster(tmp_path / 'a.tif', bands, nodata=0), PixelRule()),
        (write_raster(tmp_path / 'b.tif', bands), PixelRule(nodata=0)),
    ):
        _, colours, valid = see(file, rule)
        assert np.array_equal(colours, np.moveaxis(bands, 0, 2))
        assert np.array_equal(valid, np.broadcast_to(np.arange(H)[:, None] >= 5, (H, W)))


def test_nan_and_what_fills_borders(tmp_path):
    values = SIXTEEN[:3].astype(np.float32)
    values[:, 0], values[:, 1], values[:, 2], values[1, 5] = np.nan, np.inf, -3.4e38, np.nan
    limits, colours, valid = see(write_raster(tmp_path / 'a.tif', values))
    assert np.array_equal(valid, np.broadcast_to(np.arange(H)[:, None] >= 3, (H, W)))
    for band in range(3):
        has = np.isfinite(values[band]) & (values[band] > -1e38)
        expected = np.percentile(values[band][has].astype(np.float64), (2, 98))
        assert limits[band] == pytest.approx(tuple(expected))
        assert np.array_equal(
            colours[..., band], np.where(has, stretched(np.where(has, values[band], 0), *expected), 0)
        )


def test_bands_that_a_mask_or_alpha_hides(tmp_path):
    mask = noise(H, W) > 99
    for file in (
        write_raster(tmp_path / 'a.tif', SIXTEEN[:3], mask=mask),
        write_raster(
            tmp_path / 'b.tif', np.stack([*SIXTEEN[:3], mask * 65535]).astype(np.uint16), photometric='RGB', alpha='yes'
        ),
    ):
        limits, colours, valid = see(file)
        assert np.array_equal(valid, mask)
        expected = np.percentile(SIXTEEN[0][mask], (2, 98))
        assert limits[0] == pytest.approx(tuple(expected))
        assert np.array_equal(colours[..., 0], np.where(mask, stretched(SIXTEEN[0], *expected), 0))


def test_nothing_but_no_data_and_constant_bands(tmp_path):
    empty = write_raster(tmp_path / 'a.tif', np.full((3, H, W), 7, np.uint16), nodata=7)
    limits, colours, valid = see(empty)
    assert limits == (None, None, None) and not colours.any() and not valid.any()
    limits, colours, valid = see(write_raster(tmp_path / 'b.tif', np.full((3, H, W), 7, np.uint16)))
    assert limits == (None, None, None) and not colours.any() and valid.all()


def test_limits_come_from_an_overview(tmp_path):
    """Of 2,048 columns every second is looked at: those that are not, change nothing."""
    values = np.tile(noise(3, 4, 2 * OVERVIEW, dtype=np.uint16, most=3000), (1, 1, 1))
    with open_raster(str(write_raster(tmp_path / 'a.tif', values))) as raster:
        limits = find_limits(raster, PixelRule(stretch='minmax'))
    seen = values[:, 1::2, 1::2]
    assert limits == tuple((float(band.min()), float(band.max())) for band in seen)
