"""Maps of similarity: against a loop over pixels, and of scenes whose patches are known."""

from __future__ import annotations

import numpy as np
import pytest
import rasterio
from rasterio.transform import Affine

from osdpm_plugin.archive import Question
from osdpm_plugin.archive import localisation as localisation_module
from osdpm_plugin.archive.grid import Layout, TileGrid
from osdpm_plugin.archive.localisation import locate_in, locate_in_file, make_grids
from osdpm_plugin.archive.localisation_map import median_filter, merge
from osdpm_plugin.archive.localisation_outputs import draw_map, write_geotiff
from osdpm_plugin.errors import ConfigError, DataError
from osdpm_plugin.visualization.page import pixels_of
from tests.helpers.colour_scenes import ORIGIN, KnowsColours, make_archive, write_patches

QUIET = dict(show_progress=False)


def naive_map(shape, tiles, cells):
    """Sums of each pixel over the tiles that cover it, added up for each cell; tiles are (window, score)."""
    total, count = np.zeros(shape), np.zeros(shape)
    for (row, column, height, width), score in tiles:
        for y in range(row, row + height):
            for x in range(column, column + width):
                total[y, x] += score
                count[y, x] += 1
    heat = np.full(cells, np.nan)
    down, across = shape[0] // cells[0], shape[1] // cells[1]
    for i in range(cells[0]):
        for j in range(cells[1]):
            part = slice(i * down, (i + 1) * down), slice(j * across, (j + 1) * across)
            if count[part].sum():
                heat[i, j] = total[part].sum() / count[part].sum()
    return heat


def score(colours, text):
    """Cosine of a mean colour and a name, in float16 as an archive keeps vectors."""
    (image,) = KnowsColours.images(dict(inputs=KnowsColours.pipeline(colours)['inputs'][None]))
    (words,) = KnowsColours.texts(text, batch_size=1)
    return float(image.embedding.astype(np.float16).astype(np.float32) @ words.embedding)


def test_merge_is_a_loop_over_pixels():
    rng = np.random.default_rng(0)
    layouts = [Layout(8, 6, (0, 4, 8, 12), (0, 3, 6, 9, 10)), Layout(12, 12, (0, 6, 8), (0, 4))]
    scores = [rng.normal(size=(len(layout.rows), len(layout.columns))) for layout in layouts]
    scores[0][1, 2] = scores[0][0, 0] = scores[1][0, 0] = np.nan
    tiles = [
        ((row, column, layout.height, layout.width), values[i, j])
        for layout, values in zip(layouts, scores)
        for i, row in enumerate(layout.rows)
        for j, column in enumerate(layout.columns)
        if np.isfinite(values[i, j])
    ]
    for cells in ((20, 16), (5, 4), (10, 8), (1, 1)):
        found = merge((20, 16), list(zip(layouts, scores)), cells)
        np.testing.assert_allclose(found, naive_map((20, 16), tiles, cells), atol=1e-12)
    assert np.isnan(found).sum() == 0 and np.isnan(merge((20, 16), list(zip(layouts, scores)), (20, 16))[0, 0])
    thirds = merge((20, 16), list(zip(layouts, scores)), (3, 16))  # cells of 20/3 pixels
    fine = merge((60, 16), [(Layout(24, 6, (0, 12, 24, 36), layouts[0].columns), scores[0])], (3, 16))
    np.testing.assert_allclose(merge((20, 16), [(layouts[0], scores[0])], (3, 16)), fine)
    assert thirds.shape == (3, 16)


def test_scene_against_pixels(tmp_path):
    patches = {(8, 40, 16, 16): 'red', (40, 8, 16, 16): 'blue'}
    path = write_patches(tmp_path / 'scene.tif', (64, 96), patches)
    with rasterio.open(path) as file:
        image = np.moveaxis(file.read(), 0, -1)
    grids = make_grids([16, 32])
    found = locate_in_file(str(path), 'red', KnowsColours(), grids=grids, **QUIET)
    tiles = []
    for side in (16, 32):
        for row in range(0, 64 - side + 1, side // 2):
            for column in range(0, 96 - side + 1, side // 2):
                part = image[row : row + side, column : column + side]
                tiles.append(((row, column, side, side), score(part, 'red')))
    assert found.values.dtype == np.float32 and found.cell == (8, 8) and found.sizes == ((16, 16), (32, 32))
    np.testing.assert_allclose(found.values, naive_map((64, 96), tiles, (8, 12)), atol=1e-6)
    assert np.unravel_index(found.values.argmax(), (8, 12)) in [(i, j) for i in (1, 2) for j in (5, 6)]
    assert (found.scaled.min(), found.scaled.max()) == (0, 1)
    blue = locate_in_file(str(path), Question('blue', unlike='grey'), KnowsColours(), grids=grids, **QUIET)
    assert np.unravel_index(blue.values.argmax(), (8, 12)) in [(i, j) for i in (5, 6) for j in (1, 2)]
    assert str(blue.query) == 'blue - grey'


def test_archive_uses_stored_vectors(tmp_path, monkeypatch):
    one = write_patches(tmp_path / 'one.tif', (70, 90), {(20, 60, 16, 16): 'red'})
    two = write_patches(tmp_path / 'two.tif', (50, 50), {(5, 5, 16, 16): 'blue'})
    archive = make_archive(tmp_path / 'archive', [one, two])
    cut = locate_in_file(str(one), 'red', KnowsColours(), grids=[TileGrid(tile=16)], **QUIET)
    several = locate_in(archive, 'red', 'one', **QUIET)
    assert several.sizes == ((16, 16), (32, 32), (48, 48))
    apart = locate_in_file(str(one), 'red', KnowsColours(), grids=make_grids([16, 32, 48]), **QUIET)
    np.testing.assert_array_equal(several.values, apart.values)
    with monkeypatch.context() as patch:
        patch.setattr(localisation_module, '_embedded', None)  # nothing is cut
        stored = locate_in(archive, 'red', 'one.tif', grids=make_grids([16], own=TileGrid(tile=16)), **QUIET)
    np.testing.assert_array_equal(stored.values, cut.values)
    assert locate_in(archive, 'blue', **QUIET).record.source == str(two), 'the scene of the best hit'
    with pytest.raises(ConfigError, match="no scene 'three'; it has 2: one-"):
        locate_in(archive, 'red', 'three')
    write_patches(one, (70, 90), {(40, 10, 16, 16): 'red'})
    archive = make_archive(tmp_path / 'archive', [one, two])
    again = locate_in(archive, 'red', str(one), **QUIET)
    assert np.unravel_index(again.values.argmax(), again.values.shape)[0] >= 5, 'the scene as it is now'


def test_rows_of_an_older_file_are_not_used(tmp_path):
    path = write_patches(tmp_path / 'one.tif', (48, 48), {(0, 0, 16, 16): 'red'})
    archive = make_archive(tmp_path / 'archive', [path])
    (record,) = archive.records().values()
    write_patches(path, (48, 48), {(32, 32, 16, 16): 'red'})
    text = archive.folder.record_path(record.scene).read_text()
    archive.folder.record_path(record.scene).write_text(text.replace(record.signature, 'newer'))
    found = locate_in(archive, 'red', grids=[TileGrid(tile=16)], **QUIET)
    assert np.unravel_index(found.values.argmax(), found.values.shape) == (5, 5)


def test_no_data(tmp_path):
    path = write_patches(tmp_path / 'a.tif', (64, 64), {(8, 8, 16, 16): 'red'}, empty=[(0, 32, 64, 32)])
    found = locate_in_file(str(path), 'red', KnowsColours(), grids=[TileGrid(tile=16)], median=25, **QUIET)
    assert np.isnan(found.values[:, 5:]).all() and np.isfinite(found.values[:, :5]).all(), 'tiles of up to one half'
    assert np.isnan(found.scaled[:, 5:]).all()
    write_patches(tmp_path / 'b.tif', (64, 64), {}, empty=[(0, 0, 64, 64)])
    with pytest.raises(DataError, match='b.tif holds enough data'):
        locate_in_file(str(tmp_path / 'b.tif'), 'red', KnowsColours(), **QUIET)
    write_patches(tmp_path / 'c.tif', (64, 64), {})
    flat = locate_in_file(str(tmp_path / 'c.tif'), 'red', KnowsColours(), grids=[TileGrid(tile=16)], **QUIET)
    assert (flat.scaled == 0).all(), 'a map that is the same everywhere points nowhere'


def test_map_is_small_and_sizes_may_exceed_the_scene(tmp_path):
    path = write_patches(tmp_path / 'a.tif', (300, 257), {(200, 100, 60, 60): 'green'})
    found = locate_in_file(str(path), 'green', KnowsColours(), **QUIET)
    assert found.sizes == ((256, 256), (300, 257)), 'sizes of 512 and 768 pixels are one tile'
    assert found.values.shape == (3, 3), 'cells of at most half a tile'
    fine = locate_in_file(str(path), 'green', KnowsColours(), grids=make_grids([64], stride=0.25), **QUIET)
    assert fine.values.shape == (19, 17) and fine.cell == (300 / 19, 257 / 17)
    row, column = np.unravel_index(fine.values.argmax(), fine.values.shape)
    assert 200 < (row + 0.5) * fine.cell[0] < 260 and 100 < (column + 0.5) * fine.cell[1] < 160


def test_median_filter():
    rng = np.random.default_rng(0)
    values = rng.normal(size=(6, 7))
    values[rng.random((6, 7)) < 0.3] = np.nan
    for size in ((1, 1), (3, 5), (5, 3)):
        want = np.full_like(values, np.nan)
        for i, j in zip(*np.nonzero(np.isfinite(values))):
            top, left = max(0, i - size[0] // 2), max(0, j - size[1] // 2)
            want[i, j] = np.nanmedian(values[top : i + size[0] // 2 + 1, left : j + size[1] // 2 + 1])
        np.testing.assert_array_equal(median_filter(values, size), want)


def test_make_grids():
    own = TileGrid(tile=100, stride=80, max_nodata=0.2)
    one, two, three = make_grids(own=own)
    assert one is own and (two, three) == (TileGrid(tile=200, max_nodata=0.2), TileGrid(tile=300, max_nodata=0.2))
    assert make_grids() == [TileGrid(tile=256), TileGrid(tile=512), TileGrid(tile=768)]
    assert make_grids([100], own=own) == [own]
    assert make_grids([100], own=own, stride=0.5) == [TileGrid(tile=100, stride=50, max_nodata=0.2)]
    assert make_grids(own=TileGrid(metres=60))[1] == TileGrid(metres=120)
    assert make_grids([30.0], in_metres=True, stride=0.25) == [TileGrid(metres=30, stride_metres=7.5)]
    for wrong in (
        dict(sizes=[4]),
        dict(sizes=[]),
        dict(stride=0),
        dict(stride=1.5),
        dict(sizes=[-3.0], in_metres=True),
    ):
        with pytest.raises(ConfigError):
            make_grids(**wrong)


def test_geotiff(tmp_path):
    turned = ORIGIN @ Affine.rotation(20)
    path = write_patches(
        tmp_path / 'a.tif', (60, 100), {(20, 60, 20, 20): 'red'}, transform=turned, empty=[(0, 0, 60, 30)]
    )
    found = locate_in_file(str(path), 'red', KnowsColours(), grids=make_grids([20], stride=0.4), **QUIET)
    write_geotiff(found, str(tmp_path / 'new' / 'heat.tif'))
    with rasterio.open(tmp_path / 'new' / 'heat.tif') as heat, rasterio.open(path) as scene:
        assert heat.crs == scene.crs and heat.dtypes == ('float32',) and np.isnan(heat.nodata)
        assert heat.shape == (8, 13)
        np.testing.assert_allclose(heat.transform @ (13, 8), scene.transform @ (100, 60))
        np.testing.assert_allclose(heat.transform @ (0, 8), scene.transform @ (0, 60))
        values = heat.read(1)
        assert heat.tags()['QUERY'] == 'red' and heat.tags()['TILES'] == '20x20'
    np.testing.assert_array_equal(values, found.values)
    assert np.isnan(values[:, 0]).all()
    row, column = np.unravel_index(np.nanargmax(values), values.shape)
    assert 20 <= (row + 0.5) * 7.5 <= 40 and 60 <= (column + 0.5) * 100 / 13 <= 80
    plain = write_patches(tmp_path / 'b.tif', (60, 100), {}, crs=None)
    found = locate_in_file(str(plain), 'red', KnowsColours(), grids=make_grids([20]), **QUIET)
    write_geotiff(found, str(tmp_path / 'plain.tif'))
    with rasterio.open(tmp_path / 'plain.tif') as heat:
        assert heat.crs is None and heat.transform == Affine.scale(10) and heat.shape == (6, 10)
    with pytest.raises(DataError, match='b.tif: it has no georeference, so that metres say nothing'):
        locate_in_file(str(plain), 'red', KnowsColours(), grids=make_grids([200], in_metres=True), **QUIET)


def test_picture(tmp_path):
    path = write_patches(tmp_path / 'a.tif', (80, 160), {(30, 100, 20, 20): 'red'}, empty=[(0, 0, 80, 40)])
    found = locate_in_file(str(path), 'red', KnowsColours(), grids=make_grids([20]), **QUIET)
    region = np.array([[100, 30], [120, 30], [120, 50], [100, 50]], float)
    plain, outlined = (pixels_of(draw_map(found, regions)).astype(int) for regions in ([], [region]))
    assert plain.shape[1] == 1200
    colourful = np.ptp(plain, axis=2) > 60
    rows, columns = np.nonzero(colourful[:-60])
    assert columns.min() > 1200 * 0.2, 'what has no data is not coloured'
    changed = np.any(plain != outlined, axis=2)
    rows, columns = np.nonzero(changed)
    left, share = 32, 1136 / 160
    assert abs(columns.min() - (left + 100 * share)) < 4 and abs(columns.max() - (left + 120 * share)) < 4
    assert abs((rows.max() - rows.min()) - 20 * share) < 6
