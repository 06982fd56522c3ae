"""A build: every tile once and at its place, resumed, updated, pruned, and by several processes at once."""

from __future__ import annotations

import dataclasses
import datetime as dt
import os
import re
from pathlib import Path

import numpy as np
import pytest

from osdpm_plugin.archive import Archive, Filter, records
from osdpm_plugin.archive.folder import ArchiveFolder
from osdpm_plugin.archive.grid import TileGrid
from osdpm_plugin.archive.shards import read_shard
from osdpm_plugin.errors import ConfigError, DataError
from tests.helpers.archive_processes import BuildProcess
from tests.helpers.archives import DIMS, ColourEncoder, build, builder, patchwork, source, write_scene


def rows_of(folder: Path) -> dict[str, dict]:
    """Tile -> all columns of all shards."""
    archive = ArchiveFolder(folder)
    tables = [
        read_shard(path, dims=DIMS, check=True)
        for record in archive.records().values()
        for path in archive.shard_paths(record)
    ]
    return {row['tile']: row for table in tables for row in table.to_pylist()}


@pytest.fixture
def scenes(tmp_path) -> list[Path]:
    """Two scenes of 48 x 64 pixels, with a patch of colour in each."""
    return [
        write_scene(tmp_path / 'scenes' / 'a.tif', patchwork((48, 64), dict(red=(0, 16, 16, 16)))),
        write_scene(tmp_path / 'scenes' / 'b c 高.tif', patchwork((48, 64), dict(blue=(32, 48, 16, 16)))),
    ]


def test_every_tile_once_and_at_its_place(tmp_path, scenes):
    """Vectors are those of the pixels under each window, computed here a second time."""
    report = build(tmp_path / 'archive', [source(path) for path in scenes], grid=TileGrid(16, 8))
    rows, encoder = rows_of(tmp_path / 'archive'), ColourEncoder()
    assert len(rows) == report.tiles == report.rows == 2 * 5 * 7 and report.empty == 0
    for path, patch in zip(scenes, (dict(red=(0, 16, 16, 16)), dict(blue=(32, 48, 16, 16)))):
        pixels = patchwork((48, 64), patch)
        own = [row for row in rows.values() if row['source'] == str(path)]
        assert {(row['row'], row['column']) for row in own} == {
            (r, c) for r in range(0, 33, 8) for c in range(0, 49, 8)
        }
        for row in own:
            part = pixels[:, row['row'] : row['row'] + 16, row['column'] : row['column'] + 16]
            want = encoder.images(dict(inputs=[encoder.pipeline(part.transpose(1, 2, 0))['inputs']]))[0].embedding
            np.testing.assert_array_equal(np.array(row['embedding'], np.float16), want.astype(np.float16))
            assert row['gsd'] == pytest.approx(10, rel=1e-3) and row['nodata'] == 0
    hits = Archive.open(tmp_path / 'archive').search(
        like=next(r['tile'] for r in rows.values() if r['row'] == 0 and r['column'] == 16)
    )
    assert hits[0].window == (0, 16, 16, 16) and hits[0].score == pytest.approx(1, abs=1e-3)


def test_unchanged_scenes_cost_nothing(tmp_path, scenes):
    sources = [source(path) for path in scenes]
    build(tmp_path / 'archive', sources)
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / 'archive').rglob('*') if path.is_file()}
    encoder = ColourEncoder()
    report = build(tmp_path / 'archive', sources, encoder=encoder)
    assert (report.tiles, report.rows, encoder.batches) == (0, 0, [])
    after = {path: path.stat().st_mtime_ns for path in (tmp_path / 'archive').rglob('*') if path.is_file()}
    assert {path.name for path in after if before.get(path) != after[path]} <= {'.builder', '.loader'}


def test_a_changed_scene_is_replaced(tmp_path, scenes):
    """The new file has fewer tiles than the old one; nothing of the old one stays."""
    build(tmp_path / 'archive', [source(path) for path in scenes])
    write_scene(scenes[0], patchwork((32, 32), dict(green=(0, 0, 32, 32))))
    report = build(tmp_path / 'archive', [source(path) for path in scenes])
    assert len(report.plan.changed) == 1 and report.tiles == 9
    archive = Archive.open(tmp_path / 'archive')
    (scene,) = report.plan.changed
    assert archive.store.count(Filter(scenes=[scene])) == 9
    assert len(list((tmp_path / 'archive' / 'shards' / scene).iterdir())) == 1
    archive._encoder = ColourEncoder()
    hits = archive.search('green', topk=100, overlap=1, min_score=0.99)
    assert {hit.scene for hit in hits} == {scene} and len(hits) == 9


def test_the_clock_goes_backward(tmp_path, scenes):
    """A file of another, older time is another file."""
    build(tmp_path / 'archive', [source(path) for path in scenes])
    os.utime(scenes[0], (1, 1))
    assert len(build(tmp_path / 'archive', [source(path) for path in scenes]).plan.changed) == 1


def test_dates_and_attributes_change_without_the_model(tmp_path, scenes):
    when = dt.datetime(2024, 5, 17, tzinfo=dt.timezone.utc)
    build(tmp_path / 'archive', [source(path) for path in scenes])
    encoder = ColourEncoder()
    facts = [source(scenes[0], datetime=when, attributes=dict(sensor='GF-2')), source(scenes[1])]
    report = build(tmp_path / 'archive', facts, encoder=encoder)
    assert len(report.plan.renamed) == 1 and encoder.batches == []
    store = Archive.open(tmp_path / 'archive').store
    assert store.count(Filter(attributes={'sensor': ['GF-2']})) == store.count(Filter(start=when, end=when)) == 35
    assert store.count() == 70
    build(tmp_path / 'archive', [source(path) for path in scenes])
    assert Archive.open(tmp_path / 'archive').store.count(Filter(start=when)) == 0


def test_vanished_scenes(tmp_path, scenes):
    """They are named, and removed by prune alone; scenes that are not named but there stay."""
    build(tmp_path / 'archive', [source(path) for path in scenes])
    scenes[1].unlink()
    report = build(tmp_path / 'archive', [source(scenes[0])])
    assert len(report.plan.vanished) == 1 and Archive.open(tmp_path / 'archive').store.count() == 70
    report = build(tmp_path / 'archive', [source(scenes[0])], prune=True)
    assert report.pruned == report.plan.vanished
    assert Archive.open(tmp_path / 'archive').store.count() == 35
    assert [path.name for path in (tmp_path / 'archive' / 'shards').iterdir()] == [source(scenes[0]).scene]
    third = write_scene(tmp_path / 'scenes' / 'third.tif', patchwork((16, 16), {}))
    report = build(tmp_path / 'archive', [source(third)], prune=True)
    assert report.plan.vanished == [] and Archive.open(tmp_path / 'archive').store.count() == 36


def test_tiles_without_data(tmp_path):
    """Half of the scene is no data: tiles above the share are left out and counted, the rest say their share."""
    pixels = patchwork((16, 64), {})
    pixels[:, :, :30] = 0
    scene = write_scene(tmp_path / 'a.tif', pixels, nodata=0)
    report = build(tmp_path / 'archive', [source(scene)], grid=TileGrid(16, 16, max_nodata=0.9))
    rows = rows_of(tmp_path / 'archive')
    assert (report.tiles, report.empty) == (3, 1)
    assert {row['column']: row['nodata'] for row in rows.values()} == {16: pytest.approx(14 / 16), 32: 0, 48: 0}
    build(tmp_path / 'all', [source(scene)], grid=TileGrid(16, 16, max_nodata=1.0))
    assert len(rows_of(tmp_path / 'all')) == 3  # a tile without any data is nothing to see


def test_a_mask_hides_pixels(tmp_path):
    """Clouds in a mask of half the resolution."""
    scene = write_scene(tmp_path / 'a.tif', patchwork((32, 32), dict(red=(0, 0, 16, 32))))
    clouds = np.zeros((1, 16, 16), np.uint8)
    clouds[:, :8] = 1
    mask = write_scene(tmp_path / 'mask.tif', clouds)
    report = build(tmp_path / 'archive', [source(scene, mask=str(mask))], grid=TileGrid(16, 16))
    assert (report.tiles, report.empty) == (2, 2)
    assert {row['row'] for row in rows_of(tmp_path / 'archive').values()} == {16}


def test_another_maker_is_refused(tmp_path, scenes):
    sources = [source(path) for path in scenes]
    build(tmp_path / 'archive', sources)
    before = sorted(path.name for path in (tmp_path / 'archive').rglob('*'))
    with pytest.raises(ConfigError, match=r'made by another model \(its weights, config or test pipeline differ\)'):
        build(tmp_path / 'archive', sources, encoder=ColourEncoder(seed=1))
    with pytest.raises(ConfigError, match='another tile grid: grid is .*16.* there and .*24.* here'):
        build(tmp_path / 'archive', sources, grid=TileGrid(24))
    rule = dataclasses.replace(builder(tmp_path / 'x').rule, stretch='minmax')
    with pytest.raises(ConfigError, match="another value of pixels: .*'percentile'.*'minmax'"):
        build(tmp_path / 'archive', sources, rule=rule)
    assert sorted(path.name for path in (tmp_path / 'archive').rglob('*')) == before


def test_a_scene_that_cannot_be_read(tmp_path, scenes):
    """It is left out and named; a build of nothing else is one sentence, and leaves no archive."""
    broken = tmp_path / 'scenes' / 'broken.tif'
    broken.write_bytes(scenes[0].read_bytes()[:100])
    report = build(tmp_path / 'archive', [source(broken), *(source(path) for path in scenes)])
    assert [failure.address for failure in report.failures] == [str(broken)]
    assert report.failures[0].reason.startswith('GDAL cannot read it (') and report.tiles == 70
    with pytest.raises(DataError, match='none of 1 scenes can be read, first: .*broken.tif: GDAL cannot read it'):
        build(tmp_path / 'empty', [source(broken)])
    assert not ArchiveFolder(tmp_path / 'empty').exists


def test_a_file_that_ends_early_is_found_while_tiles_are_read(tmp_path, scenes):
    """The header promises more than there is: the scene is given up, the others are built."""
    noise = np.random.default_rng(0).integers(0, 255, (3, 64, 64), dtype=np.uint8)
    broken = write_scene(tmp_path / 'scenes' / 'z.tif', noise, tiled=True, blockxsize=16, blockysize=16)
    broken.write_bytes(broken.read_bytes()[:-6000])
    report = build(tmp_path / 'archive', [source(broken), source(scenes[0])])
    assert [failure.address for failure in report.failures] == [str(broken)]
    assert Archive.open(tmp_path / 'archive').store.count() == 35


def test_a_folder_with_other_files(tmp_path, scenes):
    (tmp_path / 'archive').mkdir()
    (tmp_path / 'archive' / 'thesis.txt').write_text('')
    with pytest.raises(DataError, match='is not empty and holds no archive; name a new folder'):
        build(tmp_path / 'archive', [source(scenes[0])])


def test_the_second_builder_is_told(tmp_path, scenes):
    """In another process, and in another thread of this one."""
    words = r'is being built by process [0-9]+ on .*; wait for it, or stop it'
    with ArchiveFolder(tmp_path / 'archive').builder():
        assert re.search(words, BuildProcess(tmp_path / 'archive', scenes[:1]).wait())
        with pytest.raises(ConfigError, match=words):
            build(tmp_path / 'archive', [source(scenes[0])])
    assert BuildProcess(tmp_path / 'archive', scenes[:1]).wait() == ''
    with (
        ArchiveFolder(tmp_path / 'archive').builder('a job'),
        pytest.raises(ConfigError, match='is being built by a job'),
    ):
        build(tmp_path / 'archive', [source(scenes[0])])


@pytest.mark.parametrize('size', [2, 3])
def test_several_processes_give_the_same_rows(tmp_path, monkeypatch, size):
    """Bit for bit those of one process, each made once, and a store that holds them all."""
    monkeypatch.setattr(records, 'UNIT_TILES', 10)
    scenes = [
        write_scene(tmp_path / 's' / f'{i}.tif', patchwork((40, 48), dict(red=(0, 8 * i, 16, 8)))) for i in range(7)
    ]
    build(tmp_path / 'one', [source(path) for path in scenes], grid=TileGrid(16, 8))
    options = dict(grid=TileGrid(16, 8), world_size=size, job='test', unit_tiles=10)
    processes = [BuildProcess(tmp_path / 'archive', scenes, rank=rank, **options) for rank in range(size)]
    assert [process.wait() for process in processes] == [''] * size
    assert repr(rows_of(tmp_path / 'archive')) == repr(rows_of(tmp_path / 'one'))
    assert Archive.open(tmp_path / 'archive').store.count() == 7 * 4 * 5


def test_an_interrupted_build_goes_on(tmp_path, scenes, monkeypatch):
    """A build that ends in the middle of a unit: units that were done are not made again."""
    monkeypatch.setattr(records, 'UNIT_TILES', 14)  # one row of tiles and a half: 5 units a scene
    sources = [source(path) for path in scenes]
    build(tmp_path / 'whole', sources, grid=TileGrid(16, 8))

    class Interrupted(ColourEncoder):
        def images(self, batch):
            if len(self.batches) == 4:
                raise KeyboardInterrupt
            return super().images(batch)

    with pytest.raises(KeyboardInterrupt):
        build(tmp_path / 'archive', sources, encoder=Interrupted(), grid=TileGrid(16, 8))
    shards = list((tmp_path / 'archive' / 'shards').rglob('*.parquet'))
    kept = sum(read_shard(path, dims=DIMS).num_rows for path in shards)
    assert 0 < kept <= 4 * 14
    encoder = ColourEncoder()
    report = build(tmp_path / 'archive', sources, encoder=encoder, grid=TileGrid(16, 8))
    assert report.rows == 70 and report.tiles == sum(encoder.batches) == 70 - kept
    assert repr(rows_of(tmp_path / 'archive')) == repr(rows_of(tmp_path / 'whole'))
