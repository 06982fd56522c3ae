"""Scenes of the archive demo: files that other programs read, true places, dates and questions, from any worker."""

from __future__ import annotations

import csv
import errno
from collections import Counter
from pathlib import Path

import cv2
import numpy as np
import pytest
import rasterio
from pyproj import Geod, Transformer

from osdpm_plugin.datasets.scenes import render_scene
from osdpm_plugin.datasets.scenes.captions import is_named
from osdpm_plugin.datasets.scenes.kinds import KINDS
from osdpm_plugin.errors import ConfigError, DataError
from osdpm_plugin.lab.data.archive_scenes import write, write_archive_scenes
from osdpm_plugin.lab.data.archive_scenes.four_bands import inside_border, reflectance
from osdpm_plugin.lab.data.archive_scenes.mosaic import cells_of, picture_of
from osdpm_plugin.lab.data.archive_scenes.places import PLACES
from osdpm_plugin.lab.data.archive_scenes.questions import QUESTIONS, questions_about

SMALL = dict(size=320, picture=96)
pytestmark = pytest.mark.filterwarnings('ignore::rasterio.errors.NotGeoreferencedWarning')


@pytest.fixture(scope='module')
def archive(tmp_path_factory):
    """All ten scenes, small."""
    folder = tmp_path_factory.mktemp('archive') / 'scenes'
    counts = write_archive_scenes(folder, num_workers=1, **SMALL)
    assert counts == {path.name: len(rows(path)) for path in folder.glob('*.csv')}
    return folder


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline='', encoding='utf-8') as file:
        return list(csv.DictReader(file))


def box_of(row: dict[str, str]) -> tuple[int, int, int, int]:
    return tuple(int(row[key]) for key in ('row', 'column', 'height', 'width'))


def by_scene(table: list[dict[str, str]]) -> dict[str, list[dict[str, str]]]:
    return {place.file: [row for row in table if row['scene'] == place.file] for place in PLACES}


def file_of(archive: Path, layout: str) -> Path:
    return archive / next(place.file for place in PLACES if place.layout == layout)


# --- files
def test_what_the_folder_holds(archive):
    names = {path.name for path in archive.iterdir()}
    assert names == {place.file for place in PLACES} | {'scenes.csv', 'truth.csv', 'objects.csv', 'queries.csv'}
    assert len(PLACES) == 10 and not list(archive.parent.glob('.*'))


def test_georeference_and_layout(archive):
    seen = set()
    for place in PLACES:
        with rasterio.open(archive / place.file) as file:
            assert (file.width, file.height) == (320, 320)
            if place.layout == 'photo':
                assert file.crs is None and file.transform.is_identity and file.driver == 'JPEG'
                continue
            assert file.crs == rasterio.CRS.from_string(place.crs) and file.profile['tiled']
            assert file.compression.value == ('JPEG' if place.layout == 'jpeg' else 'DEFLATE')
            assert (file.count, file.dtypes[0]) == ((4, 'uint16') if place.layout == 'four_bands' else (3, 'uint8'))
            seen.add(place.crs)
    assert {'EPSG:4326', 'EPSG:3857', 'EPSG:32631', 'EPSG:32760'} < seen


def test_cog_has_overviews(archive):
    with rasterio.open(file_of(archive, 'cog')) as file:
        assert file.tags(ns='IMAGE_STRUCTURE')['LAYOUT'] == 'COG' and file.overviews(1) == [2]
    with rasterio.open(file_of(archive, 'deflate')) as file:
        assert 'LAYOUT' not in file.tags(ns='IMAGE_STRUCTURE') and file.overviews(1) == []


def test_each_date_is_stated_once(archive):
    table = {row['scene']: row for row in rows(archive / 'scenes.csv')}
    stated = Counter()
    for place in PLACES:
        with rasterio.open(archive / place.file) as file:
            tag = file.tags().get('TIFFTAG_DATETIME', '')
        day = place.time[:10]
        found = {
            'tag': tag == f'{day.replace("-", ":")} {place.time[11:]}',
            'name': day.replace('-', '') in place.file,
            'table': table[place.file]['datetime'] == place.time,
        }
        assert [way for way, there in found.items() if there] == [place.dated]
        assert (tag == '') == (place.dated != 'tag') and table[place.file]['sensor'] == place.sensor
        stated[place.dated] += 1
    assert min(stated.values()) >= 3 and len(table) == 10


# --- places
def test_places_by_another_route(archive):
    geod = Geod(ellps='WGS84')
    for name, table in by_scene(rows(archive / 'truth.csv') + rows(archive / 'objects.csv')).items():
        with rasterio.open(archive / name) as file:
            if file.crs is None:
                assert {(row['lon'], row['lat']) for row in table} == {('', '')}
                continue
            across, _, west, _, down, north = tuple(file.transform)[:6]
            there = Transformer.from_crs(file.crs.to_wkt(), 'EPSG:4326', always_xy=True)
            place = next(place for place in PLACES if place.file == name)
            for row in table:
                top, left, height, width = box_of(row)
                lon, lat = there.transform(west + across * (left + width / 2), north + down * (top + height / 2))
                assert abs(lon - float(row['lon'])) < 1e-7 and abs(lat - float(row['lat'])) < 1e-7
                metres = np.hypot(left + width / 2 - 160, top + height / 2 - 160) / 2
                distance = geod.inv(place.lon, place.lat, float(row['lon']), float(row['lat']))[2]
                assert abs(distance - metres) < 1 + 0.01 * metres  # half a metre a pixel, on the ground


def test_one_scene_lies_across_the_antimeridian(archive):
    for name, table in by_scene(rows(archive / 'truth.csv')).items():
        lons = [float(row['lon']) for row in table if row['lon']]
        across = bool(lons) and min(lons) < -179.9 and max(lons) > 179.9
        assert across == name.startswith('taveuni')
        if across:
            east = [row for row in table if float(row['lon']) < 0]
            assert min(int(row['column']) for row in east) > 160 - 96 / 2 - 1  # its columns lie right of the middle


# --- pixels
def test_cut_outs_are_the_pictures(archive):
    truth = by_scene(rows(archive / 'truth.csv'))
    for number, place in enumerate(PLACES):
        cells = cells_of(number, seed=0, border=place.layout == 'four_bands', **SMALL)
        assert [box_of(row) for row in truth[place.file]] == [(*cell, 96, 96) for cell in cells]
        with rasterio.open(archive / place.file) as file:
            pixels = np.moveaxis(file.read(), 0, -1).astype(int)
        for index, row in enumerate(truth[place.file]):
            scene = picture_of(number, index, picture=96, seed=0)
            assert (row['kind'], row['main'], row['captions'].split(' | ')) == (
                scene.kind,
                scene.main,
                list(scene.captions),
            )
            top, left, height, width = box_of(row)
            cut = pixels[top : top + height, left : left + width]
            if place.layout in ('jpeg', 'photo'):
                assert np.abs(cut - scene.image).mean() < 12
            elif place.layout == 'four_bands':
                assert np.array_equal(cut[..., :3], 200 + 12 * scene.image[..., ::-1].astype(int))
            else:
                assert np.array_equal(cut, scene.image)


def test_every_cell_has_a_picture_and_the_rest_is_ground(archive):
    for number, place in enumerate(PLACES):
        border = place.layout == 'four_bands'
        cells = cells_of(number, seed=0, border=border, **SMALL)
        assert 1 <= len(cells) < 9 if border else len(cells) == 9
        if place.layout == 'deflate':
            mask = np.zeros((320, 320), bool)
            for row, col in cells:
                assert not mask[row : row + 96, col : col + 96].any()
                mask[row : row + 96, col : col + 96] = True
            with rasterio.open(archive / place.file) as file:
                rest = file.read()[:, ~mask]
            assert rest.shape[1] == 320 * 320 - 9 * 96 * 96 and rest.min() > 30  # no black gap


def test_full_size_in_cells():
    cells = cells_of(0, size=4096, picture=256, seed=0, border=False)
    assert len(cells) == 225 and len(set(cells)) == 225
    (top, left), (bottom, right) = cells[0], cells[-1]
    assert (bottom - top, right - left) == (14 * 256, 14 * 256) and min(top, left) >= 0 and max(bottom, right) <= 3840
    assert cells != cells_of(1, size=4096, picture=256, seed=0, border=False)  # the block lies elsewhere
    counts = Counter(picture_of(0, index, picture=64, seed=0).kind for index in range(len(KINDS)))
    assert counts == dict.fromkeys(KINDS, 1)


def test_objects_lie_in_their_picture(archive):
    objects, pictures = by_scene(rows(archive / 'objects.csv')), by_scene(rows(archive / 'truth.csv'))
    for place in PLACES:
        boxes = [(row['kind'], *box_of(row)) for row in pictures[place.file]]
        for row in objects[place.file]:
            top, left, height, width = box_of(row)
            assert height > 0 and width > 0
            inside = [
                kind == row['kind'] and y <= top and top + height <= y + h and x <= left and left + width <= x + w
                for kind, y, x, h, w in boxes
            ]
            assert sum(inside) == 1
    first, (top, left, *_) = picture_of(0, 0, picture=96, seed=0), box_of(pictures[PLACES[0].file][0])
    in_first = [row for row in objects[PLACES[0].file] if int(row['row']) < top + 96 and int(row['column']) < left + 96]
    assert [(row['key'], row['colour']) for row in in_first] == [(box.key, box.colour) for box in first.boxes]


def test_border_of_no_data(archive):
    with rasterio.open(file_of(archive, 'four_bands')) as file:
        bands = file.read()
        assert file.nodata == 0 and file.descriptions == ('blue', 'green', 'red', 'near infrared')
    empty = (bands == 0).all(0)
    assert np.array_equal(empty, (bands == 0).any(0))
    angle = np.deg2rad(12)
    assert empty.mean() == pytest.approx(1 - 1 / (np.cos(angle) + np.sin(angle)) ** 2, abs=0.005)
    assert empty[0, 0] and empty[-1, -1] and not empty[160, 160] and not empty[1].all() and not empty[:, -2].all()
    assert bands[:, ~empty].min() >= 200 and bands.max() < 10000


def test_inside_border_by_hand():
    assert inside_border(50, 50, 100) and not inside_border(1, 1, 100) and not inside_border(99, 99, 100)
    angle = np.deg2rad(12)
    half = 50 / (np.cos(angle) + np.sin(angle))
    y, x = 50 + half * np.sin(angle), 50 + half * np.cos(angle)  # the middle of an edge of the turned square
    assert inside_border(50 + 0.99 * (y - 50), 50 + 0.99 * (x - 50), 100)
    assert not inside_border(50 + 1.01 * (y - 50), 50 + 1.01 * (x - 50), 100)


def test_reflectance_by_hand():
    pixels = np.array([[(60, 100, 40), (30, 60, 150), (150, 150, 150), (100, 110, 100)]], np.uint8)
    # leaves, water, concrete, a little green
    assert reflectance(pixels)[:, 0].T.tolist() == [
        [680, 1400, 920, 200 + 800 + 2800],
        [2000, 920, 560, 200 + 240],
        [2000, 2000, 2000, 2000],
        [1400, 1520, 1400, 200 + 1240 + 1400],
    ]


# --- questions
def test_questions_are_true_of_their_kind_alone():
    assert len({question.text for question in QUESTIONS}) == len({question.kind for question in QUESTIONS}) == 10
    for kind in KINDS:
        for index in range(3):
            here = {key for key, *_ in render_scene((7, index), 64, kind).facts}
            for question in QUESTIONS:
                assert ({*question.keys} <= here) == (question.kind == kind), (question.text, kind)
    for question in QUESTIONS:
        assert all(is_named(key, question.text) for key in question.keys)


def as_one_place(row, keys):
    """A row of truth as a question names it: by its middle on the Earth, or without one by its box."""
    left_out = ('row', 'column', 'height', 'width') if row['lon'] else ('lon', 'lat')
    return {key: '' if key in left_out else row[key] for key in keys}


def test_queries_are_all_right_places(archive):
    truth, queries = rows(archive / 'truth.csv'), rows(archive / 'queries.csv')
    texts = list(dict.fromkeys(row['text'] for row in queries))
    asked = questions_about([row['kind'] for row in truth])
    assert texts == [question.text for question in asked] and len(texts) == 5
    for question in asked:
        found = [{key: row[key] for key in row if key != 'text'} for row in queries if row['text'] == question.text]
        right = [row for row in truth if row['kind'] == question.kind]
        assert found == [as_one_place(row, found[0]) for row in right] and len(found) > 1
    assert questions_about(['church', 'desert']) == [q for q in QUESTIONS if q.kind == 'church']


# --- writing
def test_bytes_do_not_depend_on_workers_or_number(archive, tmp_path):
    write_archive_scenes(tmp_path / 'two', num_workers=2, **SMALL)
    ours, theirs = (
        {path.name: path.read_bytes() for path in folder.iterdir()} for folder in (archive, tmp_path / 'two')
    )
    assert ours == theirs
    write_archive_scenes(tmp_path / 'few', scenes=2, num_workers=1, **SMALL)
    assert all((tmp_path / 'few' / place.file).read_bytes() == ours[place.file] for place in PLACES[:2])
    assert not (tmp_path / 'few' / PLACES[2].file).exists() and len(rows(tmp_path / 'few/scenes.csv')) == 2
    write_archive_scenes(tmp_path / 'other', scenes=1, seed=1, num_workers=1, **SMALL)
    assert (tmp_path / 'other' / PLACES[0].file).read_bytes() != ours[PLACES[0].file]


def test_an_empty_folder_is_taken_and_another_refused(tmp_path):
    (tmp_path / 'empty').mkdir()
    write_archive_scenes(tmp_path / 'empty', scenes=1, num_workers=1, **SMALL)
    for taken in (tmp_path / 'empty', tmp_path / 'empty' / 'truth.csv'):
        with pytest.raises(DataError, match=f'{taken} is there already and is no empty folder; delete it'):
            write_archive_scenes(taken, scenes=1, num_workers=1, **SMALL)
    assert [path.name for path in tmp_path.iterdir()] == ['empty']


@pytest.mark.parametrize('num_workers', [1, 2])
def test_a_full_disk_leaves_nothing(tmp_path, monkeypatch, num_workers):
    def full(folder, place, pixels):
        raise OSError(errno.ENOSPC, 'No space left on device')

    monkeypatch.setattr(write, 'write_scene', full)
    threads = cv2.getNumThreads()
    with pytest.raises(DataError, match='the disk of .*scenes is full'):
        write_archive_scenes(tmp_path / 'scenes', scenes=2, num_workers=num_workers, **SMALL)
    assert list(tmp_path.iterdir()) == [] and cv2.getNumThreads() == threads


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        ({'scenes': 11}, 'scenes must be a whole number from 1 to 10, got 11'),
        ({'size': 96}, 'size must be a whole number of at least 97, got 96'),
        ({'picture': 63}, 'picture must be a whole number of at least 64, got 63'),
        ({'seed': -1}, 'seed must be a whole number of at least 0, got -1'),
        ({'num_workers': 0}, 'num_workers must be a whole number of at least 1, got 0'),
    ],
)
def test_bad_arguments(tmp_path, change, message):
    with pytest.raises(ConfigError, match=message):
        write_archive_scenes(tmp_path / 'scenes', **{**SMALL, **change})
    assert list(tmp_path.iterdir()) == []


def test_tool(command, tmp_path):
    out = tmp_path / 'scenes'
    code, printed, _ = command('archive/make_demo_scenes', out, '--scenes', 1, '--size', 300, '--seed', 3)
    assert code == 0 and 'truth.csv: 1 rows' in printed and f'1 scenes in {out}' in printed
    code, _, error = command('archive/make_demo_scenes', out)
    assert (
        code == 2 and error == f'error: {out} is there already and is no empty folder; delete it or name another one\n'
    )
    code, _, error = command('archive/make_demo_scenes', tmp_path / 'new', '--scenes', 11)
    assert code == 2 and error == 'error: --scenes must be a whole number from 1 to 10, got 11\n'
