"""Questions to an archive, against a loop over all of its rows; and the tiles of hits, cut from their scenes."""

from __future__ import annotations

import datetime as dt
import os
import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pytest
import rasterio
import shapely
from rasterio.transform import from_origin

from osdpm_plugin.archive import Archive, Question
from osdpm_plugin.archive import archive as archive_module
from osdpm_plugin.archive.grid import TileGrid
from osdpm_plugin.archive.hits import shared
from osdpm_plugin.archive.places import parse_crs
from osdpm_plugin.archive.schema import vectors_of
from osdpm_plugin.errors import ConfigError, DataError
from tests.helpers.archives import ColourEncoder, blocks, build, patchwork, source, write_scene

MAY = dt.datetime(2024, 5, 17, tzinfo=dt.timezone.utc)


@pytest.fixture(scope='module')
def made(tmp_path_factory):
    """Three scenes of noise, tiles of 16 pixels each 8: on land, across the antimeridian, and without georeference."""
    folder = tmp_path_factory.mktemp('made')
    across = dict(crs='EPSG:4326', transform=from_origin(179.992, 10, 0.0002, 0.0002))  # 0.016 degrees wide
    paths = [
        write_scene(folder / 'land.tif', blocks(96, 128)),
        write_scene(folder / 'across.tif', blocks(64, 80, seed=1), **across),
        write_scene(folder / 'plain.tif', blocks(48, 48, seed=2), transform=None),
    ]
    facts = [dict(datetime=MAY, attributes=dict(sensor='GF-2')), dict(attributes=dict(sensor='UAV')), {}]
    build(folder / 'archive', [source(p, **f) for p, f in zip(paths, facts)], grid=TileGrid(16, 8))
    archive = Archive.open(folder / 'archive')
    archive._encoder = ColourEncoder()
    table = pa.Table.from_batches(list(archive.store.scan()))
    return SimpleNamespace(folder=folder, archive=archive, rows=table.to_pylist(), vectors=vectors_of(table))


def best(made, question, *, topk, keep=lambda row: True, overlap=0.2, by_scene=False, min_score=-2.0) -> list[str]:
    """Ids of the hits by a loop over all rows."""
    scores = made.vectors.astype(np.float64) @ made.archive.vector(question).astype(np.float64)
    kept: list[dict] = []
    for i in sorted(range(len(scores)), key=lambda i: (-np.float32(scores[i]), made.rows[i]['tile'])):
        row = made.rows[i]
        window = [row[name] for name in ('row', 'column', 'height', 'width')]
        same = [other for other in kept if other['scene'] == row['scene']]
        repeats = any(shared(window, [o[n] for n in ('row', 'column', 'height', 'width')]) > overlap for o in same)
        if scores[i] >= min_score and keep(row) and not repeats and not (by_scene and same):
            kept.append(row)
    return [row['tile'] for row in kept[:topk]]


def ids(hits) -> list[str]:
    return [hit.tile for hit in hits]


@pytest.mark.parametrize('topk', [1, 7, 1000])
@pytest.mark.parametrize('options', [{}, dict(overlap=0.6), dict(overlap=1), dict(by_scene=True), dict(min_score=0.5)])
def test_hits_are_those_of_a_loop(made, monkeypatch, topk, options):
    """Whether the first look at the store is enough or not: it is one row a hit here."""
    monkeypatch.setattr(archive_module, 'FIRST_LOOK', 1)
    for text in ('red', 'blue'):
        hits = made.archive.search(text, topk=topk, **options)
        assert ids(hits) == best(made, Question(text), topk=topk, **options)
        assert [hit.rank for hit in hits] == list(range(1, len(hits) + 1)) and hits.exact and hits.query == text
        assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)


def test_several_questions_keep_their_order(made, monkeypatch):
    """Those that are answered at once and those that need a second look."""
    monkeypatch.setattr(archive_module, 'FIRST_LOOK', 1)
    questions = [Question(text) for text in ('grey', 'red', 'green', 'blue', 'red')]
    found = made.archive.search_many(questions, topk=12)
    assert [hits.query for hits in found] == ['grey', 'red', 'green', 'blue', 'red']
    assert [ids(hits) for hits in found] == [best(made, question, topk=12) for question in questions]
    with pytest.raises(ConfigError, match='nothing is asked; give at least one question'):
        made.archive.search_many([])


def touches(area):
    return lambda row: row['footprint'] is not None and shapely.from_wkb(row['footprint']).intersects(area)


def test_an_area_much_smaller_than_its_box(made, monkeypatch):
    """A thin line from corner to corner: the store is asked for its box, and asked again until the hits are full."""
    monkeypatch.setattr(archive_module, 'FIRST_LOOK', 1)
    places = shapely.union_all([shapely.from_wkb(r['footprint']) for r in made.rows if r['scene'].startswith('land')])
    west, south, east, north = places.bounds
    area = shapely.LineString([(west, south), (east, north)]).buffer(1e-6)
    inside = sum(map(touches(area), made.rows))
    assert 0 < inside < 0.4 * sum(row['scene'].startswith('land') for row in made.rows)
    for topk in (1, 5, 100):
        hits = made.archive.search('green', within=area, topk=topk)
        assert ids(hits) == best(made, Question('green'), topk=topk, keep=touches(area))
        assert hits and all(hit.footprint.intersects(area) for hit in hits)


def test_an_area_across_the_antimeridian(made):
    """Both halves of a multipolygon; a tile that crosses is found by either."""
    east, west = shapely.box(-180, 9.9, -179.998, 10.1), shapely.box(179.999, 9.9, 180, 10.1)
    for area in (east, west, shapely.MultiPolygon([east, west])):
        hits = made.archive.search('blue', within=area, topk=100, overlap=1)
        assert ids(hits) == best(made, Question('blue'), topk=100, overlap=1, keep=touches(area))
        assert {hit.scene.split('-')[0] for hit in hits} == {'across'}
    assert any(hit.bounds[0] > hit.bounds[2] for hit in hits) and any(hit.lon < 0 for hit in hits)
    box = made.archive.search('blue', bbox=(179.999, 9.9, -179.998, 10.1), topk=100, overlap=1)
    assert ids(box) == ids(hits)


def test_conditions(made):
    search = made.archive.search
    assert {hit.datetime for hit in search('red', start=dt.datetime(2024, 5, 1), topk=50)} == {MAY}
    assert search('red', end=dt.datetime(2024, 5, 1)) == []
    one = search('red', where=dict(sensor='UAV'), topk=50)
    assert {hit.scene.split('-')[0] for hit in one} == {'across'}
    both = search('red', where=dict(sensor=['UAV', 'GF-2']), by_scene=True)
    assert len(both) == 2 and search('red', where=dict(sensor='SPOT')) == []
    plain = next(scene for scene in made.archive.records() if scene.startswith('plain'))
    hits = search('red', scenes=[plain])
    assert {hit.lon for hit in hits} == {None} and {hit.footprint for hit in hits} == {None}


def test_nothing_is_filled_up(made):
    scores = [hit.score for hit in made.archive.search('red', topk=5)]
    assert len(made.archive.search('red', topk=5, min_score=scores[2])) == 3
    assert made.archive.search('red', min_score=1.01) == []


@pytest.mark.parametrize(
    ('options', 'words'),
    [
        (dict(topk=0), 'topk must be a whole number of at least 1'),
        (dict(topk=2.5), 'topk must be a whole number'),
        (dict(overlap=1.5), 'overlap must be a number of at least 0 and of at most 1'),
        (dict(min_score=float('nan')), 'min_score must be a finite number'),
        (dict(bbox=(0, 1, 1, 0)), 'is upside down'),
        (dict(bbox=(0, 0, 1, 1), within=shapely.box(0, 0, 1, 1)), 'a box and an area cannot both be given'),
        (dict(within=shapely.Polygon()), 'within must be an area with a polygon in it'),
        (dict(within='area.geojson'), 'within must be an area'),
        (dict(within=shapely.box(170, 0, 190, 1)), 'is not in degrees of longitude'),
        (dict(start=dt.datetime(2024, 1, 2), end=dt.datetime(2024, 1, 1)), 'ends before it'),
        (dict(exact=False), 'the archive has no index for approximate search; make it: .*manage.py index'),
    ],
)
def test_values_that_do_not_fit(made, options, words):
    with pytest.raises(ConfigError, match=words):
        made.archive.search('red', **options)


def test_questions_of_all_kinds(made):
    """A tile finds itself; mixtures are ranked by the sum of their parts; words push away."""
    archive, tile = made.archive, made.rows[40]['tile']
    assert archive.search(like=tile)[0].tile == tile
    with pytest.raises(ConfigError, match="the archive has no tile 'land/0'; take an id that a search has printed"):
        archive.search(like='land/0')
    with pytest.raises(ConfigError, match='the query is empty'):
        archive.search()
    red = np.full((9, 9, 3), (220, 30, 30), np.uint8)
    assert ids(archive.search(image=red)) == ids(archive.search('red'))
    mixed = Question('red', like=tile, text_weight=2, image_weight=3)
    found = archive.search('red', like=tile, text_weight=2, image_weight=3, topk=20)
    assert ids(found) == best(made, mixed, topk=20)
    parts = [archive.vector(q).astype(np.float64) for q in (Question('red'), Question(like=tile))]
    total = 2 * parts[0] + 3 * parts[1]
    np.testing.assert_allclose(archive.vector(mixed), total / np.linalg.norm(total), atol=1e-6)
    assert ids(archive.search('red', unlike='blue', topk=20)) == best(made, Question('red', unlike='blue'), topk=20)


def test_a_table_of_hits(made):
    frame = made.archive.search('red', topk=3).to_geodataframe()
    assert len(frame) == 3 and frame.crs == 'EPSG:4326' and list(frame['rank']) == [1, 2, 3]


def test_no_archive_and_no_store(made, tmp_path):
    with pytest.raises(ConfigError, match=r'holds no archive \(No such file or directory\); make one: python tools'):
        Archive.open(tmp_path)
    shutil.copytree(made.folder / 'archive', tmp_path / 'archive')
    (tmp_path / 'archive' / 'store').rename(tmp_path / 'store')
    with pytest.raises(ConfigError, match='the store of archive .* is not there; make it: tools/archive/manage.py'):
        Archive.open(tmp_path / 'archive')
    (tmp_path / 'archive' / 'archive.json').write_text('{"format": 1')
    with pytest.raises(ConfigError, match=r'archive.json is damaged \(.*\); restore it, or build anew into another'):
        Archive.open(tmp_path / 'archive')
    (tmp_path / 'archive' / 'archive.json').write_text('{"format": 99}')
    with pytest.raises(ConfigError, match='has not the format 1 of this version'):
        Archive.open(tmp_path / 'archive')


# ---- pixels


@pytest.fixture
def small(tmp_path):
    """An archive of one scene of two colours, and its file; ``make`` builds it."""

    def make(pixels=None, *, grid=None, **options) -> tuple[Archive, Path]:
        facts = {name: options.pop(name) for name in ('mask', 'assume_crs') if name in options}
        pixels = patchwork((32, 48), dict(red=(0, 16, 16, 16))) if pixels is None else pixels
        path = write_scene(tmp_path / 'scene.tif', pixels, **options)
        build(tmp_path / 'archive', [source(path, **facts)], grid=grid or TileGrid(16, 16))
        archive = Archive.open(tmp_path / 'archive')
        archive._encoder = ColourEncoder()
        return archive, path

    return make


def test_pixels_are_those_of_the_file(small):
    archive, path = small()
    with rasterio.open(path) as file:
        whole = np.moveaxis(file.read(), 0, -1)
    hits = archive.search('red', topk=10)
    assert hits[0].window == (0, 16, 16, 16) and len(hits) == 6
    for hit in hits:
        row, column, height, width = hit.window
        np.testing.assert_array_equal(archive.pixels(hit), whole[row : row + height, column : column + width])


def test_pixels_of_16_bits_have_the_stretch_of_their_scene(small):
    """Not that of the tile: the darker half of the scene stays dark."""
    values = np.full((3, 32, 32), 1000, np.uint16)
    values[:, :, 16:] = 3000
    archive, _ = small(values)
    tiles = {hit.window[1]: archive.pixels(hit) for hit in archive.search('red', topk=9)}
    assert tiles[0].max() == 0 and tiles[16].min() == 255


def test_masked_pixels_are_black(small, tmp_path):
    clouds = np.zeros((1, 32, 48), np.uint8)
    clouds[:, 12:16] = 1
    archive, _ = small(mask=str(write_scene(tmp_path / 'clouds.tif', clouds)))
    (hit,) = archive.search('red', topk=1)
    pixels = archive.pixels(hit)
    assert hit.nodata == 0.25 and pixels[12:].max() == 0 and (pixels[:12] == (220, 30, 30)).all()
    os.remove(tmp_path / 'clouds.tif')
    with pytest.raises(DataError, match='cannot be cut out of .*scene.tif'):
        archive.pixels(hit)


def test_pixels_of_a_scene_whose_crs_was_assumed(small):
    archive, path = small(crs=None, assume_crs=parse_crs('EPSG:32650'))
    (hit,) = archive.search('red', topk=1)
    assert hit.lon == pytest.approx(117, abs=0.01) and (archive.pixels(hit) == (220, 30, 30)).all()


def test_a_scene_that_has_changed_or_gone(small, tmp_path):
    archive, path = small()
    hit = archive.search('red', topk=1)[0]
    write_scene(path, patchwork((16, 16), {}))
    said = rf'tile {hit.tile} cannot be cut out of {path} \(it has another size than when its tiles were laid out'
    with pytest.raises(DataError, match=said):
        archive.pixels(hit)
    path.unlink()
    with pytest.raises(DataError, match=r'cannot be cut out of .* \(GDAL cannot read it \(.*No such file'):
        archive.pixels(hit)
    (record,) = (tmp_path / 'archive' / 'scenes').iterdir()
    record.unlink()
    with pytest.raises(DataError, match=f'{record.name} is damaged'):
        archive.pixels(hit)
