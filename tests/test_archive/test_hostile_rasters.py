"""Damaged files and those of strangers: one sentence each, and no other file is read."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import numpy as np
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from osdpm_plugin.archive import raster_guards
from osdpm_plugin.archive.grid import TileGrid
from osdpm_plugin.archive.places import ground_sample_distance
from osdpm_plugin.archive.planning import make_plan
from osdpm_plugin.archive.raster_file import open_raster
from osdpm_plugin.archive.scene import PixelRule, find_limits, read_strip
from osdpm_plugin.archive.sources import find_sources
from osdpm_plugin.errors import DataError
from tests.helpers.fuzzing import FUZZED
from tests.helpers.http_server import serve
from tests.helpers.rasters import UTM50, noise, rasterio, write_raster

SECRET = 77
NOWHERE = 'LOCAL_CS["nowhere",UNIT["metre",1]]'
VRT = (
    '<VRTDataset rasterXSize="64" rasterYSize="64"><Metadata><MDI key="INTERNAL_MASK_FLAGS_1">2</MDI></Metadata>'
    '<VRTRasterBand dataType="Byte" band="1"><SimpleSource><SourceFilename>{}</SourceFilename><SourceBand>1'
    '</SourceBand></SimpleSource></VRTRasterBand></VRTDataset>'
)


def read_all(path, shape=None):
    with open_raster(str(path)) as raster:
        return raster.read((0, 0, *raster.shape), shape=shape)


@pytest.fixture
def secret(tmp_path):
    return write_raster(tmp_path / 'elsewhere' / 'secret.tif', np.full((1, 64, 64), SECRET, np.uint8))


# ---- files that name others


@pytest.mark.parametrize('suffix', ['tif', 'vrt', 'jp2', 'png'])
def test_a_vrt_under_any_name(tmp_path, secret, suffix):
    (tmp_path / f'a.{suffix}').write_text(VRT.format(secret))
    with pytest.raises(DataError, match='it is empty, damaged, or of another format than GTiff'):
        read_all(tmp_path / f'a.{suffix}')


def test_overviews_in_another_file(tmp_path, secret):
    with serve(secret.parent) as served:
        for place in (str(secret), f'/vsicurl/{served.url("secret.tif")}'):
            file = write_raster(
                tmp_path / 'a.tif', np.full((1, 64, 64), 5, np.uint8), tags={'OVERVIEWS': dict(OVERVIEW_FILE=place)}
            )
            with pytest.raises(DataError, match='names another file as its overview; rewrite it: gdal_translate'):
                read_all(file, (16, 16))
        assert served.requests == []


@pytest.mark.parametrize('name', ['a.tif.ovr', 'a.tif.msk', 'A.TIF.OVR', 'a.tif.msk.ovr', 'a.ovr'])
def test_a_vrt_beside_a_scene_is_not_believed(tmp_path, secret, name):
    file = write_raster(tmp_path / 'a.tif', np.full((1, 64, 64), 5, np.uint8), **UTM50)
    (tmp_path / name).write_text(VRT.format(secret))
    bands, valid = read_all(file, (16, 16))
    assert np.array_equal(bands, np.full((16, 16, 1), 5)) and valid.all()


def test_overviews_beside_a_scene_that_name_another_file(tmp_path, secret):
    file = write_raster(tmp_path / 'a.tif', np.full((1, 64, 64), 5, np.uint8))
    write_raster(
        tmp_path / 'b.tif', np.full((1, 32, 32), 6, np.uint8), tags={'OVERVIEWS': dict(OVERVIEW_FILE=str(secret))}
    ).rename(tmp_path / 'a.tif.ovr')
    assert np.array_equal(read_all(file, (8, 8))[0], np.full((8, 8, 1), 5))


def test_honest_overviews_and_masks_beside_a_scene_are_used(tmp_path):
    file = write_raster(tmp_path / 'a.tif', np.full((1, 64, 64), 5, np.uint8))
    write_raster(tmp_path / 'b.tif', np.full((1, 32, 32), 6, np.uint8)).rename(tmp_path / 'a.tif.ovr')
    assert np.array_equal(read_all(file, (32, 32))[0], np.full((32, 32, 1), 6))


def test_statistics_beside_a_scene_that_name_another_file(tmp_path, secret):
    file = write_raster(tmp_path / 'a.tif', np.full((1, 64, 64), 5, np.uint8))
    (tmp_path / 'a.tif.aux.xml').write_text(
        f'<PAMDataset><Metadata domain="OVERVIEWS"><MDI key="OVERVIEW_FILE">{secret}</MDI></Metadata></PAMDataset>'
    )
    assert np.array_equal(read_all(file, (16, 16))[0], np.full((16, 16, 1), 5))


@pytest.mark.parametrize(
    'address',
    ['/vsizip//tmp/a.zip/a.tif', '/vsis3/b/a.tif', '/vsicurl/file:///etc/passwd', 's3://b/a.tif', 'zip://a!b'],
)
def test_other_file_systems(address):
    with pytest.raises(DataError, match=r'only files and http\(s\) addresses are read'):
        read_all(address)


@pytest.mark.parametrize('address', ['GTIFF_DIR:1:{}', 'GTIFF_RAW:{}'])
def test_prefixes_of_drivers_mean_nothing(secret, address):
    with pytest.raises(DataError, match='No such file'):
        read_all(address.format(secret))


# ---- damage


def test_nothing_in_it(tmp_path):
    (tmp_path / 'a.tif').touch()
    (tmp_path / 'folder.tif').mkdir()
    for name in ('a.tif', 'folder.tif'):
        with pytest.raises(DataError, match='empty, damaged, or of another format'):
            read_all(tmp_path / name)
    with pytest.raises(DataError, match='No such file or directory'):
        read_all(tmp_path / 'b.tif')


@pytest.mark.parametrize('compress', ['none', 'deflate', 'lzw', 'jpeg', 'zstd'])
def test_the_second_half_is_missing(tmp_path, compress):
    bands = noise(3, 320, 320)
    file = write_raster(tmp_path / 'a.tif', bands, compress=compress, tiled=True, blockxsize=64, blockysize=64)
    content = file.read_bytes()
    file.write_bytes(content[: len(content) // 2])
    with open_raster(str(file)) as raster:
        first, _ = raster.read((0, 0, 64, 64))  # what is there can be read, before and after an error
        assert compress == 'jpeg' or np.array_equal(first, np.moveaxis(bands[:, :64, :64], 0, 2))
        with pytest.raises(DataError, match='GDAL cannot read it'):
            raster.read((0, 0, 320, 320))
        assert np.array_equal(raster.read((0, 0, 64, 64))[0], first)


@pytest.mark.parametrize('suffix', ['jpg', 'png', 'webp', 'jp2', 'bmp'])
@pytest.mark.parametrize('share', [0.1, 0.5, 0.99])
def test_pictures_that_end_early(tmp_path, suffix, share):
    file = tmp_path / f'a.{suffix}'
    Image.fromarray(noise(300, 300, 3)).save(file)
    file.write_bytes(file.read_bytes()[: int(file.stat().st_size * share)])
    with pytest.raises(DataError, match='GDAL cannot read it|empty, damaged'):
        read_all(file)


def test_a_file_that_may_not_be_read():
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        file = write_raster(Path(folder) / 'a.tif', noise(1, 8, 8))
        os.chmod(file, 0)
        user = os.geteuid()
        if user == 0:
            os.seteuid(65534)  # the administrator may read everything
        try:
            with pytest.raises(DataError, match='Permission denied'):
                read_all(file)
        finally:
            os.seteuid(user)


def test_a_crs_that_is_none(tmp_path):
    file = write_raster(tmp_path / 'a.tif', noise(1, 8, 8), crs=NOWHERE, transform=UTM50['transform'])
    sentence = r'its CRS is none of the Earth \(.*\); write the right one: gdal_edit.py'
    with open_raster(str(file)) as raster, pytest.raises(DataError, match=sentence):
        ground_sample_distance(raster.georeference(), raster.shape)


@FUZZED
@given(
    st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), min_size=1, max_size=8), st.booleans()
)
def test_fuzz_changed_bytes_are_pixels_or_one_sentence(spoilt, in_header):
    content = bytearray(_small_scene())
    for place, value in spoilt:
        content[int(place * (600 if in_header else len(content)))] = value
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / 'a.tif'
        file.write_bytes(content)
        try:
            with open_raster(str(file)) as raster:
                limits = find_limits(raster, PixelRule())
                height, width = (min(side, 64) for side in raster.shape)
                strip = read_strip(raster, PixelRule(), limits, (0, 0, height, width))
            assert strip.colours.shape == (height, width, 3)
        except DataError as error:
            assert '\n' not in str(error)


def _small_scene(cache={}) -> bytes:  # noqa: B006
    if not cache:
        with tempfile.TemporaryDirectory() as folder:
            file = write_raster(
                Path(folder) / 'a.tif',
                noise(3, 40, 56, dtype=np.uint16, most=3000),
                compress='deflate',
                nodata=0,
                **UTM50,
            )
            cache['bytes'] = file.read_bytes()
    return cache['bytes']


def test_bad_scenes_stop_nothing(tmp_path, secret):
    """Each is a failure of its own; a scene whose mask has changed is made anew."""
    good = write_raster(tmp_path / 'scenes' / 'good.tif', noise(3, 64, 64), **UTM50)
    mask = write_raster(tmp_path / 'masks' / 'good.tif', np.zeros((1, 64, 64), np.uint8))
    half = write_raster(tmp_path / 'scenes' / 'half.tif', noise(3, 64, 64), **UTM50)
    half.write_bytes(half.read_bytes()[:6000])
    (tmp_path / 'scenes' / 'vrt.tif').write_text(VRT.format(secret))
    (tmp_path / 'scenes' / 'zero.tif').touch()
    write_raster(tmp_path / 'scenes' / 'complex.tif', np.ones((1, 8, 8), np.complex64))
    write_raster(tmp_path / 'scenes' / 'nowhere.tif', noise(3, 64, 64), crs=NOWHERE, transform=UTM50['transform'])
    write_raster(tmp_path / 'scenes' / 'utm.tif', noise(3, 64, 64), crs='EPSG:4326', transform=UTM50['transform'])
    for name in ('half', 'vrt', 'zero', 'complex', 'nowhere', 'utm'):
        write_raster(tmp_path / 'masks' / f'{name}.tif', np.zeros((1, 8, 8), np.uint8))

    def plan(known):
        found = find_sources([tmp_path / 'scenes'], mask='../masks/{stem}.tif')
        assert found.failures == []
        return make_plan(found.sources, known, grid=TileGrid(tile=32), rule=PixelRule())

    first = plan({})
    (scene,) = first.new
    assert first.records[scene].source == str(good) and first.records[scene].mask == str(mask)
    assert {Path(address).stem: reason.split(' (')[0] for address, reason in first.failures} == {
        'complex': 'its values are complex numbers; store their amplitude',
        'half': 'GDAL cannot read it',
        'nowhere': 'its CRS is none of the Earth',
        'utm': 'its coordinates, e.g.',
        'vrt': 'it is empty, damaged, or of another format than GTiff, JP2OpenJPEG, PNG, JPEG, BMP, WEBP; convert it: '
        'gdal_translate',
        'zero': 'it is empty, damaged, or of another format than GTiff, JP2OpenJPEG, PNG, JPEG, BMP, WEBP; convert it: '
        'gdal_translate',
    }
    again = plan(first.records)
    assert (again.new, again.changed, again.renamed) == ([], [], [])
    write_raster(mask, np.ones((1, 64, 64), np.uint8))
    assert plan(first.records).changed == [scene]


# ---- claims


def test_more_pixels_than_bytes_can_hold(tmp_path):
    sparse = dict(driver='GTiff', sparse_ok=True, tiled=True, blockxsize=32768, blockysize=32768)
    with rasterio.open(tmp_path / 'a.tif', 'w', width=10**6, height=10**6, count=1, dtype='uint8', **sparse, **UTM50):
        pass
    assert (tmp_path / 'a.tif').stat().st_size < 20_000
    with pytest.raises(
        DataError, match=r'claims 1000000 x 1000000 pixels in \d+ bytes, which cannot be; get a whole copy'
    ):
        read_all(tmp_path / 'a.tif')


def test_honest_empty_scenes_are_read(tmp_path):
    file = tmp_path / 'a.tif'
    tifffile.imwrite(file, np.zeros((4096, 4096), np.uint8), compression='zlib', tile=(512, 512))
    assert read_all(file, (4, 4))[0].max() == 0


def test_a_read_that_needs_too_much_memory(tmp_path, monkeypatch):
    file = write_raster(tmp_path / 'a.tif', noise(3, 64, 100, dtype=np.uint16), blockysize=8)
    monkeypatch.setattr(raster_guards, 'MOST_AT_ONCE', 16 * 100 * 3 * 2)
    with open_raster(str(file)) as raster:
        assert raster.read((0, 0, 16, 100))[0].shape == (16, 100, 3)
        assert raster.read((0, 0, 64, 100), shape=(8, 8))[0].shape == (8, 8, 3)
        with pytest.raises(
            DataError, match='reading 17 rows of 100 pixels takes 1.02e-05 GB; cut it into smaller files'
        ):
            raster.read((0, 0, 17, 100))


def test_a_block_that_needs_too_much_memory(tmp_path, monkeypatch):
    file = tmp_path / 'a.tif'
    tifffile.imwrite(file, noise(64, 100, 3, dtype=np.uint16), photometric='rgb', rowsperstrip=64, compression='zlib')
    monkeypatch.setattr(raster_guards, 'MOST_AT_ONCE', 64 * 100 * 3 * 2 - 1)
    with open_raster(str(file)) as raster, pytest.raises(DataError, match='cut it into smaller files'):
        raster.read((0, 0, 1, 1))
