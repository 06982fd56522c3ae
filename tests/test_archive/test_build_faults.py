"""What goes wrong while an archive is built: a full disk, a process that is killed, a model that gives no numbers."""

from __future__ import annotations

import builtins
import errno
import os
import shutil
import threading
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from osdpm_plugin.archive import Archive, Filter, building, records
from osdpm_plugin.archive import loading as loading_module
from osdpm_plugin.archive.folder import ArchiveFolder
from osdpm_plugin.archive.stores import LanceStore
from osdpm_plugin.errors import ConfigError, OSDPMError
from osdpm_plugin.search.encoder import Vector
from tests.helpers.archives import ColourEncoder, build, patchwork, source, write_scene
from tests.helpers.rasters import noise
from tests.test_archive.test_building import rows_of


@pytest.fixture(autouse=True)
def _small_units(monkeypatch):
    """Two rows of tiles a unit: three units for each scene."""
    monkeypatch.setattr(records, 'UNIT_TILES', 15)


@pytest.fixture
def scenes(tmp_path) -> list:
    """Two scenes of 5 x 7 tiles."""
    paths = [write_scene(tmp_path / f'{name}.tif', noise(3, 48, 64, seed=i)) for i, name in enumerate('ab')]
    return [source(path) for path in paths]


@pytest.fixture
def whole(tmp_path, scenes) -> dict[str, dict]:
    """The rows of a build that nothing disturbs."""
    build(tmp_path / 'whole', scenes)
    return rows_of(tmp_path / 'whole')


@pytest.fixture
def folder(tmp_path) -> ArchiveFolder:
    return ArchiveFolder(tmp_path / 'archive')


def stored(folder: ArchiveFolder) -> list[str]:
    """Ids of the tiles of the store, sorted."""
    scan = Archive.open(folder.path).store.scan(['tile'])
    return sorted(tile for batch in scan for tile in batch.column('tile').to_pylist())


def assert_whole(folder: ArchiveFolder, whole: dict[str, dict]) -> None:
    """Shards and store hold every row once, to the last bit, and nothing lies about."""
    assert repr(rows_of(folder.path)) == repr(whole) and stored(folder) == sorted(whole)
    lying = [path.name for path in folder.path.rglob('*') if path.suffix in ('.claim', '.partial')]
    assert lying == []


def full_disk(*args, **options):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_the_disk_is_full_while_a_shard_is_written(monkeypatch, folder, scenes, whole):
    """One sentence; no half a shard; the next build goes on, in the same process, though the error is still known."""
    real, written = pq.write_table, []

    def write(table, file, **options):
        if len(written) == 2:
            file.write(b'PAR1 and a half')
            full_disk()
        written.append(real(table, file, **options))

    monkeypatch.setattr(pq, 'write_table', write)
    with pytest.raises(
        ConfigError, match=r"shard='.*' cannot be written: .*No space left on device; name a file .*"
    ) as info:
        build(folder.path, scenes)
    assert '\n' not in str(info.value)
    assert len(list(folder.shards.rglob('*.parquet'))) == 2 and not list(folder.path.rglob('*.partial'))
    monkeypatch.setattr(pq, 'write_table', real)
    kept = sum(pq.read_metadata(path).num_rows for path in folder.shards.rglob('*.parquet'))
    report = build(folder.path, scenes)  # the error above still holds the frames of the build that failed
    assert report.tiles == 70 - kept and info.value is not None
    assert_whole(folder, whole)


@pytest.mark.parametrize('what', ['scenes', 'archive.json', 'config.json', '.claim', 'loaded.json'])
def test_the_disk_is_full_for_small_files(monkeypatch, folder, scenes, whole, what):
    """Records, notes and claims, at the second one of a kind; the next build goes on."""
    real, seen = builtins.open, []

    def open_(file, mode='r', *args, **options):
        if what in os.fspath(file) and mode != 'r' and str(folder) in os.fspath(file):
            seen.append(file)
            if what.startswith(('archive', 'config')) or len(seen) == 2:
                full_disk()
        return real(file, mode, *args, **options)

    monkeypatch.setattr(builtins, 'open', open_)
    with pytest.raises(OSDPMError, match='No space left on device') as info:
        build(folder.path, scenes)
    assert '\n' not in str(info.value) and seen
    monkeypatch.undo()
    monkeypatch.setattr(records, 'UNIT_TILES', 15)
    build(folder.path, scenes)
    assert_whole(folder, whole)


@pytest.mark.parametrize('method', ['upsert', 'optimize'])
def test_the_disk_is_full_while_the_store_is_written(monkeypatch, folder, scenes, whole, method):
    """Whether its rows got there or not is not known then; they are loaded again."""
    real = getattr(LanceStore, method)

    def fail(store, *args):
        real(store, *args)
        with store._in_words():
            raise RuntimeError('lance error: LanceError(IO): No space left on device (os error 28), /src/x.rs:1663:50')

    monkeypatch.setattr(LanceStore, method, fail)
    words = (
        r'the store in .* cannot be used \(lance error: .*\(os error 28\)\); make room on its disk, or make it anew: '
    )
    with pytest.raises(ConfigError, match=words):
        build(folder.path, scenes)
    monkeypatch.setattr(LanceStore, method, real)
    assert build(folder.path, scenes).tiles == 0
    assert_whole(folder, whole)


def test_rows_of_a_build_that_ended_before_it_noted_them(monkeypatch, folder, scenes):
    """Its scene then changes, and has fewer tiles: none of the old rows stays."""
    real = ArchiveFolder.write_loaded

    def end(self, loaded):
        if any(rows is not None for rows in loaded.values()):
            raise KeyboardInterrupt
        real(self, loaded)

    monkeypatch.setattr(ArchiveFolder, 'write_loaded', end)
    with pytest.raises(KeyboardInterrupt):
        build(folder.path, scenes)
    monkeypatch.setattr(ArchiveFolder, 'write_loaded', real)
    assert len(stored(folder)) == 70
    path = Path(scenes[0].address)
    write_scene(path, noise(3, 20, 20))
    build(folder.path, [source(path), scenes[1]])
    assert stored(folder) == sorted(rows_of(folder.path)) and len(stored(folder)) == 35 + 4


@pytest.mark.parametrize('moment', ['create', 'first note'])
def test_a_build_that_ends_while_a_lost_store_is_made(monkeypatch, folder, scenes, whole, moment):
    """The list of what the old store held does not count for the new one."""
    build(folder.path, scenes)
    shutil.rmtree(folder.store)
    owner, name = (LanceStore, 'create') if moment == 'create' else (ArchiveFolder, 'write_loaded')
    real = getattr(owner, name)

    def end(self, *args):
        if moment == 'create':
            real(self, *args)
        raise KeyboardInterrupt

    monkeypatch.setattr(owner, name, end)
    with pytest.raises(KeyboardInterrupt):
        build(folder.path, scenes)
    monkeypatch.setattr(owner, name, real)
    build(folder.path, scenes)
    assert_whole(folder, whole)


def test_a_build_that_ends_while_an_archive_begins(monkeypatch, folder, scenes, whole):
    """With the config, and half a description, but no archive.json; another folder of files is still refused."""
    folder.path.mkdir()
    folder.config.write_text('{}')
    (folder.path / '.archive.json.123.partial').write_text('{"for')
    build(folder.path, scenes)
    assert repr(rows_of(folder.path)) == repr(whole)
    with pytest.raises(ConfigError, match='a.tif is a file; name a folder for the archive'):
        build(Path(scenes[0].address), scenes)


def test_what_killed_processes_left(folder, scenes, whole):
    """Claims, half shards and shards of a file that has changed since."""
    build(folder.path, scenes)
    (shard, *_) = sorted(folder.shards.rglob('*.parquet'))
    for name in ('.x.parquet.1.partial', f'{shard.stem}.claim', '01234567-00000.parquet'):
        (shard.parent / name).write_bytes(shard.read_bytes())
    shard.unlink()
    folder.doubt([shard])
    assert build(folder.path, scenes).tiles > 0
    assert_whole(folder, whole)
    assert sorted(folder.shards.rglob('*')) == sorted({*folder.shards.iterdir(), *paths(folder)})


def paths(folder: ArchiveFolder) -> list[Path]:
    return [path for record in folder.records().values() for path in folder.shard_paths(record)]


def test_old_shards_go_though_the_build_that_replaced_them_was_killed(folder, scenes):
    """The record of the new file was written, so that no later build calls the scene changed."""
    build(folder.path, scenes)
    path = Path(scenes[0].address)
    write_scene(path, noise(3, 48, 64, seed=9))

    class Killed(ColourEncoder):
        def images(self, batch):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build(folder.path, [source(path), scenes[1]], encoder=Killed())
    assert len(stored(folder)) == 70  # the old rows are found until the new ones are complete
    report = build(folder.path, [source(path), scenes[1]])
    assert report.plan.changed == [] and report.tiles == 35 and len(stored(folder)) == 70
    assert sorted(paths(folder)) == sorted(path for path in folder.shards.rglob('*') if path.is_file())


class NotFinite(ColourEncoder):
    """One tile of the second scene has no vector."""

    def images(self, batch: dict) -> list[Vector]:
        """Vectors of B images, the first of batch 5 without a number."""
        vectors = super().images(batch)
        if len(self.batches) == 5:
            vectors[0] = Vector(np.full(len(vectors[0].embedding), np.nan, np.float32))
        return vectors


def test_embeddings_that_are_not_finite(folder, scenes, whole):
    """The scene is left out and named, the other is there; with a good model the next build makes it."""
    report = build(folder.path, scenes, encoder=NotFinite())
    assert [(failure.address, failure.reason) for failure in report.failures] == [
        (scenes[1].address, 'its embeddings are not finite; check the checkpoint')
    ]
    assert len(stored(folder)) == 35
    report = build(folder.path, scenes)
    assert report.failures == [] and report.tiles < 70
    assert_whole(folder, whole)


def test_waiting_for_another_process_can_be_interrupted(monkeypatch, folder, scenes):
    """A unit is held by somebody who does not end; threads and claims of the interrupted build are gone."""
    build(folder.path, scenes)
    first = paths(folder)[0]
    first.unlink()
    folder.doubt([first])
    threads = threading.active_count()
    monkeypatch.setattr(building, 'POLL', 0.01)

    class Interrupted(building.TileEmbedder):
        def __call__(self, units):
            yielded = iter(units)
            assert next(yielded) is None  # there is nothing but to wait
            raise KeyboardInterrupt

    with folder.claim(first) as is_ours:
        assert is_ours
        monkeypatch.setattr(building, 'TileEmbedder', Interrupted)
        with pytest.raises(KeyboardInterrupt):
            build(folder.path, scenes)
        monkeypatch.undo()
    monkeypatch.setattr(records, 'UNIT_TILES', 15)
    assert threading.active_count() == threads
    assert build(folder.path, scenes).tiles == len(pq.read_table(first))


def test_an_error_of_the_model_ends_the_build_and_its_threads(folder, scenes, whole):
    threads, files = threading.active_count(), len(os.listdir('/proc/self/fd'))

    class Broken(ColourEncoder):
        def images(self, batch):
            if len(self.batches) == 2:
                raise RuntimeError('CUDA out of memory')
            return super().images(batch)

    with pytest.raises(RuntimeError, match='CUDA out of memory') as info:
        build(folder.path, scenes, encoder=Broken())
    assert threading.active_count() == threads and len(os.listdir('/proc/self/fd')) <= files
    assert info.value is not None
    build(folder.path, scenes)
    assert_whole(folder, whole)


def test_new_facts_are_written_once_by_several_processes(monkeypatch, folder, scenes):
    """The second process has its plan from before the first wrote the new records; both end, the store is right."""
    build(folder.path, scenes)
    facts = [one._replace(attributes=dict(sensor='GF-2')) for one in scenes]
    plan = building.make_plan
    late = {}

    def plan_then_wait(*args, **options):
        late['plan'] = plan(*args, **options)
        if threading.current_thread().name == 'late':
            go.wait(60)
        return late['plan']

    monkeypatch.setattr(building, 'make_plan', plan_then_wait)
    go = threading.Event()
    options = dict(world_size=2, job='test')
    thread = threading.Thread(target=build, args=(folder.path, facts), kwargs=dict(rank=1, **options), name='late')
    thread.start()
    while 'plan' not in late:
        pass
    assert len(build(folder.path, facts, rank=0, **options).plan.renamed) == 2
    go.set()
    thread.join(60)
    assert not thread.is_alive()
    assert Archive.open(folder.path).store.count(Filter(attributes={'sensor': ['GF-2']})) == 70
    assert {tuple(row['attributes']) for row in rows_of(folder.path).values()} == {('sensor=GF-2',)}


def test_a_rank_that_begins_first_may_write_new_facts(folder, scenes):
    """Whichever rank it is."""
    build(folder.path, scenes)
    facts = [one._replace(attributes=dict(sensor='GF-2')) for one in scenes]
    build(folder.path, facts, rank=1, world_size=2, job='test')
    assert Archive.open(folder.path).store.count(Filter(attributes={'sensor': ['GF-2']})) == 70


def test_many_rows_are_loaded_in_parts(monkeypatch, folder, scenes, whole):
    monkeypatch.setattr(loading_module, 'ROWS_AT_A_TIME', 20)
    assert build(folder.path, scenes).rows == 70
    assert_whole(folder, whole)


def test_a_scene_without_any_data(folder, tmp_path):
    """It has a shard without rows, and is not looked at again."""
    empty = write_scene(tmp_path / 'empty.tif', np.zeros((3, 48, 64), np.uint8), nodata=0)
    report = build(folder.path, [source(empty)])
    assert (report.tiles, report.empty, report.failures, stored(folder)) == (0, 35, [], [])
    report = build(folder.path, [source(empty)])
    assert (report.tiles, report.empty) == (0, 0)
    archive = Archive.open(folder.path)
    archive._encoder = ColourEncoder()
    assert archive.search('red') == []
    write_scene(tmp_path / 'b.tif', patchwork((16, 16), {}))
    assert build(folder.path, [source(empty), source(tmp_path / 'b.tif')]).tiles == 1
